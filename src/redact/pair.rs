//! `key=value`, `key: value` and `"key":"value"` inside a text.

use std::ops::Range;

use super::key::{is_grant, is_sensitive};
use super::segment::looks_random;
use super::{FILTERED, REDACTED, ansi, form};

/// Bytes that are walked back from a separator in search of its key.
const MAX_KEY: usize = 128;
/// Bytes of a value that are looked at to tell whether it is a grant.
const MAX_GRANT: usize = 512;
/// Bytes of such values that are looked at, beside half of the text.
const MAX_GRANTS: usize = 4096;
/// Blanks before a line of a block.
const MAX_INDENTATION: usize = 64;
/// Spaces between a separator and its value.
const MAX_SPACES: usize = 4;

/// The secret whose key ends before the separator at `separator` and whose value begins after it, at
/// `after`. The key is not looked for before `floor`, where the last secret ended.
pub(super) fn secret(
    text: &[u8],
    floor: usize,
    separator: usize,
    after: usize,
    grants: &mut usize,
) -> Option<Range<usize>> {
    let before = text.get(floor..separator)?;
    let key_at = key_before(before)?;
    let key = before.get(key_at.clone())?;
    if key.len() < 3 {
        return None;
    }
    if !is_sensitive(key) {
        return if is_grant(key) {
            grant(text, floor + key_at.start, separator, after, grants)
        } else if text.get(separator) == Some(&b':') {
            form::of_field(text, floor, floor + key_at.start..floor + key_at.end, after)
        } else if key == b"name" {
            form::of_part(text, after)
        } else {
            None
        };
    }
    let in_path = || {
        before
            .get(..key_at.start)
            .is_some_and(|head| head.ends_with(b"::"))
    };
    if text.get(separator) == Some(&b':') && in_path() {
        // The target of a log record: `app::token: started`.
        return None;
    }
    let arrow = text.get(after) == Some(&b'>');
    let mut start = ansi::behind(text, after + usize::from(arrow));
    let spaced = separator > 0 && text.get(separator - 1).copied().is_some_and(is_space);
    let after = text.get(start..)?.iter().take(MAX_SPACES);
    let spaces = after.take_while(|byte| is_space(**byte)).count();
    if spaces > 0 && !arrow && !spaced && text.get(separator) == Some(&b'=') {
        // `password= next=1`: there is no value.
        return None;
    }
    start = ansi::behind(text, start + spaces);
    let quote = quote_at(text, start);
    if quote > 0 {
        let from = start + quote;
        let end = end_of_quoted(text, from);
        return secret_at(text, from..end);
    }
    if let Some(block) = block(text, floor + key_at.start, start) {
        return secret_at(text, block);
    }
    let mut end = end_of_plain(text, start);
    if holds(key, b"authorization") || holds(key, b"auth") {
        end = end_of_credentials(text, start, end);
    } else if holds(key, b"cookie") {
        end = end_of_cookies(text, end);
    }
    if counts(key, text.get(start..end)?) {
        return None;
    }
    secret_at(text, start..end)
}

/// The lines of a block of YAML whose mark is at `start`: `key: |`, and what stands further in than the key.
fn block(text: &[u8], key: usize, start: usize) -> Option<Range<usize>> {
    let rest = text.get(start..)?;
    let mark = match rest {
        [b'|' | b'>', b'-' | b'+', ..] => 2,
        [b'|' | b'>', ..] => 1,
        _ => return None,
    };
    let line_end = |text: &[u8]| match text {
        [b'\n', ..] => 1,
        [b'\r', b'\n', ..] => 2,
        _ => 0,
    };
    let length = line_end(rest.get(mark..)?);
    if length == 0 {
        return None;
    }
    let blanks = |at: usize| {
        let rest = text.get(at..).unwrap_or_default().iter();
        rest.take(MAX_INDENTATION)
            .take_while(|byte| is_space(**byte))
            .count()
    };
    let first = start + mark + length;
    let indentation = blanks(first);
    let before = text.get(..key)?.iter().rev().take(MAX_INDENTATION);
    let of_key = before
        .take_while(|byte| matches!(byte, b' ' | b'\t' | b'-' | b'"' | b'\''))
        .count();
    if indentation <= of_key {
        return None;
    }
    let mut end = first;
    let mut next = first;
    while next < text.len() {
        let line = text.get(next..)?;
        let length = line.iter().position(|byte| *byte == b'\n');
        let length = length.unwrap_or(line.len());
        let bytes = line.get(..length)?;
        if !bytes.trim_ascii().is_empty() {
            if blanks(next) < indentation {
                break;
            }
            end = next + bytes.trim_ascii_end().len();
        }
        next += length + 1;
    }
    (end > first).then_some(first + indentation..end)
}

/// Whether a key and its value tell how many tokens there are, or a version: `tokens=512`.
fn counts(key: &[u8], value: &[u8]) -> bool {
    let ends = |word: &[u8]| {
        let tail = key
            .len()
            .checked_sub(word.len())
            .and_then(|at| key.get(at..));
        tail.is_some_and(|tail| tail.eq_ignore_ascii_case(word))
    };
    value.len() <= 9
        && value.iter().all(u8::is_ascii_digit)
        && (ends(b"tokens") || ends(b"version"))
}

/// The value of a parameter that may carry a grant (`code`, `state`), where its key begins at `start`: one of
/// several that `&` separates, or what looks random. Elsewhere these keys are harmless.
///
/// `read` counts the bytes that were looked at in vain. Where they are many, what follows is a grant.
fn grant(
    text: &[u8],
    start: usize,
    separator: usize,
    after: usize,
    read: &mut usize,
) -> Option<Range<usize>> {
    let first = start > 0 && text.get(start - 1) == Some(&b'&');
    if !first && matches!(text.get(after), Some(b'(' | b'[' | b'{')) {
        return None;
    }
    if *read > MAX_GRANTS + text.len() / 2 {
        return secret_at(text, value_at(text, after));
    }
    // Enough to decide; a value that is none would be read once for each key before it.
    let window = text.get(..text.len().min(after + MAX_GRANT))?;
    let at = value_at(window, after);
    let value = window.get(at.clone())?;
    let is_form = at.start == after
        && text.get(separator) != Some(&b':')
        && (first || text.get(at.end) == Some(&b'&'));
    let is_sign = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.~/+=%".contains(byte);
    let is_token = || value.len() >= 20 && value.iter().all(is_sign) && looks_random(value);
    if is_form || is_token() {
        secret_at(text, value_at(text, after))
    } else {
        *read += value.len();
        super::count_visited(value.len());
        None
    }
}

/// The value that begins at `after`, behind blanks and without its quotes.
fn value_at(text: &[u8], after: usize) -> Range<usize> {
    let rest = text.get(after..).unwrap_or_default();
    let spaces = rest.iter().take(MAX_SPACES);
    let spaces = spaces.take_while(|byte| is_space(**byte)).count();
    let quote = quote_at(text, after + spaces);
    let start = after + spaces + quote;
    if quote > 0 {
        start..end_of_quoted(text, start)
    } else {
        start..end_of_plain(text, start)
    }
}

/// Where the query begins that is the value of the field `query` whose separator is at `separator`.
pub(super) fn start_of_query(text: &[u8], floor: usize, separator: usize) -> Option<usize> {
    let before = text.get(floor..separator)?;
    let before = before.strip_suffix(b"\"").unwrap_or(before);
    if !before.ends_with(b"query") && !before.ends_with(b"query_string") {
        return None;
    }
    let mut start = separator + 1;
    while text.get(start).copied().is_some_and(is_space) && start < separator + MAX_SPACES {
        start += 1;
    }
    if text.get(start..)?.starts_with(b"Some(") {
        start += 5;
    }
    start += quote_at(text, start);
    // A question mark is found by itself.
    text.get(start)
        .is_some_and(u8::is_ascii_alphanumeric)
        .then_some(start)
}

/// What stands behind `-u` or `--user` around the colon at `separator`, as curl takes it: `name:password`.
/// The numbers of a user and a group are none.
pub(super) fn user_option(
    text: &[u8],
    floor: usize,
    separator: usize,
    word: &mut PrecedingWord,
) -> Option<Range<usize>> {
    let start = word.start(text, floor, separator);
    let (head, name) = text
        .get(floor..separator)?
        .split_at_checked(start - floor)?;
    // What the options below end with.
    if name.len() > MAX_KEY || !matches!(head.last(), Some(b' ' | b'=' | b'"' | b'\'')) {
        return None;
    }
    let head = head
        .strip_suffix(b"\"")
        .or_else(|| head.strip_suffix(b"'"))
        .unwrap_or(head);
    let options: [&[u8]; 6] = [
        b" -u ",
        b" --user ",
        b" --user=",
        b" --proxy-user ",
        b" -U ",
        b" -u",
    ];
    if !options.iter().any(|option| head.ends_with(option)) {
        return None;
    }
    let end = end_of_plain(text, separator + 1);
    let password = text.get(separator + 1..end)?;
    let is_number = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
    if is_number(name) && is_number(password) || password.starts_with(b"/") {
        return None;
    }
    secret_at(text, separator + 1..end)
}

/// The word before a colon. Each byte is read once.
#[derive(Default)]
pub(super) struct PrecedingWord {
    read: usize,
    start: usize,
}

impl PrecedingWord {
    /// Where the word begins that goes on at `at`, from `floor` on.
    fn start(&mut self, text: &[u8], floor: usize, at: usize) -> usize {
        let from = self.read.max(floor);
        let unread = text.get(from..at).unwrap_or_default();
        super::count_visited(unread.len());
        let is_part = |byte: &u8| !byte.is_ascii_whitespace() && !b"\"'=,".contains(byte);
        if let Some(last) = unread.iter().rposition(|byte| !is_part(byte)) {
            self.start = from + last + 1;
        }
        self.start = self.start.max(floor);
        self.read = at;
        self.start
    }
}

/// Whether the value of a sensitive key tells nothing: there is none, or it was scrubbed before.
pub(super) fn says_nothing(value: &[u8]) -> bool {
    let words: [&[u8]; 20] = [
        b"",
        b"true",
        b"false",
        b"null",
        b"nil",
        b"none",
        b"undefined",
        b"unset",
        b"set",
        b"empty",
        b"missing",
        b"required",
        b"invalid",
        b"expired",
        b"denied",
        b"failed",
        b"ok",
        b"yes",
        b"no",
        b"-",
    ];
    value.len() <= 10
        && (value == FILTERED.as_bytes()
            || value == REDACTED.as_bytes()
            || words.iter().any(|word| value.eq_ignore_ascii_case(word)))
}

fn secret_at(text: &[u8], at: Range<usize>) -> Option<Range<usize>> {
    (!says_nothing(text.get(at.clone())?)).then_some(at)
}

/// Where the key stands at the end of `text`, without its quotes and colours; with its brackets, as in
/// `user[pin]`.
fn key_before(text: &[u8]) -> Option<Range<usize>> {
    let mut end = ansi::before(text);
    let last = |end: usize| end.checked_sub(1).and_then(|at| text.get(at)).copied();
    for _ in 0..2 {
        if last(end).is_some_and(is_space) {
            end -= 1;
        }
    }
    end = ansi::before(text.get(..end)?);
    if matches!(last(end), Some(b'"' | b'\'' | b'`')) {
        end -= 1;
        if last(end) == Some(b'\\') {
            end -= 1;
        }
    }
    let limit = end.saturating_sub(MAX_KEY);
    let mut start = end;
    while start > limit {
        match last(start)? {
            b']' => start = opening_bracket(text.get(limit..start - 1)?).map(|at| limit + at)?,
            byte if is_key_byte(byte) => start -= 1,
            _ => break,
        }
    }
    Some(without_colour(text, start..end))
}

/// Without the end of an escape sequence that the key begins behind: `0m` of `ESC [ 1 ; 0 m`.
fn without_colour(text: &[u8], key: Range<usize>) -> Range<usize> {
    let bytes = text.get(key.clone()).unwrap_or_default();
    let digits = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let start = key.start + digits + 1;
    let is_sequence = bytes.get(digits) == Some(&b'm')
        && text
            .get(..start)
            .is_some_and(|head| ansi::before(head) < start);
    if is_sequence { start..key.end } else { key }
}

/// Where the bracket opens that is open at the end of `text`, unless it holds the mark of a secret.
fn opening_bracket(text: &[u8]) -> Option<usize> {
    let inner = text
        .iter()
        .rev()
        .take_while(|byte| is_key_byte(**byte))
        .count();
    let start = text.len() - inner;
    let open = start.checked_sub(1)?;
    let marks = text.get(start..)? == b"Filtered";
    (!marks && text.get(open) == Some(&b'[')).then_some(open)
}

fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'`')
}

/// Whether `part` stands in the key, in any case.
fn holds(key: &[u8], part: &[u8]) -> bool {
    key.windows(part.len())
        .any(|window| window.eq_ignore_ascii_case(part))
}

/// The length of the opening quote at `at`, an escaped one too.
pub(super) fn quote_at(text: &[u8], at: usize) -> usize {
    match (text.get(at), text.get(at + 1)) {
        (Some(&quote), _) if is_quote(quote) => 1,
        (Some(b'\\'), Some(&quote)) if is_quote(quote) => 2,
        _ => 0,
    }
}

/// Where the quoted value that begins at `from` ends: before the same quote, or with the line.
pub(super) fn end_of_quoted(text: &[u8], from: usize) -> usize {
    let quote = from.checked_sub(1).and_then(|at| text.get(at));
    let escaped = from >= 2 && text.get(from - 2) == Some(&b'\\');
    let mut at = from;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'\n' | b'\r' => return at,
            b'\\' if escaped && text.get(at + 1) == quote => return at,
            b'\\' if !escaped => at += 1,
            byte if !escaped && Some(&byte) == quote => return at,
            _ => {}
        }
        at += 1;
    }
    text.len()
}

/// Where the value without quotes that begins at `start` ends. What stands in brackets belongs to it:
/// `Some("hunter2")`, `["a", "b"]`.
fn end_of_plain(text: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0_usize);
    while let Some(&byte) = text.get(at) {
        match byte {
            b'\n' | b'\r' => return at,
            0x1b | b'\\' if ansi::length(text, at) > 0 => {
                if depth == 0 {
                    return at;
                }
                at += ansi::length(text, at) - 1;
            }
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' if depth > 0 => depth -= 1,
            byte if is_quote(byte) && (depth > 0 || at - start <= 2 && at > start) => {
                at = end_of_quoted(text, at + 1);
                if !text.get(at).copied().is_some_and(is_quote) {
                    return at;
                }
            }
            _ if depth > 0 => {}
            b' ' | b'\t' | b',' | b';' | b'&' | b'<' | b'>' | b'|' => return at,
            byte if is_quote(byte) => return at,
            b'\\' if quote_at(text, at) == 2 => return at,
            b'\\' if matches!(text.get(at + 1), Some(b'n' | b'r' | b't')) => return at,
            b')' | b']' | b'}' => {
                let next = text.get(at + 1..).unwrap_or_default();
                let goes_on = next.first().is_some_and(u8::is_ascii_alphanumeric);
                if !goes_on || next.starts_with(REDACTED.as_bytes()) {
                    return at;
                }
            }
            _ => {}
        }
        at += 1;
    }
    text.len()
}

/// As far as the credentials go after the name of their scheme: `Basic dXNl..`, `Digest a="b", c=..`.
fn end_of_credentials(text: &[u8], start: usize, end: usize) -> usize {
    let scheme = text.get(start..end).unwrap_or_default();
    let known: [&[u8]; 9] = [
        b"Basic",
        b"Bearer",
        b"Token",
        b"ApiKey",
        b"Negotiate",
        b"NTLM",
        b"Hawk",
        b"Key",
        b"Splunk",
    ];
    let rest_of_line = || {
        let rest = text.get(end..).unwrap_or_default();
        let line = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        end + line.unwrap_or(rest.len())
    };
    if scheme.eq_ignore_ascii_case(b"Digest") || scheme.starts_with(b"AWS4-HMAC") {
        return rest_of_line();
    }
    let spaces = text.get(end..).unwrap_or_default().iter();
    let spaces = spaces.take_while(|byte| is_space(**byte)).count();
    if spaces > 0 && known.iter().any(|name| scheme.eq_ignore_ascii_case(name)) {
        return end_of_plain(text, end + spaces);
    }
    end
}

/// As far as further cookies follow: `a=b; c=d`.
fn end_of_cookies(text: &[u8], mut end: usize) -> usize {
    while let Some(rest) = text.get(end..).and_then(|rest| rest.strip_prefix(b"; ")) {
        let name = rest.iter().take_while(|byte| is_key_byte(**byte)).count();
        if name == 0 || rest.get(name) != Some(&b'=') {
            break;
        }
        end = end_of_plain(text, end + 2 + name + 1);
    }
    end
}
