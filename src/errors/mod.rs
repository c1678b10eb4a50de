//! Error capture: each error is an event with its sources and its request, grouped, stored and sent.
//!
//! ```
//! # fn main() -> watchpost::Result<()> {
//! # let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
//! use watchpost::ResultExt;
//!
//! // In front of a `?`, with the monitor of the current request:
//! fn order(path: &str) -> std::io::Result<String> {
//!     Ok(std::fs::read_to_string(path).capture()?)
//! }
//! # let _not_found = order("/var/shop/orders/17.json");
//!
//! // With details, and the monitor at hand:
//! let error = std::io::Error::other("the disk is gone");
//! let id = monitor
//!     .error_capture(&error)
//!     .tag("disk", "sda")
//!     .extra("attempt", 2)
//!     .user("u-17")
//!     .capture();
//! assert!(!id.is_nil());
//! # Ok(())
//! # }
//! ```
//!
//! # How to capture
//!
//! | call | captures |
//! |---|---|
//! | [`result.capture()?`](ResultExt::capture) | the error of a result that is passed on, also an `anyhow::Error`, an `eyre::Report` and a `Box<dyn Error>` |
//! | [`capture_error(&error)`](capture_error) | an error, with the monitor of the current request, or else with the installed one |
//! | [`monitor.capture_error(&error)`](crate::Monitor::capture_error) | an error, with this monitor |
//! | [`monitor.error_capture(&error)..capture()`](crate::Monitor::error_capture) | an error with tags, extra attributes, a user, a level, a fingerprint |
//! | [`monitor.capture_error_durable(&error).await`](crate::Monitor::capture_error_durable) | an error, and completes when the event is on disk |
//! | [`monitor.capture_message(level, text)`](crate::Monitor::capture_message) | a text |
//! | the panic hook | a panic, after [`install`](crate::Monitor::install) |
//!
//! # What an event contains
//!
//! Type and message of the error and of up to nine sources, the location of the capture, and the known data of the
//! request: IDs, route, method, path, user, the attributes of the layer's hooks, and the last twenty `tracing` events.
//! An event of the example above, captured while a request was handled, is this [`ErrorEvent`] (`{:#?}`, without empty
//! fields):
//!
//! ```text
//! ErrorEvent {
//!     id: 77d7bdbf1d9d4e04a2942fff03187769,
//!     level: Error,
//!     kind: Error,
//!     causes: [
//!         Cause {
//!             type_name: "std::io::error::Error",
//!             message: "the disk is gone",
//!         },
//!     ],
//!     location: "src/orders.rs:19:17",
//!     thread: "tokio-rt-worker",
//!     trace_id: 4433808d45890a008fb200197c911045,
//!     span_id: 22b5b5514c4d2b63,
//!     method: "GET",
//!     route: "/orders/{id}",
//!     path: "/orders/17",
//!     query: "token=REDACTED&page=REDACTED",
//!     user_agent: "curl/8.5.0",
//!     user: "u-17",
//!     tags: [("disk", "sda")],
//!     extra: Attributes { items: [("attempt", I64(2))], .. },
//!     breadcrumbs: [
//!         Breadcrumb {
//!             level: Info,
//!             target: "shop::orders",
//!             message: "loading the order",
//!             fields: [("order.id", "17"), ("password", "[Filtered]")],
//!         },
//!     ],
//!     group: 4286495750451534375,
//!     resident_bytes: Some(33894400),
//! }
//! ```
//!
//! An error that a database returned, through SQLx or tokio-postgres with their features, has further extra
//! attributes: the code (`db.response.status_code`), the violated constraint (`watchpost.db.constraint`; with SQLx
//! for `PostgreSQL` only) and, if it is the error of the last failed query of the trace, that query's summary
//! (`db.query.summary`).
//!
//! # Where an event goes
//!
//! Each event becomes a log record, whose level is ERROR unless the capture sets another one:
//!
//! ```text
//! {"timestamp":"2026-11-29T11:06:11.620922Z","level":"ERROR","message":"the disk is gone","service.name":"shop","event_id":"77d7bdbf1d9d4e04a2942fff03187769","trace_id":"4433808d45890a008fb200197c911045","span_id":"22b5b5514c4d2b63","http.route":"/orders/{id}","exception.type":"std::io::error::Error","exception.message":"the disk is gone","code.file.path":"src/orders.rs","code.line.number":19,"user.id":"u-17","disk":"sda","attempt":2}
//! ```
//!
//! It is counted by type and level:
//!
//! ```text
//! watchpost_errors_total{error_type="std::io::error::Error",level="error"} 1
//! ```
//!
//! `error_type` is the path of the type. An error behind `dyn Error`, as in `anyhow::Error`, counts as `_OTHER`:
//! its only name is what its `Debug` prints, and that may contain data. A panic counts as `panic`, a text as
//! `message`.
//!
//! It is added to its group, is stored if there is a data directory, and is sent to Sentry if there is a DSN. If no
//! monitor captures an error, because no monitor is installed and the code runs outside a request, the error counts
//! in `watchpost_errors_unrouted_total`.
//!
//! # Which events form a group
//!
//! The first of these that an event has determines its group:
//!
//! 1. the [fingerprint](ErrorCapture::fingerprint) that the capture set;
//! 2. its type and the frames of the service's own functions, without lines, so that a new release finds the same group;
//! 3. its type and its message, with placeholders in place of what differs from one event to the next: addresses, IDs, dates,
//!    durations, numbers and quoted text. `row 42 of 10.0.0.1 failed` becomes `row <int> of <ip> failed`.
//!
//! Only the first events of a place have frames. They decide for the place, and later events of this type and place join
//! the same group. Until the frames of the first event are resolved, the group is one of its place
//! ([`GroupedBy::Place`]).
//!
//! At most a thousand groups are kept. A further one replaces the least recently seen group of the location that has the
//! most, so that a location whose errors all differ leaves those of others. Groups that are resolved or muted go last.
//! `watchpost_error_groups_evicted_total` counts them.
//!
//! # What is known of a group
//!
//! [`Monitor::errors`](crate::Monitor::errors) lists the groups. An [`ErrorGroup`] has the number of events, the first and
//! the last one, events by minute and by hour, the number of users, the routes, releases and environments with the most
//! events, and up to eight sample events. Samples are chosen so that rare errors keep theirs: of many events, a new one
//! rarely tells more than those before.
//!
//! | state | what it means | how it ends |
//! |---|---|---|
//! | open | nobody has dealt with it | |
//! | resolved | it should not occur again: [now](ErrorResolution::Now), [in this release](ErrorResolution::ThisRelease) or [in the next one](ErrorResolution::NextRelease) | with an event to which the resolution applies: it is regressed |
//! | regressed | it occurred again | it is resolved again, or reopened |
//! | muted | its events are counted, and no hook is called | at a time, or with [more events within a period](Mute::UntilMoreThan) |
//!
//! The last twelve changes of a group's state are kept with it ([`ErrorGroup::changes`]), with the name and the comment that
//! an operator gave on the [dashboard](crate::dashboard#errors).
//!
//! Groups and their states are stored in the data directory: a change of a state at once, and counts every ten seconds. After
//! a `kill -9`, the stored events that the counts do not contain are added. With a Sentry sink, that leaves out events that
//! were already delivered. Groups that a later version has stored are left as they are,
//! and so are those that cannot be read within 30 seconds. The groups of the process are then in memory alone.
//!
//! # Hooks
//!
//! | | called |
//! |---|---|
//! | [`Monitor::on_new_error`](crate::Monitor::on_new_error) | with the first event of a group that was never seen before |
//! | [`Monitor::on_regression`](crate::Monitor::on_regression) | when a resolved group occurs again |
//! | [`Monitor::on_error_spike`](crate::Monitor::on_error_spike) | when a group has more than ten events within five minutes and five times its usual number, or more than 30 within an hour and three times that number; once for each spike |
//!
//! With a data directory, the next process announces new errors and regressions that a process has not announced before it
//! stopped or crashed. After a crash, one that was announced a moment before may be announced again. A new error whose first
//! event was not on disk is new to the next process.
//!
//! `watchpost_error_patterns_total` counts the same by `pattern`, and the first error of each new release
//! (`first_of_release`). `watchpost_error_patterns_unannounced_total` counts those with which no hook can be called: their groups
//! made room for others, or too many waited. The usual number is the mean of up to 24 hours. In its first hour a group has none.
//!
//! # Panics
//!
//! [`install`](crate::Monitor::install) sets a panic hook in front of the process's hook, which runs after it. It
//! captures each panic once, whether or not a [layer catches](crate::http#with-a-layer-that-catches-panics) the panic. Set
//! a hook that does not call the one before it, such as color-eyre's, before `install`: after it, that hook hides panics
//! from this one. [`Monitor::doctor`](crate::Monitor::doctor) reports panics that reached a layer but not the hook; another
//! call of `install` sets the hook in front again. [`build`](crate::MonitorBuilder::build) sets no hook.
//!
//! # What a capture costs
//!
//! On the caller's thread, a capture formats a few texts and copies them into the queue. It waits for nothing;
//! redacting, grouping and storing happen on the worker's thread.
//!
//! A backtrace costs ten times as much. So it is captured for the first five errors of one type at one location,
//! and its frames are resolved on the worker. Meanwhile other captures get no backtrace: the standard library
//! captures and resolves under one lock.
//!
//! # How much memory the first error takes
//!
//! Resolving the first backtrace of a process reads the symbols of the program and of its libraries. The standard library
//! keeps them until the process ends, as it does after a panic under `RUST_BACKTRACE=1`. Later backtraces add next to
//! nothing. This is the resident memory of a small axum service on x86-64 Linux, before its first captured error and
//! after it:
//!
//! | the program's file | before | after | six errors later |
//! |---|---:|---:|---:|
//! | stripped, 25 MB | 18 MB | 56 MB | 56 MB |
//! | without debug information, 35 MB | 17 MB | 59 MB | 59 MB |
//! | with debug information of one crate, 108 MB | 18 MB | 115 MB | 115 MB |
//! | any, with [`Backtraces::Off`] | 18 MB | 19 MB | 19 MB |
//!
//! As a rule, allow 40 MB, and with debug information the size of the program's file. Plan the memory limit of a container
//! for it.
//!
//! No backtrace is resolved if that memory is not there: 64 MiB and the size of the program's file must be available under
//! the limits of the control group and of the machine, and 192 MiB more under a limit of the address space (`ulimit -v`),
//! because allocators reserve address space that they do not use. The event then has no frames, and a notice reports it.
//!
//! # What is stored
//!
//! With a data directory, every event is on disk a few milliseconds after its capture: within 50 ms in 99 of 100 cases,
//! later if disk and cores are busy. A `kill -9` loses what was captured within that window, but never an event that
//! [`Monitor::capture_error_durable`](crate::Monitor::capture_error_durable) reported as stored. The next process reads
//! the events and adds those to its groups that these do not contain yet.
//!
//! If the disk is full, broken or missing, events are kept in memory only, a notice reports it, and the store tries
//! again every five seconds. The files hold at most 64 MiB; when they are full, the oldest events are removed and
//! counted in `watchpost_errors_evicted_total`.
//!
//! # What is sent to Sentry
//!
//! With a DSN ([`sentry_dsn`](crate::MonitorBuilder::sentry_dsn), `SENTRY_DSN`) and the feature `sentry`, each
//! event is sent with the ID that the capture returned. [`before_send`](crate::MonitorBuilder::before_send) can
//! change or drop it. Traces are not sent to Sentry.
//!
//! | | with a data directory | without |
//! |---|---|---|
//! | an event is sent | once it is stored | immediately |
//! | it is kept | until the server accepts it or refuses it permanently, across outages, restarts and `kill -9`, within the limit of the store | in memory, at most 8 MiB in all |
//! | it may be sent again, with the same ID | if the response is lost, or after a restart | if the response is lost |
//!
//! A response of 429 and rate limits for errors are obeyed. After 401 and 403, the sink tries again every five
//! minutes. Other refusals drop the event, count it and report it to the server with a later event.
//!
//! # With a Sentry client of your own
//!
//! A service that uses [`sentry`](https://docs.rs/sentry) itself can keep it. Both clients read `SENTRY_DSN`, and neither
//! knows what the other one sends. This crate does not use Sentry's global hub.
//!
//! | what happens | your client sends | this crate sends |
//! |---|---|---|
//! | a panic | yes, with Sentry's panic integration, which is on by default | yes, after [`install`](crate::Monitor::install) |
//! | `capture()?`, `capture_error`, `monitor.error_capture(..)` of this crate | no | yes |
//! | `sentry::capture_error`, `sentry_anyhow`, .. | yes | no |
//! | a `tracing` event at ERROR | yes, with sentry-tracing | no: such an event is a log record |
//! | a response with status 500 | no, unless your code captures it | no: it is a log record and a trace |
//! | transactions and spans | yes, with a sample rate | no |
//!
//! So with `SENTRY_DSN` set and both at work, each panic arrives twice, and so does an error that you hand to both. Choose
//! one client for errors:
//!
//! - **This crate sends.** Leave out `sentry::init`, or remove Sentry's panic integration and capture errors with this
//!   crate only.
//! - **Your client sends.** Give this crate no DSN: name the variable of your client otherwise, such as
//!   `SHOP_SENTRY_DSN`, and hand its value to `sentry::init`. If the name must stay, keep every event here with
//!   `.before_send(|_| false)`; the events are still log records and groups, and count as dropped with the reason
//!   `before_send`. An empty `WATCHPOST_SENTRY_DSN` counts as unset and changes nothing.
//!
//! In both cases add [`Monitor::sentry_integration`](crate::Monitor::sentry_integration) to the options of your client. It
//! gives its events the IDs of the current request, so that they lead to the log records and the trace. An event inside a
//! transaction of Sentry's keeps its link to that, and has the trace ID in the tag `watchpost.trace_id`.
//!
//! ```no_run
//! # #[cfg(feature = "sentry")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let monitor = watchpost::Monitor::builder("shop").install()?; // `SENTRY_DSN` is not set
//! let options = sentry::ClientOptions::new().add_integration(monitor.sentry_integration());
//! let _sentry = sentry::init((std::env::var("SHOP_SENTRY_DSN")?, options));
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "sentry"))]
//! # fn main() {}
//! ```
//!
//! # What is redacted
//!
//! Every text is redacted on the worker's thread before anything keeps or sends it: values under sensitive keys,
//! and secrets with a known form. Query strings keep parameter names; values are redacted. See
//! [`logs`](crate::logs#what-is-redacted).

mod backtraces;
mod builder;
mod capture;
mod chain;
mod config;
mod decode;
mod details;
mod durable;
mod durable_waiters;
mod event;
mod frames;
mod global;
mod grouping;
mod groups;
mod panics;
mod processor;
mod registry;
mod resident_memory;
mod sentry;
mod shared;
mod stored_record;
mod symbol_memory;
#[cfg(test)]
mod testing;
mod tracker;

pub use self::builder::ErrorCapture;
pub use self::config::{Backtraces, ErrorsConfig};
pub use self::durable::{CaptureReceipt, DurableCapture};
pub use self::event::{Breadcrumb, Cause, ErrorEvent, EventKind, Frame};
pub use self::global::{ResultExt, capture_error, capture_message};
pub use self::groups::{
    ErrorFilter, ErrorGroup, ErrorGroups, ErrorPattern, ErrorPatternEvent, ErrorQuery,
    ErrorResolution, ErrorSort, ErrorState, ErrorStateChange, GroupedBy, Mute, ResolvedBy,
    TopCounts,
};
#[cfg(feature = "sentry")]
pub use self::sentry::SentryIntegration;

pub(crate) use self::groups::ErrorGroupFigures;
#[cfg(feature = "dashboard")]
pub(crate) use self::groups::{ChangeAuthor, ErrorDecision};
pub(crate) use self::panics::set_panic_hook;
pub(crate) use self::registry::{AnyMonitor, current_monitor, has_installed, unrouted};
pub(crate) use self::sentry::{BeforeSend, Dsn, SentrySetup};
pub(crate) use self::tracker::{ErrorTracker, ErrorTrackerSetup};
