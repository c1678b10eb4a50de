use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::context::RegistryContext;
use super::labels::LabelSet;
use super::name::{InstrumentKind, MetricName};
use crate::model::catch_panic;

/// Reports one value: its labels and the value.
pub(crate) type ObserveFn<'a> = &'a mut dyn FnMut(&[(&str, &str)], f64);

/// Reports the current values of a metric: calls its argument once for each label set.
pub(crate) type Observer = Arc<dyn Fn(ObserveFn<'_>) + Send + Sync>;

/// Since when the totals of an observed counter are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TotalOrigin {
    /// Since an unknown time before the monitor was built: the first value that is read is no increase.
    Earlier,
    /// Since the monitor was built, or since the series appeared: the first value that is read is an increase.
    Monitor,
}

/// A metric whose values are read when it is scraped.
pub(super) struct ObservableMetric {
    pub(super) context: Arc<RegistryContext>,
    pub(super) name: MetricName,
    pub(super) kind: InstrumentKind,
    pub(super) description: String,
    #[cfg_attr(
        not(any(feature = "history", feature = "otlp")),
        expect(dead_code, reason = "only a snapshot reads it")
    )]
    pub(super) origin: TotalOrigin,
    pub(super) observer: Observer,
}

impl ObservableMetric {
    /// The current values by canonical labels. If the observer panics, the values that it reported before are kept.
    pub(super) fn values(&self) -> BTreeMap<String, f64> {
        let mut values = BTreeMap::new();
        let limit = self.context.config.max_series_per_metric;
        let mut observe = |labels: &[(&str, &str)], value: f64| {
            let labels = labels.iter().map(|(k, v)| ((*k).into(), (*v).into()));
            let labels = LabelSet::new("", labels, None);
            if values.len() < limit || values.contains_key(&labels.text) {
                values.insert(labels.text, value);
            } else {
                self.context.truncated.fetch_add(1, Relaxed);
            }
        };
        // The observer is called again at the next scrape: only it depends on the state that its panic left.
        if catch_panic(|| (self.observer)(&mut observe)).is_none() {
            self.context.diagnostics.report(format!(
                "The function that reads the metric `{}` panicked, so some of its values may not be exposed.",
                self.name.family
            ));
        }
        values
    }
}

impl fmt::Debug for ObservableMetric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObservableMetric")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}
