use std::time::Duration;

use http::Uri;

use crate::model::{ExplicitKeys, Secret};

/// How often the rules are evaluated, which rules there are from the start, and where notifications go.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AlertsConfig {
    /// The time from one evaluation of all rules to the next.
    pub interval: Duration,
    /// Whether the default rules are there.
    pub default_rules: bool,
    /// The path of the file with rules.
    pub file: Option<String>,
    /// How long the first alert of a notification waits for others of its rule.
    pub group_wait: Duration,
    /// The least time between two notifications of a rule.
    pub group_interval: Duration,
    /// The address of the dashboard, for links in notifications.
    pub dashboard_url: Option<Uri>,
    /// Whether receivers may be in private networks or on this machine, without TLS.
    pub internal_receivers: bool,
    /// The URLs of the Alertmanagers.
    pub alertmanager_urls: Vec<String>,
    /// The address of PagerDuty's Events API.
    pub pagerduty_url: Option<Uri>,
    /// The sender of e-mails.
    pub email_from: Option<String>,
    /// The recipients of e-mails.
    pub email_to: Vec<String>,
    /// The time between two heartbeats.
    pub heartbeat_interval: Duration,
    /// A service of PagerDuty, which has no effect.
    pub(crate) pagerduty_service_id: Option<String>,
    pub(crate) slack_webhook_url: Option<Secret>,
    pub(crate) smtp_config: Option<Secret>,
    pub(crate) pagerduty_routing_key: Option<Secret>,
    pub(crate) webhook_url: Option<Secret>,
    pub(crate) webhook_secret: Option<Secret>,
    pub(crate) heartbeat_url: Option<Secret>,
    pub(crate) explicit: ExplicitKeys,
}

impl AlertsConfig {
    /// The default time that the first alert of a notification waits for others: 10 s.
    pub const DEFAULT_GROUP_WAIT: Duration = Duration::from_secs(10);

    /// The default least time between two notifications of a rule: 1 min.
    pub const DEFAULT_GROUP_INTERVAL: Duration = Duration::from_secs(60);

    /// The default time between two heartbeats: 1 min.
    pub const DEFAULT_HEARTBEAT_INTERVAL: Duration = Duration::from_secs(60);

    /// The default time between evaluations: 30 s.
    pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(30);

    /// Sets the time from one evaluation of all rules to the next, from 1 s to 1 h: `alerts.interval`. Default: 30 s.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.explicit.add("alerts.interval");
        self.interval = interval;
        self
    }

    /// Sets whether the [default rules](crate::alerts#default-rules) are there: `alerts.default_rules`. Default: `true`.
    #[must_use]
    pub fn default_rules(mut self, default_rules: bool) -> Self {
        self.explicit.add("alerts.default_rules");
        self.default_rules = default_rules;
        self
    }

    /// Sets the path of the [file with rules](crate::alerts#rules-in-a-file): `alerts.file`. Default: none.
    #[must_use]
    pub fn file(mut self, path: impl Into<String>) -> Self {
        self.explicit.add("alerts.file");
        self.file = Some(path.into());
        self
    }

    /// Sets how long the first alert of a notification waits for others of its rule, up to 1 h: `alerts.group_wait`. Default:
    /// 10 s.
    #[must_use]
    pub fn group_wait(mut self, wait: Duration) -> Self {
        self.explicit.add("alerts.group_wait");
        self.group_wait = wait;
        self
    }

    /// Sets the least time between two notifications of a rule, from 1 s to 1 d: `alerts.group_interval`. Default: 1 min.
    #[must_use]
    pub fn group_interval(mut self, interval: Duration) -> Self {
        self.explicit.add("alerts.group_interval");
        self.group_interval = interval;
        self
    }

    /// Sets the address under which people reach the dashboard, for links: `alerts.dashboard_url`. Default: none.
    #[must_use]
    pub fn dashboard_url(mut self, url: Uri) -> Self {
        self.explicit.add("alerts.dashboard_url");
        self.dashboard_url = Some(url);
        self
    }

    /// Sets whether receivers of the settings may be in private networks or on this machine, and may be reached without TLS:
    /// `alerts.internal_receivers`. An Alertmanager may always be. Default: `false`.
    #[must_use]
    pub fn internal_receivers(mut self, allowed: bool) -> Self {
        self.explicit.add("alerts.internal_receivers");
        self.internal_receivers = allowed;
        self
    }

    /// Sets the URLs of all Alertmanagers of a cluster: `alerts.alertmanager_urls`. Default: none.
    #[must_use]
    pub fn alertmanager_urls(mut self, urls: Vec<String>) -> Self {
        self.explicit.add("alerts.alertmanager_urls");
        self.alertmanager_urls = urls;
        self
    }

    /// Sets the URL of an incoming webhook of Slack, which is a secret: `alerts.slack_webhook_url`. Default: none.
    #[must_use]
    pub fn slack_webhook_url(mut self, url: impl Into<String>) -> Self {
        self.explicit.add("alerts.slack_webhook_url");
        self.slack_webhook_url = Some(Secret::new(url));
        self
    }

    /// Sets the mail server, which is a secret: `alerts.smtp_config`. See [e-mail](crate::alerts#e-mail) for its forms. Default:
    /// none.
    #[must_use]
    pub fn smtp_config(mut self, config: impl Into<String>) -> Self {
        self.explicit.add("alerts.smtp_config");
        self.smtp_config = Some(Secret::new(config));
        self
    }

    /// Sets the sender of e-mails, such as `Alerts <alerts@example.com>`: `alerts.email_from`. Default: that of the mail server's
    /// setting, else its user.
    #[must_use]
    pub fn email_from(mut self, from: impl Into<String>) -> Self {
        self.explicit.add("alerts.email_from");
        self.email_from = Some(from.into());
        self
    }

    /// Sets the recipients of e-mails, such as `ops@example.com`: `alerts.email_to`. Default: those of the mail server's setting.
    #[must_use]
    pub fn email_to(mut self, to: Vec<String>) -> Self {
        self.explicit.add("alerts.email_to");
        self.email_to = to;
        self
    }

    /// Sets the integration key of PagerDuty's Events API v2, which is a secret: `alerts.pagerduty_routing_key`. Default: none.
    #[must_use]
    pub fn pagerduty_routing_key(mut self, key: impl Into<String>) -> Self {
        self.explicit.add("alerts.pagerduty_routing_key");
        self.pagerduty_routing_key = Some(Secret::new(key));
        self
    }

    /// Has no effect, and a notice says so: the routing key decides which service of PagerDuty gets the alerts.
    /// `alerts.pagerduty_service_id`.
    #[must_use]
    pub fn pagerduty_service_id(mut self, id: impl Into<String>) -> Self {
        self.explicit.add("alerts.pagerduty_service_id");
        self.pagerduty_service_id = Some(id.into());
        self
    }

    /// Sets the address of PagerDuty's Events API, for its European region or a proxy: `alerts.pagerduty_url`. Default:
    /// `https://events.pagerduty.com`.
    #[must_use]
    pub fn pagerduty_url(mut self, url: Uri) -> Self {
        self.explicit.add("alerts.pagerduty_url");
        self.pagerduty_url = Some(url);
        self
    }

    /// Sets the URL of a receiver of your own, which is a secret: `alerts.webhook_url`. See
    /// [webhooks](crate::alerts#webhooks). Default: none.
    #[must_use]
    pub fn webhook_url(mut self, url: impl Into<String>) -> Self {
        self.explicit.add("alerts.webhook_url");
        self.webhook_url = Some(Secret::new(url));
        self
    }

    /// Sets the secret with which the requests to that receiver are signed: `alerts.webhook_secret`. Default: none, and they are not.
    #[must_use]
    pub fn webhook_secret(mut self, secret: impl Into<String>) -> Self {
        self.explicit.add("alerts.webhook_secret");
        self.webhook_secret = Some(Secret::new(secret));
        self
    }

    /// Sets the URL that is called at regular times while the rules are evaluated, which is a secret: `alerts.heartbeat_url`.
    /// Default: none.
    #[must_use]
    pub fn heartbeat_url(mut self, url: impl Into<String>) -> Self {
        self.explicit.add("alerts.heartbeat_url");
        self.heartbeat_url = Some(Secret::new(url));
        self
    }

    /// Sets the time between two heartbeats, from 10 s to 1 d: `alerts.heartbeat_interval`. Default: 1 min.
    #[must_use]
    pub fn heartbeat_interval(mut self, interval: Duration) -> Self {
        self.explicit.add("alerts.heartbeat_interval");
        self.heartbeat_interval = interval;
        self
    }
}

impl Default for AlertsConfig {
    fn default() -> Self {
        Self {
            interval: Self::DEFAULT_INTERVAL,
            default_rules: true,
            file: None,
            group_wait: Self::DEFAULT_GROUP_WAIT,
            group_interval: Self::DEFAULT_GROUP_INTERVAL,
            dashboard_url: None,
            internal_receivers: false,
            alertmanager_urls: Vec::new(),
            pagerduty_url: None,
            email_from: None,
            email_to: Vec::new(),
            heartbeat_interval: Self::DEFAULT_HEARTBEAT_INTERVAL,
            pagerduty_service_id: None,
            slack_webhook_url: None,
            smtp_config: None,
            pagerduty_routing_key: None,
            webhook_url: None,
            webhook_secret: None,
            heartbeat_url: None,
            explicit: ExplicitKeys::default(),
        }
    }
}
