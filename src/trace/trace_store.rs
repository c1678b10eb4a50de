//! Kept traces on disk, beyond those in memory. Best effort: nothing waits for the disk, and a trace that finds no room
//! is counted as dropped.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use super::limits::SpanLimits;
use super::stored_trace;
use crate::clock::{Clock, Nanos, nanos};
use crate::model::{TraceId, catch_panic, lock};
use crate::worker::{
    BlockingPool, Completion, Deadlines, RecordQueue, SpoolAnswer, SpoolQuery, SpoolSetup,
    SpoolStatus, SpoolWriter,
};

/// Traces are written after this delay, together. If the process is killed, at most those of this time are lost.
const WRITE_DELAY: Duration = Duration::from_secs(1);
/// The bytes of waiting traces from which they are written at once.
const ENOUGH: usize = 1 << 20;
/// The maximum number of bytes of traces that wait to be encoded. As many may wait for the disk.
const MAX_WAITING: usize = 4 << 20;
/// How long a reader waits for the disk.
const PATIENCE: Duration = Duration::from_secs(2);

/// Stores kept traces in files. Cheap to clone.
#[derive(Clone)]
pub(crate) struct TraceStore(Arc<StoreShared>);

struct StoreShared {
    spool: SpoolWriter,
    /// The host's clock, whose times the records have.
    clock: Clock,
    /// The machine's clock, for the delay.
    monotonic: Clock,
    limits: SpanLimits,
    record_queue: Arc<RecordQueue>,
    waiting: Mutex<WaitingTraces>,
    deadlines: OnceLock<Deadlines>,
    emitted: AtomicU64,
    overflowed: AtomicU64,
    unreadable: AtomicU64,
    at_shutdown: AtomicU64,
}

/// Records of kept spans that are not encoded yet.
#[derive(Debug, Default)]
struct WaitingTraces {
    records: Vec<(Nanos, Vec<u8>)>,
    bytes: usize,
    /// When the records are encoded and written; `None` if there are none.
    due: Option<Nanos>,
    /// Whether a job encodes records.
    busy: bool,
    /// The number of records so far, and of those that the spool has got or that were dropped.
    added: u64,
    settled: u64,
}

/// The state of the store, for health and self-metrics. All counts are of records of kept spans: one for each kept
/// trace, and one for each group of spans that ended later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TraceStoreStatus {
    pub(crate) spool: SpoolStatus,
    /// Records handed to the store.
    pub(crate) emitted: u64,
    /// Records dropped because too many waited to be encoded.
    pub(crate) overflowed: u64,
    /// Records dropped because they could not be encoded.
    pub(crate) unreadable: u64,
    /// Records that were not on disk when the monitor ended.
    pub(crate) at_shutdown: u64,
}

impl TraceStore {
    pub(crate) fn new(setup: SpoolSetup, limits: SpanLimits) -> Self {
        let (clock, record_queue) = (setup.clock.clone(), Arc::clone(&setup.record_queue));
        Self(Arc::new(StoreShared {
            spool: SpoolWriter::in_directory(SpoolSetup {
                key_of: Some(stored_trace::trace_id),
                ..setup
            }),
            clock,
            monotonic: Clock::system(),
            limits,
            record_queue,
            waiting: Mutex::default(),
            deadlines: OnceLock::new(),
            emitted: AtomicU64::new(0),
            overflowed: AtomicU64::new(0),
            unreadable: AtomicU64::new(0),
            at_shutdown: AtomicU64::new(0),
        }))
    }

    /// Sets the worker's deadlines, by which readers stop waiting. Until then, they find nothing.
    pub(crate) fn set_deadlines(&self, deadlines: Deadlines) {
        let _first = self.0.deadlines.set(deadlines);
    }

    /// Adds a record of kept spans.
    pub(super) fn add(&self, at: Nanos, record: &[u8]) {
        self.0.emitted.fetch_add(1, Relaxed);
        let now = self.0.monotonic.now();
        let mut waiting = self.0.lock();
        if waiting.bytes + record.len() > MAX_WAITING {
            self.0.overflowed.fetch_add(1, Relaxed);
            return;
        }
        waiting.added += 1;
        waiting.bytes += record.len();
        waiting.records.push((at, record.to_vec()));
        let delay = if waiting.bytes >= ENOUGH {
            0
        } else {
            nanos(WRITE_DELAY)
        };
        let due = now + delay;
        waiting.due = Some(waiting.due.map_or(due, |before| before.min(due)));
    }

    /// Starts the encoding of records and the work of the spool, where they are due.
    pub(super) fn run_due(&self, pool: &BlockingPool<'_>) {
        let now = self.0.monotonic.now();
        let encode = {
            let mut waiting = self.0.lock();
            let encode = !waiting.busy && waiting.due.is_some_and(|due| now >= due);
            waiting.busy |= encode;
            encode
        };
        if encode {
            let shared = Arc::clone(&self.0);
            if !pool.spawn(move || shared.encode_waiting()) {
                let mut waiting = self.0.lock();
                waiting.busy = false;
                waiting.due = Some(now + nanos(WRITE_DELAY));
            }
        }
        self.0.spool.dispatch(pool);
    }

    pub(super) fn due(&self) -> Option<Nanos> {
        let waiting = self.0.lock();
        let encode = waiting.due.filter(|_| !waiting.busy);
        drop(waiting);
        encode.into_iter().chain(self.0.spool.due()).min()
    }

    /// Requests that everything is written now, and returns the number of the last record.
    pub(super) fn request_flush(&self) -> u64 {
        let now = self.0.monotonic.now();
        let mut waiting = self.0.lock();
        if let Some(due) = &mut waiting.due {
            *due = now.min(*due);
        }
        waiting.added
    }

    /// Whether the records up to this number are on disk or dropped, or the disk refuses them.
    pub(super) fn is_settled(&self, number: u64) -> bool {
        let encoded = self.0.lock().settled >= number;
        encoded && self.0.spool.is_settled(self.0.spool.last())
    }

    /// Counts what is not on disk when the worker ends.
    pub(super) fn end(&self) {
        let mut waiting = self.0.lock();
        let left = std::mem::take(&mut waiting.records).len() as u64;
        waiting.due = None;
        drop(waiting);
        let left = left + self.0.spool.discard_pending();
        self.0.at_shutdown.fetch_add(left, Relaxed);
    }

    /// The current state; `None` in a child made by `fork` if a thread of the parent held the lock.
    pub(crate) fn status(&self) -> Option<TraceStoreStatus> {
        let count = |of: &AtomicU64| of.load(Relaxed);
        Some(TraceStoreStatus {
            spool: self.0.spool.status()?,
            emitted: count(&self.0.emitted),
            overflowed: count(&self.0.overflowed),
            unreadable: count(&self.0.unreadable),
            at_shutdown: count(&self.0.at_shutdown),
        })
    }

    /// Requests the parts of a trace. The completion has an answer within two seconds; `None` if the disk gives none.
    pub(super) fn find(&self, trace_id: TraceId) -> Arc<Completion<Option<Arc<SpoolAnswer>>>> {
        self.query(SpoolQuery::Find(trace_id.to_u128()))
    }

    /// Requests the newest parts before a position, as [`find`](Self::find) does.
    pub(super) fn before(
        &self,
        number: u64,
        max_records: usize,
    ) -> Arc<Completion<Option<Arc<SpoolAnswer>>>> {
        self.query(SpoolQuery::Before {
            number,
            max_records,
        })
    }

    fn query(&self, query: SpoolQuery) -> Arc<Completion<Option<Arc<SpoolAnswer>>>> {
        let answer = Arc::<Completion<_>>::default();
        match self.0.deadlines.get() {
            Some(deadlines) => {
                self.0.spool.query(query, Arc::clone(&answer));
                deadlines.add_after(PATIENCE, Arc::clone(&answer) as _);
            }
            None => answer.complete(None),
        }
        answer
    }
}

impl StoreShared {
    /// Encodes the waiting records and hands them to the spool. Runs on the blocking pool, whose threads have the
    /// monitor's redaction rules.
    fn encode_waiting(&self) {
        let records = {
            let mut waiting = self.lock();
            waiting.due = None;
            waiting.bytes = 0;
            std::mem::take(&mut waiting.records)
        };
        let count = records.len() as u64;
        for (at, record) in records {
            let encode = || stored_trace::encode(&record, at, &self.clock, &self.limits);
            match catch_panic(encode).flatten() {
                Some(body) => {
                    self.spool.push(body, None);
                }
                None => {
                    self.unreadable.fetch_add(1, Relaxed);
                }
            }
        }
        let mut waiting = self.lock();
        waiting.busy = false;
        waiting.settled += count;
        drop(waiting);
        // The worker starts the spool's task.
        self.record_queue.wake();
    }

    fn lock(&self) -> MutexGuard<'_, WaitingTraces> {
        lock(&self.waiting)
    }
}
