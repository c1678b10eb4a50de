//! What changed lately: markers, new errors, and checks that the publisher saw change.

use std::collections::VecDeque;

use super::alert_figures::{AlertReading, AlertSpan};
use super::anomaly_figures::AnomalyRow;
use super::cards::{kind_of, state_of};
use super::figures::CardSeverity;
use super::json;
use crate::errors::ErrorGroup;
use crate::health::HealthEntry;
use crate::history::{Marker, MarkerKind};

pub(super) use super::times::millis;

/// The maximum number of changes.
const MAX_CHANGES: usize = 20;
/// How long a change is shown, in milliseconds.
const MAX_AGE: u64 = 24 * 3_600_000;
/// What is said of a start after a process that did not shut down.
const INTERRUPTED: &str =
    "the process before it ended without a shutdown: it was killed, or it crashed";

/// One change.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change {
    pub(super) at: u64,
    pub(super) kind: &'static str,
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) state: Option<CardSeverity>,
    pub(super) count: Option<u64>,
    /// The version before, of a start with another one.
    pub(super) before: Option<String>,
    /// The number of the group of errors.
    pub(super) error: Option<u64>,
}

/// The changes of checks, the oldest first.
#[derive(Debug, Default)]
pub(super) struct CheckChanges {
    last: Vec<(String, Option<CardSeverity>)>,
    seen: VecDeque<Change>,
}

impl CheckChanges {
    /// Compares the checks with those of the last time.
    pub(super) fn update(&mut self, checks: &[HealthEntry], now: u64) {
        for check in checks {
            let state = state_of(check);
            let mut before = self.last.iter();
            let before = before.find(|(name, _)| *name == check.name);
            let has_changed = before.is_some_and(|(_, before)| *before != state);
            if let Some(state) = state.filter(|_| has_changed) {
                let kind = kind_of(check);
                self.seen.push_back(Change {
                    at: now,
                    kind: if kind == "sink" { "sink" } else { "check" },
                    subject: check.name.clone(),
                    text: check.output.clone(),
                    state: Some(state),
                    count: None,
                    before: None,
                    error: None,
                });
            }
        }
        while self.seen.len() > MAX_CHANGES {
            self.seen.pop_front();
        }
        let states = checks
            .iter()
            .map(|check| (check.name.clone(), state_of(check)));
        self.last = states.collect();
    }

    /// All changes of the last day, the newest first.
    pub(super) fn with(
        &self,
        markers: &[Marker],
        errors: &[ErrorGroup],
        alerts: &AlertReading,
        anomalies: &[AnomalyRow],
        now: u64,
    ) -> Vec<Change> {
        let mut all: Vec<Change> = self.seen.iter().cloned().collect();
        // The newest first here too, so that markers of one millisecond keep their order.
        let marked: Vec<Change> = of_markers(markers).collect();
        all.extend(marked.into_iter().rev());
        all.extend(alerts.spans.iter().flat_map(of_span));
        all.extend(of_episodes(anomalies));
        all.extend(errors.iter().map(|group| Change {
            at: millis(group.first_seen),
            kind: "new_error",
            subject: group.error_type.clone(),
            text: group.message.clone(),
            state: None,
            count: Some(group.count),
            before: None,
            error: Some(group.number),
        }));
        all.retain(|change| now.saturating_sub(change.at) <= MAX_AGE);
        all.sort_by_key(|change| std::cmp::Reverse(change.at));
        all.truncate(MAX_CHANGES);
        all
    }
}

/// The begin and the end of an alert that fired.
fn of_span(span: &AlertSpan) -> impl Iterator<Item = Change> {
    let change = |at, kind, state| Change {
        at,
        kind,
        subject: span.rule.clone(),
        text: String::new(),
        state,
        count: None,
        before: None,
        error: None,
    };
    let is_shown = span.is_firing && span.severity.is_some();
    let begin = is_shown.then(|| change(span.from, "alert", span.severity));
    let end = span.to.filter(|_| is_shown);
    let end = end.map(|to| change(to, "alert_end", Some(CardSeverity::Ok)));
    begin.into_iter().chain(end)
}

/// The oddest anomaly of each episode.
fn of_episodes(anomalies: &[AnomalyRow]) -> Vec<Change> {
    let mut last = None;
    let mut changes = Vec::new();
    for row in anomalies {
        if last.replace(row.episode) == Some(row.episode) {
            continue;
        }
        changes.push(Change {
            at: row.from,
            kind: "anomaly",
            subject: row.name.clone(),
            text: row.text.clone(),
            state: None,
            count: None,
            before: None,
            error: None,
        });
    }
    changes
}

/// The changes that markers stand for, in their order.
fn of_markers(markers: &[Marker]) -> impl Iterator<Item = Change> {
    let mut version = "";
    markers.iter().map(move |marker| {
        let is_start = marker.kind == MarkerKind::Start;
        let before = version;
        if is_start {
            version = &marker.text;
        }
        let is_deploy = is_start && marker.is_new_version;
        Change {
            at: millis(marker.time),
            kind: word_of(marker),
            subject: marker.text.clone(),
            text: if marker.was_interrupted {
                INTERRUPTED.to_owned()
            } else {
                String::new()
            },
            state: None,
            count: None,
            before: (is_deploy && !before.is_empty()).then(|| before.to_owned()),
            error: None,
        }
    })
}

/// What a marker is called in the documents.
pub(super) fn word_of(marker: &Marker) -> &'static str {
    match marker.kind {
        MarkerKind::Mark => "mark",
        MarkerKind::Start if marker.is_new_version => "deploy",
        MarkerKind::Start => "start",
        MarkerKind::Shutdown => "stop",
    }
}

pub(super) fn write(changes: &[Change]) -> String {
    json::list(|list| {
        for change in changes {
            list.object(|it| {
                it.integer("at", change.at);
                it.text("kind", change.kind);
                it.text("subject", &change.subject);
                it.text("text", &change.text);
                it.optional_text("state", change.state.map(CardSeverity::as_str));
                it.integer("count", change.count);
                it.optional_text("before", change.before.as_deref());
                let error = change.error.map(|number| number.to_string());
                it.optional_text("error", error.as_deref());
            });
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::HealthStatus;

    fn check(status: HealthStatus) -> Vec<HealthEntry> {
        vec![HealthEntry {
            name: "database".to_owned(),
            is_check: true,
            status: Some(status),
            output: "refused".to_owned(),
        }]
    }

    #[test]
    fn a_start_with_another_version_is_a_deploy_that_names_the_one_before() {
        let marker = |kind, seconds: u64, text: &str| Marker {
            kind,
            time: super::super::past::time(seconds * 1000),
            text: text.to_owned(),
            is_new_version: false,
            was_interrupted: false,
        };
        let second = Marker {
            is_new_version: true,
            was_interrupted: true,
            ..marker(MarkerKind::Start, 3, "1.3.0")
        };
        let markers = [
            marker(MarkerKind::Start, 1, "1.2.3"),
            marker(MarkerKind::Mark, 2, "sale begins"),
            second,
            // In the same millisecond.
            marker(MarkerKind::Mark, 4, "sale ends"),
            marker(MarkerKind::Shutdown, 4, "1.3.0"),
        ];
        let all = CheckChanges::default().with(&markers, &[], &AlertReading::default(), &[], 5000);
        let rows: Vec<_> = all
            .iter()
            .map(|it| (it.at, it.kind, &*it.subject))
            .collect();
        let expected = [
            (4000, "stop", "1.3.0"),
            (4000, "mark", "sale ends"),
            (3000, "deploy", "1.3.0"),
            (2000, "mark", "sale begins"),
            (1000, "start", "1.2.3"),
        ];
        assert_eq!(rows, expected);
        assert_eq!(all[2].before.as_deref(), Some("1.2.3"));
        assert_eq!((&*all[2].text, &*all[4].text), (INTERRUPTED, ""));
    }

    #[test]
    fn a_check_that_changes_is_a_change() {
        let mut changes = CheckChanges::default();
        changes.update(&check(HealthStatus::Pass), 1);
        changes.update(&check(HealthStatus::Pass), 2);
        assert!(
            changes
                .with(&[], &[], &AlertReading::default(), &[], 2)
                .is_empty()
        );
        changes.update(&check(HealthStatus::Fail), 3);
        let all = changes.with(&[], &[], &AlertReading::default(), &[], 3);
        assert_eq!(
            (all.len(), all[0].at, all[0].state),
            (1, 3, Some(CardSeverity::Critical))
        );
        for n in 0..100 {
            let status = [HealthStatus::Pass, HealthStatus::Fail][n % 2];
            changes.update(&check(status), n as u64);
        }
        assert!(changes.seen.len() <= MAX_CHANGES);
        assert!(
            changes
                .with(&[], &[], &AlertReading::default(), &[], MAX_AGE * 2)
                .is_empty(),
            "too old"
        );
    }
}
