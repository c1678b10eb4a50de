use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use super::cell::{CounterCell, GaugeCell, UpDownCell};
use super::histogram::HistogramCell;
use crate::clock::Nanos;

/// One label set of one metric.
#[derive(Debug)]
pub(super) struct Series {
    /// In canonical form.
    pub(super) labels: Box<str>,
    pub(super) cell: Cell,
    /// The activity when the registry last looked.
    seen: AtomicU64,
    /// When the registry last saw it change.
    since: AtomicU64,
    hidden: AtomicBool,
}

#[derive(Debug)]
pub(super) enum Cell {
    Counter(CounterCell),
    Gauge(GaugeCell),
    UpDown(UpDownCell),
    Histogram(HistogramCell),
    /// Of a histogram that is off.
    Off,
}

/// What a look at a series' age found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Age {
    Used,
    /// Idle for long enough, seen now for the first time.
    LeavesNow,
    Left,
}

impl Series {
    pub(super) fn new(labels: Box<str>, cell: Cell, now: Nanos) -> Self {
        Self {
            labels,
            cell,
            seen: AtomicU64::new(0),
            since: AtomicU64::new(now),
            hidden: AtomicBool::new(false),
        }
    }

    /// A number that changes with each use.
    pub(super) fn activity(&self) -> u64 {
        match &self.cell {
            Cell::Counter(cell) => cell.total(),
            Cell::Gauge(cell) => cell.activity(),
            Cell::UpDown(cell) => cell.activity(),
            Cell::Histogram(cell) => cell.count(),
            Cell::Off => 0,
        }
    }

    /// Whether the value is a level that its holders will undo: it is shown and kept however old.
    fn is_level(&self) -> bool {
        match &self.cell {
            Cell::Counter(_) | Cell::Histogram(_) | Cell::Off => false,
            Cell::Gauge(cell) => cell.is_level(),
            Cell::UpDown(cell) => cell.value() != 0,
        }
    }

    /// Looks whether the series was used since the last look.
    pub(super) fn look(&self, now: Nanos, idle_after: Nanos) -> Age {
        let activity = self.activity();
        if self.seen.swap(activity, Relaxed) != activity || self.is_level() {
            self.since.store(now, Relaxed);
            self.hidden.store(false, Relaxed);
            return Age::Used;
        }
        if now.saturating_sub(self.since.load(Relaxed)) < idle_after {
            return Age::Used;
        }
        if self.hidden.swap(true, Relaxed) {
            Age::Left
        } else {
            Age::LeavesNow
        }
    }

    /// Whether the page shows it: a series that had left and is used again is back at once.
    pub(super) fn is_shown(&self) -> bool {
        !self.hidden.load(Relaxed) || self.is_used_again()
    }

    pub(super) fn is_used_again(&self) -> bool {
        self.activity() != self.seen.load(Relaxed)
    }
}

/// A series in its metric's set, found by its labels.
#[derive(Debug)]
pub(super) struct ByLabels(pub(super) Arc<Series>);

impl Borrow<str> for ByLabels {
    fn borrow(&self) -> &str {
        &self.0.labels
    }
}

impl Hash for ByLabels {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.labels.hash(state);
    }
}

impl PartialEq for ByLabels {
    fn eq(&self, other: &Self) -> bool {
        self.0.labels == other.0.labels
    }
}

impl Eq for ByLabels {}
