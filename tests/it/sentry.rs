//! Captured errors sent to a Sentry: contents, timing, and behavior after failures.

use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use watchpost::logs::LogsConfig;
use watchpost::testing::Harness;
use watchpost::{DropReason, EventId, Level, MonitorBuilder, RecordKind, RecordTotals};

use crate::peer::{Peer, Reply, Seen};

const KEY: &str = "0123456789abcdef";
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct Refused(u32);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "attempt {} with token=AKIAIOSFODNN7EXAMPLE", self.0)
    }
}

impl std::error::Error for Refused {}

fn dsn(peer: &Peer) -> String {
    format!("http://{KEY}@{}/base/7", peer.address())
}

fn harness(peer: &Peer, configure: impl FnOnce(MonitorBuilder) -> MonitorBuilder) -> Harness {
    let dsn = dsn(peer);
    // Without any sink of lines: errors have one destination.
    let no_lines = LogsConfig::default().console(false).files(false);
    Harness::in_real_time(|builder| configure(builder.logs(no_lines).sentry_dsn(dsn)))
}

/// A harness with a data directory.
fn storing(peer: &Peer, dir: &Path) -> Harness {
    harness(peer, |builder| builder.data_dir(dir))
}

/// The header of an envelope and its items, each with its type.
fn envelope(seen: &Seen) -> (Value, Vec<(String, Value)>) {
    let text = String::from_utf8(seen.body.clone()).unwrap();
    let mut lines = text.lines();
    let head = serde_json::from_str(lines.next().unwrap()).unwrap();
    let mut items = Vec::new();
    while let Some(line) = lines.next() {
        let item: Value = serde_json::from_str(line).unwrap();
        let payload = lines.next().unwrap();
        assert_eq!(item["length"], payload.len());
        let kind = item["type"].as_str().unwrap().to_owned();
        items.push((kind, serde_json::from_str(payload).unwrap()));
    }
    (head, items)
}

fn event(seen: &Seen) -> Value {
    let (head, items) = envelope(seen);
    let (kind, event) = items.into_iter().next().unwrap();
    assert_eq!(kind, "event");
    assert_eq!(head["event_id"], event["event_id"]);
    event
}

fn id(seen: &Seen) -> String {
    event(seen)["event_id"].as_str().unwrap().to_owned()
}

fn ids(seen: &[Seen]) -> HashSet<String> {
    seen.iter().map(id).collect()
}

fn hex(ids: impl IntoIterator<Item = EventId>) -> HashSet<String> {
    ids.into_iter().map(|id| id.to_string()).collect()
}

/// The totals of captured errors, after a check that they balance.
fn balance(harness: &Harness) -> RecordTotals {
    let totals = harness.totals(RecordKind::Error);
    let settled = totals.delivered() + totals.spooled() + totals.dropped_total();
    assert_eq!(totals.emitted(), settled, "{totals:?}");
    totals
}

#[tokio::test]
async fn an_event_is_sent_in_the_format_of_the_protocol() {
    let peer = Peer::always(Reply::status(200));
    let harness = harness(&peer, |builder| {
        builder.service_version("1.2.3").service_environment("test")
    });
    let error = Refused(3);
    let error = harness
        .error_capture(&error)
        .tag("shard", "s1")
        .extra("password", "hunter2");
    let captured = error.user("u-1").fingerprint("mine").capture();
    let message = harness.capture_message(Level::Warning, "the queue is long");
    assert!(harness.flush(PATIENCE).await);
    let seen = peer.seen();
    assert_eq!(ids(&seen), hex([captured, message]));
    let first = &seen[0];
    assert_eq!(
        (first.method.as_str(), first.target.as_str()),
        ("POST", "/base/api/7/envelope/")
    );
    assert_eq!(
        first.header("content-type"),
        Some("application/x-sentry-envelope")
    );
    let auth = first.header("x-sentry-auth").unwrap();
    assert!(
        auth.starts_with("Sentry sentry_version=7") && auth.contains(KEY),
        "{auth}"
    );
    let event = event(first);
    for (key, value) in [
        ("platform", "native"),
        ("release", "1.2.3"),
        ("environment", "test"),
    ] {
        assert_eq!(event[key], value, "{key}");
    }
    // An event without a level has the level error.
    assert_eq!(event.get("level"), None);
    let value = &event["exception"]["values"][0];
    assert_eq!(
        (&value["type"], &value["module"]),
        (&"Refused".into(), &"it::sentry".into())
    );
    assert_eq!(value["mechanism"]["handled"], true);
    let frames = value["stacktrace"]["frames"].as_array().unwrap();
    assert!(
        frames.iter().any(|frame| frame["in_app"] == true),
        "{frames:?}"
    );
    assert_eq!(event["user"]["id"], "u-1");
    assert_eq!(event["tags"]["shard"], "s1");
    assert_eq!(event["fingerprint"][0], "mine");
    assert_eq!(event["extra"]["password"], "[Filtered]");
    let now = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap()
        .as_secs_f64();
    assert!((event["timestamp"].as_f64().unwrap() - now).abs() < 30.0);
    let second = self::event(&seen[1]);
    assert_eq!(second["logentry"]["message"], "the queue is long");
    assert_eq!(second["level"], "warning");
    assert!(
        seen.iter()
            .all(|seen| !String::from_utf8_lossy(&seen.body).contains("AKIA"))
    );
    assert_eq!(balance(&harness).delivered(), 2);
}

#[tokio::test]
async fn an_outage_and_a_restart_lose_nothing_that_is_stored() {
    let peer = Peer::always(Reply::status(200));
    let dir = tempfile::tempdir().unwrap();
    let mut all = Vec::new();
    peer.refuse();
    let first = storing(&peer, dir.path());
    for n in 0..40 {
        all.push(first.capture_error(&Refused(n)));
    }
    let last = first.capture_error_durable(&Refused(99)).await;
    assert!(last.is_stored());
    all.push(last.id());
    let report = first.shutdown(Duration::from_millis(300)).await;
    assert_eq!(report.totals(RecordKind::Error).spooled(), 41, "{report}");
    assert_eq!(balance(&first).emitted(), 41);
    drop(first);
    for entry in std::fs::read_dir(dir.path().join("errors")).unwrap() {
        let file = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&file).contains("AKIA"));
    }
    let second = storing(&peer, dir.path());
    all.push(second.capture_error(&Refused(100)));
    peer.listen();
    let begun = Instant::now();
    while ids(&peer.seen()).len() < 42 && begun.elapsed() < Duration::from_secs(30) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(ids(&peer.seen()), hex(all));
    assert!(second.flush(PATIENCE).await);
    assert_eq!(balance(&second).delivered(), 42);
    assert_eq!(
        second
            .shutdown(PATIENCE)
            .await
            .totals(RecordKind::Error)
            .dropped_total(),
        0
    );
    drop(second);
    // The acknowledgements are on the disk within a second; events without one are sent again.
    let before = peer.seen().len();
    let third = storing(&peer, dir.path());
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(third.flush(PATIENCE).await);
    let seen = peer.seen();
    assert_eq!(ids(&seen).len(), 42);
    println!("sent again after the restart: {}", seen.len() - before);
    balance(&third);
}

#[tokio::test]
async fn more_than_the_memory_holds_comes_from_the_store() {
    let peer = Peer::always(Reply::status(200));
    let dir = tempfile::tempdir().unwrap();
    peer.refuse();
    let harness = harness(&peer, |builder| {
        builder
            .data_dir(dir.path())
            .backtraces(watchpost::errors::Backtraces::Off)
    });
    let mut all = Vec::new();
    for n in 0..600 {
        let error = Refused(n);
        let error = harness
            .error_capture(&error)
            .extra("much", "x".repeat(4000));
        all.push(error.capture());
        if n % 50 == 49 {
            assert!(harness.capture_error_durable(&Refused(n)).await.is_stored());
        }
    }
    peer.listen();
    let begun = Instant::now();
    while ids(&peer.seen()).len() < 612 && begun.elapsed() < Duration::from_secs(60) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let seen = ids(&peer.seen());
    assert!(hex(all).is_subset(&seen));
    assert_eq!(seen.len(), 612);
    assert!(harness.flush(PATIENCE).await);
    let totals = balance(&harness);
    assert_eq!(totals.delivered(), 612);
    assert!(totals.spooled() > 0, "{totals:?}");
}

#[tokio::test]
async fn rejected_events_are_dropped_and_reported() {
    for (status, reason) in [
        (400, DropReason::SendError),
        (404, DropReason::SendError),
        (413, DropReason::TooLarge),
    ] {
        let peer = Peer::replies([Reply::status(status), Reply::status(200)]);
        let dir = tempfile::tempdir().unwrap();
        let harness = storing(&peer, dir.path());
        harness.capture_error(&Refused(1));
        assert!(harness.flush(PATIENCE).await);
        assert_eq!(balance(&harness).dropped(reason), 1, "{status}");
        harness.capture_error(&Refused(2));
        assert!(harness.flush(PATIENCE).await);
        assert_eq!(peer.seen().len(), 2);
        let (_, items) = envelope(&peer.seen()[1]);
        assert_eq!(items[1].0, "client_report");
        let lost = &items[1].1["discarded_events"][0];
        assert_eq!(
            (&lost["reason"], &lost["quantity"]),
            (&"send_error".into(), &1.into())
        );
        harness.capture_error(&Refused(3));
        assert!(harness.flush(PATIENCE).await);
        assert_eq!(envelope(&peer.seen()[2]).1.len(), 1);
        assert_eq!(balance(&harness).delivered(), 2);
    }
}

#[tokio::test]
async fn rate_limits_are_obeyed_with_every_status() {
    let limited = |status| Reply::with(status, "x-sentry-rate-limits", "1:error:key, 90:span:key");
    for status in [200, 429] {
        let peer = Peer::replies([limited(status), Reply::status(200)]);
        let harness = harness(&peer, |builder| builder);
        let first = harness.capture_error(&Refused(1));
        let seen = peer.await_seen(1, PATIENCE);
        let second = harness.capture_error(&Refused(2));
        let left = if status == 200 { 2 } else { 3 };
        let seen_later = peer.await_seen(left, PATIENCE);
        let (one, two) = (seen[0].at.unwrap(), seen_later[1].at.unwrap());
        let wait = two.duration_since(one);
        assert!(wait > Duration::from_millis(900), "{status}: {wait:?}");
        assert!(harness.flush(PATIENCE).await);
        assert_eq!(ids(&peer.seen()), hex([first, second]));
        assert_eq!(balance(&harness).delivered(), 2);
    }
}

#[tokio::test]
async fn limits_of_other_categories_and_unknown_keys_are_handled() {
    let other = Reply::with(
        200,
        "x-sentry-rate-limits",
        "86400:transaction;span:organization",
    );
    let peer = Peer::always(other);
    let quick = harness(&peer, |builder| builder);
    for n in 0..3 {
        quick.capture_error(&Refused(n));
    }
    assert!(quick.flush(PATIENCE).await);
    assert_eq!(balance(&quick).delivered(), 3);
    // With an unknown key, there is no immediate retry and the event is kept.
    let peer = Peer::always(Reply::status(403));
    let dir = tempfile::tempdir().unwrap();
    let kept = storing(&peer, dir.path());
    kept.capture_error(&Refused(1));
    assert!(!kept.flush(Duration::from_millis(500)).await);
    assert!(!kept.flush(Duration::from_millis(300)).await);
    assert_eq!(peer.seen().len(), 1);
    let report = kept.shutdown(Duration::from_millis(200)).await;
    assert_eq!(report.totals(RecordKind::Error).spooled(), 1);
}

#[tokio::test]
async fn before_send_may_change_drop_and_panic() {
    let peer = Peer::always(Reply::status(200));
    let dsn = dsn(&peer);
    let harness = Harness::in_real_time(|builder| {
        builder.sentry_dsn(dsn).before_send(|event| {
            let message = event.causes[0].message.clone();
            assert!(!message.contains("attempt 2 "), "a planned panic");
            event.tags.push(("seen".to_owned(), "yes".to_owned()));
            event.user.clear();
            !message.contains("attempt 1 ")
        })
    });
    let sent: Vec<_> = (0..5).map(|n| harness.capture_error(&Refused(n))).collect();
    assert!(harness.flush(PATIENCE).await);
    let seen = peer.seen();
    assert_eq!(ids(&seen), hex([sent[0], sent[3], sent[4]]));
    assert!(seen.iter().all(|seen| event(seen)["tags"]["seen"] == "yes"));
    let totals = balance(&harness);
    assert_eq!(
        (
            totals.dropped(DropReason::BeforeSend),
            totals.dropped(DropReason::Panic)
        ),
        (1, 1)
    );
    assert_eq!(totals.delivered(), 5 + 3, "lines and events");
    assert!(
        harness
            .written()
            .contains("the hook given to `.before_send(..)` panicked")
    );
}

#[tokio::test]
async fn no_fault_of_the_server_blocks_the_host() {
    for reply in [
        Reply::Hang,
        Reply::Reset,
        Reply::Garbage,
        Reply::Short(200),
        Reply::status(500),
        Reply::Huge(500, 1 << 30),
    ] {
        let peer = Peer::always(reply.clone());
        let dir = tempfile::tempdir().unwrap();
        let harness = storing(&peer, dir.path());
        let begun = Instant::now();
        for n in 0..50 {
            harness.capture_error(&Refused(n));
        }
        assert!(begun.elapsed() < Duration::from_millis(500));
        let begun = Instant::now();
        harness.flush(Duration::from_millis(300)).await;
        let report = harness.shutdown(Duration::from_millis(300)).await;
        assert!(begun.elapsed() < Duration::from_millis(900), "{reply:?}");
        let totals = report.totals(RecordKind::Error);
        assert_eq!(totals.in_flight(), 0, "{report}");
        assert_eq!(
            totals.spooled() + totals.delivered(),
            50,
            "{reply:?}: {report}"
        );
        let before = Instant::now();
        drop(harness);
        assert!(before.elapsed() < Duration::from_millis(200));
    }
}
