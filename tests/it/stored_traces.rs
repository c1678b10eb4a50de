//! Kept traces in the data directory.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use futures_util::FutureExt as _;
use http::Request;
use tracing_subscriber::prelude::*;
use watchpost::logs::LogQuery;
use watchpost::testing::Harness;
use watchpost::trace::{KeptTrace, StoredTraceQuery, TraceConfig, TraceLookup};
use watchpost::{Access, KeepReason, Monitor, TraceId};

use crate::support::{get_request, on_a_small_disk, send, test_command};

/// A harness that keeps every trace in this data directory.
fn open(dir: &Path, trace: impl FnOnce(TraceConfig) -> TraceConfig) -> Harness {
    Harness::with(|builder| {
        let all = TraceConfig::default().max_per_second(1_000_000);
        builder.data_dir(dir).trace(trace(all))
    })
}

fn app(harness: &Harness) -> Router {
    let monitor = (**harness).clone();
    let handler = async move || {
        let subscriber = tracing_subscriber::registry().with(monitor.tracing_layer());
        tracing::subscriber::with_default(subscriber, || {
            let _span = tracing::info_span!("load", order = 17, password = "hunter2").entered();
            tracing::warn!(ratio = 0.5, late = true, "it is late, token=hunter2");
        });
        "done"
    };
    Router::new()
        .route("/orders/{id}", get(handler))
        .route("/fail", get(async || http::StatusCode::BAD_GATEWAY))
        .layer(
            harness
                .layer()
                .allow_headers([http::HeaderName::from_static("x-request-id")]),
        )
}

/// Makes a trace with a span, an event and texts with secrets, and returns its ID.
async fn make_trace(harness: &Harness, path: &str) -> TraceId {
    harness.advance(Duration::from_millis(7));
    send(&app(harness), get_request(path)).await.trace_id()
}

/// Waits until everything so far is on disk or was dropped.
async fn flush(monitor: &Monitor) {
    assert!(monitor.flush(Duration::from_secs(30)).await);
}

/// Ends a monitor, so that the next one gets its data directory.
async fn end(harness: Harness) {
    let report = harness.shutdown(Duration::from_secs(30)).await;
    assert!(report.is_complete(), "{report}");
    drop(harness);
}

async fn found(monitor: &Monitor, id: TraceId) -> KeptTrace {
    match monitor.find_trace(id).await.unwrap() {
        TraceLookup::Found(trace) => *trace,
        other => panic!("{other:?}"),
    }
}

/// The stored traces that a query finds, page by page.
async fn stored(monitor: &Monitor, mut query: StoredTraceQuery) -> Vec<TraceId> {
    let mut all = Vec::new();
    loop {
        let stored = monitor.stored_traces(&query).await.unwrap();
        all.extend(stored.traces.iter().map(|trace| trace.trace_id));
        let Some(next) = stored.next else {
            return all;
        };
        query = query.before(next);
    }
}

/// A counter of the store.
fn count(harness: &Harness, name: &str) -> f64 {
    harness
        .page()
        .sum(&format!("watchpost_traces_store_{name}_total"), &[])
}

fn assert_counts(harness: &Harness) {
    let [emitted, stored, dropped] = ["emitted", "stored", "dropped"].map(|it| count(harness, it));
    assert!(
        (emitted - stored - dropped).abs() < 0.5,
        "{emitted} {stored} {dropped}"
    );
}

/// The files in which traces are stored, in the order of their names.
fn files(dir: &Path) -> Vec<std::path::PathBuf> {
    let all = fs::read_dir(dir.join("traces")).unwrap();
    let mut all: Vec<_> = all.map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

fn health(harness: &Harness) -> String {
    let details = harness.health().details(Access::open_to_anyone());
    let request = Request::get("/health").body(String::new()).unwrap();
    let response = tower::ServiceExt::oneshot(details, request).now_or_never();
    let body = response.unwrap().unwrap().into_body();
    let body = http_body_util::BodyExt::collect(body).now_or_never();
    String::from_utf8(body.unwrap().unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn a_trace_is_found_after_a_restart_as_it_was_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let harness = open(dir.path(), |trace| trace);
    let mut before = Vec::new();
    for n in 0..5 {
        let id = make_trace(&harness, &format!("/orders/{n}?code=hunter2&page=2")).await;
        flush(&harness).await;
        before.push(harness.recent_trace(id).unwrap());
    }
    assert_eq!(before[0].spans.len(), 2);
    assert!(before[0].spans.iter().any(|span| !span.events.is_empty()));
    assert_counts(&harness);
    assert!(count(&harness, "stored") > 4.5);
    end(harness).await;
    for file in files(dir.path()) {
        let bytes = fs::read(file).unwrap();
        assert!(!bytes.windows(7).any(|part| part == b"hunter2"));
    }

    let harness = open(dir.path(), |trace| trace);
    assert!(harness.recent_traces().is_empty());
    for trace in &before {
        assert_eq!(found(&harness, trace.trace_id).await, *trace);
    }
    let newest_first: Vec<_> = before.iter().rev().map(|trace| trace.trace_id).collect();
    for page in [1, 2, 5, 100] {
        let query = StoredTraceQuery::default().limit(page);
        assert_eq!(
            stored(&harness, query).await,
            newest_first,
            "pages of {page}"
        );
    }
    let page = StoredTraceQuery::default().limit(2);
    let page = harness.stored_traces(&page).await.unwrap();
    let newest = &page.traces[0];
    assert_eq!(
        (&*newest.name, &*newest.route),
        ("GET /orders/{id}", "/orders/{id}")
    );
    assert_eq!((newest.status_code, newest.is_error), (Some(200), false));
    assert_eq!(
        (newest.kept, newest.start),
        (before[4].kept, before[4].start)
    );
    assert_eq!(page.stored_since, Some(before[0].start));
    // A new trace is first.
    let new = make_trace(&harness, "/orders/9").await;
    flush(&harness).await;
    assert_eq!(found(&harness, new).await.trace_id, new);
    let query = StoredTraceQuery::default().limit(3);
    let all = stored(&harness, query).await;
    assert_eq!((all[0], &all[1..]), (new, &newest_first[..]));
    let never = harness.find_trace(TraceId::from_u128(7)).await.unwrap();
    let stored_since = Some(before[0].start);
    assert_eq!(never, TraceLookup::NotFound { stored_since });
}

#[tokio::test]
async fn a_trace_is_found_by_its_request_and_from_its_log_lines_and_back() {
    let dir = tempfile::tempdir().unwrap();
    let harness = open(dir.path(), |trace| trace);
    let request_ids = [
        "order-17",
        "0e1f7a5c-3b7e-4a36-9c1d-2f5a6b7c8d9e",
        "4f9c61a0b2d84e7f9c61a0b2d84e7f11",
    ];
    let mut traces = Vec::new();
    for id in request_ids {
        let request = Request::get("/orders/1").header("x-request-id", id);
        let request = request.body(axum::body::Body::empty()).unwrap();
        traces.push(send(&app(&harness), request).await.trace_id());
    }
    let failed = send(&app(&harness), get_request("/fail")).await.trace_id();
    flush(&harness).await;
    // From a line to its trace, and from the trace to its lines.
    let line = harness.recent_logs(&LogQuery::default().trace_id(traces[1]));
    let trace = found(&harness, line.records[0].trace_id).await;
    assert_eq!(trace.trace_id, traces[1]);
    let root = trace.spans.iter().find(|span| span.is_root).unwrap();
    assert!(line.records.iter().any(|line| line.span_id == root.span_id));
    end(harness).await;
    let harness = open(dir.path(), |trace| trace);
    for (id, trace) in request_ids.iter().zip(&traces) {
        let query = StoredTraceQuery::default().request_id(*id);
        assert_eq!(stored(&harness, query).await, [*trace], "{id}");
    }
    let query = StoredTraceQuery::default().status(500..=599);
    let errors = harness.stored_traces(&query).await.unwrap().traces;
    assert_eq!((errors.len(), errors[0].trace_id), (1, failed));
    assert!(errors[0].is_error && errors[0].request_id.is_empty());
    let query = StoredTraceQuery::default().kept(KeepReason::Error);
    assert_eq!(stored(&harness, query).await, [failed]);
    let query = StoredTraceQuery::default().route("/fail");
    assert_eq!(stored(&harness, query).await, [failed]);
}

#[tokio::test]
async fn without_a_data_directory_traces_are_in_memory_alone() {
    for harness in [Harness::with(|builder| builder.trace_ratio(1.0)), {
        let dir = tempfile::tempdir().unwrap();
        let harness = open(dir.path(), |trace| trace.max_stored_bytes(0));
        assert!(!dir.path().join("traces").exists());
        harness
    }] {
        let id = make_trace(&harness, "/orders/1").await;
        flush(&harness).await;
        // Nothing is awaited.
        let lookup = harness.find_trace(id).now_or_never().unwrap().unwrap();
        assert!(matches!(lookup, TraceLookup::Found(_)));
        let lookup = harness.find_trace(TraceId::from_u128(7)).now_or_never();
        let stored_since = None;
        assert_eq!(
            lookup.unwrap().unwrap(),
            TraceLookup::NotFound { stored_since }
        );
        let stored = harness.stored_traces(&StoredTraceQuery::default());
        let stored = stored.now_or_never().unwrap().unwrap();
        assert!(stored.traces.is_empty() && stored.next.is_none());
        assert!(!health(&harness).contains("traces.store"));
    }
}

#[tokio::test]
async fn two_monitors_with_one_directory_have_traces_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (open(dir.path(), |it| it), open(dir.path(), |it| it));
    let mut ids = Vec::new();
    for harness in [&one, &other] {
        ids.push(make_trace(harness, "/orders/1").await);
        flush(harness).await;
    }
    for (harness, id) in [&one, &other].into_iter().zip(&ids) {
        let all = stored(harness, StoredTraceQuery::default()).await;
        assert_eq!(all, [*id]);
        assert_counts(harness);
    }
}

#[tokio::test]
async fn a_trace_that_left_the_memory_is_read_from_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let harness = open(dir.path(), |trace| trace.recent_bytes(4096));
    let mut ids = Vec::new();
    for n in 0..50 {
        ids.push(make_trace(&harness, &format!("/orders/{n}-{}", "x".repeat(300))).await);
    }
    flush(&harness).await;
    assert!(harness.recent_traces().len() < 10);
    for id in ids {
        let trace = found(&harness, id).await;
        assert_eq!((trace.trace_id, trace.spans.len()), (id, 2));
    }
    assert_counts(&harness);
}

#[tokio::test]
async fn a_store_that_is_removed_or_refuses_is_used_again_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let harness = open(dir.path(), |trace| trace);
    let first = make_trace(&harness, "/orders/1").await;
    flush(&harness).await;
    let path = dir.path().join("traces");
    assert!(health(&harness).contains("traces.store"));
    // A file is in its place: traces are in memory alone.
    fs::remove_dir_all(&path).unwrap();
    fs::write(&path, "in the way").unwrap();
    let second = make_trace(&harness, "/orders/2").await;
    flush(&harness).await;
    assert_eq!(found(&harness, second).await.trace_id, second);
    let said = harness.notices().concat();
    assert!(said.contains("kept traces are in memory alone"), "{said}");
    let refused = "the data directory refuses kept traces";
    assert!(health(&harness).contains(refused), "{}", health(&harness));
    // The file is gone: the next attempt writes what has waited.
    fs::remove_file(&path).unwrap();
    let give_up = Instant::now() + Duration::from_secs(30);
    while health(&harness).contains(refused) {
        assert!(Instant::now() < give_up, "{}", health(&harness));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_counts(&harness);
    end(harness).await;
    let harness = open(dir.path(), |trace| trace);
    assert_eq!(
        stored(&harness, StoredTraceQuery::default()).await,
        [second]
    );
    let lookup = harness.find_trace(first).await.unwrap();
    assert!(matches!(lookup, TraceLookup::NotFound { .. }), "{lookup:?}");
}

#[test]
fn a_full_disk_costs_traces_and_nothing_else() {
    let name = "stored_traces::a_full_disk_costs_traces_and_nothing_else";
    on_a_small_disk(name, "stored: ", |disk| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let harness = open(&disk.join("data"), |trace| trace);
            let mut ids = Vec::new();
            let give_up = Instant::now() + Duration::from_secs(60);
            while !health(&harness).contains("the data directory refuses kept traces") {
                assert!(Instant::now() < give_up, "the disk did not fill");
                for n in 0..50 {
                    ids.push(
                        make_trace(&harness, &format!("/orders/{n}-{}", "x".repeat(300))).await,
                    );
                }
                flush(&harness).await;
            }
            // What was stored before is found.
            assert_eq!(found(&harness, ids[0]).await.trace_id, ids[0]);
            let last = *ids.last().unwrap();
            assert_eq!(found(&harness, last).await.trace_id, last);
            println!("stored: {} traces on 1 MiB", ids.len());
        });
    });
}

/// Names the directory for the child of the following test.
const CHILD: &str = "WATCHPOST_TEST_STORED_TRACES";

#[tokio::test]
async fn kill_9_costs_only_what_was_not_flushed() {
    if let Some(dir) = std::env::var_os(CHILD) {
        let harness = open(Path::new(&dir), |trace| trace);
        loop {
            // Written while the parent kills.
            for _ in 0..50 {
                let id = make_trace(&harness, "/orders/1").await;
                println!("\nmade {id}");
            }
            let id = make_trace(&harness, "/orders/1").await;
            println!("\nmade {id}");
            flush(&harness).await;
            println!("\nflushed {id}");
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let (mut made, mut flushed) = (Vec::new(), Vec::new());
    for life in 1..=4 {
        let mut child = test_command("stored_traces::kill_9_costs_only_what_was_not_flushed")
            .env(CHILD, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let before = flushed.len();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            let id = |text: &str| text.trim().parse::<TraceId>().unwrap();
            if let Some(of) = line.strip_prefix("made ") {
                made.push(id(of));
            } else if let Some(of) = line.strip_prefix("flushed ") {
                flushed.push(id(of));
                if flushed.len() - before == life * 3 {
                    std::thread::sleep(Duration::from_micros(life as u64 * 700));
                    child.kill().unwrap();
                }
            }
        }
        child.wait().unwrap();
    }
    assert!(flushed.len() >= 30, "{flushed:?}");
    let harness = open(dir.path(), |trace| trace);
    for id in &flushed {
        assert_eq!(found(&harness, *id).await.trace_id, *id);
    }
    let all = stored(&harness, StoredTraceQuery::default().limit(1000)).await;
    // The last line of a child may be cut, so up to one trace of each life is not known.
    let unknown = all.iter().filter(|id| !made.contains(id)).count();
    assert!(unknown <= 4 && all.len() >= flushed.len(), "{unknown}");
    let once: std::collections::BTreeSet<_> = all.iter().map(ToString::to_string).collect();
    assert_eq!(once.len(), all.len());
    println!(
        "kill: {} traces made, {} of them stored; {} torn records",
        made.len(),
        all.len(),
        count(&harness, "damaged")
    );
}
