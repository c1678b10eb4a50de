//! What receives notifications.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use super::notification::Notification;
use crate::alerts::enabled::alert::Severity;
use crate::model::{catch_panic, unsuppressed};

/// The limits of the time between two repetitions.
const MIN_RESEND: Duration = Duration::from_secs(1);
const MAX_RESEND: Duration = Duration::from_secs(86_400);

/// The future of a delivery.
pub type DeliveryFuture<'a> = Pin<Box<dyn Future<Output = Result<(), DeliveryError>> + Send + 'a>>;

/// Which alerts one notification has together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
#[non_exhaustive]
pub enum NotificationGrouping {
    /// Those of one rule.
    #[default]
    ByRule,
    /// One alert.
    EachAlert,
    /// All of the channel.
    All,
}

/// Receives notifications of alerts, such as a chat.
///
/// Each channel has a queue of its own, in the data directory if there is one. After a failure or a
/// restart, the same notification is delivered again, with the same [`id`](Notification::id).
///
/// The future runs on a thread of the monitor, which it may block. It is dropped after 30 seconds, or when the monitor is shut
/// down. A panic counts as a failure that is retried. [`refused_recipients`](Self::refused_recipients) is called after each
/// delivery, on the same thread. All other methods are called once, when the channel is added.
///
/// ```
/// use watchpost::alerts::{Channel, DeliveryError, DeliveryFuture, Notification};
///
/// struct Pager;
///
/// impl Channel for Pager {
///     fn name(&self) -> &str {
///         "pager"
///     }
///
///     fn deliver<'a>(&'a self, notification: &'a Notification) -> DeliveryFuture<'a> {
///         Box::pin(async move {
///             println!("{}", notification.title());
///             Err(DeliveryError::retry("the line is busy"))
///         })
///     }
/// }
///
/// # fn main() -> watchpost::Result<()> {
/// # let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
/// monitor.alerts().add_channel(Pager)?;
/// # Ok(())
/// # }
/// ```
pub trait Channel: Send + Sync + 'static {
    /// The name: up to 40 characters from a-z, 0-9, `-` and `_`. It names the file in the data directory, so it has to stay the
    /// same.
    fn name(&self) -> &str;

    /// Whether alerts of a severity go to this channel if no [route](super::AlertRoute) is set. Default: warning and critical.
    fn supports(&self, severity: Severity) -> bool {
        severity >= Severity::Warning
    }

    /// Which alerts one notification has together. Default: those of one rule.
    fn grouping(&self) -> NotificationGrouping {
        NotificationGrouping::ByRule
    }

    /// Whether the channel is also notified that someone has acknowledged an alert. Default: `false`.
    fn sends_acknowledgements(&self) -> bool {
        false
    }

    /// How often what fires is delivered again, from each second to each day, for a receiver that otherwise assumes its end.
    /// Default: `None`.
    fn resend_every(&self) -> Option<Duration> {
        None
    }

    /// The recipients that were refused since the start of the process. It is called after each attempt to deliver, and the state
    /// of the channel shows the last answer. Default: none.
    fn refused_recipients(&self) -> RefusedRecipients {
        RefusedRecipients::default()
    }

    /// Delivers a notification.
    fn deliver<'a>(&'a self, notification: &'a Notification) -> DeliveryFuture<'a>;
}

/// What a channel says of itself. It is asked once, so that no code of the host runs while announcements are handed over.
#[derive(Debug, Clone)]
pub(super) struct ChannelFacts {
    pub(super) name: String,
    /// The severities that go to it without routes.
    supported: Vec<Severity>,
    pub(super) grouping: NotificationGrouping,
    pub(super) sends_acknowledgements: bool,
    pub(super) resend_every: Option<Duration>,
}

impl ChannelFacts {
    /// Asks a channel. `None` if it panicked.
    pub(super) fn of(channel: &dyn Channel) -> Option<Self> {
        let severities = [Severity::Info, Severity::Warning, Severity::Critical];
        let ask = || Self {
            name: channel.name().to_owned(),
            supported: severities
                .into_iter()
                .filter(|severity| channel.supports(*severity))
                .collect(),
            grouping: channel.grouping(),
            sends_acknowledgements: channel.sends_acknowledgements(),
            resend_every: channel.resend_every(),
        };
        let mut facts = catch_panic(|| unsuppressed(ask))?;
        facts.resend_every = facts
            .resend_every
            .map(|every| every.clamp(MIN_RESEND, MAX_RESEND));
        Some(facts)
    }

    pub(super) fn supports(&self, severity: Severity) -> bool {
        self.supported.contains(&severity)
    }
}

/// The recipients of a channel that did not get a notification, since the start of the process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefusedRecipients {
    /// How many. A recipient counts once for each notification.
    pub count: u64,
    /// Why the last one was refused.
    pub last: Option<String>,
}

impl RefusedRecipients {
    /// Adds some, and why the last one was refused.
    pub fn add(&mut self, count: u64, why: impl Into<String>) {
        self.count = self.count.saturating_add(count);
        self.last = Some(why.into());
    }
}

/// Why a notification was not delivered. Its text is shown to the operators, so it must have no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryError {
    pub(in crate::alerts::enabled) is_final: bool,
    /// Whether the receiver may have processed the notification.
    pub(in crate::alerts::enabled) is_uncertain: bool,
    /// Whether some recipients have accepted the notification, so that only the others wait: the receiver works.
    pub(in crate::alerts::enabled) is_partial: bool,
    pub(in crate::alerts::enabled) retry_after: Option<Duration>,
    pub(in crate::alerts::enabled) code: Option<u16>,
    pub(in crate::alerts::enabled) text: String,
}

impl DeliveryError {
    /// The delivery is to be tried again: after 1 s, 2 s, 4 s, up to five minutes, each longer or shorter by up to a half, for
    /// a day.
    pub fn retry(why: impl Into<String>) -> Self {
        Self {
            is_final: false,
            is_uncertain: true,
            is_partial: false,
            retry_after: None,
            code: None,
            text: why.into(),
        }
    }

    /// The receiver refuses this notification, and would do so again. It becomes a dead letter.
    pub fn rejected(why: impl Into<String>) -> Self {
        Self {
            is_final: true,
            is_uncertain: false,
            ..Self::retry(why)
        }
    }

    /// Sets how long the receiver asks to wait. At most an hour.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Sets the status with which the receiver responded. With it, the receiver is known not to have accepted the notification.
    #[must_use]
    pub fn code(mut self, code: u16) -> Self {
        self.code = Some(code);
        self.is_uncertain = false;
        self
    }

    /// Whether the notification is not delivered again.
    pub fn is_final(&self) -> bool {
        self.is_final
    }
}

impl fmt::Display for DeliveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for DeliveryError {}
