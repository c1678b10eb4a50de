//! Log records in an Elasticsearch or an OpenSearch.
//!
//! `Shipping` reads the lines of the log files from a stored position on, sends them as documents, and stores the
//! position after each answer. The ID of a document follows from its line, and it is created, never replaced: so a line that
//! is sent again, because the answer was lost or the process was killed, is there once. Without log files, the lines wait in
//! a bounded queue in memory.
//!
//! It is a task on the blocking pool of the worker: it reads files and compresses, and awaits each answer on the worker's
//! runtime. Nothing of it runs on a thread of the host.

mod config;
#[cfg(not(feature = "elasticsearch"))]
mod disabled;
#[cfg(feature = "elasticsearch")]
mod enabled;
mod status;

pub use self::config::ElasticsearchConfig;
#[cfg(not(feature = "elasticsearch"))]
pub(crate) use self::disabled::Shipping;
#[cfg(feature = "elasticsearch")]
pub(crate) use self::enabled::Shipping;
pub(crate) use self::status::{ShippingSetup, ShippingStatus};
