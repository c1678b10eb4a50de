//! The cards of the overview.

use super::figures::{CardSeverity, EarlierFigures, SignalFigures};
use super::json::{self, ObjectWriter};
use crate::dashboard::{DashboardCard, DashboardConfig};
use crate::health::{HealthEntry, HealthStatus};
use crate::system::SystemFigures;

/// The maximum number of checks on the card of the system's health.
const MAX_CHECKS: usize = 12;
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
    // No rule uses a figure yet.
    it.raw("state", "null");
    let (warning, mut critical) = input.config.lines_of(card);
    if card == DashboardCard::Connections && !input.config.has_lines_of(card) {
        critical = input.figures.max_connections.map(|max| max * 0.9);
    }
    it.number("warning", warning);
    it.number("critical", critical);
    let before = input
        .earlier
        .and_then(|earlier| Some((earlier.figures.of(card)?, earlier)));
    it.optional("before", before, |it, (value, earlier)| {
        it.number("value", Some(value));
        it.integer("from", earlier.from);
        it.integer("to", earlier.to);
    });
    it.raw("normal", "null");
    let error = (card == DashboardCard::Users && value.is_some()).then_some(USERS_ERROR);
    it.number("error", error);
    it.raw("last_at", "null");
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
    let state = match (input.is_ready, worst) {
        (false, _) => CardSeverity::Critical,
        (true, Some(CardSeverity::Warning | CardSeverity::Critical)) => CardSeverity::Warning,
        (true, _) => CardSeverity::Ok,
    };
    it.text("state", state.as_str());
    let total = checks.len() + 1;
    checks.sort_by_key(|check| (std::cmp::Reverse(state_of(check)), !check.is_check));
    it.list("checks", |list| {
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
