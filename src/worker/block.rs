use std::collections::VecDeque;

use crate::model::{DropReason, RecordCounters, RecordKind};

/// A block holds at most this many bytes, unless one line alone is longer.
pub(super) const MAX_BLOCK: usize = 64 * 1024;

/// Whole lines that are written together.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub(super) bytes: Vec<u8>,
    pub(super) lines: Lines,
}

/// The lines of a block that are not yet in the counters.
#[derive(Debug, Default)]
pub(super) struct Lines(VecDeque<Line>);

#[derive(Debug, Clone, Copy)]
struct Line {
    /// Where the line ends in its block, its newline included.
    end: usize,
    signal: RecordKind,
}

impl Block {
    /// An empty block that takes lines without growing.
    fn roomy() -> Self {
        Self {
            bytes: Vec::with_capacity(MAX_BLOCK + MAX_BLOCK / 4),
            lines: Lines::default(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Ends the line that was appended to `bytes`, with a newline if it has none.
    pub(super) fn end_line(&mut self, signal: RecordKind) {
        if self.bytes.last() != Some(&b'\n') {
            self.bytes.push(b'\n');
        }
        let end = self.bytes.len();
        self.lines.0.push_back(Line { end, signal });
    }

    /// Takes off a line that was appended at `start` and makes the block too large: the block without it
    /// is given back.
    pub(super) fn split_full(&mut self, start: usize) -> Option<Self> {
        let line = self.bytes.get(start..).filter(|_| start > 0)?;
        if self.bytes.len() <= MAX_BLOCK {
            return None;
        }
        let mut next = Self::roomy();
        next.bytes.extend_from_slice(line);
        self.bytes.truncate(start);
        Some(std::mem::replace(self, next))
    }

    /// What it holds, as a block that keeps little more memory than it needs.
    pub(super) fn take(&mut self) -> Self {
        if self.bytes.len() >= self.bytes.capacity() / 2 {
            return std::mem::replace(self, Self::roomy());
        }
        let bytes = self.bytes.as_slice().into();
        self.bytes.clear();
        let lines = std::mem::take(&mut self.lines);
        Self { bytes, lines }
    }

    /// The bytes of memory that it holds.
    pub(super) fn cost(&self) -> usize {
        self.bytes.len() + self.lines.0.len() * size_of::<Line>()
    }
}

impl Lines {
    /// Counts the lines that end within the first `written` bytes as delivered, each once; how many.
    pub(super) fn deliver(&mut self, written: usize, counters: &RecordCounters) -> u64 {
        let whole = self.0.partition_point(|line| line.end <= written);
        let delivered = self.0.drain(..whole);
        count(delivered, |signal, n| counters.delivered(signal, n))
    }

    /// Counts what is left as dropped; how many.
    pub(super) fn drop_rest(&mut self, reason: DropReason, counters: &RecordCounters) -> u64 {
        let rest = self.0.drain(..);
        count(rest, |signal, n| counters.dropped(signal, reason, n))
    }
}

#[expect(
    clippy::indexing_slicing,
    reason = "signals index arrays of their own number"
)]
fn count(lines: impl Iterator<Item = Line>, mut book: impl FnMut(RecordKind, u64)) -> u64 {
    let mut counts = [0; RecordKind::ALL.len()];
    lines.for_each(|line| counts[line.signal as usize] += 1);
    for (signal, n) in RecordKind::ALL.into_iter().zip(counts) {
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
        let counters = RecordCounters::default();
        let mut block = Block::default();
        block.bytes.extend_from_slice(b"abc");
        block.end_line(RecordKind::Log);
        block.bytes.extend_from_slice(b"de\n");
        block.end_line(RecordKind::Request);
        assert_eq!(block.bytes, b"abc\nde\n");
        let lines = &mut block.lines;
        assert_eq!(
            [3, 4, 4, 6].map(|written| lines.deliver(written, &counters)),
            [0, 1, 0, 0]
        );
        assert_eq!(lines.drop_rest(DropReason::Io, &counters), 1);
        assert_eq!(counters.totals(RecordKind::Log).delivered(), 1);
        assert_eq!(
            counters.totals(RecordKind::Request).dropped(DropReason::Io),
            1
        );
    }

    #[test]
    fn a_block_ends_before_the_line_that_makes_it_too_large() {
        let mut block = Block::default();
        let append = |block: &mut Block, length: usize| {
            let start = block.bytes.len();
            block.bytes.resize(start + length, b'x');
            let full = block.split_full(start);
            block.end_line(RecordKind::Log);
            full
        };
        assert!(append(&mut block, 2 * MAX_BLOCK).is_none());
        let full = append(&mut block, 10).unwrap();
        assert_eq!(
            (full.bytes.len(), full.lines.0.len()),
            (2 * MAX_BLOCK + 1, 1)
        );
        assert!(append(&mut block, 20).is_none());
        let small = block.take();
        assert_eq!((small.bytes.len(), small.lines.0.len()), (32, 2));
        assert!(small.bytes.capacity() < 64 && block.is_empty() && block.lines.0.is_empty());
    }
}
