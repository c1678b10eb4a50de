//! How long searches of a full store take. It measures, so it is not run with the other tests:
//!
//! `cargo test --release --lib stored::scan -- --ignored --nocapture`

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;

use super::query::StoredTraceQuery;
use super::search::{FoundTraces, Wanted};
use super::store::{TraceStore, TraceStoreSetup};
use super::tests::kept;
use crate::clock::Clock;
use crate::model::{KeepReason, RecordCounters, TraceId};
use crate::trace::limits::SpanLimits;
use crate::worker::{Deadlines, RecordQueue};

const MAX_BYTES: u64 = 256 << 20;

fn open(path: &std::path::Path) -> TraceStore {
    let store = TraceStore::new(TraceStoreSetup {
        path: path.to_owned(),
        max_bytes: MAX_BYTES,
        clock: Clock::driven(Duration::from_secs(1_000_000)),
        limits: SpanLimits::default(),
        record_queue: Arc::new(RecordQueue::new(0, Arc::new(RecordCounters::default()))),
        diagnostics: Arc::default(),
    });
    store.set_deadlines(Deadlines::new(Clock::system()));
    store
}

fn run(store: &TraceStore) {
    store.request_flush();
    store.run_due(|job| {
        job();
        true
    });
}

fn search(store: &TraceStore, what: &str, wanted: Wanted) -> FoundTraces {
    let begun = Instant::now();
    let search = store.search(wanted);
    run(store);
    let found = search.now_or_never().unwrap().unwrap();
    println!(
        "{what}: {:.0?}, all files: {}",
        begun.elapsed(),
        found.next.is_none()
    );
    found
}

#[test]
#[ignore = "it measures, and writes 256 MiB"]
fn a_full_store_is_searched() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let reasons = [KeepReason::Error, KeepReason::Head, KeepReason::Slow];
    let mut count = 0_u128;
    while store.status().unwrap().bytes < MAX_BYTES - (8 << 20) {
        for _ in 0..1000 {
            store.add(0, &kept(count, reasons[count as usize % 3], 1_400));
            count += 1;
        }
        run(&store);
    }
    let bytes = store.status().unwrap().bytes;
    println!("{count} traces, {} MiB", bytes >> 20);
    store.close();
    let store = open(dir.path());
    run(&store);
    let nothing = StoredTraceQuery::default().route("/nowhere");
    for what in ["a route that is not there, after a start", "the same again"] {
        let found = search(&store, what, Wanted::Traces(nothing.clone()));
        assert!(found.traces.is_empty());
    }
    let of_id = Wanted::Trace(TraceId::from_u128(count / 2));
    let found = search(&store, "a trace by its ID", of_id);
    assert!(found.trace.is_some());
    let latest = StoredTraceQuery::default();
    let found = search(&store, "the latest 100", Wanted::Traces(latest));
    assert_eq!(found.traces.len(), 100);
}
