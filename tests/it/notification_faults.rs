//! Notifications while rules change, channels fail and the process ends.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use serde_json::Value;
use watchpost::alerts::{
    AlertRoute, AlertmanagerChannel, AlertsConfig, Bound, Channel, ChannelStatus, DeliveryFuture,
    MissingData, Notification, PagerDutyChannel, Rule, Severity, SlackChannel, WebhookChannel,
};
use watchpost::history::{HistoryConfig, MetricQuery};
use watchpost::testing::Harness;
use watchpost::{Monitor, MonitorGuard};

use crate::peer::{Peer, Reply};
use crate::support::{output_of_one_test, test_command};

const STEP: Duration = Duration::from_secs(30);
const SECOND: Duration = Duration::from_secs(1);
const KEY: &str = "0123456789abcdef0123456789abcdef";

fn config() -> AlertsConfig {
    AlertsConfig::default()
        .default_rules(false)
        .group_wait(Duration::ZERO)
        .group_interval(SECOND)
}

fn harness() -> Harness {
    Harness::with(|builder| builder.alerts(config()))
}

fn hot() -> Rule {
    Rule::threshold("hot", MetricQuery::last("heat").total(), Bound::above(30.0))
        .severity(Severity::Critical)
        .missing_data(MissingData::Resolve)
        .label("team", "kitchen")
        .annotation("summary", "It is {{ $value }} degrees")
}

/// Sets the value that the rule reads, and evaluates.
fn heat(harness: &Harness, degrees: f64) {
    harness.metrics().gauge("heat").build().set(degrees);
    harness.advance(STEP);
    harness.snapshot();
    harness.evaluate_alerts();
}

fn status(monitor: &Monitor, channel: &str) -> ChannelStatus {
    let all = monitor.alerts().channels();
    let status = all.into_iter().find(|it| it.name == channel).unwrap();
    let dropped: u64 = status.dropped.iter().map(|(_, count)| count).sum();
    let settled = status.delivered + status.spooled + dropped;
    assert_eq!(status.emitted, settled, "{status:?}");
    status
}

fn bodies(peer: &Peer) -> Vec<Value> {
    let seen = peer.seen();
    let body = |body: &[u8]| serde_json::from_slice(body).unwrap();
    seen.iter().map(|it| body(&it.body)).collect()
}

fn pagerduty(peer: &Peer) -> PagerDutyChannel {
    PagerDutyChannel::internal(KEY, &format!("http://{}", peer.address())).unwrap()
}

/// The actions that PagerDuty was asked for.
fn actions(peer: &Peer) -> Vec<String> {
    let action = |body: &Value| body["event_action"].as_str().unwrap().to_owned();
    bodies(peer).iter().map(action).collect()
}

#[test]
fn the_end_arrives_whatever_has_changed_since_the_begin() {
    type Change = fn(&Harness);
    let changes: [(&str, Change); 5] = [
        ("the severity", |harness| {
            let rule = hot().severity(Severity::Warning);
            harness.alerts().add_rule(rule).unwrap();
        }),
        ("the labels", |harness| {
            let rule = hot().label("team", "other");
            harness.alerts().add_rule(rule).unwrap();
        }),
        ("the rule is gone", |harness| {
            assert!(harness.alerts().remove_rule("hot"));
        }),
        ("the routes", |harness| {
            let routes = [AlertRoute::to(Vec::<String>::new())];
            harness.alerts().set_routes(routes).unwrap();
        }),
        ("nothing", |_| {}),
    ];
    for (what, change) in changes {
        let pager = Peer::always(Reply::status(202));
        let cluster = Peer::always(Reply::status(200));
        let harness = harness();
        let alerts = harness.alerts();
        alerts.add_channel(pagerduty(&pager)).unwrap();
        let url = format!("http://{}", cluster.address());
        alerts
            .add_channel(AlertmanagerChannel::new([url]).unwrap())
            .unwrap();
        alerts.add_rule(hot()).unwrap();
        heat(&harness, 35.0);
        harness.deliver_notifications();
        change(&harness);
        heat(&harness, 20.0);
        harness.advance(2 * SECOND);
        harness.deliver_notifications();
        assert_eq!(actions(&pager), ["trigger", "resolve"], "{what}");
        // An Alertmanager knows an alert by its labels.
        let bodies = bodies(&cluster);
        let labels = |it: &Value| it[0]["labels"].clone();
        let first = labels(&bodies[0]);
        assert_eq!(first["team"], "kitchen");
        assert_eq!(labels(bodies.last().unwrap()), first, "{what}");
        for channel in ["pagerduty", "alertmanager"] {
            let status = status(&harness, channel);
            assert_eq!((status.emitted, status.delivered), (2, 2), "{what}");
        }
    }
}

#[test]
fn a_refused_alert_does_not_stop_later_ones() {
    // The receiver refuses everything that contains the alert `bad`.
    let cluster = Peer::start(|seen| {
        let is_bad = String::from_utf8_lossy(&seen.body).contains("\"bad\"");
        Reply::status(if is_bad { 400 } else { 200 })
    });
    let harness = harness();
    let alerts = harness.alerts();
    let url = format!("http://{}", cluster.address());
    alerts
        .add_channel(AlertmanagerChannel::new([url]).unwrap())
        .unwrap();
    let bad = MetricQuery::last("heat").total();
    let bad = Rule::threshold("bad", bad, Bound::above(10.0)).severity(Severity::Critical);
    alerts.add_rule(bad).unwrap();
    alerts.add_rule(hot()).unwrap();
    heat(&harness, 20.0);
    harness.deliver_notifications();
    assert_eq!(alerts.dead_letters().len(), 1);
    heat(&harness, 35.0);
    for _ in 0..3 {
        harness.deliver_notifications();
        harness.advance(60 * SECOND);
    }
    let status = status(&harness, "alertmanager");
    assert_eq!((status.delivered, status.failing_since), (1, None));
    let refused = bodies(&cluster);
    let refused = refused.iter().filter(|it| it.to_string().contains("bad"));
    assert_eq!(refused.count(), 1);
}

/// A channel that panics when it is asked for the `asked`th time which severities it supports.
struct Undecided {
    asked: AtomicU64,
    panics_at: u64,
}

impl Channel for Undecided {
    fn name(&self) -> &'static str {
        "undecided"
    }

    fn supports(&self, _: Severity) -> bool {
        let asked = self.asked.fetch_add(1, SeqCst) + 1;
        assert_ne!(asked, self.panics_at, "a planned panic");
        true
    }

    fn deliver<'a>(&'a self, _: &'a Notification) -> DeliveryFuture<'a> {
        Box::pin(async { Ok(()) })
    }
}

#[test]
fn a_channel_is_asked_once_what_it_supports() {
    let undecided = |panics_at| Undecided {
        asked: AtomicU64::new(0),
        panics_at,
    };
    let harness = harness();
    harness.alerts().add_rule(hot()).unwrap();
    let error = harness.alerts().add_channel(undecided(1)).unwrap_err();
    assert!(error.to_string().contains("panicked"), "{error}");
    harness.alerts().add_channel(undecided(4)).unwrap();
    heat(&harness, 35.0);
    harness.deliver_notifications();
    heat(&harness, 20.0);
    harness.advance(2 * SECOND);
    harness.deliver_notifications();
    assert_eq!(status(&harness, "undecided").delivered, 2);
}

#[test]
fn no_announcement_of_a_large_round_vanishes() {
    let peer = Peer::always(Reply::status(200));
    let harness = harness();
    let url = format!("http://{}/", peer.address());
    let channel = WebhookChannel::internal("mine", &url).unwrap();
    harness.alerts().add_channel(channel).unwrap();
    for rule in ["one", "two", "three"] {
        let values = |_: &watchpost::history::History, _| {
            let series = |n: u32| (vec![("series".to_owned(), n.to_string())], 1.0);
            Ok((0..1000).map(series).collect())
        };
        let rule = Rule::custom(rule, values, Bound::above(0.0)).severity(Severity::Critical);
        harness.alerts().add_rule(rule).unwrap();
    }
    harness.advance(STEP);
    harness.evaluate_alerts();
    for _ in 0..4 {
        harness.deliver_notifications();
        harness.advance(2 * SECOND);
    }
    let status = status(&harness, "mine");
    assert_eq!((status.emitted, status.delivered), (3000, 2000));
    let full = status.dropped.iter().find(|(why, _)| *why == "queue_full");
    assert_eq!(full.map(|(_, count)| *count), Some(1000));
}

#[test]
fn an_early_acknowledgement_follows_on_the_trigger() {
    let peer = Peer::always(Reply::status(202));
    let harness = harness();
    let alerts = harness.alerts();
    alerts.add_channel(pagerduty(&peer)).unwrap();
    alerts.add_rule(hot()).unwrap();
    let acknowledge = || {
        let fingerprint = alerts.list()[0].fingerprint;
        assert!(alerts.acknowledge(fingerprint, "ada", "on it", None));
    };
    heat(&harness, 35.0);
    acknowledge();
    for _ in 0..3 {
        harness.deliver_notifications();
        harness.advance(2 * SECOND);
    }
    heat(&harness, 20.0);
    harness.deliver_notifications();
    assert_eq!(actions(&peer), ["trigger", "acknowledge", "resolve"]);
    // One that was never announced, because a silence hides it, has nothing to acknowledge.
    harness.advance(Duration::from_secs(3600));
    let hidden = ["alertname=hot".parse().unwrap()];
    alerts.silence(hidden, 10 * STEP, "bob", "").unwrap();
    heat(&harness, 35.0);
    acknowledge();
    heat(&harness, 20.0);
    harness.deliver_notifications();
    assert_eq!(actions(&peer).len(), 3);
    assert_eq!(status(&harness, "pagerduty").emitted, 3);
}

#[test]
fn a_response_of_slack_that_breaks_off_is_tried_again() {
    for broken in [Reply::Short(200), Reply::ResetInBody(200)] {
        let ok = Reply::Answer(200, Vec::new(), b"ok".to_vec());
        let peer = Peer::replies([broken, ok]);
        let harness = harness();
        let url = format!("http://{}/hush", peer.address());
        let channel = SlackChannel::internal(&url).unwrap();
        harness.alerts().add_channel(channel).unwrap();
        harness.alerts().add_rule(hot()).unwrap();
        heat(&harness, 35.0);
        harness.deliver_notifications();
        let first = status(&harness, "slack");
        assert_eq!((first.spooled, first.delivered), (1, 0), "{first:?}");
        harness.advance(2 * SECOND);
        harness.deliver_notifications();
        assert_eq!(status(&harness, "slack").delivered, 1);
    }
}

#[test]
fn an_alertmanager_has_sixteen_peers_at_most() {
    let urls = |count: u32| (0..count).map(|n| format!("http://alertmanager-{n}:9093"));
    assert!(AlertmanagerChannel::new(urls(16)).is_ok());
    let error = AlertmanagerChannel::new(urls(17)).unwrap_err();
    assert!(error.to_string().contains("more than 16"), "{error}");
    assert!(AlertmanagerChannel::new(["http://alertmanager:99999"]).is_err());
}

/// A monitor whose rules are evaluated each second of the system's clock.
fn monitor(config: AlertsConfig) -> MonitorGuard {
    let monitor = Monitor::builder("host")
        .env(false)
        .console(false)
        .history(HistoryConfig::default().interval(SECOND))
        .alerts(config.interval(SECOND))
        .build()
        .unwrap();
    monitor.metrics().gauge("heat").build().set(35.0);
    monitor
}

#[tokio::test]
async fn a_test_of_a_channel_ends_with_the_monitor() {
    let peer = Peer::always(Reply::Hang);
    let monitor = monitor(config());
    let url = format!("http://{}/", peer.address());
    let channel = SlackChannel::internal(&url).unwrap();
    monitor.alerts().add_channel(channel).unwrap();
    let alerts = monitor.alerts().clone();
    let waiting = tokio::spawn(async move { alerts.test_channel("slack").await });
    while peer.seen().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let _report = monitor.shutdown(5 * SECOND).await;
    let patience = 60 * SECOND;
    let under_way = tokio::time::timeout(patience, waiting).await.unwrap();
    let error = under_way.unwrap().unwrap_err();
    assert!(error.to_string().contains("shut down"), "{error}");
    let after = monitor.alerts().test_channel("slack");
    let after = tokio::time::timeout(patience, after).await.unwrap();
    let error = after.unwrap_err();
    assert!(error.to_string().contains("shut down"), "{error}");
}

#[test]
fn a_channel_that_hangs_takes_no_time_of_others_at_the_end() {
    const GROUPS: usize = 20;
    let hanging = Peer::always(Reply::Hang);
    let working = Peer::always(Reply::status(200));
    // Nothing is due before the end.
    let hour = Duration::from_secs(3600);
    let harness = Harness::with(|builder| builder.alerts(config().group_wait(hour)));
    for (name, peer) in [("hanging", &hanging), ("working", &working)] {
        let url = format!("http://{}/", peer.address());
        let channel = WebhookChannel::internal(name, &url).unwrap();
        harness.alerts().add_channel(channel).unwrap();
    }
    for n in 0..GROUPS {
        let query = MetricQuery::last("heat").total();
        let rule = Rule::threshold(format!("hot-{n}"), query, Bound::above(30.0));
        let rule = rule.severity(Severity::Critical);
        harness.alerts().add_rule(rule).unwrap();
    }
    heat(&harness, 35.0);
    // Each attempt at the hanging one takes two seconds.
    let _report = harness.shutdown_blocking(30 * SECOND);
    assert_eq!(working.seen().len(), GROUPS);
    assert_eq!(status(&harness, "working").delivered, GROUPS as u64);
}

/// A channel that never ends, and tells when its delivery begins and when it is dropped.
struct Endless(mpsc::Sender<&'static str>);

struct TellDrop(mpsc::Sender<&'static str>);

impl Drop for TellDrop {
    fn drop(&mut self) {
        self.0.send("dropped").unwrap();
    }
}

impl Channel for Endless {
    fn name(&self) -> &'static str {
        "endless"
    }

    fn deliver<'a>(&'a self, _: &'a Notification) -> DeliveryFuture<'a> {
        Box::pin(async move {
            let _tell = TellDrop(self.0.clone());
            self.0.send("begun").unwrap();
            std::future::pending().await
        })
    }
}

/// In a process of its own, since it observes the panic hook.
#[test]
fn a_delivery_at_the_end_of_the_process_does_not_panic() {
    const CHILD: &str = "WATCHPOST_TEST_LAST_DELIVERY";
    if std::env::var_os(CHILD).is_none() {
        let name = "notification_faults::a_delivery_at_the_end_of_the_process_does_not_panic";
        let child = test_command(name).env(CHILD, "1").output().unwrap();
        output_of_one_test(&child);
        return;
    }
    let panics = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&panics);
    std::panic::set_hook(Box::new(move |_| {
        count.fetch_add(1, SeqCst);
    }));
    let patience = 60 * SECOND;
    // At once, and with the time that the channel needs to be cut off.
    for deadline in [Duration::ZERO, 10 * SECOND] {
        let (tell, told) = mpsc::channel();
        let monitor = monitor(config());
        monitor.alerts().add_channel(Endless(tell)).unwrap();
        monitor.alerts().add_rule(hot()).unwrap();
        assert_eq!(told.recv_timeout(patience), Ok("begun"));
        let _report = monitor.shutdown_blocking(deadline);
        drop(monitor);
        let mut last = told.recv_timeout(patience);
        while last == Ok("begun") {
            last = told.recv_timeout(patience);
        }
        assert_eq!(last, Ok("dropped"));
        assert_eq!(panics.load(SeqCst), 0, "{deadline:?}");
    }
}
