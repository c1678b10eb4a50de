//! Classes of bytes, by the token that a byte may begin.

/// What a byte may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenStart {
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
    /// A separate token.
    Single,
    /// An operator, or a part of one.
    Operator,
}

static TOKEN_STARTS: [TokenStart; 256] = token_starts();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn token_starts() -> [TokenStart; 256] {
    let mut starts = [TokenStart::Operator; 256];
    let mut byte = 0;
    while byte < 256 {
        starts[byte] = match byte as u8 {
            0..=b' ' | 0x7f => TokenStart::Blank,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80.. => TokenStart::Letter,
            b'0'..=b'9' => TokenStart::Digit,
            b'\'' => TokenStart::Quote,
            b'"' => TokenStart::DoubleQuote,
            b'`' => TokenStart::Backtick,
            b'[' => TokenStart::Bracket,
            b'$' => TokenStart::Dollar,
            b':' => TokenStart::Colon,
            b'@' => TokenStart::At,
            b'#' => TokenStart::Hash,
            b'.' => TokenStart::Dot,
            b'?' => TokenStart::Question,
            b'(' | b')' | b']' | b',' | b';' => TokenStart::Single,
            _ => TokenStart::Operator,
        };
        byte += 1;
    }
    starts
}

#[expect(clippy::indexing_slicing, reason = "a byte indexes a table of 256")]
#[inline]
pub(super) fn token_start(byte: u8) -> TokenStart {
    TOKEN_STARTS[usize::from(byte)]
}

static CONTINUES_WORD: [bool; 256] = words();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn words() -> [bool; 256] {
    let mut inside = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        inside[byte] = matches!(
            TOKEN_STARTS[byte],
            TokenStart::Letter | TokenStart::Digit | TokenStart::Dollar
        );
        byte += 1;
    }
    inside
}

/// Whether a name continues with this byte, in every dialect.
#[expect(clippy::indexing_slicing, reason = "a byte indexes a table of 256")]
#[inline]
pub(super) fn continues_word(byte: u8) -> bool {
    CONTINUES_WORD[usize::from(byte)]
}
