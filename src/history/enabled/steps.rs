//! What the memory, the files and the queries share: steps of time, and the values of series at consecutive steps.

use std::ops::Range;
use std::sync::Arc;

use super::column::Column;
use crate::clock::Nanos;

/// The number of a step. The steps of one resolution are numbered consecutively.
pub(super) type Tick = u64;

/// The time that one step covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Resolution {
    /// One snapshot.
    Raw,
    Minute,
    Hour,
}

impl Resolution {
    /// The length of a step, in milliseconds. `None` for snapshots, whose length varies.
    pub(super) fn millis(self) -> Option<i64> {
        match self {
            Self::Raw => None,
            Self::Minute => Some(60_000),
            Self::Hour => Some(3_600_000),
        }
    }

    /// The end of the step that contains a wall time: for a snapshot, that time.
    pub(super) fn end_of_step(self, wall: i64) -> i64 {
        self.millis()
            .map_or(wall, |length| period_end(wall, length))
    }
}

/// The end of the period of a wall time, in milliseconds. A period contains the time after its begin, up to its end.
pub(super) fn period_end(wall: i64, length: i64) -> i64 {
    match wall.rem_euclid(length) {
        0 => wall,
        rest => wall.saturating_add(length - rest),
    }
}

/// The time of a step.
///
/// Steps of one resolution are numbered consecutively in the order in which they happened, also over restarts. If the
/// wall clock was set back, their wall times are not in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StepTime {
    /// Milliseconds since the Unix epoch: the time of the snapshot, or the end of the minute or hour. A step contains the
    /// snapshots after its begin, up to its end.
    pub(super) wall: i64,
    /// The time that its snapshots cover, in milliseconds, by the monotonic clock.
    pub(super) length: i64,
    /// How long monitors had run with this history when the step ended. The age of what is stored is measured by it, so
    /// that a step of the wall clock removes nothing.
    pub(super) at: Nanos,
    /// Whether time before the step, or within it, is not covered: the monitor did not run, snapshots were late, or the
    /// wall clock was set.
    pub(super) has_gap: bool,
    /// The number of its first snapshot.
    pub(super) first_snapshot: Tick,
    /// The number of its snapshots, at least 1. They are consecutive.
    pub(super) snapshots: u32,
}

/// The name and labels of a series.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct SeriesKey {
    pub(crate) name: Arc<str>,
    /// In canonical form.
    pub(crate) labels: Arc<str>,
}

/// The kind of a series' values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SeriesKind {
    /// Values at the steps.
    Gauge,
    /// Increases since the step before.
    Counter,
    /// Increases since the step before.
    Histogram,
}

impl StepTime {
    /// The number of the snapshot after the step.
    pub(super) fn end(&self) -> Tick {
        self.first_snapshot + u64::from(self.snapshots)
    }

    /// The numbers of its snapshots.
    pub(super) fn snapshots(&self) -> Range<Tick> {
        self.first_snapshot..self.first_snapshot + u64::from(self.snapshots)
    }
}

/// What is known about a series' value at one step, besides the value.
///
/// The first bit says that the value is an anomaly, and the next four how odd it is: each of them stands for a score of
/// [`SCORES`] that was reached. United flags have the highest score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct StepFlags(pub(super) u8);

/// The scores that flags distinguish, besides 1.
const SCORES: [f64; 4] = [2.0, 4.0, 8.0, 16.0];

impl StepFlags {
    /// The value is an anomaly.
    pub(super) const ANOMALY: Self = Self(1);

    /// The value is an anomaly with this score.
    pub(super) fn anomaly(score: f64) -> Self {
        let reached = SCORES.iter().filter(|least| score >= **least).count();
        Self(((1_u16 << (reached + 1)) - 1) as u8)
    }

    /// The highest of the scores that were told apart and that an anomaly has reached: 1 to 16. `None` if it is none.
    pub(super) fn score(self) -> Option<f64> {
        if !self.contains(Self::ANOMALY) {
            return None;
        }
        let reached = (self.0 >> 1).trailing_ones() as usize;
        let score = reached.min(SCORES.len()).checked_sub(1);
        Some(
            score
                .and_then(|place| SCORES.get(place).copied())
                .unwrap_or(1.0),
        )
    }

    pub(super) fn contains(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// The flags of both.
    pub(super) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The values of one series at consecutive steps.
#[derive(Debug, Clone)]
pub(super) struct SeriesRun {
    pub(super) key: SeriesKey,
    pub(super) kind: SeriesKind,
    /// The first step.
    pub(super) first: Tick,
    pub(super) column: Arc<Column>,
    /// The steps that have flags, in ascending order, counted from the first. They all have values.
    pub(super) flags: Vec<(u32, StepFlags)>,
}

impl SeriesRun {
    /// The steps of the run.
    pub(super) fn steps(&self) -> Range<Tick> {
        self.first..self.first + self.column.len() as u64
    }

    /// Whether both have the same kind of values, so that they can be added.
    pub(super) fn is_alike(&self, other: &Self) -> bool {
        self.kind == other.kind
            && match (&*self.column, &*other.column) {
                (Column::Histograms { empty, .. }, Column::Histograms { empty: other, .. }) => {
                    empty.bounds() == other.bounds()
                }
                (Column::Histograms { .. }, _) | (_, Column::Histograms { .. }) => false,
                _ => true,
            }
    }

    /// The positions in the column of those of the steps that the run has.
    pub(super) fn positions(&self, steps: &Range<Tick>) -> Range<usize> {
        let position = |step: Tick| {
            let position = usize::try_from(step.saturating_sub(self.first));
            position.unwrap_or(usize::MAX).min(self.column.len())
        };
        position(steps.start)..position(steps.end)
    }

    /// The flags of some positions, united.
    pub(super) fn flags_at(&self, positions: &Range<usize>) -> StepFlags {
        let start = self
            .flags
            .partition_point(|(position, _)| (*position as usize) < positions.start);
        let flags = self.flags.get(start..).unwrap_or_default().iter();
        flags
            .take_while(|(position, _)| (*position as usize) < positions.end)
            .fold(StepFlags::default(), |all, (_, flags)| all.with(*flags))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_tell_scores_apart_and_united_ones_have_the_highest() {
        let score = |score: f64| StepFlags::anomaly(score).score();
        let found = [1.0, 1.9, 2.0, 5.0, 8.0, 15.0, 16.0, 1e9, f64::INFINITY].map(score);
        let expected = [1.0, 1.0, 2.0, 4.0, 8.0, 8.0, 16.0, 16.0, 16.0].map(Some);
        assert_eq!(found, expected);
        assert_eq!(score(f64::NAN), Some(1.0));
        assert_eq!(StepFlags::default().score(), None);
        assert!(StepFlags::anomaly(3.0).contains(StepFlags::ANOMALY));
        let both = StepFlags::anomaly(5.0).with(StepFlags::anomaly(2.0));
        assert_eq!(both.score(), Some(4.0));
    }
}
