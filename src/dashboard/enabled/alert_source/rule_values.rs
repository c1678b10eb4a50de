//! The values of rules and objectives now, which are read once for each snapshot of the history.

use std::sync::{Arc, Mutex};

use super::super::past::time;
use super::super::times::two_snapshots;
use crate::alerts::{Alerts, Rule, SloStatus};
use crate::history::History;
use crate::model::lock;

/// The maximum number of rules whose values are read.
const MAX_RULES: usize = 200;

/// The value of a rule.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(in crate::dashboard::enabled) struct RuleValue {
    /// The one next to the limit or furthest past it, of all series.
    pub(in crate::dashboard::enabled) worst: Option<f64>,
    /// Whether any is past the limit.
    pub(in crate::dashboard::enabled) is_past: bool,
    /// The number of series with a value.
    pub(in crate::dashboard::enabled) series: u64,
}

/// The rules and objectives with their values.
#[derive(Debug)]
pub(in crate::dashboard::enabled) struct RuleValues {
    pub(in crate::dashboard::enabled) rules: Vec<(Arc<Rule>, RuleValue)>,
    /// The objectives, or why they could not be read.
    pub(in crate::dashboard::enabled) slos: Result<Vec<SloStatus>, String>,
}

/// Keeps the values of the latest snapshot for all clients.
#[derive(Debug, Default)]
pub(super) struct RuleValueCache(Mutex<Option<(ValueKey, Arc<RuleValues>)>>);

/// What values are of.
#[derive(Debug, Clone)]
pub(super) struct ValueKey {
    /// The latest snapshot. `None` if it is not known.
    tick: Option<i64>,
    /// The time at which the rules were evaluated, in milliseconds since the Unix epoch.
    now: u64,
    /// Two snapshots should have been taken in this time, in milliseconds.
    max_age: u64,
    rules: Vec<Arc<Rule>>,
}

impl ValueKey {
    pub(super) fn new(alerts: &Alerts, history: &History, now: u64) -> Self {
        let mut rules = alerts.shared_rules();
        rules.truncate(MAX_RULES);
        Self {
            tick: history.latest(),
            now,
            max_age: two_snapshots(history.interval()),
            rules,
        }
    }

    /// Whether the values of an earlier time are those of this one. Windows end at the time of the evaluation, so values do
    /// not stay if the history takes no more snapshots.
    fn is_same(&self, earlier: &Self) -> bool {
        let are_same = |one: &[Arc<Rule>], other: &[Arc<Rule>]| {
            let mut pairs = one.iter().zip(other);
            one.len() == other.len() && pairs.all(|(one, other)| Arc::ptr_eq(one, other))
        };
        self.tick.is_some()
            && self.tick == earlier.tick
            && self.now.abs_diff(earlier.now) < self.max_age
            && are_same(&self.rules, &earlier.rules)
    }
}

impl RuleValueCache {
    /// Returns the values, and reads them if they are not known. Who asks meanwhile waits for the same values, so this belongs
    /// on the blocking pool.
    pub(super) fn get(
        &self,
        key: ValueKey,
        read: impl FnOnce(&ValueKey) -> RuleValues,
    ) -> Arc<RuleValues> {
        let mut known = lock(&self.0);
        let values = known.as_ref().filter(|(other, _)| key.is_same(other));
        if let Some((_, values)) = values {
            return Arc::clone(values);
        }
        let values = Arc::new(read(&key));
        *known = Some((key, Arc::clone(&values)));
        values
    }
}

/// Reads the history. No code of the host runs: it could block for as long as it likes.
pub(super) fn read(alerts: &Alerts, history: &History, key: &ValueKey) -> RuleValues {
    let rules = key.rules.iter();
    RuleValues {
        rules: rules
            .map(|rule| (Arc::clone(rule), value(rule, history, key.now)))
            .collect(),
        slos: alerts.slos().map_err(|error| error.to_string()),
    }
}

fn value(rule: &Rule, history: &History, now: u64) -> RuleValue {
    if rule.calls_the_host() {
        return RuleValue::default();
    }
    let values = rule.values_at(history, time(now)).unwrap_or_default();
    let is_upper = rule.summary().bound.is_upper();
    let worst = values.iter().max_by(|one, other| {
        let order = one.1.total_cmp(&other.1);
        if is_upper { order } else { order.reverse() }
    });
    RuleValue {
        worst: worst.map(|(_, value, _)| *value),
        is_past: values.iter().any(|(_, _, is_past)| *is_past),
        series: values.len() as u64,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::*;
    use crate::alerts::Bound;
    use crate::history::MetricQuery;

    fn key(tick: i64, now: u64, rules: &[&Arc<Rule>]) -> ValueKey {
        ValueKey {
            tick: Some(tick),
            now,
            max_age: 20_000,
            rules: rules.iter().map(|rule| Arc::clone(rule)).collect(),
        }
    }

    #[test]
    fn any_number_of_clients_costs_one_computation_for_each_snapshot() {
        let rule = || {
            let query = MetricQuery::last("queue_depth");
            Arc::new(Rule::threshold("queue", query, Bound::above(5.0)))
        };
        let (one, other) = (rule(), rule());
        let (cache, count) = (RuleValueCache::default(), AtomicUsize::new(0));
        let read = |_: &ValueKey| {
            count.fetch_add(1, Relaxed);
            RuleValues {
                rules: Vec::new(),
                slos: Ok(Vec::new()),
            }
        };
        let start = Barrier::new(8);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    start.wait();
                    cache.get(key(10, 1000, &[&one]), read);
                });
            }
        });
        assert_eq!(count.load(Relaxed), 1);
        let computations = |key: ValueKey| {
            cache.get(key, read);
            count.load(Relaxed)
        };
        assert_eq!(computations(key(10, 9000, &[&one])), 1);
        assert_eq!(computations(key(20, 11_000, &[&one])), 2, "a new snapshot");
        assert_eq!(computations(key(20, 11_000, &[&other])), 3, "another rule");
        assert_eq!(computations(key(20, 11_000, &[&other, &one])), 4);
        let late = key(20, 31_000, &[&other, &one]);
        assert_eq!(computations(late.clone()), 5, "snapshots have stopped");
        let unknown = ValueKey { tick: None, ..late };
        assert_eq!(computations(unknown.clone()), 6);
        assert_eq!(computations(unknown), 7);
    }
}
