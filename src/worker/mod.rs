//! The background worker: bounded queues, the thread that drains them, and the sinks behind it.
//!
//! A record is copied from a host's thread into the [`RecordQueue`]: a few hundred bytes, under a lock that is never
//! held for longer. Every 20 ms the worker's thread drains the queue, orders the batch by time, lets the [`Format`] of
//! each sink format it as log lines, and queues these with the sink as blocks of at most 64 KiB. One task per sink
//! writes the blocks, on the blocking pool of the worker's runtime. After a second without a record the worker is idle
//! until the next one wakes it.
//!
//! `emitted == delivered + spooled + dropped` holds for each kind of record once a flush has returned true or a
//! shutdown is over. With several sinks a record counts as emitted once for each. Without any sink, records are
//! delivered to the memory of the last log records, if there is one. If there is none, they are not counted.
//!
//! # What is dropped when a queue is full
//!
//! The newest record, counted as `queue_overflow`: the record that finds all buffers of the record queue full
//! (`max_queue_bytes`), or the block that finds the queue of its sink full (`max_sink_bytes`).
//!
//! The queue of a sink fills while its writes hang or fail. After a failed write (`io`: the rest of that block is
//! dropped, complete lines that were written are delivered) the next block waits 50 ms, then 100 ms, up to a second. So
//! an unavailable receiver costs one write per second, and little is lost if it returns before the queue is full. Other
//! sinks are not affected.
//!
//! One sixteenth of the record queue, and of the queue of each sink of lines, is reserved for sources that use little
//! of it. A source is a kind of record with a route or callsite. So a storm of one event does not drop all others.
//!
//! A line that was written only in part counts as dropped. ` [torn]` and a newline end it before the next line, so that
//! no two lines run together and no part is mistaken for a complete line.
//!
//! What a `Write` accepts counts as delivered, so it should not buffer. It is flushed whenever the queue is empty and
//! before a flush completes.
//!
//! # What a panic costs
//!
//! | the code that panics | what is lost |
//! |---|---|
//! | a format | its record; after three panics in one batch, the rest of the batch |
//! | a `Write` | the rest of the block |
//! | a periodic task | nothing |
//! | the worker's own loop | the records of the round; it runs again within a second, on the same thread |
//!
//! Lost records are counted as dropped, with the reason `panic`. A host that is built with `panic = "abort"` ends at
//! any panic; nothing here can prevent that.
//!
//! # Remote receivers
//!
//! A remote sink queues batches, bounded in bytes and items, and has one request in flight. If a request gets no
//! response, or one that asks to retry, the batch is retried after a random wait of at most 1 s, 2 s, 4 s, up to a
//! minute, and not before the receiver's `Retry-After`, which is limited to an hour. A batch that the receiver refuses
//! permanently is dropped as `send_error`, and so are the items that it rejects of a batch that it accepts. A batch
//! that is too large is sent in two halves; a single item that is too large is dropped as `too_large`.
//!
//! A 2xx counts as delivered once its head has arrived. If no response arrives, it is unknown whether the receiver
//! accepted the batch, and it is sent again.
//!
//! # How a flush and a shutdown keep their deadline
//!
//! A flush is a command to the worker, which takes the queued records, hands them to the sinks, and completes the flush
//! when every block and batch up to that point is delivered or dropped. It does not wait for a back-off: blocks are
//! tried immediately, and so is each remote batch, once, unless its receiver requested the wait.
//!
//! The flush completes when the worker is done or at its deadline, whichever is first. A thread that runs only while
//! something is pending keeps the deadline. So a deadline does not depend on a timer of the caller's runtime, on any
//! runtime, or on the worker, which may be stuck. The blocking variants wait on a condition variable with a timeout.
//!
//! A shutdown closes the record queue (later records count as emitted and as dropped with the reason `shutdown`) and
//! delivers like a flush. At the deadline, the first thread that notices it closes the sinks: what is queued or in a
//! hanging write is dropped as `shutdown`, once, even if the write completes later. Then the thread ends, and the
//! runtime is dropped without waiting: a hanging task delays neither a caller nor the end of the process.
//!
//! # After a fork
//!
//! The child has no worker, since a fork copies only the calling thread. There a flush returns false, and a shutdown
//! immediately reports how many records the child has emitted, all of them dropped as `shutdown` or `queue_overflow`.
//! Build the monitor after the fork.

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
mod context;
mod deadline;
mod event_loop;
mod format;
mod handle;
mod line_observer;
mod line_sink;
mod periodic_task;
mod processor;
mod record_queue;
#[cfg_attr(
    not(all(feature = "otlp", feature = "sentry")),
    expect(dead_code, reason = "each feature that sends uses another part")
)]
mod remote;
mod shared;
mod sink_status;
mod sink_writer;
mod source_shares;
mod spool;

pub use self::config::WorkerConfig;

#[cfg(feature = "alerts")]
pub(crate) use self::client::AllowedAddresses;
#[cfg_attr(
    not(any(
        feature = "email",
        feature = "elasticsearch",
        feature = "otlp",
        feature = "prometheus-reader",
        feature = "sentry"
    )),
    expect(unused_imports, reason = "channels trust the public authorities")
)]
pub(crate) use self::client::TlsRoots;
#[cfg_attr(
    not(feature = "_client"),
    expect(unused_imports, reason = "no feature that sends is on")
)]
pub(crate) use self::client::{HttpClient, HttpResponse};
#[cfg(feature = "email")]
pub(crate) use self::client::{TcpConnector, TlsTcpStream};
pub(crate) use self::completion::{Completion, CompletionFuture};
pub(crate) use self::console::Console;
pub(crate) use self::deadline::{Deadlines, Pending};
pub(crate) use self::format::Format;
pub(crate) use self::handle::{SinkObserver, SinkSetup, Worker, WorkerSetup, WorkerStatus};
pub(crate) use self::line_observer::LineObserver;
pub(crate) use self::periodic_task::PeriodicTask;
pub(crate) use self::processor::{BlockingPool, RecordProcessor};
pub(crate) use self::record_queue::{MAX_RECORD, Record, RecordQueue};
#[cfg_attr(
    not(feature = "otlp"),
    expect(unused_imports, reason = "only the sink for metrics has jobs")
)]
pub(crate) use self::remote::BatchJob;
#[cfg(feature = "elasticsearch")]
pub(crate) use self::remote::back_off;
#[cfg(any(feature = "alerts", feature = "elasticsearch"))]
pub(crate) use self::remote::retry_after;
#[cfg_attr(
    not(any(feature = "otlp", feature = "sentry")),
    expect(unused_imports, reason = "no feature with a remote sink is on")
)]
pub(crate) use self::remote::{Batch, Deliver, Encode, RemoteSetup, Verdict};
#[cfg_attr(
    not(feature = "sentry"),
    expect(unused_imports, reason = "only a sink with a spool uses these")
)]
pub(crate) use self::remote::{BatchOutcome, ItemOutcome};
pub(crate) use self::sink_status::SinkStatus;
pub(crate) use self::spool::{SpoolSetup, SpoolStatus, SpoolWriter};

/// A test receiver that follows a script.
#[cfg(all(test, feature = "_client"))]
#[path = "../../tests/it/peer.rs"]
pub(crate) mod peer;
#[cfg(test)]
mod tests;
