use tracing::Event;
use tracing::level_filters::LevelFilter;

use super::SqlxQuery;

/// Without the feature, no event reports a query.
#[derive(Debug, Default)]
pub(in crate::db) struct SqlxEvents {}

impl SqlxEvents {
    pub(in crate::db) const LEVEL: LevelFilter = LevelFilter::OFF;

    pub(in crate::db) fn listen(&self) {
        let _ = self;
    }

    pub(in crate::db) fn missing(&self) -> Option<(&'static str, LevelFilter)> {
        let _ = self;
        None
    }

    pub(in crate::db) fn read(&self, event: &Event<'_>) -> Option<SqlxQuery> {
        let _ = (self, event);
        None
    }
}

/// Runs `work`. There are no events to suppress.
#[inline]
pub(in crate::db) fn suppress<R>(work: impl FnOnce() -> R) -> R {
    work()
}
