//! The text that is put out, bounded.

/// What stands where the rest was cut off.
const ELLIPSIS: char = '…';

/// Where the text was at some time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    length: usize,
    fit: usize,
    full: bool,
}

#[derive(Debug)]
pub(super) struct Text {
    out: String,
    max: usize,
    /// The end of the last piece that leaves room for the ellipsis.
    fit: usize,
    full: bool,
}

impl Text {
    pub(super) fn new(room: usize, max: usize) -> Self {
        Self {
            out: String::with_capacity(room.min(max) + ELLIPSIS.len_utf8()),
            max,
            fit: 0,
            full: false,
        }
    }

    /// Appends a piece as a whole; once one does not fit, none does.
    #[inline]
    pub(super) fn push(&mut self, spaced: bool, piece: &str) {
        if self.full {
            return;
        }
        if self.out.len() + 1 + piece.len() > self.max {
            self.full = true;
            return;
        }
        // Two placeholders side by side could be read as one thing, two signs as a comment.
        let apart = spaced || joins(&self.out, piece);
        if apart && !self.out.is_empty() {
            self.out.push(' ');
        }
        push_clean(&mut self.out, piece);
        if self.out.len() + ELLIPSIS.len_utf8() <= self.max {
            self.fit = self.out.len();
        }
    }

    pub(super) fn mark(&self) -> Mark {
        Mark {
            length: self.out.len(),
            fit: self.fit,
            full: self.full,
        }
    }

    /// Forgets what came after the mark.
    pub(super) fn restore(&mut self, mark: Mark) {
        self.out.truncate(mark.length);
        self.fit = mark.fit;
        self.full = mark.full;
    }

    /// The whole; `cut` if more was to come.
    pub(super) fn finish(mut self, cut: bool) -> Box<str> {
        if cut || self.full {
            self.out.truncate(self.fit);
            self.out.push(ELLIPSIS);
        }
        self.out.into()
    }
}

/// Whether the end of a text and a piece would be read as one thing.
#[inline]
fn joins(text: &str, piece: &str) -> bool {
    match piece.as_bytes().first() {
        Some(first @ (b'?' | b'-')) => text.as_bytes().last() == Some(first),
        _ => false,
    }
}

/// Appends with blanks for control characters.
#[inline]
pub(super) fn push_clean(out: &mut String, piece: &str) {
    // What is not quoted holds no control characters of ASCII.
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

/// Characters that a terminal or a reader of lines may act upon.
pub(super) fn is_control(char: char) -> bool {
    char.is_control()
        || matches!(
            char,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}
