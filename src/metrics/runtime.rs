use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_metrics::{RuntimeMetrics, RuntimeMonitor};

use super::observable::ObserveFn;
use crate::clock::{Clock, Nanos};
use crate::model::{lock, lock_for_status};

/// The minimum time between two readings of a runtime by scrapes.
const INTERVAL: Nanos = 1_000_000_000;
/// The minimum time over which the busy ratio is measured.
const MIN_MEASURED: Duration = Duration::from_millis(100);
/// A ratio that was measured longer ago is unknown: the worker has stopped.
const MAX_AGE_OF_RATIO: Nanos = 60_000_000_000;

/// The tokio runtimes that one registry reads.
///
/// Scrapes and snapshots read the counts. The busy ratio is measured by the worker alone, from one call of
/// [`measure`](Self::measure) to the next, so that readers do not shorten its interval.
#[derive(Debug)]
pub(super) struct WatchedRuntimes {
    all: Mutex<Vec<WatchedRuntime>>,
    /// The system's clock, for what tokio measures by it.
    monotonic: Clock,
}

struct WatchedRuntime {
    name: String,
    intervals: Box<dyn Iterator<Item = RuntimeMetrics> + Send>,
    read_at: Option<Nanos>,
    stats: RuntimeStats,
    /// The times since the last measurement.
    since_measured: BusyTime,
    /// The last ratio that was measured, and when.
    ratio: Option<(Nanos, f64)>,
}

/// The time that the workers of a runtime spent polling, of the time that they had.
#[derive(Debug, Default, Clone, Copy)]
struct BusyTime {
    elapsed: Duration,
    /// The elapsed time of all workers, in seconds.
    available: f64,
    busy: Duration,
}

/// The last reading of a runtime.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct RuntimeStats {
    pub(super) workers: f64,
    pub(super) alive_tasks: f64,
    pub(super) global_queue_depth: f64,
    /// The share of the last measured interval that the workers spent polling, from 0 to 1.
    pub(super) busy_ratio: Option<f64>,
    /// Summed over all readings.
    pub(super) busy: Duration,
    /// Summed over all readings.
    pub(super) parks: u64,
}

impl WatchedRuntime {
    /// Reads the runtime, unless the last reading is recent.
    fn read(&mut self, now: Nanos) {
        let is_recent = |at| now.saturating_sub(at) < INTERVAL;
        if !self.read_at.is_some_and(is_recent) {
            self.read_at = Some(now);
            self.read_next();
        }
    }

    fn read_next(&mut self) {
        let Some(interval) = self.intervals.next() else {
            return;
        };
        let (last, busy) = (self.stats, interval.total_busy_duration);
        let since = &mut self.since_measured;
        since.elapsed = since.elapsed.saturating_add(interval.elapsed);
        since.available += interval.elapsed.as_secs_f64() * float(interval.workers_count);
        since.busy = since.busy.saturating_add(busy);
        self.stats = RuntimeStats {
            workers: float(interval.workers_count),
            alive_tasks: float(interval.live_tasks_count),
            global_queue_depth: float(interval.global_queue_depth),
            busy_ratio: None,
            // tokio-metrics reports each interval by itself, and counters need sums.
            busy: last.busy.saturating_add(busy),
            parks: last.parks.saturating_add(interval.total_park_count),
        };
    }

    /// Measures the busy ratio since the last measurement, unless that was a moment ago.
    fn measure(&mut self, now: Nanos) {
        self.read_next();
        if self.since_measured.elapsed < MIN_MEASURED {
            return;
        }
        let measured = std::mem::take(&mut self.since_measured);
        let ratio = measured.busy.as_secs_f64() / measured.available;
        self.ratio = ratio.is_finite().then(|| (now, ratio.min(1.0)));
    }

    /// The last reading, with the ratio unless that is too old.
    fn stats(&self, now: Nanos) -> RuntimeStats {
        let ratio = self
            .ratio
            .filter(|(at, _)| now.saturating_sub(*at) < MAX_AGE_OF_RATIO);
        RuntimeStats {
            busy_ratio: ratio.map(|(_, ratio)| ratio),
            ..self.stats
        }
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
    pub(super) fn new() -> Self {
        Self {
            all: Mutex::default(),
            monotonic: Clock::system(),
        }
    }

    /// Adds a runtime, which replaces one of the same name. Returns whether it is the first of this registry.
    pub(super) fn add(&self, name: &str, handle: &Handle) -> bool {
        let runtime = WatchedRuntime {
            name: name.to_owned(),
            intervals: Box::new(RuntimeMonitor::new(handle).intervals()),
            read_at: None,
            stats: RuntimeStats::default(),
            since_measured: BusyTime::default(),
            ratio: None,
        };
        let mut all = lock(&self.all);
        let is_first = all.is_empty();
        all.retain(|other| other.name != name);
        all.push(runtime);
        is_first
    }

    /// Measures the busy ratio of each runtime since the last call.
    pub(super) fn measure(&self) {
        let now = self.monotonic.now();
        for runtime in lock(&self.all).iter_mut() {
            runtime.measure(now);
        }
    }

    /// Reports one value of each runtime that has it.
    pub(super) fn observe(
        &self,
        clock: &Clock,
        observe: ObserveFn<'_>,
        value: fn(&RuntimeStats) -> Option<f64>,
    ) {
        let Some(mut all) = lock_for_status(&self.all) else {
            return;
        };
        let (now, monotonic) = (clock.now(), self.monotonic.now());
        for runtime in all.iter_mut() {
            runtime.read(now);
            if let Some(value) = value(&runtime.stats(monotonic)) {
                observe(&[("runtime", &runtime.name)], value);
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "exposed numbers are floats")]
pub(super) fn float(number: impl TryInto<u64>) -> f64 {
    number.try_into().unwrap_or(u64::MAX) as f64
}
