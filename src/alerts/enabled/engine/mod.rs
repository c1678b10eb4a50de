//! The alerts of all rules: which exist, which change, and which are announced.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::active_alert::{ActiveAlert, AlertMap, SavedAlerts};
use super::alert::{
    Acknowledgement, Alert, AlertEvent, AlertState, AlertTransition, Severity, TransitionReason,
};
use super::bound::Bound;
use super::evaluate::{AlertLabels, Signals};
use super::labels::{fingerprint, label, labels_of, render};
use super::notify::{AlertAnnouncement, AnnouncementKind};
use super::phase::{MissingData, Moment, Phase, PhaseChange, Signal, Tracking};
use super::rule::{NO_DATA, Rule, RuleMeasure};
use super::rule_time::RuleTime;
use super::silence::{Inhibition, Silence};
use crate::clock::{Nanos, nanos};
use crate::error::Result;

/// The label of such an alert with the name of the rule.
const RULE: &str = "rule";
/// The maximum number of label sets of one rule that have a state.
const MAX_OF_RULE: usize = 1000;
/// The maximum number of announcements that wait for the files of the channels.
const MAX_UNSENT: usize = 2000;
/// The maximum number of transitions that are kept.
pub(super) const MAX_TRANSITIONS: usize = 1000;
/// The least time that a resolved alert is kept.
const KEEP_RESOLVED: Duration = Duration::from_secs(3600);
/// The time after which an alert about missing data ends.
const FORGET_MISSING: Duration = Duration::from_secs(86_400);
/// After a longer downtime, alerts are not continued.
const MAX_DOWNTIME: Duration = Duration::from_secs(3600);

/// What was found by the evaluations of one round.
pub(super) struct Round {
    pub(super) results: Vec<(Arc<Rule>, Result<Signals>)>,
    /// The monotonic reading.
    pub(super) now: Nanos,
    /// Nanoseconds since the Unix epoch.
    pub(super) wall: u64,
}

/// The state of all rules.
#[derive(Debug)]
pub(super) struct AlertEngine {
    interval: Duration,
    time: RuleTime,
    pub(super) alerts: AlertMap,
    pub(super) silences: Vec<Silence>,
    pub(super) transitions: VecDeque<AlertTransition>,
    /// The failures of the last round, by rule.
    pub(super) failures: BTreeMap<String, String>,
    /// The label sets that found no room.
    pub(super) left_out: u64,
    /// The number of the last announcement.
    pub(super) last_number: u64,
    /// The announcements that the channels may not have stored yet.
    pub(super) unsent: VecDeque<AlertAnnouncement>,
    /// How many of them found no room.
    pub(super) pushed_out: u64,
    rules: BTreeMap<String, Arc<Rule>>,
    no_data: Arc<Rule>,
    /// Whether the alerts are those of a process that ended long ago. The next round ends them.
    is_outdated: bool,
}

impl AlertEngine {
    /// Begins at the monotonic reading `now`.
    pub(super) fn new(interval: Duration, now: Nanos) -> Self {
        Self {
            interval,
            time: RuleTime::new(nanos(interval), now, 0),
            alerts: AlertMap::new(),
            silences: Vec::new(),
            transitions: VecDeque::new(),
            failures: BTreeMap::new(),
            left_out: 0,
            last_number: 0,
            unsent: VecDeque::new(),
            pushed_out: 0,
            rules: BTreeMap::new(),
            no_data: Arc::new(no_data_rule()),
            is_outdated: false,
        }
    }

    /// The time of the last evaluation.
    pub(super) fn time(&self) -> Nanos {
        self.time.last()
    }

    /// Continues the alerts of an earlier process, which were saved `downtime` ago. After a long downtime, the next round ends
    /// them.
    pub(super) fn restore(&mut self, saved: SavedAlerts, now: Nanos, downtime: Duration) {
        let time = saved.time.saturating_add(nanos(downtime));
        self.time = RuleTime::new(nanos(self.interval), now, time);
        self.alerts = saved.alerts;
        self.transitions = saved.transitions;
        self.last_number = self.last_number.max(saved.last_number);
        for announcement in saved.unsent.into_iter().rev() {
            self.unsent.push_front(announcement);
        }
        // Those of this process are kept too: they may be older than its first round.
        self.silences.splice(..0, saved.silences);
        self.is_outdated = downtime >= MAX_DOWNTIME;
    }

    /// Sets the rules, so that their alerts are listed before the next round.
    pub(super) fn set_rules(&mut self, rules: &[Arc<Rule>]) {
        let by_name = |rule: &Arc<Rule>| (rule.name.clone(), Arc::clone(rule));
        self.rules = rules.iter().map(by_name).collect();
    }

    /// Takes the results of a round. Returns what has changed and what is to be announced.
    pub(super) fn round(&mut self, round: Round, inhibitions: &[Inhibition]) -> Vec<AlertEvent> {
        let now = self.time.advance(round.now, round.wall);
        let results = round.results;
        let rules: Vec<_> = results.iter().map(|(rule, _)| Arc::clone(rule)).collect();
        self.set_rules(&rules);
        self.failures.clear();
        let mut changes = BTreeMap::new();
        if std::mem::take(&mut self.is_outdated) {
            self.end_all(now, &mut changes);
        }
        for (rule, result) in results {
            self.step_rule(&rule, result, now, &mut changes);
        }
        self.end_removed(now, &mut changes);
        self.step_no_data(now, &mut changes);
        let events = self.events(now, &changes, inhibitions);
        self.forget(now);
        events
    }

    fn step_rule(
        &mut self,
        rule: &Rule,
        result: Result<Signals>,
        now: Moment,
        changes: &mut Changes,
    ) {
        let alerts = self.alerts.entry(rule.name.clone()).or_default();
        let timing = rule.timing(self.interval);
        let mut step = |labels: &AlertLabels, alert: &mut ActiveAlert, signal| {
            // What has ended in this round begins again in the next, so that its end is announced.
            if changes.contains_key(&(rule.name.clone(), labels.clone())) {
                return;
            }
            if let Some(change) = alert.tracking.step(&timing, signal, now) {
                alert.changed = Some(now);
                changes.insert((rule.name.clone(), labels.clone()), change);
            }
        };
        let mut signals = match result {
            Ok(signals) => signals,
            Err(error) => {
                self.failures.insert(rule.name.clone(), error.to_string());
                for (labels, alert) in alerts {
                    step(labels, alert, Signal::Failed);
                }
                return;
            }
        };
        for (labels, alert) in alerts.iter_mut() {
            let signal = signals.remove(labels).unwrap_or(Signal::Missing);
            step(labels, alert, signal);
        }
        // Only a rule that fires on missing data has to know which label sets there were.
        let keeps_all = rule.missing == MissingData::Fire;
        if keeps_all && rule.is_total() && alerts.is_empty() && signals.is_empty() {
            signals.insert(AlertLabels::new(), Signal::Missing);
        }
        let mut over = None;
        for (labels, signal) in signals {
            let fires = matches!(signal, Signal::Fires(_));
            if !keeps_all && !fires {
                continue;
            }
            if alerts.len() >= MAX_OF_RULE && fires {
                let over = over.get_or_insert_with(|| replaceable(alerts, now));
                if let Some(labels) = over.pop() {
                    alerts.remove(&labels);
                }
            }
            if alerts.len() >= MAX_OF_RULE {
                self.left_out = self.left_out.saturating_add(1);
                continue;
            }
            let mut alert = ActiveAlert::default();
            step(&labels, &mut alert, signal);
            alerts.insert(labels, alert);
        }
    }

    /// Ends the alerts of a process that ended long ago.
    fn end_all(&mut self, now: Moment, changes: &mut Changes) {
        for (rule, alerts) in &mut self.alerts {
            end(rule, alerts, TransitionReason::Downtime, now, changes);
        }
    }

    /// Ends the alerts of rules that are no longer there.
    fn end_removed(&mut self, now: Moment, changes: &mut Changes) {
        for (rule, alerts) in &mut self.alerts {
            if !self.rules.contains_key(rule) && rule != NO_DATA {
                end(rule, alerts, TransitionReason::RuleRemoved, now, changes);
            }
        }
    }

    /// Opens an alert for each one that has become stale, and ends those whose data are back.
    fn step_no_data(&mut self, now: Moment, changes: &mut Changes) {
        let mut stale: BTreeMap<AlertLabels, Signal> = BTreeMap::new();
        for ((rule, labels), change) in &*changes {
            if change.reason == TransitionReason::Stale && change.to == AlertState::Resolved {
                let mut labels = labels.clone();
                labels.retain(|(name, _)| name != RULE);
                labels.push((RULE.to_owned(), rule.clone()));
                labels.sort();
                stale.insert(labels, Signal::Fires(1.0));
            }
        }
        for (labels, alert) in self.alerts.get(NO_DATA).into_iter().flatten() {
            let since = alert.changed.map_or(now.rule, |changed| changed.rule);
            let is_old = now.rule.saturating_sub(since) >= nanos(FORGET_MISSING);
            let still_missing =
                alert.tracking.phase.episode().is_some() && !is_old && self.is_missing(labels);
            if still_missing {
                stale.insert(labels.clone(), Signal::Fires(1.0));
            }
        }
        let rule = Arc::clone(&self.no_data);
        self.step_rule(&rule, Ok(stale), now, changes);
    }

    /// Whether the alert that one about missing data is about has no data.
    fn is_missing(&self, labels: &AlertLabels) -> bool {
        let rule = label(labels, RULE);
        let origin: AlertLabels = labels
            .iter()
            .filter(|(name, _)| name != RULE)
            .cloned()
            .collect();
        let alert = self
            .alerts
            .get(rule)
            .and_then(|of_rule| of_rule.get(&origin));
        alert.is_some_and(|alert| alert.tracking.missing_since.is_some())
    }

    /// Decides what is announced, and collects it with what has changed.
    fn events(
        &mut self,
        now: Moment,
        changes: &Changes,
        inhibitions: &[Inhibition],
    ) -> Vec<AlertEvent> {
        let at = time_of(now.wall);
        let firing = self.firing_labels(inhibitions);
        let rules = std::mem::take(&mut self.rules);
        let mut alerts = std::mem::take(&mut self.alerts);
        let mut events = Vec::new();
        for (name, of_rule) in &mut alerts {
            let rule = self.rule_of(&rules, name);
            let rule = rule.unwrap_or_else(|| Arc::new(removed_rule(name)));
            for (series, alert) in of_rule {
                let labels = labels_of(&rule, series);
                if let Some(episode) = alert.tracking.phase.episode_mut() {
                    let is_over = |it: &Acknowledgement| it.until.is_some_and(|until| until <= at);
                    episode.acknowledged.take_if(|it| is_over(it));
                }
                let is_muted = self
                    .silences
                    .iter()
                    .any(|silence| silence.hides(&labels, at))
                    || hidden_by(&firing, inhibitions, &labels).is_some();
                let notification = rule.pace().notify(
                    &mut alert.tracking,
                    &mut alert.announced,
                    is_muted,
                    now.rule,
                );
                let change = changes.get(&(name.clone(), series.clone()));
                if change.is_none() && notification.is_none() {
                    continue;
                }
                let transition = change.map(|change| transition(change, name, &labels, at));
                events.push(AlertEvent {
                    alert: self.describe(&rule, series, alert, at, &firing, inhibitions),
                    transition,
                    notification,
                });
            }
        }
        (self.rules, self.alerts) = (rules, alerts);
        let new = events.iter().filter_map(|event| event.transition.clone());
        self.transitions.extend(new);
        let excess = self.transitions.len().saturating_sub(MAX_TRANSITIONS);
        self.transitions.drain(..excess);
        events
    }

    fn rule_of(&self, rules: &BTreeMap<String, Arc<Rule>>, name: &str) -> Option<Arc<Rule>> {
        if name == NO_DATA {
            return Some(Arc::clone(&self.no_data));
        }
        rules.get(name).cloned()
    }

    /// The rules and labels of the alerts that may hide others. Empty without inhibitions.
    fn firing_labels(&self, inhibitions: &[Inhibition]) -> Vec<(String, AlertLabels)> {
        if inhibitions.is_empty() {
            return Vec::new();
        }
        let mut all = Vec::new();
        for (name, of_rule) in &self.alerts {
            let Some(rule) = self.rule_of(&self.rules, name) else {
                continue;
            };
            for (series, alert) in of_rule {
                if alert.tracking.phase.episode().is_some() {
                    all.push((name.clone(), labels_of(&rule, series)));
                }
            }
        }
        all
    }

    fn describe(
        &self,
        rule: &Rule,
        series: &AlertLabels,
        alert: &ActiveAlert,
        now: SystemTime,
        firing: &[(String, AlertLabels)],
        inhibitions: &[Inhibition],
    ) -> Alert {
        let labels = labels_of(rule, series);
        let tracking = &alert.tracking;
        let (fired, resolved, acknowledged) = match &tracking.phase {
            Phase::Inactive | Phase::Pending { .. } => (None, None, None),
            Phase::Firing(episode) | Phase::Recovering { episode, .. } => {
                (Some(episode.fired), None, episode.acknowledged.clone())
            }
            Phase::Resolved(ended) => (Some(ended.fired), Some(ended.ended), None),
        };
        let text =
            |(name, text): &(String, String)| (name.clone(), render(text, series, tracking.value));
        let silenced_by = self.silences.iter().filter(|it| it.hides(&labels, now));
        let has_bound = !matches!(rule.measure, RuleMeasure::Absent(_));
        Alert {
            rule: rule.name.clone(),
            annotations: rule.annotations.iter().map(text).collect(),
            severity: rule.severity,
            state: tracking.phase.state(),
            fingerprint: fingerprint(&rule.name, series),
            value: tracking.value,
            bound: if has_bound {
                rule.bound.to_string()
            } else {
                String::new()
            },
            since: alert.changed.map_or(now, |changed| time_of(changed.wall)),
            fired_at: fired.map(|fired| time_of(fired.wall)),
            resolved_at: resolved.map(|resolved| time_of(resolved.wall)),
            has_no_data: tracking.missing_since.is_some(),
            has_failed: tracking.has_failed,
            acknowledged,
            silenced_by: silenced_by.map(|silence| silence.number).collect(),
            inhibited_by: hidden_by(firing, inhibitions, &labels),
            runbook: rule.runbook.clone(),
            labels,
        }
    }

    /// All alerts that have a state: firing ones first, then by rule.
    pub(super) fn list(&self, now: SystemTime, inhibitions: &[Inhibition]) -> Vec<Alert> {
        let firing = self.firing_labels(inhibitions);
        let mut all = Vec::new();
        for (name, of_rule) in &self.alerts {
            let Some(rule) = self.rule_of(&self.rules, name) else {
                continue;
            };
            for (series, alert) in of_rule {
                if alert.tracking.phase != Phase::Inactive {
                    all.push(self.describe(&rule, series, alert, now, &firing, inhibitions));
                }
            }
        }
        all.sort_by_key(|alert| {
            let order = match alert.state {
                AlertState::Firing => 0,
                AlertState::Recovering => 1,
                AlertState::Pending => 2,
                AlertState::Resolved | AlertState::Inactive => 3,
            };
            (order, std::cmp::Reverse(alert.severity))
        });
        all
    }

    /// The number of alerts that fire, by severity.
    pub(super) fn firing(&self) -> [(Severity, usize); 3] {
        let severities = [Severity::Critical, Severity::Warning, Severity::Info];
        severities.map(|severity| {
            let of_severity = self.alerts.iter().filter(|(name, _)| {
                let rule = self.rule_of(&self.rules, name);
                rule.is_some_and(|rule| rule.severity == severity)
            });
            let alerts = of_severity.flat_map(|(_, alerts)| alerts.values());
            let firing = alerts.filter(|alert| alert.tracking.phase.episode().is_some());
            (severity, firing.count())
        })
    }

    /// Notes who takes care of a firing alert. Returns the alerts: none if there is no such alert.
    pub(super) fn acknowledge(&mut self, number: u64, by: &Acknowledgement) -> Vec<Alert> {
        let mut found = Vec::new();
        for (rule, of_rule) in &mut self.alerts {
            for (series, alert) in of_rule {
                if fingerprint(rule, series) == number
                    && let Some(episode) = alert.tracking.phase.episode_mut()
                {
                    episode.acknowledged = Some(by.clone());
                    found.push((rule.clone(), series.clone(), alert.clone()));
                }
            }
        }
        let alert = |(name, series, alert): &(String, AlertLabels, ActiveAlert)| {
            let rule = self.rule_of(&self.rules, name);
            let rule = rule.unwrap_or_else(|| Arc::new(removed_rule(name)));
            self.describe(&rule, series, alert, by.at, &[], &[])
        };
        found.iter().map(alert).collect()
    }

    /// Makes the announcement of an alert, and keeps it until the channels have stored it. `wall` is in milliseconds since the
    /// Unix epoch.
    pub(super) fn announce(
        &mut self,
        kind: AnnouncementKind,
        alert: &Alert,
        wall: u64,
    ) -> AlertAnnouncement {
        // By the time too, so that it is not one of a process whose file was lost.
        self.last_number = self.last_number.saturating_add(1).max(wall);
        let announcement = AlertAnnouncement::new(self.last_number, kind, wall, alert);
        if self.unsent.len() >= MAX_UNSENT {
            // The channels get it, but not from the file.
            self.unsent.pop_front();
            self.pushed_out = self.pushed_out.saturating_add(1);
        }
        self.unsent.push_back(announcement.clone());
        announcement
    }

    /// Replaces announcements that wait by those of the same numbers.
    pub(super) fn replace_unsent(&mut self, announcements: &[AlertAnnouncement]) {
        for waiting in &mut self.unsent {
            let new = announcements.iter().find(|it| it.number == waiting.number);
            if let Some(new) = new {
                *waiting = new.clone();
            }
        }
    }

    /// The fingerprints of the alerts that fire, and of those whose announcements the channels may not have.
    pub(super) fn fingerprints(&self) -> BTreeSet<u64> {
        let unsent = self.unsent.iter().map(|it| it.alert.alert.fingerprint);
        let mut all: BTreeSet<u64> = unsent.collect();
        for (rule, of_rule) in &self.alerts {
            let firing = of_rule
                .iter()
                .filter(|(_, alert)| alert.tracking.phase.episode().is_some());
            all.extend(firing.map(|(series, _)| fingerprint(rule, series)));
        }
        all
    }

    /// Forgets the alerts that have no state, and the silences that are over.
    fn forget(&mut self, now: Moment) {
        let wall = time_of(now.wall);
        self.silences.retain(|silence| silence.ends > wall);
        for (name, of_rule) in &mut self.alerts {
            let rule = self.rules.get(name);
            let keeps_all = rule.is_some_and(|rule| rule.missing == MissingData::Fire);
            let keeps_missing = rule.is_some_and(|rule| rule.missing == MissingData::Keep);
            let cooldown = rule.map_or(Duration::ZERO, |rule| rule.cooldown);
            let keep = nanos(cooldown.max(KEEP_RESOLVED));
            let is_over = |since: Option<Nanos>| {
                since.is_none_or(|since| now.rule.saturating_sub(since) >= keep)
            };
            of_rule.retain(|_, alert| match &alert.tracking.phase {
                // The cooldown goes on.
                Phase::Inactive => keeps_all || !is_over(alert.announced),
                // The alert about its missing data needs it.
                Phase::Resolved(_) if keeps_missing && is_missing_lately(&alert.tracking, now) => {
                    true
                }
                Phase::Resolved(ended) => {
                    let is_past = is_over(Some(ended.ended.rule));
                    if keeps_all && is_past {
                        alert.tracking.phase = Phase::Inactive;
                    }
                    keeps_all || !is_past || !is_over(alert.announced)
                }
                Phase::Pending { .. } | Phase::Firing(_) | Phase::Recovering { .. } => true,
            });
        }
        self.alerts.retain(|_, of_rule| !of_rule.is_empty());
    }
}

/// The changes of a round, by rule and labels of the series.
type Changes = BTreeMap<(String, AlertLabels), PhaseChange>;

/// The alerts of a rule that make room for others: those that are over and owe no end. The last ones were never announced, or
/// longest ago.
fn replaceable(alerts: &BTreeMap<AlertLabels, ActiveAlert>, now: Moment) -> Vec<AlertLabels> {
    let is_over = |alert: &ActiveAlert| {
        let is_over = match &alert.tracking.phase {
            Phase::Inactive => true,
            Phase::Resolved(ended) => !ended.owes_end,
            Phase::Pending { .. } | Phase::Firing(_) | Phase::Recovering { .. } => false,
        };
        // What has changed in this round is still to be told.
        is_over && alert.changed != Some(now)
    };
    let mut over: Vec<_> = alerts.iter().filter(|(_, alert)| is_over(alert)).collect();
    let age = |alert: &ActiveAlert| (alert.announced, alert.changed.map(|changed| changed.rule));
    over.sort_by_key(|(_, alert)| std::cmp::Reverse(age(alert)));
    over.into_iter().map(|(labels, _)| labels.clone()).collect()
}

/// Ends alerts of one rule.
fn end(
    rule: &str,
    alerts: &mut BTreeMap<AlertLabels, ActiveAlert>,
    reason: TransitionReason,
    now: Moment,
    changes: &mut Changes,
) {
    for (labels, alert) in alerts {
        if let Some(change) = alert.tracking.end(reason, now) {
            alert.changed = Some(now);
            changes.insert((rule.to_owned(), labels.clone()), change);
        }
    }
}

fn transition(
    change: &PhaseChange,
    rule: &str,
    labels: &AlertLabels,
    at: SystemTime,
) -> AlertTransition {
    AlertTransition {
        at,
        from: change.from,
        to: change.to,
        reason: change.reason,
        value: change.value,
        rule: rule.to_owned(),
        labels: labels.clone(),
    }
}

/// The rule of an alert that hides one with these labels.
fn hidden_by(
    firing: &[(String, AlertLabels)],
    inhibitions: &[Inhibition],
    labels: &AlertLabels,
) -> Option<String> {
    let hides = |source: &AlertLabels| inhibitions.iter().any(|it| it.hides(source, labels));
    let source = firing.iter().find(|(_, source)| hides(source));
    source.map(|(rule, _)| rule.clone())
}

/// Whether an alert has had no data for less than a day.
fn is_missing_lately(tracking: &Tracking, now: Moment) -> bool {
    let lasts = |since| now.rule.saturating_sub(since) < nanos(FORGET_MISSING);
    tracking.missing_since.is_some_and(lasts)
}

fn time_of(wall: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(wall)
}

/// Stands for a rule that is no longer there.
fn removed_rule(name: &str) -> Rule {
    Rule::of_values(name, Bound::at_least(1.0))
}

/// The rule of the alerts about missing data.
fn no_data_rule() -> Rule {
    Rule::of_values(NO_DATA, Bound::at_least(1.0))
        .missing_data(MissingData::Resolve)
        .severity(Severity::Warning)
        .annotation("summary", "{{ $labels.rule }} has no data")
}

#[cfg(test)]
mod tests;
