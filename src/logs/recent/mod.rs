//! The last log records, in memory.
//!
//! The worker copies each record in its encoding, which costs little and takes less memory than a line. A reader formats
//! what it asks for with the formatter of the lines, so that both show the same fields and have the same secrets
//! redacted.

mod blocks;
mod query;
mod record_facts;
mod store;
#[cfg(test)]
mod tests;

pub use self::query::{LogRecord, RecentLogs};
pub(in crate::logs) use self::store::LineVisit;
pub(crate) use self::store::{RecentLogStore, RecentLogsObserver};
