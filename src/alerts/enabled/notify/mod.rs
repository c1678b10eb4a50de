//! Notifications: which alerts go to which channels, in which groups, and what each channel has still to deliver.

mod announcement;
mod channel;
mod channel_state;
mod compose;
mod delivery;
mod group;
mod notification;
mod notifier;
mod outbox;
mod outbox_counts;
mod outbox_store;
mod retry;
mod route;
mod running_job;
mod stored;
#[cfg(test)]
mod tests;

pub use self::channel::{
    Channel, DeliveryError, DeliveryFuture, NotificationGrouping, RefusedRecipients,
};
pub use self::delivery::{ChannelStatus, Delivery, DeliveryOutcome};
pub use self::notification::{Notification, NotificationCause, NotificationStatus, NotifiedAlert};
pub use self::route::AlertRoute;

pub(super) use self::announcement::{AlertAnnouncement, AnnouncementKind};
pub(super) use self::notification::millis;
pub(super) use self::notifier::{Notifier, NotifierSetup};
pub(super) use self::stored::{put_announcement, take_announcement};
