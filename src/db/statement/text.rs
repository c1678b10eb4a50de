//! The normalized text, bounded in length.

/// Marks a text that was cut.
const ELLIPSIS: char = '…';

/// A state of the text to return to.
#[derive(Debug, Clone, Copy)]
pub(super) struct TextMark {
    length: usize,
    fit: usize,
    full: bool,
}

/// The normalized text as it grows.
#[derive(Debug)]
pub(super) struct OutputText {
    out: String,
    max: usize,
    /// The length up to the last piece after which an ellipsis still fits.
    fit: usize,
    full: bool,
}

impl OutputText {
    pub(super) fn new(room: usize, max: usize) -> Self {
        Self {
            out: String::with_capacity(room.min(max) + ELLIPSIS.len_utf8()),
            max,
            fit: 0,
            full: false,
        }
    }

    /// Appends a whole piece. Once one does not fit, later ones are left out too.
    #[inline]
    pub(super) fn push(&mut self, spaced: bool, piece: &str) {
        if self.full {
            return;
        }
        if self.out.len() + 1 + piece.len() > self.max {
            self.full = true;
            return;
        }
        // Two adjacent placeholders could be read as one token, two minus signs as a comment.
        let apart = spaced || joins(&self.out, piece);
        if apart && !self.out.is_empty() {
            self.out.push(' ');
        }
        push_clean(&mut self.out, piece);
        if self.out.len() + ELLIPSIS.len_utf8() <= self.max {
            self.fit = self.out.len();
        }
    }

    pub(super) fn mark(&self) -> TextMark {
        TextMark {
            length: self.out.len(),
            fit: self.fit,
            full: self.full,
        }
    }

    /// Removes what was appended after the mark.
    pub(super) fn restore(&mut self, mark: TextMark) {
        self.out.truncate(mark.length);
        self.fit = mark.fit;
        self.full = mark.full;
    }

    /// The text. `cut`: the statement continues beyond what was read.
    pub(super) fn finish(mut self, cut: bool) -> Box<str> {
        if cut || self.full {
            self.out.truncate(self.fit);
            self.out.push(ELLIPSIS);
        }
        self.out.into()
    }
}

/// Whether the end of the text and a piece would be read as one token.
#[inline]
fn joins(text: &str, piece: &str) -> bool {
    match piece.as_bytes().first() {
        Some(first @ (b'?' | b'-')) => text.as_bytes().last() == Some(first),
        _ => false,
    }
}

/// Appends a piece with its control characters replaced by blanks.
#[inline]
pub(super) fn push_clean(out: &mut String, piece: &str) {
    // Unquoted tokens hold no ASCII control characters.
    let simple = match piece.as_bytes() {
        [b'"' | b'`' | b'[' | b'u' | b'U', ..] => {
            piece.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        }
        _ => piece.is_ascii(),
    };
    if simple {
        out.push_str(piece);
    } else {
        out.extend(piece.chars().map(|c| if is_control(c) { ' ' } else { c }));
    }
}

/// Whether a terminal or a line reader may interpret the character.
pub(super) fn is_control(char: char) -> bool {
    char.is_control()
        || matches!(
            char,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}
