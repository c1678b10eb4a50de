use std::borrow::Cow;
use std::sync::Arc;

use crate::request::{DriverError, FailedQuery};

/// How a query ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    Completed,
    Failed {
        /// The database's code where it is known, else the error's type.
        error_type: Cow<'static, str>,
        driver: DriverError,
        /// The path of the error's type.
        type_name: &'static str,
        /// Whether an adapter read the error.
        by_driver: bool,
    },
    /// Dropped before its end: the caller went away, or gave up.
    Cancelled,
    Panicked,
    /// It ended, and nobody said how: an event of SQLx alone told of it.
    #[cfg_attr(not(feature = "sqlx"), expect(dead_code, reason = "a feature's"))]
    Unknown,
}

impl Ended {
    /// The query that failed, if it did.
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

    /// `watchpost.outcome`.
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
