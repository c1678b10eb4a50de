use tracing::Event;
use tracing::level_filters::LevelFilter;

use super::super::queries::Queries;

/// What was told by events: nothing.
#[derive(Debug, Default)]
pub(in crate::db) struct Told {}

impl Told {
    pub(in crate::db) const LEVEL: LevelFilter = LevelFilter::OFF;

    pub(in crate::db) fn listen(&self) {
        let _ = self;
    }

    pub(in crate::db) fn misses(&self) -> Option<(&'static str, LevelFilter)> {
        let _ = self;
        None
    }

    pub(in crate::db) fn hear(&self, queries: &Queries, event: &Event<'_>) {
        let _ = (self, queries, event);
    }
}

/// Runs code whose events nobody would hear.
#[inline]
pub(in crate::db) fn unheard<R>(work: impl FnOnce() -> R) -> R {
    work()
}
