//! What is sent to a receiver elsewhere: batches, queued and tried until they are taken or refused for good.
//!
//! A signal's module gives two things: a [`Encode`], which makes batches of records on the worker's
//! thread, and a [`Deliver`], which makes the request for a batch and judges its answer.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::Request;

use super::client::{HttpClient, HttpResponse};
use super::record_queue::Record;
use crate::clock::Nanos;
use crate::model::{DropReason, RecordKind};

mod back_off;
mod batcher;
mod dates;
mod queue;
mod sink;
#[cfg(all(test, feature = "_client"))]
mod tests;

pub(super) use self::batcher::Batcher;
pub(super) use self::sink::Remote;

/// One receiver elsewhere.
pub(crate) struct RemoteSetup {
    pub(crate) name: &'static str,
    /// Bytes of batches that may wait; one batch is always taken.
    pub(crate) max_bytes: usize,
    /// Items that may wait.
    pub(crate) max_items: u64,
    /// What one request may take, from its connection to the end of its answer.
    pub(crate) timeout: Duration,
    pub(crate) client: HttpClient,
    pub(crate) consume: Box<dyn Encode>,
    pub(crate) deliver: Box<dyn Deliver>,
}

/// Items that are sent together.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) signal: RecordKind,
    /// Each counts once in the counters.
    pub(crate) items: u64,
    pub(crate) body: Bytes,
    /// For the [`Deliver`] alone, such as the number under which a store keeps the batch.
    pub(crate) tag: u64,
    /// A store keeps it: what is not delivered by the end is counted as spooled, not as dropped.
    pub(crate) stored: bool,
    /// Its items were never told to [`Encode::take`] in this process, as those of a store that was found
    /// at the start: whoever makes the batch has counted them as emitted.
    pub(crate) found: bool,
}

impl Batch {
    /// A batch of items that [`Encode::take`] was given.
    pub(crate) fn new(signal: RecordKind, items: u64, body: Bytes) -> Self {
        Self {
            signal,
            items,
            body,
            tag: 0,
            stored: false,
            found: false,
        }
    }
}

/// Makes batches of records, on the worker's thread: in short time, for nothing else goes on meanwhile. It
/// may panic, and is used again afterwards.
pub(crate) trait Encode: Send {
    /// Whether it takes the records of a signal. Asked once, at the start.
    fn takes(&self, signal: RecordKind) -> bool;

    /// Keeps what a record says for a batch; how many items these are. The record's own count is counted
    /// as emitted; what it promised too many counts as dropped, what it promised too few as emitted.
    fn take(&mut self, record: &Record<'_>) -> u64;

    /// Makes the batches that are due, and of all that is kept if `all`: somebody flushes.
    fn batches(&mut self, now: Nanos, all: bool, out: &mut Vec<Batch>);

    /// What became of items that it kept and made no batch of, since this was last asked.
    fn take_outcomes(&mut self) -> Vec<(RecordKind, ItemOutcome, u64)> {
        Vec::new()
    }

    /// When [`batches`](Self::batches) has something to do without a further record.
    fn due(&self) -> Option<Nanos>;

    /// Forgets what is kept, after a panic: it is counted as dropped.
    fn forget(&mut self);
}

/// How batches are sent. It runs on the worker's runtime; it must not block, and may panic.
pub(crate) trait Deliver: Send + Sync {
    /// The request that delivers a batch. Its URL is absolute.
    fn request(&self, batch: &Batch) -> Request<Bytes>;

    /// What an answer means. Where there is none, the batch is tried again.
    fn judge(&self, batch: &Batch, answer: &HttpResponse) -> Verdict;

    /// How long the receiver wants to be left alone, though it took the last batch.
    fn pause(&self) -> Option<Duration> {
        None
    }

    /// Whether a store keeps the batch, where it is not delivered by the end.
    fn is_stored(&self, batch: &Batch) -> bool {
        batch.stored
    }

    /// Two batches in place of one that is too large; `None` if it cannot be divided.
    fn split(&self, batch: &Batch) -> Option<[Batch; 2]> {
        let _ = batch;
        None
    }

    /// Told once of each batch that is delivered, dropped or left to a store while the sink is open.
    fn settled(&self, batch: &Batch, end: BatchOutcome) {
        let _ = (batch, end);
    }
}

/// What an answer means for its batch. `why` is told to the host's people: a few plain words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Delivered,
    /// Taken but for so many items, which are not sent again.
    Partial {
        rejected: u64,
        why: String,
    },
    /// To be tried again: after this time if the receiver named one, else by the sink's own back-off.
    Retry {
        after: Option<Duration>,
        why: String,
    },
    /// Dropped for good. Nothing else is tried before `pause` is over: the next would fare no better.
    Refused {
        reason: DropReason,
        why: String,
        pause: Option<Duration>,
    },
    /// Too large: to be sent in halves.
    Split,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BatchOutcome {
    Delivered,
    Dropped(DropReason),
    /// There was no room for it, and a store keeps it.
    Spooled,
}

/// What became of items that were never in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ItemOutcome {
    /// A store keeps them.
    Spooled,
    Dropped(DropReason),
}

impl fmt::Debug for RemoteSetup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteSetup")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
