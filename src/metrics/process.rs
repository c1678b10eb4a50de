//! What the operating system says of this process, under Prometheus' customary names.

use std::sync::{Arc, Mutex};

use metrics_process::collector::{self, Metrics as Readings};

use super::name::Kind;
use super::{Metrics, Observer};
use crate::clock::{Clock, Nanos};
use crate::model::lock_for_status;

/// The system is asked at most this often, however many scrape.
const INTERVAL: Nanos = 1_000_000_000;

/// The last readings and when they were taken.
#[derive(Debug)]
struct Cached {
    clock: Clock,
    last: Mutex<Option<(Nanos, Readings)>>,
}

impl Cached {
    fn read(&self, of: fn(&Readings) -> Option<f64>) -> Option<f64> {
        let now = self.clock.now();
        let mut last = lock_for_status(&self.last)?;
        let fresh = |(at, _): &(Nanos, _)| now.saturating_sub(*at) < INTERVAL;
        if !last.as_ref().is_some_and(fresh) {
            *last = Some((now, collector::collect()));
        }
        last.as_ref().and_then(|(_, readings)| of(readings))
    }
}

/// One row of the table: name, unit, what it says, kind, reading.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    Kind,
    fn(&Readings) -> Option<f64>,
);

/// The crate's own readings are used, not its gauges: those round the processor time to whole seconds.
const ROWS: [Row; 8] = [
    (
        "process_cpu_seconds",
        "s",
        "Total user and system CPU time spent in seconds.",
        Kind::Counter,
        |r| r.cpu_seconds_total,
    ),
    (
        "process_open_fds",
        "",
        "Number of open file descriptors.",
        Kind::Gauge,
        |r| r.open_fds.map(float),
    ),
    (
        "process_max_fds",
        "",
        "Maximum number of open file descriptors; 0 is no limit.",
        Kind::Gauge,
        |r| r.max_fds.map(float),
    ),
    (
        "process_virtual_memory_bytes",
        "By",
        "Virtual memory size in bytes.",
        Kind::Gauge,
        |r| r.virtual_memory_bytes.map(float),
    ),
    (
        "process_virtual_memory_max_bytes",
        "By",
        "Maximum amount of virtual memory available in bytes; 0 is no limit.",
        Kind::Gauge,
        |r| r.virtual_memory_max_bytes.map(float),
    ),
    (
        "process_resident_memory_bytes",
        "By",
        "Resident memory size in bytes.",
        Kind::Gauge,
        |r| r.resident_memory_bytes.map(float),
    ),
    (
        "process_start_time_seconds",
        "s",
        "Start time of the process since the Unix epoch in seconds.",
        Kind::Gauge,
        |r| r.start_time_seconds.map(float),
    ),
    (
        "process_threads",
        "",
        "Number of OS threads in the process.",
        Kind::Gauge,
        |r| r.threads.map(float),
    ),
];

#[expect(clippy::cast_precision_loss, reason = "a page's number is a float")]
fn float(number: u64) -> f64 {
    number as f64
}

/// Puts the process's own figures on the page; a figure that this system does not tell is left out.
pub(super) fn watch(metrics: &Metrics) {
    let cached = Arc::new(Cached {
        clock: metrics.registry.common.clock.clone(),
        last: Mutex::default(),
    });
    for (name, unit, description, kind, of) in ROWS {
        let cached = Arc::clone(&cached);
        let read: Observer = Arc::new(move |tell| {
            if let Some(value) = cached.read(of) {
                tell(&[], value);
            }
        });
        metrics.observe(name, unit, description, kind, read);
    }
}
