//! The values of a rule: its queries, answered by the history.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use super::phase::Signal;
use super::rule::{Rule, RuleMeasure, ValueFunction};
use crate::error::{Error, Result};
use crate::history::{History, MetricQuery, ResultSeries};
use crate::model::{catch_panic, unsuppressed};

/// The steps of a trend.
const TREND_STEPS: u32 = 30;
/// The values that a trend needs.
const TREND_VALUES: usize = 16;

/// Labels, sorted by name.
pub(super) type AlertLabels = Vec<(String, String)>;

/// What an evaluation of a rule has found, by label set. Label sets without a value are not in it.
pub(super) type Signals = BTreeMap<AlertLabels, Signal>;

/// Answers the queries of rules.
pub(super) trait ValueReader {
    /// The results of a query at a time.
    fn at(&self, query: &MetricQuery, time: SystemTime) -> Result<Vec<ResultSeries>>;

    /// Where trends and functions of the host read.
    fn history(&self) -> &History;
}

impl ValueReader for History {
    fn at(&self, query: &MetricQuery, time: SystemTime) -> Result<Vec<ResultSeries>> {
        Self::at(self, query, time)
    }

    fn history(&self) -> &History {
        self
    }
}

/// Evaluates a rule at a time.
///
/// # Errors
///
/// Returns an error if a query is invalid, or if a function of the host fails.
pub(super) fn evaluate(rule: &Rule, reader: &dyn ValueReader, time: SystemTime) -> Result<Signals> {
    let all = values(&rule.measure, reader, time)?;
    let mut also = Vec::new();
    for (measure, bound) in &rule.also {
        also.push((values(measure, reader, time)?, *bound));
    }
    let samples = match rule.samples() {
        Some(query) if rule.min_samples > 0 => Some(map(reader.at(&query, time)?)),
        _ => None,
    };
    let is_complete = |labels: &AlertLabels| {
        let count =
            |counts: &BTreeMap<AlertLabels, f64>| counts.get(labels).copied().unwrap_or(0.0);
        let has_samples = samples
            .as_ref()
            .is_none_or(|samples| count(samples) >= rule.min_samples as f64);
        has_samples
            && also.iter().all(|(values, bound)| {
                let value = values.get(labels).or_else(|| values.get(&Vec::new()));
                value.is_some_and(|value| bound.holds(*value))
            })
    };
    let clear = rule.clear_bound();
    let signals = all.into_iter().map(|(labels, value)| {
        let signal = if !is_complete(&labels) {
            Signal::Clears(value)
        } else if rule.bound.holds(value) {
            Signal::Fires(value)
        } else if clear.holds(value) {
            Signal::Between(value)
        } else {
            Signal::Clears(value)
        };
        (labels, signal)
    });
    Ok(signals.collect())
}

pub(super) fn values(
    measure: &RuleMeasure,
    reader: &dyn ValueReader,
    time: SystemTime,
) -> Result<BTreeMap<AlertLabels, f64>> {
    Ok(match measure {
        RuleMeasure::Value(query) => map(reader.at(query, time)?),
        RuleMeasure::Ratio { part, whole } => {
            let parts = map(reader.at(part, time)?);
            let ratio = |(labels, whole): (AlertLabels, f64)| {
                let part = parts.get(&labels).copied().unwrap_or(0.0);
                (whole != 0.0).then(|| (labels, part / whole))
            };
            map(reader.at(whole, time)?)
                .into_iter()
                .filter_map(ratio)
                .collect()
        }
        RuleMeasure::Trend { query, over } => trends(query, *over, reader.history(), time)?,
        RuleMeasure::Absent(query) => {
            let is_absent = reader.at(query, time)?.is_empty();
            let value = if is_absent { 1.0 } else { 0.0 };
            BTreeMap::from([(AlertLabels::new(), value)])
        }
        RuleMeasure::Custom(values) => custom(&**values, reader.history(), time)?,
    })
}

/// Runs a function of the host.
fn custom(
    values: &ValueFunction,
    history: &History,
    time: SystemTime,
) -> Result<BTreeMap<AlertLabels, f64>> {
    let result = catch_panic(|| unsuppressed(|| values(history, time)));
    let result = result.ok_or_else(|| Error::alert("the function of the rule panicked"))??;
    let mut all = BTreeMap::new();
    for (mut labels, value) in result {
        labels.sort();
        if all.insert(labels, value).is_some() {
            return Err(Error::alert(
                "the function of the rule returned the same labels twice",
            ));
        }
    }
    Ok(all)
}

fn map(all: Vec<ResultSeries>) -> BTreeMap<AlertLabels, f64> {
    let value = |series: ResultSeries| Some((series.labels, series.points.last()?.value));
    all.into_iter().filter_map(value).collect()
}

/// The trend of each label set, per hour.
fn trends(
    query: &MetricQuery,
    over: Duration,
    history: &History,
    time: SystemTime,
) -> Result<BTreeMap<AlertLabels, f64>> {
    let step = over / TREND_STEPS;
    let start = time.checked_sub(step * TREND_STEPS).unwrap_or(time);
    // A window as long as a step, so that each value is counted once.
    let query = query.clone().window(step);
    let all = history.range(&query, start, time, step)?;
    let trend = |series: ResultSeries| {
        let at = |time: SystemTime| time.duration_since(start).unwrap_or_default().as_secs_f64();
        let points: Vec<_> = series
            .points
            .iter()
            .map(|point| (at(point.at) / 3600.0, point.value))
            .collect();
        Some((series.labels, slope(&points)?))
    };
    Ok(all.into_iter().filter_map(trend).collect())
}

/// The median of the slopes between all pairs of points. `None` if there are too few.
fn slope(points: &[(f64, f64)]) -> Option<f64> {
    if points.len() < TREND_VALUES {
        return None;
    }
    let mut slopes: Vec<f64> = Vec::with_capacity(points.len() * points.len() / 2);
    for (n, (x, y)) in points.iter().enumerate() {
        for (later, other) in points.iter().skip(n + 1) {
            slopes.push((other - y) / (later - x));
        }
    }
    slopes.sort_by(f64::total_cmp);
    let middle = slopes.len() / 2;
    let upper = *slopes.get(middle)?;
    if slopes.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(*slopes.get(middle.checked_sub(1)?)?, upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slope_is_the_median_and_ignores_single_values() {
        let line = |spike: Option<usize>| -> Vec<(f64, f64)> {
            (0..31)
                .map(|n| {
                    let x = f64::from(n) / 60.0;
                    let y = if spike == usize::try_from(n).ok() {
                        1e9
                    } else {
                        5.0 + 2.0 * x
                    };
                    (x, y)
                })
                .collect()
        };
        assert!((slope(&line(None)).unwrap() - 2.0).abs() < 1e-9);
        assert!((slope(&line(Some(30))).unwrap() - 2.0).abs() < 1e-9);
        assert_eq!(slope(&line(None)[..15]), None);
        assert!((slope(&line(None)[..16]).unwrap() - 2.0).abs() < 1e-9);
    }
}
