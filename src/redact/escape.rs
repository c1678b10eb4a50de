//! Percent-encoded and backslash-escaped characters, and characters that end a URL.

pub(super) fn is_percent_escape(text: &[u8], at: usize) -> bool {
    text.get(at + 1..at + 3)
        .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

/// Whether `%xx`, `%25xx` and so on is at `at`; `low` is in lower case.
pub(super) fn is_encoded(text: &[u8], at: usize, high: u8, low: u8) -> bool {
    percent_escape(text, at).is_some_and(|(_, found)| found == [high, low])
}

/// The length and the digits of the escape at `at`, percent-encoded once or more often.
pub(super) fn percent_escape(text: &[u8], at: usize) -> Option<(usize, [u8; 2])> {
    let rest = text.get(at..)?.strip_prefix(b"%")?;
    let deeper = rest.chunks(2).take_while(|pair| pair == b"25").count();
    let [high, low, ..] = rest.get(deeper * 2..)? else {
        return None;
    };
    Some((
        3 + deeper * 2,
        [high.to_ascii_lowercase(), low.to_ascii_lowercase()],
    ))
}

/// The length and the character of `\u00xx` at `at`, after one or more backslashes.
pub(super) fn unicode_escape(text: &[u8], at: usize) -> Option<(usize, u8)> {
    let rest = text.get(at..)?;
    let slashes = rest
        .iter()
        .take(8)
        .take_while(|byte| **byte == b'\\')
        .count();
    let digits = rest.get(slashes..)?.strip_prefix(b"u00")?.get(..2)?;
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let [high, low] = digits else { return None };
    let byte = digit(high)? * 16 + digit(low)?;
    (slashes > 0).then_some((slashes + 5, u8::try_from(byte).ok()?))
}

/// Whether the text starts with a character that surrounds URLs and does not occur in them: quotes, blanks, full-width
/// punctuation.
pub(super) fn ends_url(text: &[u8]) -> bool {
    matches!(
        text,
        [0xc2, 0xa0 | 0xab | 0xbb, ..]
            | [0xe2, 0x80, 0x80..=0x8f | 0x98..=0x9f | 0xa6 | 0xa8..=0xaf | 0xb9 | 0xba, ..]
            | [0xe3, 0x80, 0x80..=0x9f, ..]
            | [0xef, 0xbc, 0x81..=0x8f | 0x9a..=0x9f, ..]
    )
}

/// The length of a slash at `at`, plain, encoded or escaped.
pub(super) fn slash_len(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at..)? {
        [b'/', ..] => Some(1),
        [b'\\', b'/', ..] => Some(2),
        [b'%', rest @ ..] => {
            let deeper = rest.chunks(2).take_while(|pair| pair == b"25").count();
            let [b'2', b'f' | b'F', ..] = rest.get(deeper * 2..)? else {
                return None;
            };
            Some(3 + deeper * 2)
        }
        _ => None,
    }
}
