//! Notifications of a whole monitor, to receivers that follow a script.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use serde_json::Value;
use watchpost::Monitor;
use watchpost::alerts::{
    AlertRoute, AlertmanagerChannel, AlertsConfig, Bound, Channel, ChannelStatus, DeliveryError,
    DeliveryFuture, DeliveryOutcome, MissingData, Notification, PagerDutyChannel, Rule, Severity,
    SlackChannel, WebhookChannel,
};
use watchpost::history::MetricQuery;
use watchpost::testing::Harness;

use crate::peer::{Peer, Reply, Seen};

const STEP: Duration = Duration::from_secs(30);
const KEY: &str = "0123456789abcdef0123456789abcdef";

fn config() -> AlertsConfig {
    AlertsConfig::default()
        .default_rules(false)
        .group_wait(Duration::ZERO)
        .group_interval(Duration::from_secs(1))
}

fn harness() -> Harness {
    with_rule(Harness::with(|builder| builder.alerts(config())))
}

fn with_rule(harness: Harness) -> Harness {
    let rule = Rule::threshold(
        "hot",
        MetricQuery::last("heat").by(["room"]),
        Bound::above(30.0),
    )
    .severity(Severity::Critical)
    .missing_data(MissingData::Resolve)
    .annotation(
        "summary",
        "It is {{ $value }} degrees in {{ $labels.room }}",
    )
    .runbook("https://wiki.example/hot?a=b&c");
    harness.alerts().add_rule(rule).unwrap();
    harness
}

fn heat(harness: &Harness, room: &str, degrees: f64) {
    let heat = harness.metrics().gauge("heat").build();
    heat.with([("room", room.to_owned())]).set(degrees);
}

fn step(harness: &Harness) {
    harness.advance(STEP);
    harness.snapshot();
    harness.evaluate_alerts();
}

fn fire(harness: &Harness) {
    heat(harness, "oven", 35.0);
    step(harness);
}

fn end(harness: &Harness) {
    heat(harness, "oven", 20.0);
    step(harness);
}

fn status(harness: &Harness, channel: &str) -> ChannelStatus {
    let all = harness.alerts().channels();
    let status = all.into_iter().find(|it| it.name == channel).unwrap();
    let dropped: u64 = status.dropped.iter().map(|(_, count)| count).sum();
    let settled = status.delivered + status.spooled + dropped;
    assert_eq!(status.emitted, settled, "{status:?}");
    status
}

fn body(seen: &Seen) -> Value {
    serde_json::from_slice(&seen.body).unwrap()
}

fn slack(peer: &Peer) -> Box<dyn Channel> {
    Box::new(SlackChannel::internal(&format!("http://{}/services/hush", peer.address())).unwrap())
}

/// A channel by another name.
struct Boxed(Box<dyn Channel>);

impl Channel for Boxed {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn supports(&self, severity: Severity) -> bool {
        self.0.supports(severity)
    }

    fn deliver<'a>(&'a self, notification: &'a Notification) -> DeliveryFuture<'a> {
        self.0.deliver(notification)
    }
}

fn channels(address: &str) -> Vec<(u16, Box<dyn Channel>)> {
    let url = format!("http://{address}/hush");
    vec![
        (200, Box::new(SlackChannel::internal(&url).unwrap())),
        (
            202,
            Box::new(PagerDutyChannel::internal(KEY, &url).unwrap()),
        ),
        (
            204,
            Box::new(WebhookChannel::internal("webhook", &url).unwrap()),
        ),
        (200, Box::new(AlertmanagerChannel::new([url]).unwrap())),
    ]
}

/// The table of receivers: which statuses are retried, and which are final.
#[test]
fn each_receiver_retries_and_gives_up_as_it_documents() {
    let retried: [(&str, &[u16]); 4] = [
        ("slack", &[429, 500, 502, 503, 504]),
        ("pagerduty", &[429, 500, 502, 503, 504]),
        ("webhook", &[408, 429, 500, 502, 503, 504]),
        ("alertmanager", &[500, 502, 503, 504]),
    ];
    let statuses = [
        301, 302, 307, 400, 401, 403, 404, 408, 410, 413, 415, 422, 429, 500, 502, 503, 504,
    ];
    let mut cases = 0;
    for (index, (name, retried)) in retried.into_iter().enumerate() {
        for status_code in statuses {
            let accepted = channels("127.0.0.1:1")[index].0;
            let ok = Reply::Answer(accepted, Vec::new(), b"ok".to_vec());
            let peer = Peer::replies([Reply::status(status_code), ok]);
            let harness = harness();
            let channel = channels(&peer.address().to_string()).remove(index).1;
            harness.alerts().add_channel(Boxed(channel)).unwrap();
            fire(&harness);
            harness.deliver_notifications();
            let first = status(&harness, name);
            let is_retried = retried.contains(&status_code);
            let case = format!("{name} {status_code}: {first:?}");
            assert_eq!(first.spooled, u64::from(is_retried), "{case}");
            assert!(first.failing_since.is_some(), "{case}");
            assert!(!first.problem.unwrap().contains("hush"), "{case}");
            assert_eq!(
                harness.alerts().dead_letters().len(),
                usize::from(!is_retried),
                "{case}"
            );
            harness.advance(Duration::from_secs(2));
            harness.deliver_notifications();
            let second = status(&harness, name);
            assert_eq!(second.delivered, u64::from(is_retried), "{case}");
            assert_eq!(peer.seen().len(), 1 + usize::from(is_retried), "{case}");
            let log = harness.alerts().deliveries();
            assert_eq!(log[0].code, Some(status_code), "{case}");
            assert_eq!(log[0].next_retry.is_some(), is_retried, "{case}");
            if is_retried {
                assert_eq!(log[0].id, log[1].id, "{case}");
                assert_eq!(log[1].outcome, DeliveryOutcome::Delivered, "{case}");
                // An Alertmanager gets the time until which each attempt is valid.
                let seen = peer.seen();
                let is_same = seen[0].body == seen[1].body;
                assert!(is_same || name == "alertmanager", "{case}");
            }
            cases += 1;
        }
    }
    println!("{cases} pairs of receiver and status");
}

#[test]
fn slack_must_respond_with_ok() {
    for (text, is_delivered) in [
        ("ok", true),
        ("no_text", false),
        ("<html>hush</html>", false),
    ] {
        let peer = Peer::always(Reply::Answer(200, Vec::new(), text.as_bytes().to_vec()));
        let harness = harness();
        harness.alerts().add_channel(Boxed(slack(&peer))).unwrap();
        fire(&harness);
        harness.deliver_notifications();
        let status = status(&harness, "slack");
        assert_eq!(status.delivered, u64::from(is_delivered), "{status:?}");
        assert_eq!(status.spooled, 0);
        assert!(!format!("{status:?}").contains("hush"));
    }
}

#[test]
fn a_receiver_that_asks_to_wait_is_left_alone() {
    let peer = Peer::replies([
        Reply::with(429, "Retry-After", "600"),
        Reply::Answer(200, Vec::new(), b"ok".to_vec()),
    ]);
    let harness = harness();
    harness.alerts().add_channel(Boxed(slack(&peer))).unwrap();
    fire(&harness);
    harness.deliver_notifications();
    harness.advance(Duration::from_secs(599));
    assert_eq!(harness.deliver_notifications(), 0);
    harness.advance(Duration::from_secs(1));
    assert_eq!(harness.deliver_notifications(), 1);
    assert_eq!(status(&harness, "slack").delivered, 1);
}

#[test]
fn a_message_of_slack_says_what_and_mentions_nobody() {
    let peer = Peer::always(Reply::Answer(200, Vec::new(), b"ok".to_vec()));
    let harness = Harness::with(|builder| {
        let url = http::Uri::from_static("https://monitoring.example/");
        builder.alerts(config().dashboard_url(url))
    });
    let harness = with_rule(harness);
    harness.alerts().add_channel(Boxed(slack(&peer))).unwrap();
    let room = "<!here> & <@U1>\r\n*bold*";
    heat(&harness, room, 20.0);
    for _ in 0..8 {
        step(&harness);
    }
    heat(&harness, room, 35.5);
    step(&harness);
    harness.deliver_notifications();
    let seen = peer.seen();
    let text = String::from_utf8(seen[0].body.clone()).unwrap();
    assert!(
        !text.contains("<!here>") && !text.contains("<@U1>"),
        "{text}"
    );
    let message = body(&seen[0]);
    let blocks = message["blocks"].as_array().unwrap();
    assert_eq!(blocks[0]["text"]["text"], "[FIRING] hot of harness");
    let section = blocks[1]["text"]["text"].as_str().unwrap();
    assert!(
        section.starts_with("*It is 35.5 degrees in &lt;!here&gt; &amp;"),
        "{section}"
    );
    assert!(section.contains('▁') && section.contains('█'), "{section}");
    let fields = blocks[1]["fields"].as_array().unwrap();
    let fields: Vec<_> = fields
        .iter()
        .map(|it| it["text"].as_str().unwrap())
        .collect();
    assert!(
        fields
            .iter()
            .any(|it| it.contains("35.5, and the limit is &gt; 30")),
        "{fields:?}"
    );
    let links = blocks[2]["elements"][0]["text"].as_str().unwrap();
    assert_eq!(
        links,
        "<https://monitoring.example/|Dashboard> · <https://wiki.example/hot?a=b&amp;c|Runbook>"
    );
    heat(&harness, room, 20.0);
    step(&harness);
    harness.deliver_notifications();
    let end = String::from_utf8(peer.seen()[1].body.clone()).unwrap();
    assert!(
        end.contains("[RESOLVED] hot of harness") && end.contains(", for 30s"),
        "{end}"
    );
}

#[test]
fn an_incident_of_pagerduty_is_triggered_acknowledged_and_resolved() {
    let peer = Peer::always(Reply::status(202));
    let harness = harness();
    let url = format!("http://{}", peer.address());
    let channel = PagerDutyChannel::internal(KEY, &url).unwrap();
    assert!(!format!("{channel:?}").contains(KEY));
    harness.alerts().add_channel(channel).unwrap();
    fire(&harness);
    harness.deliver_notifications();
    let fingerprint = harness.alerts().list()[0].fingerprint;
    assert!(
        harness
            .alerts()
            .acknowledge(fingerprint, "ada", "on it", None)
    );
    harness.advance(Duration::from_secs(2));
    harness.deliver_notifications();
    end(&harness);
    harness.deliver_notifications();
    let seen = peer.seen();
    assert!(seen.iter().all(|it| it.target == "/v2/enqueue"));
    let bodies: Vec<Value> = seen.iter().map(body).collect();
    let actions: Vec<_> = bodies
        .iter()
        .map(|it| it["event_action"].as_str().unwrap())
        .collect();
    assert_eq!(actions, ["trigger", "acknowledge", "resolve"]);
    for body in &bodies {
        assert_eq!(body["routing_key"], KEY);
        assert_eq!(body["dedup_key"], format!("harness/{fingerprint:016x}"));
    }
    let payload = &bodies[0]["payload"];
    assert_eq!(payload["summary"], "hot: It is 35 degrees in oven");
    assert_eq!(payload["severity"], "critical");
    assert_eq!(payload["source"], "harness");
    assert_eq!(
        bodies[0]["links"][0]["href"],
        "https://wiki.example/hot?a=b&c"
    );
    assert_eq!(status(&harness, "pagerduty").delivered, 3);
}

#[test]
fn a_webhook_has_the_form_of_alertmanagers() {
    let peer = Peer::always(Reply::status(200));
    let harness = harness();
    let url = format!("http://{}/a", peer.address());
    let channel = WebhookChannel::internal("mine", &url)
        .unwrap()
        .secret("hush");
    harness.alerts().add_channel(channel).unwrap();
    heat(&harness, "attic", 31.0);
    fire(&harness);
    harness.deliver_notifications();
    let seen = peer.seen();
    let body = body(&seen[0]);
    assert_eq!(body["version"], "4");
    assert_eq!(body["status"], "firing");
    assert_eq!(body["receiver"], "mine");
    assert_eq!(body["groupLabels"]["alertname"], "hot");
    assert_eq!(body["commonLabels"]["severity"], "critical");
    assert!(body["commonLabels"].get("room").is_none());
    assert_eq!(body["alerts"].as_array().unwrap().len(), 2);
    assert_eq!(body["alerts"][0]["endsAt"], "0001-01-01T00:00:00Z");
    let id = seen[0].header("idempotency-key").unwrap();
    assert_eq!(body["id"], id);
    let signature = seen[0].header("x-watchpost-signature").unwrap();
    let (time, digest) = signature.split_once(",v1=").unwrap();
    assert!(time.starts_with("t=") && digest.len() == 64, "{signature}");
}

#[test]
fn all_peers_of_an_alertmanager_get_what_fires_again_and_again() {
    let peers = [
        Peer::always(Reply::status(200)),
        Peer::always(Reply::status(503)),
    ];
    let urls = peers
        .iter()
        .map(|peer| format!("http://{}", peer.address()));
    let harness = harness();
    harness
        .alerts()
        .add_channel(AlertmanagerChannel::new(urls).unwrap())
        .unwrap();
    fire(&harness);
    for _ in 0..4 {
        harness.deliver_notifications();
        harness.advance(Duration::from_secs(60));
    }
    for peer in &peers {
        let seen = peer.seen();
        assert!(seen.len() >= 4, "{}", seen.len());
        assert!(seen.iter().all(|it| it.target == "/api/v2/alerts"));
        let labels = &body(&seen[0])[0]["labels"];
        assert_eq!(labels["service_name"], "harness");
        assert_eq!(labels["alertname"], "hot");
    }
    let status = status(&harness, "alertmanager");
    assert_eq!((status.emitted, status.delivered), (1, 1));
}

#[test]
fn a_receiver_that_hangs_stops_neither_rules_nor_others() {
    let hanging = Peer::always(Reply::Hang);
    let working = Peer::always(Reply::status(200));
    let second = Duration::from_secs(1);
    let monitor = Monitor::builder("host")
        .env(false)
        .console(false)
        .history(watchpost::history::HistoryConfig::default().interval(second))
        .alerts(config().interval(second))
        .build()
        .unwrap();
    monitor
        .alerts()
        .add_channel(Boxed(slack(&hanging)))
        .unwrap();
    let url = format!("http://{}/", working.address());
    monitor
        .alerts()
        .add_channel(WebhookChannel::internal("working", &url).unwrap())
        .unwrap();
    for name in ["one", "two"] {
        let query = MetricQuery::last("heat").total();
        let rule = Rule::threshold(name, query, Bound::above(30.0)).severity(Severity::Critical);
        monitor.alerts().add_rule(rule).unwrap();
    }
    monitor.metrics().gauge("heat").build().set(40.0);
    hanging.await_seen(1, Duration::from_secs(60));
    working.await_seen(2, Duration::from_secs(60));
    let report = monitor.shutdown_blocking(Duration::from_secs(3));
    assert!(report.is_ok());
}

#[test]
fn nothing_is_lost_by_a_restart_and_a_retry_has_the_same_key() {
    let directory = tempfile::tempdir().unwrap();
    let peer = Peer::replies([Reply::status(503), Reply::status(200)]);
    let url = format!("http://{}/", peer.address());
    let start = || {
        let harness = with_rule(Harness::with(|builder| {
            builder.data_dir(directory.path()).alerts(config())
        }));
        let channel = WebhookChannel::internal("mine", &url).unwrap();
        harness.alerts().add_channel(channel).unwrap();
        harness
    };
    let harness = start();
    fire(&harness);
    harness.deliver_notifications();
    assert_eq!(status(&harness, "mine").spooled, 1);
    drop(harness);
    // After the restart the alert fires on, and nothing is announced again.
    let harness = start();
    fire(&harness);
    harness.advance(Duration::from_secs(60));
    harness.deliver_notifications();
    let after = status(&harness, "mine");
    assert_eq!((after.emitted, after.delivered), (1, 1));
    let seen = peer.seen();
    let keys: Vec<_> = seen
        .iter()
        .map(|it| it.header("idempotency-key").unwrap())
        .collect();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1]);
    assert_eq!(seen[0].body, seen[1].body);
    // The log is kept too.
    assert_eq!(harness.alerts().deliveries().len(), 2);
}

#[test]
fn alerts_go_to_the_channels_that_the_routes_name() {
    let peer = Peer::always(Reply::status(200));
    let harness = harness();
    let url = format!("http://{}/", peer.address());
    for name in ["one", "two"] {
        let channel = WebhookChannel::internal(name, &url).unwrap();
        harness.alerts().add_channel(channel).unwrap();
    }
    let alerts = harness.alerts();
    assert!(alerts.set_routes([AlertRoute::to(["three"])]).is_err());
    assert!(
        alerts
            .add_channel(WebhookChannel::internal("one", &url).unwrap())
            .is_err()
    );
    assert!(
        alerts
            .add_channel(WebhookChannel::internal("Not/A/Name", &url).unwrap())
            .is_err()
    );
    let routes = [
        AlertRoute::to(["two"]).matching(["room=oven".parse().unwrap()]),
        AlertRoute::to(["one"]).severity(Severity::Critical),
    ];
    alerts.set_routes(routes).unwrap();
    heat(&harness, "attic", 31.0);
    fire(&harness);
    harness.deliver_notifications();
    for (name, room) in [("one", "attic"), ("two", "oven")] {
        assert_eq!(status(&harness, name).delivered, 1);
        let seen = peer.seen();
        let mine = seen
            .iter()
            .map(body)
            .find(|it| it["receiver"] == name)
            .unwrap();
        assert_eq!(mine["alerts"][0]["labels"]["room"], room);
    }
}

#[test]
fn a_private_address_and_plain_text_are_refused_unless_allowed() {
    let peer = Peer::always(Reply::status(200));
    let port = peer.address().port();
    assert!(SlackChannel::new(&format!("http://127.0.0.1:{port}/hush")).is_err());
    let harness = harness();
    for (n, host) in [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "2130706433",
        "0x7f000001",
    ]
    .iter()
    .enumerate()
    {
        let url = format!("https://{host}:{port}/");
        let name = format!("c{n}");
        harness
            .alerts()
            .add_channel(WebhookChannel::new(name, &url).unwrap())
            .unwrap();
    }
    let metadata = "http://169.254.169.254/latest/";
    let channel = WebhookChannel::internal("metadata", metadata).unwrap();
    harness.alerts().add_channel(channel).unwrap();
    fire(&harness);
    harness.deliver_notifications();
    for channel in harness.alerts().channels() {
        let problem = channel.problem.unwrap();
        assert!(
            problem.contains("not allowed"),
            "{}: {problem}",
            channel.name
        );
    }
    assert!(peer.seen().is_empty());
}

/// A channel of the host that panics, and one that blocks its thread.
struct Bad(&'static str, Arc<AtomicU64>);

impl Channel for Bad {
    fn name(&self) -> &str {
        self.0
    }

    fn deliver<'a>(&'a self, _: &'a Notification) -> DeliveryFuture<'a> {
        self.1.fetch_add(1, SeqCst);
        assert_ne!(self.0, "panics", "a channel that panics");
        Box::pin(async { Err(DeliveryError::rejected("no")) })
    }
}

#[test]
fn a_channel_that_panics_is_tried_again() {
    let harness = harness();
    let calls = Arc::new(AtomicU64::new(0));
    harness
        .alerts()
        .add_channel(Bad("panics", Arc::clone(&calls)))
        .unwrap();
    fire(&harness);
    harness.deliver_notifications();
    let panicked = status(&harness, "panics");
    assert_eq!(panicked.problem.as_deref(), Some("the channel panicked"));
    harness.advance(Duration::from_secs(2));
    harness.deliver_notifications();
    assert_eq!(calls.load(SeqCst), 2);
    assert_eq!(status(&harness, "panics").spooled, 1);
}

#[tokio::test]
async fn a_channel_can_be_tested() {
    let peer = Peer::replies([
        Reply::Answer(200, Vec::new(), b"ok".to_vec()),
        Reply::status(404),
    ]);
    let monitor = Monitor::builder("host")
        .env(false)
        .console(false)
        .alerts(config())
        .build()
        .unwrap();
    monitor.alerts().add_channel(Boxed(slack(&peer))).unwrap();
    monitor.alerts().test_channel("slack").await.unwrap();
    let text = String::from_utf8(peer.seen()[0].body.clone()).unwrap();
    assert!(text.contains("[TEST] channel-test of host"), "{text}");
    let error = monitor.alerts().test_channel("slack").await.unwrap_err();
    assert!(error.to_string().contains("status 404"), "{error}");
    let error = monitor.alerts().test_channel("mail").await.unwrap_err();
    assert!(error.to_string().contains("there are: slack"), "{error}");
}

#[test]
fn the_settings_add_channels_and_show_no_secret() {
    let peer = Peer::always(Reply::Answer(200, Vec::new(), b"ok".to_vec()));
    let url = format!("http://{}/hush", peer.address());
    let second = Duration::from_secs(1);
    let monitor = Monitor::builder("host")
        .env(false)
        .console(false)
        .history(watchpost::history::HistoryConfig::default().interval(second))
        .alerts(
            config()
                .interval(second)
                .internal_receivers(true)
                .slack_webhook_url(&url)
                .pagerduty_routing_key("hush")
                .pagerduty_service_id("P1")
                .webhook_url(&url)
                .heartbeat_url(format!("{url}/beat")),
        )
        .build()
        .unwrap();
    let names = monitor.alerts().channels();
    let names: Vec<_> = names.iter().map(|it| &*it.name).collect();
    assert_eq!(names, ["slack", "webhook"]);
    let notices = monitor.report().to_string();
    assert!(notices.contains("PAGERDUTY_SERVICE_ID"), "{notices}");
    assert!(
        notices.contains("alerts.pagerduty_routing_key"),
        "{notices}"
    );
    assert!(!notices.contains("hush"), "{notices}");
    peer.await_seen(1, Duration::from_secs(60));
    assert_eq!(peer.seen()[0].target, "/hush/beat");
    let shown = format!("{:?}", monitor.alerts());
    assert!(!shown.contains("hush"));
}
