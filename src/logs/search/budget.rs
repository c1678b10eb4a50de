use std::time::Duration;

use crate::clock::{Clock, Nanos, nanos};

/// When a search has to end.
pub(in crate::logs) struct SearchBudget<'a> {
    monotonic: &'a Clock,
    until: Nanos,
    is_cancelled: &'a dyn Fn() -> bool,
}

impl<'a> SearchBudget<'a> {
    pub(super) fn new(
        monotonic: &'a Clock,
        limit: Duration,
        is_cancelled: &'a dyn Fn() -> bool,
    ) -> Self {
        Self {
            monotonic,
            until: monotonic.now().saturating_add(nanos(limit)),
            is_cancelled,
        }
    }

    /// Whether its time is over, or nobody waits for its result any more.
    pub(super) fn is_over(&self) -> bool {
        self.monotonic.now() >= self.until || self.is_cancelled()
    }

    /// Whether nobody waits for its result any more.
    pub(super) fn is_cancelled(&self) -> bool {
        (self.is_cancelled)()
    }
}
