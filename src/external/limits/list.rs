//! Lists of items with parameters, by RFC 9651 where it matters.

use std::borrow::Cow;

use super::number;

/// What an item of a list begins with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Subject<'a> {
    /// A policy's name.
    Name(Cow<'a, str>),
    /// A quota without a name.
    Quota(u64),
    /// One entry of a dictionary.
    Pair(&'a str, &'a str),
}

/// The parts of a text between separators that stand in no quoted string, trimmed.
pub(super) fn split(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = end_of_part(text, separator);
        let (part, tail) = text.split_at_checked(end)?;
        rest = tail.get(1..);
        Some(part.trim())
    })
}

fn end_of_part(text: &str, separator: u8) -> usize {
    let mut quoted = false;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if byte == separator && !quoted => return at,
            _ => {}
        }
    }
    text.len()
}

/// A parameter: its key, and its value where it has one.
pub(super) fn parameter(part: &str) -> (&str, Option<&str>) {
    match part.split_once('=') {
        Some((key, value)) => (key.trim(), Some(value.trim())),
        None => (part, None),
    }
}

/// Reads an item without its parameters.
pub(super) fn subject(item: &str) -> Option<Subject<'_>> {
    if let Some(quoted) = item.strip_prefix('"') {
        return unquoted(quoted.strip_suffix('"')?).map(Subject::Name);
    }
    if let (key, Some(value)) = parameter(item) {
        return is_token(key).then_some(Subject::Pair(key, value));
    }
    if let Some(quota) = number::integer(item) {
        return Some(Subject::Quota(quota));
    }
    let is_name = is_token(item) && item.starts_with(|c: char| c.is_ascii_alphabetic() || c == '*');
    is_name.then_some(Subject::Name(Cow::Borrowed(item)))
}

fn is_token(text: &str) -> bool {
    let holds = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&byte);
    !text.is_empty() && text.bytes().all(holds)
}

/// What stands in a quoted string.
fn unquoted(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(['"', '\\']) {
        return Some(Cow::Borrowed(text));
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '"' => return None,
            '\\' => chars.next().filter(|c| matches!(c, '"' | '\\'))?,
            c => c,
        });
    }
    Some(Cow::Owned(out))
}
