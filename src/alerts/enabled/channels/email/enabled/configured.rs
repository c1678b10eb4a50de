//! The channel that the settings describe.

use std::sync::Arc;

use super::channel::EmailChannel;
use super::smtp_config::SmtpConfig;
use crate::alerts::AlertsConfig;
use crate::alerts::enabled::notify::Channel;
use crate::error::{Error, Result};
use crate::model::Diagnostics;

const SETTING: &str = "alerts.smtp_config";

/// Adds the channel, if there is a mail server.
pub(in crate::alerts::enabled::channels) fn add_email(
    config: &AlertsConfig,
    diagnostics: &Diagnostics,
    add: impl FnOnce(&str, Result<Arc<dyn Channel>>),
) {
    let Some(text) = &config.smtp_config else {
        return;
    };
    let parsed = SmtpConfig::parse(text.reveal());
    let parsed = parsed.map_err(|what| Error::alert(&format!("the mail server: {what}")));
    let channel = parsed.and_then(|mut parsed| {
        for notice in std::mem::take(&mut parsed.notices) {
            diagnostics.report(format!("`{SETTING}`: {notice}"));
        }
        parsed.server.is_internal |= config.internal_receivers;
        if config.email_from.is_some() {
            parsed.from.clone_from(&config.email_from);
        }
        if !config.email_to.is_empty() {
            parsed.to.clone_from(&config.email_to);
        }
        EmailChannel::of_config(parsed)
    });
    add(SETTING, channel.map(|it| Arc::new(it) as _));
}
