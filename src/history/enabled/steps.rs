//! What the memory, the files and the queries share: steps of time, and the values of series at consecutive steps.

use std::sync::Arc;

use super::column::Column;
use super::store::{SeriesKey, SeriesKind};
use super::timeline::Tick;
use crate::clock::Nanos;

/// The time that one step covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Resolution {
    /// One snapshot.
    Raw,
    Minute,
    Hour,
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

/// What is known about a series' value at one step, besides the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct StepFlags(pub(super) u8);

impl StepFlags {
    /// The value is an anomaly.
    pub(super) const ANOMALY: Self = Self(1);
}

/// The values of one series at consecutive steps.
#[derive(Debug, Clone)]
pub(super) struct SeriesRun {
    pub(super) key: SeriesKey,
    pub(super) kind: SeriesKind,
    /// The first step.
    pub(super) first: Tick,
    pub(super) column: Arc<Column>,
    /// The steps that have flags, in ascending order, counted from the first.
    pub(super) flags: Vec<(u32, StepFlags)>,
}
