use std::fmt;
use std::sync::{Arc, Mutex};

use super::steps::{SeriesKey, SeriesKind, StepFlags};
use super::store::{MemoryStore, Step};
use crate::clock::Nanos;
#[cfg(feature = "dashboard")]
use crate::metrics::HistogramTotals;
use crate::metrics::{
    HistogramValues, Increases, Metrics, SeriesSnapshot, SeriesValue, Snapshot, Snapshotter,
    TotalsReading,
};
use crate::model::{InProgress, lock};

/// The value of one series in a snapshot: of counters and histograms, the increase since the snapshot before.
pub(crate) type RecordedStep = (SeriesKey, SeriesKind, Step);

/// A snapshot, before it is stored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TakenSnapshot<'a> {
    /// Milliseconds since the Unix epoch.
    pub(crate) wall: i64,
    /// The time since the snapshot before, by the monotonic clock. `None` for the first one of this process.
    pub(crate) elapsed: Option<Nanos>,
    pub(crate) steps: &'a [RecordedStep],
}

/// Judges each snapshot before it is stored. It is called on the worker's pool, one snapshot after the other.
pub(crate) trait SnapshotObserver: Send + Sync + fmt::Debug {
    /// Returns the steps that are anomalies. A step may occur several times.
    fn observe(&self, snapshot: &TakenSnapshot<'_>) -> Vec<OddStep>;
}

/// A step of a snapshot that is an anomaly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct OddStep {
    /// Its position in the snapshot.
    pub(crate) position: usize,
    /// How odd it is: 1 and more.
    pub(crate) score: f64,
}

/// Takes snapshots and adds the values, and the increases since the snapshot before, to a store.
#[derive(Debug)]
pub(super) struct Recorder {
    snapshotter: Snapshotter,
    increases: Increases,
    observer: Option<Arc<dyn SnapshotObserver>>,
    /// The time of the last snapshot.
    last: Option<Nanos>,
}

impl Recorder {
    pub(super) fn new(metrics: &Metrics, observer: Option<Arc<dyn SnapshotObserver>>) -> Self {
        Self {
            snapshotter: metrics.snapshotter(),
            increases: Increases::new(metrics.wall()),
            observer,
            last: None,
        }
    }

    /// Returns what shows for how long the current snapshot has been in progress.
    pub(super) fn progress(&self) -> Arc<InProgress> {
        self.snapshotter.progress()
    }

    /// Reads the totals that are older than the monitor, so that the first snapshot has their increases since then.
    pub(super) fn begin(&mut self) {
        let snapshot = self.snapshotter.snapshot();
        let mut reading = self.increases.begin(snapshot.wall);
        let older = snapshot.metrics.iter();
        for metric in older.filter(|metric| metric.is_counter && !metric.begins_at_zero) {
            for series in &metric.series {
                if let SeriesValue::Number(total) = series.value {
                    reading.counter(&metric.name, series, total);
                }
            }
        }
        reading.end();
    }

    /// Takes a snapshot and adds it to the store, unless no time has passed since the last one.
    pub(super) fn record(&mut self, store: &Mutex<MemoryStore>) {
        // Checked before anything is read: the increases of a snapshot that is not added would be lost.
        if self.last >= Some(self.snapshotter.now()) {
            return;
        }
        let snapshot = self.snapshotter.snapshot();
        let (wall, at) = (snapshot.wall, snapshot.at);
        let elapsed = self.last.replace(at).map(|last| at.saturating_sub(last));
        // The increases are calculated, and judged, before the lock is taken, so that queries do not wait for it.
        let steps = self.steps(snapshot);
        let wall = i64::try_from(wall / 1_000_000).unwrap_or(i64::MAX);
        let anomalies = self.anomalies(&TakenSnapshot {
            wall,
            elapsed,
            steps: &steps,
        });
        let mut store = lock(store);
        let tick = store.add(wall, at, steps);
        if let Some(tick) = tick {
            for (key, flags) in anomalies {
                store.flag(&key, tick, flags);
            }
        }
    }

    /// The series of a snapshot whose values are anomalies, and the flags of these values.
    fn anomalies(&self, snapshot: &TakenSnapshot<'_>) -> Vec<(SeriesKey, StepFlags)> {
        let observer = self.observer.as_ref();
        let found = observer.map(|observer| observer.observe(snapshot));
        let found = found.into_iter().flatten();
        let flagged = found.filter_map(|odd| {
            let (key, ..) = snapshot.steps.get(odd.position)?;
            Some((key.clone(), StepFlags::anomaly(odd.score)))
        });
        flagged.collect()
    }

    /// The totals of all histograms at the last snapshot, and its time.
    #[cfg(feature = "dashboard")]
    pub(super) fn last_histograms(&self) -> Option<(Nanos, HistogramTotals)> {
        Some((self.last?, self.snapshotter.last_histograms()))
    }

    /// The values of gauges, and the increases of all other series.
    fn steps(&mut self, snapshot: Snapshot) -> Vec<RecordedStep> {
        let mut reading = self.increases.begin(snapshot.wall);
        let mut steps = Vec::new();
        for metric in snapshot.metrics {
            for series in metric.series {
                let (kind, step) = match &series.value {
                    SeriesValue::Histogram(total) => {
                        let step = values_since(&mut reading, &series, total);
                        (SeriesKind::Histogram, Step::Histogram(step))
                    }
                    SeriesValue::Number(total) if metric.is_counter => {
                        let increase = reading.counter(&metric.name, &series, *total);
                        // A total of unknown age has no increase at its first reading.
                        let is_known = metric.begins_at_zero || !increase.is_first;
                        let step = if is_known { increase.value } else { 0.0 };
                        (SeriesKind::Counter, Step::Number(step))
                    }
                    SeriesValue::Number(value) => (SeriesKind::Gauge, Step::Number(*value)),
                };
                if series.is_exposed {
                    let key = SeriesKey {
                        name: Arc::clone(&metric.name),
                        labels: series.labels,
                    };
                    steps.push((key, kind, step));
                }
            }
        }
        reading.end();
        steps
    }
}

/// The values that a histogram recorded since the last snapshot.
fn values_since(
    reading: &mut TotalsReading<'_>,
    series: &SeriesSnapshot,
    total: &Arc<HistogramValues>,
) -> HistogramValues {
    let increase = reading.histogram(series, total);
    increase.map_or_else(|| total.with(Vec::new(), 0.0), Arc::unwrap_or_clone)
}
