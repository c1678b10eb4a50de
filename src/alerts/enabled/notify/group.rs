//! The alerts of a channel that are delivered together.

use std::collections::BTreeMap;
use std::time::Duration;

use super::announcement::AlertAnnouncement;
use super::channel::NotificationGrouping;

/// What the notifications of a channel are made of.
#[derive(Debug, Clone)]
pub(in crate::alerts::enabled) struct OutboxSettings {
    pub(in crate::alerts::enabled) channel: String,
    pub(in crate::alerts::enabled) service: String,
    pub(in crate::alerts::enabled) environment: Option<String>,
    pub(in crate::alerts::enabled) dashboard_url: Option<String>,
    /// How long the first alert of a group waits for others.
    pub(in crate::alerts::enabled) group_wait: Duration,
    /// The least time between two notifications of a group.
    pub(in crate::alerts::enabled) group_interval: Duration,
    pub(in crate::alerts::enabled) grouping: NotificationGrouping,
    pub(in crate::alerts::enabled) sends_acknowledgements: bool,
    pub(in crate::alerts::enabled) resend_every: Option<Duration>,
    /// The time after which a receiver may assume the end.
    pub(in crate::alerts::enabled) valid_for: Duration,
}

/// An alert of a group: its newest state.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct GroupMember {
    pub(super) newest: AlertAnnouncement,
    /// Whether the newest state has still to be delivered.
    pub(super) is_pending: bool,
    /// Whether the receiver has heard of the alert, or may have.
    pub(super) is_known: bool,
    /// The number of the state that is being delivered.
    pub(super) in_flight: Option<u64>,
}

/// Alerts that are delivered together.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct AlertGroup {
    pub(super) members: BTreeMap<u64, GroupMember>,
    /// When it is to be delivered. `None` if nothing has changed.
    pub(super) due: Option<u64>,
    pub(super) flushed: Option<u64>,
    pub(super) attempts: u32,
    pub(super) first_failed: Option<u64>,
    /// The version of the outbox with the last change of this group, and when that was.
    pub(super) changed: (u64, u64),
}
