//! The last log records in memory.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use tracing::Level;
use tracing_subscriber::prelude::*;
use watchpost::logs::{LogQuery, LogRecord, LogsConfig};
use watchpost::testing::Harness;
use watchpost::trace::AttributeValue;
use watchpost::{DropReason, Monitor, RecordKind, TraceId};

use crate::support::{get_request, send};

/// Runs code with the monitor's layer as the thread's subscriber.
fn with_events<R>(monitor: &Monitor, run: impl FnOnce() -> R) -> R {
    let subscriber = tracing_subscriber::registry().with(monitor.tracing_layer());
    tracing::subscriber::with_default(subscriber, run)
}

fn messages(records: &[LogRecord]) -> Vec<&str> {
    records.iter().map(|record| &*record.message).collect()
}

fn field<'a>(record: &'a LogRecord, name: &str) -> Option<&'a AttributeValue> {
    let of = record.fields.iter().find(|(key, _)| key == name);
    of.map(|(_, value)| value)
}

fn flush(monitor: &Monitor) {
    assert!(monitor.flush_blocking(Duration::from_secs(20)).unwrap());
}

#[tokio::test]
async fn the_records_of_a_request_are_found_by_its_trace() {
    let harness = Harness::new();
    let monitor = (*harness).clone();
    let handler = async move || {
        with_events(&monitor, || {
            tracing::warn!(order = 17, password = "hunter2", "the order is late");
        });
        monitor.capture_error(&io::Error::other("no token=hunter2 here"));
        (http::StatusCode::INTERNAL_SERVER_ERROR, "no")
    };
    let app = Router::new()
        .route("/orders/{id}", get(handler))
        .layer(harness.layer());
    let other = send(&app, get_request("/orders/1")).await.trace_id();
    let trace = send(&app, get_request("/orders/2?code=hunter2"))
        .await
        .trace_id();
    let lines = harness.lines();
    let found = harness.recent_logs(&LogQuery::default().trace_id(trace));
    let query = LogQuery::default().trace_id(trace).without_requests();
    let others = harness.recent_logs(&query).records;
    let kinds: Vec<_> = others.iter().map(|record| record.kind).collect();
    assert_eq!(kinds, [RecordKind::Error, RecordKind::Log]);
    // Newest first; the clock stands, so the order is that in which they were made.
    let kinds: Vec<_> = found.records.iter().map(|record| record.kind).collect();
    assert_eq!(
        kinds,
        [RecordKind::Request, RecordKind::Error, RecordKind::Log]
    );
    let [request, error, event] = &found.records[..] else {
        panic!("{found:?}");
    };
    assert_eq!(
        (event.level, &*event.message),
        (Level::WARN, "the order is late")
    );
    assert_eq!(field(event, "order"), Some(&AttributeValue::I64(17)));
    assert_eq!(event.route, "/orders/{id}");
    assert!(event.target.ends_with("recent_logs"));
    assert_eq!(event.span_id, request.span_id);
    assert_eq!(error.level, Level::ERROR);
    assert!(field(error, "event_id").is_some());
    assert_eq!((request.level, &*request.target), (Level::ERROR, ""));
    let status = field(request, "http.response.status_code");
    assert_eq!(status, Some(&AttributeValue::I64(500)));
    for record in &found.records {
        assert_eq!(record.trace_id, trace);
        assert_eq!(record.at, harness.now());
        assert!(!format!("{record:?}").contains("hunter2"), "{record:?}");
    }
    // Each field of the line on the console is there, and no other.
    let line = lines.last().unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    let line = line.as_object().unwrap();
    let lifted = [
        "timestamp",
        "level",
        "message",
        "trace_id",
        "span_id",
        "http.route",
    ];
    let mut of_line: Vec<_> = line.keys().map(String::as_str).collect();
    of_line.retain(|key| !lifted.contains(key) && *key != "service.name");
    let mut of_record: Vec<_> = request.fields.iter().map(|(key, _)| &**key).collect();
    of_record.sort_unstable();
    of_line.sort_unstable();
    assert_eq!(of_record, of_line);
    assert_eq!(line["message"], *request.message);
    // The other trace has its own three.
    let all = harness.recent_logs(&LogQuery::default());
    let of_other = all.records.iter().filter(|it| it.trace_id == other);
    assert_eq!((all.records.len(), of_other.count()), (6, 3));
    let none = LogQuery::default().trace_id(TraceId::from_u128(1));
    assert!(harness.recent_logs(&none).records.is_empty());
}

#[test]
fn records_are_selected_by_level_target_and_time_and_the_newest_come_first() {
    let harness = Harness::with(|builder| builder.log_level("trace"));
    with_events(&harness, || {
        for n in 0..3 {
            harness.advance(Duration::from_secs(10));
            tracing::trace!(target: "shop", "trace {n}");
            tracing::debug!(target: "shop::orders", "debug {n}");
            tracing::info!(target: "shopping", "info {n}");
            tracing::warn!(target: "shop::orders::late", "warn {n}");
            tracing::error!(target: "other", "error {n}");
        }
    });
    flush(&harness);
    let found = |query: LogQuery| {
        let found = harness.recent_logs(&query).records;
        found.into_iter().map(|it| it.message).collect::<Vec<_>>()
    };
    let all = found(LogQuery::default());
    assert_eq!(all.len(), 15);
    assert_eq!(all[..2], ["error 2", "warn 2"]);
    let warn = LogQuery::default().level(Level::WARN);
    assert_eq!(
        found(warn.clone().limit(3)),
        ["error 2", "warn 2", "error 1"]
    );
    assert_eq!(found(warn.limit(0)), [""; 0]);
    let shop = found(LogQuery::default().target("shop"));
    assert_eq!(shop.len(), 9);
    assert!(!shop.iter().any(|it| it.starts_with("info")));
    assert_eq!(found(LogQuery::default().target("shop::orders")).len(), 6);
    assert_eq!(found(LogQuery::default().target("sho")).len(), 0);
    let (now, ago) = (harness.now(), harness.now() - Duration::from_secs(10));
    assert_eq!(found(LogQuery::default().since(now)).len(), 5);
    assert_eq!(found(LogQuery::default().until(now)).len(), 10);
    let middle = LogQuery::default().since(ago).until(now);
    assert_eq!(found(middle.level(Level::ERROR)), ["error 1"]);
}

#[test]
fn a_live_tail_gets_each_record_once_and_sees_what_it_missed() {
    let harness =
        Harness::with(|builder| builder.logs(LogsConfig::default().recent_bytes(64 << 10)));
    let (mut seen, mut after) = (Vec::new(), 0);
    for round in 0..20 {
        with_events(&harness, || {
            (0..round).for_each(|n| tracing::info!("{round}.{n}"));
        });
        flush(&harness);
        let found = harness.recent_logs(&LogQuery::default().after(after));
        assert!(found.oldest <= after + 1);
        seen.extend(found.records.into_iter().rev().map(|it| it.message));
        after = found.newest;
    }
    let expected: Vec<_> = (0..20)
        .flat_map(|round| (0..round).map(move |n| format!("{round}.{n}")))
        .collect();
    assert_eq!(seen, expected);
    with_events(&harness, || {
        (0..5000).for_each(|n| tracing::info!("storm {n}"));
    });
    flush(&harness);
    let found = harness.recent_logs(&LogQuery::default().after(after).limit(10_000));
    assert_eq!(found.newest, after + 5000);
    assert!(found.oldest > after + 1);
    assert_eq!(found.records.len() as u64, found.newest + 1 - found.oldest);
    let sequences = found.records.iter().map(|it| it.sequence).rev();
    assert!(sequences.eq(found.oldest..=found.newest));
}

#[test]
fn events_are_in_memory_without_a_console_and_are_counted() {
    let monitor = Monitor::builder("quiet").env(false).console(false).build();
    let monitor = monitor.unwrap();
    with_events(&monitor, || {
        tracing::info!("kept");
        tracing::debug!("below the level");
    });
    flush(&monitor);
    let found = monitor.recent_logs(&LogQuery::default());
    assert_eq!(messages(&found.records), ["kept"]);
    let totals = monitor.totals(RecordKind::Log);
    assert_eq!((totals.emitted(), totals.delivered()), (1, 1));
}

#[test]
fn nothing_is_kept_or_counted_if_the_size_is_zero() {
    let logs = LogsConfig::default().recent_bytes(0).console(false);
    let builder = Monitor::builder("off").env(false).logs(logs);
    let monitor = builder.build().unwrap();
    with_events(&monitor, || tracing::info!("gone"));
    flush(&monitor);
    let found = monitor.recent_logs(&LogQuery::default());
    assert_eq!((found.records.len(), found.newest, found.oldest), (0, 0, 0));
    assert_eq!(monitor.totals(RecordKind::Log).emitted(), 0);
}

/// A console that hangs until its test ends.
struct Hanging(Receiver<()>);

impl Write for Hanging {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        let _end = self.0.recv();
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_blocked_console_does_not_matter_and_what_was_dropped_before_is_missing() {
    let (end, ended) = channel();
    let settings = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        &settings,
        "[worker]\nmax_sink_bytes = \"64KiB\"\nmax_queue_bytes = \"512KiB\"\n",
    )
    .unwrap();
    let monitor = Monitor::builder("blocked")
        .env(false)
        .file(settings.path())
        .console_to(Hanging(ended))
        .build()
        .unwrap();
    let text = "x".repeat(1000);
    // The monitor's own notices are not counted.
    let count = || {
        let all = monitor.recent_logs(&LogQuery::default().limit(LogQuery::MAX_LIMIT));
        let events = all.records.iter();
        events.filter(|it| it.kind == RecordKind::Log).count() as u64
    };
    let wait_for = |expected: u64| {
        let give_up = Instant::now() + Duration::from_secs(20);
        while count() < expected {
            assert!(Instant::now() < give_up, "{} of {expected}", count());
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    // Far more than the sink takes, in portions that the queue takes.
    with_events(&monitor, || {
        for round in 1..=20 {
            (0..10).for_each(|_| tracing::info!(text, "waits"));
            wait_for(round * 10);
        }
    });
    let dropped = |reason| monitor.totals(RecordKind::Log).dropped(reason);
    assert!(dropped(DropReason::QueueOverflow) > 0);
    assert_eq!(count(), 200);
    // More than the queue takes at once: what it drops is not in memory.
    with_events(&monitor, || {
        (0..5000).for_each(|n| tracing::info!(text, "storm {n}"));
        tracing::info!("last");
    });
    drop(end);
    flush(&monitor);
    let totals = monitor.totals(RecordKind::Log);
    assert_eq!(totals.emitted(), 200 + 5001);
    let dropped: u64 = DropReason::ALL.iter().map(|it| totals.dropped(*it)).sum();
    assert_eq!(totals.emitted(), totals.delivered() + dropped);
    assert!(count() <= totals.emitted());
}

#[test]
fn a_huge_line_is_cut_and_a_secret_at_its_end_is_no_secret_in_memory() {
    let harness = Harness::new();
    let huge = "y".repeat(100 << 20);
    with_events(&harness, || {
        tracing::error!(huge, token = "hunter2", "{huge}");
    });
    flush(&harness);
    let found = harness.recent_logs(&LogQuery::default());
    let [record] = &found.records[..] else {
        panic!("{} records", found.records.len());
    };
    assert!(record.message.len() <= 16 << 10);
    let cut = field(record, "truncated");
    assert_eq!(cut, Some(&AttributeValue::Bool(true)));
    assert!(!format!("{record:?}").contains("hunter2"));
}
