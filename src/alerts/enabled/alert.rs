use std::fmt;
use std::time::SystemTime;

/// How urgent an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[non_exhaustive]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// To be looked at soon.
    #[default]
    Warning,
    /// To be looked at now.
    Critical,
}

/// The state of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AlertState {
    /// The condition does not hold.
    Inactive,
    /// The condition holds, but not yet for as long as the rule wants.
    Pending,
    /// The condition holds.
    Firing,
    /// The condition no longer holds, but not yet for as long as the rule wants.
    Recovering,
    /// The alert has fired, and is over.
    Resolved,
}

/// Why the state of an alert changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransitionReason {
    /// The condition holds.
    ConditionMet,
    /// The condition has held for as long as the rule wants.
    HeldFor,
    /// The condition does not hold.
    ConditionEnded,
    /// The value is not past the clear threshold again.
    NotCleared,
    /// There is no value, and the rule says what that means.
    MissingData,
    /// There was no value for too long.
    Stale,
    /// The rule is no longer there.
    RuleRemoved,
    /// The process was not running for an hour or longer.
    Downtime,
}

/// Why an alert is announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NotificationReason {
    /// It has begun to fire.
    First,
    /// It still fires.
    Repeat,
    /// It has ended.
    Resolved,
}

/// Who has taken care of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Acknowledgement {
    /// Who.
    pub by: String,
    /// What they said.
    pub comment: String,
    /// When.
    pub at: SystemTime,
    /// When it ends. `None` if it ends with the alert.
    pub until: Option<SystemTime>,
}

/// An alert: the state of one rule for one set of labels.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Alert {
    /// The name of the rule.
    pub rule: String,
    /// The labels of the rule and of the series, sorted by name.
    pub labels: Vec<(String, String)>,
    /// The annotations of the rule, with values in place of their templates.
    pub annotations: Vec<(String, String)>,
    /// How urgent it is.
    pub severity: Severity,
    /// The state.
    pub state: AlertState,
    /// A number that is the same for each alert of this rule and these labels, also after a restart.
    pub fingerprint: u64,
    /// The last value. `None` if there has been none.
    pub value: Option<f64>,
    /// What the rule compares the value with, such as `> 0.05`. Empty if it compares nothing.
    pub bound: String,
    /// When the state began.
    pub since: SystemTime,
    /// When the alert fired. `None` if it has not.
    pub fired_at: Option<SystemTime>,
    /// When the alert was resolved. `None` if it is not.
    pub resolved_at: Option<SystemTime>,
    /// Whether there is no value now.
    pub has_no_data: bool,
    /// Whether the last evaluation of the rule failed.
    pub has_failed: bool,
    /// Who has taken care of it.
    pub acknowledged: Option<Acknowledgement>,
    /// The numbers of the silences that hide it.
    pub silenced_by: Vec<u64>,
    /// The rule of an alert that hides it.
    pub inhibited_by: Option<String>,
    /// Where to read what to do.
    pub runbook: Option<String>,
}

impl Alert {
    /// Returns the name of what happens from the moment at which the alert fires to the moment at which it is resolved. It
    /// stays the same over a restart. `None` if the alert has not fired.
    pub fn incident(&self) -> Option<String> {
        let fired = self.fired_at?.duration_since(SystemTime::UNIX_EPOCH);
        let millis = fired.unwrap_or_default().as_millis();
        Some(format!("{:016x}-{millis}", self.fingerprint))
    }
}

/// A change of an alert's state.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct AlertTransition {
    /// When.
    pub at: SystemTime,
    /// The state before.
    pub from: AlertState,
    /// The state after.
    pub to: AlertState,
    /// Why.
    pub reason: TransitionReason,
    /// The value at that time. `None` if there was none.
    pub value: Option<f64>,
    /// The rule.
    pub rule: String,
    /// The labels of the rule and of the series, sorted by name.
    pub labels: Vec<(String, String)>,
}

/// What a hook for alerts receives: an alert that has changed its state, or that is to be announced, or both.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct AlertEvent {
    /// The alert now.
    pub alert: Alert,
    /// The change of its state. `None` if it has not changed.
    pub transition: Option<AlertTransition>,
    /// Why it is to be announced. `None` if it is not: a pending alert, or one that is silenced, for example.
    pub notification: Option<NotificationReason>,
}

macro_rules! names {
    ($type:ty { $($variant:ident => $name:literal),* $(,)? }) => {
        impl $type {
            /// Returns the name, as it is in log records.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),*
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

impl Severity {
    /// The severity of a name.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        let all = [Self::Info, Self::Warning, Self::Critical];
        all.into_iter().find(|severity| severity.as_str() == name)
    }
}

impl AlertState {
    /// The state of a name.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        let all = [
            Self::Inactive,
            Self::Pending,
            Self::Firing,
            Self::Recovering,
            Self::Resolved,
        ];
        all.into_iter().find(|state| state.as_str() == name)
    }
}

impl TransitionReason {
    /// The reason of a name.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        let all = [
            Self::ConditionMet,
            Self::HeldFor,
            Self::ConditionEnded,
            Self::NotCleared,
            Self::MissingData,
            Self::Stale,
            Self::RuleRemoved,
            Self::Downtime,
        ];
        all.into_iter().find(|reason| reason.as_str() == name)
    }
}

names! { Severity { Info => "info", Warning => "warning", Critical => "critical" } }
names! { AlertState {
    Inactive => "inactive",
    Pending => "pending",
    Firing => "firing",
    Recovering => "recovering",
    Resolved => "resolved",
} }
names! { TransitionReason {
    ConditionMet => "condition_met",
    HeldFor => "held_for",
    ConditionEnded => "condition_ended",
    NotCleared => "not_cleared",
    MissingData => "missing_data",
    Stale => "stale",
    RuleRemoved => "rule_removed",
    Downtime => "downtime",
} }
names! { NotificationReason { First => "first", Repeat => "repeat", Resolved => "resolved" } }
