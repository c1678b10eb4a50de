//! The last log records, in memory.
//!
//! The worker copies each record in its encoding, which costs little and takes less memory than a line. A reader formats
//! what it asks for with the formatter of the lines, so that both show the same fields and have the same secrets
//! redacted.

mod blocks;
mod line_fields;
mod query;
mod record_facts;
mod store;
#[cfg(test)]
mod tests;

pub use self::query::{LogQuery, LogRecord, RecentLogs};
pub(crate) use self::store::{RecentLogStore, RecentLogsObserver};
