use serde_json::{Value, json};

use super::http_target::{HttpTarget, judge};
use super::text::{cut, line, link, rfc3339_of};
use super::webhook::object;
use crate::alerts::enabled::alert::Severity;
use crate::alerts::enabled::notify::{
    Channel, DeliveryError, DeliveryFuture, Notification, NotificationCause, NotificationGrouping,
    NotificationStatus, NotifiedAlert,
};
use crate::error::{Error, Result};
use crate::model::Secret;

/// The address of the Events API.
pub(super) const DEFAULT_URL: &str = "https://events.pagerduty.com";
/// The most characters of a summary.
const MAX_SUMMARY: usize = 1024;
/// The most bytes of an event.
const MAX_EVENT: usize = 512_000;
/// The most characters of a key, less those of the fingerprint.
const MAX_SERVICE: usize = 200;

/// PagerDuty, by the Events API v2: an alert triggers an incident, which is acknowledged and resolved with it.
///
/// By default, only critical alerts go to PagerDuty. The key of an incident is the service and the fingerprint of the alert, so
/// several instances of one service share it.
#[derive(Debug)]
pub struct PagerDutyChannel {
    routing_key: Secret,
    target: HttpTarget,
}

impl PagerDutyChannel {
    /// Creates a channel named `pagerduty` from the integration key of a service or of an event orchestration (32 characters),
    /// which is a secret.
    ///
    /// # Errors
    ///
    /// Returns an error unless the key has 32 letters and digits.
    pub fn new(routing_key: &str) -> Result<Self> {
        Self::with(routing_key, DEFAULT_URL, false)
    }

    /// As [`new`](Self::new), with another address of the API, such as `https://events.eu.pagerduty.com`. It may be in a private
    /// network, also without TLS.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and unless `url` is an `http` or `https` URL.
    pub fn internal(routing_key: &str, url: &str) -> Result<Self> {
        Self::with(routing_key, url, true)
    }

    pub(super) fn with(routing_key: &str, url: &str, is_internal: bool) -> Result<Self> {
        let key = routing_key.trim();
        if key.len() != 32 || !key.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(Error::alert(
                "the routing key of PagerDuty has not 32 letters and digits: use the integration key of an Events API v2 integration",
            ));
        }
        let target = HttpTarget::new(url, is_internal);
        let target = target.and_then(|target| target.with_path("/v2/enqueue"));
        let target = target.map_err(|it| Error::alert(&format!("the URL of PagerDuty: {it}")))?;
        Ok(Self {
            routing_key: Secret::new(key),
            target,
        })
    }

    fn event(&self, notification: &Notification, notified: &NotifiedAlert) -> Value {
        let alert = &notified.alert;
        let action = match (notified.status, notification.cause) {
            (NotificationStatus::Resolved, _) => "resolve",
            (NotificationStatus::Firing, NotificationCause::Acknowledged) => "acknowledge",
            (NotificationStatus::Firing, _) => "trigger",
        };
        let service = cut(&line(&notification.service), MAX_SERVICE);
        let key = format!("{service}/{:016x}", alert.fingerprint);
        let mut event = json!({
            "routing_key": self.routing_key.reveal(),
            "event_action": action,
            "dedup_key": key,
        });
        let Some(fields) = event.as_object_mut() else {
            return event;
        };
        if action != "trigger" {
            return event;
        }
        let summary = line(&format!("{}: {}", alert.rule, notified.summary()));
        fields.insert(
            "payload".to_owned(),
            json!({
                "summary": cut(&summary, MAX_SUMMARY),
                "source": service,
                "severity": alert.severity.as_str(),
                "timestamp": rfc3339_of(alert.fired_at.unwrap_or(alert.since)),
                "component": service,
                "group": notification.environment,
                "class": alert.rule,
                "custom_details": {
                    "labels": object(alert.labels.iter()),
                    "annotations": object(alert.annotations.iter()),
                    "value": notified.value_text(),
                    "last_values": notified.sparkline(),
                    "top_routes": notified.top_routes,
                },
            }),
        );
        fields.insert("client".to_owned(), json!("watchpost"));
        if let Some(url) = link(notification.dashboard_url.as_deref()) {
            fields.insert("client_url".to_owned(), json!(url));
        }
        if let Some(url) = link(alert.runbook.as_deref()) {
            let links = json!([{"href": url, "text": "Runbook"}]);
            fields.insert("links".to_owned(), links);
        }
        event
    }
}

impl Channel for PagerDutyChannel {
    fn name(&self) -> &'static str {
        "pagerduty"
    }

    fn supports(&self, severity: Severity) -> bool {
        severity == Severity::Critical
    }

    fn grouping(&self) -> NotificationGrouping {
        NotificationGrouping::EachAlert
    }

    fn sends_acknowledgements(&self) -> bool {
        true
    }

    fn deliver<'a>(&'a self, notification: &'a Notification) -> DeliveryFuture<'a> {
        Box::pin(async move {
            let notified = notification.alerts.first();
            let notified =
                notified.ok_or_else(|| DeliveryError::rejected("there is no alert to send"))?;
            let mut event = self.event(notification, notified);
            let mut body = event.to_string().into_bytes();
            if body.len() > MAX_EVENT {
                if let Some(details) = event.pointer_mut("/payload/custom_details") {
                    *details = json!({"error": "the details are too large for an event"});
                }
                body = event.to_string().into_bytes();
            }
            let response = self.target.post(body, &[]).await?;
            judge(
                "PagerDuty",
                &response,
                |status| status == 202,
                |status| status == 429 || status >= 500,
                "",
            )
        })
    }
}
