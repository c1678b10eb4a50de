mod column;
mod evaluate;
mod metric_query;
mod numbers;
mod recorder;
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
use crate::model::lock;
use crate::worker::PeriodicTask;

/// The maximum number of points of one result, as in Prometheus.
const MAX_POINTS: usize = 11_000;

/// The history of all metrics of one monitor. [`Monitor::history`](crate::Monitor::history) returns it. Cheap to clone.
#[derive(Clone)]
pub struct History {
    store: Arc<Mutex<MemoryStore>>,
    recorder: Arc<Mutex<Recorder>>,
}

impl History {
    /// Creates an empty history, and the task that takes the snapshots.
    pub(crate) fn new(config: &HistoryConfig, metrics: &Metrics) -> (Self, PeriodicTask) {
        let history = Self {
            store: Arc::new(Mutex::new(MemoryStore::new(config))),
            recorder: Arc::new(Mutex::new(Recorder::new(metrics.snapshotter()))),
        };
        let recording = history.clone();
        let task = PeriodicTask::new(config.interval, move || recording.record());
        (history, task)
    }

    /// Takes a snapshot now, unless no time has passed since the last one.
    pub(crate) fn record(&self) {
        lock(&self.recorder).record(&self.store);
    }

    /// Returns the result of a query at one time: at most one point for each series or group.
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
    /// Returns an error if the query is invalid, as for [`at`](Self::at), if `step` is shorter than a millisecond, or if
    /// there would be more than 11,000 points.
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
        let steps = end.saturating_sub(start).max(-1) / step;
        let points = usize::try_from(steps).map_or(0, |steps| steps.saturating_add(1));
        if points > MAX_POINTS {
            return Err(problem(&format!(
                "the range has {points} points of {step} ms, and at most {MAX_POINTS} are returned: make the step longer"
            )));
        }
        let times = (0..points)
            .filter_map(|n| start.checked_add(step.checked_mul(i64::try_from(n).ok()?)?));
        self.evaluate(query, &times.collect::<Vec<_>>())
    }

    /// Returns the time from which the history has data. `None` before the second snapshot.
    pub fn begins_at(&self) -> Option<SystemTime> {
        let store = lock(&self.store);
        let mut times = store.timeline().between(i64::MIN, i64::MAX);
        let (_, first) = times.next()?;
        times.next()?;
        Some(UNIX_EPOCH + Duration::from_millis(first.wall.max(0).unsigned_abs()))
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
        // Only the references to the encoded values are read under the lock, so that the next snapshot does not wait for
        // this query.
        let (ticks, series) = {
            let store = lock(&self.store);
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

fn check(query: &MetricQuery) -> Result<()> {
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
        let store = lock(&self.store);
        f.debug_struct("History")
            .field("series", &store.series())
            .field("bytes", &store.bytes())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
