//! The store over files in memory, with a driven clock and faults of every operation.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;

use super::query::StoredTraceQuery;
use super::record::time;
use super::search::{FoundTraces, Wanted};
use super::store::{StoreJob, TraceStore, TraceStoreSetup};
use crate::clock::{Clock, nanos};
use crate::error::Result;
use crate::files::Files;
use crate::model::codec::{put_bytes, put_str};
use crate::model::{DropReason, KeepReason, RecordCounters, Sampling, SpanId, TraceId, lock};
use crate::trace::limits::SpanLimits;
use crate::trace::span_record::{
    PartHead, SpanRecord, ValueRef, put_head, put_no_root, put_span, put_span_root, put_value,
};
use crate::worker::{Deadlines, RecordQueue};

#[derive(Debug, Default)]
struct Memory {
    files: BTreeMap<String, Vec<u8>>,
    /// The result of each following write operation; an append that fails writes this many bytes.
    faults: Vec<Option<usize>>,
    /// Whether every write fails.
    is_full: bool,
    is_unreadable: bool,
}

/// Files in memory.
#[derive(Debug, Clone, Default)]
struct MemoryFiles {
    memory: Arc<Mutex<Memory>>,
    current: Option<String>,
}

impl Memory {
    /// The bytes that the next operation writes before it fails; `None` if it succeeds.
    fn fault(&mut self) -> Option<usize> {
        if self.is_full {
            return Some(0);
        }
        self.faults.pop().flatten()
    }
}

fn full() -> io::Error {
    ErrorKind::StorageFull.into()
}

impl Files for MemoryFiles {
    fn list(&mut self) -> io::Result<Vec<(String, u64)>> {
        let mut memory = lock(&self.memory);
        if memory.fault().is_some() {
            return Err(full());
        }
        let all = memory.files.iter();
        Ok(all
            .map(|(name, file)| (name.clone(), file.len() as u64))
            .collect())
    }

    fn read(&mut self, name: &str) -> io::Result<Vec<u8>> {
        let memory = lock(&self.memory);
        if memory.is_unreadable {
            return Err(ErrorKind::PermissionDenied.into());
        }
        let file = memory.files.get(name).cloned();
        file.ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn create(&mut self, name: &str) -> io::Result<()> {
        self.current = None;
        let mut memory = lock(&self.memory);
        if memory.fault().is_some() {
            return Err(full());
        }
        memory.files.insert(name.to_owned(), Vec::new());
        self.current = Some(name.to_owned());
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut memory = lock(&self.memory);
        let fault = memory.fault();
        let name = self.current.as_ref().ok_or(ErrorKind::NotFound)?;
        let file = memory.files.get_mut(name).ok_or(ErrorKind::NotFound)?;
        let len = fault.map_or(bytes.len(), |len| len.min(bytes.len()));
        file.extend_from_slice(&bytes[..len]);
        fault.map_or(Ok(()), |_| Err(full()))
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut memory = lock(&self.memory);
        let current = self.current.as_ref();
        if memory.fault().is_some() || !current.is_some_and(|it| memory.files.contains_key(it)) {
            return Err(full());
        }
        Ok(())
    }

    fn replace(&mut self, _: &str, _: &[u8]) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    fn rename(&mut self, _: &str, _: &str) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let mut memory = lock(&self.memory);
        if memory.fault().is_some() {
            return Err(full());
        }
        let removed = memory.files.remove(name);
        removed.map(drop).ok_or_else(|| ErrorKind::NotFound.into())
    }
}

/// A store over files in memory.
struct Setup {
    store: TraceStore,
    memory: Arc<Mutex<Memory>>,
    monotonic: Clock,
    deadlines: Deadlines,
    /// Jobs that have not run.
    jobs: Mutex<Vec<StoreJob>>,
}

impl Setup {
    fn new(max_bytes: u64) -> Self {
        Self::over(max_bytes, Arc::default())
    }

    fn over(max_bytes: u64, memory: Arc<Mutex<Memory>>) -> Self {
        let monotonic = Clock::driven(Duration::ZERO);
        let setup = TraceStoreSetup {
            path: PathBuf::new(),
            max_bytes,
            clock: Clock::driven(Duration::from_secs(1_000_000)),
            limits: SpanLimits::default(),
            record_queue: Arc::new(RecordQueue::new(0, Arc::new(RecordCounters::default()))),
            diagnostics: Arc::default(),
        };
        let files = MemoryFiles {
            memory: Arc::clone(&memory),
            current: None,
        };
        let open = move || Box::new(files.clone()) as Box<dyn Files>;
        let store = TraceStore::with_files(setup, Box::new(open), monotonic.clone());
        let deadlines = Deadlines::new(Clock::system());
        store.set_deadlines(deadlines.clone());
        Self {
            store,
            memory,
            monotonic,
            deadlines,
            jobs: Mutex::default(),
        }
    }

    /// A new process over the same files.
    fn reopened(self, max_bytes: u64) -> Self {
        self.store.close();
        Self::over(max_bytes, self.memory)
    }

    /// Writes everything, and tries again what has failed.
    fn flush(&self) {
        self.monotonic.advance(Duration::from_secs(5));
        self.store.request_flush();
        self.run();
    }

    /// Runs all jobs that are due.
    fn run(&self) {
        self.store.run_due(|job| {
            job();
            true
        });
    }

    /// Begins the jobs that are due: they hang until they are run.
    fn hang(&self) {
        self.store.run_due(|job| {
            lock(&self.jobs).push(job);
            true
        });
    }

    fn go_on(&self) {
        let jobs = std::mem::take(&mut *lock(&self.jobs));
        for job in jobs {
            job();
        }
    }

    fn search(&self, wanted: Wanted) -> Result<FoundTraces> {
        let search = self.store.search(wanted);
        self.run();
        search.now_or_never().expect("the search has ended")
    }

    /// The IDs of the traces that a query finds, page by page.
    fn ids(&self, query: &StoredTraceQuery) -> Vec<u128> {
        let (mut all, mut query) = (Vec::new(), query.clone());
        loop {
            let found = self.search(Wanted::Traces(query.clone())).unwrap();
            all.extend(
                found
                    .traces
                    .iter()
                    .map(|(_, trace)| trace.trace_id.to_u128()),
            );
            let Some(next) = found.next else {
                return all;
            };
            query = query.before(next);
        }
    }

    fn all(&self) -> Vec<u128> {
        self.ids(&StoredTraceQuery::default().limit(1000))
    }

    fn find(&self, id: u128) -> Option<Vec<u64>> {
        let found = self.search(Wanted::Trace(TraceId::from_u128(id))).unwrap();
        let spans = found.trace?.spans;
        Some(spans.iter().map(|span| span.span_id.to_u64()).collect())
    }

    /// Asserts that each record counts once, and returns how many are stored.
    fn stored(&self, waiting: u64) -> u64 {
        let status = self.store.status().unwrap();
        let dropped: u64 = status.dropped.iter().map(|(_, count)| count).sum();
        assert_eq!(status.emitted, status.stored + dropped + waiting);
        status.stored
    }

    fn dropped(&self, reason: DropReason) -> u64 {
        let status = self.store.status().unwrap();
        let mut dropped = status.dropped.iter();
        dropped.find(|(of, _)| *of == reason).unwrap().1
    }

    fn failure(&self) -> Option<String> {
        let failure = self.store.status().unwrap().failure;
        failure.map(|(sentence, _)| sentence)
    }
}

/// A record of a trace whose topmost span has this name, and a text of this length.
fn record(id: u128, name: &str, len: usize) -> Vec<u8> {
    let mut attributes = Vec::new();
    put_str(&mut attributes, "http.route");
    put_value(&mut attributes, ValueRef::Str("/orders/{id}"));
    put_str(&mut attributes, "http.response.status_code");
    put_value(&mut attributes, ValueRef::I64(200 + (id % 400) as i64));
    put_str(&mut attributes, "request_id");
    put_value(&mut attributes, ValueRef::Str(&format!("req-{id}")));
    put_str(&mut attributes, "text");
    put_value(&mut attributes, ValueRef::Str(&"x y ".repeat(len / 4)));
    let mut out = head(id);
    put_span_root(
        &mut out,
        &SpanRecord {
            span: SpanId::from_u64(1),
            name,
            start: nanos(Duration::from_secs(id as u64)),
            end: nanos(Duration::from_secs(id as u64 + 1)),
            attributes: &attributes,
            ..SpanRecord::default()
        },
    );
    out
}

fn head(id: u128) -> Vec<u8> {
    let mut out = Vec::new();
    let head = PartHead {
        trace: TraceId::from_u128(id),
        reason: KeepReason::Head,
        sampling: Sampling::own(true),
        lost_spans: 0,
        lost_events: 0,
        trace_state: "",
    };
    put_head(&mut out, &head);
    put_bytes(&mut out, &[]);
    out
}

/// A span of a trace that ended after its root.
fn late(id: u128, span: u64) -> Vec<u8> {
    let mut out = head(id);
    put_no_root(&mut out);
    put_span(
        &mut out,
        &SpanRecord {
            span: SpanId::from_u64(span),
            name: "late",
            start: nanos(Duration::from_secs(id as u64)) + span,
            ..SpanRecord::default()
        },
    );
    out
}

/// Numbers that look random.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

#[test]
fn traces_are_found_by_everything_that_a_query_has() {
    let setup = Setup::new(8 << 20);
    for id in 0..50 {
        setup.store.add(0, &record(id, "a name", 100));
        setup.store.add(0, &late(id, 2));
    }
    setup.flush();
    let check = |setup: &Setup| {
        let query = StoredTraceQuery::default;
        let newest_first: Vec<u128> = (0..50).rev().collect();
        for limit in [1, 7, 50, 1000] {
            assert_eq!(setup.ids(&query().limit(limit)), newest_first, "{limit}");
        }
        assert_eq!(setup.ids(&query().route("/orders/{id}").limit(3)).len(), 50);
        assert!(setup.ids(&query().route("/orders")).is_empty());
        assert_eq!(setup.ids(&query().status(210..=211)), [11, 10]);
        assert_eq!(setup.ids(&query().request_id("req-17")), [17]);
        assert!(setup.ids(&query().request_id("req-50")).is_empty());
        assert!(setup.ids(&query().request_id("")).is_empty());
        assert_eq!(setup.ids(&query().trace_id(TraceId::from_u128(3))), [3]);
        assert_eq!(setup.ids(&query().kept(KeepReason::Head)).len(), 50);
        assert!(setup.ids(&query().kept(KeepReason::Slow)).is_empty());
        assert_eq!(
            setup
                .ids(&query().min_duration(Duration::from_secs(1)))
                .len(),
            50
        );
        assert!(
            setup
                .ids(&query().min_duration(Duration::from_millis(1001)))
                .is_empty()
        );
        let at = |id: u64| time(nanos(Duration::from_secs(1_000_000 + id)));
        assert_eq!(setup.ids(&query().since(at(10)).until(at(12))), [11, 10]);
        assert!(setup.ids(&query().since(at(50))).is_empty());
        assert_eq!(setup.find(17), Some(vec![1, 2]));
        assert_eq!(setup.find(50), None);
        let found = setup.search(Wanted::Traces(query().limit(1))).unwrap();
        assert_eq!(found.stored_since, Some(at(0)));
        let (_, trace) = &found.traces[0];
        assert_eq!(
            (&*trace.name, &*trace.request_id, trace.status_code),
            ("a name", "req-49", Some(249))
        );
        assert_eq!(
            (trace.start, trace.duration),
            (at(49), Duration::from_secs(1))
        );
    };
    check(&setup);
    assert_eq!(setup.stored(0), 100);
    // Once nothing is known of the files, and once everything is.
    let setup = setup.reopened(8 << 20);
    setup.flush();
    check(&setup);
    check(&setup);
    assert_eq!(setup.store.status().unwrap().damaged, 0);
}

#[test]
fn the_oldest_files_make_room() {
    for max_bytes in [1_000, 70_000, 1 << 20, 6 << 20] {
        let mut setup = Setup::new(max_bytes);
        let mut random = Random(max_bytes);
        let mut last = 0;
        for round in 0..60 {
            for _ in 0..random.below(60) {
                last += 1;
                let len = random.below(4_000) as usize;
                setup.store.add(0, &record(last, "a", len));
            }
            setup.flush();
            let bytes: usize = lock(&setup.memory).files.values().map(Vec::len).sum();
            assert!(bytes as u64 <= max_bytes, "{bytes} of {max_bytes}");
            assert_eq!(bytes as u64, setup.store.status().unwrap().bytes);
            setup.stored(0);
            if round % 20 == 19 {
                setup = setup.reopened(max_bytes);
                setup.flush();
            }
        }
        // Those that are left are the newest ones, without a gap, unless some were too large.
        let left = setup.all();
        assert!(!left.is_empty() && left[0] <= last);
        if max_bytes > 1_000 {
            let expected: Vec<_> = (0..left.len() as u128).map(|n| last - n).collect();
            assert_eq!(left, expected);
            let used = setup.store.status().unwrap().bytes;
            assert!(used > max_bytes / 2 || left.len() as u128 == last, "{used}");
        }
    }
}

/// A record that was kept for this reason.
pub(super) fn kept(id: u128, reason: KeepReason, len: usize) -> Vec<u8> {
    let mut record = record(id, "a", len);
    // The ID of the trace, then the reason.
    record[16] = reason.index();
    record
}

#[test]
fn many_traces_of_one_class_leave_those_of_the_others() {
    use KeepReason::{Error, Head, Slow};

    for (few, many) in [(Error, Head), (Head, Error), (Slow, Head), (Head, Slow)] {
        let max_bytes = 256 << 10;
        let setup = Setup::new(max_bytes);
        for id in 0..20 {
            setup.store.add(0, &kept(id, few, 500));
        }
        setup.flush();
        for id in 1_000..6_000 {
            setup.store.add(0, &kept(id, many, 500));
            if id % 100 == 99 {
                setup.flush();
                let bytes: usize = lock(&setup.memory).files.values().map(Vec::len).sum();
                assert!(bytes as u64 <= max_bytes, "{bytes}");
            }
        }
        let found = |reason| setup.ids(&StoredTraceQuery::default().kept(reason).limit(1000));
        let expected: Vec<_> = (0..20).rev().collect();
        assert_eq!(found(few), expected, "{few} beside many {many}");
        let others = found(many);
        assert_eq!(others[0], 5_999);
        assert!(others.len() > 200, "{}", others.len());
        assert_eq!(setup.stored(0), 5_020);
    }
}

#[test]
fn a_class_gives_way_only_while_it_has_most_bytes() {
    use KeepReason::{Error, Head};

    let setup = Setup::new(256 << 10);
    let fill = |reason: KeepReason, from: u128| {
        for id in from..from + 2_000 {
            setup.store.add(0, &kept(id, reason, 500));
            if id % 100 == 99 {
                setup.flush();
            }
        }
    };
    let count = |reason| {
        setup
            .ids(&StoredTraceQuery::default().kept(reason).limit(1000))
            .len()
    };
    fill(Head, 0);
    let alone = count(Head);
    fill(Error, 10_000);
    let (samples, failures) = (count(Head), count(Error));
    assert!(
        samples > alone / 3 && failures > alone / 3,
        "{alone}: {samples}, {failures}"
    );
}

#[test]
fn traces_of_all_classes_have_one_order() {
    use KeepReason::{Captured, Error, Head, Panic, Parent, Slow, Timeout};

    let reasons = [
        Head, Error, Slow, Head, Captured, Parent, Panic, Head, Timeout,
    ];
    let reason_of = |id: u128| reasons[id as usize % reasons.len()];
    let setup = Setup::new(1 << 20);
    for id in 0..900 {
        setup.store.add(0, &kept(id, reason_of(id), 300));
        // Some batches have several classes, and some have one.
        if id % 7 == 0 || id > 850 {
            setup.flush();
        }
    }
    setup.flush();
    let check = |setup: &Setup| {
        let all: Vec<u128> = (0..900).rev().collect();
        for limit in [1000, 64, 7] {
            assert_eq!(setup.ids(&StoredTraceQuery::default().limit(limit)), all);
        }
        for reason in reasons {
            let expected: Vec<u128> = (0..900)
                .rev()
                .filter(|id| reason_of(*id) == reason)
                .collect();
            let query = StoredTraceQuery::default().kept(reason).limit(50);
            assert_eq!(setup.ids(&query), expected, "{reason}");
        }
        assert_eq!(setup.find(17), Some(vec![1]));
    };
    check(&setup);
    let setup = setup.reopened(1 << 20);
    setup.flush();
    check(&setup);
}

#[test]
fn a_record_that_is_too_large_is_counted() {
    let setup = Setup::new(1_000);
    setup.store.add(0, &record(1, "a", 2_000));
    setup.store.add(0, &record(2, "a", 8));
    setup.flush();
    assert_eq!((setup.stored(0), setup.all()), (1, vec![2]));
    assert_eq!(setup.dropped(DropReason::TooLarge), 1);
    setup.store.add(0, b"none");
    setup.flush();
    assert_eq!((setup.stored(0), setup.dropped(DropReason::Panic)), (1, 1));
}

#[test]
fn a_disk_that_fails_at_any_operation_loses_nothing_and_stores_nothing_twice() {
    for seed in 0..100 {
        let mut setup = Setup::new(64 << 20);
        let mut random = Random(seed);
        let mut last = 0;
        for round in 0..20 {
            for _ in 0..random.below(8) {
                last += 1;
                let len = random.below(3_000) as usize;
                setup.store.add(0, &record(last, "a", len));
            }
            let faults = (0..8).map(|_| (random.below(3) == 0).then(|| random.below(4_000)));
            lock(&setup.memory).faults = faults.map(|it| it.map(|len| len as usize)).collect();
            setup.flush();
            lock(&setup.memory).faults.clear();
            if round % 7 == 6 {
                setup.flush();
                assert_eq!(setup.failure(), None);
                setup.stored(0);
                setup = setup.reopened(64 << 20);
                setup.flush();
            }
        }
        setup.flush();
        let newest_first: Vec<u128> = (1..=last).rev().collect();
        assert_eq!(setup.all(), newest_first, "seed {seed}");
        for id in 1..=last {
            assert_eq!(setup.find(id), Some(vec![1]), "seed {seed}, trace {id}");
        }
    }
}

#[test]
fn a_full_disk_costs_traces_that_find_no_room_and_is_used_again() {
    let setup = Setup::new(64 << 20);
    lock(&setup.memory).is_full = true;
    setup.flush();
    let failure = setup.failure().unwrap();
    assert!(failure.contains("refuses kept traces"), "{failure}");
    // A search says so, and does not wait.
    let search = setup.search(Wanted::Trace(TraceId::from_u128(1)));
    let error = search.unwrap_err();
    assert!(error.is_reader(), "{error}");
    for id in 0..5_000 {
        setup.store.add(0, &record(id, "a", 2_000));
    }
    setup.flush();
    let lost = setup.dropped(DropReason::Io);
    assert!((2_000..4_000).contains(&lost), "{lost}");
    let waiting = 5_000 - lost;
    assert_eq!(setup.stored(waiting), 0);
    // Not before its time, and then by itself.
    lock(&setup.memory).is_full = false;
    setup.store.request_flush();
    setup.run();
    assert!(setup.failure().is_some());
    let due = setup.store.due().unwrap();
    let wait = due - setup.monotonic.now();
    assert!(wait <= nanos(Duration::from_secs(5)));
    setup.monotonic.advance(Duration::from_nanos(wait));
    setup.run();
    assert_eq!((setup.failure(), setup.stored(0)), (None, waiting));
    assert_eq!(setup.all().len() as u64, waiting);
}

#[test]
fn a_disk_that_hangs_is_reported_and_bounded() {
    let setup = Setup::new(64 << 20);
    setup.flush();
    setup.store.add(0, &record(0, "a", 2_000));
    setup.store.request_flush();
    setup.hang();
    for id in 1..5_000 {
        setup.store.add(0, &record(id, "a", 2_000));
    }
    setup.monotonic.advance(Duration::from_secs(31));
    let failure = setup.failure().unwrap();
    assert!(failure.contains("does not respond"), "{failure}");
    let lost = setup.dropped(DropReason::QueueOverflow);
    assert!((2_000..4_000).contains(&lost), "{lost}");
    setup.stored(5_000 - lost);
    assert!(!setup.store.is_settled(1) && setup.store.due().is_none());
    // No second job begins meanwhile.
    setup.hang();
    assert_eq!(lock(&setup.jobs).len(), 1);
    setup.go_on();
    assert!(setup.store.is_settled(5_000 - lost));
    assert_eq!((setup.failure(), setup.stored(0)), (None, 5_000 - lost));
}

#[test]
fn a_search_that_hangs_ends_at_its_deadline_or_with_its_caller() {
    let setup = Setup::new(64 << 20);
    setup.flush();
    let wanted = || Wanted::Trace(TraceId::from_u128(1));
    // At most two run, and a bounded number waits.
    let search = |_| Box::pin(setup.store.search(wanted()));
    let searches: Vec<_> = (0..80).map(search).collect();
    setup.hang();
    assert_eq!(lock(&setup.jobs).len(), 2);
    let (mut refused, mut waiting) = (0, Vec::new());
    for mut search in searches {
        match search.as_mut().now_or_never() {
            Some(result) => {
                assert!(result.unwrap_err().is_reader());
                refused += 1;
            }
            None => waiting.push(search),
        }
    }
    assert_eq!((refused, waiting.len()), (16, 64));
    // The callers leave: no further one begins.
    drop(waiting);
    setup.go_on();
    setup.hang();
    assert!(lock(&setup.jobs).is_empty());
    // The store goes on.
    let search = setup.store.search(wanted());
    setup.run();
    assert!(search.now_or_never().unwrap().unwrap().trace.is_none());
    let search = setup.store.search(wanted());
    setup.store.close();
    assert!(search.now_or_never().unwrap().unwrap_err().is_reader());
    let search = setup.store.search(wanted());
    assert!(search.now_or_never().unwrap().unwrap_err().is_reader());
    drop(setup.deadlines);
}

#[test]
fn what_is_not_stored_at_the_end_is_counted() {
    // Nothing was written; a write has failed; a write hangs.
    for case in 0..3 {
        let setup = Setup::new(64 << 20);
        setup.flush();
        setup.store.add(0, &record(1, "a", 8));
        lock(&setup.memory).is_full = case == 1;
        if case == 1 {
            setup.flush();
        } else if case == 2 {
            setup.store.request_flush();
            setup.hang();
        }
        setup.store.add(0, &record(2, "a", 8));
        setup.store.close();
        setup.store.add(0, &record(3, "a", 8));
        lock(&setup.memory).is_full = false;
        setup.go_on();
        assert_eq!(setup.stored(0), 0, "case {case}");
        assert_eq!(setup.dropped(DropReason::Shutdown), 3);
        assert_eq!(setup.failure().is_some(), case == 1);
    }
}

#[test]
fn a_flipped_bit_costs_one_record_and_a_torn_end_those_in_it() {
    let setup = Setup::new(64 << 20);
    for id in 0..30 {
        setup.store.add(0, &record(id, "a", 60));
    }
    setup.flush();
    let whole = lock(&setup.memory).files.clone();
    let (name, file) = whole.first_key_value().unwrap();
    assert_eq!(whole.len(), 1);
    for at in (0..file.len()).step_by(11) {
        for cut in [false, true] {
            let mut damaged = file.clone();
            if cut {
                damaged.truncate(at);
            } else {
                damaged[at] ^= 1 << (at % 8);
            }
            let setup = Setup::new(64 << 20);
            lock(&setup.memory).files.insert(name.clone(), damaged);
            setup.flush();
            let left = setup.all();
            let intact: BTreeSet<_> = left.iter().copied().collect();
            for id in 0..30 {
                assert_eq!(setup.find(id).is_some(), intact.contains(&id));
            }
            if cut {
                assert_eq!(left, (0..left.len() as u128).rev().collect::<Vec<_>>());
            } else {
                // A header has the number of the first record: without it, none of the file is read.
                let expected = if at < crate::files::HEADER { 0 } else { 29 };
                assert_eq!(left.len(), expected, "byte {at}");
                assert_eq!(setup.store.status().unwrap().damaged, 1, "byte {at}");
            }
            // The store goes on.
            setup.store.add(0, &record(99, "a", 60));
            setup.flush();
            assert_eq!(setup.all()[0], 99);
        }
    }
}

#[test]
fn files_of_a_newer_version_are_not_touched() {
    let setup = Setup::new(64 << 20);
    let files = [("v2-0000000000000001", "new"), ("v1-0000000000000001", "")];
    for (name, text) in files {
        lock(&setup.memory)
            .files
            .insert(name.to_owned(), text.into());
    }
    let before = lock(&setup.memory).files.clone();
    setup.store.add(0, &record(1, "a", 8));
    setup.flush();
    let failure = setup.failure().unwrap();
    assert!(failure.contains("run the newer version again"), "{failure}");
    assert_eq!(lock(&setup.memory).files, before);
    // Somebody moves it away.
    lock(&setup.memory).files.remove("v2-0000000000000001");
    setup.flush();
    assert_eq!((setup.failure(), setup.all()), (None, vec![1]));
}

#[test]
fn files_that_are_not_ours_stay_and_files_that_are_removed_are_forgotten() {
    let setup = Setup::new(1 << 20);
    let theirs = ["notes.txt", "v1-", "v1-zz", "v1-ffffffffffffffff", "v-1"];
    for name in theirs {
        let mut memory = lock(&setup.memory);
        memory.files.insert(name.to_owned(), b"theirs".to_vec());
    }
    for id in 0..2_000 {
        setup.store.add(0, &record(id, "a", 1_000));
        if id % 500 == 499 {
            setup.flush();
        }
    }
    assert!(theirs.map(|name| lock(&setup.memory).files.contains_key(name)) == [true; 5]);
    assert!(!setup.all().is_empty());
    lock(&setup.memory).files.clear();
    assert!(setup.all().is_empty());
    setup.store.add(0, &record(7, "a", 8));
    setup.flush();
    setup.flush();
    assert_eq!(setup.all(), [7]);
    let bytes: usize = lock(&setup.memory).files.values().map(Vec::len).sum();
    assert_eq!(setup.store.status().unwrap().bytes, bytes as u64);
}

#[test]
fn a_directory_that_cannot_be_read_is_an_error_and_not_an_empty_result() {
    let setup = Setup::new(1 << 20);
    setup.store.add(0, &record(1, "a", 8));
    setup.flush();
    lock(&setup.memory).is_unreadable = true;
    let query = StoredTraceQuery::default();
    let error = setup.search(Wanted::Traces(query)).unwrap_err();
    assert!(error.to_string().contains("cannot be read"), "{error}");
    lock(&setup.memory).is_unreadable = false;
    assert_eq!(setup.all(), [1]);
}
