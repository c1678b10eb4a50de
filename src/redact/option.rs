//! Secrets on a command line: `--password x`.

use std::ops::Range;

use super::rules::is_sensitive;
use super::value::{self, end_of_quoted};

/// Bytes of an option's name.
const MAX_NAME: usize = 64;
/// Bytes between an option and its value: blanks, and the separators of a list's items.
const MAX_BETWEEN: usize = 6;

/// The value of the option whose two dashes are at `start`.
pub(super) fn secret(text: &[u8], start: usize) -> Option<Range<usize>> {
    if start > 0
        && text
            .get(start - 1)
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
    {
        return None;
    }
    let rest = text.get(start + 2..)?;
    if !rest.first()?.is_ascii_alphabetic() {
        return None;
    }
    let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let length = rest.iter().take(MAX_NAME).take_while(is_name).count();
    // Another option starts there.
    let next = rest.get(..length)?.windows(2).position(|two| two == b"--");
    let length = next.unwrap_or(length);
    let name = rest.get(..length)?;
    if !is_sensitive(name) {
        return None;
    }
    let from = start + 2 + length;
    value(text, from)
        .map(|value| without_punctuation(text, value))
        .filter(|value| !is_placeholder(text, value))
}

/// The value after an option that ends at `from`.
pub(super) fn value(text: &[u8], from: usize) -> Option<Range<usize>> {
    let rest = text.get(from..)?;
    // `"--password", "x"`, `'--password' 'x'`, `--password x`.
    let is_between = |byte: &&u8| matches!(byte, b' ' | b'\t' | b',' | b'"' | b'\'' | b'\\');
    let between = rest.iter().take(MAX_BETWEEN).take_while(is_between).count();
    let signs = rest.get(..between)?;
    if !signs.iter().any(|byte| matches!(byte, b' ' | b'\t' | b',')) {
        return None;
    }
    let start = from + between;
    let quoted = signs
        .last()
        .is_some_and(|byte| matches!(byte, b'"' | b'\''));
    let end = if quoted {
        end_of_quoted(text, start)
    } else {
        let value = text.get(start..)?;
        let ends = |byte: &u8| byte.is_ascii_whitespace() || b"\"'`<>".contains(byte);
        start + value.iter().position(ends).unwrap_or(value.len())
    };
    Some(start..end)
}

/// The value without punctuation that ends a sentence, a list or a group.
pub(super) fn without_punctuation(text: &[u8], value: Range<usize>) -> Range<usize> {
    let bytes = text.get(value.clone()).unwrap_or_default();
    let last = bytes.iter().rposition(|byte| !b".,;:)]}".contains(byte));
    value.start..value.start + last.map_or(0, |last| last + 1)
}

/// Whether the text after an option is prose, another option or nothing.
pub(super) fn is_placeholder(text: &[u8], value: &Range<usize>) -> bool {
    let value = text.get(value.clone()).unwrap_or_default();
    let words: [&[u8]; 40] = [
        b"a",
        b"and",
        b"are",
        b"argument",
        b"arguments",
        b"as",
        b"at",
        b"both",
        b"but",
        b"by",
        b"can",
        b"cannot",
        b"does",
        b"flag",
        b"flags",
        b"for",
        b"from",
        b"given",
        b"has",
        b"if",
        b"in",
        b"instead",
        b"is",
        b"it",
        b"may",
        b"must",
        b"needs",
        b"not",
        b"option",
        b"options",
        b"or",
        b"parameter",
        b"requires",
        b"should",
        b"switch",
        b"the",
        b"to",
        b"was",
        b"were",
        b"with",
    ];
    value.starts_with(b"-")
        || value.starts_with(b"$")
        || value.starts_with(b"|")
        || value.starts_with(b"[Filtered")
        || value::is_placeholder(value)
        || words.iter().any(|word| value.eq_ignore_ascii_case(word))
}
