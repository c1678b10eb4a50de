//! Lists of items with parameters. Quoting and escapes follow RFC 9651.

use std::borrow::Cow;

use super::number;

/// The first part of a list item, before its parameters.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ListItem<'a> {
    /// A policy's name.
    Name(Cow<'a, str>),
    /// The limit of a policy without a name.
    Quota(u64),
    /// One entry of a dictionary: its key and value.
    Pair(&'a str, &'a str),
}

/// Splits a text at the separators outside of quoted strings and trims the parts.
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

/// Splits a parameter into its key and its optional value.
pub(super) fn parameter(part: &str) -> (&str, Option<&str>) {
    match part.split_once('=') {
        Some((key, value)) => (key.trim(), Some(value.trim())),
        None => (part, None),
    }
}

/// Parses an item without its parameters.
pub(super) fn item(text: &str) -> Option<ListItem<'_>> {
    if let Some(quoted) = text.strip_prefix('"') {
        return unquoted(quoted.strip_suffix('"')?).map(ListItem::Name);
    }
    if let (key, Some(value)) = parameter(text) {
        return is_token(key).then_some(ListItem::Pair(key, value));
    }
    if let Some(quota) = number::integer(text) {
        return Some(ListItem::Quota(quota));
    }
    let is_name = is_token(text) && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '*');
    is_name.then_some(ListItem::Name(Cow::Borrowed(text)))
}

fn is_token(text: &str) -> bool {
    let is_allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&byte);
    !text.is_empty() && text.bytes().all(is_allowed)
}

/// The content of a quoted string. Returns `None` for an invalid escape or a bare quote.
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
