//! `key=value`, `key: value` and `"key":"value"` inside a text.

use std::ops::Range;

use super::key::is_grant;
use super::mark::count_visited;
use super::rules::is_sensitive;
use super::segment::looks_random;
use super::value::{end_of_plain, end_of_quoted, is_placeholder, is_space, quote_at};
use super::{ansi, form};

/// Bytes before a separator in which its key is searched.
const MAX_KEY: usize = 128;
/// Bytes of a value that decide whether it is a grant.
const MAX_GRANT: usize = 512;
/// Bytes of such values that are read in one text, in addition to half of its length.
const MAX_GRANTS: usize = 4096;
/// Blanks before a line of a block.
const MAX_INDENTATION: usize = 64;
/// Spaces between a separator and its value.
const MAX_SPACES: usize = 4;

/// The secret value that starts at `after`, after the separator at `separator` and its key. The key starts at `floor`
/// or later: that is the end of the last secret.
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
            form::field_value(text, floor, floor + key_at.start..floor + key_at.end, after)
        } else if key == b"name" {
            form::multipart_value(text, after)
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
    let mut start = ansi::skip(text, after + usize::from(arrow));
    let spaced = separator > 0 && text.get(separator - 1).copied().is_some_and(is_space);
    let after = text.get(start..)?.iter().take(MAX_SPACES);
    let spaces = after.take_while(|byte| is_space(**byte)).count();
    if spaces > 0 && !arrow && !spaced && text.get(separator) == Some(&b'=') {
        // `password= next=1`: there is no value.
        return None;
    }
    start = ansi::skip(text, start + spaces);
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
    if is_count(key, text.get(start..end)?) {
        return None;
    }
    secret_at(text, start..end)
}

/// The lines of a YAML block whose indicator is at `start`: `key: |`, and the lines that are indented more than the
/// key.
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

/// Whether a key and its value are a number of tokens, or a version: `tokens=512`.
fn is_count(key: &[u8], value: &[u8]) -> bool {
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

/// The value of a parameter that may carry a grant (`code`, `state`), whose key starts at `start`. It is a grant if `&`
/// separates it from other parameters, or if it looks random. In other places these keys are harmless.
///
/// `read` counts the bytes of values that were not grants. Above a limit every further value is treated as one, so that
/// the time stays linear.
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
    // Enough to decide. Without the limit a long value would be read once for each key before it.
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
        count_visited(value.len());
        None
    }
}

/// The value at `after`, without blanks in front and without its quotes.
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

/// The start of a query that is the value of a field `query` with the separator at `separator`.
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
    // The scan finds a question mark by itself.
    text.get(start)
        .is_some_and(u8::is_ascii_alphanumeric)
        .then_some(start)
}

/// The password of `name:password` after `-u` or `--user`, as curl takes it, with the colon at `separator`. The numbers
/// of a user and a group are not a password.
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
    // The last bytes of the options below.
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
    /// The start of the word that ends at `at`, not before `floor`.
    fn start(&mut self, text: &[u8], floor: usize, at: usize) -> usize {
        let from = self.read.max(floor);
        let unread = text.get(from..at).unwrap_or_default();
        count_visited(unread.len());
        let is_part = |byte: &u8| !byte.is_ascii_whitespace() && !b"\"'=,".contains(byte);
        if let Some(last) = unread.iter().rposition(|byte| !is_part(byte)) {
            self.start = from + last + 1;
        }
        self.start = self.start.max(floor);
        self.read = at;
        self.start
    }
}

fn secret_at(text: &[u8], at: Range<usize>) -> Option<Range<usize>> {
    (!is_placeholder(text.get(at.clone())?)).then_some(at)
}

/// The key at the end of `text`, without quotes and colour sequences, with brackets as in `user[pin]`.
fn key_before(text: &[u8]) -> Option<Range<usize>> {
    let mut end = ansi::trimmed_len(text);
    let last = |end: usize| end.checked_sub(1).and_then(|at| text.get(at)).copied();
    for _ in 0..2 {
        if last(end).is_some_and(is_space) {
            end -= 1;
        }
    }
    end = ansi::trimmed_len(text.get(..end)?);
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

/// Skips the rest of an escape sequence in front of the key: `0m` of `ESC [ 1 ; 0 m`.
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
            .is_some_and(|head| ansi::trimmed_len(head) < start);
    if is_sequence { start..key.end } else { key }
}

/// The bracket that is open at the end of `text`, unless it holds a redacted secret.
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

/// Whether the key contains `part`, ignoring case.
fn holds(key: &[u8], part: &[u8]) -> bool {
    key.windows(part.len())
        .any(|window| window.eq_ignore_ascii_case(part))
}

/// The end of the credentials after the name of their scheme: `Basic dXNl..`, `Digest a="b", c=..`.
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

/// The end of the cookies that follow each other: `a=b; c=d`.
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
