//! What the pages show of a rule.

use std::time::{Duration, SystemTime};

use super::alert::Severity;
use super::bound::Bound;
use super::evaluate::{AlertLabels, evaluate};
use super::phase::Signal;
use super::rule::{Rule, RuleMeasure};
use crate::error::Result;
use crate::history::{History, MetricQuery};

/// What a rule compares with a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RuleSubject<'a> {
    /// The value of a metric.
    Value(&'a str),
    /// A quantile of what a histogram recorded.
    Quantile(&'a str),
    /// A part of this metric's values, in all of them.
    Ratio(&'a str),
    /// How fast a metric changes.
    Trend(&'a str),
    /// That a metric has no value.
    Absent(&'a str),
    /// What a function of the host returns.
    Function,
}

/// A rule, as the pages show it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RuleSummary<'a> {
    pub(crate) name: &'a str,
    pub(crate) severity: Severity,
    pub(crate) subject: RuleSubject<'a>,
    pub(crate) bound: Bound,
    /// The limit that ends an alert.
    pub(crate) clear: f64,
    pub(crate) hold: Duration,
    pub(crate) keep_firing: Duration,
    pub(crate) min_samples: u64,
    pub(crate) runbook: Option<&'a str>,
}

impl Rule {
    pub(crate) fn summary(&self) -> RuleSummary<'_> {
        RuleSummary {
            name: &self.name,
            severity: self.severity,
            subject: self.measure.subject(),
            bound: self.bound,
            clear: self.clear_bound().limit(),
            hold: self.hold,
            keep_firing: self.keep_firing,
            min_samples: self.min_samples,
            runbook: self.runbook.as_deref(),
        }
    }

    /// All conditions that have to hold: what is compared, and its limit. The first one is that of the rule's value.
    pub(crate) fn conditions(&self) -> impl Iterator<Item = (RuleSubject<'_>, Bound)> {
        let also = self.also.iter();
        let also = also.map(|(measure, bound)| (measure.subject(), *bound));
        std::iter::once((self.measure.subject(), self.bound)).chain(also)
    }

    /// Whether a function of the host returns the values. It may block for as long as it likes.
    pub(crate) fn calls_the_host(&self) -> bool {
        let mut also = self.also.iter().map(|(measure, _)| measure);
        let calls = |measure: &RuleMeasure| matches!(measure, RuleMeasure::Custom(_));
        calls(&self.measure) || also.any(calls)
    }

    /// The values of the rule at a time, by label set, and which of them are past the limit.
    ///
    /// # Errors
    ///
    /// Returns an error if a query is invalid, or if a function of the host fails.
    pub(crate) fn values_at(
        &self,
        history: &History,
        time: SystemTime,
    ) -> Result<Vec<(AlertLabels, f64, bool)>> {
        let signals = evaluate(self, history, time)?;
        let value = |(labels, signal)| match signal {
            Signal::Fires(value) => Some((labels, value, true)),
            Signal::Between(value) | Signal::Clears(value) => Some((labels, value, false)),
            Signal::Missing | Signal::Failed => None,
        };
        Ok(signals.into_iter().filter_map(value).collect())
    }
}

impl RuleMeasure {
    fn subject(&self) -> RuleSubject<'_> {
        match self {
            Self::Value(query) if query.is_quantile() => RuleSubject::Quantile(query.metric()),
            Self::Value(query) => RuleSubject::Value(query.metric()),
            Self::Ratio { whole, .. } => RuleSubject::Ratio(MetricQuery::metric(whole)),
            Self::Trend { query, .. } => RuleSubject::Trend(query.metric()),
            Self::Absent(query) => RuleSubject::Absent(query.metric()),
            Self::Custom(_) => RuleSubject::Function,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::default_rules::default_rules;
    use super::*;

    #[test]
    fn a_rule_says_what_it_compares() {
        let rules = default_rules();
        let subject = |name: &str| {
            let rule = rules.iter().find(|rule| rule.name == name).unwrap();
            rule.summary().subject
        };
        let requests = "http_server_request_duration_seconds";
        assert_eq!(subject("high-error-rate"), RuleSubject::Ratio(requests));
        let slow = RuleSubject::Quantile("watchpost_http_time_to_headers_seconds");
        assert_eq!(subject("slow-response"), slow);
        let leak = rules
            .iter()
            .find(|rule| rule.name == "memory-leak")
            .unwrap();
        let memory = "system_memory_utilization_ratio";
        let conditions: Vec<_> = leak.conditions().map(|(subject, _)| subject).collect();
        let expected = [RuleSubject::Trend(memory), RuleSubject::Value(memory)];
        assert_eq!(conditions, expected);
        assert!(rules.iter().all(|rule| !rule.calls_the_host()));
    }
}
