//! What tokio says of a runtime, read when the page is asked for.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_metrics::{RuntimeMetrics, RuntimeMonitor};

use super::name::Kind;
use super::{Metrics, Observer};
use crate::clock::{Clock, Nanos};
use crate::model::lock_for_status;

/// A runtime is read at most this often: the busy ratio is of one such interval at least.
const INTERVAL: Nanos = 1_000_000_000;

/// The runtimes that one registry watches.
#[derive(Debug, Default)]
pub(super) struct Runtimes(Mutex<Vec<Watched>>);

struct Watched {
    name: String,
    intervals: Box<dyn Iterator<Item = RuntimeMetrics> + Send>,
    read_at: Option<Nanos>,
    now: Reading,
}

#[derive(Debug, Default, Clone, Copy)]
struct Reading {
    workers: f64,
    alive_tasks: f64,
    global_queue_depth: f64,
    busy_ratio: f64,
    busy: Duration,
    parks: u64,
}

impl Watched {
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
        let old = self.now;
        let work = interval.elapsed.as_secs_f64() * float(interval.workers_count);
        let busy = interval.total_busy_duration;
        self.now = Reading {
            workers: float(interval.workers_count),
            alive_tasks: float(interval.live_tasks_count),
            global_queue_depth: float(interval.global_queue_depth),
            busy_ratio: if work > 0.0 {
                (busy.as_secs_f64() / work).min(1.0)
            } else {
                0.0
            },
            busy: old.busy.saturating_add(busy),
            parks: old.parks.saturating_add(interval.total_park_count),
        };
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched")
            .field("name", &self.name)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// What an observer tells a value to.
type Tell<'a> = &'a mut dyn FnMut(&[(&str, &str)], f64);

/// One row of the table: name, unit, what it says, kind, value.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    Kind,
    fn(&Reading) -> f64,
);

const ROWS: [Row; 6] = [
    (
        "tokio_workers",
        "",
        "Worker threads of the runtime.",
        Kind::Gauge,
        |r| r.workers,
    ),
    (
        "tokio_alive_tasks",
        "",
        "Tasks of the runtime that have not ended.",
        Kind::Gauge,
        |r| r.alive_tasks,
    ),
    (
        "tokio_global_queue_depth",
        "",
        "Tasks that wait in the runtime's global queue.",
        Kind::Gauge,
        |r| r.global_queue_depth,
    ),
    (
        "tokio_busy_ratio",
        "1",
        "Share of the workers' time that went into polling since the last reading, from 0 to 1.",
        Kind::Gauge,
        |r| r.busy_ratio,
    ),
    (
        "tokio_busy_seconds",
        "s",
        "Time that the workers spent polling since the runtime was first watched.",
        Kind::Counter,
        |r| r.busy.as_secs_f64(),
    ),
    (
        "tokio_parks",
        "",
        "How often workers went to sleep since the runtime was first watched.",
        Kind::Counter,
        |r| float(r.parks),
    ),
];

#[expect(clippy::cast_precision_loss, reason = "a page's number is a float")]
fn float(number: impl TryInto<u64>) -> f64 {
    number.try_into().unwrap_or(u64::MAX) as f64
}

impl Runtimes {
    /// Adds a runtime; one of that name is watched no longer. Answers whether it is the first of all.
    fn add(&self, name: &str, handle: &Handle) -> bool {
        let watched = Watched {
            name: name.to_owned(),
            intervals: Box::new(RuntimeMonitor::new(handle).intervals()),
            read_at: None,
            now: Reading::default(),
        };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = all.is_empty();
        all.retain(|other| other.name != name);
        all.push(watched);
        first
    }

    fn tell(&self, clock: &Clock, tell: Tell<'_>, of: fn(&Reading) -> f64) {
        let Some(mut all) = lock_for_status(&self.0) else {
            return;
        };
        let now = clock.now();
        for runtime in all.iter_mut() {
            runtime.read(now);
            tell(&[("runtime", &runtime.name)], of(&runtime.now));
        }
    }
}

/// Puts a runtime's figures on the page.
pub(super) fn watch(metrics: &Metrics, name: &str, handle: &Handle) {
    let registry = &metrics.registry;
    if !registry.runtimes.add(name, handle) {
        return;
    }
    let clock = &registry.common.clock;
    for (row, unit, description, kind, of) in ROWS {
        // The registry holds the observer: a strong reference would hold both for good.
        let (registry, clock) = (Arc::downgrade(registry), clock.clone());
        let read: Observer = Arc::new(move |tell| {
            if let Some(registry) = registry.upgrade() {
                registry.runtimes.tell(&clock, tell, of);
            }
        });
        metrics.observe(row, unit, description, kind, read);
    }
}
