#![cfg_attr(feature = "axum", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "axum"),
    doc = "A tower service that watches itself, in its own process."
)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::print_stdout,
        clippy::print_stderr,
        clippy::exit,
        clippy::todo,
        clippy::unimplemented,
        clippy::disallowed_methods,
    )
)]

mod access;
pub mod alerts;
pub mod anomaly;
mod clock;
pub mod config;
pub mod content;
mod context;
pub mod dashboard;
pub mod db;
mod error;
pub mod errors;
pub mod external;
mod files;
pub mod guide;
pub mod health;
pub mod history;
pub mod http;
pub mod logs;
pub mod metrics;
mod model;
mod monitor;
pub mod otel;
mod record;
mod redact;
mod semconv;
#[cfg(feature = "serde")]
mod serialize;
#[cfg(feature = "history")]
pub mod summary;
pub mod system;
#[cfg(feature = "testing")]
pub mod testing;
pub mod trace;
mod users;
mod worker;

pub use self::access::{Access, Role};
pub use self::context::InFlight;
pub use self::error::{Error, Result};
pub use self::errors::{ResultExt, capture_error, capture_message};
pub use self::http::EndpointLayer;
pub use self::model::{
    Attributes, DropReason, EventId, KeepReason, Level, Outcome, ParseIdError, RecordKind,
    RecordTotals, ShutdownReport, SpanId, Subscription, TraceId, Value,
};
#[cfg(feature = "axum")]
pub use self::monitor::NoMonitor;
pub use self::monitor::{
    Finding, Global, GlobalReport, GlobalState, InstallReport, Monitor, MonitorBuilder,
    MonitorGuard, MonitorReport, Server, shutdown_signal,
};
pub use self::trace::{in_current_trace, spawn, spawn_blocking};
pub use self::users::ActiveUsers;
