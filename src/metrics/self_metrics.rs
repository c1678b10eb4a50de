//! The metrics of the registry itself.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::name::InstrumentKind;
use super::observable::{ObserveFn, Observer, TotalOrigin};
use super::registry::{InstrumentSpec, Registry};

/// One metric of the registry.
struct SelfMetric {
    name: &'static str,
    description: &'static str,
    kind: InstrumentKind,
    observe: fn(&Registry, ObserveFn<'_>),
}

const METRICS: [SelfMetric; 4] = [
    SelfMetric {
        name: "watchpost_metrics_series",
        description: "Series in the registry, including removed ones whose handles are still held.",
        kind: InstrumentKind::Gauge,
        observe: |registry, observe| observe(&[], float(registry.context.series.load(Relaxed))),
    },
    SelfMetric {
        name: "watchpost_metrics_overflows",
        description: "How often a label set was requested for which there was no room.",
        kind: InstrumentKind::Counter,
        observe: |registry, observe| {
            for metric in registry.metrics() {
                match metric.usage().overflows {
                    0 => {}
                    overflows => observe(&[("metric", &metric.name.family)], float(overflows)),
                }
            }
        },
    },
    SelfMetric {
        name: "watchpost_metrics_truncated",
        description: "Labels that were cut or left out because they were too long or too many.",
        kind: InstrumentKind::Counter,
        observe: |registry, observe| observe(&[], float(registry.context.truncated.load(Relaxed))),
    },
    SelfMetric {
        name: "watchpost_metrics_refused",
        description: "How often a metric was requested whose name was taken, or for which the registry was full.",
        kind: InstrumentKind::Counter,
        observe: |registry, observe| observe(&[], float(registry.context.refused.load(Relaxed))),
    },
];

#[expect(clippy::cast_precision_loss, reason = "exposed numbers are floats")]
fn float(number: impl TryInto<u64>) -> f64 {
    number.try_into().unwrap_or(u64::MAX) as f64
}

/// Registers the metrics of the registry itself.
pub(super) fn register(registry: &Arc<Registry>) {
    for metric in METRICS {
        // The registry owns the observer, so the observer holds the registry weakly.
        let weak = Arc::downgrade(registry);
        let observer: Observer = Arc::new(move |observe| {
            if let Some(registry) = weak.upgrade() {
                (metric.observe)(&registry, observe);
            }
        });
        let spec = InstrumentSpec::observed(metric.name, "", metric.description, metric.kind);
        registry.observe(&spec, TotalOrigin::Monitor, observer);
    }
}
