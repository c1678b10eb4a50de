use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::runtime::Handle;

use super::Record;
use super::block::Block;
use super::sink::Sink;
use crate::clock::Nanos;
use crate::model::caught;
use crate::model::{Books, Reason, Signal};

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
    books: Arc<Books>,
}

/// The records of a batch that are not yet in the books. They are dropped for a panic if nobody comes to
/// take them, so that a panic anywhere leaves the books exact.
struct Rest<'a> {
    records: &'a [Record<'a>],
    books: &'a Books,
}

impl Drop for Rest<'_> {
    fn drop(&mut self) {
        for record in self.records {
            self.books
                .dropped(record.signal, Reason::Panic, u64::from(record.items));
        }
    }
}

impl Formatter {
    pub(super) fn new(sink: Arc<Sink>, format: Box<dyn Format>, books: Arc<Books>) -> Self {
        Self {
            sink,
            format,
            block: Block::default(),
            books,
        }
    }

    /// Turns records into lines and hands them to the sink in blocks. A record whose formatting panics is
    /// dropped alone; a batch with several of those is given up. `panics` counts each.
    pub(super) fn batch(&mut self, records: &[Record<'_>], pool: &Handle, panics: &AtomicU64) {
        let books = Arc::clone(&self.books);
        let mut rest = Rest {
            records,
            books: &books,
        };
        let mut met = 0;
        while let Some((record, others)) = rest.records.split_first() {
            let signal = record.signal;
            let made = self.line(signal, pool, |format, out| format.format(record, out));
            if made != Some(true) {
                books.dropped(signal, Reason::Panic, 1);
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

    /// Makes a sentence a line.
    pub(super) fn notice(&mut self, at: Nanos, sentence: &str, pool: &Handle) {
        self.books.emitted(Signal::Notice, 1);
        let made = self.line(Signal::Notice, pool, |format, out| {
            format.notice(at, sentence, out);
            true
        });
        if made != Some(true) {
            self.books.dropped(Signal::Notice, Reason::Panic, 1);
        }
    }

    /// Has a line written to the end of the block: whether there is one, `None` if that panicked. Without
    /// one the block is as before.
    fn line(
        &mut self,
        signal: Signal,
        pool: &Handle,
        write: impl FnOnce(&mut dyn Format, &mut Vec<u8>) -> bool,
    ) -> Option<bool> {
        let out = &mut self.block.bytes;
        let start = out.len();
        let made = caught(|| write(self.format.as_mut(), out));
        if made != Some(true) || out.len() <= start {
            out.truncate(start);
            return made.map(|_| false);
        }
        if let Some(full) = self.block.split_full(start)
            && self.sink.accept(full)
        {
            self.sink.dispatch(pool);
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
