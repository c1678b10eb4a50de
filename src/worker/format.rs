use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::runtime::Handle;

use super::Record;
use super::block::Block;
use super::line_sink::LineSink;
use super::source_shares::SourceShares;
use crate::clock::Nanos;
use crate::model::{DropReason, RecordCounters, RecordKind, catch_panic};

/// After this many panics in one batch, the rest of the batch is dropped.
const MAX_PANICS: u32 = 3;

/// Formats records as log lines. It appends to `out` and keeps its previous content.
pub(crate) trait Format: Send {
    /// Appends the line of a record, with its newline. If it returns `false`, because the record cannot be decoded, the
    /// caller removes what was appended.
    fn format(&mut self, record: &Record<'_>, out: &mut Vec<u8>) -> bool;

    /// Appends the line of a notice of this crate.
    fn notice(&mut self, at: Nanos, notice: &str, out: &mut Vec<u8>);
}

/// A sink of log lines with its format and the block that is being filled.
pub(super) struct LineFormatter {
    pub(super) sink: Arc<LineSink>,
    format: Box<dyn Format>,
    block: Block,
    counters: Arc<RecordCounters>,
    /// Bytes of each source in the reserved part of the sink's queue, while all but that part is full.
    reserved_use: Option<SourceShares>,
}

/// The records of a batch that have not been counted yet. On drop they are counted as dropped by a panic, so that the
/// counters stay exact after any panic.
struct UncountedRecords<'a> {
    records: &'a [Record<'a>],
    counters: &'a RecordCounters,
}

impl Drop for UncountedRecords<'_> {
    fn drop(&mut self) {
        for record in self.records {
            self.counters
                .dropped(record.kind, DropReason::Panic, u64::from(record.items));
        }
    }
}

impl LineFormatter {
    pub(super) fn new(
        sink: Arc<LineSink>,
        format: Box<dyn Format>,
        counters: Arc<RecordCounters>,
    ) -> Self {
        Self {
            sink,
            format,
            block: Block::default(),
            counters,
            reserved_use: None,
        }
    }

    /// Formats records as lines and hands them to the sink in blocks. A record whose formatting panics is dropped;
    /// after several panics the rest of the batch is dropped too. `panics` counts each panic.
    pub(super) fn format_batch(
        &mut self,
        records: &[Record<'_>],
        pool: &Handle,
        panics: &AtomicU64,
    ) {
        let counters = Arc::clone(&self.counters);
        let mut rest = UncountedRecords {
            records,
            counters: &counters,
        };
        let mut panicked_records = 0;
        self.update_reserved_use();
        while let Some((record, others)) = rest.records.split_first() {
            let kind = record.kind;
            if !self.has_room(record.source) {
                counters.dropped(kind, DropReason::QueueOverflow, 1);
                rest.records = others;
                continue;
            }
            let before = self.block.bytes.len();
            let made = self.append_line(kind, pool, |format, out| format.format(record, out));
            if made != Some(true) {
                counters.dropped(kind, DropReason::Panic, 1);
            }
            if let Some(shares) = &mut self.reserved_use {
                let after = self.block.bytes.len();
                // A line that did not fit is alone in a new block, so its length is that of the block.
                let len = after.checked_sub(before).unwrap_or(after);
                shares.add(record.source, len);
            }
            if made.is_none() {
                panics.fetch_add(1, Relaxed);
                panicked_records += 1;
            }
            // From here the record is counted, by this loop or by the sink, and `rest` must not count it again.
            rest.records = others;
            if panicked_records == MAX_PANICS {
                return;
            }
        }
    }

    /// Begins or ends the accounting of the reserved part, as the sink's queue fills and empties.
    fn update_reserved_use(&mut self) {
        if !self.sink.is_almost_full() {
            self.reserved_use = None;
        } else if self.reserved_use.is_none() {
            self.reserved_use = Some(SourceShares::default());
        }
    }

    /// Whether there is room for a line of a source. If not, the line is not even formatted.
    fn has_room(&mut self, source: u32) -> bool {
        let max_bytes = self.sink.max_bytes();
        let shares = self.reserved_use.as_mut();
        shares.is_none_or(|shares| shares.have_room(source, max_bytes))
    }

    /// Formats a notice as a line.
    pub(super) fn format_notice(&mut self, at: Nanos, notice: &str, pool: &Handle) {
        self.counters.emitted(RecordKind::Notice, 1);
        let made = self.append_line(RecordKind::Notice, pool, |format, out| {
            format.notice(at, notice, out);
            true
        });
        if made != Some(true) {
            self.counters
                .dropped(RecordKind::Notice, DropReason::Panic, 1);
        }
    }

    /// Appends a line to the block and returns whether there is one, or `None` if `write` panicked. Without a line the
    /// block is unchanged.
    fn append_line(
        &mut self,
        kind: RecordKind,
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
            self.update_reserved_use();
        }
        self.block.end_line(kind);
        Some(true)
    }

    /// Hands the block to the sink, full or not, and starts a write if none is running.
    pub(super) fn hand_over(&mut self, pool: &Handle) {
        if !self.block.is_empty() {
            self.sink.accept(self.block.take());
        }
        self.sink.dispatch(pool);
    }
}
