//! What notifications show beside an alert: the busiest routes, and the last values.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::evaluate::{AlertLabels, values};
use super::labels::{fingerprint, label};
use super::notify::AlertAnnouncement;
use super::requests::{all_requests, failed_requests};
use super::rule::{Rule, RuleMeasure};
use crate::history::{History, MetricQuery};

/// The values of a sparkline.
const VALUES: u32 = 12;
/// The time that they cover.
const VALUES_SPAN: Duration = Duration::from_secs(1800);
/// The maximum number of rules whose values are read in one round.
const MAX_RULES: usize = 10;
/// The window of the figures of routes.
const ROUTES_WINDOW: Duration = Duration::from_secs(300);
const MAX_ROUTES: usize = 3;

/// Adds what is read from the history. If it cannot be read, nothing is added.
pub(super) fn enrich(
    announcements: &mut [AlertAnnouncement],
    rules: &[Arc<Rule>],
    history: &History,
    time: SystemTime,
) {
    if announcements.is_empty() {
        return;
    }
    let routes = top_routes(history, time);
    let mut of_rules: BTreeMap<String, BTreeMap<u64, Vec<f64>>> = BTreeMap::new();
    for announcement in announcements {
        let alert = &mut announcement.alert;
        alert.top_routes.clone_from(&routes);
        let name = &alert.alert.rule;
        if !of_rules.contains_key(name) && of_rules.len() < MAX_RULES {
            let rule = rules.iter().find(|rule| rule.name == *name);
            let found = rule.map(|rule| last_values(rule, history, time));
            of_rules.insert(name.clone(), found.unwrap_or_default());
        }
        let of_rule = of_rules.get(name);
        let found = of_rule.and_then(|of_rule| of_rule.get(&alert.alert.fingerprint));
        alert.values = found.cloned().unwrap_or_default();
    }
}

/// The last values of a rule, by the fingerprint of the alert. Empty for a rule that is expensive to evaluate, or that calls a
/// function of the host.
fn last_values(rule: &Rule, history: &History, time: SystemTime) -> BTreeMap<u64, Vec<f64>> {
    let mut all: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    if !matches!(
        rule.measure,
        RuleMeasure::Value(_) | RuleMeasure::Ratio { .. }
    ) {
        return all;
    }
    let step = VALUES_SPAN / VALUES;
    for n in (0..VALUES).rev() {
        let at = time.checked_sub(step * n).unwrap_or(time);
        let Ok(found) = values(&rule.measure, history, at) else {
            return all;
        };
        for (labels, value) in found {
            let number = fingerprint(&rule.name, &labels);
            all.entry(number).or_default().push(value);
        }
    }
    all
}

/// The routes with the most failed requests, else those with the most requests.
fn top_routes(history: &History, time: SystemTime) -> Vec<String> {
    let counts = |query: MetricQuery| -> BTreeMap<AlertLabels, f64> {
        let query = query.by(["http_request_method", "http_route"]);
        let found = history.at(&query, time).unwrap_or_default();
        let count = |series: crate::history::ResultSeries| {
            Some((series.labels, series.points.last()?.value))
        };
        found.into_iter().filter_map(count).collect()
    };
    let all = counts(all_requests(ROUTES_WINDOW));
    let failed = counts(failed_requests(ROUTES_WINDOW));
    let failures = |labels: &AlertLabels| failed.get(labels).copied().unwrap_or(0.0);
    let mut routes: Vec<_> = all.iter().filter(|(_, count)| **count >= 0.5).collect();
    let order = |(labels, count): &(&AlertLabels, &f64)| (failures(labels), **count);
    routes.sort_by(|one, other| {
        let (one, other) = (order(one), order(other));
        other.0.total_cmp(&one.0).then(other.1.total_cmp(&one.1))
    });
    let has_failures = failed.values().any(|count| *count >= 0.5);
    routes.retain(|(labels, _)| !has_failures || failures(labels) >= 0.5);
    let text = |(labels, count): (&AlertLabels, &f64)| {
        let method = label(labels, "http_request_method");
        let route = label(labels, "http_route");
        let failed = failures(labels).round();
        if has_failures {
            format!(
                "{method} {route}: {failed} of {} requests failed",
                count.round()
            )
        } else {
            format!("{method} {route}: {} requests", count.round())
        }
    };
    routes.into_iter().take(MAX_ROUTES).map(text).collect()
}
