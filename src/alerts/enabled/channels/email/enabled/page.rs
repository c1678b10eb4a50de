//! What a mail says, in both of its forms. All texts are in their limits, and without control characters.

use crate::alerts::enabled::alert::Severity;
use crate::alerts::enabled::channels::text::{cut, line, link};
use crate::alerts::enabled::labels::duration;
use crate::alerts::enabled::notify::{
    Notification, NotificationCause, NotificationStatus, NotifiedAlert,
};

const MAX_TITLE: usize = 200;
const MAX_SUMMARY: usize = 500;
const MAX_FACT: usize = 500;
const MAX_NAME: usize = 100;

/// A mail.
#[derive(Debug)]
pub(super) struct MailPage {
    pub(super) title: String,
    /// The service, and where it runs.
    pub(super) place: String,
    pub(super) state: MailState,
    pub(super) sections: Vec<MailSection>,
    /// The number of alerts that are not described.
    pub(super) more: u64,
    pub(super) dashboard: Option<String>,
    /// Why it was sent.
    pub(super) why: &'static str,
}

/// An alert of a mail.
#[derive(Debug)]
pub(super) struct MailSection {
    pub(super) state: MailState,
    pub(super) summary: String,
    /// How bad, and since when or for how long: a sentence or two.
    pub(super) verdict: String,
    /// Names and values. A value may have several lines.
    pub(super) facts: Vec<(&'static str, Vec<String>)>,
    pub(super) sparkline: String,
    pub(super) runbook: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MailState {
    Critical,
    Warning,
    Info,
    Acknowledged,
    Resolved,
    Test,
}

impl MailState {
    fn of(notification: &Notification, status: NotificationStatus, severity: Severity) -> Self {
        match (notification.cause, status) {
            (NotificationCause::Test, _) => Self::Test,
            (_, NotificationStatus::Resolved) => Self::Resolved,
            (NotificationCause::Acknowledged, _) => Self::Acknowledged,
            _ => match severity {
                Severity::Critical => Self::Critical,
                Severity::Warning => Self::Warning,
                Severity::Info => Self::Info,
            },
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Critical => "Critical",
            Self::Warning => "Warning",
            Self::Info => "Info",
            Self::Acknowledged => "Acknowledged",
            Self::Resolved => "Resolved",
            Self::Test => "Test",
        }
    }

    /// A shape for each state, as on the dashboard: colours alone are not seen by all.
    pub(super) fn shape(self) -> &'static str {
        match self {
            Self::Critical => "■",
            Self::Warning => "▲",
            Self::Info | Self::Test => "◇",
            Self::Acknowledged => "✓",
            Self::Resolved => "●",
        }
    }
}

impl MailPage {
    /// What a mail says about the first `max_alerts` alerts.
    pub(super) fn new(notification: &Notification, max_alerts: usize) -> Self {
        let described = notification.alerts.iter().take(max_alerts);
        let left_out = notification.alerts.len().saturating_sub(max_alerts) as u64;
        let service = cut(&line(&notification.service), MAX_NAME);
        Self {
            title: cut(&line(&notification.title()), MAX_TITLE),
            place: match &notification.environment {
                Some(environment) => {
                    format!("{service} · {}", cut(&line(environment), MAX_NAME))
                }
                None => service,
            },
            state: MailState::of(notification, notification.status, notification.severity),
            sections: described.map(|it| section(notification, it)).collect(),
            more: left_out.saturating_add(notification.truncated),
            dashboard: link(notification.dashboard_url.as_deref()).map(str::to_owned),
            why: why(notification.cause),
        }
    }
}

fn why(cause: NotificationCause) -> &'static str {
    match cause {
        NotificationCause::First => "The first alert of this rule fires.",
        NotificationCause::NewAlert => "Another alert of this rule fires.",
        NotificationCause::SomeResolved => "Some alerts of this rule have ended.",
        NotificationCause::AllResolved => "All alerts of this rule have ended.",
        NotificationCause::Repeat => "The alert still fires.",
        NotificationCause::Acknowledged => "Someone takes care of the alert.",
        NotificationCause::Test => "Someone asked for a test of this channel.",
    }
}

fn section(notification: &Notification, notified: &NotifiedAlert) -> MailSection {
    let alert = &notified.alert;
    let fact = |text: &str| cut(&line(text), MAX_FACT);
    let state = MailState::of(notification, notified.status, alert.severity);
    let lasted = notified.lasted().map(|it| duration(it.as_secs_f64()));
    let fired = notified.fired_text();
    let verdict = match (state, lasted) {
        (MailState::Resolved, Some(lasted)) => format!("It ended after {lasted}."),
        (MailState::Resolved, None) => "It has ended.".to_owned(),
        (MailState::Test, _) => String::new(),
        _ => format!("It has been {} since {fired}.", alert.severity),
    };
    let mut facts = Vec::new();
    if state != MailState::Test {
        if let Some(value) = notified.value_text() {
            let name = match notified.status {
                NotificationStatus::Firing => "Value",
                NotificationStatus::Resolved => "Last value",
            };
            facts.push((name, vec![fact(&value)]));
        }
        if state.word().to_lowercase() != alert.severity.as_str() {
            facts.push(("Severity", vec![alert.severity.to_string()]));
        }
        if let Some(ended) = notified.resolved_text() {
            facts.push(("Fired", vec![fired]));
            facts.push(("Ended", vec![ended]));
        }
    }
    facts.push(("Rule", vec![fact(&alert.rule)]));
    let labels = alert.labels.iter();
    let labels = labels.filter(|(name, _)| name != "alertname" && name != "severity");
    let labels: Vec<_> = labels
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    if !labels.is_empty() {
        facts.push(("Where", vec![fact(&labels.join(", "))]));
    }
    if !notified.top_routes.is_empty() {
        let routes = notified.top_routes.iter().take(3);
        facts.push(("Top routes", routes.map(|it| fact(it)).collect()));
    }
    if let Some(by) = &alert.acknowledged {
        let by = format!("{} {}", by.by, by.comment);
        facts.push(("Acknowledged by", vec![fact(by.trim())]));
    }
    MailSection {
        state,
        summary: cut(&line(notified.summary()), MAX_SUMMARY),
        verdict,
        facts,
        sparkline: notified.sparkline(),
        runbook: link(alert.runbook.as_deref()).map(str::to_owned),
    }
}
