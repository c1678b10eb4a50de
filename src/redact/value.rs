//! Values of keys: where they end, and which are not secrets.

use super::ansi;
use super::mark::{FILTERED, REDACTED};

/// Whether the value of a sensitive key is not a secret: empty, a boolean or similar, or redacted before.
pub(super) fn is_placeholder(value: &[u8]) -> bool {
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

pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'`')
}

/// The length of the opening quote at `at`, plain or escaped; 0 if there is none.
pub(super) fn quote_at(text: &[u8], at: usize) -> usize {
    match (text.get(at), text.get(at + 1)) {
        (Some(&quote), _) if is_quote(quote) => 1,
        (Some(b'\\'), Some(&quote)) if is_quote(quote) => 2,
        _ => 0,
    }
}

/// The end of the quoted value at `from`: before the same quote, or at the end of the line.
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

/// The end of the unquoted value at `start`. Bracketed text belongs to it:
/// `Some("hunter2")`, `["a", "b"]`.
pub(super) fn end_of_plain(text: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0_usize);
    while let Some(&byte) = text.get(at) {
        match byte {
            b'\n' | b'\r' => return at,
            0x1b | b'\\' if ansi::sequence_len(text, at) > 0 => {
                if depth == 0 {
                    return at;
                }
                at += ansi::sequence_len(text, at) - 1;
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
                let continues = next.first().is_some_and(u8::is_ascii_alphanumeric);
                if !continues || next.starts_with(REDACTED.as_bytes()) {
                    return at;
                }
            }
            _ => {}
        }
        at += 1;
    }
    text.len()
}
