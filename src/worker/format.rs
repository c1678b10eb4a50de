use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::runtime::Handle;

use super::Record;
use super::block::Block;
use super::sink::Sink;
use super::unwind::caught;
use crate::clock::Nanos;
use crate::model::{Books, Reason, Signal};

/// After this many panics in one batch the rest of the batch is given up.
const MAX_PANICS: u32 = 3;

/// How records become lines.
pub(crate) trait Format: Send {
    /// Appends the record's line, its newline included; `false` if the record cannot be read.
    fn format(&mut self, record: &Record<'_>, out: &mut Vec<u8>) -> bool;

    /// Appends the line of a sentence of this crate about itself.
    fn notice(&mut self, at: Nanos, sentence: &str, out: &mut Vec<u8>);
}

/// A sink with its format, and the block in the making.
pub(super) struct Formatter {
    pub(super) sink: Arc<Sink>,
    format: Box<dyn Format>,
    block: Block,
    line: Vec<u8>,
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
            line: Vec::new(),
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
            self.line.clear();
            match caught(|| self.format.format(record, &mut self.line)) {
                Some(true) if !self.line.is_empty() => self.take_line(record.signal, pool),
                Some(_) => books.dropped(record.signal, Reason::Panic, 1),
                None => {
                    books.dropped(record.signal, Reason::Panic, 1);
                    panics.fetch_add(1, Relaxed);
                    met += 1;
                }
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
        self.line.clear();
        match caught(|| self.format.notice(at, sentence, &mut self.line)) {
            Some(()) if !self.line.is_empty() => self.take_line(Signal::Notice, pool),
            _ => self.books.dropped(Signal::Notice, Reason::Panic, 1),
        }
    }

    fn take_line(&mut self, signal: Signal, pool: &Handle) {
        if self.block.is_full_for(&self.line) {
            self.hand_over(pool);
        }
        self.block.push(signal, &self.line);
    }

    /// Hands the block to the sink, full or not.
    pub(super) fn hand_over(&mut self, pool: &Handle) {
        if !self.block.is_empty() {
            self.sink.accept(std::mem::take(&mut self.block));
        }
        self.sink.dispatch(pool);
    }
}
