use std::borrow::Cow;

/// How a query ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    Completed,
    Failed {
        /// The database's code where it is known, else the error's type.
        error_type: Cow<'static, str>,
        code: Option<Cow<'static, str>>,
    },
    /// Dropped before its end: the caller went away, or gave up.
    Cancelled,
    Panicked,
    /// It ended, and nobody said how: an event of SQLx alone told of it.
    #[cfg_attr(not(feature = "sqlx"), expect(dead_code, reason = "a feature's"))]
    Unknown,
}

impl Ended {
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
