use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use crate::error::{Error, Result};
use crate::metrics::label_value;

/// What to read from the history: a function of the series of one metric over a window of time.
///
/// The metric's name is the exposed one, without the suffix of a histogram's samples: `jobs_total`,
/// `http_server_request_duration_seconds`.
///
/// ```
/// use std::time::Duration;
/// use watchpost::history::MetricQuery;
///
/// // The 95th percentile of five minutes, by route, of requests that succeeded.
/// let query = MetricQuery::quantile(0.95, "http_server_request_duration_seconds")
///     .label("http_response_status_code", "200")
///     .by(["http_route"])
///     .window(Duration::from_secs(300));
/// # let _ = query;
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct MetricQuery {
    pub(super) metric: String,
    pub(super) function: Function,
    pub(super) window: Duration,
    pub(super) matchers: Vec<Matcher>,
    pub(super) grouping: Grouping,
    pub(super) aggregation: Aggregation,
}

/// The function of a query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Function {
    Last,
    Mean,
    Min,
    Max,
    Increase,
    Rate,
    SumIncrease,
    Quantile(f64),
}

/// A condition on a label. A label that a series does not have is empty.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Matcher {
    pub(super) label: String,
    pub(super) values: BTreeSet<String>,
    /// Whether the label must have none of the values.
    pub(super) is_negated: bool,
}

/// Which series are combined.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Grouping {
    /// None: each series has its own result.
    Each,
    /// Those with equal values of these labels.
    By(Vec<String>),
}

/// How a query combines the values of several gauges.
///
/// Increases and rates are always added, and the values of histograms always merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Aggregation {
    /// The sum of the values.
    #[default]
    Sum,
    /// The mean of the values.
    Mean,
    /// The lowest value.
    Min,
    /// The highest value.
    Max,
}

/// One result of a query: the labels of a series or a group of series, and its values.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ResultSeries {
    /// The labels and their values, sorted by label.
    pub labels: Vec<(String, String)>,
    /// The values in the order of time. A time for which there is no data has no point.
    pub points: Vec<Point>,
}

/// A value of a query's result.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Point {
    /// The end of the window.
    pub at: SystemTime,
    /// The value, in the metric's unit; a rate is per second.
    pub value: f64,
    /// Whether a value in the window is an anomaly.
    pub is_anomaly: bool,
    /// Whether a part of the window has no data, or may have none: the monitor did not run or had no snapshot for more
    /// than one and a half intervals, the wall clock was set, or the history begins later than the window.
    pub has_gap: bool,
}

impl ResultSeries {
    /// Creates a result from labels and values, for a [`MetricReader`](super::MetricReader) of your own. Sorts the labels.
    pub fn new(mut labels: Vec<(String, String)>, points: Vec<Point>) -> Self {
        labels.sort();
        Self { labels, points }
    }
}

impl Point {
    /// Creates a value at the end of a window, without anomaly and gap.
    pub fn new(at: SystemTime, value: f64) -> Self {
        Self {
            at,
            value,
            is_anomaly: false,
            has_gap: false,
        }
    }
}

impl MetricQuery {
    /// The default window: five minutes.
    pub const DEFAULT_WINDOW: Duration = Duration::from_secs(300);

    fn new(function: Function, metric: impl Into<String>) -> Self {
        Self {
            metric: metric.into(),
            function,
            window: Self::DEFAULT_WINDOW,
            matchers: Vec::new(),
            grouping: Grouping::Each,
            aggregation: Aggregation::Sum,
        }
    }

    /// The last value of a gauge in the window.
    pub fn last(metric: impl Into<String>) -> Self {
        Self::new(Function::Last, metric)
    }

    /// The mean of a gauge's values in the window, or of the values that a histogram recorded in it.
    pub fn mean(metric: impl Into<String>) -> Self {
        Self::new(Function::Mean, metric)
    }

    /// The lowest value of a gauge in the window.
    pub fn min(metric: impl Into<String>) -> Self {
        Self::new(Function::Min, metric)
    }

    /// The highest value of a gauge in the window.
    pub fn max(metric: impl Into<String>) -> Self {
        Self::new(Function::Max, metric)
    }

    /// The increase of a counter in the window, or the number of values that a histogram recorded in it.
    pub fn increase(metric: impl Into<String>) -> Self {
        Self::new(Function::Increase, metric)
    }

    /// The [increase](Self::increase) per second. The time without data is not counted.
    pub fn rate(metric: impl Into<String>) -> Self {
        Self::new(Function::Rate, metric)
    }

    /// The sum of the values that a histogram recorded in the window.
    pub fn sum_increase(metric: impl Into<String>) -> Self {
        Self::new(Function::SumIncrease, metric)
    }

    /// The quantile of the values that a histogram recorded in the window. `rank` is from 0 to 1: 0.95 is the 95th
    /// percentile. The result differs from the exact quantile by at most 1.1 %.
    pub fn quantile(rank: f64, metric: impl Into<String>) -> Self {
        Self::new(Function::Quantile(rank), metric)
    }

    /// Sets the length of the window, which ends at the time of a result. Default: five minutes.
    #[must_use]
    pub fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// Selects series whose label has this value. The empty value selects series without the label.
    #[must_use]
    pub fn label(self, label: impl Into<String>, value: impl Into<String>) -> Self {
        self.label_in(label, [value])
    }

    /// Selects series whose label has one of these values.
    #[must_use]
    pub fn label_in<V: Into<String>>(
        self,
        label: impl Into<String>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        self.matching(label.into(), values, false)
    }

    /// Selects series whose label has none of these values.
    #[must_use]
    pub fn label_not_in<V: Into<String>>(
        self,
        label: impl Into<String>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        self.matching(label.into(), values, true)
    }

    fn matching<V: Into<String>>(
        mut self,
        label: String,
        values: impl IntoIterator<Item = V>,
        is_negated: bool,
    ) -> Self {
        self.matchers.push(Matcher {
            label,
            values: values.into_iter().map(Into::into).collect(),
            is_negated,
        });
        self
    }

    /// Combines the series that have equal values of these labels. Without labels, all series are combined.
    #[must_use]
    pub fn by<L: Into<String>>(mut self, labels: impl IntoIterator<Item = L>) -> Self {
        let mut labels: Vec<String> = labels.into_iter().map(Into::into).collect();
        labels.sort();
        labels.dedup();
        self.grouping = Grouping::By(labels);
        self
    }

    /// Combines all selected series.
    #[must_use]
    pub fn total(self) -> Self {
        self.by([""; 0])
    }

    /// Sets how the values of several gauges are combined. Default: they are added.
    #[must_use]
    pub fn aggregation(mut self, aggregation: Aggregation) -> Self {
        self.aggregation = aggregation;
        self
    }
}

impl MetricQuery {
    /// Refuses a query that cannot have a result.
    pub(crate) fn check(&self) -> Result<()> {
        if let Function::Quantile(rank) = self.function
            && !(0.0..=1.0).contains(&rank)
        {
            return Err(Error::query(&format!(
                "{rank} is no rank of a quantile: write a number from 0 to 1, such as 0.95"
            )));
        }
        if self.window.as_millis() == 0 {
            return Err(Error::query(
                "the window is shorter than 1 ms: make it longer",
            ));
        }
        Ok(())
    }
}

/// What rules need to know of a query.
#[cfg(feature = "alerts")]
impl MetricQuery {
    /// A query that counts what this one reads: the increase of the same series. `None` for a function of gauges.
    pub(crate) fn counting(&self) -> Option<Self> {
        match self.function {
            Function::Increase
            | Function::Rate
            | Function::SumIncrease
            | Function::Mean
            | Function::Quantile(_) => {
                let mut counting = self.clone();
                counting.function = Function::Increase;
                Some(counting)
            }
            Function::Last | Function::Min | Function::Max => None,
        }
    }

    /// Whether all series are combined.
    pub(crate) fn is_total(&self) -> bool {
        matches!(&self.grouping, Grouping::By(labels) if labels.is_empty())
    }

    /// The exposed name of the metric.
    #[cfg(feature = "dashboard")]
    pub(crate) fn metric(&self) -> &str {
        &self.metric
    }

    /// Whether the value is a quantile of what a histogram recorded.
    #[cfg(feature = "dashboard")]
    pub(crate) fn is_quantile(&self) -> bool {
        matches!(self.function, Function::Quantile(_))
    }
}

impl Matcher {
    /// Whether a series with these labels, in canonical form, is selected. It is asked for each series of each file.
    pub(super) fn matches(&self, labels: &str) -> bool {
        let value = label_value(labels, &self.label).unwrap_or_default();
        self.values.contains(&*value) != self.is_negated
    }
}
