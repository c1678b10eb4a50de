//! What changed lately: starts, new errors, and checks that the publisher saw change.

use std::collections::VecDeque;
use std::time::UNIX_EPOCH;

use super::cards::{kind_of, state_of};
use super::figures::Severity;
use super::json;
use crate::errors::ErrorGroup;
use crate::health::HealthEntry;

/// The maximum number of changes.
const MAX_CHANGES: usize = 20;
/// How long a change is shown, in milliseconds.
const MAX_AGE: u64 = 24 * 3_600_000;

/// One change.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change {
    pub(super) at: u64,
    pub(super) kind: &'static str,
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) state: Option<Severity>,
    pub(super) count: Option<u64>,
}

/// The changes of checks, the oldest first.
#[derive(Debug, Default)]
pub(super) struct CheckChanges {
    last: Vec<(String, Option<Severity>)>,
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
        start: Option<&Change>,
        errors: &[ErrorGroup],
        now: u64,
    ) -> Vec<Change> {
        let mut all: Vec<Change> = self.seen.iter().cloned().collect();
        all.extend(start.cloned());
        all.extend(errors.iter().map(|group| Change {
            at: millis(group.first_seen),
            kind: "new_error",
            subject: group.error_type.clone(),
            text: group.message.clone(),
            state: None,
            count: Some(group.count),
        }));
        all.retain(|change| now.saturating_sub(change.at) <= MAX_AGE);
        all.sort_by_key(|change| std::cmp::Reverse(change.at));
        all.truncate(MAX_CHANGES);
        all
    }
}

pub(super) fn millis(time: std::time::SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn write(changes: &[Change]) -> String {
    json::list(|list| {
        for change in changes {
            list.object(|it| {
                it.integer("at", change.at);
                it.text("kind", change.kind);
                it.text("subject", &change.subject);
                it.text("text", &change.text);
                it.optional_text("state", change.state.map(Severity::as_str));
                it.integer("count", change.count);
                it.raw("before", "null");
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
    fn a_check_that_changes_is_a_change() {
        let mut changes = CheckChanges::default();
        changes.update(&check(HealthStatus::Pass), 1);
        changes.update(&check(HealthStatus::Pass), 2);
        assert!(changes.with(None, &[], 2).is_empty());
        changes.update(&check(HealthStatus::Fail), 3);
        let all = changes.with(None, &[], 3);
        assert_eq!(
            (all.len(), all[0].at, all[0].state),
            (1, 3, Some(Severity::Critical))
        );
        for n in 0..100 {
            let status = [HealthStatus::Pass, HealthStatus::Fail][n % 2];
            changes.update(&check(status), n as u64);
        }
        assert!(changes.seen.len() <= MAX_CHANGES);
        assert!(changes.with(None, &[], MAX_AGE * 2).is_empty(), "too old");
    }
}
