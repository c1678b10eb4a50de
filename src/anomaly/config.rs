use crate::model::ExplicitKeys;

/// Which series the monitor watches for anomalies, and how many false alarms are accepted.
///
/// Without the feature `history`, nothing is watched.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct AnomalyConfig {
    /// The number of false alarms that are expected of one series in 30 days.
    pub false_alarms: f64,
    /// Whether the monitor's own series are watched: requests, queries, dependencies, pools, queues, memory, CPU and log
    /// errors.
    pub default_series: bool,
    /// The maximum number of series that are watched.
    pub max_series: usize,
    pub(crate) explicit: ExplicitKeys,
}

impl AnomalyConfig {
    /// The default number of false alarms of one series in 30 days: 3.
    pub const DEFAULT_FALSE_ALARMS: f64 = 3.0;
    /// Whether the monitor's own series are watched by default: they are.
    pub const DEFAULT_DEFAULT_SERIES: bool = true;
    /// The default number of series that are watched at most: 2,000.
    pub const DEFAULT_MAX_SERIES: usize = 2000;

    /// Sets the number of false alarms that are expected of one series in 30 days, from 0.01 to 1000:
    /// `anomaly.false_alarms`. The more, the smaller the anomalies that are found. Default: 3.
    ///
    /// [`Watch::false_alarms`](crate::anomaly) sets it for single series.
    #[must_use]
    pub fn false_alarms(mut self, in_30_days: f64) -> Self {
        self.explicit.add("anomaly.false_alarms");
        self.false_alarms = in_30_days;
        self
    }

    /// Sets whether the monitor's own series are watched: `anomaly.default_series`. Default: `true`. If not, only those are
    /// that the host watches.
    #[must_use]
    pub fn default_series(mut self, watched: bool) -> Self {
        self.explicit.add("anomaly.default_series");
        self.default_series = watched;
        self
    }

    /// Sets how many series are watched at most, from 1 to 5,000: `anomaly.max_series`. Default: 2,000. Each takes 1.5 KiB.
    #[must_use]
    pub fn max_series(mut self, series: usize) -> Self {
        self.explicit.add("anomaly.max_series");
        self.max_series = series;
        self
    }
}

impl Default for AnomalyConfig {
    fn default() -> Self {
        Self {
            false_alarms: Self::DEFAULT_FALSE_ALARMS,
            default_series: Self::DEFAULT_DEFAULT_SERIES,
            max_series: Self::DEFAULT_MAX_SERIES,
            explicit: ExplicitKeys::default(),
        }
    }
}
