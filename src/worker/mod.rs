//! The background: bounded queues, the thread that empties them, and the writers behind it.
//!
//! A record goes from a host's thread into the [`RecordQueue`], a few hundred bytes copied under a lock that
//! nobody holds for longer. Every 20 ms the worker's thread empties it, orders the batch by time, lets
//! each sink's [`Format`] make lines of it, and queues these as blocks of at most 64 KiB with the sink.
//! One task a sink, on the blocking pool of the worker's runtime, writes the blocks. After a second
//! without a record the worker dozes: the next record wakes it.
//!
//! `emitted == delivered + dropped` holds for each signal once a flush was true or a shutdown is over. With
//! several sinks a record is emitted once for each. Without any, records are not counted at all.
//!
//! # What is dropped when the queue is full
//!
//! The newest, and it is counted as `queue_overflow`: the record that finds all buffers of the record queue full
//! (`max_queue_bytes`), the block that finds its sink's queue full (`max_sink_bytes`). A sink's queue fills
//! while its writes hang, or are refused: after a refusal (`io`: the rest of that block is dropped, lines
//! that are wholly out are delivered) the next block waits 50 ms, then 100 ms, up to a second. So a
//! receiver that is gone costs a write a second, and one that comes back within the queue's reach loses
//! little. Other sinks take no notice.
//!
//! The last sixteenth of the record queue, and of the queue of a sink of lines, is for those that have little in it: each kind
//! of record, route and callsite has a share of it, so that a storm of one event does not drop all others.
//!
//! A line of which only a part went out is dropped. Before the next line ` [torn]` and a newline end it, so
//! that no two lines are glued and no part passes for a whole.
//!
//! What is put into the `Write` counts as delivered: it should not buffer. It is flushed whenever the queue
//! is empty and before a flush is answered.
//!
//! # What a panic costs
//!
//! In a format: its record, and after three in one batch the rest of that batch. In a `Write`: what is
//! left of that block. In a tick: nothing. In the worker's own loop: the records in hand; it runs again
//! within a second, on the same thread. Each is counted, dropped records as `panic`. A host that is built
//! with `panic = "abort"` ends at any panic; nothing here can prevent it.
//!
//! # Receivers elsewhere
//!
//! A remote sink queues batches, bounded in bytes and items, and has one request under way. A request that
//! brings no answer, or one that says "later", is tried again after a wait of at most 1 s, 2 s, 4 s, up to a
//! minute, with the whole wait left to chance, and not before the receiver's `Retry-After`, of which an hour
//! is believed. What the receiver refuses for good is dropped as `send_error`. So is what it says it left
//! out of a batch that it took. A batch that is too large is sent in halves; one item that is too large is
//! dropped as `too_large`.
//!
//! A 2xx counts as delivered once its head is there, whatever becomes of the rest. An answer that never
//! came leaves open whether the batch was taken: it is sent again.
//!
//! # How flush and shutdown keep their deadline
//!
//! A flush is a command to the worker: it takes the records that are there, queues them, and answers when
//! every block up to that point is written or dropped. It does not wait for a back-off: blocks are tried
//! at once, and a batch for elsewhere once at once, unless its receiver asked for the wait. The answer comes from whoever is first, the worker or the deadline, and the deadline is kept
//! by a thread that runs only while something is awaited. So it depends on no timer of the caller's
//! runtime, on no runtime at all, and on no worker that may be stuck. The blocking variants wait on a
//! condition variable with a time-out.
//!
//! A shutdown closes the record queue (what comes later is emitted and dropped as `shutdown`), delivers like a
//! flush, and at its deadline whoever keeps it closes the sinks: what is queued or in a hanging write is
//! dropped as `shutdown`, once, even if the write ends later. The thread then ends, and the runtime is left
//! to itself: a hanging task holds neither a caller nor the end of the process.
//!
//! # After a fork
//!
//! The child has no worker: threads are not inherited. There a flush is false, and a shutdown reports at once how much
//! the child recorded, all of it dropped as `shutdown` or `queue_overflow`. Build the monitor after the fork.

mod any_sink;
mod block;
#[cfg_attr(
    not(feature = "_client"),
    expect(dead_code, reason = "no feature that sends is on")
)]
mod client;
mod completion;
mod config;
mod console;
mod deadline;
mod event_loop;
mod format;
mod handle;
mod line_sink;
mod processor;
mod record_queue;
#[cfg_attr(
    not(all(feature = "otlp", feature = "sentry")),
    expect(dead_code, reason = "each feature that sends takes another part")
)]
mod remote;
mod shared;
mod shares;
mod spool;
mod trouble;
mod writer;

pub use self::config::WorkerConfig;

#[cfg_attr(
    not(feature = "_client"),
    expect(unused_imports, reason = "no feature that sends is on")
)]
pub(crate) use self::client::{HttpClient, HttpResponse, TlsRoots};
pub(crate) use self::completion::{Completion, CompletionFuture};
pub(crate) use self::console::Console;
pub(crate) use self::deadline::{Deadlines, Pending};
pub(crate) use self::event_loop::PeriodicTask;
pub(crate) use self::format::Format;
pub(crate) use self::handle::{SinkObserver, SinkSetup, Worker, WorkerSetup, WorkerStatus};
pub(crate) use self::line_sink::SinkStatus;
pub(crate) use self::processor::{BlockingPool, RecordProcessor};
pub(crate) use self::record_queue::{MAX_RECORD, Record, RecordQueue};
#[cfg_attr(
    not(feature = "_client"),
    expect(unused_imports, reason = "no feature that sends is on")
)]
pub(crate) use self::remote::{Batch, Deliver, Encode, RemoteSetup, Verdict};
#[cfg_attr(
    not(feature = "sentry"),
    expect(unused_imports, reason = "what is stored alone has these")
)]
pub(crate) use self::remote::{BatchOutcome, ItemOutcome};
pub(crate) use self::spool::{SpoolStatus, SpoolWriter};

/// A receiver that does what a script says.
#[cfg(all(test, feature = "_client"))]
#[path = "../../tests/it/peer.rs"]
pub(crate) mod peer;
#[cfg(test)]
mod tests;
