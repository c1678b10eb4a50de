//! Kept traces in the data directory.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use futures_util::FutureExt as _;
use tracing_subscriber::prelude::*;
use watchpost::testing::Harness;
use watchpost::trace::{KeptTrace, TraceConfig, TraceLookup};
use watchpost::{Access, Monitor, TraceId};

use crate::support::{get_request, on_a_small_disk, send, test_command};

/// A harness that keeps every trace in this data directory.
fn open(dir: &Path, trace: impl FnOnce(TraceConfig) -> TraceConfig) -> Harness {
    Harness::with(|builder| {
        let all = TraceConfig::default().max_per_second(1_000_000);
        builder.data_dir(dir).trace(trace(all))
    })
}

/// Makes a trace with a span, an event and texts with secrets, and returns its ID.
async fn make_trace(harness: &Harness, path: &str) -> TraceId {
    let monitor = (**harness).clone();
    let handler = async move || {
        let subscriber = tracing_subscriber::registry().with(monitor.tracing_layer());
        tracing::subscriber::with_default(subscriber, || {
            let _span = tracing::info_span!("load", order = 17, password = "hunter2").entered();
            tracing::warn!(ratio = 0.5, late = true, "it is late, token=hunter2");
        });
        "done"
    };
    let app = Router::new()
        .route("/orders/{id}", get(handler))
        .layer(harness.layer());
    harness.advance(Duration::from_millis(7));
    send(&app, get_request(path)).await.trace_id()
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
    match monitor.find_trace(id).await {
        TraceLookup::Found(trace) => trace,
        other => panic!("{other:?}"),
    }
}

/// All stored traces that are not in memory, page by page.
async fn stored(monitor: &Monitor, page: usize) -> Vec<TraceId> {
    let (mut all, mut before) = (Vec::new(), None);
    loop {
        let stored = monitor.stored_traces(before, page).await;
        assert!(stored.is_available && stored.traces.len() <= page);
        all.extend(stored.traces.iter().map(|trace| trace.trace_id));
        before = stored.next;
        if before.is_none() {
            return all;
        }
    }
}

/// A counter of the store.
fn count(harness: &Harness, name: &str) -> f64 {
    harness
        .page()
        .sum(&format!("watchpost_traces_store_{name}_total"), &[])
}

fn assert_counts(harness: &Harness) {
    let [emitted, written, dropped] =
        ["emitted", "written", "dropped"].map(|it| count(harness, it));
    assert!(
        (emitted - written - dropped).abs() < 0.5,
        "{emitted} {written} {dropped}"
    );
}

/// The files in which traces are stored, in the order of their names.
fn files(dir: &Path) -> Vec<std::path::PathBuf> {
    let all = fs::read_dir(dir.join("traces")).unwrap();
    let mut all: Vec<_> = all.map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
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
    // What is in memory is not read from the disk.
    assert_eq!(stored(&harness, 2).await, []);
    assert_counts(&harness);
    assert!(count(&harness, "written") > 4.5);
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
        assert_eq!(
            stored(&harness, page).await,
            newest_first,
            "pages of {page}"
        );
    }
    let page = harness.stored_traces(None, 2).await;
    assert_eq!(page.traces, [before[4].clone(), before[3].clone()]);
    // A new trace is in memory, and does not hide the others.
    let new = make_trace(&harness, "/orders/9").await;
    flush(&harness).await;
    assert_eq!(found(&harness, new).await.trace_id, new);
    assert_eq!(stored(&harness, 3).await, newest_first);
    let never = harness.find_trace(TraceId::from_u128(7)).await;
    let kept_since = Some(before[0].start);
    assert_eq!(never, TraceLookup::NotFound { kept_since });
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
        let lookup = harness.find_trace(id).now_or_never().unwrap();
        assert!(matches!(lookup, TraceLookup::Found(_)));
        let lookup = harness.find_trace(TraceId::from_u128(7)).now_or_never();
        assert_eq!(lookup, Some(TraceLookup::NotFound { kept_since: None }));
        let stored = harness.stored_traces(None, 10).now_or_never().unwrap();
        assert!(stored.is_available && stored.traces.is_empty() && stored.next.is_none());
    }
}

#[tokio::test]
async fn the_oldest_files_make_room_and_removed_traces_are_known() {
    let dir = tempfile::tempdir().unwrap();
    // Memory for about two traces, and the disk for two files.
    let harness = open(dir.path(), |trace| {
        trace.recent_bytes(4096).max_stored_bytes(2 << 20)
    });
    let mut ids = Vec::new();
    let give_up = Instant::now() + Duration::from_secs(60);
    while count(&harness, "evicted") < 1.0 {
        assert!(Instant::now() < give_up, "nothing made room");
        for n in 0..200 {
            ids.push(make_trace(&harness, &format!("/orders/{n}-{}", "x".repeat(3000))).await);
        }
        flush(&harness).await;
    }
    assert_counts(&harness);
    let bytes: u64 = files(dir.path())
        .iter()
        .map(|it| it.metadata().unwrap().len())
        .sum();
    assert!(bytes <= 3 << 20, "{bytes}");
    assert_eq!(harness.find_trace(ids[0]).await, TraceLookup::Removed);
    let evicted = count(&harness, "evicted") as usize;
    assert_eq!(
        harness.find_trace(ids[evicted - 1]).await,
        TraceLookup::Removed
    );
    found(&harness, ids[evicted]).await;
    found(&harness, *ids.last().unwrap()).await;
    let kept = stored(&harness, 1000).await.len();
    let in_memory = harness.recent_traces().len();
    assert_eq!(kept + in_memory + evicted, ids.len());
}

#[tokio::test]
async fn a_store_that_is_removed_or_refuses_is_used_again_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let harness = open(dir.path(), |trace| trace);
    let first = make_trace(&harness, "/orders/1").await;
    flush(&harness).await;
    let path = dir.path().join("traces");
    // 1. The directory is removed: the next write makes a new one.
    fs::remove_dir_all(&path).unwrap();
    let second = make_trace(&harness, "/orders/2").await;
    flush(&harness).await;
    assert_eq!(files(dir.path()).len(), 1);
    assert_counts(&harness);
    // 2. A file is in its place: traces are in memory alone.
    fs::remove_dir_all(&path).unwrap();
    fs::write(&path, "in the way").unwrap();
    let third = make_trace(&harness, "/orders/3").await;
    flush(&harness).await;
    assert_eq!(found(&harness, third).await.trace_id, third);
    let said = harness.notices().concat();
    assert!(said.contains("kept traces are in memory alone"), "{said}");
    let health = || {
        let details = harness.health().details(Access::open_to_anyone());
        let request = http::Request::get("/health").body(String::new()).unwrap();
        let response = tower::ServiceExt::oneshot(details, request).now_or_never();
        let body = response.unwrap().unwrap().into_body();
        let body = http_body_util::BodyExt::collect(body).now_or_never();
        String::from_utf8(body.unwrap().unwrap().to_bytes().to_vec()).unwrap()
    };
    let refused = "kept traces are in memory only";
    assert!(health().contains(refused), "{}", health());
    // 3. The file is gone: the next attempt writes what has waited.
    fs::remove_file(&path).unwrap();
    let give_up = Instant::now() + Duration::from_secs(30);
    while health().contains(refused) {
        assert!(Instant::now() < give_up, "{}", health());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_counts(&harness);
    end(harness).await;
    let harness = open(dir.path(), |trace| trace);
    assert_eq!(stored(&harness, 10).await, [third]);
    for lost in [first, second] {
        let lookup = harness.find_trace(lost).await;
        assert!(matches!(lookup, TraceLookup::NotFound { .. }), "{lookup:?}");
    }
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
            let data = disk.join("data");
            let harness = open(&data, |trace| trace);
            let mut ids = Vec::new();
            let failing = |harness: &Harness| {
                let said = harness.notices().concat();
                said.contains("kept traces are in memory alone")
            };
            let give_up = Instant::now() + Duration::from_secs(60);
            while !failing(&harness) {
                assert!(Instant::now() < give_up, "the disk did not fill");
                for n in 0..50 {
                    ids.push(
                        make_trace(&harness, &format!("/orders/{n}-{}", "x".repeat(3000))).await,
                    );
                }
                flush(&harness).await;
            }
            let last = *ids.last().unwrap();
            assert_eq!(found(&harness, last).await.trace_id, last);
            assert_eq!(found(&harness, ids[0]).await.trace_id, ids[0]);
            println!("stored: {} traces on 1 MiB", ids.len());
        });
    });
}

#[tokio::test]
async fn damaged_files_cost_what_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let harness = open(dir.path(), |trace| trace);
    let mut before = Vec::new();
    for n in 0..20 {
        let id = make_trace(&harness, &format!("/orders/{n}")).await;
        flush(&harness).await;
        before.push(harness.recent_trace(id).unwrap());
    }
    end(harness).await;
    let [file] = &files(dir.path())[..] else {
        panic!("one file");
    };
    let whole = fs::read(file).unwrap();
    for at in (0..whole.len()).step_by(whole.len() / 23) {
        for cut in [false, true] {
            let mut damaged = whole.clone();
            if cut {
                damaged.truncate(at);
            } else {
                damaged[at] ^= 0x40;
            }
            let copy = tempfile::tempdir().unwrap();
            fs::create_dir(copy.path().join("traces")).unwrap();
            let name = file.file_name().unwrap();
            fs::write(copy.path().join("traces").join(name), damaged).unwrap();
            let harness = open(copy.path(), |trace| trace);
            let mut there = Vec::new();
            for trace in &before {
                match harness.find_trace(trace.trace_id).await {
                    TraceLookup::Found(read) => {
                        assert_eq!(read, *trace);
                        there.push(true);
                    }
                    TraceLookup::NotFound { .. } => there.push(false),
                    other => panic!("{other:?}"),
                }
            }
            // A damaged head makes the file unreadable. It is set aside and reported.
            let of_head = at < 20;
            let kept = there.iter().filter(|there| **there).count();
            match cut {
                false if of_head => assert_eq!(kept, 0),
                false => assert_eq!(kept, before.len() - 1, "byte {at}"),
                // Those before the cut.
                true => assert!(there[..kept].iter().all(|there| *there), "byte {at}"),
            }
            if of_head && !cut {
                assert!(
                    harness
                        .notices()
                        .concat()
                        .contains("kept traces is damaged")
                );
            }
            // The store goes on.
            let id = make_trace(&harness, "/orders/new").await;
            flush(&harness).await;
            end(harness).await;
            let harness = open(copy.path(), |trace| trace);
            assert_eq!(found(&harness, id).await.trace_id, id);
        }
    }
}

/// Names the directory for the child of the following test.
const CHILD: &str = "WATCHPOST_TEST_STORED_TRACES";

#[tokio::test]
async fn kill_9_costs_only_what_was_not_flushed() {
    if let Some(dir) = std::env::var_os(CHILD) {
        let harness = open(Path::new(&dir), |trace| trace);
        loop {
            let id = make_trace(&harness, "/orders/1").await;
            println!("\nmade {id}");
            flush(&harness).await;
            println!("\nflushed {id}");
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let mut child = test_command("stored_traces::kill_9_costs_only_what_was_not_flushed")
        .env(CHILD, dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut made, mut flushed) = (Vec::new(), Vec::new());
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let id = |text: &str| text.trim().parse::<TraceId>().unwrap();
        if let Some(of) = line.strip_prefix("made ") {
            made.push(id(of));
        } else if let Some(of) = line.strip_prefix("flushed ") {
            flushed.push(id(of));
            if flushed.len() == 20 {
                child.kill().unwrap();
            }
        }
    }
    child.wait().unwrap();
    assert!(flushed.len() >= 20, "{flushed:?}");
    let harness = open(dir.path(), |trace| trace);
    for id in &flushed {
        assert_eq!(found(&harness, *id).await.trace_id, *id);
    }
    let stored = stored(&harness, 100).await;
    assert!(stored.iter().all(|id| made.contains(id)) && stored.len() >= flushed.len());
}
