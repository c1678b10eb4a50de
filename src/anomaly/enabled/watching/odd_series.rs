//! What was odd at some time, of anomalies and of the flags in the history.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::anomaly::{Anomaly, OddSeries};
use super::rules::WatchRule;
use super::series::time_of;
use super::watch::describe;
use crate::history::FlaggedSeries;
use crate::metrics::{label_pairs, labels_among};

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
        |by| labels_among(&series.key.labels, by).into(),
    )
}

#[cfg(test)]
mod tests {
    use super::super::rules::default_rules;
    use super::*;
    use crate::history::SeriesKey;

    fn flagged(name: &str, labels: &str, since: i64, score: f64) -> FlaggedSeries {
        FlaggedSeries {
            key: SeriesKey {
                name: name.into(),
                labels: labels.into(),
            },
            since,
            until: since + 20_000,
            steps: 3,
            score,
        }
    }

    #[test]
    fn series_that_one_value_was_calculated_from_are_one() {
        const REQUESTS: &str = "http_server_request_duration_seconds";
        let rules: Vec<_> = default_rules().into_iter().map(Arc::new).collect();
        let labels = |status: u32, route: &str| {
            format!(
                "http_request_method=\"GET\",http_response_status_code=\"{status}\",http_route=\"{route}\""
            )
        };
        let all = vec![
            flagged(REQUESTS, &labels(200, "/a"), 10_000, 2.0),
            flagged(REQUESTS, &labels(500, "/a"), 30_000, 8.0),
            flagged(REQUESTS, &labels(200, "/b\\\\\\\""), 10_000, 4.0),
            flagged("stopped", "x=\"1\"", 10_000, 1.0),
        ];
        let odd = odd_before(all, &rules, &[]);
        let names: Vec<_> = odd.iter().map(|it| (&*it.name, it.score)).collect();
        let route =
            |route: &str| format!("{REQUESTS}{{http_request_method=GET,http_route={route}}}");
        let expected = [
            (route("/a"), 8.0),
            (route("/b\\\""), 4.0),
            ("stopped{x=1}".to_owned(), 1.0),
        ];
        assert_eq!(
            names,
            expected.each_ref().map(|(name, score)| (&**name, *score))
        );
        assert_eq!(odd[0].since, time_of(10_000));
        assert_eq!(odd[0].until, Some(time_of(50_000)));
        assert_eq!(odd[0].labels[1], ("http_route".to_owned(), "/a".to_owned()));

        // What an anomaly in the list says already is left out.
        let again = vec![flagged("stopped", "x=\"1\"", 25_000, 1.0)];
        assert_eq!(odd_before(again.clone(), &rules, &odd), []);
        assert_eq!(odd_before(again, &rules, &odd[..2]).len(), 1);
    }
}
