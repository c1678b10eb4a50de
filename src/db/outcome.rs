use std::borrow::Cow;
use std::sync::Arc;

use crate::clock::{Nanos, seconds};
use crate::context::{DriverError, FailedQuery, QueryTiming};

/// How a query ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum QueryOutcome {
    Completed,
    Failed {
        /// The database's code if it is known, otherwise the error's type.
        error_type: Cow<'static, str>,
        driver: DriverError,
        /// The path of the error's type.
        type_name: &'static str,
        /// Whether an adapter read the error.
        by_driver: bool,
    },
    /// Dropped before its end: the client disconnected, or a timeout elapsed.
    Cancelled,
    Panicked,
    /// Only an event of SQLx reported the query; it does not show how the query ended.
    Unknown,
}

/// A query that has ended.
#[derive(Debug)]
pub(super) struct EndedQuery<'a> {
    pub(super) timing: QueryTiming<'a>,
    pub(super) outcome: &'a QueryOutcome,
    /// Rows returned or changed, if known.
    pub(super) rows: Option<u64>,
    pub(super) nanos: Nanos,
    pub(super) seconds: f64,
}

impl<'a> EndedQuery<'a> {
    #[inline]
    pub(super) fn new(
        timing: QueryTiming<'a>,
        outcome: &'a QueryOutcome,
        rows: Option<u64>,
    ) -> Self {
        let nanos = timing.end.saturating_sub(timing.start);
        Self {
            timing,
            outcome,
            rows,
            nanos,
            seconds: seconds(nanos),
        }
    }
}

impl QueryOutcome {
    /// The failed query as its request keeps it; `None` for any other outcome.
    pub(super) fn failed_query(&self, summary: &Arc<str>) -> Option<FailedQuery> {
        let Self::Failed {
            error_type,
            driver,
            type_name,
            by_driver,
        } = self
        else {
            return None;
        };
        Some(FailedQuery {
            summary: Arc::clone(summary),
            type_name,
            error_type: error_type.clone(),
            driver: driver.clone(),
            by_driver: *by_driver,
        })
    }

    /// The value of `watchpost.outcome`.
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed { .. } => "failed",
            Self::Cancelled => "cancelled",
            Self::Panicked => "panicked",
            Self::Unknown => "unknown",
        }
    }
}
