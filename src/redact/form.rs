//! Secrets in forms other than `key=value`: `Password("x")`, `ApiKey { value: "x" }`,
//! `<password>x</password>`, a part of a multipart body, `PASSWORD 'x'`.

use std::ops::Range;

use super::mark::count_visited;
use super::rules::is_sensitive;
use super::value;

/// Bytes of a name.
const MAX_NAME: usize = 64;
/// Blanks around the brace of a structure, and bytes of an element's attributes.
const MAX_BLANKS: usize = 64;
const MAX_ATTRIBUTES: usize = 256;

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

fn last_name(text: &[u8]) -> &[u8] {
    let name = text.iter().rev().take(MAX_NAME);
    let name = name.take_while(|byte| is_name_byte(**byte)).count();
    text.get(text.len() - name..).unwrap_or_default()
}

/// Whether a type of this name holds a secret: `Password`, and not `UnexpectedToken`.
fn is_type(name: &[u8]) -> bool {
    let no_secret: [&[u8]; 8] = [
        b"Error",
        b"Expected",
        b"expected",
        b"Expired",
        b"Invalid",
        b"Missing",
        b"Unknown",
        b"Kind",
    ];
    name.first().is_some_and(u8::is_ascii_uppercase)
        && !no_secret
            .iter()
            .any(|part| name.windows(part.len()).any(|window| window == *part))
        && is_sensitive(name)
}

/// The quoted value at `at`.
fn quoted(text: &[u8], at: usize) -> Option<Range<usize>> {
    let quote = value::quote_at(text, at);
    let value = at + quote..value::end_of_quoted(text, at + quote);
    (quote > 0 && !value::is_placeholder(text.get(value.clone())?)).then_some(value)
}

/// The value of a tuple struct whose parenthesis is at `open`: `Password("x")`.
pub(super) fn tuple_value(text: &[u8], floor: usize, open: usize) -> Option<Range<usize>> {
    if value::quote_at(text, open + 1) == 0 || !is_type(last_name(text.get(floor..open)?)) {
        return None;
    }
    quoted(text, open + 1)
}

/// The value of a struct's first field, whose name is at `key`, with a colon before `after`:
/// `ApiKey { value: "x" }`.
pub(super) fn field_value(
    text: &[u8],
    floor: usize,
    key: Range<usize>,
    after: usize,
) -> Option<Range<usize>> {
    let names: [&[u8]; 9] = [
        b"value",
        b"inner",
        b"raw",
        b"data",
        b"text",
        b"string",
        b"bytes",
        b"inner_value",
        b"expose",
    ];
    if !names.contains(&text.get(key.clone())?) {
        return None;
    }
    let trimmed = |text: &[u8]| {
        let blanks = text.iter().rev().take(MAX_BLANKS);
        text.len() - blanks.take_while(|byte| byte.is_ascii_whitespace()).count()
    };
    let before = text.get(floor..key.start)?;
    let before = before.get(..trimmed(before))?.strip_suffix(b"{")?;
    let name = last_name(before.get(..trimmed(before))?);
    if !is_type(name) {
        return None;
    }
    let spaces = text.get(after..)?.iter().take(4);
    let spaces = spaces.take_while(|byte| **byte == b' ').count();
    quoted(text, after + spaces)
}

const CDATA: &[u8] = b"<![CDATA[";

/// The text of the element whose tag starts at `start`: `<password>x</password>`.
pub(super) fn element_text(text: &[u8], start: usize) -> Option<Range<usize>> {
    let rest = text.get(start + 1..)?;
    if !rest.first()?.is_ascii_alphabetic() {
        return None;
    }
    let name = rest.iter().take(MAX_NAME);
    let name = name
        .take_while(|byte| is_name_byte(**byte) || **byte == b':')
        .count();
    let name = rest.get(..name)?;
    let local = name.rsplit(|byte| *byte == b':').next()?;
    if !is_sensitive(local) {
        return None;
    }
    let attributes = rest.get(name.len()..)?.iter().take(MAX_ATTRIBUTES);
    let attributes = attributes
        .take_while(|byte| !matches!(byte, b'<' | b'>'))
        .count();
    let open_end = name.len() + attributes;
    let is_open = rest.get(open_end) == Some(&b'>')
        && (attributes == 0 || rest.get(name.len()).is_some_and(u8::is_ascii_whitespace))
        && rest.get(open_end - 1) != Some(&b'/');
    if !is_open {
        return None;
    }
    let content = rest.get(open_end + 1..)?;
    let (skipped, end): (_, &[u8]) = if content.starts_with(CDATA) {
        (CDATA.len(), b"]]>")
    } else {
        (0, b"")
    };
    let content = content.get(skipped..)?;
    // An unclosed section ends at the start of the next one, so that no byte is read once for each of them.
    let is_end = |(at, byte): (usize, &u8)| match byte {
        b']' => skipped > 0,
        b'<' => {
            skipped == 0
                || content
                    .get(at..)
                    .is_some_and(|rest| rest.starts_with(CDATA))
        }
        _ => false,
    };
    let length = content.iter().enumerate().position(is_end);
    count_visited(length.unwrap_or(content.len()));
    let tail = content.get(length?..)?;
    let is_closed = || {
        Some(
            tail.strip_prefix(end)?
                .strip_prefix(b"</")?
                .starts_with(name),
        )
    };
    if !tail.starts_with(CDATA) && is_closed() != Some(true) {
        return None;
    }
    let value = content.get(..length?)?;
    if value::is_placeholder(value.trim_ascii()) {
        return None;
    }
    let blanks = value.len() - value.trim_ascii_start().len();
    let from = start + 1 + open_end + 1 + skipped + blanks;
    Some(from..from + value.trim_ascii().len())
}

/// The length of the line end at `at`, plain or escaped; 0 if there is none.
fn line_end(text: &[u8], at: usize) -> usize {
    match text.get(at..).unwrap_or_default() {
        [b'\\', b'r', b'\\', b'n', ..] => 4,
        [b'\r', b'\n', ..] | [b'\\', b'n', ..] => 2,
        [b'\n', ..] => 1,
        _ => 0,
    }
}

/// The body of a part of a multipart message. Its parameter `name` ends with the equals sign before `after`:
/// `name="password"`, an empty line, the value.
pub(super) fn multipart_value(text: &[u8], after: usize) -> Option<Range<usize>> {
    let quote = value::quote_at(text, after);
    let name = text.get(after + quote..)?;
    let length = name.iter().take(MAX_NAME);
    let length = length.take_while(|byte| is_name_byte(**byte)).count();
    if quote == 0 || !is_sensitive(name.get(..length)?) {
        return None;
    }
    let closing = after + quote + length;
    let mut at = closing + value::quote_at(text, closing);
    if at == closing {
        return None;
    }
    // The part's other headers.
    for _ in 0..4 {
        let end = line_end(text, at);
        if end == 0 {
            return None;
        }
        at += end;
        let empty = line_end(text, at);
        if empty > 0 {
            at += empty;
            let rest = text.get(at..)?;
            let is_end = |n: usize| {
                matches!(rest.get(n), Some(b'\n' | b'\r' | b'\\')) && line_end(rest, n) > 0
            };
            let length = (0..rest.len()).find(|n| is_end(*n));
            let value = at..at + length.unwrap_or(rest.len());
            let bytes = text.get(value.clone())?;
            return (!value::is_placeholder(bytes) && !bytes.starts_with(b"--")).then_some(value);
        }
        let header = text.get(at..)?;
        if !header.get(..8)?.eq_ignore_ascii_case(b"content-") {
            return None;
        }
        let length = (0..header.len().min(MAX_ATTRIBUTES)).find(|n| line_end(header, *n) > 0);
        at += length?;
    }
    None
}

/// The literal whose quote is at `quote`, after a keyword of SQL: `PASSWORD 'x'`, `IDENTIFIED BY 'x'`.
pub(super) fn sql_literal(text: &[u8], floor: usize, quote: usize) -> Option<Range<usize>> {
    let before = text.get(floor..quote)?.strip_suffix(b" ")?;
    let ends = |words: &[u8]| {
        let at = before.len().checked_sub(words.len());
        let tail = at.and_then(|at| before.get(at..));
        tail.is_some_and(|tail| tail.eq_ignore_ascii_case(words))
            && at
                .and_then(|at| before.get(at.checked_sub(1)?))
                .is_none_or(|byte| !is_name_byte(*byte))
    };
    if !ends(b"password") && !ends(b"identified by") && !ends(b"passphrase") {
        return None;
    }
    let value = quoted(text, quote)?;
    (text.get(value.end) == Some(&b'\'')).then_some(value)
}
