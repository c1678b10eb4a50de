//! A real Alertmanager: it has our alerts, groups them and resolves them, and what it sends to a webhook, Slack and `PagerDuty` is
//! compared with what our own channels send.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::process::Command;
use tokio::time::{Instant, sleep};
use watchpost::alerts::{AlertmanagerChannel, PagerDutyChannel, SlackChannel, WebhookChannel};

use crate::host::{DASHBOARD, Host, RUNBOOK};
use crate::peer::{Peer, Reply};
use crate::process::{Process, Server, free_port};
use crate::{AnyError, Checks, Place, same};

const KEY: &str = "0123456789abcdef0123456789abcdef";
/// How long something may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(30);

struct Alertmanager {
    url: String,
    /// Gets what the Alertmanager sends, and what our channels send.
    recorder: Peer,
    server: Server,
}

pub(crate) async fn check(place: &Place, binary: &Path, checks: &mut Checks) {
    let mut alertmanager = match Alertmanager::start(place, binary).await {
        Ok(alertmanager) => alertmanager,
        Err(error) => return checks.note("Alertmanager starts", Err(error)),
    };
    let host = match alertmanager.host() {
        Ok(host) => host,
        Err(error) => return checks.note("the host of the Alertmanager", Err(error)),
    };
    for room in ["oven", "attic"] {
        host.heat(room, 35.5);
    }
    // What a channel still has to say after the wait between two notifications.
    host.wait(Duration::from_secs(2));
    checks.note("alerts in an Alertmanager", alertmanager.fires(&host).await);
    checks.note(
        "its bodies of what fires, and ours",
        alertmanager.bodies("firing").await,
    );
    for room in ["oven", "attic"] {
        host.heat(room, 20.0);
    }
    host.wait(Duration::from_secs(2));
    checks.note(
        "their end in an Alertmanager",
        alertmanager.ends(&host).await,
    );
    checks.note(
        "its bodies of what ended, and ours",
        alertmanager.bodies("resolved").await,
    );
    drop(alertmanager.server.kill().await);
}

impl Alertmanager {
    async fn start(place: &Place, binary: &Path) -> Result<Self, AnyError> {
        let recorder = Peer::start(|seen| {
            let status = if seen.target.contains("pagerduty") {
                202
            } else {
                200
            };
            Reply::Answer(status, Vec::new(), b"ok".to_vec())
        });
        let dir = place.dir.join("alertmanager");
        std::fs::create_dir_all(&dir)?;
        let config = dir.join("config.yml");
        let to = recorder.address();
        let text = format!(
            "global: {{slack_api_url: 'http://{to}/slack', pagerduty_url: 'http://{to}/pagerduty'}}
route: {{receiver: all, group_by: [alertname], group_wait: 1s, group_interval: 1s, repeat_interval: 1h}}
receivers:
- name: all
  webhook_configs: [{{url: 'http://{to}/webhook', send_resolved: true}}]
  slack_configs: [{{channel: '#alerts', send_resolved: true}}]
  pagerduty_configs: [{{routing_key: {KEY}, send_resolved: true}}]
"
        );
        std::fs::write(&config, text)?;
        let address = free_port().await?;
        let mut command = Command::new(binary);
        command.args([
            format!("--config.file={}", config.display()),
            format!("--storage.path={}", dir.join("data").display()),
            format!("--web.listen-address={address}"),
            "--cluster.listen-address=".to_owned(),
        ]);
        let log = dir.join("log");
        let process = Process::start("alertmanager", &mut command, &place.pids, (&log, &log))?;
        let mut server = Server::default();
        server.runs(process);
        let alertmanager = Self {
            url: format!("http://{address}"),
            recorder,
            server,
        };
        let deadline = Instant::now() + ARRIVAL;
        while let Err(error) = alertmanager.get("/api/v2/status").await {
            if Instant::now() > deadline {
                let text = std::fs::read_to_string(&log).unwrap_or_default();
                let last = text.lines().last().unwrap_or_default();
                return Err(format!("it did not start: {error}, {last}").into());
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(alertmanager)
    }

    /// A host whose alerts go to the Alertmanager, and to the recorder.
    fn host(&self) -> Result<Host, AnyError> {
        let host = Host::new(AlertmanagerChannel::new([&self.url])?)?;
        let url = |path: &str| self.recorder.url(&format!("/ours/{path}"));
        let alerts = host.harness.alerts();
        alerts.add_channel(WebhookChannel::internal("webhook", &url("webhook"))?)?;
        alerts.add_channel(SlackChannel::internal(&url("slack"))?)?;
        alerts.add_channel(PagerDutyChannel::internal(KEY, &url("pagerduty"))?)?;
        Ok(host)
    }

    async fn get(&self, path: &str) -> Result<Value, AnyError> {
        let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
        let response = client.get(format!("{}{path}", self.url).parse()?).await?;
        let body = response.into_body().collect().await?.to_bytes();
        Ok(serde_json::from_slice(&body)?)
    }

    /// Waits until something is so.
    async fn until(&self, path: &str, is_so: impl Fn(&Value) -> bool) -> Result<Value, AnyError> {
        let deadline = Instant::now() + ARRIVAL;
        loop {
            let value = self.get(path).await?;
            if is_so(&value) {
                return Ok(value);
            }
            if Instant::now() > deadline {
                return Err(format!("{path} has {value}").into());
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    async fn fires(&self, host: &Host) -> Result<String, AnyError> {
        let has_both = |it: &Value| it.as_array().is_some_and(|all| all.len() == 2);
        let theirs = self.until("/api/v2/alerts", has_both).await?;
        for ours in host.harness.alerts().list() {
            let room = ours.labels.iter().find(|(name, _)| name == "room");
            let room = &room.ok_or("an alert has no room")?.1;
            let mut all = theirs.as_array().into_iter().flatten();
            let alert = all.find(|it| it["labels"]["room"] == **room);
            let alert = alert.ok_or(format!("`{room}` is missing"))?;
            for (name, value) in &ours.labels {
                same(name, &alert["labels"][name], &Value::from(value.clone()))?;
            }
            same(
                "the service",
                &alert["labels"]["service_name"],
                &Value::from("harness"),
            )?;
            for (name, value) in &ours.annotations {
                same(
                    name,
                    &alert["annotations"][name],
                    &Value::from(value.clone()),
                )?;
            }
            same(
                "the runbook",
                &alert["annotations"]["runbook_url"],
                &Value::from(RUNBOOK),
            )?;
            same("the link", &alert["generatorURL"], &Value::from(DASHBOARD))?;
            same(
                "its state",
                &alert["status"]["state"],
                &Value::from("active"),
            )?;
        }
        let groups = self.get("/api/v2/alerts/groups").await?;
        same("groups", groups.as_array().map(Vec::len), Some(1))?;
        same(
            "their label",
            &groups[0]["labels"]["alertname"],
            &Value::from("hot"),
        )?;
        same(
            "alerts of the group",
            groups[0]["alerts"].as_array().map(Vec::len),
            Some(2),
        )?;
        Self::counts(host, "alertmanager")?;
        Ok("2 alerts in one group, with our labels, annotations and links".to_owned())
    }

    async fn ends(&self, host: &Host) -> Result<String, AnyError> {
        let is_empty = |it: &Value| it.as_array().is_some_and(Vec::is_empty);
        self.until("/api/v2/alerts", is_empty).await?;
        let seen = ["alertmanager", "webhook", "slack", "pagerduty"];
        for channel in seen {
            Self::counts(host, channel)?;
        }
        Ok(format!(
            "none is active; {} channels have delivered all",
            seen.len()
        ))
    }

    /// The counters of a channel are exact, and nothing waits.
    fn counts(host: &Host, name: &str) -> Result<(), AnyError> {
        let mut all = host.harness.alerts().channels().into_iter();
        let status = all.find(|it| it.name == name).ok_or("no such channel")?;
        let dropped: u64 = status.dropped.iter().map(|(_, count)| count).sum();
        same(name, (status.spooled, dropped), (0, 0))?;
        same(name, status.delivered, status.emitted)
    }

    /// The last body with this property that was sent to a path.
    async fn body(&self, path: &str, is_it: impl Fn(&Value) -> bool) -> Result<Value, AnyError> {
        let deadline = Instant::now() + ARRIVAL;
        loop {
            let seen = self.recorder.seen();
            let bodies = seen.iter().rev().filter(|it| it.target.starts_with(path));
            let mut bodies = bodies.filter_map(|it| serde_json::from_slice(&it.body).ok());
            if let Some(body) = bodies.find(|body| is_it(body)) {
                return Ok(body);
            }
            if Instant::now() > deadline {
                let targets: Vec<_> = seen.iter().map(|it| &it.target).collect();
                return Err(format!("nothing at {path}, only {targets:?}").into());
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    async fn bodies(&self, status: &str) -> Result<String, AnyError> {
        let fields = self.webhooks(status).await?;
        self.slack(status).await?;
        let events = self.events(status).await?;
        Ok(format!("{fields} fields of webhooks, {events} of events"))
    }

    /// Each field of its webhook is in ours, with the same value where it means the same.
    async fn webhooks(&self, status: &str) -> Result<usize, AnyError> {
        let count = |body: &Value| body["alerts"].as_array().map_or(0, Vec::len);
        let has_both = |body: &Value| body["status"] == *status && count(body) == 2;
        let theirs = self.body("/webhook", has_both).await?;
        // Of our rule, the first end may have been sent before the second.
        let is_so = |body: &Value| body["status"] == *status;
        let ours = self.body("/ours/webhook", is_so).await?;
        let mut fields = 0;
        for (name, value) in object(&theirs)? {
            same_kind(name, value, &ours[name])?;
            fields += 1;
        }
        for name in ["version", "status", "truncatedAlerts", "groupLabels"] {
            same(name, &ours[name], &theirs[name])?;
        }
        let alerts = |body: &Value| body["alerts"].as_array().cloned().unwrap_or_default();
        for our in alerts(&ours) {
            let all = alerts(&theirs);
            let mut all = all.iter();
            let their = all.find(|it| it["labels"]["room"] == our["labels"]["room"]);
            let their = their.ok_or("an alert is missing")?;
            for (name, value) in object(their)? {
                same_kind(name, value, &our[name])?;
                fields += 1;
            }
            for (name, value) in object(&our["labels"])? {
                same(name, &their["labels"][name], value)?;
            }
            same("status", &our["status"], &their["status"])?;
            same("generatorURL", &our["generatorURL"], &their["generatorURL"])?;
            same(
                "startsAt",
                seconds(&our["startsAt"]),
                seconds(&their["startsAt"]),
            )?;
            if status == "firing" {
                same("endsAt", &our["endsAt"], &their["endsAt"])?;
            } else {
                same("endsAt", seconds(&our["endsAt"]).starts_with("0001"), false)?;
                same(
                    "endsAt",
                    seconds(&their["endsAt"]).starts_with("0001"),
                    false,
                )?;
            }
        }
        Ok(fields)
    }

    /// Both messages say what happens to which rule, and link to something.
    async fn slack(&self, status: &str) -> Result<(), AnyError> {
        let status = status.to_uppercase();
        let says = |body: &Value| body.to_string().contains(&format!("[{status}"));
        let theirs = self.body("/slack", says).await?;
        let ours = self.body("/ours/slack", says).await?;
        let title = theirs["attachments"][0]["title"]
            .as_str()
            .unwrap_or_default();
        same(title, title.contains("hot"), true)?;
        let title = ours["blocks"][0]["text"]["text"]
            .as_str()
            .unwrap_or_default();
        same(title, title.contains("hot"), true)?;
        same(
            "the fallback",
            theirs["attachments"][0]["fallback"].is_string(),
            true,
        )?;
        same("the fallback", ours["text"].is_string(), true)
    }

    /// Each field of its event is one of ours, of the same kind.
    async fn events(&self, status: &str) -> Result<usize, AnyError> {
        let action = if status == "firing" {
            "trigger"
        } else {
            "resolve"
        };
        let is_so = |body: &Value| body["event_action"] == *action;
        let theirs = self.body("/pagerduty", is_so).await?;
        let ours = self.body("/ours/pagerduty", is_so).await?;
        for name in ["routing_key", "event_action"] {
            same(name, &ours[name], &theirs[name])?;
        }
        same_kind("dedup_key", &theirs["dedup_key"], &ours["dedup_key"])?;
        if action == "resolve" {
            // It has the fields of a trigger too, which PagerDuty does not use.
            return Ok(3);
        }
        let mut fields = 3;
        for name in ["summary", "source", "severity", "custom_details"] {
            same_kind(name, &theirs["payload"][name], &ours["payload"][name])?;
            fields += 1;
        }
        for name in ["client", "client_url"] {
            same_kind(name, &theirs[name], &ours[name])?;
            fields += 1;
        }
        let severity = &ours["payload"]["severity"];
        same("the severity", severity, &Value::from("critical"))?;
        Ok(fields)
    }
}

fn object(value: &Value) -> Result<&serde_json::Map<String, Value>, AnyError> {
    value
        .as_object()
        .ok_or_else(|| format!("{value} is no object").into())
}

fn same_kind(name: &str, theirs: &Value, ours: &Value) -> Result<(), AnyError> {
    if std::mem::discriminant(theirs) == std::mem::discriminant(ours) {
        return Ok(());
    }
    Err(format!("`{name}` is {theirs} there, and {ours} here").into())
}

/// A time, to the second.
fn seconds(time: &Value) -> String {
    let text = time.as_str().unwrap_or_default();
    text.get(..19).unwrap_or_default().to_owned()
}
