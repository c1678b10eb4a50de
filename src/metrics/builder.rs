use std::sync::Arc;

use super::handles::{Counter, Gauge, Histogram, UpDownCounter};
use super::metric::Metric;
use super::name::Kind;
use super::registry::{Registry, Wanted};

macro_rules! builder {
    ($(#[$doc:meta])* $builder:ident, $handle:ident, $kind:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        #[must_use = "a metric stands on the page once it is built"]
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

            /// The unit, as OpenTelemetry writes it: `s`, `By`, `{request}`. On the page it is a word
            /// at the end of the name: `_seconds`, `_bytes`; braces and an empty text add none.
            pub fn unit(mut self, unit: impl Into<String>) -> Self {
                self.unit = unit.into();
                self
            }

            /// What the metric says, in a sentence: the page's `# HELP`.
            pub fn description(mut self, description: impl Into<String>) -> Self {
                self.description = description.into();
                self
            }

            /// The handle without labels; [`with`](super::$handle::with) adds them.
            ///
            /// A name that is there already gives a handle to the same metric, and the first unit,
            /// description and bounds stay. If it has another type, the first one stays on the page, the
            /// new handle counts into nothing that is shown, and the monitor's report says so.
            pub fn build(self) -> $handle {
                $handle::new(self.metric())
            }

            fn metric(&self) -> Arc<Metric> {
                self.registry.typed(&Wanted {
                    name: &self.name,
                    kind: Kind::$kind,
                    unit: &self.unit,
                    description: &self.description,
                    bounds: self.bounds.as_deref(),
                })
            }
        }
    };
}

builder!(
    /// A [`Counter`](super::Counter) to be.
    CounterBuilder,
    Counter,
    Counter
);
builder!(
    /// A [`Gauge`](super::Gauge) to be.
    GaugeBuilder,
    Gauge,
    Gauge
);
builder!(
    /// An [`UpDownCounter`](super::UpDownCounter) to be.
    UpDownCounterBuilder,
    UpDownCounter,
    UpDownCounter
);
builder!(
    /// A [`Histogram`](super::Histogram) to be.
    HistogramBuilder,
    Histogram,
    Histogram
);

impl HistogramBuilder {
    /// The buckets' upper bounds, in the histogram's unit, in any order: at most 128 finite numbers. Every histogram
    /// has the bound `+Inf`; given alone, it makes a histogram of one bucket, which is a count and a sum.
    ///
    /// The default is those that OpenTelemetry's conventions give to durations in seconds, from 5 ms to 10 s. What the
    /// setting [`metrics.histograms`](crate::config) says of this name goes before both.
    pub fn bounds(mut self, bounds: impl IntoIterator<Item = f64>) -> Self {
        self.bounds = Some(bounds.into_iter().collect());
        self
    }
}
