use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::super::alert_figures::{
    AcknowledgedBy, AlertPhase, AlertReading, AlertRow, AlertSpan, RuleLine,
};
use super::super::live_window::{REQUESTS, WAITS};
use super::super::severity::CardSeverity;
use super::super::times::millis;
use super::rule_values::{self, RuleValueCache, RuleValues, ValueKey};
use super::spans::spans;
use crate::alerts::{Alert, AlertState, Alerts, Bound, Rule, RuleSubject, Severity};
use crate::dashboard::DashboardCard;
use crate::history::History;
use crate::model::lock;

const TIME_TO_HEADERS: &str = "watchpost_http_time_to_headers_seconds";
const MEMORY: &str = "system_memory_utilization_ratio";
const CPU: &str = "process_cpu_utilization_ratio";
const USERS: &str = "watchpost_users_active";
const CONNECTIONS: [&str; 3] = [
    "db_client_connection_count",
    "db_client_connection_max",
    "db_client_connection_pending_requests",
];
/// The rules are read again after this time, in milliseconds.
const RULES_EVERY: u64 = 5000;

/// The alerts of the monitor, and what the overview needs of their rules.
#[derive(Debug, Clone)]
pub(crate) struct AlertSource {
    pub(in crate::dashboard::enabled) alerts: Alerts,
    rules: Arc<Mutex<KnownRules>>,
    values: Arc<RuleValueCache>,
}

/// What is known of the rules.
#[derive(Debug, Default)]
struct KnownRules {
    /// Milliseconds since the Unix epoch.
    at: u64,
    rules: Arc<[KnownRule]>,
}

#[derive(Debug)]
struct KnownRule {
    name: String,
    card: Option<DashboardCard>,
    hold: Duration,
    lines: Vec<RuleLine>,
}

impl AlertSource {
    pub(crate) fn new(alerts: Alerts) -> Self {
        Self {
            alerts,
            rules: Arc::default(),
            values: Arc::default(),
        }
    }

    /// The rules and objectives with their values at the latest snapshot. All clients share one reading. Belongs on the
    /// blocking pool.
    pub(in crate::dashboard::enabled) fn values(
        &self,
        history: &History,
        now: u64,
    ) -> Arc<RuleValues> {
        let key = ValueKey::new(&self.alerts, history, now);
        let read = |key: &ValueKey| rule_values::read(&self.alerts, history, key);
        self.values.get(key, read)
    }

    /// Reads the alerts at a time in milliseconds since the Unix epoch.
    pub(in crate::dashboard::enabled) fn read(&self, now: u64) -> AlertReading {
        let rules = self.rules(now);
        let (rows, spans) = self.rows_and_spans(&rules);
        let mut reading = AlertReading {
            alerts: rows,
            lines: rules.iter().flat_map(|rule| rule.lines.clone()).collect(),
            cards: rules.iter().filter_map(|rule| rule.card).collect(),
            rules: rules.len(),
            spans,
        };
        reading.trim(now);
        reading
    }

    /// All alerts, in the order of the reading.
    pub(in crate::dashboard::enabled) fn rows(&self, now: u64) -> Vec<AlertRow> {
        self.rows_and_spans(&self.rules(now)).0
    }

    fn rows_and_spans(&self, rules: &[KnownRule]) -> (Vec<AlertRow>, Vec<AlertSpan>) {
        let rule = |name: &str| rules.iter().find(|rule| rule.name == name);
        let spans = spans(&self.alerts.transitions(), |name| rule(name)?.card);
        let alerts = self.alerts.list();
        let rows = alerts.iter().filter_map(|alert| {
            let key = (alert.rule.clone(), alert.labels.clone());
            let began = spans.began.get(&key).copied();
            let known = rule(&alert.rule);
            let hold = known.map_or(Duration::ZERO, |rule| rule.hold);
            row(alert, known.and_then(|rule| rule.card), hold, began)
        });
        (rows.collect(), spans.all)
    }

    fn rules(&self, now: u64) -> Arc<[KnownRule]> {
        let mut known = lock(&self.rules);
        if known.at == 0 || now.abs_diff(known.at) >= RULES_EVERY {
            known.at = now;
            known.rules = self.alerts.rules().iter().map(KnownRule::new).collect();
        }
        Arc::clone(&known.rules)
    }
}

impl KnownRule {
    fn new(rule: &Rule) -> Self {
        let summary = rule.summary();
        let severity = severity_of(summary.severity);
        let line = |(subject, bound): (RuleSubject<'_>, Bound)| {
            Some(RuleLine {
                card: card_of(subject, bound)?,
                rule: summary.name.to_owned(),
                severity: severity?,
                limit: limit_of(subject, bound)?,
                hold: u64::try_from(summary.hold.as_millis()).unwrap_or(u64::MAX),
            })
        };
        let mut lines: Vec<RuleLine> = rule.conditions().filter_map(line).collect();
        // The rules of an objective compare two windows with one limit.
        lines.dedup();
        Self {
            name: summary.name.to_owned(),
            card: rule
                .conditions()
                .find_map(|(subject, bound)| card_of(subject, bound)),
            hold: summary.hold,
            lines,
        }
    }
}

/// The card that shows what a rule compares.
pub(in crate::dashboard::enabled) fn card_of(
    subject: RuleSubject<'_>,
    bound: Bound,
) -> Option<DashboardCard> {
    match subject {
        RuleSubject::Ratio(REQUESTS) if bound.is_upper() => Some(DashboardCard::ErrorRate),
        RuleSubject::Ratio(REQUESTS) | RuleSubject::Absent(REQUESTS) => {
            Some(DashboardCard::Requests)
        }
        RuleSubject::Quantile(REQUESTS | TIME_TO_HEADERS) => Some(DashboardCard::ResponseTime),
        RuleSubject::Quantile(WAITS) => Some(DashboardCard::Connections),
        RuleSubject::Value(MEMORY) | RuleSubject::Trend(MEMORY) => Some(DashboardCard::Memory),
        RuleSubject::Value(CPU) | RuleSubject::Trend(CPU) => Some(DashboardCard::Cpu),
        RuleSubject::Value(USERS) => Some(DashboardCard::Users),
        RuleSubject::Ratio(metric) | RuleSubject::Value(metric)
            if CONNECTIONS.contains(&metric) =>
        {
            Some(DashboardCard::Connections)
        }
        _ => None,
    }
}

/// The limit of a rule in the unit of its card, if it is in that unit and an upper one.
fn limit_of(subject: RuleSubject<'_>, bound: Bound) -> Option<f64> {
    let is_in_unit = match subject {
        RuleSubject::Ratio(_) => true,
        RuleSubject::Quantile(metric) => metric != WAITS,
        RuleSubject::Value(metric) => !CONNECTIONS.contains(&metric),
        RuleSubject::Trend(_) | RuleSubject::Absent(_) | RuleSubject::Function => false,
    };
    (is_in_unit && bound.is_upper()).then(|| bound.limit())
}

pub(in crate::dashboard::enabled) fn severity_of(severity: Severity) -> Option<CardSeverity> {
    match severity {
        Severity::Critical => Some(CardSeverity::Critical),
        Severity::Warning => Some(CardSeverity::Warning),
        _ => None,
    }
}

/// An alert as a row. `None` if nothing is to be shown of it.
fn row(
    alert: &Alert,
    card: Option<DashboardCard>,
    hold: Duration,
    began: Option<u64>,
) -> Option<AlertRow> {
    let phase = match alert.state {
        AlertState::Pending => AlertPhase::Pending,
        AlertState::Firing => AlertPhase::Firing,
        AlertState::Recovering => AlertPhase::Recovering,
        AlertState::Resolved => AlertPhase::Resolved,
        _ => return None,
    };
    let since = millis(alert.since);
    let hold = u64::try_from(hold.as_millis()).unwrap_or(u64::MAX);
    let fired_at = alert.fired_at.map(millis);
    let summary = alert.annotations.iter().find(|(name, _)| name == "summary");
    let is_own = |name: &str| matches!(name, "alertname" | "severity");
    let labels = alert.labels.iter().filter(|(name, _)| !is_own(name));
    let matchers = alert.labels.iter().filter(|(name, _)| name != "severity");
    Some(AlertRow {
        id: format!("{:016x}", alert.fingerprint),
        rule: alert.rule.clone(),
        card,
        phase,
        severity: severity_of(alert.severity),
        began: began.or(fired_at).unwrap_or(since).min(since),
        since,
        fired_at,
        fires_at: (phase == AlertPhase::Pending).then(|| since.saturating_add(hold)),
        resolved_at: alert.resolved_at.map(millis),
        value: alert.value,
        bound: alert.bound.clone(),
        summary: summary.map_or_else(String::new, |(_, text)| text.clone()),
        labels: labels.cloned().collect(),
        matchers: matchers
            .map(|(name, value)| format!("{name}={value}"))
            .collect(),
        acknowledged: alert.acknowledged.as_ref().map(|by| AcknowledgedBy {
            by: by.by.clone(),
            comment: by.comment.clone(),
            at: millis(by.at),
            until: by.until.map(millis),
        }),
        silenced_by: alert.silenced_by.clone(),
        inhibited_by: alert.inhibited_by.clone(),
        has_no_data: alert.has_no_data,
        has_failed: alert.has_failed,
        runbook: alert.runbook.clone(),
    })
}
