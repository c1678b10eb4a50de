use std::sync::{Arc, Mutex};

use super::steps::{SeriesKey, SeriesKind};
use super::store::{MemoryStore, Step};
use crate::clock::Nanos;
#[cfg(feature = "dashboard")]
use crate::metrics::HistogramTotals;
use crate::metrics::{
    HistogramValues, Increases, Metrics, SeriesSnapshot, SeriesValue, Snapshot, Snapshotter,
    TotalsReading,
};
use crate::model::{InProgress, lock};

/// Takes snapshots and adds the values, and the increases since the snapshot before, to a store.
#[derive(Debug)]
pub(super) struct Recorder {
    snapshotter: Snapshotter,
    increases: Increases,
    /// The time of the last snapshot.
    last: Option<Nanos>,
}

impl Recorder {
    pub(super) fn new(metrics: &Metrics) -> Self {
        Self {
            snapshotter: metrics.snapshotter(),
            increases: Increases::new(metrics.wall()),
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
        self.last = Some(at);
        // The increases are calculated before the lock is taken, so that queries do not wait for them.
        let steps = self.steps(snapshot);
        let wall = i64::try_from(wall / 1_000_000).unwrap_or(i64::MAX);
        lock(store).add(wall, at, steps);
    }

    /// The totals of all histograms at the last snapshot, and its time.
    #[cfg(feature = "dashboard")]
    pub(super) fn last_histograms(&self) -> Option<(Nanos, HistogramTotals)> {
        Some((self.last?, self.snapshotter.last_histograms()))
    }

    /// The values of gauges, and the increases of all other series.
    fn steps(&mut self, snapshot: Snapshot) -> Vec<(SeriesKey, SeriesKind, Step)> {
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
