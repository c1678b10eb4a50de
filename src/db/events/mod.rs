//! The events that SQLx itself emits for its queries, for a host that uses its pools as they are.

#[cfg(not(feature = "sqlx"))]
mod disabled;
#[cfg(feature = "sqlx")]
mod enabled;

use std::time::Duration;

#[cfg(not(feature = "sqlx"))]
pub(super) use self::disabled::{SqlxEvents, suppress};
#[cfg(feature = "sqlx")]
pub(super) use self::enabled::{SqlxEvents, suppress};

/// A query that an event reports.
#[derive(Debug)]
pub(super) struct SqlxQuery {
    pub(super) statement: String,
    pub(super) elapsed: Duration,
    pub(super) rows_returned: Option<u64>,
    pub(super) rows_affected: Option<u64>,
}
