//! A notification of the alerts of a group.

use std::cmp::Reverse;
use std::time::{Duration, UNIX_EPOCH};

use super::announcement::AnnouncementKind;
use super::channel::NotificationGrouping;
use super::group::{AlertGroup, GroupMember, OutboxSettings};
use super::notification::{Notification, NotificationCause, NotificationStatus};
use crate::alerts::enabled::alert::Severity;
use crate::alerts::enabled::labels::hash_of;

/// The maximum number of alerts in one notification.
const MAX_ALERTS: usize = 1000;

#[derive(Clone, Copy)]
pub(super) struct GroupView<'a> {
    pub(super) key: &'a str,
    pub(super) group: &'a AlertGroup,
    /// Whether all alerts of the group are sent again.
    pub(super) is_resend: bool,
}

/// Returns the notification: all alerts that fire, and those whose end has still to be delivered. `None` without any. The
/// same states result in the same notification, whenever it is composed.
pub(super) fn compose(settings: &OutboxSettings, view: GroupView<'_>) -> Option<Notification> {
    let GroupView {
        key,
        group,
        is_resend,
    } = view;
    let is_end = |member: &GroupMember| member.newest.kind == AnnouncementKind::Resolved;
    let mut members: Vec<&GroupMember> = group
        .members
        .values()
        .filter(|member| is_resend || member.is_pending || !is_end(member))
        .collect();
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
    let pending = || members.iter().filter(|member| member.is_pending);
    let newest = pending().map(|member| member.newest.number).max();
    let numbers = pending().map(|member| format!("{:x}", member.newest.number));
    let parts: Vec<String> = [settings.channel.clone(), key.to_owned()]
        .into_iter()
        .chain(numbers)
        .collect();
    let at = members.iter().map(|member| member.newest.at).max();
    let severity = members.iter().map(|it| it.newest.alert.alert.severity);
    let severity = severity.max().unwrap_or(Severity::Info);
    let is_over = members.iter().all(|member| is_end(member));
    let cause = cause(&members, is_over);
    let truncated = members.len().saturating_sub(MAX_ALERTS);
    // What is new comes first, and the order is always the same.
    members.sort_by_key(|member| {
        let alert = &member.newest.alert.alert;
        (
            Reverse(member.is_pending),
            is_end(member),
            Reverse(alert.severity),
            alert.fingerprint,
        )
    });
    members.truncate(MAX_ALERTS);
    let alerts = members.iter().map(|member| {
        let mut alert = member.newest.alert.clone();
        alert.is_new = member.is_pending;
        alert
    });
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
        alerts: alerts.collect(),
        truncated: truncated as u64,
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
