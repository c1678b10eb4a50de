/// A position in a message.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    /// From this position on.
    pub(super) rest: &'a str,
    /// The character before.
    pub(super) before: Option<char>,
}

impl At<'_> {
    /// Whether a word begins here.
    pub(super) fn is_word_start(self) -> bool {
        self.rest.starts_with(is_word) && !self.before.is_some_and(is_word)
    }

    /// Whether a word ends `len` bytes after this position, if one is there.
    pub(super) fn is_word_end(self, len: usize) -> bool {
        !self.after(len).starts_with(is_word)
    }

    pub(super) fn after(&self, len: usize) -> &str {
        self.rest.get(len..).unwrap_or_default()
    }
}

/// Whether a character is part of a word: a letter, a digit or an underscore.
pub(super) fn is_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}
