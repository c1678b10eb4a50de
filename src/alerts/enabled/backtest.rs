//! What a rule would have done in the past.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::alert::AlertTransition;
use super::engine::{AlertEngine, Round};
use super::evaluate::{ValueReader, evaluate};
use super::rule::Rule;
use crate::clock::nanos;
use crate::error::Result;
use crate::history::{History, MetricQuery, ResultSeries, TimeRange};

/// Evaluates a rule at each interval from `start` to `end`, and returns all changes of its alerts.
///
/// # Errors
///
/// Returns an error if a query is invalid, if `end` is before `start`, or if there are more than 11,000 evaluations.
pub(super) fn backtest(
    rule: &Rule,
    history: &History,
    (start, end): (SystemTime, SystemTime),
    interval: Duration,
) -> Result<Vec<AlertTransition>> {
    // Points have the times of whole milliseconds.
    let start = start
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis();
    let start = UNIX_EPOCH + Duration::from_millis(u64::try_from(start).unwrap_or(u64::MAX));
    // A rule that has no query, but a function, has the same limits.
    TimeRange::new(start, end, interval)?;
    let recorded = RecordedValues::read(rule, history, (start, end), interval)?;
    let rule = Arc::new(rule.clone());
    let mut engine = AlertEngine::new(interval, 0);
    let mut transitions = Vec::new();
    let mut time = start;
    while time <= end {
        let signals = evaluate(&rule, &recorded, time);
        let since = |from: SystemTime| nanos(time.duration_since(from).unwrap_or_default());
        let round = Round {
            results: vec![(Arc::clone(&rule), signals)],
            now: since(start),
            wall: since(UNIX_EPOCH),
        };
        let events = engine.round(round, &[]);
        transitions.extend(events.into_iter().filter_map(|event| event.transition));
        let Some(next) = time.checked_add(interval) else {
            break;
        };
        time = next;
    }
    Ok(transitions)
}

/// The values of a rule's queries at all times, which are read at once.
struct RecordedValues<'a> {
    history: &'a History,
    results: Vec<(MetricQuery, Vec<ResultSeries>)>,
}

impl<'a> RecordedValues<'a> {
    fn read(
        rule: &Rule,
        history: &'a History,
        (start, end): (SystemTime, SystemTime),
        interval: Duration,
    ) -> Result<Self> {
        let mut queries: Vec<MetricQuery> = rule.queries().into_iter().cloned().collect();
        queries.extend(rule.samples());
        let mut results = Vec::new();
        for query in queries {
            let result = history.range(&query, start, end, interval)?;
            results.push((query, result));
        }
        Ok(Self { history, results })
    }
}

impl ValueReader for RecordedValues<'_> {
    fn at(&self, query: &MetricQuery, time: SystemTime) -> Result<Vec<ResultSeries>> {
        let Some((_, all)) = self.results.iter().find(|(other, _)| other == query) else {
            return self.history.at(query, time);
        };
        let at_time = |series: &ResultSeries| {
            let at = series
                .points
                .binary_search_by_key(&time, |point| point.at)
                .ok()?;
            let point = *series.points.get(at)?;
            Some(ResultSeries::new(series.labels.clone(), vec![point]))
        };
        Ok(all.iter().filter_map(at_time).collect())
    }

    fn history(&self) -> &History {
        self.history
    }
}
