//! Settings of what watches the service, and of the pages.

use super::parsers::{
    FALSE_ALARMS, HOUR, MINUTE, SECOND, WATCHED_SERIES, clients, duration, integer, size,
    size_of_files,
};
use super::setting::Setting;
use super::setting::Variable::Value as Named;
use crate::config::value::{
    Binding, BoolParser, DashboardLineItem, EmailItem, ListParser, OptionalTextParser,
    ReceiverUrlItem, SecretTextParser, TokenParser, UrlParser,
};

pub(super) const MONITORING: &[Setting] = &[
    Setting::new(
        "health.failures",
        field!(integer(1, 100), health.failures),
        "How many failures in a row take a check down",
    ),
    Setting::new(
        "health.successes",
        field!(integer(1, 100), health.successes),
        "How many successes in a row bring a check up again",
    ),
    Setting::new(
        "health.interval",
        field!(duration(100, HOUR), health.interval),
        "The time from the start of one run of a check to the start of the next",
    ),
    Setting::new(
        "health.timeout",
        field!(duration(10, HOUR), health.timeout),
        "How long a run of a check may take before it is a failure; at most `health.interval`",
    ),
    Setting::new(
        "history.interval",
        field!(duration(100, HOUR), history.interval),
        "The time from one snapshot of all metrics to the next",
    ),
    Setting::new(
        "history.memory_age",
        field!(duration(MINUTE, 24 * HOUR), history.memory_age),
        "How long snapshots are kept in memory",
    ),
    Setting::new(
        "history.max_memory_bytes",
        field!(size(1 << 20), history.max_memory_bytes),
        "The most bytes of snapshots in memory; the oldest are removed first",
    ),
    Setting::new(
        "history.max_bytes",
        field!(size_of_files(16 << 20), history.max_bytes),
        "The most bytes of the history in the data directory; the oldest snapshots are removed first, then minutes and hours",
    ),
    Setting::new(
        "history.raw_age",
        field!(duration(HOUR, 3650 * 24 * HOUR), history.raw_age),
        "How long snapshots are kept in the data directory",
    ),
    Setting::new(
        "history.minute_age",
        field!(duration(HOUR, 3650 * 24 * HOUR), history.minute_age),
        "How long minutes are kept in the data directory",
    ),
    Setting::new(
        "history.hour_age",
        field!(duration(HOUR, 3650 * 24 * HOUR), history.hour_age),
        "How long hours are kept in the data directory",
    ),
    Setting::new(
        "anomaly.false_alarms",
        field!(FALSE_ALARMS, anomaly.false_alarms),
        "How many false alarms are expected of one series in 30 days",
    ),
    Setting::new(
        "anomaly.default_series",
        field!(BoolParser, anomaly.default_series),
        "Whether the monitor's own series are watched for anomalies",
    ),
    Setting::new(
        "anomaly.max_series",
        field!(WATCHED_SERIES, anomaly.max_series),
        "How many series are watched for anomalies at most",
    ),
    Setting::new(
        "alerts.interval",
        field!(duration(SECOND, HOUR), alerts.interval),
        "The time from one evaluation of all alert rules to the next",
    ),
    Setting::new(
        "alerts.default_rules",
        field!(BoolParser, alerts.default_rules),
        "Whether the default alert rules are there",
    ),
    Setting::new(
        "alerts.file",
        field!(OptionalTextParser, alerts.file),
        "The TOML file with alert rules, which is read again when it changes",
    ),
    Setting::new(
        "alerts.group_wait",
        field!(duration(0, HOUR), alerts.group_wait),
        "How long the first alert of a notification waits for others of its rule",
    ),
    Setting::new(
        "alerts.group_interval",
        field!(duration(SECOND, 24 * HOUR), alerts.group_interval),
        "The least time between two notifications of a rule",
    ),
    Setting::new(
        "alerts.dashboard_url",
        field!(UrlParser { query: false }, alerts.dashboard_url),
        "The address of the dashboard, for links in notifications",
    ),
    Setting::new(
        "alerts.internal_receivers",
        field!(BoolParser, alerts.internal_receivers),
        "Whether receivers of notifications may be in private networks, without TLS",
    ),
    Setting::new(
        "alerts.slack_webhook_url",
        field!(SecretTextParser, alerts.slack_webhook_url),
        "The URL of an incoming webhook of Slack",
    )
    .variables(&[Named("SLACK_WEBHOOK_URL")])
    .secret(),
    Setting::new(
        "alerts.smtp_config",
        field!(SecretTextParser, alerts.smtp_config),
        "The mail server: a URL such as `smtps://user:password@host:465`, or JSON",
    )
    .variables(&[Named("SMTP_CONFIG")])
    .secret(),
    Setting::new(
        "alerts.email_from",
        field!(OptionalTextParser, alerts.email_from),
        "The sender of e-mails; without it, the user of the mail server",
    ),
    Setting::new(
        "alerts.email_to",
        field!(ListParser::<EmailItem>::NEW, alerts.email_to),
        "The recipients of e-mails",
    ),
    Setting::new(
        "alerts.pagerduty_routing_key",
        field!(SecretTextParser, alerts.pagerduty_routing_key),
        "The integration key of PagerDuty's Events API v2",
    )
    .variables(&[Named("PAGERDUTY_API_KEY")])
    .secret(),
    Setting::new(
        "alerts.pagerduty_service_id",
        field!(OptionalTextParser, alerts.pagerduty_service_id),
        "Has no effect: the routing key decides which service of PagerDuty gets the alerts",
    )
    .variables(&[Named("PAGERDUTY_SERVICE_ID")]),
    Setting::new(
        "alerts.pagerduty_url",
        field!(UrlParser { query: false }, alerts.pagerduty_url),
        "The address of PagerDuty's Events API; without it, `https://events.pagerduty.com`",
    ),
    Setting::new(
        "alerts.webhook_url",
        field!(SecretTextParser, alerts.webhook_url),
        "The URL of a receiver of your own",
    )
    .secret(),
    Setting::new(
        "alerts.webhook_secret",
        field!(SecretTextParser, alerts.webhook_secret),
        "The secret with which requests to that receiver are signed",
    )
    .secret(),
    Setting::new(
        "alerts.alertmanager_urls",
        field!(ListParser::<ReceiverUrlItem>::NEW, alerts.alertmanager_urls),
        "The URLs of all Alertmanagers of a cluster",
    ),
    Setting::new(
        "alerts.heartbeat_url",
        field!(SecretTextParser, alerts.heartbeat_url),
        "The URL that is called while the alert rules are evaluated",
    )
    .secret(),
    Setting::new(
        "alerts.heartbeat_interval",
        field!(duration(10 * SECOND, 24 * HOUR), alerts.heartbeat_interval),
        "The time between two heartbeats",
    ),
    Setting::new(
        "drain.wait",
        field!(duration(0, 10 * MINUTE), drain_wait),
        "How long `/readyz` responds 503 before `drain` completes",
    ),
    Setting::new(
        "access.token",
        field!(TokenParser, access_token),
        "The token that opens protected pages",
    )
    .variables(&[Named("WATCHPOST_TOKEN")])
    .secret(),
    Setting::new(
        "access.viewer_token",
        field!(TokenParser, access_viewer_token),
        "The token with which protected pages can be read, and nothing changed",
    )
    .secret(),
    Setting::new(
        "dashboard.serve",
        field!(BoolParser, dashboard.serve),
        "Whether `serve` serves the dashboard too, under `/monitoring`",
    ),
    Setting::new(
        "dashboard.max_clients",
        field!(clients(), dashboard.max_clients),
        "The most live connections of dashboards",
    ),
    Setting::new(
        "dashboard.max_clients_per_address",
        field!(clients(), dashboard.max_clients_per_address),
        "The most live connections of dashboards from one address",
    ),
    Setting::new(
        "dashboard.lines",
        field!(ListParser::<DashboardLineItem>::NEW, dashboard.lines),
        "The warning and critical lines of cards that differ from the defaults",
    ),
];
