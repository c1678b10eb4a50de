//! What a byte may begin.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Blank,
    Letter,
    Digit,
    Quote,
    DoubleQuote,
    Backtick,
    Bracket,
    Dollar,
    Colon,
    At,
    Hash,
    Dot,
    Question,
    /// A token of its own.
    Single,
    /// A part of an operator.
    Operator,
}

static CLASSES: [Class; 256] = classes();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn classes() -> [Class; 256] {
    let mut classes = [Class::Operator; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            0..=b' ' | 0x7f => Class::Blank,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80.. => Class::Letter,
            b'0'..=b'9' => Class::Digit,
            b'\'' => Class::Quote,
            b'"' => Class::DoubleQuote,
            b'`' => Class::Backtick,
            b'[' => Class::Bracket,
            b'$' => Class::Dollar,
            b':' => Class::Colon,
            b'@' => Class::At,
            b'#' => Class::Hash,
            b'.' => Class::Dot,
            b'?' => Class::Question,
            b'(' | b')' | b']' | b',' | b';' => Class::Single,
            _ => Class::Operator,
        };
        byte += 1;
    }
    classes
}

#[expect(clippy::indexing_slicing, reason = "a byte indexes a table of 256")]
#[inline]
pub(super) fn class(byte: u8) -> Class {
    CLASSES[usize::from(byte)]
}

static IN_WORD: [bool; 256] = in_words();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn in_words() -> [bool; 256] {
    let mut inside = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        inside[byte] = matches!(CLASSES[byte], Class::Letter | Class::Digit | Class::Dollar);
        byte += 1;
    }
    inside
}

/// Whether a name goes on with this byte, everywhere.
#[expect(clippy::indexing_slicing, reason = "a byte indexes a table of 256")]
#[inline]
pub(super) fn in_word(byte: u8) -> bool {
    IN_WORD[usize::from(byte)]
}
