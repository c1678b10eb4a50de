use serde_json::{Value, json};

use super::http_target::{HttpTarget, judge};
use super::text::{cut, line, link};
use crate::alerts::enabled::notify::{
    Channel, DeliveryError, DeliveryFuture, Notification, NotificationStatus, NotifiedAlert,
};
use crate::error::{Error, Result};

/// Slack's limits, in characters.
const MAX_HEADER: usize = 150;
const MAX_SECTION: usize = 3000;
const MAX_FIELD: usize = 2000;
const MAX_FALLBACK: usize = 3000;
/// The alerts that a message describes. Slack shows at most 50 blocks.
const MAX_ALERTS: usize = 10;

/// A Slack channel, by an incoming webhook. Other services that take the same messages work too.
///
/// ```
/// # fn main() -> watchpost::Result<()> {
/// # let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
/// use watchpost::alerts::SlackChannel;
///
/// let url = "https://hooks.slack.com/services/T000/B000/XXXX";
/// monitor.alerts().add_channel(SlackChannel::new(url)?)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SlackChannel {
    target: HttpTarget,
}

impl SlackChannel {
    /// Creates a channel named `slack` from the URL of the webhook, which is a secret.
    ///
    /// # Errors
    ///
    /// Returns an error unless it is an `https` URL.
    pub fn new(webhook_url: &str) -> Result<Self> {
        Self::with(webhook_url, false)
    }

    /// As [`new`](Self::new), for a receiver that may be in a private network, also without TLS.
    ///
    /// # Errors
    ///
    /// Returns an error unless it is an `http` or `https` URL.
    pub fn internal(webhook_url: &str) -> Result<Self> {
        Self::with(webhook_url, true)
    }

    pub(super) fn with(url: &str, is_internal: bool) -> Result<Self> {
        let target = HttpTarget::new(url, is_internal);
        let target = target.map_err(|what| Error::alert(&format!("the URL of Slack: {what}")))?;
        Ok(Self { target })
    }
}

impl Channel for SlackChannel {
    fn name(&self) -> &'static str {
        "slack"
    }

    fn deliver<'a>(&'a self, notification: &'a Notification) -> DeliveryFuture<'a> {
        Box::pin(async move {
            let body = message(notification).to_string().into_bytes();
            let response = self.target.post(body, &[]).await?;
            // The body is a word, such as `invalid_payload`.
            let word = std::str::from_utf8(&response.body)
                .unwrap_or_default()
                .trim();
            let is_word = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
            let is_plain = word.len() <= 60 && word.bytes().all(is_word);
            let detail = if is_plain { word } else { "" };
            if response.status.as_u16() == 200 && !response.complete {
                // What is missing says whether the message was accepted.
                return Err(DeliveryError::retry(
                    "the response of Slack broke off before its end",
                ));
            }
            if response.status.as_u16() == 200 && word != "ok" {
                let text = format!("Slack responded with another text than `ok` ({detail})");
                return Err(DeliveryError::rejected(text).code(200));
            }
            judge(
                "Slack",
                &response,
                |status| status == 200,
                |status| status == 429 || status >= 500,
                detail,
            )
        })
    }
}

/// The message, with Block Kit.
fn message(notification: &Notification) -> Value {
    let title = line(&notification.title());
    let mut blocks = vec![json!({
        "type": "header",
        "text": {"type": "plain_text", "text": cut(&title, MAX_HEADER), "emoji": false},
    })];
    let described = notification.alerts.iter().take(MAX_ALERTS);
    blocks.extend(described.map(section));
    let more = notification.alerts.len().saturating_sub(MAX_ALERTS) as u64 + notification.truncated;
    if more > 0 {
        blocks.push(context(&format!("and {more} more alerts")));
    }
    let mut links = Vec::new();
    if let Some(url) = link(notification.dashboard_url.as_deref()) {
        links.push(format!("<{}|Dashboard>", escape(url, MAX_FIELD)));
    }
    let first = notification.alerts.first();
    if let Some(url) = first.and_then(|it| link(it.alert.runbook.as_deref())) {
        links.push(format!("<{}|Runbook>", escape(url, MAX_FIELD)));
    }
    if let Some(environment) = &notification.environment {
        links.push(escape(&line(environment), 100));
    }
    if !links.is_empty() {
        blocks.push(context(&links.join(" · ")));
    }
    let summary = first.map_or("", NotifiedAlert::summary);
    json!({
        "text": escape(&line(&format!("{title}: {summary}")), MAX_FALLBACK),
        "blocks": blocks,
    })
}

fn context(text: &str) -> Value {
    json!({
        "type": "context",
        "elements": [{"type": "mrkdwn", "text": text, "verbatim": true}],
    })
}

fn section(notified: &NotifiedAlert) -> Value {
    let alert = &notified.alert;
    let mut text = format!("*{}*", escape(&line(notified.summary()), 1000));
    let labels = alert.labels.iter();
    let labels = labels.filter(|(name, _)| name != "alertname" && name != "severity");
    let labels: Vec<_> = labels
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    if !labels.is_empty() {
        text.push('\n');
        text.push_str(&escape(&line(&labels.join(", ")), 1000));
    }
    let sparkline = notified.sparkline();
    if !sparkline.is_empty() {
        text.push_str(&format!("\n`{sparkline}`"));
    }
    let since = match notified.status {
        NotificationStatus::Firing => "Since",
        NotificationStatus::Resolved => "Was firing since",
    };
    let mut fields = vec![
        ("Severity", alert.severity.to_string()),
        (since, notified.since_text()),
    ];
    if let Some(value) = notified.value_text() {
        fields.push(("Value", value));
    }
    if let Some(by) = &alert.acknowledged {
        fields.push(("Acknowledged by", format!("{} {}", by.by, by.comment)));
    }
    if !notified.top_routes.is_empty() {
        fields.push(("Top routes", notified.top_routes.join("; ")));
    }
    let field = |(name, value): (&str, String)| {
        let value = escape(&line(&value), MAX_FIELD - 100);
        json!({"type": "mrkdwn", "text": format!("*{name}*\n{value}"), "verbatim": true})
    };
    json!({
        "type": "section",
        "text": {"type": "mrkdwn", "text": cut(&text, MAX_SECTION), "verbatim": true},
        "fields": fields.into_iter().map(field).collect::<Vec<_>>(),
    })
}

/// Escapes a text, so that it mentions nobody and is no link, in at most this number of characters. No escape is cut.
fn escape(text: &str, max: usize) -> String {
    let mut out = String::with_capacity(text.len());
    let mut count = 0;
    for char in text.chars() {
        let escaped = match char {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            _ => "",
        };
        let length = escaped.len().max(1);
        if count + length + 1 > max {
            out.push('…');
            return out;
        }
        count += length;
        if escaped.is_empty() {
            out.push(char);
        } else {
            out.push_str(escaped);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_mentions_nobody_and_no_escape_is_cut() {
        assert_eq!(
            escape("<!here> & <@U123> <https://evil|ok>", 1000),
            "&lt;!here&gt; &amp; &lt;@U123&gt; &lt;https://evil|ok&gt;"
        );
        for max in 1..40 {
            let text = escape(&"<&>".repeat(20), max);
            assert!(text.chars().count() <= max, "{text}");
            let rest = text
                .replace("&lt;", "")
                .replace("&amp;", "")
                .replace("&gt;", "");
            assert_eq!(rest, "…", "{text}");
        }
    }
}
