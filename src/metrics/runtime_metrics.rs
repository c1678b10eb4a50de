//! The `tokio_*` metrics: the figures of tokio runtimes, read when they are scraped.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::name::InstrumentKind;
use super::observable::{Observer, TotalOrigin};
use super::registry::{InstrumentSpec, Registry};
use super::runtime::{RuntimeStats, float};

/// One metric of a runtime.
struct RuntimeMetric {
    name: &'static str,
    unit: &'static str,
    description: &'static str,
    kind: InstrumentKind,
    value: fn(&RuntimeStats) -> Option<f64>,
}

const METRICS: [RuntimeMetric; 6] = [
    RuntimeMetric {
        name: "tokio_workers",
        unit: "",
        description: "Worker threads of the runtime.",
        kind: InstrumentKind::Gauge,
        value: |stats| Some(stats.workers),
    },
    RuntimeMetric {
        name: "tokio_alive_tasks",
        unit: "",
        description: "Tasks of the runtime that have not ended.",
        kind: InstrumentKind::Gauge,
        value: |stats| Some(stats.alive_tasks),
    },
    RuntimeMetric {
        name: "tokio_global_queue_depth",
        unit: "",
        description: "Tasks that wait in the runtime's global queue.",
        kind: InstrumentKind::Gauge,
        value: |stats| Some(stats.global_queue_depth),
    },
    RuntimeMetric {
        name: "tokio_busy_ratio",
        unit: "1",
        description: "Share of the workers' time spent polling over the last 10 s, from 0 to 1.",
        kind: InstrumentKind::Gauge,
        value: |stats| stats.busy_ratio,
    },
    RuntimeMetric {
        name: "tokio_busy_seconds",
        unit: "s",
        description: "Time that the workers have spent polling since the runtime was first watched.",
        kind: InstrumentKind::Counter,
        value: |stats| Some(stats.busy.as_secs_f64()),
    },
    RuntimeMetric {
        name: "tokio_parks",
        unit: "",
        description: "How often workers have parked since the runtime was first watched.",
        kind: InstrumentKind::Counter,
        value: |stats| Some(float(stats.parks)),
    },
];

/// Exposes the figures of a runtime.
pub(super) fn watch(registry: &Arc<Registry>, name: &str, handle: &Handle) {
    // The first runtime registers the metrics; their observers report all runtimes of the registry.
    if !registry.runtimes.add(name, handle) {
        return;
    }
    for metric in METRICS {
        // The registry owns the observer, so the observer holds the registry weakly.
        let (weak, clock) = (Arc::downgrade(registry), registry.context.clock.clone());
        let observer: Observer = Arc::new(move |observe| {
            if let Some(registry) = weak.upgrade() {
                registry.runtimes.observe(&clock, observe, metric.value);
            }
        });
        let spec =
            InstrumentSpec::observed(metric.name, metric.unit, metric.description, metric.kind);
        registry.observe(&spec, TotalOrigin::Monitor, observer);
    }
}
