use std::time::Duration;

use crate::model::ExplicitKeys;

/// The limits of the registry, and the buckets of its histograms. Over a limit, values are folded or cut and counted;
/// nothing fails.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct MetricsConfig {
    /// Label sets that one metric may have.
    pub max_series_per_metric: usize,
    /// Label sets that all metrics together may have.
    pub max_series: usize,
    /// How long a series stays on the page after it was last used.
    pub idle_after: Duration,
    /// Whether a counter of the `metrics` facade has the name on the page that the program gives it, without a `_total`
    /// added to it.
    pub keep_counter_names: bool,
    /// Histograms that are off or have other bounds than their own, by name. A name is written as the program writes
    /// it (`http.server.request.duration`) or as the page does (`http_server_request_duration_seconds`). Of two
    /// entries for one histogram, the last one holds.
    pub histograms: Vec<(String, Buckets)>,
    pub(crate) explicit: ExplicitKeys,
}

/// How a histogram is exposed.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Buckets {
    /// With its own bounds.
    Default,
    /// The histogram is not on the page and records nothing.
    Off,
    /// The upper bounds of its buckets, in its unit: at most 128 finite numbers, in any order. `+Inf` alone means one
    /// bucket.
    Bounds(Vec<f64>),
}

impl MetricsConfig {
    /// Label sets of one metric: 2,000, as OpenTelemetry's.
    pub const DEFAULT_MAX_SERIES_PER_METRIC: usize = 2_000;
    /// Label sets of all metrics: 20,000.
    pub const DEFAULT_MAX_SERIES: usize = 20_000;
    /// An unused series leaves the page after one hour.
    pub const DEFAULT_IDLE_AFTER: Duration = Duration::from_secs(3600);

    /// Sets how many label sets one metric may have; the rest share one overflow series.
    ///
    /// The default is [`DEFAULT_MAX_SERIES_PER_METRIC`](Self::DEFAULT_MAX_SERIES_PER_METRIC).
    #[must_use]
    pub fn max_series_per_metric(mut self, series: usize) -> Self {
        self.explicit.add("metrics.max_series_per_metric");
        self.max_series_per_metric = series;
        self
    }

    /// Sets how many label sets all metrics together may have.
    ///
    /// The default is [`DEFAULT_MAX_SERIES`](Self::DEFAULT_MAX_SERIES).
    #[must_use]
    pub fn max_series(mut self, series: usize) -> Self {
        self.explicit.add("metrics.max_series");
        self.max_series = series;
        self
    }

    /// Sets how long a series that nobody uses stays on the page; [`Duration::MAX`] keeps all.
    ///
    /// The default is [`DEFAULT_IDLE_AFTER`](Self::DEFAULT_IDLE_AFTER).
    #[must_use]
    pub fn idle_after(mut self, idle: Duration) -> Self {
        self.explicit.add("metrics.idle_after");
        self.idle_after = idle;
        self
    }

    /// Sets whether counters of the `metrics` facade keep the name that the program gives them, as with
    /// metrics-exporter-prometheus. In `OpenMetrics` form, where the samples of a counter end in `_total`, the type of such
    /// a counter is `unknown`.
    ///
    /// By default, `_total` is added to names that do not end in it.
    #[must_use]
    pub fn keep_counter_names(mut self, keep: bool) -> Self {
        self.explicit.add("metrics.keep_counter_names");
        self.keep_counter_names = keep;
        self
    }

    /// Sets the buckets of one histogram, or switches it off. The last call for a histogram wins, whether it has the
    /// name in the program or the name on the page.
    #[must_use]
    pub fn histogram(mut self, name: impl Into<String>, buckets: Buckets) -> Self {
        self.explicit.add("metrics.histograms");
        let name = name.into();
        self.histograms.retain(|(other, _)| *other != name);
        self.histograms.push((name, buckets));
        self
    }

    /// What is set for a histogram of this name in the program or on the page: the entry that was set last, since a
    /// later source wins under either name.
    pub(super) fn buckets(&self, name: &str, family: &str) -> Option<&Buckets> {
        let mut all = self.histograms.iter().rev();
        let found = all.find(|(set, _)| *set == name || *set == family);
        found.map(|(_, buckets)| buckets)
    }
}

impl Default for MetricsConfig {
    fn default() -> Self {
        Self {
            max_series_per_metric: Self::DEFAULT_MAX_SERIES_PER_METRIC,
            max_series: Self::DEFAULT_MAX_SERIES,
            idle_after: Self::DEFAULT_IDLE_AFTER,
            keep_counter_names: false,
            histograms: Vec::new(),
            explicit: ExplicitKeys::default(),
        }
    }
}
