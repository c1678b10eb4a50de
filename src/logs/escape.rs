//! Escapes: they keep each record on one line and prevent control characters from reaching terminals.

use crate::model::codec::RecordText;

/// The bytes that end a run of ordinary ones, in JSON.
static SPECIAL: [bool; 256] = special(true);
/// Like [`SPECIAL`], without quotes and backslashes.
static CONTROL: [bool; 256] = special(false);

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn special(json: bool) -> [bool; 256] {
    let mut special = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        special[byte] = true;
        byte += 1;
    }
    special[0x7f] = true;
    // The first bytes of C1 controls, of U+061C, and of U+2000 to U+2FFF.
    special[0xc2] = true;
    special[0xd8] = true;
    special[0xe2] = true;
    special[b'"' as usize] = json;
    special[b'\\' as usize] = json;
    special
}

/// The context of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escape {
    /// The text is inside a JSON string.
    Json,
    /// Nothing; only control characters are escaped.
    Plain,
}

/// Appends a text with escapes for its control characters, at most `max` bytes of it, cut between characters. Returns
/// whether all of it had room.
///
/// Escaped are C0, DEL, C1, the line and paragraph separators, and the controls of writing direction.
#[inline]
pub(super) fn put_escaped(
    out: &mut Vec<u8>,
    text: RecordText<'_>,
    escape: Escape,
    max: usize,
) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() <= max && ordinary(bytes) == bytes.len() {
        out.extend_from_slice(bytes);
        return true;
    }
    put_special(out, text.as_str(), escape, max)
}

fn put_special(out: &mut Vec<u8>, text: &str, escape: Escape, max: usize) -> bool {
    let end = out.len().saturating_add(max);
    let mut rest = text;
    loop {
        let run = run(rest.as_bytes(), escape);
        let (ordinary, tail) = rest.split_at_checked(run).unwrap_or((rest, ""));
        let room = end.saturating_sub(out.len());
        if ordinary.len() > room {
            out.extend_from_slice(crate::model::prefix(ordinary, room).as_bytes());
            return false;
        }
        out.extend_from_slice(ordinary.as_bytes());
        let Some(next) = tail.chars().next() else {
            return true;
        };
        let before = out.len();
        put_char(out, next, escape);
        if out.len() > end {
            out.truncate(before);
            return false;
        }
        rest = tail.get(next.len_utf8()..).unwrap_or_default();
    }
}

/// How many bytes at the beginning need no escape.
#[expect(clippy::indexing_slicing, reason = "a byte indexes a table of 256")]
fn run(text: &[u8], escape: Escape) -> usize {
    let special = match escape {
        Escape::Json => &SPECIAL,
        Escape::Plain => &CONTROL,
    };
    let ordinary = ordinary(text);
    let rest = text.get(ordinary..).unwrap_or_default();
    let run = rest.iter().position(|byte| special[usize::from(*byte)]);
    ordinary + run.unwrap_or(rest.len())
}

/// How many bytes at the beginning are printable ASCII other than quotes and backslashes.
#[inline]
fn ordinary(text: &[u8]) -> usize {
    let (words, tail) = text.as_chunks();
    for (n, word) in words.iter().enumerate() {
        if let Some(at) = first_special(*word) {
            return n * WORD + at;
        }
    }
    match text.last_chunk() {
        _ if tail.is_empty() => text.len(),
        // The last eight bytes. Some of them were examined before.
        Some(word) => first_special(*word).map_or(text.len(), |at| text.len() - WORD + at),
        None => {
            let special = |byte: &u8| !matches!(byte, b' '..=b'~') || matches!(byte, b'"' | b'\\');
            text.iter().position(special).unwrap_or(text.len())
        }
    }
}

const WORD: usize = 8;

/// The index of the first of eight bytes that is a quote, a backslash or no printable ASCII.
#[inline]
fn first_special(word: [u8; WORD]) -> Option<usize> {
    const fn each(byte: u8) -> u64 {
        u64::from_le_bytes([byte; WORD])
    }
    let word = u64::from_le_bytes(word);
    // The high bit of a byte becomes 1 if the byte is special. A borrow or a carry changes only bytes after a special
    // one, so the first is right.
    let special = word.wrapping_sub(each(b' '))
        | (word ^ each(b'"')).wrapping_sub(each(1))
        | (word ^ each(b'\\')).wrapping_sub(each(1))
        | word.wrapping_add(each(1))
        | word;
    let special = special & each(0x80);
    (special != 0).then(|| special.trailing_zeros() as usize / 8)
}

#[expect(clippy::indexing_slicing, reason = "four bits index sixteen digits")]
fn put_char(out: &mut Vec<u8>, char: char, escape: Escape) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    match char {
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        '"' | '\\' if escape == Escape::Json => out.extend_from_slice(&[b'\\', char as u8]),
        _ if is_control(char) => {
            let code = char as u32;
            let digit = |shift: u32| HEX[(code >> shift & 15) as usize];
            out.extend_from_slice(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
        }
        _ => out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

/// Whether a terminal or a line reader may interpret a character.
fn is_control(char: char) -> bool {
    char.is_control()
        || matches!(
            char,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn escaped(text: &str, escape: Escape, max: usize) -> (String, bool) {
        let mut out = Vec::new();
        let whole = put_escaped(&mut out, text.into(), escape, max);
        (String::from_utf8(out).unwrap(), whole)
    }

    #[test]
    fn control_characters_of_every_kind_are_escaped() {
        let text = "a\n\r\t\u{1b}[0m\u{7f}\u{85}\u{9b}\u{2028}\u{202e}\u{2066}\u{61c}\"\\é…ب";
        let (json, _) = escaped(text, Escape::Json, 1000);
        assert_eq!(
            json,
            "a\\n\\r\\t\\u001b[0m\\u007f\\u0085\\u009b\\u2028\\u202e\\u2066\\u061c\\\"\\\\é…ب"
        );
        let (plain, _) = escaped(text, Escape::Plain, 1000);
        assert!(plain.ends_with("\\u061c\"\\é…ب"), "{plain}");
        assert_eq!(escaped("aé\n", Escape::Json, 2), ("a".to_owned(), false));
        assert_eq!(escaped("aé\n", Escape::Json, 4), ("aé".to_owned(), false));
        assert_eq!(escaped("aé\n", Escape::Json, 5), ("aé\\n".to_owned(), true));
    }

    #[test]
    fn each_special_byte_is_found_at_each_index() {
        for byte in 0..=u8::MAX {
            let special = !(b' '..=b'~').contains(&byte) || byte == b'"' || byte == b'\\';
            for length in 1..28 {
                for at in 0..length {
                    let mut text = vec![b'~'; length];
                    text[at] = byte;
                    let found = if special { at } else { length };
                    assert_eq!(ordinary(&text), found, "{byte} at {at} of {length}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn json_reads_back_and_nothing_is_cut_in_two_digits(text in ".{0,60}|\\PC{0,60}|[\\x00-\\xff]{0,60}", max in 0_usize..80) {
            let (json, whole) = escaped(&text, Escape::Json, usize::MAX);
            prop_assert!(whole);
            let read: String = serde_json::from_str(&format!("\"{json}\"")).unwrap();
            prop_assert_eq!(read, text.clone());
            let (json, _) = escaped(&text, Escape::Json, max);
            prop_assert!(json.len() <= max);
            let read: String = serde_json::from_str(&format!("\"{json}\"")).unwrap();
            prop_assert!(text.starts_with(&read));
            let (plain, _) = escaped(&text, Escape::Plain, max);
            prop_assert!(plain.len() <= max && !plain.chars().any(is_control));
        }
    }
}
