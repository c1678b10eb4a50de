use std::sync::{Arc, Mutex};

use rustc_hash::FxHashMap;

use super::store::{MemoryStore, SeriesKey, SeriesKind, Step};
use crate::clock::Nanos;
use crate::metrics::{HistogramValues, SeriesId, SeriesValue, Snapshot, Snapshotter};
use crate::model::lock;

/// Takes snapshots and adds the values, and the increases since the snapshot before, to a store.
#[derive(Debug)]
pub(super) struct Recorder {
    snapshotter: Snapshotter,
    /// The totals at the last snapshot, also those of series that are not exposed: they may return with their totals.
    totals: FxHashMap<SeriesKey, LastTotal>,
    /// The time of the last snapshot.
    last: Option<Nanos>,
}

#[derive(Debug)]
struct LastTotal {
    id: SeriesId,
    value: SeriesValue,
    /// The number of snapshots in a row that did not have the total.
    missing: u32,
}

/// How many snapshots may miss an observed total before its next reading counts as its first.
const MAX_MISSING: u32 = 6;

impl Recorder {
    pub(super) fn new(snapshotter: Snapshotter) -> Self {
        Self {
            snapshotter,
            totals: FxHashMap::default(),
            last: None,
        }
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

    /// The values of gauges, and the increases of all other series.
    fn steps(&mut self, snapshot: Snapshot) -> Vec<(SeriesKey, SeriesKind, Step)> {
        let before = std::mem::take(&mut self.totals);
        let mut steps = Vec::with_capacity(before.len());
        for metric in snapshot.metrics {
            for series in metric.series {
                let key = SeriesKey {
                    name: Arc::clone(&metric.name),
                    labels: series.labels,
                };
                let kind = match &series.value {
                    SeriesValue::Histogram(_) => SeriesKind::Histogram,
                    SeriesValue::Number(_) if metric.is_counter => SeriesKind::Counter,
                    SeriesValue::Number(value) => {
                        if series.is_exposed {
                            steps.push((key, SeriesKind::Gauge, Step::Number(*value)));
                        }
                        continue;
                    }
                };
                let last = before.get(&key);
                let last = last.filter(|last| last.id == series.id);
                if series.is_exposed {
                    let step = increase(&series.value, last, series.id);
                    steps.push((key.clone(), kind, step));
                }
                let total = LastTotal {
                    id: series.id,
                    value: series.value,
                    missing: 0,
                };
                self.totals.insert(key, total);
            }
        }
        // What is observed may be absent for a moment, such as when a file of the system cannot be read.
        for (key, total) in before {
            if total.id == SeriesId::default() && total.missing < MAX_MISSING {
                let missing = total.missing + 1;
                let total = LastTotal { missing, ..total };
                self.totals.entry(key).or_insert(total);
            }
        }
        steps
    }
}

/// The increase of a total since the last snapshot of the same series.
///
/// A series of the registry that was not in the last snapshot started at zero. An observed total may have any age, so its
/// first reading is no increase. An observed total that is lower than before was reset to zero.
fn increase(total: &SeriesValue, last: Option<&LastTotal>, id: SeriesId) -> Step {
    match (total, last.map(|last| &last.value)) {
        (SeriesValue::Number(total), Some(SeriesValue::Number(before))) => {
            let has_restarted = total < before;
            Step::Number(if has_restarted {
                *total
            } else {
                total - before
            })
        }
        (SeriesValue::Number(total), _) => {
            let is_observed = id == SeriesId::default();
            Step::Number(if is_observed { 0.0 } else { *total })
        }
        (SeriesValue::Histogram(total), Some(SeriesValue::Histogram(before))) => {
            Step::Histogram(histogram_increase(total, before))
        }
        (SeriesValue::Histogram(total), _) => Step::Histogram((**total).clone()),
    }
}

fn histogram_increase(
    total: &Arc<HistogramValues>,
    before: &Arc<HistogramValues>,
) -> HistogramValues {
    if Arc::ptr_eq(total, before) {
        total.with(Vec::new(), 0.0)
    } else {
        total.since(before)
    }
}
