//! Errors: captured where they happen, told apart, kept.
//!
//! ```
//! # fn main() -> watchpost::Result<()> {
//! # let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
//! let error = std::io::Error::other("the disk is gone");
//! let id = monitor.error_capture(&error).tag("disk", "sda").capture();
//! assert!(!id.is_nil());
//! # Ok(())
//! # }
//! ```
//!
//! # What is captured
//!
//! [`Monitor::capture_error`](crate::Monitor::capture_error) takes any error by reference,
//! [`capture_error`] does so without a monitor at hand, and
//! [`ResultExt::capture`] stands before a `?`. The event has the error's type and
//! message and those of its sources, where it was captured, and what is known of the request: its ids, route,
//! method, path, user, the attributes of the layer's hooks, and its last twenty `tracing` events. A message
//! that is no error is captured with [`Monitor::capture_message`](crate::Monitor::capture_message).
//!
//! A panic is captured once by a hook that [`install`](crate::Monitor::install) sets in front of the one that is there,
//! and that calls it, whether a layer catches the panic or not, inside ours or outside. Set a hook that does not call the
//! one before it, such as color-eyre's, before `install`: after it, that hook hides panics from this one.
//! [`Monitor::doctor`](crate::Monitor::doctor) reports panics that reached a layer and not the hook; a second call of
//! `install` sets the hook in front again. [`build`](crate::MonitorBuilder::build) alone sets no hook.
//!
//! Of an error that a database returned, through SQLx or tokio-postgres with their features, the event's extra has the
//! code (`db.response.status_code`), the constraint that was violated (`watchpost.db.constraint`; SQLx tells it for
//! `PostgreSQL`) and, where it is the error of the last query that failed in the same trace, what that query was
//! (`db.query.summary`).
//!
//! # What a capture costs
//!
//! Some texts are formatted and copied into the queue; nothing is awaited, resolved or scrubbed on the
//! caller's thread. A backtrace costs ten times as much: it is taken for the first five errors of one type at
//! one place, and its calls are named on a thread of ours. While it names some, nobody takes another: the
//! standard library does both under one lock.
//!
//! Naming the first backtrace reads the program's symbols, which stay in memory: about 40 MB for a release build without
//! debug information, and up to the size of the program's file more with it. It is skipped while less than 64 MiB and
//! the size of the program's file are left under the limits of the control group and the machine, or 192 MiB more under
//! that of the address space, of which the allocator reserves large parts;
//! the event then has no frames, and a notice says so. [`Backtraces::Off`] avoids the cost.
//!
//! # Where it goes
//!
//! Each event is a line of level ERROR (WARN, INFO, DEBUG where the capture says so), counts in
//! `watchpost_errors_total` by `error_type` and `level`, and in its group:
//! [`Monitor::error_groups`](crate::Monitor::error_groups) lists them. `error_type` is the type's path; an error behind
//! `dyn Error` counts as `_OTHER`, for its name is what its `Debug` prints.
//!
//! # Which errors are one group
//!
//! Those of one type at one place and route whose messages are alike once numbers, ids and quoted text are
//! taken out; or those of one [`fingerprint`](ErrorCapture::fingerprint), in which `{{ default }}` stands for
//! the former. A thousand groups are kept, those seen last.
//!
//! # What is stored
//!
//! With a data directory every event is on the disk some milliseconds after its capture, whatever becomes of the
//! process: within 50 in 99 of 100 cases, more where disk and cores are busy. What was captured in that window is
//! lost by a `kill -9`, but never what [`Monitor::capture_error_durable`](crate::Monitor::capture_error_durable) said was stored. The
//! next process finds the events and takes them into its groups. A disk that is full, broken or gone costs
//! nothing but that: events are in memory alone, a notice says so, and it is tried again every five seconds. The
//! files hold at most 64 MiB; the oldest make room and are counted.
//!
//! # What goes to Sentry
//!
//! With a DSN ([`sentry_dsn`](crate::MonitorBuilder::sentry_dsn), `SENTRY_DSN`) and the feature `sentry` each
//! event is sent with the id that the capture returned; performance data is not. With a data directory an event
//! is sent once it is stored and kept until the server took it or refused it for good: across an outage of any
//! length, a restart and a `kill -9`, up to the cap of the store. It may be sent twice, with the same id.
//! Without one, up to 8 MiB of events wait in memory. 429 and the server's limits for errors are obeyed; 401 and
//! 403 are tried again every five minutes; other refusals drop the event, count it, and are told to the server
//! with a later one. [`before_send`](crate::MonitorBuilder::before_send) sees each event first.
//!
//! # Beside a Sentry of your own
//!
//! A service that calls [`sentry`](https://docs.rs/sentry) itself goes on doing so:
//! [`Monitor::sentry_integration`](crate::Monitor::sentry_integration) gives its events the ids of their request,
//! so that they lead to its lines and its trace. An event inside a transaction of Sentry's keeps its link to that, and
//! carries the trace ID in the tag `watchpost.trace_id`. Nothing of watchpost's takes the global hub, and events
//! captured here go their own way. A panic that `sentry::init` catches is an event of its too: set no
//! `sentry.dsn` here, or take its panic integration out, if one of the two is enough.
//!
//! # What is scrubbed
//!
//! Every text, on the worker, before it is written or kept: values under sensitive keys, and secrets known by
//! their shape. Of a query the names are told and no value.

mod available_memory;
mod backtraces;
mod capture;
mod chain;
mod config;
mod decode;
mod details;
mod durable;
mod event;
mod fingerprint;
mod frames;
mod global;
mod groups;
mod panics;
mod processor;
mod resident_memory;
mod sentry;
mod stored_record;

pub use self::config::{Backtraces, ErrorsConfig};
pub use self::details::ErrorCapture;
pub use self::durable::{CaptureReceipt, DurableCapture};
pub use self::event::{Breadcrumb, Cause, ErrorEvent, EventKind, Frame};
pub use self::global::{ResultExt, capture_error, capture_message};
pub use self::groups::ErrorGroup;
#[cfg(feature = "sentry")]
pub use self::sentry::SentryIntegration;

pub(crate) use self::capture::ErrorTracker;
pub(crate) use self::global::{current_monitor, has_installed, unclaimed};
pub(crate) use self::panics::set_panic_hook;
pub(crate) use self::sentry::{BeforeSend, Dsn, SentrySetup};
