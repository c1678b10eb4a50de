//! A notification of the alerts of a group.

use std::cmp::Reverse;
use std::time::{Duration, UNIX_EPOCH};

use super::announcement::AnnouncementKind;
use super::channel::NotificationGrouping;
use super::group::{AlertGroup, GroupMember, OutboxSettings, StoreGate};
use super::notification::{Notification, NotificationCause, NotificationStatus};
use crate::alerts::enabled::alert::Severity;
use crate::alerts::enabled::labels::hash_of;

/// The maximum number of alerts in one notification.
pub(super) const MAX_ALERTS: usize = 1000;

#[derive(Clone, Copy)]
pub(super) struct GroupView<'a> {
    pub(super) key: &'a str,
    pub(super) group: &'a AlertGroup,
    pub(super) part: GroupPart,
}

/// What a notification says of a group.
#[derive(Debug, Clone, Copy)]
pub(super) enum GroupPart {
    /// The states that have still to be delivered, and what else fires.
    New(StoreGate),
    /// Everything that the receiver knows. It is the notification of this number, from 0.
    Again(usize),
}

/// Returns the notification. `None` without any alert. The same states result in the same notification, whenever it is composed.
pub(super) fn compose(settings: &OutboxSettings, view: GroupView<'_>) -> Option<Notification> {
    let GroupView { key, group, part } = view;
    let is_part = |member: &&GroupMember| match part {
        GroupPart::New(gate) if member.is_pending => gate.admits(member),
        GroupPart::New(_) => member.is_told() && !member.is_end(),
        GroupPart::Again(_) => member.is_told(),
    };
    let mut members: Vec<&GroupMember> = group.members.values().filter(is_part).collect();
    let total = members.len();
    let mut all = group.members.values();
    let is_over = all.all(|member| member.is_end() || !(member.is_pending || member.is_told()));
    // What is new comes first, and the order is always the same.
    members.sort_by_key(|member| {
        let alert = &member.newest.alert.alert;
        (
            Reverse(member.is_pending),
            member.is_end(),
            Reverse(alert.severity),
            alert.fingerprint,
        )
    });
    if let GroupPart::Again(page) = part {
        members.drain(..total.min(page * MAX_ALERTS));
    }
    members.truncate(MAX_ALERTS);
    let first = members.first()?;
    let group_labels = match settings.grouping {
        NotificationGrouping::ByRule => {
            vec![(
                "alertname".to_owned(),
                first.newest.alert.alert.rule.clone(),
            )]
        }
        NotificationGrouping::EachAlert => first.newest.alert.alert.labels.clone(),
        NotificationGrouping::All => Vec::new(),
    };
    let named = || {
        let members = members.iter();
        members.filter(|member| member.is_pending || matches!(part, GroupPart::Again(_)))
    };
    let newest = named().map(|member| member.newest.number).max();
    let mut numbers: Vec<_> = named().collect();
    numbers.sort_by_key(|member| member.newest.alert.alert.fingerprint);
    let numbers = numbers.iter();
    let numbers = numbers.map(|member| format!("{:x}", member.newest.number));
    // Numbers are times, which two services may share.
    let sender = [
        settings.service.clone(),
        settings.environment.clone().unwrap_or_default(),
        settings.channel.clone(),
        key.to_owned(),
    ];
    let parts: Vec<String> = sender.into_iter().chain(numbers).collect();
    let at = members.iter().map(|member| member.newest.at).max();
    let severity = members.iter().map(|it| it.newest.alert.alert.severity);
    let severity = severity.max().unwrap_or(Severity::Info);
    let cause = cause(&members, is_over);
    let alerts: Vec<_> = members
        .iter()
        .map(|member| {
            let mut alert = member.newest.alert.clone();
            alert.is_new = member.is_pending;
            alert
        })
        .collect();
    Some(Notification {
        id: format!(
            "{:016x}-{:x}",
            hash_of(parts.iter().map(String::as_str)),
            newest.unwrap_or(0)
        ),
        group_key: format!("{}/{key}", settings.service),
        group_labels,
        status: if is_over {
            NotificationStatus::Resolved
        } else {
            NotificationStatus::Firing
        },
        cause,
        severity,
        truncated: total.saturating_sub(alerts.len()) as u64,
        alerts,
        service: settings.service.clone(),
        environment: settings.environment.clone(),
        at: UNIX_EPOCH + Duration::from_millis(at.unwrap_or(0)),
        valid_for: settings.valid_for,
        dashboard_url: settings.dashboard_url.clone(),
    })
}

fn cause(members: &[&GroupMember], is_over: bool) -> NotificationCause {
    let has = |kind| {
        let mut pending = members.iter().filter(|member| member.is_pending);
        pending.any(|member| member.newest.kind == kind)
    };
    let is_told = |member: &&&GroupMember| member.is_known && !member.is_pending;
    if is_over {
        NotificationCause::AllResolved
    } else if has(AnnouncementKind::First) {
        if members.iter().any(|member| is_told(&member)) {
            NotificationCause::NewAlert
        } else {
            NotificationCause::First
        }
    } else if has(AnnouncementKind::Resolved) {
        NotificationCause::SomeResolved
    } else if has(AnnouncementKind::Acknowledged) {
        NotificationCause::Acknowledged
    } else {
        NotificationCause::Repeat
    }
}
