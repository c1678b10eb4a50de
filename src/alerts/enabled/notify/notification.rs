//! What a channel delivers.

use std::fmt;
use std::time::{Duration, SystemTime};

use crate::alerts::enabled::alert::{Alert, Severity};
use crate::alerts::enabled::labels::{duration, label, significant};

/// Whether something of a notification still fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NotificationStatus {
    /// At least one of its alerts fires.
    Firing,
    /// All of them have ended.
    Resolved,
}

/// Why a notification is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NotificationCause {
    /// Its first alert fires.
    First,
    /// Another alert of the group fires.
    NewAlert,
    /// Some of its alerts have ended.
    SomeResolved,
    /// All of its alerts have ended.
    AllResolved,
    /// It still fires.
    Repeat,
    /// Someone takes care of it.
    Acknowledged,
    /// [`Alerts::test_channel`](crate::alerts::Alerts::test_channel) sent it.
    Test,
}

/// An alert of a notification.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct NotifiedAlert {
    /// The alert, as it was when it was announced.
    pub alert: Alert,
    /// Whether it fires, or has ended.
    pub status: NotificationStatus,
    /// Whether this notification is the first one with this state of the alert.
    pub is_new: bool,
    /// The routes with the most failed requests in the five minutes before, else those with the most requests: a sentence for
    /// each, three at most.
    pub top_routes: Vec<String>,
    /// The values of the half hour before, oldest first.
    pub values: Vec<f64>,
}

/// The state of a group of alerts, to be delivered by a [`Channel`](super::Channel).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Notification {
    /// The idempotency key. It is the same each time that this notification is delivered, also after a restart, and differs between
    /// services, environments and channels.
    pub id: String,
    /// What the alerts have in common: the name of the group. It never changes.
    pub group_key: String,
    /// The labels that the group is made by.
    pub group_labels: Vec<(String, String)>,
    /// Whether something still fires.
    pub status: NotificationStatus,
    /// Why it is sent.
    pub cause: NotificationCause,
    /// The highest severity of the alerts.
    pub severity: Severity,
    /// The alerts that fire, and those that have ended since the last notification. Not empty.
    pub alerts: Vec<NotifiedAlert>,
    /// How many alerts of the group are not in the list.
    pub truncated: u64,
    /// The name of the service.
    pub service: String,
    /// Where the service runs.
    pub environment: Option<String>,
    /// When it was composed.
    pub at: SystemTime,
    /// The time after which the end of the alerts can be assumed if nothing more is sent.
    pub valid_for: Duration,
    /// The page with the alerts on the dashboard: the setting `alerts.dashboard_url`.
    pub dashboard_url: Option<String>,
}

impl Notification {
    /// Returns a line that says what has happened, such as `[FIRING] high-error-rate of shop`.
    pub fn title(&self) -> String {
        let count = match self.alerts.len() {
            0 | 1 => String::new(),
            count => format!(": {count}"),
        };
        let status = match (self.cause, self.status) {
            (NotificationCause::Test, _) => "TEST",
            (NotificationCause::Acknowledged, _) => "ACKNOWLEDGED",
            (_, NotificationStatus::Firing) => "FIRING",
            (_, NotificationStatus::Resolved) => "RESOLVED",
        };
        let mut rules: Vec<&str> = self.alerts.iter().map(|it| &*it.alert.rule).collect();
        rules.sort_unstable();
        rules.dedup();
        let rules = match rules.as_slice() {
            [one] => (*one).to_owned(),
            [first, rest @ ..] => format!("{first} and {} more", rest.len()),
            [] => self.group_key.clone(),
        };
        format!("[{status}{count}] {rules} of {}", self.service)
    }
}

impl NotifiedAlert {
    /// Returns the sentence that says what happens: the annotation `summary`, else the name of the rule.
    pub fn summary(&self) -> &str {
        match label(&self.alert.annotations, "summary") {
            "" => &self.alert.rule,
            text => text,
        }
    }

    /// Returns the value against its limit, such as `0.0834, and the limit is > 0.05`. `None` without a value.
    pub fn value_text(&self) -> Option<String> {
        let value = significant(self.alert.value?);
        Some(match &*self.alert.bound {
            "" => value,
            bound => format!("{value}, and the limit is {bound}"),
        })
    }

    /// Returns for how long the alert fired, if it has ended.
    pub fn lasted(&self) -> Option<Duration> {
        let (fired, resolved) = (self.alert.fired_at?, self.alert.resolved_at?);
        Some(resolved.duration_since(fired).unwrap_or_default())
    }

    /// Returns since when it fires and for how long it has, as a text.
    pub(in crate::alerts::enabled) fn since_text(&self) -> String {
        let fired = self.alert.fired_at.unwrap_or(self.alert.since);
        let since = time_text(fired);
        match self.lasted() {
            Some(lasted) => format!("{since}, for {}", duration(lasted.as_secs_f64())),
            None => since,
        }
    }

    /// Returns when it fired.
    #[cfg(feature = "email")]
    pub(in crate::alerts::enabled) fn fired_text(&self) -> String {
        time_text(self.alert.fired_at.unwrap_or(self.alert.since))
    }

    /// Returns when it ended, if it has.
    #[cfg(feature = "email")]
    pub(in crate::alerts::enabled) fn resolved_text(&self) -> Option<String> {
        self.alert.resolved_at.map(time_text)
    }

    /// Returns the values as a line of blocks: `▁▂▅█`. Empty with less than two.
    pub(in crate::alerts::enabled) fn sparkline(&self) -> String {
        const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        let finite = || {
            self.values
                .iter()
                .copied()
                .filter(|value| value.is_finite())
        };
        if finite().count() < 2 {
            return String::new();
        }
        let (least, most) = (
            finite().fold(f64::INFINITY, f64::min),
            finite().fold(f64::NEG_INFINITY, f64::max),
        );
        let block = |value: f64| {
            let share = if most > least {
                (value - least) / (most - least)
            } else {
                0.0
            };
            #[expect(clippy::cast_sign_loss, reason = "a share is from 0 to 1")]
            let index = (share * 7.0).round() as usize;
            BLOCKS.get(index).copied().unwrap_or('█')
        };
        finite().map(block).collect()
    }
}

/// A time in UTC, to the second.
pub(in crate::alerts::enabled) fn time_text(time: SystemTime) -> String {
    let text = crate::clock::rfc3339(millis(time));
    let (date, time) = text.split_at(text.len().min(10));
    let time = time.get(1..9).unwrap_or_default();
    format!("{date} {time} UTC")
}

/// Milliseconds since the Unix epoch.
pub(in crate::alerts::enabled) fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

impl NotificationStatus {
    /// Returns the name: `firing` or `resolved`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

impl NotificationCause {
    /// Returns the name, such as `first`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::NewAlert => "new_alert",
            Self::SomeResolved => "some_resolved",
            Self::AllResolved => "all_resolved",
            Self::Repeat => "repeat",
            Self::Acknowledged => "acknowledged",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for NotificationStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for NotificationCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
