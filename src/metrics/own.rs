//! What the registry says of itself.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::name::Kind;
use super::registry::Registry;
use super::{Metrics, Observer};

/// One row of the table: name, what it says, kind, values.
type Row = (
    &'static str,
    &'static str,
    Kind,
    fn(&Registry, &mut dyn FnMut(&[(&str, &str)], f64)),
);

const ROWS: [Row; 4] = [
    (
        "watchpost_metrics_series",
        "Series in the registry, those that left the page and are still held among them.",
        Kind::Gauge,
        |registry, tell| tell(&[], float(registry.common.series.load(Relaxed))),
    ),
    (
        "watchpost_metrics_overflows",
        "How often a label set was asked for that had no room.",
        Kind::Counter,
        |registry, tell| {
            for metric in registry.metrics() {
                match metric.room().1 {
                    0 => {}
                    overflowed => tell(&[("metric", &metric.name.family)], float(overflowed)),
                }
            }
        },
    ),
    (
        "watchpost_metrics_truncated",
        "Labels that were cut or left out because they were too long or too many.",
        Kind::Counter,
        |registry, tell| tell(&[], float(registry.common.truncated.load(Relaxed))),
    ),
    (
        "watchpost_metrics_refused",
        "How often a metric was asked for whose name is another's, or one name too many.",
        Kind::Counter,
        |registry, tell| tell(&[], float(registry.common.refused.load(Relaxed))),
    ),
];

#[expect(clippy::cast_precision_loss, reason = "a page's number is a float")]
fn float(number: impl TryInto<u64>) -> f64 {
    number.try_into().unwrap_or(u64::MAX) as f64
}

/// Puts the registry's own figures on the page.
pub(super) fn watch(metrics: &Metrics) {
    for (name, description, kind, of) in ROWS {
        // The registry holds the observer: a strong reference would hold both for good.
        let registry = Arc::downgrade(&metrics.registry);
        let read: Observer = Arc::new(move |tell| {
            if let Some(registry) = registry.upgrade() {
                of(&registry, tell);
            }
        });
        metrics.observe(name, "", description, kind, read);
    }
}
