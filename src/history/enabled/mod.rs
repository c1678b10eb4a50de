mod catalog;
mod column;
mod disk;
mod evaluate;
mod export;
mod flagged;
mod gauge;
mod history_reader;
mod markers;
mod metric_query;
mod metric_reader;
mod numbers;
mod plan;
#[cfg(feature = "prometheus-reader")]
mod prometheus;
#[cfg(any(feature = "alerts", feature = "prometheus-reader"))]
mod promql;
mod recorder;
mod roll_up;
mod steps;
mod store;
mod time_range;
mod timeline;
mod view;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use tokio::sync::Semaphore;

pub use self::catalog::{MetricInfo, MetricKind};
pub use self::export::{to_csv, to_json};
pub use self::markers::{Marker, MarkerKind};
pub use self::metric_query::{Aggregation, MetricQuery, Point, ResultSeries};
pub use self::metric_reader::{MetricReader, ReadFuture};
#[cfg(feature = "prometheus-reader")]
pub use self::prometheus::PrometheusReader;

pub(crate) use self::disk::DiskStatus;
pub(crate) use self::flagged::FlaggedSeries;
pub(crate) use self::markers::MarkerStore;
pub(crate) use self::recorder::{OddStep, RecordedStep, SnapshotObserver, TakenSnapshot};
pub(crate) use self::steps::{SeriesKey, SeriesKind};
pub(crate) use self::store::Step;
pub(crate) use self::time_range::TimeRange;

use self::disk::{DiskStore, DiskStoreSetup};
#[cfg(feature = "dashboard")]
use self::evaluate::Evaluation;
#[cfg(feature = "dashboard")]
use self::metric_query::Function;
use self::recorder::Recorder;
use self::store::MemoryStore;
use self::time_range::{millis, time_of};
#[cfg(feature = "dashboard")]
use self::view::evaluate_with;
use self::view::{HistoryView, StoredList, covered, evaluate};
use super::HistoryConfig;
use crate::clock::Clock;
#[cfg(feature = "dashboard")]
use crate::clock::Nanos;
use crate::error::Result;
use crate::metrics::Metrics;
#[cfg(feature = "dashboard")]
use crate::metrics::{Distribution, HistogramTotals};
use crate::model::{Diagnostics, InProgress, lock, lock_for_status};
use crate::worker::PeriodicTask;

/// The maximum number of reads that use the blocking pool at the same time.
const MAX_READS: usize = 4;
/// The longest time from a snapshot until it is stored, unless the disk is slow.
const PERSIST_EVERY: Duration = Duration::from_secs(1);

/// The history of all metrics of one monitor. [`Monitor::history`](crate::Monitor::history) returns it. Cheap to clone.
#[derive(Clone)]
pub struct History {
    metrics: Metrics,
    interval: Duration,
    store: Arc<Mutex<MemoryStore>>,
    stored: StoredList,
    recorder: Arc<Mutex<Recorder>>,
    /// Limits the reads on the blocking pool, which belongs to the host.
    reads: Arc<Semaphore>,
    /// The snapshot in progress.
    snapshot: Arc<InProgress>,
    markers: Arc<MarkerStore>,
    /// The files. `None` without a data directory.
    disk: Option<Arc<DiskStore>>,
}

/// The parts of a [`History`].
pub(crate) struct HistorySetup<'a> {
    pub(crate) config: &'a HistoryConfig,
    pub(crate) metrics: &'a Metrics,
    /// Where the history is stored. Without it, it is in memory alone.
    pub(crate) directory: Option<PathBuf>,
    pub(crate) clock: &'a Clock,
    pub(crate) diagnostics: &'a Arc<Diagnostics>,
    pub(crate) markers: &'a Arc<MarkerStore>,
    /// What judges the snapshots.
    pub(crate) observer: Option<Arc<dyn SnapshotObserver>>,
}

impl History {
    /// Creates the history, and the tasks that take the snapshots and store them. The files are opened by the first run of
    /// these tasks, so that a slow disk does not delay the start of the service.
    pub(crate) fn new(setup: HistorySetup<'_>) -> (Self, Vec<PeriodicTask>) {
        let HistorySetup {
            config,
            metrics,
            directory,
            clock,
            diagnostics,
            markers,
            observer,
        } = setup;
        let store = Arc::new(Mutex::new(MemoryStore::new(config)));
        let stored = StoredList::default();
        let disk = directory.map(|path| {
            let setup = DiskStoreSetup {
                config: config.clone(),
                memory: Arc::clone(&store),
                stored: stored.clone(),
                path: path.display().to_string(),
                clock: clock.clone(),
                diagnostics: Arc::clone(diagnostics),
            };
            Arc::new(DiskStore::in_directory(setup, &path))
        });
        let recorder = Recorder::new(metrics, observer);
        let history = Self {
            metrics: metrics.clone(),
            interval: config.interval,
            store,
            stored,
            snapshot: recorder.progress(),
            recorder: Arc::new(Mutex::new(recorder)),
            reads: Arc::new(Semaphore::new(MAX_READS)),
            markers: Arc::clone(markers),
            disk,
        };
        let recording = history.clone();
        let mut tasks = vec![PeriodicTask::on_pool(config.interval, move || {
            recording.record();
        })];
        if let Some(disk) = &history.disk {
            let disk = Arc::clone(disk);
            let period = config.interval.min(PERSIST_EVERY);
            tasks.push(PeriodicTask::on_pool(period, move || disk.persist()));
            let last = history.clone();
            let task = PeriodicTask::at_end("the history", move || last.record_last());
            tasks.push(task);
        }
        (history, tasks)
    }

    /// A history without files.
    #[cfg(test)]
    fn in_memory(config: &HistoryConfig, metrics: &Metrics) -> Self {
        let clock = Clock::system();
        let setup = HistorySetup {
            config,
            metrics,
            directory: None,
            clock: &clock,
            diagnostics: &Arc::default(),
            markers: &Arc::new(MarkerStore::new(&clock, "")),
            observer: None,
        };
        Self::new(setup).0
    }

    /// Takes a last snapshot and stores it. Blocks as long as the disk does. Returns whether all snapshots are stored.
    fn record_last(&self) -> bool {
        self.record();
        if let Some(disk) = &self.disk {
            disk.persist_last();
        }
        self.disk_status()
            .is_some_and(|status| status.failure.is_none())
    }

    /// Stores what was recorded, as a task of the monitor does every second. Blocks as long as the disk does, and waits for
    /// that task.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn persist(&self) {
        if let Some(disk) = &self.disk {
            disk.persist_last();
        }
    }

    /// The state of the files. `None` without a data directory.
    pub(crate) fn disk_status(&self) -> Option<DiskStatus> {
        self.disk.as_ref()?.status()
    }

    /// Reads the state of the files. `None` without a data directory.
    pub(crate) fn disk_status_reader(
        &self,
    ) -> Option<impl Fn() -> Option<DiskStatus> + Send + Sync + use<>> {
        let disk = Arc::clone(self.disk.as_ref()?);
        Some(move || disk.status())
    }

    /// Begins the history once the monitor's own metrics are registered: the first snapshot has the increases of the
    /// process's and the system's totals since then.
    pub(crate) fn begin(&self) {
        lock(&self.recorder).begin();
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
    /// from a blocking task, not for each request. [`MetricReader::at`] is the asynchronous form.
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
        let range = TimeRange::new(start, end, step)?;
        self.evaluate(query, &range.times().collect::<Vec<_>>())
    }

    /// Returns the metrics that the history has, in memory and in files, sorted by name: at most 10,000, the first in order.
    ///
    /// It reads a part of each file on the calling thread, as [`at`](Self::at) does. [`MetricReader::metrics`] is the
    /// asynchronous form.
    ///
    /// ```
    /// # #[cfg(feature = "testing")] {
    /// # let monitor = watchpost::testing::Harness::new();
    /// monitor.metrics().counter("jobs").build().with([("queue", "mail")]).add(1);
    /// # monitor.advance(std::time::Duration::from_secs(10));
    /// # monitor.snapshot();
    /// // After the next snapshot:
    /// let metrics = monitor.history().metrics();
    /// let jobs = metrics.iter().find(|metric| metric.name == "jobs_total").unwrap();
    /// assert_eq!((jobs.kind.as_str(), jobs.series), ("counter", Some(1)));
    /// assert_eq!(monitor.history().label_values("jobs_total", "queue"), ["mail"]);
    /// # }
    /// ```
    pub fn metrics(&self) -> Vec<MetricInfo> {
        catalog::metrics(&self.store, &self.stored)
    }

    /// Returns the values that a label has in the series of a metric, in memory and in files, sorted: at most 10,000, the
    /// first in order. Empty if there is no such metric, or if it does not have the label.
    ///
    /// It reads a part of each file on the calling thread, as [`at`](Self::at) does. [`MetricReader::label_values`] is the
    /// asynchronous form.
    pub fn label_values(&self, metric: &str, label: &str) -> Vec<String> {
        catalog::label_values(&self.store, &self.stored, metric, label)
    }

    /// Returns the time from which the history has data. `None` before the first snapshot.
    pub fn begins_at(&self) -> Option<SystemTime> {
        let view = HistoryView::of_times(&self.store, &self.stored);
        Some(time_of(plan::begins_at(&view.sources())?))
    }

    /// Returns how much of the time from `start` to `end` the snapshots cover. Less than the whole if the monitor did not
    /// run, if the process or the machine was suspended, or if the wall clock was set.
    pub fn covered(&self, start: SystemTime, end: SystemTime) -> Duration {
        let view = HistoryView::of_times(&self.store, &self.stored);
        covered(millis(start), millis(end), &view)
    }

    /// Returns the markers from `start` to `end`, in the order in which they were added: what
    /// [`Monitor::mark`](crate::Monitor::mark) has added, the starts of the service, and its shutdowns.
    ///
    /// The last 10,000 are kept: in memory, and in the data directory if there is one. Those of earlier processes are read
    /// in the background, some seconds after the start. Only then it is known whether the start is a deployment or follows
    /// a crash. If the wall clock was set back, the times are not in order.
    pub fn markers(&self, start: SystemTime, end: SystemTime) -> Vec<Marker> {
        self.markers.between(start, end)
    }

    /// The last `max` markers, in the order in which they were added.
    #[cfg(feature = "dashboard")]
    pub(crate) fn latest_markers(&self, max: usize) -> Vec<Marker> {
        self.markers.latest(max)
    }

    /// The series that have values with the flag of an anomaly from `start` to `end`, in no order. Reads files on the calling
    /// thread, at most 64 MiB.
    pub(crate) fn flagged(&self, start: SystemTime, end: SystemTime) -> Vec<FlaggedSeries> {
        let interval = i64::try_from(self.interval.as_millis()).unwrap_or(i64::MAX);
        let (start, end) = (millis(start), millis(end));
        // The last snapshot at a time is the one that was taken at most an interval before it.
        let start = start.min(end.saturating_sub(interval).saturating_add(1));
        flagged::flagged(start, end, &self.store, &self.stored)
    }

    /// Adds a mark.
    pub(crate) fn mark(&self, text: &str) {
        self.markers.mark(text);
    }

    /// The snapshot in progress. Holds nothing of the history.
    pub(crate) fn snapshot_in_progress(&self) -> Arc<InProgress> {
        Arc::clone(&self.snapshot)
    }

    /// The wall time of the latest snapshot, in milliseconds since the Unix epoch.
    #[cfg(feature = "dashboard")]
    pub(crate) fn latest(&self) -> Option<i64> {
        lock_for_status(&self.store)?.timeline().latest()
    }

    /// The totals of all histograms at the latest snapshot, and its monotonic time. `None` before the first snapshot, and
    /// while another is taken, which may wait for the host's code.
    #[cfg(feature = "dashboard")]
    pub(crate) fn last_histograms(&self) -> Option<(Nanos, HistogramTotals)> {
        self.recorder.try_lock().ok()?.last_histograms()
    }

    /// The time between two snapshots.
    pub(crate) fn interval(&self) -> Duration {
        self.interval
    }

    /// The values that the selected histograms recorded in the window before `start`, and after each `step` up to `end`:
    /// the time of its end, in milliseconds since the Unix epoch, and the values. It reads as much as one
    /// [`range`](Self::range), and has its errors.
    #[cfg(feature = "dashboard")]
    pub(crate) fn distributions(
        &self,
        query: &MetricQuery,
        start: SystemTime,
        end: SystemTime,
        step: Duration,
    ) -> Result<Vec<(i64, Distribution)>> {
        // A quantile is what makes the evaluation keep the cells of histograms.
        let query = &MetricQuery {
            function: Function::Quantile(0.5),
            ..query.clone()
        };
        query.check()?;
        let times: Vec<i64> = TimeRange::new(start, end, step)?.times().collect();
        let sources = (&*self.store, &self.stored);
        let finish = |evaluation: Evaluation<'_>| evaluation.distributions();
        Ok(evaluate_with(query, &times, sources, finish))
    }

    fn evaluate(&self, query: &MetricQuery, times: &[i64]) -> Result<Vec<ResultSeries>> {
        query.check()?;
        Ok(evaluate(query, times, &self.store, &self.stored))
    }
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
mod reader_tests;
#[cfg(test)]
mod tests;
