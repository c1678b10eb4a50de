use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::runtime::Handle;

use super::Record;
use super::block::Block;
use super::line_sink::Sink;
use super::shares::Shares;
use crate::clock::Nanos;
use crate::model::catch_panic;
use crate::model::{DropReason, RecordCounters, RecordKind};

/// After this many panics in one batch the rest of the batch is given up.
const MAX_PANICS: u32 = 3;

/// How records become lines. What is in `out` before stays as it is.
pub(crate) trait Format: Send {
    /// Appends the record's line, its newline included; `false` if the record cannot be read, and then
    /// what was appended is taken back.
    fn format(&mut self, record: &Record<'_>, out: &mut Vec<u8>) -> bool;

    /// Appends the line of a sentence of this crate about itself.
    fn notice(&mut self, at: Nanos, sentence: &str, out: &mut Vec<u8>);
}

/// A sink with its format, and the block in the making.
pub(super) struct Formatter {
    pub(super) sink: Arc<Sink>,
    format: Box<dyn Format>,
    block: Block,
    counters: Arc<RecordCounters>,
    /// While the sink's queue is full but for its last part, what has been added to that.
    last_part: Option<Shares>,
}

/// The records of a batch that are not yet in the counters. They are dropped for a panic if nobody comes to
/// take them, so that a panic anywhere leaves the counters exact.
struct Rest<'a> {
    records: &'a [Record<'a>],
    counters: &'a RecordCounters,
}

impl Drop for Rest<'_> {
    fn drop(&mut self) {
        for record in self.records {
            self.counters
                .dropped(record.signal, DropReason::Panic, u64::from(record.items));
        }
    }
}

impl Formatter {
    pub(super) fn new(
        sink: Arc<Sink>,
        format: Box<dyn Format>,
        counters: Arc<RecordCounters>,
    ) -> Self {
        Self {
            sink,
            format,
            block: Block::default(),
            counters,
            last_part: None,
        }
    }

    /// Turns records into lines and hands them to the sink in blocks. A record whose formatting panics is
    /// dropped alone; a batch with several of those is given up. `panics` counts each.
    pub(super) fn batch(&mut self, records: &[Record<'_>], pool: &Handle, panics: &AtomicU64) {
        let counters = Arc::clone(&self.counters);
        let mut rest = Rest {
            records,
            counters: &counters,
        };
        let mut met = 0;
        self.look_at_sink();
        while let Some((record, others)) = rest.records.split_first() {
            let signal = record.signal;
            if !self.has_room(record.source) {
                counters.dropped(signal, DropReason::QueueOverflow, 1);
                rest.records = others;
                continue;
            }
            let before = self.block.bytes.len();
            let made = self.line(signal, pool, |format, out| format.format(record, out));
            if made != Some(true) {
                counters.dropped(signal, DropReason::Panic, 1);
            }
            if let Some(shares) = &mut self.last_part {
                let after = self.block.bytes.len();
                let len = after.checked_sub(before).unwrap_or(after);
                shares.add(record.source, len);
            }
            if made.is_none() {
                panics.fetch_add(1, Relaxed);
                met += 1;
            }
            rest.records = others;
            if met == MAX_PANICS {
                return;
            }
        }
    }

    /// Looks whether the sink's queue is full but for its last part.
    fn look_at_sink(&mut self) {
        if !self.sink.is_almost_full() {
            self.last_part = None;
        } else if self.last_part.is_none() {
            self.last_part = Some(Shares::default());
        }
    }

    /// Whether there is room for a line of a source. Where there is none, nobody formats it.
    fn has_room(&mut self, source: u32) -> bool {
        let max_bytes = self.sink.max_bytes();
        let shares = self.last_part.as_mut();
        shares.is_none_or(|shares| shares.have_room(source, max_bytes))
    }

    /// Makes a sentence a line.
    pub(super) fn notice(&mut self, at: Nanos, sentence: &str, pool: &Handle) {
        self.counters.emitted(RecordKind::Notice, 1);
        let made = self.line(RecordKind::Notice, pool, |format, out| {
            format.notice(at, sentence, out);
            true
        });
        if made != Some(true) {
            self.counters
                .dropped(RecordKind::Notice, DropReason::Panic, 1);
        }
    }

    /// Has a line written to the end of the block: whether there is one, `None` if that panicked. Without
    /// one the block is as before.
    fn line(
        &mut self,
        signal: RecordKind,
        pool: &Handle,
        write: impl FnOnce(&mut dyn Format, &mut Vec<u8>) -> bool,
    ) -> Option<bool> {
        let out = &mut self.block.bytes;
        let start = out.len();
        let made = catch_panic(|| write(self.format.as_mut(), out));
        if made != Some(true) || out.len() <= start {
            out.truncate(start);
            return made.map(|_| false);
        }
        if let Some(full) = self.block.split_full(start) {
            if self.sink.accept(full) {
                self.sink.dispatch(pool);
            }
            self.look_at_sink();
        }
        self.block.end_line(signal);
        Some(true)
    }

    /// Hands the block to the sink, full or not.
    pub(super) fn hand_over(&mut self, pool: &Handle) {
        if !self.block.is_empty() {
            self.sink.accept(self.block.take());
        }
        self.sink.dispatch(pool);
    }
}
