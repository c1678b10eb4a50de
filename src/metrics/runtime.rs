use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_metrics::{RuntimeMetrics, RuntimeMonitor};

use super::observable::ObserveFn;
use crate::clock::{Clock, Nanos};
use crate::model::{lock, lock_for_status};

/// The minimum time between two readings of a runtime. The busy ratio covers at least this interval.
const INTERVAL: Nanos = 1_000_000_000;

/// The tokio runtimes that one registry reads.
#[derive(Debug, Default)]
pub(super) struct WatchedRuntimes(Mutex<Vec<WatchedRuntime>>);

struct WatchedRuntime {
    name: String,
    intervals: Box<dyn Iterator<Item = RuntimeMetrics> + Send>,
    read_at: Option<Nanos>,
    stats: RuntimeStats,
}

/// The last reading of a runtime.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct RuntimeStats {
    pub(super) workers: f64,
    pub(super) alive_tasks: f64,
    pub(super) global_queue_depth: f64,
    /// The share of the last interval that the workers spent polling, from 0 to 1.
    pub(super) busy_ratio: f64,
    /// Summed over all readings.
    pub(super) busy: Duration,
    /// Summed over all readings.
    pub(super) parks: u64,
}

impl WatchedRuntime {
    /// Reads the runtime, unless the last reading is recent.
    fn read(&mut self, now: Nanos) {
        if self
            .read_at
            .is_some_and(|at| now.saturating_sub(at) < INTERVAL)
        {
            return;
        }
        let Some(interval) = self.intervals.next() else {
            return;
        };
        self.read_at = Some(now);
        let last = self.stats;
        let available = interval.elapsed.as_secs_f64() * float(interval.workers_count);
        let busy = interval.total_busy_duration;
        self.stats = RuntimeStats {
            workers: float(interval.workers_count),
            alive_tasks: float(interval.live_tasks_count),
            global_queue_depth: float(interval.global_queue_depth),
            busy_ratio: if available > 0.0 {
                (busy.as_secs_f64() / available).min(1.0)
            } else {
                0.0
            },
            // tokio-metrics reports each interval by itself, and counters need sums.
            busy: last.busy.saturating_add(busy),
            parks: last.parks.saturating_add(interval.total_park_count),
        };
    }
}

impl fmt::Debug for WatchedRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchedRuntime")
            .field("name", &self.name)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

impl WatchedRuntimes {
    /// Adds a runtime, which replaces one of the same name. Returns whether it is the first of this registry.
    pub(super) fn add(&self, name: &str, handle: &Handle) -> bool {
        let runtime = WatchedRuntime {
            name: name.to_owned(),
            intervals: Box::new(RuntimeMonitor::new(handle).intervals()),
            read_at: None,
            stats: RuntimeStats::default(),
        };
        let mut all = lock(&self.0);
        let is_first = all.is_empty();
        all.retain(|other| other.name != name);
        all.push(runtime);
        is_first
    }

    /// Reports one value of each runtime.
    pub(super) fn observe(
        &self,
        clock: &Clock,
        observe: ObserveFn<'_>,
        value: fn(&RuntimeStats) -> f64,
    ) {
        let Some(mut all) = lock_for_status(&self.0) else {
            return;
        };
        let now = clock.now();
        for runtime in all.iter_mut() {
            runtime.read(now);
            observe(&[("runtime", &runtime.name)], value(&runtime.stats));
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "exposed numbers are floats")]
pub(super) fn float(number: impl TryInto<u64>) -> f64 {
    number.try_into().unwrap_or(u64::MAX) as f64
}
