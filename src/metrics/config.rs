use std::time::Duration;

use crate::model::ExplicitKeys;

/// The limits of the metrics registry, the buckets of its histograms, and whether metrics are pushed.
///
/// Exceeding a limit never fails a call: label sets are merged into an overflow series, texts are truncated, and both
/// are counted.
///
/// Every field is the setting of the same name under `metrics`. The [table](crate::config#the-settings) of settings
/// also lists their variables and ranges.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct MetricsConfig {
    /// The maximum number of label sets of one metric. Default: 2,000.
    pub max_series_per_metric: usize,
    /// The maximum number of label sets of all metrics together. Default: 20,000.
    pub max_series: usize,
    /// The time that a series stays exposed after its last use, from 1 s to 30 days. Default: 1 h.
    pub idle_after: Duration,
    /// Whether a counter of the `metrics` facade is exposed under the name that the program gives it, without an added
    /// `_total`. Default: `false`.
    pub keep_counter_names: bool,
    /// The histograms that are disabled or whose bounds are replaced, by name. A name is either the program's
    /// (`http.server.request.duration`) or the exposed one (`http_server_request_duration_seconds`). If a histogram has
    /// two entries, the last one applies.
    pub histograms: Vec<(String, Buckets)>,
    /// Where metrics are pushed to, in addition to being exposed. Default: [`MetricsExporter::None`].
    pub exporter: MetricsExporter,
    /// The time from one push to the next, from 100 ms to 1 day. Default: 1 min.
    pub export_interval: Duration,
    /// The upper limit of the timeout of a push, from 1 ms to 10 min. Default: 30 s.
    pub export_timeout: Duration,
    /// What the pushed values of counters and histograms cover. Default: [`MetricsTemporality::Cumulative`].
    pub temporality: MetricsTemporality,
    /// The form of pushed histograms. Default: [`HistogramAggregation::Exponential`].
    pub histogram_aggregation: HistogramAggregation,
    pub(crate) explicit: ExplicitKeys,
}

/// The buckets of a histogram.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Buckets {
    /// The histogram keeps its own bounds.
    Default,
    /// The histogram is not exposed and records nothing.
    Off,
    /// The histogram has these upper bounds, in its unit: at most 128 finite numbers, in any order. `+Inf` alone means
    /// one bucket.
    Bounds(Vec<f64>),
}

/// Where metrics are pushed to. They are exposed for scrapes as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum MetricsExporter {
    /// Nowhere.
    #[default]
    None,
    /// The OTLP receiver of [`OtlpConfig`](crate::trace::OtlpConfig).
    Otlp,
}

/// What the pushed values of counters and histograms cover. Up-down counters are always pushed with their totals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum MetricsTemporality {
    /// The total since the series was made.
    #[default]
    Cumulative,
    /// The increase since the push before. Series without an increase are left out.
    Delta,
    /// As `Delta`, except for counters that are read when they are pushed, such as those of the process: these have
    /// their totals.
    LowMemory,
}

/// The form of pushed histograms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum HistogramAggregation {
    /// Exponential histograms at scale 5: quantiles differ from the exact ones by at most 1.1 %.
    #[default]
    Exponential,
    /// The histogram's own buckets.
    ExplicitBuckets,
}

impl MetricsConfig {
    /// The default maximum of label sets of one metric: 2,000, OpenTelemetry's default.
    pub const DEFAULT_MAX_SERIES_PER_METRIC: usize = 2_000;
    /// The default maximum of label sets of all metrics: 20,000.
    pub const DEFAULT_MAX_SERIES: usize = 20_000;
    /// The default time after which an unused series is removed: one hour.
    pub const DEFAULT_IDLE_AFTER: Duration = Duration::from_secs(3600);
    /// The default time from one push to the next: one minute, OpenTelemetry's default.
    pub const DEFAULT_EXPORT_INTERVAL: Duration = Duration::from_secs(60);
    /// The default upper limit of the timeout of a push: 30 s, OpenTelemetry's default.
    pub const DEFAULT_EXPORT_TIMEOUT: Duration = Duration::from_secs(30);

    /// Sets the maximum number of label sets of one metric; further ones share one overflow series.
    ///
    /// Default: 2,000, as in OpenTelemetry.
    #[must_use]
    pub fn max_series_per_metric(mut self, series: usize) -> Self {
        self.explicit.add("metrics.max_series_per_metric");
        self.max_series_per_metric = series;
        self
    }

    /// Sets the maximum number of label sets of all metrics together.
    ///
    /// Default: 20,000.
    #[must_use]
    pub fn max_series(mut self, series: usize) -> Self {
        self.explicit.add("metrics.max_series");
        self.max_series = series;
        self
    }

    /// Sets how long an unused series stays exposed, from 1 s to 30 days.
    ///
    /// Default: 1 h.
    #[must_use]
    pub fn idle_after(mut self, idle: Duration) -> Self {
        self.explicit.add("metrics.idle_after");
        self.idle_after = idle;
        self
    }

    /// Sets whether counters of the `metrics` facade keep the name that the program gives them, as with
    /// metrics-exporter-prometheus.
    ///
    /// In the `OpenMetrics` format, where the samples of a counter end in `_total`, the type of such a counter is
    /// `unknown`.
    ///
    /// A name that the typed handles and the facade both use is one counter. Its first user decides how it is exposed:
    /// `orders_total` if a typed handle was created first, `orders` if the facade counted first.
    ///
    /// Default: `false`; `_total` is added to names that do not end in it.
    #[must_use]
    pub fn keep_counter_names(mut self, keep: bool) -> Self {
        self.explicit.add("metrics.keep_counter_names");
        self.keep_counter_names = keep;
        self
    }

    /// Sets the buckets of one histogram, or disables it.
    ///
    /// `name` is the program's name or the exposed one. The last call for a histogram applies, whichever name it uses.
    #[must_use]
    pub fn histogram(mut self, name: impl Into<String>, buckets: Buckets) -> Self {
        self.explicit.add("metrics.histograms");
        let name = name.into();
        self.histograms.retain(|(other, _)| *other != name);
        self.histograms.push((name, buckets));
        self
    }

    /// Sets where metrics are pushed to. Needs the feature `otlp` and an endpoint in
    /// [`OtlpConfig`](crate::trace::OtlpConfig).
    ///
    /// Default: [`MetricsExporter::None`].
    #[must_use]
    pub fn exporter(mut self, exporter: MetricsExporter) -> Self {
        self.explicit.add("metrics.exporter");
        self.exporter = exporter;
        self
    }

    /// Sets the time from one push to the next, from 100 ms to 1 day.
    ///
    /// Default: 1 min.
    #[must_use]
    pub fn export_interval(mut self, interval: Duration) -> Self {
        self.explicit.add("metrics.export_interval");
        self.export_interval = interval;
        self
    }

    /// Sets the upper limit of the timeout of a push, from 1 ms to 10 min.
    ///
    /// Default: 30 s.
    #[must_use]
    pub fn export_timeout(mut self, timeout: Duration) -> Self {
        self.explicit.add("metrics.export_timeout");
        self.export_timeout = timeout;
        self
    }

    /// Sets what the pushed values of counters and histograms cover.
    ///
    /// Default: [`MetricsTemporality::Cumulative`].
    #[must_use]
    pub fn temporality(mut self, temporality: MetricsTemporality) -> Self {
        self.explicit.add("metrics.temporality");
        self.temporality = temporality;
        self
    }

    /// Sets the form of pushed histograms.
    ///
    /// Default: [`HistogramAggregation::Exponential`].
    #[must_use]
    pub fn histogram_aggregation(mut self, aggregation: HistogramAggregation) -> Self {
        self.explicit.add("metrics.histogram_aggregation");
        self.histogram_aggregation = aggregation;
        self
    }

    /// Returns the entry of a histogram, by the program's name or the exposed one. The last entry applies, because a
    /// later source overrides earlier ones under either name.
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
            exporter: MetricsExporter::default(),
            export_interval: Self::DEFAULT_EXPORT_INTERVAL,
            export_timeout: Self::DEFAULT_EXPORT_TIMEOUT,
            temporality: MetricsTemporality::default(),
            histogram_aggregation: HistogramAggregation::default(),
            explicit: ExplicitKeys::default(),
        }
    }
}
