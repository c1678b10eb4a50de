//! Alerts: rules over the [history](crate::history) of all metrics, and their states.
//!
//! With the feature `alerts`, the monitor evaluates its rules every 30 seconds, on a thread of its own. A [`Rule`] compares
//! the value of a query with a limit; each label set of the value has an alert. [`Monitor::alerts`](crate::Monitor::alerts)
//! lists them, each change is a log record, and [`Monitor::on_alert`](crate::Monitor::on_alert) calls a function of yours.
//!
//! ```
//! # #[cfg(all(feature = "alerts", feature = "testing"))] {
//! use std::time::Duration;
//! use watchpost::alerts::{AlertState, Bound, Rule, Severity};
//! use watchpost::history::MetricQuery;
//! # use watchpost::testing::Harness;
//! # let monitor = Harness::new();
//!
//! let waiting = MetricQuery::last("mails_waiting").total();
//! let rule = Rule::threshold("mails-stuck", waiting, Bound::above(100.0))
//!     .hold_for(Duration::from_secs(60))
//!     .severity(Severity::Critical)
//!     .annotation("summary", "{{ $value }} mails wait");
//! monitor.alerts().add_rule(rule).unwrap();
//!
//! monitor.metrics().gauge("mails_waiting").build().set(150.0);
//! # for _ in 0..3 { monitor.advance(Duration::from_secs(30)); monitor.snapshot(); monitor.evaluate_alerts(); }
//! # #[cfg(any())]
//! // .. after a minute:
//! sleep(..);
//! let alerts = monitor.alerts().list();
//! assert_eq!(alerts[0].state, AlertState::Firing);
//! assert_eq!(alerts[0].annotations[0].1, "150 mails wait");
//! # }
//! ```
//!
//! # States
//!
//! | state | meaning |
//! |---|---|
//! | inactive | The condition does not hold. |
//! | pending | It holds, but not yet at every evaluation for [`hold_for`](Rule::hold_for). If it ends before that, the alert is inactive again, and nobody hears of it. |
//! | firing | It has held for that long. |
//! | recovering | It has ended, but not yet for [`keep_firing_for`](Rule::keep_firing_for). |
//! | resolved | It has ended for that long. The alert is listed for [an hour or longer](#what-is-kept). |
//!
//! With [`clear_at`](Rule::clear_at), a firing alert ends only if the value is back behind a second limit.
//!
//! - A failed evaluation changes no state. [`Alerts::failures`] says why it failed.
//! - [`MissingData`] says what a missing value means. If a firing alert keeps its state without data for five evaluations, it
//!   is resolved as stale, and the alert `no_data` fires in its place until there are data again, for a day at most.
//! - With fewer events than [`min_samples`](Rule::min_samples), the condition does not hold.
//! - Durations are counted in whole intervals. If no rule was evaluated for more than three intervals, because the process
//!   was stopped for example, that time counts as one interval.
//!
//! # Notifications
//!
//! An [`AlertEvent`] says whether the alert is to be announced: when it fires, again after [`repeat`](Rule::repeat), and when
//! it has ended. Between two announcements that an alert fires is at least the [`cooldown`](Rule::cooldown), also if it was
//! resolved meanwhile. An alert that ends within that time is not announced at all. The end of what was announced always is.
//!
//! | what | hides | until |
//! |---|---|---|
//! | [`Alerts::silence`] | alerts with certain labels, which keep their states | its end |
//! | [`Alerts::set_inhibitions`] | alerts beside another one that fires, such as warnings beside a critical alert | that one ends |
//! | [`Alerts::acknowledge`] | the repetitions of one alert | it ends, or a time of your choice |
//!
//! # Channels
//!
//! A channel delivers announcements to people or to other services:
//!
//! | channel | settings | gets by default |
//! |---|---|---|
//! | [`SlackChannel`] | `alerts.slack_webhook_url`, or the variable `SLACK_WEBHOOK_URL` | critical and warning |
//! | [`EmailChannel`] (feature `email`) | `alerts.smtp_config`, or the variable `SMTP_CONFIG`, and `alerts.email_to` | critical and warning |
//! | [`PagerDutyChannel`] | `alerts.pagerduty_routing_key`, or the variable `PAGERDUTY_API_KEY` | critical |
//! | [`WebhookChannel`] | `alerts.webhook_url`, `alerts.webhook_secret` | critical |
//! | [`AlertmanagerChannel`] | `alerts.alertmanager_urls` | critical and warning |
//! | your own [`Channel`] | [`Alerts::add_channel`] | what it [supports](Channel::supports) |
//!
//! [`Alerts::set_routes`] sends alerts elsewhere, by severity and labels. [`Alerts::test_channel`] sends a test.
//!
//! ```
//! # #[cfg(feature = "alerts")]
//! # fn main() -> watchpost::Result<()> {
//! # let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
//! use watchpost::alerts::{AlertRoute, Severity, SlackChannel, WebhookChannel};
//!
//! let alerts = monitor.alerts();
//! alerts.add_channel(SlackChannel::new("https://hooks.slack.com/services/T000/B000/XXXX")?)?;
//! alerts.add_channel(WebhookChannel::new("tickets", "https://tickets.example/alerts")?.secret("a secret"))?;
//! alerts.set_routes([
//!     AlertRoute::to(["slack", "tickets"]).severity(Severity::Critical),
//!     AlertRoute::to(["slack"]).severity(Severity::Warning),
//! ])?;
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "alerts"))]
//! # fn main() {}
//! ```
//!
//! ## Groups
//!
//! The alerts of one rule are in one [`Notification`]: the first one waits 10 seconds for others (`alerts.group_wait`), and what
//! changes later waits until a minute has passed since the last notification (`alerts.group_interval`). It has a thousand alerts at
//! most; others are in the next one. An alert that ends before anything was delivered is not sent at all. PagerDuty gets each alert
//! by itself, and an Alertmanager all of them.
//!
//! The end of an alert, and an acknowledgement, go to the channels that have its begin, whatever the rule and the routes are by
//! then. The end has the severity and the labels of the begin.
//!
//! ## What is delivered
//!
//! Each channel has a queue of its own, of 2,000 alerts. With a data directory it is in the file `outbox-{channel}`: an
//! announcement is stored there, or with the state of its alert, before it is sent. So a crash loses none. It may
//! repeat one: if it happens between a delivery and the note that it took place, the notification is delivered again, with the
//! same [`id`](Notification::id), the header `Idempotency-Key` of webhooks. If the disk hangs for five seconds, notifications are sent
//! without it. A new state of an alert replaces one that waits.
//!
//! A failure is retried after 1, 2, 4 seconds, up to five minutes, each longer or shorter by up to a half, and not before the time
//! that the receiver asks for, of an hour at most. What is refused for good, or was not delivered for a day, is a dead letter:
//! [`Alerts::dead_letters`] has the last hundred, and [`Alerts::deliveries`] the last hundred attempts.
//!
//! | receiver | accepted | retried | given up |
//! |---|---|---|---|
//! | Slack | 200 with the text `ok` | 429, 5xx, no response, one that breaks off | 200 with another text, others |
//! | PagerDuty | 202 | 429, 5xx, no response | others |
//! | webhook | 2xx | 408, 429, 5xx, no response | others |
//! | e-mail | 250 | 4yz, no connection, no TLS, no response | 5yz |
//! | Alertmanager | 2xx | 5xx, no response | others |
//!
//! A channel whose receiver hangs, or whose code blocks, stops no other channel and no rule. `watchpost_alerts_notifications_total`
//! counts announcements by channel and `result`: `emitted` is the sum of `delivered`, of the reasons `coalesced`, `ended`,
//! `rejected`, `expired` and `queue_full`, and of `watchpost_alerts_notifications_waiting`.
//!
//! ## Where receivers may be
//!
//! URLs and addresses come from code and settings alone. Receivers have to be on the internet and use TLS, unless `alerts.internal_receivers` is
//! set or the channel is created with `internal`. All addresses of a name are checked, and the connection goes to one that was.
//! Addresses of metadata services and other link-local ones are never allowed. Redirects are not followed.
//!
//! ## E-mail
//!
//! The setting `alerts.smtp_config`, or the variable `SMTP_CONFIG`, is a URL or JSON with the fields that Nodemailer has:
//!
//! ```text
//! smtp://alerts%40example.com:password@smtp.example.com:587?to=ops@example.com,night@example.com
//! smtps://alerts%40example.com:password@smtp.example.com:465?to=ops@example.com
//! {"host": "smtp.example.com", "port": 465, "secure": true, "auth": {"user": "..", "pass": ".."}, "from": "..", "to": [".."]}
//! ```
//!
//! | | |
//! |---|---|
//! | `smtp://`, or JSON without `secure` | TLS begins with `STARTTLS`; the default port is 587 |
//! | `smtps://`, `"secure": true`, or port 465 | TLS begins with the connection; the default port is 465 |
//! | `?tls=none`, or `"tls": "none"` | no TLS: only to an internal server, and without a password |
//! | `from`, or `alerts.email_from` | the sender; without it, the user if it is an address |
//! | `to`, or `alerts.email_to` | the recipients |
//! | `ca_file` | a PEM file with the authorities that are trusted in place of the public ones |
//!
//! Nothing is sent without TLS and a valid certificate unless it is switched off. A program sets the same with [`SmtpServer`]:
//!
//! ```
//! # #[cfg(feature = "email")]
//! # fn main() -> watchpost::Result<()> {
//! # let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
//! use watchpost::alerts::{EmailChannel, SmtpServer};
//!
//! let server = SmtpServer::new("smtp.example.com").login("alerts@example.com", "a password");
//! let channel = EmailChannel::new(server, "Shop alerts <alerts@example.com>", ["ops@example.com"])?;
//! monitor.alerts().add_channel(channel)?;
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "email"))]
//! # fn main() {}
//! ```
//!
//! A mail has a text and an HTML part, and describes up to 20 alerts. The mails about an alert, from when it fires until it ends, are
//! one thread. `Message-ID` follows from the [`id`](Notification::id), so a mail that is sent again after a crash carries the same
//! one. Programs that answer mails leave them alone (`Auto-Submitted`).
//!
//! If the server refuses some recipients, the others get the mail, and `watchpost_alerts_recipients_refused_total` counts those.
//! One that is refused for now (4yz) gets it later, in up to ten more attempts within about 13 minutes. Meanwhile the channel counts
//! as failing, but other notifications do not wait.
//!
//! ## Webhooks
//!
//! The body has the form of Alertmanager's webhook, with more fields. [`WebhookChannel`] describes the headers with the signature.
//!
//! ## Heartbeat
//!
//! `alerts.heartbeat_url` is called each minute while the rules are evaluated (GET), so that another service can alert if that stops.
//!
//! # Default rules
//!
//! | rule | severity | fires if | for | cooldown |
//! |---|---|---|---|---|
//! | `high-error-rate` | critical | more than 5 % of the requests of five minutes failed, of 20 or more | 1 min | 5 min |
//! | `slow-response` | warning | the 95th percentile of the time to headers is above 1 s, of 20 requests or more in five minutes | 5 min | 10 min |
//! | `no-traffic` | warning | no request ended within ten minutes, and at least a hundred in the hour before | 1 min | 30 min |
//! | `memory-leak` | warning | more than 80 % of the memory is in use, and it has risen by more than 2 % of all memory an hour, for half an hour | | 30 min |
//! | `database-connection-pool` | critical | 90 % of the connections of a pool are in use | 1 min | 5 min |
//! | `slow-connections` | warning | the 95th percentile of the wait for a connection of a pool is above 1 s | 1 min | 5 min |
//! | `api-rate-limit` | warning | 80 % of a rate limit of an external service is used | | 15 min |
//! | `disk-full` | warning | more than 90 % of the disk with the data directory is in use | 5 min | 30 min |
//! | `blocked-runtime` | warning | the threads of a watched runtime are busy more than 95 % of the time | 5 min | 10 min |
//! | `error-spike` | warning | more than ten captured errors of a type within five minutes, and more than half of those of an hour | | 15 min |
//! | `new-error` | warning | an error was captured that was never seen before | | 15 min |
//! | `regressed-error` | warning | a resolved error occurred again | | 15 min |
//! | `missed-job` | warning | a [background job](#background-jobs) has not succeeded in time | | 60 min |
//! | `failing-channel` | critical | a [channel](#channels) has not delivered a notification for five minutes | | 60 min |
//! | `dropped-records` | info | the monitor dropped log records, traces or errors | | 60 min |
//!
//! The [runbook](crate::guide::runbook) says for each of them what to look at. Memory is that of the limit of the control group, if there is one, else that of the machine. For another limit, add a
//! rule of the same name. [`AlertsConfig::default_rules`] leaves them all out.
//!
//! # Objectives
//!
//! [`Alerts::add_slo`] sets the percentage of requests that have to succeed in 30 days. The rest is the error budget. A rule
//! fires if the budget is spent so many times too fast in two windows; the short one ends the alert soon after its cause:
//!
//! | rule | severity | too fast | windows | spends |
//! |---|---|---|---|---|
//! | `{name}-burn-1h` | critical | 14.4 times | 1 h and 5 min | 2 % of the budget in an hour |
//! | `{name}-burn-6h` | critical | 6 times | 6 h and 30 min | 5 % in six hours |
//! | `{name}-burn-1d` | warning | 3 times | 1 d and 2 h | 10 % in a day |
//! | `{name}-burn-3d` | warning | once | 3 d and 6 h | 10 % in three days |
//!
//! They need a hundred requests in the longer window, and what is known of it: without a data directory, the history has two
//! hours. [`Alerts::slos`] returns how much of the budget is left.
//!
//! # Background jobs
//!
//! [`Monitor::job`](crate::Monitor::job) expects a job to succeed at regular times; the rule `missed-job` fires if it does not.
//! The first success is due that long after the start of the process.
//!
//! # Rules in a file
//!
//! The setting `alerts.file` names a TOML file. It is read again at the next evaluation after it has changed. If it cannot be
//! used, the rules stay as they are, and a notice and [`Alerts::failures`] say in which line it is wrong. A rule replaces one of
//! the program with the same name. Its inhibitions apply beside those of the program.
//!
//! ```toml
//! [[rule]]
//! name = "queue-stuck"
//! metric = "queue_oldest_message_age_seconds"
//! function = "last"             # or mean, min, max, increase, rate, sum_increase, quantile with `rank = 0.95`
//! window = "5m"
//! where = { queue = ["mail", "push"] }      # and `where_not`
//! by = ["queue"]                # without it, each series has an alert; [] combines all
//! above = 300                   # or at_least, below, at_most
//! for = "2m"
//! severity = "critical"
//! annotations = { summary = "The oldest message of {{ $labels.queue }} is {{ $value }} s old" }
//!
//! [[rule]]
//! name = "failed-logins"
//! metric = "logins_failed_total"
//! function = "increase"
//! by = []
//! divided_by = { metric = "logins_total", function = "increase", by = [] }
//! min_samples = 50
//! above = 0.5
//!
//! [[inhibit]]
//! source = ["severity=critical"]
//! target = ["severity=warning"]
//! equal = ["queue"]
//! ```
//!
//! A rule has also: `trend = "30m"`, `absent = true`, `and` (a list of queries, each with its limit), `aggregation`, `clear_at`,
//! `keep_firing_for`, `missing_data` (`keep`, `resolve`, `fire`), `stale_after`, `cooldown`, `repeat`, `labels` and `runbook`.
//!
//! # Is the evaluation in time?
//!
//! The monitor watches its own evaluation:
//!
//! | series | |
//! |---|---|
//! | `watchpost_alerts_evaluations_total` | evaluations of all rules |
//! | `watchpost_alerts_evaluation_duration_seconds` | how long the last one took |
//! | `watchpost_alerts_evaluation_lag_seconds` | how late the last one began: the time since the one before began, less `alerts.interval`. If the next one has been due for longer, that time. 0 if they are in time |
//! | `watchpost_alerts_failed_rules` | rules whose last evaluation failed; [`Alerts::failures`] says why |
//! | `watchpost_alerts_firing` by `severity` | alerts that fire |
//! | `watchpost_alerts_left_out_total` | label sets that fired and found no room, at each evaluation |
//!
//! A lag that grows means that an evaluation hangs, in a rule's function or in the file with rules for example. No rule of this
//! monitor can report that, so alert on it elsewhere, or set a [heartbeat](#heartbeat).
//!
//! # What is kept
//!
//! With a [data directory](crate::MonitorBuilder::data_dir), states, acknowledgements, silences and the last thousand changes
//! are stored in its file `alerts` at each change, before hooks are called. After a restart, alerts go on where they were: the
//! time of [`hold_for`](Rule::hold_for) counts from its begin, also while the process was not running, and an alert fires only
//! once the condition was found to hold again. If the process was not running for an hour, all alerts end. A file that a newer
//! version has written in another format is left as it is, and nothing is stored.
//!
//! As long as the file can be written, hooks are called at most once for an announcement. One that was stored just before a
//! crash may not have reached them; it is not made again until [`repeat`](Rule::repeat). [Channels](#what-is-delivered) get it at
//! least once.
//!
//! A resolved alert is kept and listed for an hour, or for the [`cooldown`](Rule::cooldown) of its rule if that is longer. If it
//! has no data and [`MissingData::Keep`], it is kept for a day after its last value.
//!
//! At most a thousand label sets of a rule have a state. If a new one fires, it takes the place of one that is inactive or
//! resolved, unless its end is still to be announced. A notice says if there is none.
//!
//! | setting | default | |
//! |---|---|---|
//! | `alerts.interval` | 30 s | the time between evaluations |
//! | `alerts.default_rules` | `true` | whether the default rules are there |
//! | `alerts.file` | none | the file with rules |
//! | `alerts.group_wait`, `alerts.group_interval` | 10 s, 1 min | see [groups](#groups) |
//! | `alerts.dashboard_url` | none | the address of the dashboard, for links |
//! | `alerts.internal_receivers` | `false` | see [where receivers may be](#where-receivers-may-be) |
//! | `alerts.slack_webhook_url`, `alerts.smtp_config`, `alerts.email_from`, `alerts.email_to`, `alerts.pagerduty_routing_key`, `alerts.pagerduty_url`, `alerts.webhook_url`, `alerts.webhook_secret`, `alerts.alertmanager_urls` | none | see [channels](#channels) |
//! | `alerts.heartbeat_url`, `alerts.heartbeat_interval` | none, 1 min | see [heartbeat](#heartbeat) |

mod config;
#[cfg(feature = "alerts")]
mod enabled;

pub use self::config::AlertsConfig;
#[cfg(feature = "alerts")]
pub use self::enabled::{
    Acknowledgement, Alert, AlertEvent, AlertRoute, AlertState, AlertTransition,
    AlertmanagerChannel, Alerts, Bound, Channel, ChannelStatus, Delivery, DeliveryError,
    DeliveryFuture, DeliveryOutcome, Inhibition, Job, LabelMatcher, MissingData, Notification,
    NotificationCause, NotificationGrouping, NotificationReason, NotificationStatus, NotifiedAlert,
    PagerDutyChannel, PrometheusRules, RefusedRecipients, Rule, Severity, Silence, SlackChannel,
    SloStatus, TransitionReason, WebhookChannel,
};

#[cfg(feature = "email")]
pub use self::enabled::{EmailChannel, SmtpServer};

#[cfg(all(feature = "alerts", feature = "dashboard"))]
pub(crate) use self::enabled::RuleSubject;
#[cfg(feature = "alerts")]
pub(crate) use self::enabled::{AlertFigures, AlertsSetup};
