//! The times for which conditions held, from the changes of the alerts.

use std::collections::BTreeMap;

use super::super::alert_figures::AlertSpan;
use super::super::severity::CardSeverity;
use super::super::times::millis;
use crate::alerts::{AlertState, AlertTransition};
use crate::dashboard::DashboardCard;

/// An alert in the changes: its rule and its labels.
pub(super) type AlertKey = (String, Vec<(String, String)>);

/// What the changes say.
pub(in crate::dashboard::enabled) struct AlertSpans {
    /// The oldest first.
    pub(in crate::dashboard::enabled) all: Vec<AlertSpan>,
    /// When the condition of each alert that goes on began to hold.
    pub(super) began: BTreeMap<AlertKey, u64>,
}

/// Reads the changes, the oldest first.
pub(in crate::dashboard::enabled) fn spans(
    transitions: &[AlertTransition],
    card_of: impl Fn(&str) -> Option<DashboardCard>,
) -> AlertSpans {
    let mut all: Vec<AlertSpan> = Vec::new();
    let mut began = BTreeMap::new();
    // The number of the span of each alert that goes on.
    let mut open = BTreeMap::<AlertKey, usize>::new();
    for change in transitions {
        let key = (change.rule.clone(), change.labels.clone());
        let at = millis(change.at);
        let is_firing = match change.to {
            AlertState::Pending => Some(false),
            AlertState::Firing | AlertState::Recovering => Some(true),
            _ => None,
        };
        let current = open.get(&key).and_then(|number| all.get_mut(*number));
        // Back from recovering: it has fired all the time.
        if current
            .as_ref()
            .is_some_and(|span| Some(span.is_firing) == is_firing)
        {
            continue;
        }
        if let Some(span) = current {
            span.to = Some(at);
        }
        open.remove(&key);
        let Some(is_firing) = is_firing else {
            began.remove(&key);
            continue;
        };
        began.entry(key.clone()).or_insert(at);
        open.insert(key, all.len());
        all.push(AlertSpan {
            card: card_of(&change.rule),
            severity: severity_of(&change.labels),
            rule: change.rule.clone(),
            is_firing,
            from: at,
            to: None,
        });
    }
    AlertSpans { all, began }
}

/// The severity in the labels of an alert; `None` if it colours nothing.
fn severity_of(labels: &[(String, String)]) -> Option<CardSeverity> {
    let found = labels.iter().find(|(name, _)| name == "severity");
    match found.map(|(_, value)| value.as_str()) {
        Some("critical") => Some(CardSeverity::Critical),
        Some("warning") => Some(CardSeverity::Warning),
        _ => None,
    }
}
