//! The log record of a transition.

use tracing::callsite::DefaultCallsite;
use tracing::field::Value;
use tracing::metadata::Kind;
use tracing::{Level, Metadata};

use super::alert::{Alert, AlertState, AlertTransition, Severity};
use crate::logs::OwnLog;

/// The target of the records, for the setting `log.level`.
const TARGET: &str = "alerts";
const FIELDS: &[&str] = &[
    "message", "alert", "severity", "from", "to", "reason", "value", "labels",
];

macro_rules! callsite {
    ($callsite:ident, $metadata:ident, $level:expr) => {
        static $callsite: DefaultCallsite = DefaultCallsite::new(&$metadata);
        static $metadata: Metadata<'static> = tracing::metadata! {
            name: "alert",
            target: TARGET,
            level: $level,
            fields: FIELDS,
            callsite: &$callsite,
            kind: Kind::EVENT,
        };
    };
}

callsite!(AT_ERROR, OF_ERROR, Level::ERROR);
callsite!(AT_WARN, OF_WARN, Level::WARN);
callsite!(AT_INFO, OF_INFO, Level::INFO);

/// Writes a log record: at `ERROR` if a critical alert fires, `WARN` if another one does, else at `INFO`.
pub(super) fn log_transition(log: &OwnLog, transition: &AlertTransition, alert: &Alert) {
    let metadata = match (transition.to, alert.severity) {
        (AlertState::Firing, Severity::Critical) => &OF_ERROR,
        (AlertState::Firing, Severity::Warning) => &OF_WARN,
        _ => &OF_INFO,
    };
    let mut message = format!("alert {} is {}", transition.rule, transition.to);
    if let Some(value) = transition.value {
        message.push_str(&format!(": {value}"));
        if !alert.bound.is_empty() {
            message.push_str(&format!(", its limit is {}", alert.bound));
        }
    }
    let labels: Vec<String> = transition
        .labels
        .iter()
        .filter(|(name, _)| !["alertname", "severity"].contains(&name.as_str()))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let labels = labels.join(",");
    let labels: Option<&dyn Value> = if labels.is_empty() {
        None
    } else {
        Some(&labels)
    };
    let value = transition.value;
    let value: Option<&dyn Value> = value.as_ref().map(|value| value as &dyn Value);
    log.push(
        metadata,
        &[
            Some(&message),
            Some(&transition.rule),
            Some(&alert.severity.as_str()),
            Some(&transition.from.as_str()),
            Some(&transition.to.as_str()),
            Some(&transition.reason.as_str()),
            value,
            labels,
        ],
    );
}
