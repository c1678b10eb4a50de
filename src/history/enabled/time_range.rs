use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::error::{Error, Result};

/// The maximum number of points of one result, as in Prometheus.
const MAX_POINTS: usize = 11_000;

/// The times at which a query is evaluated, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeRange {
    pub(super) start: i64,
    pub(super) end: i64,
    /// At least 1.
    pub(super) step: i64,
    points: usize,
}

impl TimeRange {
    /// # Errors
    ///
    /// Returns an error if `end` is before `start`, if `step` is shorter than a millisecond, or if there are too many
    /// points.
    pub(crate) fn new(start: SystemTime, end: SystemTime, step: Duration) -> Result<Self> {
        let (start, end) = (millis(start), millis(end));
        let step = i64::try_from(step.as_millis()).unwrap_or(i64::MAX);
        if step == 0 {
            return Err(Error::query(
                "the step is shorter than 1 ms: make it longer",
            ));
        }
        if end < start {
            return Err(Error::query("the end of the range is before its start"));
        }
        let steps = end.saturating_sub(start) / step;
        let points = usize::try_from(steps).map_or(usize::MAX, |steps| steps.saturating_add(1));
        if points > MAX_POINTS {
            return Err(Error::query(&format!(
                "the range has {points} points of {step} ms, and at most {MAX_POINTS} are returned: make the step longer"
            )));
        }
        Ok(Self {
            start,
            end,
            step,
            points,
        })
    }

    pub(super) fn times(&self) -> impl Iterator<Item = i64> {
        let Self { start, step, .. } = *self;
        (0..self.points)
            .filter_map(move |n| start.checked_add(step.checked_mul(i64::try_from(n).ok()?)?))
    }
}

/// Milliseconds since the Unix epoch; 0 for an earlier time.
pub(super) fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The time of milliseconds since the Unix epoch.
pub(super) fn time_of(millis: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(millis.max(0).unsigned_abs())
}
