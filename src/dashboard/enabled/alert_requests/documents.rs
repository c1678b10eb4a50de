//! The documents of the page of alerts.

use http::StatusCode;

use super::super::alert_source::{RuleValue, card_of, spans};
use super::super::change_fields::Refusal;
use super::super::json::{self, ObjectWriter};
use super::super::past::time;
use super::super::sections;
use super::super::setup::DashboardSetup;
use super::super::times::millis;
use crate::alerts::{Alert, AlertTransition, Rule, RuleSubject, Silence, SloStatus};
use crate::dashboard::DashboardCard;

/// The longest time of a dry run, in hours. It evaluates the rule each 30 seconds, by default.
pub(super) const MAX_HOURS: u64 = 24;
/// The maximum number of rows of a list.
const MAX_ROWS: usize = 200;
/// The maximum number of names of a list.
const MAX_NAMES: usize = 20;

/// Everything about alerts.
pub(super) fn list(setup: &DashboardSetup) -> String {
    let now = setup.now();
    let alerts = &setup.alerts.alerts;
    let rows = setup.alerts.rows(now);
    let all = alerts.list();
    let mut failures = alerts.failures();
    let values = setup.alerts.values(&setup.history, now);
    let slos = match &values.slos {
        Ok(slos) => slos.as_slice(),
        Err(error) => {
            failures.push(("SLO".to_owned(), error.clone()));
            &[]
        }
    };
    json::object(|it| {
        it.integer("at", now);
        it.list("alerts", |list| {
            for row in rows.iter().take(MAX_ROWS) {
                list.object(|it| sections::put_alert(it, row));
            }
        });
        it.list("silences", |list| {
            for silence in alerts.silences().iter().take(MAX_ROWS) {
                list.object(|it| put_silence(it, silence, &all));
            }
        });
        it.list("transitions", |list| {
            for change in alerts.transitions().iter().rev().take(MAX_ROWS) {
                list.object(|it| put_transition(it, change));
            }
        });
        it.list("rules", |list| {
            for (rule, value) in &values.rules {
                list.object(|it| put_rule(it, rule, *value));
            }
        });
        it.list("slos", |list| {
            for slo in slos.iter().take(MAX_ROWS) {
                list.object(|it| put_slo(it, slo));
            }
        });
        it.list("failures", |list| {
            for (rule, text) in failures.iter().take(MAX_ROWS) {
                list.object(|it| {
                    it.text("rule", rule);
                    it.text("text", text);
                });
            }
        });
    })
}

fn put_silence(it: &mut ObjectWriter<'_>, silence: &Silence, all: &[Alert]) {
    it.text("id", &silence.number.to_string());
    it.list("matchers", |list| {
        for matcher in silence.matchers.iter().take(MAX_NAMES) {
            list.long_text(&matcher.to_string());
        }
    });
    it.integer("starts", millis(silence.starts));
    it.integer("ends", millis(silence.ends));
    it.text("by", &silence.author);
    it.text("comment", &silence.comment);
    let hidden = || {
        all.iter()
            .filter(|alert| alert.silenced_by.contains(&silence.number))
    };
    it.integer("hides", hidden().count() as u64);
    it.list("alerts", |list| {
        for alert in hidden().take(MAX_NAMES) {
            list.long_text(&named(alert));
        }
    });
}

fn put_transition(it: &mut ObjectWriter<'_>, change: &AlertTransition) {
    it.integer("at", millis(change.at));
    it.text("rule", &change.rule);
    it.text("from", change.from.as_str());
    it.text("to", change.to.as_str());
    it.text("reason", change.reason.as_str());
    it.number("value", change.value);
    let label = change.labels.iter().find(|(name, _)| name == "severity");
    it.text("severity", label.map_or("info", |(_, severity)| severity));
    it.text("labels", &label_text(&change.labels));
}

fn put_rule(it: &mut ObjectWriter<'_>, rule: &Rule, value: RuleValue) {
    let summary = rule.summary();
    it.text("name", summary.name);
    it.text("severity", summary.severity.as_str());
    let mut conditions = rule.conditions();
    let card = conditions.find_map(|(subject, bound)| card_of(subject, bound));
    it.optional_text("card", card.map(DashboardCard::as_str));
    it.text("unit", unit(summary.subject));
    it.text("bound", &summary.bound.to_string());
    it.number("limit", Some(summary.bound.limit()));
    it.number("clear", Some(summary.clear));
    it.number("for", Some(summary.hold.as_secs_f64()));
    it.number("keep_firing_for", Some(summary.keep_firing.as_secs_f64()));
    it.integer("min_samples", summary.min_samples);
    it.optional_text("runbook", summary.runbook);
    // A function of the host may block for as long as it likes.
    it.bool("can_run", !rule.calls_the_host());
    it.number("value", value.worst);
    it.bool("past", value.is_past);
    it.integer("series", value.series);
}

/// What the values of a rule are.
fn unit(subject: RuleSubject<'_>) -> &'static str {
    match subject {
        RuleSubject::Ratio(_) => "ratio",
        RuleSubject::Trend(metric) if metric.ends_with("_ratio") => "ratio_per_hour",
        RuleSubject::Value(metric) | RuleSubject::Quantile(metric) => {
            if metric.ends_with("_seconds") {
                "seconds"
            } else if metric.ends_with("_ratio") {
                "ratio"
            } else if metric.ends_with("_bytes") {
                "bytes"
            } else {
                "number"
            }
        }
        RuleSubject::Trend(_) | RuleSubject::Absent(_) | RuleSubject::Function => "number",
    }
}

fn put_slo(it: &mut ObjectWriter<'_>, slo: &SloStatus) {
    it.text("name", &slo.name);
    it.number("objective", Some(slo.objective / 100.0));
    it.number("failed", slo.failed);
    it.number("budget_left", slo.budget_left);
    it.list("burn_rates", |list| {
        for (window, rate) in &slo.burn_rates {
            list.object(|it| {
                it.number("window", Some(window.as_secs_f64()));
                it.number("rate", *rate);
            });
        }
    });
}

/// The alerts that a silence would hide.
pub(super) fn preview(hidden: &[Alert]) -> String {
    json::object(|it| {
        it.integer("hides", hidden.len() as u64);
        it.list("alerts", |list| {
            for alert in hidden.iter().take(MAX_NAMES) {
                list.long_text(&format!("{} ({})", named(alert), alert.state));
            }
        });
    })
}

/// When a rule would have fired in the last hours.
///
/// # Errors
///
/// Returns why it cannot be told.
pub(super) fn backtest(setup: &DashboardSetup, name: &str, hours: u64) -> Result<String, Refusal> {
    let alerts = &setup.alerts.alerts;
    let rules = alerts.rules();
    let Some(rule) = rules.iter().find(|rule| rule.name() == name) else {
        let message = "There is no such rule.";
        return Err(Refusal::new(StatusCode::NOT_FOUND, "not_found", message));
    };
    if rule.calls_the_host() {
        let message = "A function of the service returns the values of this rule. Call `backtest` in the service.";
        return Err(Refusal::new(StatusCode::CONFLICT, "conflict", message));
    }
    // The times of the steps are those of the history's snapshots.
    let latest = setup
        .history
        .latest()
        .map(|tick| tick.max(0).unsigned_abs());
    let to = latest.unwrap_or_else(|| setup.now());
    let begin = setup.history.begins_at().map_or(to, millis);
    let from = to.saturating_sub(hours * 3_600_000).max(begin.min(to));
    let transitions = alerts
        .backtest(rule, time(from), time(to))
        .map_err(|error| Refusal::new(StatusCode::CONFLICT, "conflict", error.to_string()))?;
    let held = spans(&transitions, |_| None).all;
    let firing = || held.iter().filter(|span| span.is_firing);
    Ok(json::object(|it| {
        it.text("rule", name);
        it.integer("from", from);
        it.integer("to", to);
        it.integer("fired", firing().count() as u64);
        it.list("spans", |list| {
            for span in firing().take(MAX_ROWS) {
                list.object(|it| {
                    it.integer("from", span.from);
                    it.integer("to", span.to);
                });
            }
        });
    }))
}

/// An alert in a sentence: its rule and its labels.
pub(super) fn named(alert: &Alert) -> String {
    let labels = label_text(&alert.labels);
    if labels.is_empty() {
        alert.rule.clone()
    } else {
        format!("{} {labels}", alert.rule)
    }
}

fn label_text(labels: &[(String, String)]) -> String {
    let is_own = |name: &str| matches!(name, "alertname" | "severity");
    let others = labels.iter().filter(|(name, _)| !is_own(name));
    let texts: Vec<String> = others
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    texts.join(", ")
}
