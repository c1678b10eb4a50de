//! The mail of a notification.

use lettre::message::header::{self, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Mailboxes, Message, MultiPart, SinglePart};

use super::html::html_part;
use super::page::MailPage;
use super::text_part::text_part;
use crate::alerts::enabled::alert::Severity;
use crate::alerts::enabled::labels::hash_of;
use crate::alerts::enabled::notify::{Notification, NotificationCause, NotificationStatus, millis};

/// The maximum size of a mail, in bytes.
pub(super) const MAX_SIZE: usize = 100_000;
/// The most alerts that a mail describes. If it is too large, it describes fewer.
const MAX_ALERTS: [usize; 4] = [20, 10, 5, 1];
/// The most incidents that a mail refers to.
const MAX_REFERENCES: usize = 10;

/// A mail, as it is sent.
#[derive(Debug)]
pub(super) struct ComposedMail {
    /// The content of its `Message-ID`.
    pub(super) id: String,
    pub(super) content: Vec<u8>,
}

/// Composes the mail. The same notification results in the same mail, to the last byte.
///
/// # Errors
///
/// Returns why it cannot be composed.
pub(super) fn compose(
    notification: &Notification,
    from: &Mailbox,
    to: &Mailboxes,
) -> Result<ComposedMail, String> {
    let mut smallest = Err("there is nothing to send".to_owned());
    for max_alerts in MAX_ALERTS {
        let mail = compose_with(notification, from, to, max_alerts)?;
        if mail.content.len() <= MAX_SIZE {
            return Ok(mail);
        }
        smallest = Err("the mail is too large".to_owned());
    }
    smallest
}

fn compose_with(
    notification: &Notification,
    from: &Mailbox,
    to: &Mailboxes,
    max_alerts: usize,
) -> Result<ComposedMail, String> {
    let page = MailPage::new(notification, max_alerts);
    let domain = from.email.domain();
    let id = message_id(notification, domain);
    let mut builder = Message::builder()
        .from(from.clone())
        .mailbox(header::To::from(to.clone()))
        .subject(&page.title)
        .date(notification.at)
        .message_id(Some(id.clone()))
        // Answering machines leave such mails alone.
        .raw_header(value("Auto-Submitted", "auto-generated"))
        .raw_header(value("X-Auto-Response-Suppress", "All"));
    let incidents = incidents(notification, domain);
    if let Some(first) = incidents.first() {
        builder = builder
            .in_reply_to(first.clone())
            .references(incidents.join(" "));
    }
    if notification.severity == Severity::Critical
        && notification.status == NotificationStatus::Firing
    {
        builder = builder.raw_header(value("Importance", "high"));
    }
    // No line of a part begins like that: `=` is encoded as `=3D`, and `_` is no digit.
    let boundary = format!("=_{:016x}", hash_of([&*id].into_iter()));
    let parts = MultiPart::alternative()
        .boundary(boundary)
        .singlepart(SinglePart::plain(text_part(&page)))
        .singlepart(SinglePart::html(html_part(&page)));
    let message = builder
        .multipart(parts)
        .map_err(|error| format!("the mail cannot be composed: {error}"))?;
    Ok(ComposedMail {
        id,
        content: message.formatted(),
    })
}

fn value(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

/// The `Message-ID`. Servers may discard a second mail with the same one. The group and the time are added to the
/// key.
fn message_id(notification: &Notification, domain: &str) -> String {
    let at = millis(notification.at).to_string();
    let environment = notification.environment.as_deref().unwrap_or_default();
    let parts = [&*notification.group_key, environment, &at];
    let is_plain = |char: &char| char.is_ascii_alphanumeric() || *char == '-';
    let key: String = notification.id.chars().filter(is_plain).collect();
    format!("<{key}.{:016x}@{domain}>", hash_of(parts.into_iter()))
}

/// An ID for each incident: an alert from when it fires until it ends. A mail of several incidents joins their threads, so that one
/// that goes on after the first has ended stays in the thread.
fn incidents(notification: &Notification, domain: &str) -> Vec<String> {
    if notification.cause == NotificationCause::Test {
        return Vec::new();
    }
    let mut alerts: Vec<_> = notification
        .alerts
        .iter()
        .map(|it| {
            let alert = &it.alert;
            (
                millis(alert.fired_at.unwrap_or(alert.since)),
                alert.fingerprint,
            )
        })
        .collect();
    alerts.sort_unstable();
    alerts.truncate(MAX_REFERENCES);
    let id = |(fired, fingerprint): (u64, u64)| {
        let environment = notification.environment.as_deref().unwrap_or_default();
        let (fired, fingerprint) = (fired.to_string(), fingerprint.to_string());
        let parts = [&*notification.service, environment, &fired, &fingerprint];
        format!("<incident.{:016x}@{domain}>", hash_of(parts.into_iter()))
    };
    alerts.into_iter().map(id).collect()
}
