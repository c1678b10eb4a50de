use std::collections::VecDeque;

use crate::model::{DropReason, RecordCounters, RecordKind};

/// The maximum number of bytes of a block, unless a single line is longer.
pub(super) const MAX_BLOCK: usize = 64 * 1024;

/// Complete lines that are written together.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub(super) bytes: Vec<u8>,
    pub(super) lines: PendingLines,
}

/// The lines of a block that have not been counted yet.
#[derive(Debug, Default)]
pub(super) struct PendingLines(VecDeque<LineEnd>);

#[derive(Debug, Clone, Copy)]
struct LineEnd {
    /// Where the line ends in its block, after its newline.
    end: usize,
    kind: RecordKind,
}

impl Block {
    /// An empty block with room for its lines.
    fn with_capacity() -> Self {
        Self {
            bytes: Vec::with_capacity(MAX_BLOCK + MAX_BLOCK / 4),
            lines: PendingLines::default(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Completes the line that was appended to `bytes`. Adds a newline if it has none.
    pub(super) fn end_line(&mut self, kind: RecordKind) {
        if self.bytes.last() != Some(&b'\n') {
            self.bytes.push(b'\n');
        }
        let end = self.bytes.len();
        self.lines.0.push_back(LineEnd { end, kind });
    }

    /// If the line that was appended at `start` makes the block too large, moves it to a new block and returns the old
    /// one.
    pub(super) fn split_full(&mut self, start: usize) -> Option<Self> {
        let line = self.bytes.get(start..).filter(|_| start > 0)?;
        if self.bytes.len() <= MAX_BLOCK {
            return None;
        }
        // The end of the moved line is not recorded yet: `end_line` follows, and records it in the new block.
        let mut next = Self::with_capacity();
        next.bytes.extend_from_slice(line);
        self.bytes.truncate(start);
        Some(std::mem::replace(self, next))
    }

    /// Takes the content as a block that uses little more memory than it needs.
    pub(super) fn take(&mut self) -> Self {
        // A block that is at least half full is handed on with its memory. Of a smaller one only the bytes are copied,
        // so that many small blocks that wait for a slow sink do not hold 80 KiB each.
        if self.bytes.len() >= self.bytes.capacity() / 2 {
            return std::mem::replace(self, Self::with_capacity());
        }
        let bytes = self.bytes.as_slice().into();
        self.bytes.clear();
        let lines = std::mem::take(&mut self.lines);
        Self { bytes, lines }
    }

    /// The bytes of memory that it occupies.
    pub(super) fn cost(&self) -> usize {
        self.bytes.len() + self.lines.0.len() * size_of::<LineEnd>()
    }
}

impl PendingLines {
    /// Counts the lines that end within the first `written` bytes as delivered, each once, and returns their number.
    pub(super) fn deliver(&mut self, written: usize, counters: &RecordCounters) -> u64 {
        let complete = self.0.partition_point(|line| line.end <= written);
        let delivered = self.0.drain(..complete);
        count(delivered, |kind, n| counters.delivered(kind, n))
    }

    /// Counts the lines that are left as dropped and returns their number.
    pub(super) fn drop_rest(&mut self, reason: DropReason, counters: &RecordCounters) -> u64 {
        let rest = self.0.drain(..);
        count(rest, |kind, n| counters.dropped(kind, reason, n))
    }
}

#[expect(
    clippy::indexing_slicing,
    reason = "kinds index arrays of their own number"
)]
fn count(lines: impl Iterator<Item = LineEnd>, mut add: impl FnMut(RecordKind, u64)) -> u64 {
    let mut counts = [0; RecordKind::ALL.len()];
    lines.for_each(|line| counts[line.kind as usize] += 1);
    for (kind, n) in RecordKind::ALL.into_iter().zip(counts) {
        if n > 0 {
            add(kind, n);
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
