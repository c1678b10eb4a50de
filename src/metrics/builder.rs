use std::sync::Arc;

use super::handles::{Counter, Gauge, Histogram, UpDownCounter};
use super::metric::Metric;
use super::name::InstrumentKind;
use super::registry::{InstrumentSpec, Registry};

macro_rules! builder {
    ($(#[$doc:meta])* $builder:ident, $handle:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        #[must_use = "the metric is registered when it is built"]
        pub struct $builder {
            registry: Arc<Registry>,
            name: String,
            unit: String,
            description: String,
            bounds: Option<Vec<f64>>,
        }

        impl $builder {
            pub(super) fn new(registry: &Arc<Registry>, name: &str) -> Self {
                Self {
                    registry: Arc::clone(registry),
                    name: name.to_owned(),
                    unit: String::new(),
                    description: String::new(),
                    bounds: None,
                }
            }

            /// Sets the unit, as OpenTelemetry writes it: `s`, `By`, `{request}`.
            ///
            /// The exposed name ends in the word for the unit: `_seconds`, `_bytes`. A unit in braces and an empty
            /// text add nothing.
            pub fn unit(mut self, unit: impl Into<String>) -> Self {
                self.unit = unit.into();
                self
            }

            /// Sets the description, one sentence: the `# HELP` line of the exposition.
            pub fn description(mut self, description: impl Into<String>) -> Self {
                self.description = description.into();
                self
            }

            /// Registers the metric and returns its handle without labels; the handle's `with` adds labels.
            ///
            /// If the name is registered already, the handle records into the same metric, which keeps its first unit
            /// and description (and bounds, if it is a histogram). If it is registered as another kind of instrument, the first one wins:
            /// the new handle records nothing that is exposed, and the monitor's report lists the conflict.
            pub fn build(self) -> $handle {
                $handle::new(self.metric())
            }

            fn metric(&self) -> Arc<Metric> {
                self.registry.typed(&InstrumentSpec {
                    name: &self.name,
                    kind: InstrumentKind::$handle,
                    unit: &self.unit,
                    description: &self.description,
                    bounds: self.bounds.as_deref(),
                })
            }
        }
    };
}

builder!(
    /// Builds a [`Counter`](super::Counter); made by [`Metrics::counter`](super::Metrics::counter).
    CounterBuilder,
    Counter
);
builder!(
    /// Builds a [`Gauge`](super::Gauge); made by [`Metrics::gauge`](super::Metrics::gauge).
    GaugeBuilder,
    Gauge
);
builder!(
    /// Builds an [`UpDownCounter`](super::UpDownCounter); made by
    /// [`Metrics::up_down_counter`](super::Metrics::up_down_counter).
    UpDownCounterBuilder,
    UpDownCounter
);
builder!(
    /// Builds a [`Histogram`](super::Histogram); made by [`Metrics::histogram`](super::Metrics::histogram).
    HistogramBuilder,
    Histogram
);

impl HistogramBuilder {
    /// Sets the upper bounds of the buckets, in the histogram's unit and in any order: at most 128 finite numbers.
    ///
    /// Every histogram has the bound `+Inf`. As the only bound, it makes a histogram with one bucket, which is a count
    /// and a sum. The default is the bounds that OpenTelemetry's conventions give to durations in seconds, from 5 ms to
    /// 10 s. The setting [`metrics.histograms`](crate::config) overrides both.
    pub fn bounds(mut self, bounds: impl IntoIterator<Item = f64>) -> Self {
        self.bounds = Some(bounds.into_iter().collect());
        self
    }
}
