use std::collections::VecDeque;

use crate::model::{Books, Reason, Signal};

/// A block holds at most this many bytes, unless one line alone is longer.
pub(super) const MAX_BLOCK: usize = 64 * 1024;

/// Whole lines that are written together.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub(super) bytes: Vec<u8>,
    pub(super) lines: Lines,
}

/// The lines of a block that are not yet in the books.
#[derive(Debug, Default)]
pub(super) struct Lines(VecDeque<Line>);

#[derive(Debug, Clone, Copy)]
struct Line {
    /// Where the line ends in its block, its newline included.
    end: usize,
    signal: Signal,
}

impl Block {
    /// Whether another line makes the block too large.
    pub(super) fn is_full_for(&self, line: &[u8]) -> bool {
        !self.bytes.is_empty() && self.bytes.len() + line.len() > MAX_BLOCK
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Appends a line, and its newline if it has none.
    pub(super) fn push(&mut self, signal: Signal, line: &[u8]) {
        self.bytes.extend_from_slice(line);
        if line.last() != Some(&b'\n') {
            self.bytes.push(b'\n');
        }
        let end = self.bytes.len();
        self.lines.0.push_back(Line { end, signal });
    }

    /// The bytes of memory that it holds.
    pub(super) fn cost(&self) -> usize {
        self.bytes.len() + self.lines.0.len() * size_of::<Line>()
    }
}

impl Lines {
    /// Counts the lines that end within the first `written` bytes as delivered, each once; how many.
    pub(super) fn deliver(&mut self, written: usize, books: &Books) -> u64 {
        let whole = self.0.partition_point(|line| line.end <= written);
        let delivered = self.0.drain(..whole);
        count(delivered, |signal, n| books.delivered(signal, n))
    }

    /// Counts what is left as dropped; how many.
    pub(super) fn drop_rest(&mut self, reason: Reason, books: &Books) -> u64 {
        let rest = self.0.drain(..);
        count(rest, |signal, n| books.dropped(signal, reason, n))
    }
}

#[expect(
    clippy::indexing_slicing,
    reason = "signals index arrays of their own number"
)]
fn count(lines: impl Iterator<Item = Line>, mut book: impl FnMut(Signal, u64)) -> u64 {
    let mut counts = [0; Signal::ALL.len()];
    lines.for_each(|line| counts[line.signal as usize] += 1);
    for (signal, n) in Signal::ALL.into_iter().zip(counts) {
        if n > 0 {
            book(signal, n);
        }
    }
    counts.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_counts_once_and_only_whole() {
        let books = Books::default();
        let mut block = Block::default();
        block.push(Signal::Log, b"abc");
        block.push(Signal::Request, b"de\n");
        assert_eq!(block.bytes, b"abc\nde\n");
        let lines = &mut block.lines;
        assert_eq!(
            [3, 4, 4, 6].map(|written| lines.deliver(written, &books)),
            [0, 1, 0, 0]
        );
        assert_eq!(lines.drop_rest(Reason::Io, &books), 1);
        assert_eq!(books.totals(Signal::Log).delivered(), 1);
        assert_eq!(books.totals(Signal::Request).dropped(Reason::Io), 1);
    }
}
