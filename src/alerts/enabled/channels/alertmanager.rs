use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use super::http_target::{HttpTarget, judge, now_millis};
use super::text::{link, rfc3339_of};
use crate::alerts::enabled::notify::{
    Channel, DeliveryError, DeliveryFuture, Notification, NotificationGrouping, NotificationStatus,
    NotifiedAlert,
};
use crate::error::{Error, Result};

/// How often what fires is sent again.
const RESEND_EVERY: Duration = Duration::from_secs(60);
/// The maximum number of Alertmanagers of a cluster. Each gets all alerts at the same time.
const MAX_PEERS: usize = 16;
/// The label with the name of the service.
const SERVICE: &str = "service_name";

/// A cluster of Alertmanagers, by its API v2. It groups, routes and repeats by its own configuration.
///
/// Everything that changes is sent to all of them. What fires is sent again each minute, so that an Alertmanager that was down
/// gets it too, and what has ended for five minutes. If the service stops, an Alertmanager ends its alerts by itself.
///
/// An alert has the label `service_name` in addition to its own.
#[derive(Debug)]
pub struct AlertmanagerChannel {
    peers: Vec<Arc<HttpTarget>>,
}

impl AlertmanagerChannel {
    /// Creates a channel named `alertmanager` from the URLs of all Alertmanagers of a cluster, such as
    /// `http://alertmanager-0:9093`: 16 at most. They may be in a private network, also without TLS. Never use the address of a
    /// balancer.
    ///
    /// # Errors
    ///
    /// Returns an error without a URL or with more than 16, and unless each is an `http` or `https` URL.
    pub fn new<U: AsRef<str>>(urls: impl IntoIterator<Item = U>) -> Result<Self> {
        let peer = |url: U| {
            let target = HttpTarget::new(url.as_ref(), true);
            let target = target.and_then(|target| target.with_path("/api/v2/alerts"));
            let failed = |it| Error::alert(&format!("the URL of an Alertmanager: {it}"));
            target.map(Arc::new).map_err(failed)
        };
        let peers = urls.into_iter().take(MAX_PEERS + 1).map(peer);
        let peers = peers.collect::<Result<Vec<_>>>()?;
        if peers.is_empty() {
            return Err(Error::alert("there is no URL of an Alertmanager"));
        }
        if peers.len() > MAX_PEERS {
            return Err(Error::alert(
                "there are more than 16 URLs of Alertmanagers: name those of one cluster",
            ));
        }
        Ok(Self { peers })
    }
}

impl Channel for AlertmanagerChannel {
    fn name(&self) -> &'static str {
        "alertmanager"
    }

    fn grouping(&self) -> NotificationGrouping {
        NotificationGrouping::All
    }

    fn resend_every(&self) -> Option<Duration> {
        Some(RESEND_EVERY)
    }

    fn deliver<'a>(&'a self, notification: &'a Notification) -> DeliveryFuture<'a> {
        Box::pin(async move {
            let now = UNIX_EPOCH + Duration::from_millis(now_millis());
            let alerts = notification.alerts.iter();
            let alerts: Vec<_> = alerts.map(|it| alert(notification, it, now)).collect();
            let body = Value::Array(alerts).to_string().into_bytes();
            let sends = self.peers.iter().map(|peer| {
                let (peer, body) = (Arc::clone(peer), body.clone());
                tokio::spawn(async move { send(&peer, body).await })
            });
            // All begin at once.
            let sends: Vec<_> = sends.collect();
            let mut errors = Vec::new();
            let mut is_accepted = false;
            for send in sends {
                match send.await {
                    Ok(Ok(())) => is_accepted = true,
                    Ok(Err(error)) => errors.push(error),
                    Err(_) => errors.push(DeliveryError::retry("the delivery was aborted")),
                }
            }
            if is_accepted {
                // The others get it with the next repetition.
                return Ok(());
            }
            let worth_a_retry = errors.iter().position(|error| !error.is_final());
            let worst = errors.into_iter().nth(worth_a_retry.unwrap_or(0));
            Err(worst.unwrap_or_else(|| DeliveryError::rejected("there is no Alertmanager")))
        })
    }
}

async fn send(peer: &HttpTarget, body: Vec<u8>) -> std::result::Result<(), DeliveryError> {
    let response = peer.post(body, &[]).await?;
    judge(
        &format!("the Alertmanager {}", peer.host()),
        &response,
        |status| (200..300).contains(&status),
        |status| status >= 500,
        "",
    )
}

fn alert(notification: &Notification, notified: &NotifiedAlert, now: SystemTime) -> Value {
    let alert = &notified.alert;
    let starts = alert.fired_at.unwrap_or(alert.since).min(now);
    let ends = match notified.status {
        NotificationStatus::Firing => now + notification.valid_for,
        // Not before the start: that is an error.
        NotificationStatus::Resolved => alert.resolved_at.unwrap_or(now).clamp(starts, now),
    };
    let service = (SERVICE.to_owned(), notification.service.clone());
    let runbook = link(alert.runbook.as_deref());
    let runbook = runbook.map(|url| ("runbook_url".to_owned(), url.to_owned()));
    let value = notified.value_text();
    let value = value.map(|value| ("value".to_owned(), value));
    let routes = notified.top_routes.join("; ");
    let routes = ("top_routes".to_owned(), routes);
    let mut out = json!({
        "labels": named(std::iter::once(&service).chain(&alert.labels)),
        "annotations": named(alert.annotations.iter().chain(&runbook).chain(&value).chain([&routes])),
        "startsAt": rfc3339_of(starts),
        "endsAt": rfc3339_of(ends),
    });
    if let Some(url) = link(notification.dashboard_url.as_deref())
        && let Some(fields) = out.as_object_mut()
    {
        fields.insert("generatorURL".to_owned(), json!(url));
    }
    out
}

/// Pairs with names that every Alertmanager accepts. One without a value is left out, as it has none there either.
fn named<'a>(pairs: impl Iterator<Item = &'a (String, String)>) -> Value {
    let mut all = Map::new();
    for (name, value) in pairs.filter(|(_, value)| !value.is_empty()) {
        let is_plain = |char: char| char.is_ascii_alphanumeric() || char == '_';
        let mut name: String = name
            .chars()
            .map(|char| if is_plain(char) { char } else { '_' })
            .collect();
        if name.is_empty() || name.starts_with(|char: char| char.is_ascii_digit()) {
            name.insert(0, '_');
        }
        all.insert(name, Value::from(value.clone()));
    }
    Value::Object(all)
}
