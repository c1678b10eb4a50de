//! The operation of a statement, in words.

/// The operation of the whole, in words.
#[derive(Debug, Default)]
pub(super) struct Operation {
    words: [&'static str; 3],
    count: usize,
    /// It is not inside brackets, or a statement ended since.
    settled: bool,
    /// It may get more words.
    open: bool,
}

impl Operation {
    pub(super) fn begin(&mut self, word: &'static str, outermost: bool) {
        self.open = !self.settled && (self.count == 0 || outermost);
        if self.open {
            self.settled = outermost;
            self.count = 0;
            self.push(word);
        }
    }

    pub(super) fn push(&mut self, word: &'static str) {
        if let Some(free) = self.words.get_mut(self.count).filter(|_| self.open) {
            *free = word;
            self.count += 1;
        }
    }

    pub(super) fn end_statement(&mut self) {
        self.settled |= self.count > 0;
        self.open = false;
    }

    pub(super) fn finish(&self) -> Box<str> {
        let words = self.words.get(..self.count).unwrap_or_default();
        words.join(" ").into()
    }
}
