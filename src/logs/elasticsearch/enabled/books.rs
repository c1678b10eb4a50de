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
    /// Whether these were counted. Nothing is counted after that.
    is_closed: bool,
    /// Lines of the files that were gone before they were read.
    pub(super) truncated: u64,
    pub(super) failed_requests: u64,
    /// Documents that were read and are not settled.
    pub(super) in_batch: u64,
    /// The numbers of the first line of this process and of the next one, once the files are open.
    pub(super) lines: Option<(u64, u64)>,
    /// Why nothing can be delivered now.
    pub(super) problem: Option<String>,
    /// Why the log files cannot be read now, and why the position in them cannot be stored.
    pub(super) read_problem: Option<String>,
    pub(super) store_problem: Option<String>,
    /// Whether the last documents were refused.
    pub(super) is_rejecting: bool,
    pub(super) last_delivery: Option<Nanos>,
    pub(super) waiting_since: Option<Nanos>,
}

impl ShipFigures {
    /// The number of lines that are delivered or dropped.
    pub(super) fn settled(&self) -> u64 {
        self.delivered + self.rejected + self.too_large + self.at_shutdown
    }
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
        let mut figures = lock(&self.figures);
        if !figures.is_closed {
            change(&mut figures, now);
        }
    }

    /// Counts those of the `taken` lines that are not settled as dropped, and returns their number. What becomes known of them
    /// later counts nothing.
    pub(super) fn close(&self, taken: u64) -> u64 {
        let mut figures = lock(&self.figures);
        if figures.is_closed {
            return 0;
        }
        let left = taken.saturating_sub(figures.settled());
        figures.is_closed = true;
        figures.at_shutdown = left;
        figures.in_batch = 0;
        figures.waiting_since = None;
        left
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
