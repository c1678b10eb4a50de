mod column;
#[expect(
    dead_code,
    reason = "the queries and the store that use it are to come"
)]
mod disk;
mod evaluate;
mod gauge;
mod metric_query;
mod numbers;
mod recorder;
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "for the store on disk, which is to come")
)]
mod roll_up;
mod steps;
mod store;
mod timeline;

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use self::metric_query::{Aggregation, MetricQuery, Point, ResultSeries};

use self::evaluate::{evaluate, labels_of};
use self::metric_query::Function;
use self::recorder::Recorder;
use self::store::{MemoryStore, SeriesKey};
use super::HistoryConfig;
use crate::error::{Error, Result};
use crate::metrics::Metrics;
use crate::model::{lock, lock_for_status};
use crate::worker::PeriodicTask;

/// The maximum number of points of one result, as in Prometheus.
const MAX_POINTS: usize = 11_000;

/// The history of all metrics of one monitor. [`Monitor::history`](crate::Monitor::history) returns it. Cheap to clone.
#[derive(Clone)]
pub struct History {
    metrics: Metrics,
    interval: Duration,
    store: Arc<Mutex<MemoryStore>>,
    recorder: Arc<Mutex<Recorder>>,
}

impl History {
    /// Creates an empty history, and the task that takes the snapshots.
    pub(crate) fn new(config: &HistoryConfig, metrics: &Metrics) -> (Self, PeriodicTask) {
        let history = Self {
            metrics: metrics.clone(),
            interval: config.interval,
            store: Arc::new(Mutex::new(MemoryStore::new(config))),
            recorder: Arc::new(Mutex::new(Recorder::new(metrics))),
        };
        let recording = history.clone();
        let task = PeriodicTask::on_pool(config.interval, move || recording.record());
        (history, task)
    }

    /// Takes a snapshot now, unless no time has passed since the last one.
    pub(crate) fn record(&self) {
        lock(&self.recorder).record(&self.store);
        if lock(&self.store).left_out() > 0 {
            self.metrics.notice(
                "There are more series than the history has room for: the newest are not in it. Raise \
                 `history.max_memory_bytes`, or remove labels with many values."
                    .to_owned(),
            );
        }
    }

    /// Returns the result of a query at one time: at most one point for each series or group.
    ///
    /// Like [`range`](Self::range), it reads the history on the calling thread, which blocks for some milliseconds: call it
    /// from a blocking task, not for each request.
    ///
    /// # Errors
    ///
    /// Returns an error if the query is invalid: a rank that is not from 0 to 1, or an empty window.
    pub fn at(&self, query: &MetricQuery, time: SystemTime) -> Result<Vec<ResultSeries>> {
        self.evaluate(query, &[millis(time)])
    }

    /// Returns the results of a query at `start`, and after each `step` up to `end`.
    ///
    /// # Errors
    ///
    /// Returns an error if the query is invalid, as for [`at`](Self::at), if `end` is before `start`, if `step` is shorter
    /// than a millisecond, or if there would be more than 11,000 points.
    pub fn range(
        &self,
        query: &MetricQuery,
        start: SystemTime,
        end: SystemTime,
        step: Duration,
    ) -> Result<Vec<ResultSeries>> {
        let (start, end) = (millis(start), millis(end));
        let step = i64::try_from(step.as_millis()).unwrap_or(i64::MAX);
        if step == 0 {
            return Err(problem("the step is shorter than 1 ms: make it longer"));
        }
        if end < start {
            return Err(problem("the end of the range is before its start"));
        }
        let steps = end.saturating_sub(start) / step;
        let points = usize::try_from(steps).map_or(usize::MAX, |steps| steps.saturating_add(1));
        if points > MAX_POINTS {
            return Err(problem(&format!(
                "the range has {points} points of {step} ms, and at most {MAX_POINTS} are returned: make the step longer"
            )));
        }
        let times = (0..points)
            .filter_map(|n| start.checked_add(step.checked_mul(i64::try_from(n).ok()?)?));
        self.evaluate(query, &times.collect::<Vec<_>>())
    }

    /// Returns the time from which the history has data. `None` before the first snapshot.
    pub fn begins_at(&self) -> Option<SystemTime> {
        let store = lock_for_status(&self.store)?;
        let begins = store.timeline().begins_at()?;
        Some(UNIX_EPOCH + Duration::from_millis(begins.max(0).unsigned_abs()))
    }

    /// Returns how much of the time from `start` to `end` the snapshots cover. Less than the whole if the monitor did not
    /// run, if the process or the machine was suspended, or if the wall clock was set.
    pub fn covered(&self, start: SystemTime, end: SystemTime) -> Duration {
        let Some(store) = lock_for_status(&self.store) else {
            return Duration::ZERO;
        };
        let ticks = store.timeline().between(millis(start), millis(end));
        let covered = ticks.fold(0, |sum: i64, (_, time)| sum.saturating_add(time.length));
        Duration::from_millis(covered.max(0).unsigned_abs())
    }

    /// The time between two snapshots.
    pub(crate) fn interval(&self) -> Duration {
        self.interval
    }

    fn evaluate(&self, query: &MetricQuery, times: &[i64]) -> Result<Vec<ResultSeries>> {
        check(query)?;
        let (Some(first), Some(last)) = (times.iter().min(), times.iter().max()) else {
            return Ok(Vec::new());
        };
        let window = i64::try_from(query.window.as_millis()).unwrap_or(i64::MAX);
        let is_wanted = |key: &SeriesKey| {
            *key.name == *query.metric && {
                let labels = labels_of(&key.labels);
                query
                    .matchers
                    .iter()
                    .all(|matcher| matcher.matches(&labels))
            }
        };
        // Only references to the values are read under the lock, so that the next snapshot does not wait for this query.
        let (ticks, series) = {
            // A child process made by `fork` may not be able to read it.
            let Some(store) = lock_for_status(&self.store) else {
                return Ok(Vec::new());
            };
            let ticks = store
                .timeline()
                .between(first.saturating_sub(window), *last);
            let ticks: Vec<_> = ticks.collect();
            let numbers = ticks.iter().map(|(tick, _)| *tick);
            let (Some(from), Some(to)) = (numbers.clone().min(), numbers.max()) else {
                return Ok(Vec::new());
            };
            let series = store.read(&(from..to + 1), is_wanted);
            (ticks, series)
        };
        Ok(evaluate(query, &series, &ticks, times))
    }
}

/// Refuses a query that cannot have a result.
pub(crate) fn check(query: &MetricQuery) -> Result<()> {
    if let Function::Quantile(rank) = query.function
        && !(0.0..=1.0).contains(&rank)
    {
        return Err(problem(&format!(
            "{rank} is no rank of a quantile: write a number from 0 to 1, such as 0.95"
        )));
    }
    if query.window.as_millis() == 0 {
        return Err(problem("the window is shorter than 1 ms: make it longer"));
    }
    Ok(())
}

fn problem(text: &str) -> Error {
    Error::query(text)
}

/// Milliseconds since the Unix epoch.
fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let store = lock_for_status(&self.store);
        f.debug_struct("History")
            .field("series", &store.as_ref().map(|store| store.series()))
            .field("bytes", &store.as_ref().map(|store| store.bytes()))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
