//! The channels that the settings name.

use std::sync::Arc;

use super::alertmanager::AlertmanagerChannel;
use super::email::add_email;
use super::pagerduty::{DEFAULT_URL, PagerDutyChannel};
use super::slack::SlackChannel;
use super::webhook::WebhookChannel;
use crate::alerts::AlertsConfig;
use crate::alerts::enabled::notify::{Channel, Notifier};
use crate::error::Result;
use crate::model::Diagnostics;

/// Adds the channels of the settings. One that cannot be used is reported, and does not keep the service from starting.
pub(in crate::alerts::enabled) fn add_configured(
    notifier: &Notifier,
    config: &AlertsConfig,
    diagnostics: &Diagnostics,
) {
    let is_internal = config.internal_receivers;
    let add = |setting: &str, channel: Result<Arc<dyn Channel>>| {
        let added = channel.and_then(|channel| notifier.add(channel, true));
        if let Err(error) = added {
            diagnostics.report(format!("`{setting}` is not used: {error}"));
        }
    };
    if let Some(url) = &config.slack_webhook_url {
        let channel = SlackChannel::with(url.reveal(), is_internal);
        add(
            "alerts.slack_webhook_url",
            channel.map(|it| Arc::new(it) as _),
        );
    }
    add_email(config, diagnostics, add);
    if let Some(key) = &config.pagerduty_routing_key {
        let url = config.pagerduty_url.as_ref().map(ToString::to_string);
        let url = url.as_deref().unwrap_or(DEFAULT_URL);
        let channel = PagerDutyChannel::with(key.reveal(), url, is_internal);
        add(
            "alerts.pagerduty_routing_key",
            channel.map(|it| Arc::new(it) as _),
        );
    }
    if config.pagerduty_service_id.is_some() {
        diagnostics.report(
            "`PAGERDUTY_SERVICE_ID` has no effect: the routing key decides which service of PagerDuty gets the alerts",
        );
    }
    if let Some(url) = &config.webhook_url {
        let channel = WebhookChannel::with("webhook".to_owned(), url.reveal(), is_internal);
        let channel = channel.map(|channel| match &config.webhook_secret {
            Some(secret) => channel.secret(secret.reveal()),
            None => channel,
        });
        add("alerts.webhook_url", channel.map(|it| Arc::new(it) as _));
    }
    if !config.alertmanager_urls.is_empty() {
        let channel = AlertmanagerChannel::new(&config.alertmanager_urls);
        add(
            "alerts.alertmanager_urls",
            channel.map(|it| Arc::new(it) as _),
        );
    }
}
