use std::time::SystemTime;

use super::channel::RefusedRecipients;
use super::notification::NotificationCause;

/// An attempt to deliver a notification, as it is in the delivery log.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Delivery {
    /// When the attempt ended.
    pub at: SystemTime,
    /// The name of the channel.
    pub channel: String,
    /// The id of the notification.
    pub id: String,
    /// The first line of the notification.
    pub title: String,
    /// Why the notification was sent.
    pub cause: NotificationCause,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// What became of it.
    pub outcome: DeliveryOutcome,
    /// The status with which the receiver responded.
    pub code: Option<u16>,
    /// Why it failed.
    pub problem: Option<String>,
    /// When it is tried again.
    pub next_retry: Option<SystemTime>,
}

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeliveryOutcome {
    /// The receiver has accepted the notification.
    Delivered,
    /// It is tried again.
    Retried,
    /// The receiver refused it for good. It is a dead letter.
    Rejected,
    /// It was not delivered for a day. It is a dead letter.
    Expired,
}

/// The state of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChannelStatus {
    /// The name.
    pub name: String,
    /// The announcements for this channel since the start of the process. It is the sum of the figures below.
    pub emitted: u64,
    /// Those that a receiver has accepted.
    pub delivered: u64,
    /// Those that wait.
    pub spooled: u64,
    /// Those that were dropped, by reason: `coalesced` (a newer state of the alert replaced it), `ended` (the alert ended before
    /// anything was delivered), `rejected`, `expired`, `queue_full`.
    pub dropped: Vec<(&'static str, u64)>,
    /// Since when deliveries fail. `None` if the last one succeeded.
    pub failing_since: Option<SystemTime>,
    /// The problem of the last delivery, if it failed.
    pub problem: Option<String>,
    /// The recipients that were refused, such as an address of a list that does not exist.
    pub refused_recipients: RefusedRecipients,
}

impl DeliveryOutcome {
    /// Returns the name, such as `delivered`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retried => "retried",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
        }
    }
}
