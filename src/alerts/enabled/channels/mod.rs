//! The channels of this crate, and those that the settings name.

mod alertmanager;
mod configured;
mod email;
mod http_target;
mod pagerduty;
mod slack;
mod text;
mod webhook;

pub use self::alertmanager::AlertmanagerChannel;
#[cfg(feature = "email")]
pub use self::email::{EmailChannel, SmtpServer};
pub use self::pagerduty::PagerDutyChannel;
pub use self::slack::SlackChannel;
pub use self::webhook::WebhookChannel;

pub(super) use self::configured::add_configured;
pub(super) use self::http_target::HttpTarget;
