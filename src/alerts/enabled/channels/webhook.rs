use ring::hmac;
use serde_json::{Map, Value, json};

use super::http_target::{HttpTarget, judge, now_millis};
use super::text::rfc3339_of;
use crate::alerts::enabled::alert::Severity;
use crate::alerts::enabled::notify::{
    Channel, DeliveryFuture, Notification, NotificationStatus, NotifiedAlert,
};
use crate::error::{Error, Result};

/// A receiver of your own, by HTTP. The body has the form of Alertmanager's webhook, version 4.
///
/// Requests have these headers:
///
/// | header | |
/// |---|---|
/// | `Idempotency-Key` | the [`id`](Notification::id) of the notification: the same each time that it is sent |
/// | `X-Watchpost-Signature` | with a secret: `t=<seconds since 1970>,v1=<hex>`, where `<hex>` is the HMAC-SHA256 of the seconds, a dot and the body |
///
/// A receiver should refuse signatures that are older than some minutes, and ids that it has processed.
///
/// By default, only critical alerts go to a webhook. An [`AlertRoute`](crate::alerts::AlertRoute) sends others too.
#[derive(Debug)]
pub struct WebhookChannel {
    name: String,
    target: HttpTarget,
    key: Option<hmac::Key>,
}

impl WebhookChannel {
    /// Creates a channel from its name and a URL.
    ///
    /// # Errors
    ///
    /// Returns an error unless it is an `https` URL.
    pub fn new(name: impl Into<String>, url: &str) -> Result<Self> {
        Self::with(name.into(), url, false)
    }

    /// As [`new`](Self::new), for a receiver that may be in a private network, also without TLS.
    ///
    /// # Errors
    ///
    /// Returns an error unless it is an `http` or `https` URL.
    pub fn internal(name: impl Into<String>, url: &str) -> Result<Self> {
        Self::with(name.into(), url, true)
    }

    pub(super) fn with(name: String, url: &str, is_internal: bool) -> Result<Self> {
        let target = HttpTarget::new(url, is_internal);
        let target = target.map_err(|it| Error::alert(&format!("the URL of the webhook: {it}")))?;
        Ok(Self {
            name,
            target,
            key: None,
        })
    }

    /// Signs the requests with this secret. Default: they are not signed.
    #[must_use]
    pub fn secret(mut self, secret: impl AsRef<[u8]>) -> Self {
        self.key = Some(hmac::Key::new(hmac::HMAC_SHA256, secret.as_ref()));
        self
    }
}

impl Channel for WebhookChannel {
    fn name(&self) -> &str {
        &self.name
    }

    fn supports(&self, severity: Severity) -> bool {
        severity == Severity::Critical
    }

    fn deliver<'a>(&'a self, notification: &'a Notification) -> DeliveryFuture<'a> {
        Box::pin(async move {
            let body = payload(&self.name, notification).to_string().into_bytes();
            let mut headers = vec![("idempotency-key", notification.id.clone())];
            if let Some(key) = &self.key {
                headers.push((
                    "x-watchpost-signature",
                    signature(key, now_millis() / 1000, &body),
                ));
            }
            let response = self.target.post(body, &headers).await?;
            judge(
                "the webhook",
                &response,
                |status| (200..300).contains(&status),
                |status| status == 408 || status == 429 || status >= 500,
                "",
            )
        })
    }
}

fn signature(key: &hmac::Key, seconds: u64, body: &[u8]) -> String {
    let mut context = hmac::Context::with_key(key);
    context.update(format!("{seconds}.").as_bytes());
    context.update(body);
    let tag = context.sign();
    let hex: String = tag
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("t={seconds},v1={hex}")
}

/// The body, as Alertmanager writes it, with what it does not have: values, limits and routes.
fn payload(receiver: &str, notification: &Notification) -> Value {
    let alerts = || notification.alerts.iter();
    json!({
        "version": "4",
        "groupKey": notification.group_key,
        "truncatedAlerts": notification.truncated,
        "status": notification.status.as_str(),
        "receiver": receiver,
        "notification_reason": notification.cause.as_str(),
        "groupLabels": object(notification.group_labels.iter()),
        "commonLabels": common(alerts().map(|it| &*it.alert.labels)),
        "commonAnnotations": common(alerts().map(|it| &*it.alert.annotations)),
        "externalURL": notification.dashboard_url.as_deref().unwrap_or_default(),
        "alerts": alerts().map(|it| alert(notification, it)).collect::<Vec<_>>(),
        "id": notification.id,
        "service": notification.service,
        "environment": notification.environment,
    })
}

fn alert(notification: &Notification, notified: &NotifiedAlert) -> Value {
    let alert = &notified.alert;
    let ends = match notified.status {
        NotificationStatus::Firing => None,
        NotificationStatus::Resolved => alert.resolved_at,
    };
    json!({
        "status": notified.status.as_str(),
        "labels": object(alert.labels.iter()),
        "annotations": object(alert.annotations.iter()),
        "startsAt": rfc3339_of(alert.fired_at.unwrap_or(alert.since)),
        // As Alertmanager writes that there is none.
        "endsAt": ends.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), rfc3339_of),
        "generatorURL": notification.dashboard_url.as_deref().unwrap_or_default(),
        "fingerprint": format!("{:016x}", alert.fingerprint),
        "value": alert.value,
        "bound": alert.bound,
        "runbook": alert.runbook,
        "topRoutes": notified.top_routes,
        "values": notified.values,
    })
}

pub(super) fn object<'a>(pairs: impl Iterator<Item = &'a (String, String)>) -> Value {
    let pair = |(name, value): &(String, String)| (name.clone(), Value::from(value.clone()));
    Value::Object(pairs.map(pair).collect::<Map<_, _>>())
}

/// The pairs that all have in common.
fn common<'a>(mut all: impl Iterator<Item = &'a [(String, String)]>) -> Value {
    let mut common: Vec<&(String, String)> = all.next().into_iter().flatten().collect();
    for pairs in all {
        common.retain(|pair| pairs.contains(pair));
    }
    object(common.into_iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_hmac_of_time_and_body() {
        // By `printf '1700000000.{}' | openssl dgst -sha256 -hmac hush`.
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"hush");
        let known = include_str!("signature.txt").trim();
        assert_eq!(
            signature(&key, 1_700_000_000, b"{}"),
            format!("t=1700000000,v1={known}")
        );
    }
}
