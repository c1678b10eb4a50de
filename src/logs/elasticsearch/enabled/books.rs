use std::sync::Mutex;
use std::time::Duration;

use crate::clock::{Clock, Nanos};
use crate::model::{lock, lock_for_status};

/// The counts of a shipper, and its state for health.
#[derive(Debug)]
pub(super) struct ShipBooks {
    figures: Mutex<ShipFigures>,
    monotonic: Clock,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ShipFigures {
    pub(super) delivered: u64,
    /// Those of them that the server had already.
    pub(super) repeated: u64,
    /// Documents that the server refused for good, and those that are too large for it.
    pub(super) rejected: u64,
    pub(super) too_large: u64,
    /// Documents in memory alone that were not settled when the monitor shut down.
    pub(super) at_shutdown: u64,
    /// Lines of the files that were gone before they were read.
    pub(super) truncated: u64,
    pub(super) failed_requests: u64,
    /// Documents that were read and are not settled.
    pub(super) in_batch: u64,
    /// The numbers of the first line of this process and of the next one, once the files are open.
    pub(super) lines: Option<(u64, u64)>,
    /// Why nothing can be delivered now.
    pub(super) problem: Option<String>,
    /// Whether the last documents were refused.
    pub(super) is_rejecting: bool,
    pub(super) last_delivery: Option<Nanos>,
    pub(super) waiting_since: Option<Nanos>,
}

impl ShipBooks {
    pub(super) fn new() -> Self {
        Self {
            figures: Mutex::default(),
            monotonic: Clock::system(),
        }
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut ShipFigures, Nanos)) {
        let now = self.monotonic.now();
        change(&mut lock(&self.figures), now);
    }

    /// `None` in a child made by `fork` if a thread of the parent held the lock.
    pub(super) fn figures(&self) -> Option<ShipFigures> {
        lock_for_status(&self.figures).map(|it| it.clone())
    }

    /// The time since then.
    pub(super) fn age(&self, then: Option<Nanos>) -> Option<Duration> {
        let now = self.monotonic.now();
        then.map(|then| Duration::from_nanos(now.saturating_sub(then)))
    }
}
