mod active_alert;
mod alert;
mod backtest;
mod bound;
mod channels;
mod codec;
mod default_rules;
mod engine;
mod enrich;
mod evaluate;
mod export;
mod handle;
mod heartbeat;
mod job;
mod labels;
mod lag;
mod log;
mod notification_pace;
mod notify;
mod outgoing;
mod phase;
mod requests;
mod rule;
#[cfg(feature = "dashboard")]
mod rule_facts;
mod rule_file;
mod rule_list;
mod rule_time;
mod saved;
mod silence;
mod slo;
mod store;
mod watched_file;

pub use self::alert::{
    Acknowledgement, Alert, AlertEvent, AlertState, AlertTransition, NotificationReason, Severity,
    TransitionReason,
};
pub use self::bound::Bound;
pub use self::channels::{AlertmanagerChannel, PagerDutyChannel, SlackChannel, WebhookChannel};
#[cfg(feature = "email")]
pub use self::channels::{EmailChannel, SmtpServer};
pub use self::export::PrometheusRules;
pub use self::handle::Alerts;
pub use self::job::Job;
pub use self::notify::{
    AlertRoute, Channel, ChannelStatus, Delivery, DeliveryError, DeliveryFuture, DeliveryOutcome,
    Notification, NotificationCause, NotificationGrouping, NotificationStatus, NotifiedAlert,
    RefusedRecipients,
};
pub use self::phase::MissingData;
pub use self::rule::Rule;
pub use self::silence::{Inhibition, LabelMatcher, Silence};
pub use self::slo::SloStatus;

pub(crate) use self::handle::{AlertFigures, AlertsSetup};
#[cfg(feature = "dashboard")]
pub(crate) use self::rule_facts::RuleSubject;
