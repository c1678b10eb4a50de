//! The cards of the overview.

use super::alert_figures::{AlertReading, AlertRow};
use super::anomaly_figures::{AnomalyRow, CardBands};
use super::figures::{CardSeverity, EarlierFigures, SignalFigures};
use super::json::{self, ObjectWriter};
use crate::dashboard::{DashboardCard, DashboardConfig};
use crate::health::{HealthEntry, HealthStatus};
use crate::system::SystemFigures;

/// The maximum number of checks on the card of the system's health.
const MAX_CHECKS: usize = 12;
/// The maximum number of limits of rules on a card.
const MAX_LINES: usize = 4;
/// The standard error of the count of users.
const USERS_ERROR: f64 = 0.02;

/// What the cards are written from.
pub(super) struct CardInput<'a> {
    pub(super) config: &'a DashboardConfig,
    pub(super) figures: &'a SignalFigures,
    pub(super) earlier: Option<&'a EarlierFigures>,
    pub(super) has_requests: bool,
    /// Whether a pool is watched.
    pub(super) has_pools: bool,
    pub(super) is_ready: bool,
    pub(super) readiness: &'static str,
    pub(super) checks: &'a [HealthEntry],
    pub(super) system: &'a SystemFigures,
    pub(super) alerts: &'a AlertReading,
    pub(super) anomalies: &'a [AnomalyRow],
    pub(super) bands: &'a CardBands,
    /// Milliseconds since the Unix epoch. `None` for the figures of a past range: the current alerts say
    /// nothing about it.
    pub(super) now: Option<u64>,
}

pub(super) fn write(input: &CardInput<'_>) -> String {
    let figures = input.figures;
    json::object(|it| {
        it.object("health", |it| put_health(it, input));
        for card in DashboardCard::ALL {
            it.object(card.as_str(), |it| {
                put_common(it, card, input);
                match card {
                    DashboardCard::ResponseTime => {
                        it.number("p50", figures.p50);
                        it.number("p99", figures.p99);
                    }
                    DashboardCard::ErrorRate => {
                        it.number("client_errors", figures.client_errors);
                        it.number("cancelled", figures.cancelled);
                    }
                    DashboardCard::Users => it.number("day", figures.users_of_day),
                    DashboardCard::Cpu => {
                        let used = figures.cpu.zip(figures.cores).map(|(cpu, all)| cpu * all);
                        it.number("cores_used", used);
                        it.number("cores", figures.cores);
                    }
                    DashboardCard::Memory => {
                        it.integer("used", figures.memory_used);
                        it.integer("limit", figures.memory_limit);
                    }
                    DashboardCard::Connections => {
                        it.number("max", figures.max_connections);
                        it.number("waiting", figures.waiting);
                        it.number("acquire_p95", figures.acquire_p95);
                    }
                    DashboardCard::Requests => {}
                }
            });
        }
    })
}

fn put_common(it: &mut ObjectWriter<'_>, card: DashboardCard, input: &CardInput<'_>) {
    let value = input.figures.of(card);
    it.number("value", value);
    let missing = value.is_none().then(|| missing(card, input));
    it.optional_text("missing", missing);
    let alert = input.alerts.of_card(card).filter(|_| input.now.is_some());
    it.optional_text("state", state_of_card(card, alert, input));
    let lines = lines(card, input);
    // The lowest of each kind.
    let line = |severity| {
        let of_kind = lines.iter().filter(|line| line.severity == severity);
        of_kind.map(|line| line.limit).min_by(f64::total_cmp)
    };
    it.number("warning", line(CardSeverity::Warning));
    it.number("critical", line(CardSeverity::Critical));
    it.list("lines", |list| {
        for line in &lines {
            list.object(|it| {
                it.number("value", Some(line.limit));
                it.text("state", line.severity.as_str());
                it.optional_text("rule", line.rule.as_deref());
                let hold = line.hold.filter(|hold| *hold > 0);
                it.number("for", hold.map(|hold| hold as f64 / 1e3));
            });
        }
    });
    it.optional("alert", alert, |it, alert| {
        it.text("id", &alert.id);
        it.text("rule", &alert.rule);
        it.text("state", alert.phase.as_str());
        it.text(
            "severity",
            alert.severity.map_or("info", CardSeverity::as_str),
        );
        it.integer("since", alert.since);
        it.integer("fires_at", alert.fires_at);
    });
    let before = input
        .earlier
        .and_then(|earlier| Some((earlier.figures.of(card)?, earlier)));
    it.optional("before", before, |it, (value, earlier)| {
        it.number("value", Some(value));
        it.integer("from", earlier.from);
        it.integer("to", earlier.to);
    });
    let band = input.now.and_then(|now| input.bands.latest(card, now));
    it.optional("normal", band, |it, band| {
        it.number("low", Some(band.low));
        it.number("high", Some(band.high));
    });
    let error = (card == DashboardCard::Users && value.is_some()).then_some(USERS_ERROR);
    it.number("error", error);
    it.raw("last_at", "null");
}

/// The state of a card's rules: not that of its value, which may be past a limit for a moment.
fn state_of_card(
    card: DashboardCard,
    alert: Option<&AlertRow>,
    input: &CardInput<'_>,
) -> Option<&'static str> {
    let firing = alert.filter(|alert| alert.fires());
    if let Some(severity) = firing.and_then(|alert| alert.severity) {
        return Some(severity.as_str());
    }
    let is_of_card = |row: &&AnomalyRow| row.card == Some(card) && row.to.is_none();
    if input.anomalies.iter().any(|row| is_of_card(&row)) {
        return Some("odd");
    }
    (input.alerts.has_rule(card) && input.now.is_some()).then_some("ok")
}

/// A line of a card.
#[derive(Debug, Clone, PartialEq)]
struct CardLine {
    severity: CardSeverity,
    limit: f64,
    /// The rule whose limit it is.
    rule: Option<String>,
    /// For how long the value has to be past it, in milliseconds.
    hold: Option<u64>,
}

/// The limits of the rules of a card, and the lines of the settings where no rule has the same limit.
fn lines(card: DashboardCard, input: &CardInput<'_>) -> Vec<CardLine> {
    let is_share = card == DashboardCard::Connections;
    let unit = if is_share {
        input.figures.max_connections
    } else {
        Some(1.0)
    };
    let mut lines: Vec<CardLine> = Vec::new();
    let of_card = input.alerts.lines.iter().filter(|line| line.card == card);
    for (line, unit) in of_card.filter_map(|line| Some((line, unit?))) {
        lines.push(CardLine {
            severity: line.severity,
            limit: line.limit * unit,
            rule: Some(line.rule.clone()),
            hold: Some(line.hold),
        });
    }
    // Objectives have several rules with limits close to each other.
    lines.sort_by(|one, other| one.limit.total_cmp(&other.limit));
    lines.truncate(MAX_LINES);
    let (warning, mut critical) = input.config.lines_of(card);
    if is_share && !input.config.has_lines_of(card) {
        critical = unit.map(|max| max * 0.9);
    }
    for (severity, limit) in [
        (CardSeverity::Warning, warning),
        (CardSeverity::Critical, critical),
    ] {
        let Some(limit) = limit else { continue };
        let is_same = |line: &CardLine| (line.limit - limit).abs() <= limit.abs() * 0.01;
        if !lines.iter().any(is_same) {
            lines.push(CardLine {
                severity,
                limit,
                rule: None,
                hold: None,
            });
        }
    }
    lines.sort_by(|one, other| one.limit.total_cmp(&other.limit));
    lines
}

/// Why a card has no value.
fn missing(card: DashboardCard, input: &CardInput<'_>) -> &'static str {
    match card {
        DashboardCard::Users => "no_hook",
        DashboardCard::Connections if input.has_pools => "no_data",
        DashboardCard::Connections => "no_pool",
        DashboardCard::Cpu if input.system.rate_interval.is_some() => "unsupported",
        DashboardCard::Memory => "unsupported",
        DashboardCard::Requests | DashboardCard::ResponseTime | DashboardCard::ErrorRate
            if !input.has_requests =>
        {
            "no_requests"
        }
        _ => "no_data",
    }
}

fn put_health(it: &mut ObjectWriter<'_>, input: &CardInput<'_>) {
    let mut checks: Vec<&HealthEntry> = input.checks.iter().collect();
    let passing = |check: &&&HealthEntry| check.status == Some(HealthStatus::Pass);
    let count = checks.iter().filter(passing).count() + usize::from(input.is_ready);
    let worst = checks.iter().filter_map(|check| state_of(check)).max();
    let of_alerts = input.alerts.of_verdict().map(|(_, state)| state).max();
    let state = match (input.is_ready, worst) {
        (false, _) => CardSeverity::Critical,
        (true, Some(CardSeverity::Warning | CardSeverity::Critical)) => CardSeverity::Warning,
        (true, _) => CardSeverity::Ok,
    };
    let state = state.max(of_alerts.unwrap_or(CardSeverity::Ok));
    it.text("state", state.as_str());
    let total = checks.len() + 1;
    checks.sort_by_key(|check| (std::cmp::Reverse(state_of(check)), !check.is_check));
    it.list("checks", |list| {
        if input.alerts.rules > 0 {
            list.object(|it| put_alert_check(it, input.alerts));
        }
        list.object(|it| {
            it.text("name", "ready");
            it.text("kind", "ready");
            let ready = if input.is_ready {
                CardSeverity::Ok
            } else {
                CardSeverity::Critical
            };
            it.text("state", ready.as_str());
            it.text("text", if input.is_ready { "" } else { input.readiness });
            it.raw("used", "null");
        });
        for check in checks.iter().take(MAX_CHECKS - 1) {
            list.object(|it| {
                it.text("name", &check.name);
                let kind = kind_of(check);
                it.text("kind", kind);
                it.optional_text("state", state_of(check).map(CardSeverity::as_str));
                it.text("text", &check.output);
                let disk = input.system.disk.filter(|_| kind == "disk");
                let used = disk.filter(|disk| disk.total > 0).map(|disk| {
                    disk.total.saturating_sub(disk.available) as f64 / disk.total as f64
                });
                it.number("used", used);
            });
        }
    });
    it.integer("passing", count as u64);
    it.integer("total", total as u64);
}

/// The alerts as a check: how many of the worst kind fire.
fn put_alert_check(it: &mut ObjectWriter<'_>, alerts: &AlertReading) {
    let worst = alerts.of_verdict().map(|(_, state)| state).max();
    let state = worst.unwrap_or(CardSeverity::Ok);
    let count = alerts.of_verdict().filter(|(_, it)| *it == state).count();
    it.text("name", "alerts");
    it.text("kind", "alerts");
    it.text("state", state.as_str());
    it.text("text", &count.to_string());
    it.raw("used", "null");
}

/// The state of a check; `None` if it has not run.
pub(super) fn state_of(check: &HealthEntry) -> Option<CardSeverity> {
    check.status.map(|status| match status {
        HealthStatus::Pass => CardSeverity::Ok,
        HealthStatus::Warn => CardSeverity::Warning,
        HealthStatus::Fail => CardSeverity::Critical,
    })
}

/// What a check is about.
pub(super) fn kind_of(check: &HealthEntry) -> &'static str {
    match (check.is_check, check.name.as_str()) {
        (true, "disk") => "disk",
        (true, _) => "check",
        (false, "worker") => "worker",
        (false, "errors.store" | "data directory" | "history") => "store",
        (false, _) => "sink",
    }
}
