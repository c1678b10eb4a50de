//! Finds characters that may be percent-encoded, once or several times.

use std::ops::Range;

/// The length of `%xx`, `%25xx`, `%2525xx` and so on at the start of a text. `code` is in lower case.
fn encoded(text: &[u8], code: [u8; 2]) -> Option<usize> {
    let mut rest = text.strip_prefix(b"%")?;
    while let Some(tail) = rest.strip_prefix(b"25") {
        rest = tail;
    }
    let (found, rest) = rest.split_first_chunk::<2>()?;
    (found.to_ascii_lowercase() == code).then(|| text.len() - rest.len())
}

/// The length of a character, plain or encoded, at the start of a text.
pub(super) fn length(text: &[u8], plain: u8, code: [u8; 2]) -> Option<usize> {
    if text.first() == Some(&plain) {
        return Some(1);
    }
    encoded(text, code)
}

/// The first occurrence of a character, plain or encoded.
pub(super) fn first(text: &str, plain: char, code: [u8; 2]) -> Option<Range<usize>> {
    let at = text.find(plain);
    let before = text.get(..at.unwrap_or(text.len()))?;
    let encoded = before.match_indices('%').find_map(|(at, _)| {
        let length = encoded(before.as_bytes().get(at..)?, code)?;
        Some(at..at + length)
    });
    encoded.or_else(|| at.map(|at| at..at + plain.len_utf8()))
}

/// The end of the last `@`, plain or encoded.
pub(super) fn end_of_last_at(text: &str) -> Option<usize> {
    let start = text.rfind('@').map_or(0, |at| at + 1);
    let behind = text.get(start..)?;
    let encoded = behind.rmatch_indices('%').find_map(|(at, _)| {
        let length = encoded(behind.as_bytes().get(at..)?, *b"40")?;
        Some(start + at + length)
    });
    encoded.or_else(|| (start > 0).then_some(start))
}
