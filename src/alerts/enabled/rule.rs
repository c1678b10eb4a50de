use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::alert::Severity;
use super::bound::Bound;
use super::notification_pace::NotificationPace;
use super::phase::{MissingData, Timing};
use crate::error::{Error, Result};
use crate::history::{History, MetricQuery};

/// The name of the rule whose alerts report that the data of a firing alert are missing.
pub(super) const NO_DATA: &str = "no_data";
/// The most characters of a rule's name.
const MAX_NAME: usize = 100;

/// A function of the host that returns the values of a rule, each with its labels.
pub(super) type ValueFunction =
    dyn Fn(&History, SystemTime) -> Result<Vec<(Vec<(String, String)>, f64)>> + Send + Sync;

/// When to alert: a value of the history, the limit it must not pass, and for how long.
///
/// Each label set of the value has an alert of its own.
///
/// ```
/// use std::time::Duration;
/// use watchpost::alerts::{Bound, Rule, Severity};
/// use watchpost::history::MetricQuery;
///
/// let age = MetricQuery::last("queue_oldest_message_age_seconds").by(["queue"]);
/// let rule = Rule::threshold("queue-stuck", age, Bound::above(300.0))
///     .hold_for(Duration::from_secs(120))
///     .severity(Severity::Critical)
///     .annotation("summary", "The oldest message of {{ $labels.queue }} is {{ $value | humanizeDuration }} old")
///     .runbook("https://wiki.example/queues");
/// assert!(rule.check().is_ok());
/// ```
#[derive(Clone, Debug)]
pub struct Rule {
    pub(super) name: String,
    pub(super) measure: RuleMeasure,
    pub(super) bound: Bound,
    /// A second condition, which has to hold too.
    pub(super) also: Vec<(RuleMeasure, Bound)>,
    pub(super) clear: Option<f64>,
    pub(super) hold: Duration,
    pub(super) keep_firing: Duration,
    pub(super) missing: MissingData,
    /// A number of evaluations.
    pub(super) stale_after: u32,
    pub(super) min_samples: u64,
    pub(super) severity: Severity,
    pub(super) labels: Vec<(String, String)>,
    pub(super) annotations: Vec<(String, String)>,
    pub(super) runbook: Option<String>,
    pub(super) cooldown: Duration,
    pub(super) repeat: Option<Duration>,
}

/// Where a rule's value comes from.
#[derive(Clone)]
pub(super) enum RuleMeasure {
    Value(MetricQuery),
    Ratio {
        part: MetricQuery,
        whole: MetricQuery,
    },
    /// The change per hour, over a time.
    Trend {
        query: MetricQuery,
        over: Duration,
    },
    /// Whether there is nothing.
    Absent(MetricQuery),
    Custom(Arc<ValueFunction>),
}

impl Rule {
    /// The default cooldown: five minutes.
    pub const DEFAULT_COOLDOWN: Duration = Duration::from_secs(300);
    /// The time after which a critical alert is announced again, by default: an hour.
    pub const DEFAULT_CRITICAL_REPEAT: Duration = Duration::from_secs(3600);
    /// The time after which another alert is announced again, by default: four hours.
    pub const DEFAULT_REPEAT: Duration = Duration::from_secs(4 * 3600);
    /// The default number of evaluations without a value after which an alert is stale: 5.
    pub const DEFAULT_STALE_AFTER: u32 = 5;

    fn new(name: impl Into<String>, measure: RuleMeasure, bound: Bound) -> Self {
        Self {
            name: name.into(),
            measure,
            bound,
            also: Vec::new(),
            clear: None,
            hold: Duration::ZERO,
            keep_firing: Duration::ZERO,
            missing: MissingData::default(),
            stale_after: Self::DEFAULT_STALE_AFTER,
            min_samples: 0,
            severity: Severity::default(),
            labels: Vec::new(),
            annotations: Vec::new(),
            runbook: None,
            cooldown: Self::DEFAULT_COOLDOWN,
            repeat: None,
        }
    }

    /// Alerts if the value of a query is on the side of a bound. `name` identifies the rule.
    pub fn threshold(name: impl Into<String>, query: MetricQuery, bound: Bound) -> Self {
        Self::new(name, RuleMeasure::Value(query), bound)
    }

    /// Alerts on the share of one query in another, such as errors in requests: 0.05 is 5 %.
    ///
    /// Both are compared label set by label set, so they should be combined [by](MetricQuery::by) the same labels. Where
    /// only `whole` has a value, the share is 0. Where `whole` is 0, there is no value.
    pub fn ratio(
        name: impl Into<String>,
        part: MetricQuery,
        whole: MetricQuery,
        bound: Bound,
    ) -> Self {
        Self::new(name, RuleMeasure::Ratio { part, whole }, bound)
    }

    /// Alerts on a quantile of all values that a histogram recorded in the last five minutes. For another window, or some
    /// of its series, use [`threshold`](Self::threshold) with [`MetricQuery::quantile`].
    pub fn quantile(
        name: impl Into<String>,
        rank: f64,
        metric: impl Into<String>,
        bound: Bound,
    ) -> Self {
        Self::threshold(name, MetricQuery::quantile(rank, metric).total(), bound)
    }

    /// Alerts on the trend of a query over a time: its change per hour, in the unit of the metric.
    ///
    /// The trend is the median of the slopes between all pairs of 31 values (Theil–Sen), which single values do not move.
    /// There is no trend before half of the values are there.
    pub fn trend(
        name: impl Into<String>,
        query: MetricQuery,
        over: Duration,
        bound: Bound,
    ) -> Self {
        Self::new(name, RuleMeasure::Trend { query, over }, bound)
    }

    /// Alerts if a query has no result.
    pub fn absent(name: impl Into<String>, query: MetricQuery) -> Self {
        let rule = Self::new(name, RuleMeasure::Absent(query), Bound::at_least(1.0));
        rule.missing_data(MissingData::Resolve)
    }

    /// Alerts on values that a function of the host reads, each with its labels.
    ///
    /// The function runs at each evaluation, on a thread of the monitor, and delays all rules while it runs. If it returns
    /// an error, panics, or returns the same labels twice, the evaluation has failed, and all alerts of the rule keep their
    /// state.
    pub fn custom(
        name: impl Into<String>,
        values: impl Fn(&History, SystemTime) -> Result<Vec<(Vec<(String, String)>, f64)>>
        + Send
        + Sync
        + 'static,
        bound: Bound,
    ) -> Self {
        Self::new(name, RuleMeasure::Custom(Arc::new(values)), bound)
    }

    /// A rule whose values are known elsewhere.
    pub(super) fn of_values(name: &str, bound: Bound) -> Self {
        Self::custom(name, |_, _| Ok(Vec::new()), bound)
    }

    /// Adds a condition that has to hold too: the value of a query for the same labels, or its value without labels.
    #[must_use]
    pub fn and(mut self, query: MetricQuery, bound: Bound) -> Self {
        self.also.push((RuleMeasure::Value(query), bound));
        self
    }

    /// Adds a condition on a share that has to hold too, as [`and`](Self::and) does. The share is that of
    /// [`ratio`](Self::ratio).
    #[must_use]
    pub fn and_ratio(mut self, part: MetricQuery, whole: MetricQuery, bound: Bound) -> Self {
        self.also.push((RuleMeasure::Ratio { part, whole }, bound));
        self
    }

    /// Sets for how long the condition has to hold at every evaluation before the alert fires: `for` in Prometheus.
    /// Default: 0, it fires at once.
    #[must_use]
    pub fn hold_for(mut self, hold: Duration) -> Self {
        self.hold = hold;
        self
    }

    /// Sets for how long a firing alert goes on after the condition has ended. Default: 0.
    #[must_use]
    pub fn keep_firing_for(mut self, keep_firing: Duration) -> Self {
        self.keep_firing = keep_firing;
        self
    }

    /// Sets the limit that the value has to be back behind before a firing alert ends. Default: the limit of the bound.
    #[must_use]
    pub fn clear_at(mut self, limit: f64) -> Self {
        self.clear = Some(limit);
        self
    }

    /// Sets what it means if there is no value. Default: [`MissingData::Keep`].
    #[must_use]
    pub fn missing_data(mut self, missing: MissingData) -> Self {
        self.missing = missing;
        self
    }

    /// Sets after how many evaluations without a value an alert that is [kept](MissingData::Keep) is resolved as stale.
    /// Default: 5.
    #[must_use]
    pub fn stale_after(mut self, evaluations: u32) -> Self {
        self.stale_after = evaluations;
        self
    }

    /// Sets how many events the value has to be made of, so that one error of two requests is not an error rate of 50 %:
    /// the `whole` of a ratio, or the number of values that a histogram or a counter recorded in the window. With fewer, the
    /// condition does not hold. Default: 0.
    #[must_use]
    pub fn min_samples(mut self, samples: u64) -> Self {
        self.min_samples = samples;
        self
    }

    /// Sets how urgent the alerts are. Default: [`Severity::Warning`].
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// Adds a label to the alerts. It replaces a label of the series with the same name.
    #[must_use]
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.push((name.into(), value.into()));
        self
    }

    /// Adds a text about the alerts. `{{ $value }}` and `{{ $labels.name }}` stand for the value and for labels of
    /// the series;
    /// `{{ $value | humanizePercentage }}`, `| humanizeDuration }}` and `| humanize }}` format the value. Prometheus reads
    /// the same templates.
    #[must_use]
    pub fn annotation(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.annotations.push((name.into(), text.into()));
        self
    }

    /// Sets the address of the page that says what to do.
    #[must_use]
    pub fn runbook(mut self, url: impl Into<String>) -> Self {
        self.runbook = Some(url.into());
        self
    }

    /// Sets the least time between two notifications that an alert fires, also if it was resolved meanwhile. Default: five
    /// minutes.
    #[must_use]
    pub fn cooldown(mut self, cooldown: Duration) -> Self {
        self.cooldown = cooldown;
        self
    }

    /// Sets the time after which a firing alert is announced again. Default: an hour for critical alerts, else four hours.
    #[must_use]
    pub fn repeat(mut self, repeat: Duration) -> Self {
        self.repeat = Some(repeat);
        self
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Checks the rule, as the monitor does when it is added.
    ///
    /// # Errors
    ///
    /// Returns an error that says what to change: an empty or very long name, a query that cannot have a result, a clear
    /// threshold on the wrong side of the bound, or `min_samples` with a metric that counts nothing.
    pub fn check(&self) -> Result<()> {
        let problem = |text: &str| Err(Error::alert(&format!("rule `{}`: {text}", self.name)));
        if self.name.is_empty() || self.name.chars().count() > MAX_NAME {
            return problem(&format!("a name has 1 to {MAX_NAME} characters"));
        }
        if self.name == NO_DATA {
            return problem("this name is the alert about missing data: choose another");
        }
        for query in self.queries() {
            if let Err(error) = query.check() {
                return problem(&error.to_string());
            }
        }
        if !self.bound.limit().is_finite() {
            return problem("the limit is not a finite number");
        }
        if let Some(clear) = self.clear {
            let is_behind = if self.bound.is_upper() {
                clear <= self.bound.limit()
            } else {
                clear >= self.bound.limit()
            };
            if !is_behind {
                return problem("an alert can end only at or behind its limit: change `clear_at`");
            }
        }
        if let RuleMeasure::Trend { over, .. } = &self.measure
            && *over < Duration::from_secs(60)
        {
            return problem("a trend needs a minute or more");
        }
        if self.min_samples > 0 && self.samples().is_none() {
            return problem("`min_samples` needs a ratio, a counter or a histogram");
        }
        Ok(())
    }

    /// All queries.
    pub(super) fn queries(&self) -> Vec<&MetricQuery> {
        let also = self.also.iter().flat_map(|(measure, _)| measure.queries());
        self.measure.queries().into_iter().chain(also).collect()
    }

    /// The query that counts what the value is made of.
    pub(super) fn samples(&self) -> Option<MetricQuery> {
        match &self.measure {
            RuleMeasure::Value(query) => query.counting(),
            RuleMeasure::Ratio { whole, .. } => whole.counting(),
            RuleMeasure::Trend { .. } | RuleMeasure::Absent(_) | RuleMeasure::Custom(_) => None,
        }
    }

    /// Whether all series are combined, so that there is one alert at most.
    pub(super) fn is_total(&self) -> bool {
        self.measure.is_total()
    }

    /// The bound that the value has to be behind for the alert to end.
    pub(super) fn clear_bound(&self) -> Bound {
        let limit = self.clear.unwrap_or_else(|| self.bound.limit());
        self.bound.with_limit(limit)
    }

    pub(super) fn timing(&self, interval: Duration) -> Timing {
        Timing {
            hold: self.hold,
            keep_firing: self.keep_firing,
            missing: self.missing,
            stale_after: interval.saturating_mul(self.stale_after),
        }
    }

    pub(super) fn pace(&self) -> NotificationPace {
        let default = match self.severity {
            Severity::Critical => Self::DEFAULT_CRITICAL_REPEAT,
            Severity::Warning | Severity::Info => Self::DEFAULT_REPEAT,
        };
        NotificationPace {
            cooldown: self.cooldown,
            repeat: self.repeat.unwrap_or(default),
        }
    }
}

impl RuleMeasure {
    fn queries(&self) -> Vec<&MetricQuery> {
        match self {
            Self::Value(query) | Self::Trend { query, .. } | Self::Absent(query) => vec![query],
            Self::Ratio { part, whole } => vec![part, whole],
            Self::Custom(_) => Vec::new(),
        }
    }

    /// Whether all series are combined.
    pub(super) fn is_total(&self) -> bool {
        match self {
            Self::Value(query) | Self::Trend { query, .. } => query.is_total(),
            Self::Ratio { whole, .. } => whole.is_total(),
            Self::Absent(_) => true,
            Self::Custom(_) => false,
        }
    }
}

impl fmt::Debug for RuleMeasure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(query) => f.debug_tuple("Value").field(query).finish(),
            Self::Ratio { part, whole } => f.debug_tuple("Ratio").field(part).field(whole).finish(),
            Self::Trend { query, over } => f.debug_tuple("Trend").field(query).field(over).finish(),
            Self::Absent(query) => f.debug_tuple("Absent").field(query).finish(),
            Self::Custom(_) => f.write_str("Custom"),
        }
    }
}
