//! What was odd at some time, of anomalies and of the flags in the history.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::anomaly::{Anomaly, OddSeries};
use super::groups::grouped;
use super::rules::WatchRule;
use super::series::time_of;
use super::watch::describe;
use crate::history::FlaggedSeries;
use crate::metrics::label_pairs;

impl OddSeries {
    pub(super) fn of_anomaly(anomaly: Anomaly) -> Self {
        Self {
            metric: anomaly.metric.clone(),
            labels: anomaly.labels.clone(),
            name: anomaly.name.clone(),
            since: anomaly.since,
            until: anomaly.until,
            score: anomaly.score,
            anomaly: Some(anomaly),
        }
    }

    fn is_within(&self, other: &Self) -> bool {
        let ends_before = other.until.is_some_and(|until| until < self.since);
        let is_same = (&self.metric, &self.labels) == (&other.metric, &other.labels);
        is_same && !ends_before && self.until >= Some(other.since)
    }
}

/// What the flags in the history say. A flag stands beside all series that a value was calculated from; they are one again
/// where they have equal labels for the finest of the rules that they belong to. What is `known` is left out.
pub(super) fn odd_before(
    flagged: Vec<FlaggedSeries>,
    rules: &[Arc<WatchRule>],
    known: &[OddSeries],
) -> Vec<OddSeries> {
    let mut joined: BTreeMap<(Arc<str>, Arc<str>), FlaggedSeries> = BTreeMap::new();
    for series in flagged {
        let labels = labels_of(&series, rules);
        let key = (Arc::clone(&series.key.name), labels);
        let Some(all) = joined.get_mut(&key) else {
            joined.insert(key, series);
            continue;
        };
        all.since = all.since.min(series.since);
        all.until = all.until.max(series.until);
        all.score = all.score.max(series.score);
    }
    let odd = joined.into_iter().map(|((metric, labels), series)| {
        let pairs: Vec<_> = label_pairs(&labels).collect();
        let name = describe(&metric, &pairs);
        let pairs = pairs.into_iter();
        OddSeries {
            name,
            metric: metric.to_string(),
            labels: pairs
                .map(|(label, value)| (label.to_owned(), value))
                .collect(),
            since: time_of(series.since),
            until: Some(time_of(series.until)),
            score: series.score,
            anomaly: None,
        }
    });
    odd.filter(|odd| !known.iter().any(|known| odd.is_within(known)))
        .collect()
}

/// The labels of a series that its groups have.
fn labels_of(series: &FlaggedSeries, rules: &[Arc<WatchRule>]) -> Arc<str> {
    let labels: Vec<_> = label_pairs(&series.key.labels).collect();
    let mut finest: Option<&[&str]> = None;
    for rule in rules {
        if rule.role(&series.key.name, &labels).is_none() {
            continue;
        }
        let Some(by) = rule.by else {
            return Arc::clone(&series.key.labels);
        };
        if finest.is_none_or(|finest| by.len() > finest.len()) {
            finest = Some(by);
        }
    }
    finest.map_or_else(
        || Arc::clone(&series.key.labels),
        |by| grouped(by, &series.key.labels),
    )
}
