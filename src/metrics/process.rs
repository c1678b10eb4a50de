//! The `process_*` metrics: the operating system's figures of this process, under Prometheus' customary names.

use std::sync::{Arc, Mutex};

use metrics_process::collector::{self, Metrics as Readings};

use super::name::InstrumentKind;
use super::observable::Observer;
use super::registry::{InstrumentSpec, Registry};
use crate::clock::{Clock, Nanos};
use crate::model::lock_for_status;

/// The minimum time between two readings, however often the process is scraped.
const INTERVAL: Nanos = 1_000_000_000;

/// The last readings and their time.
#[derive(Debug)]
struct CachedReadings {
    clock: Clock,
    last: Mutex<Option<(Nanos, Readings)>>,
}

impl CachedReadings {
    fn read(&self, value: fn(&Readings) -> Option<f64>) -> Option<f64> {
        let now = self.clock.now();
        let mut last = lock_for_status(&self.last)?;
        let is_recent = |(at, _): &(Nanos, _)| now.saturating_sub(*at) < INTERVAL;
        // All metrics of one scrape come from one reading: the lock is held while it is taken, and it serves the
        // others.
        if !last.as_ref().is_some_and(is_recent) {
            *last = Some((now, collector::collect()));
        }
        last.as_ref().and_then(|(_, readings)| value(readings))
    }
}

/// One metric of the process.
struct ProcessMetric {
    name: &'static str,
    unit: &'static str,
    description: &'static str,
    kind: InstrumentKind,
    value: fn(&Readings) -> Option<f64>,
}

/// The readings of `metrics-process` are used, not its gauges: those round the processor time to whole seconds.
const METRICS: [ProcessMetric; 8] = [
    ProcessMetric {
        name: "process_cpu_seconds",
        unit: "s",
        description: "Total user and system CPU time spent in seconds.",
        kind: InstrumentKind::Counter,
        value: |readings| readings.cpu_seconds_total,
    },
    ProcessMetric {
        name: "process_open_fds",
        unit: "",
        description: "Number of open file descriptors.",
        kind: InstrumentKind::Gauge,
        value: |readings| readings.open_fds.map(float),
    },
    ProcessMetric {
        name: "process_max_fds",
        unit: "",
        description: "Maximum number of open file descriptors; 0 is no limit.",
        kind: InstrumentKind::Gauge,
        value: |readings| readings.max_fds.map(float),
    },
    ProcessMetric {
        name: "process_virtual_memory_bytes",
        unit: "By",
        description: "Virtual memory size in bytes.",
        kind: InstrumentKind::Gauge,
        value: |readings| readings.virtual_memory_bytes.map(float),
    },
    ProcessMetric {
        name: "process_virtual_memory_max_bytes",
        unit: "By",
        description: "Maximum amount of virtual memory available in bytes; 0 is no limit.",
        kind: InstrumentKind::Gauge,
        value: |readings| readings.virtual_memory_max_bytes.map(float),
    },
    ProcessMetric {
        name: "process_resident_memory_bytes",
        unit: "By",
        description: "Resident memory size in bytes.",
        kind: InstrumentKind::Gauge,
        value: |readings| readings.resident_memory_bytes.map(float),
    },
    ProcessMetric {
        name: "process_start_time_seconds",
        unit: "s",
        description: "Start time of the process since the Unix epoch in seconds.",
        kind: InstrumentKind::Gauge,
        value: |readings| readings.start_time_seconds.map(float),
    },
    ProcessMetric {
        name: "process_threads",
        unit: "",
        description: "Number of OS threads in the process.",
        kind: InstrumentKind::Gauge,
        value: |readings| readings.threads.map(float),
    },
];

#[expect(clippy::cast_precision_loss, reason = "exposed numbers are floats")]
fn float(number: u64) -> f64 {
    number as f64
}

/// Exposes the figures of the process. A figure that the system does not report is omitted.
pub(super) fn register(registry: &Registry) {
    let readings = Arc::new(CachedReadings {
        clock: registry.context.clock.clone(),
        last: Mutex::default(),
    });
    for metric in METRICS {
        let readings = Arc::clone(&readings);
        let observer: Observer = Arc::new(move |observe| {
            if let Some(value) = readings.read(metric.value) {
                observe(&[], value);
            }
        });
        let spec = InstrumentSpec {
            name: metric.name,
            kind: metric.kind,
            unit: metric.unit,
            description: metric.description,
            bounds: None,
        };
        registry.observe(&spec, observer);
    }
}
