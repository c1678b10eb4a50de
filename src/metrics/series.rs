use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use super::cell::{CounterCell, GaugeCell, UpDownCell};
use super::histogram::HistogramCell;
use crate::clock::Nanos;

/// The number of a series in its registry.
///
/// A label set that vanishes and appears again has another number. A counter with a new number started at zero, so its
/// first value is an increase. Series that are read when they are needed (observable ones) have the number 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct SeriesId(pub(super) u64);

/// One label set of one metric, and its value.
#[derive(Debug)]
pub(super) struct Series {
    /// The number of this series. A series that is freed and made again gets another one.
    #[cfg_attr(
        not(any(feature = "history", feature = "otlp")),
        expect(dead_code, reason = "only a snapshot reads it")
    )]
    pub(super) id: SeriesId,
    /// When the series was made, in nanoseconds since the Unix epoch. Later steps of the wall clock do not change it.
    #[cfg_attr(
        not(any(feature = "history", feature = "otlp")),
        expect(dead_code, reason = "only a snapshot reads it")
    )]
    pub(super) made_at: u64,
    /// In canonical form.
    pub(super) labels: Arc<str>,
    pub(super) cell: SeriesCell,
    /// The activity at the last check.
    checked_activity: AtomicU64,
    /// The time of the last check that found a change.
    active_at: AtomicU64,
    /// Whether the series was removed from the exposition because it was idle.
    is_expired: AtomicBool,
}

#[derive(Debug)]
pub(super) enum SeriesCell {
    Counter(CounterCell),
    Gauge(GaugeCell),
    UpDown(UpDownCell),
    /// Boxed, since it is many times as large as the others.
    Histogram(Box<HistogramCell>),
    /// The cell of a histogram that is switched off.
    Off,
}

/// The result of a check whether a series is idle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SeriesAge {
    Active,
    /// The series has been idle for long enough and was not expired before.
    ExpiresNow,
    Expired,
}

impl Series {
    /// A new series; `made_at` is the wall time of `now`.
    pub(super) fn new(
        id: SeriesId,
        labels: Arc<str>,
        cell: SeriesCell,
        now: Nanos,
        made_at: u64,
    ) -> Self {
        Self {
            id,
            made_at,
            labels,
            cell,
            checked_activity: AtomicU64::new(0),
            active_at: AtomicU64::new(now),
            is_expired: AtomicBool::new(false),
        }
    }

    /// A number that changes with each use.
    pub(super) fn activity(&self) -> u64 {
        match &self.cell {
            SeriesCell::Counter(cell) => cell.total(),
            SeriesCell::Gauge(cell) => cell.activity(),
            SeriesCell::UpDown(cell) => cell.activity(),
            SeriesCell::Histogram(cell) => cell.count(),
            SeriesCell::Off => 0,
        }
    }

    /// Whether the value is a level that its owners will undo. Such a series is exposed and kept however long it is
    /// idle.
    fn is_level(&self) -> bool {
        match &self.cell {
            SeriesCell::Counter(_) | SeriesCell::Histogram(_) | SeriesCell::Off => false,
            SeriesCell::Gauge(cell) => cell.is_level(),
            SeriesCell::UpDown(cell) => cell.value() != 0,
        }
    }

    /// Checks whether the series was used since the last check, and expires it if it was not for `idle_after`.
    pub(super) fn check_age(&self, now: Nanos, idle_after: Nanos) -> SeriesAge {
        let activity = self.activity();
        if self.checked_activity.swap(activity, Relaxed) != activity || self.is_level() {
            self.active_at.store(now, Relaxed);
            self.is_expired.store(false, Relaxed);
            return SeriesAge::Active;
        }
        if now.saturating_sub(self.active_at.load(Relaxed)) < idle_after {
            return SeriesAge::Active;
        }
        if self.is_expired.swap(true, Relaxed) {
            SeriesAge::Expired
        } else {
            SeriesAge::ExpiresNow
        }
    }

    /// Whether the series is exposed. An expired series that is used again is exposed immediately, before the next
    /// check.
    pub(super) fn is_exposed(&self) -> bool {
        !self.is_expired.load(Relaxed) || self.was_used_since_check()
    }

    pub(super) fn was_used_since_check(&self) -> bool {
        self.activity() != self.checked_activity.load(Relaxed)
    }
}

/// A series in the set of its metric, found by its labels.
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
