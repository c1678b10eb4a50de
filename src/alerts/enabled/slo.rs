//! Objectives for the share of requests that succeed.

use std::time::{Duration, SystemTime};

use super::alert::Severity;
use super::bound::Bound;
use super::phase::MissingData;
use super::requests::{all_requests, failed_requests};
use super::rule::Rule;
use crate::error::{Error, Result};
use crate::history::{History, MetricQuery};

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);
/// The period of an objective.
const PERIOD: Duration = Duration::from_secs(30 * 86_400);
/// The least number of requests in the longer window.
const MIN_REQUESTS: u64 = 100;

/// A rate at which the budget is spent too fast: so many times the rate that spends it in 30 days, in two windows. The short
/// one ends the alert soon after the cause.
struct BurnWindow {
    name: &'static str,
    rate: f64,
    long: Duration,
    short: Duration,
    severity: Severity,
}

const fn window(
    name: &'static str,
    rate: f64,
    long: Duration,
    short: Duration,
    severity: Severity,
) -> BurnWindow {
    BurnWindow {
        name,
        rate,
        long,
        short,
        severity,
    }
}

const WINDOWS: [BurnWindow; 4] = [
    window(
        "1h",
        14.4,
        HOUR,
        Duration::from_secs(300),
        Severity::Critical,
    ),
    window(
        "6h",
        6.0,
        Duration::from_secs(6 * 3600),
        Duration::from_secs(1800),
        Severity::Critical,
    ),
    window(
        "1d",
        3.0,
        Duration::from_secs(24 * 3600),
        Duration::from_secs(2 * 3600),
        Severity::Warning,
    ),
    window(
        "3d",
        1.0,
        Duration::from_secs(72 * 3600),
        Duration::from_secs(6 * 3600),
        Severity::Warning,
    ),
];

/// An objective: its name, and the share of requests that may fail.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Objective {
    name: String,
    allowed: f64,
}

/// How an objective is met. [`Alerts::slos`](super::Alerts::slos) returns it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SloStatus {
    /// The name of the objective.
    pub name: String,
    /// The percentage of requests that have to succeed.
    pub objective: f64,
    /// The share of the requests of the last 30 days that failed. `None` without requests.
    pub failed: Option<f64>,
    /// The share of the error budget of 30 days that is left: 1 if nothing failed, below 0 if the objective is missed. `None`
    /// without requests.
    pub budget_left: Option<f64>,
    /// How fast the budget is spent within windows of five minutes, an hour, six hours and three days: at 1, it is used up in
    /// 30 days. `None` without requests.
    pub burn_rates: [(Duration, Option<f64>); 4],
}

impl Objective {
    /// # Errors
    ///
    /// Returns an error unless the percentage is at least 50 and less than 100.
    pub(super) fn new(name: &str, percent: f64) -> Result<Self> {
        if !(50.0..100.0).contains(&percent) {
            return Err(Error::alert(&format!(
                "{percent} is no objective: write a percentage from 50 to less than 100, such as 99.9"
            )));
        }
        Ok(Self {
            name: name.to_owned(),
            allowed: 1.0 - percent / 100.0,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The rules that fire if the budget is spent too fast.
    pub(super) fn rules(&self) -> Vec<Rule> {
        let rule = |window: &BurnWindow| {
            let bound = Bound::above(window.rate * self.allowed);
            let name = format!("{}-burn-{}", self.name, window.name);
            let (long, short) = (window.long, window.short);
            Rule::ratio(name, failed_requests(long), all_requests(long), bound)
                .and_ratio(failed_requests(short), all_requests(short), bound)
                .min_samples(MIN_REQUESTS)
                .missing_data(MissingData::Resolve)
                .severity(window.severity)
                .label("slo", self.name.clone())
                .annotation(
                    "summary",
                    format!(
                        "{{{{ $value | humanizePercentage }}}} of the requests of {} failed: the error budget of {} is spent {} times too fast",
                        window.name, self.name, window.rate
                    ),
                )
        };
        WINDOWS.iter().map(rule).collect()
    }

    pub(super) fn status(&self, history: &History, now: SystemTime) -> Result<SloStatus> {
        let read = |query: MetricQuery| -> Result<Option<f64>> {
            let all = history.at(&query, now)?;
            let value = all.first().and_then(|series| series.points.last());
            Ok(value.map(|point| point.value))
        };
        let failed = |window: Duration| -> Result<Option<f64>> {
            let all = read(all_requests(window))?.filter(|all| *all > 0.0);
            let failed = read(failed_requests(window))?.unwrap_or(0.0);
            Ok(all.map(|all| failed / all))
        };
        let burn = |window: Duration| -> Result<(Duration, Option<f64>)> {
            Ok((window, failed(window)?.map(|failed| failed / self.allowed)))
        };
        let of_period = failed(PERIOD)?;
        Ok(SloStatus {
            name: self.name.clone(),
            objective: (1.0 - self.allowed) * 100.0,
            failed: of_period,
            budget_left: of_period.map(|failed| 1.0 - failed / self.allowed),
            burn_rates: [
                burn(5 * MINUTE)?,
                burn(HOUR)?,
                burn(6 * HOUR)?,
                burn(72 * HOUR)?,
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_objective_has_four_valid_rules() {
        let rules = Objective::new("availability", 99.9).unwrap().rules();
        let names: Vec<_> = rules.iter().map(|rule| rule.name.as_str()).collect();
        let expected = ["1h", "6h", "1d", "3d"].map(|name| format!("availability-burn-{name}"));
        assert_eq!(names, expected);
        for rule in &rules {
            rule.check().unwrap();
        }
        // 14.4 times 0.1 %.
        assert!((rules[0].bound.limit() - 0.0144).abs() < 1e-9);
        for percent in [0.0, 49.0, 100.0, f64::NAN] {
            assert!(Objective::new("bad", percent).is_err(), "{percent}");
        }
    }
}
