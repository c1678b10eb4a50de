//! Sinks that send to a remote receiver: batches are queued and retried until they are accepted or permanently refused.
//!
//! The module of a record kind provides two parts: an [`Encode`], which makes batches of records on the worker's
//! thread, and a [`Deliver`], which makes the request for a batch and judges the response. An [`Encode`] whose batches
//! are made of something else, such as a snapshot of all metrics, makes them on the blocking pool, as a [`BatchJob`].

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::Request;

use super::client::{HttpClient, HttpResponse};
use super::record_queue::Record;
use crate::clock::Nanos;
use crate::model::{DropReason, RecordKind};

mod back_off;
mod batch_queue;
mod batcher;
mod dates;
mod sink;
#[cfg(all(test, feature = "_client"))]
mod tests;

pub(super) use self::batcher::Batcher;
pub(super) use self::sink::RemoteSink;

#[cfg(feature = "elasticsearch")]
pub(crate) use self::back_off::back_off;
#[cfg(any(feature = "alerts", feature = "elasticsearch"))]
pub(crate) use self::dates::retry_after;

/// The parts of one remote sink.
pub(crate) struct RemoteSetup {
    pub(crate) name: &'static str,
    /// The maximum number of bytes of batches that may wait. An empty queue accepts a batch of any size.
    pub(crate) max_bytes: usize,
    /// The maximum number of items that may wait.
    pub(crate) max_items: u64,
    /// The time limit of one request, from connecting to the end of the response.
    pub(crate) timeout: Duration,
    pub(crate) client: HttpClient,
    pub(crate) encode: Box<dyn Encode>,
    pub(crate) deliver: Box<dyn Deliver>,
}

/// Items that are sent together.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) kind: RecordKind,
    /// The number of items. Each counts once in the counters.
    pub(crate) items: u64,
    pub(crate) body: Bytes,
    /// For the [`Deliver`] only, such as the number of the batch in a spool.
    pub(crate) tag: u64,
    /// Whether a spool keeps it: if it is not delivered by the end, it counts as spooled, not as dropped.
    pub(crate) stored: bool,
    /// Whether its items come from an earlier process, read from a spool, and not from [`Encode::encode`]. The code
    /// that makes the batch has counted them as emitted.
    pub(crate) recovered: bool,
}

impl Batch {
    /// A batch of items that [`Encode::encode`] was given.
    pub(crate) fn new(kind: RecordKind, items: u64, body: Bytes) -> Self {
        Self {
            kind,
            items,
            body,
            tag: 0,
            stored: false,
            recovered: false,
        }
    }
}

/// Work that makes batches on the blocking pool. It may hang and may panic.
pub(crate) type BatchJob = Box<dyn FnOnce() -> Vec<Batch> + Send>;

/// Encodes records into batches. It runs on the worker's thread and blocks it, so it must be quick. It may panic and is
/// used again after that.
pub(crate) trait Encode: Send {
    /// Whether it takes the records of a kind. Called once per kind, at the start.
    fn takes(&self, kind: RecordKind) -> bool;

    /// Encodes a record for a later batch and returns the number of items in it.
    ///
    /// The record's own number was counted as emitted. If fewer are found, the rest counts as dropped; if more, they
    /// count as emitted too. Items of a batch that come from no record count as emitted with the batch.
    fn encode(&mut self, record: &Record<'_>) -> u64;

    /// Called when a flush is requested, and once when the shutdown begins. An encoder with jobs returns one from the next
    /// [`take_job`](Self::take_job). The flush, or the shutdown, waits for the batches of that job.
    fn request_flush(&mut self) {}

    /// Returns a job if one is due. Called once a round while no job of this encoder is in progress.
    fn take_job(&mut self, now: Nanos) -> Option<BatchJob> {
        let _ = now;
        None
    }

    /// Appends the batches of records that are due to `out`; with `all`, batches of everything that is held, for a flush.
    fn take_batches(&mut self, now: Nanos, all: bool, out: &mut Vec<Batch>);

    /// Takes the outcomes of the items that it held and did not put into a batch, since the last call.
    fn take_outcomes(&mut self) -> Vec<(RecordKind, ItemOutcome, u64)> {
        Vec::new()
    }

    /// When [`take_batches`](Self::take_batches) or [`take_job`](Self::take_job) must be called, unless a record arrives
    /// earlier.
    fn due(&self) -> Option<Nanos>;

    /// Discards the held items after a panic. They have been counted as dropped.
    fn clear(&mut self);
}

/// Creates the requests for batches and evaluates the responses. It runs on the worker's runtime, so it must not block.
/// It may panic.
pub(crate) trait Deliver: Send + Sync {
    /// The request that delivers a batch. Its URI is absolute.
    fn request(&self, batch: &Batch) -> Request<Bytes>;

    /// Returns the outcome of a response for its batch. Without a response the batch is retried.
    fn judge(&self, batch: &Batch, response: &HttpResponse) -> Verdict;

    /// How long the receiver requests to wait before the next request, although it accepted the last batch.
    fn pause(&self) -> Option<Duration> {
        None
    }

    /// Whether a spool keeps the batch if it is not delivered by the end.
    fn is_stored(&self, batch: &Batch) -> bool {
        batch.stored
    }

    /// Splits a batch that is too large in two; `None` if that is impossible.
    fn split(&self, batch: &Batch) -> Option<[Batch; 2]> {
        let _ = batch;
        None
    }

    /// Called once for each batch that is delivered, dropped or left to a spool while the sink is open.
    fn on_settled(&self, batch: &Batch, outcome: BatchOutcome) {
        let _ = (batch, outcome);
    }
}

/// The outcome of a response for its batch. `why` is a short text for the host's operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Delivered,
    /// Accepted except for `rejected` items, which are not sent again.
    Partial {
        rejected: u64,
        why: String,
    },
    /// Retry the batch after this time if the receiver named one, otherwise after the sink's own back-off.
    Retry {
        after: Option<Duration>,
        why: String,
    },
    /// Permanently refused, and dropped. The next batch waits until `pause` is over, since it would be refused too.
    Refused {
        reason: DropReason,
        why: String,
        pause: Option<Duration>,
    },
    /// Too large: to be sent in two halves.
    Split,
}

/// The outcome of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BatchOutcome {
    Delivered,
    Dropped(DropReason),
    /// The queue was full, and a spool keeps it.
    Spooled,
}

/// The outcome of items that were never in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ItemOutcome {
    /// A spool keeps them.
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
