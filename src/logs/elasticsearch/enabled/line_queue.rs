use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};

use crate::model::{lock, lock_for_status};

/// The maximum number of bytes of lines that wait.
const MAX_BYTES: usize = 8 << 20;

/// Lines that wait in memory, for a monitor without log files.
#[derive(Debug, Default)]
pub(super) struct LineQueue {
    state: Mutex<QueuedLines>,
}

#[derive(Debug, Default)]
struct QueuedLines {
    lines: VecDeque<Box<[u8]>>,
    bytes: usize,
    emitted: u64,
    overflowed: u64,
    is_closed: bool,
    /// Lines that came or waited when the queue was closed.
    at_shutdown: u64,
}

/// The figures of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct QueueFigures {
    pub(super) emitted: u64,
    pub(super) overflowed: u64,
    pub(super) at_shutdown: u64,
}

impl QueueFigures {
    /// The number of lines that the queue has not dropped: they wait, or were taken.
    pub(super) fn kept(self) -> u64 {
        self.emitted - self.overflowed - self.at_shutdown
    }
}

impl LineQueue {
    /// Takes the oldest line.
    pub(super) fn take(&self) -> Option<Box<[u8]>> {
        let mut state = lock(&self.state);
        let line = state.lines.pop_front()?;
        state.bytes -= line.len();
        Some(line)
    }

    /// Adds the complete lines of a block. Those for which there is no room are dropped and counted.
    fn push(&self, block: &[u8]) {
        let mut state = lock(&self.state);
        for line in block.split(|byte| *byte == b'\n') {
            if line.is_empty() {
                continue;
            }
            state.emitted += 1;
            if state.is_closed {
                state.at_shutdown += 1;
            } else if state.bytes + line.len() > MAX_BYTES {
                state.overflowed += 1;
            } else {
                state.bytes += line.len();
                state.lines.push_back(line.into());
            }
        }
    }

    /// Drops and counts what waits, and what comes from now on. Returns how many lines waited.
    pub(super) fn close(&self) -> u64 {
        let mut state = lock(&self.state);
        let waited = state.lines.len() as u64;
        state.is_closed = true;
        state.at_shutdown += waited;
        state.lines = VecDeque::new();
        state.bytes = 0;
        waited
    }

    /// `None` in a child made by `fork` if a thread of the parent held the lock.
    pub(super) fn figures(&self) -> Option<QueueFigures> {
        let state = lock_for_status(&self.state)?;
        Some(QueueFigures {
            emitted: state.emitted,
            overflowed: state.overflowed,
            at_shutdown: state.at_shutdown,
        })
    }
}

/// Writes blocks of complete lines to a queue. It never fails: what has no room is counted by the queue.
pub(super) struct QueueWriter(pub(super) Arc<LineQueue>);

impl io::Write for QueueWriter {
    fn write(&mut self, block: &[u8]) -> io::Result<usize> {
        self.0.push(block);
        Ok(block.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn the_queue_is_bounded_and_counts_what_it_drops() {
        let queue = Arc::new(LineQueue::default());
        let mut writer = QueueWriter(Arc::clone(&queue));
        writer.write_all(b"a\nbb\n").unwrap();
        let mut long = vec![b'x'; MAX_BYTES - 3];
        long.push(b'\n');
        writer.write_all(&long).unwrap();
        writer.write_all(b"c\n").unwrap();
        assert_eq!(queue.take().as_deref(), Some(&b"a"[..]));
        writer.write_all(b"d\n").unwrap();
        let figures = QueueFigures {
            emitted: 5,
            overflowed: 1,
            at_shutdown: 0,
        };
        assert_eq!(queue.figures(), Some(figures));
        assert_eq!(queue.close(), 3);
        writer.write_all(b"e\n").unwrap();
        let figures = QueueFigures {
            emitted: 6,
            overflowed: 1,
            at_shutdown: 4,
        };
        assert_eq!(queue.figures(), Some(figures));
        assert_eq!(queue.take(), None);
    }
}
