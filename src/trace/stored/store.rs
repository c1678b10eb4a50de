use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use super::pending_search::PendingSearch;
use super::record::encode;
use super::search::{FoundTraces, TraceSearch, Wanted};
use super::segment_list::SegmentList;
use super::segments::{OpenFiles, TraceSegments, class_of};
use super::status::{StoreCounters, TraceStoreStatus};
use crate::clock::{Clock, Nanos, nanos};
use crate::error::Result;
use crate::files::{Disk, Files};
use crate::model::{Diagnostics, DropReason, catch_panic, is_forked_from, lock, lock_for_status};
use crate::redact::RedactionRules;
use crate::trace::limits::SpanLimits;
use crate::worker::{Deadlines, RecordQueue};

/// Traces are written after this delay, together. If the process is killed, at most those of this time are lost.
const WRITE_DELAY: Duration = Duration::from_secs(2);
/// The bytes of waiting traces from which they are written at once.
const ENOUGH: usize = 1 << 20;
/// The maximum number of bytes of traces that wait to be written.
const MAX_WAITING: usize = 4 << 20;
/// The memory of a waiting record in addition to its bytes.
const OVERHEAD: usize = 64;
/// The wait after an error of the disk.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// A disk that has not responded for this long hangs.
const MAX_BUSY: Duration = Duration::from_secs(30);
/// How long a caller waits for a search.
const PATIENCE: Duration = Duration::from_secs(10);
/// Searches that run at the same time. Each has one file in memory.
const MAX_RUNNING: usize = 2;
/// Searches that wait for others.
const MAX_SEARCHES: usize = 64;

/// A job for the blocking pool.
pub(super) type StoreJob = Box<dyn FnOnce() + Send>;

/// Stores kept traces in files. Cheap to clone.
#[derive(Clone)]
pub(crate) struct TraceStore(Arc<StoreShared>);

/// The dependencies of a [`TraceStore`].
pub(crate) struct TraceStoreSetup {
    pub(crate) path: PathBuf,
    /// The maximum number of bytes of the files.
    pub(crate) max_bytes: u64,
    /// The host's clock, whose times the records have.
    pub(crate) clock: Clock,
    pub(crate) limits: SpanLimits,
    /// Wakes the worker when there is something to do.
    pub(crate) record_queue: Arc<RecordQueue>,
    pub(crate) diagnostics: Arc<Diagnostics>,
}

struct StoreShared {
    open_files: Box<OpenFiles>,
    max_bytes: u64,
    clock: Clock,
    /// The machine's clock, for delays.
    monotonic: Clock,
    limits: SpanLimits,
    /// The monitor's redaction rules.
    rules: RedactionRules,
    record_queue: Arc<RecordQueue>,
    diagnostics: Arc<Diagnostics>,
    deadlines: OnceLock<Deadlines>,
    process: u32,
    counters: StoreCounters,
    list: Arc<SegmentList>,
    state: Mutex<StoreState>,
}

#[derive(Default)]
struct StoreState {
    waiting: Vec<(Nanos, Vec<u8>)>,
    waiting_bytes: usize,
    /// When the waiting records are written; `None` if there are none.
    due: Option<Nanos>,
    /// `None` while a job has it.
    writer: Option<TraceWriter>,
    /// Since when a job writes.
    busy_since: Option<Nanos>,
    /// Records that the writer has and that are not settled.
    in_hand: u64,
    /// The number of records that were taken so far, and of those that were stored or dropped.
    taken: u64,
    settled: u64,
    /// The last error of the disk, and since when it fails.
    failure: Option<(String, Nanos)>,
    /// After an error: when the disk is tried again.
    not_before: Nanos,
    is_closed: bool,
    searches: Vec<Arc<PendingSearch>>,
    running: usize,
}

/// What writes. One job at a time has it.
#[derive(Default)]
struct TraceWriter {
    segments: Option<TraceSegments>,
    /// Records with their numbers that the disk has not taken yet.
    batch: Vec<(u64, Vec<u8>)>,
}

impl TraceStore {
    pub(crate) fn new(setup: TraceStoreSetup) -> Self {
        let path = setup.path.clone();
        let open_files = move || Box::new(Disk::new(&path)) as Box<dyn Files>;
        Self::with_files(setup, Box::new(open_files), Clock::system())
    }

    pub(super) fn with_files(
        setup: TraceStoreSetup,
        open_files: Box<OpenFiles>,
        monotonic: Clock,
    ) -> Self {
        let state = StoreState {
            // The files of earlier processes are listed at once.
            due: Some(0),
            writer: Some(TraceWriter::default()),
            ..StoreState::default()
        };
        Self(Arc::new(StoreShared {
            open_files,
            max_bytes: setup.max_bytes,
            clock: setup.clock,
            monotonic,
            limits: setup.limits,
            rules: RedactionRules::current(),
            record_queue: setup.record_queue,
            diagnostics: setup.diagnostics,
            deadlines: OnceLock::new(),
            process: std::process::id(),
            counters: StoreCounters::default(),
            list: Arc::default(),
            state: Mutex::new(state),
        }))
    }

    /// Sets the worker's deadlines, by which searches end. Until then, there are none.
    pub(crate) fn set_deadlines(&self, deadlines: Deadlines) {
        let _first = self.0.deadlines.set(deadlines);
    }

    /// Adds a record of kept spans.
    pub(in crate::trace) fn add(&self, at: Nanos, record: &[u8]) {
        let shared = &self.0;
        shared.counters.emitted();
        let now = shared.monotonic.now();
        let mut state = shared.lock();
        let cost = record.len() + OVERHEAD;
        if state.is_closed || state.waiting_bytes + cost > MAX_WAITING {
            let reason = match &state.failure {
                _ if state.is_closed => DropReason::Shutdown,
                Some(_) => DropReason::Io,
                None => DropReason::QueueOverflow,
            };
            shared.counters.dropped(reason, 1);
            return;
        }
        state.taken += 1;
        state.waiting_bytes += cost;
        state.waiting.push((at, record.to_vec()));
        let delay = if state.waiting_bytes >= ENOUGH {
            0
        } else {
            nanos(WRITE_DELAY)
        };
        let due = now + delay;
        state.due = Some(state.due.map_or(due, |before| before.min(due)));
    }

    /// Starts the jobs that are due. `spawn` returns whether a job will run.
    pub(in crate::trace) fn run_due(&self, spawn: impl Fn(StoreJob) -> bool) {
        let now = self.0.monotonic.now();
        let (write, searches, failed) = {
            let mut state = self.0.lock();
            let write = state.write_due().is_some_and(|due| now >= due);
            if write {
                state.busy_since = Some(now);
            }
            state.searches.retain(|search| !search.is_done());
            // Before the files are listed, searches wait; if they cannot be listed, searches fail.
            if self.0.list.lock().is_loaded {
                (write, state.take_searches(), None)
            } else if let Some((error, _)) = &state.failure {
                let error = error.clone();
                let searches = std::mem::take(&mut state.searches);
                (write, Vec::new(), Some((searches, error)))
            } else {
                (write, Vec::new(), None)
            }
        };
        // Not under the lock, since it wakes tasks of the host.
        if let Some((searches, error)) = failed {
            for search in searches {
                search.fail(&format!("the stored traces cannot be read: {error}"));
            }
        }
        if write {
            let shared = Arc::clone(&self.0);
            if !spawn(Box::new(move || shared.write())) {
                let mut state = self.0.lock();
                state.busy_since = None;
                state.not_before = now + nanos(RETRY_AFTER);
            }
        }
        for search in searches {
            let (shared, job) = (Arc::clone(&self.0), Arc::clone(&search));
            if !spawn(Box::new(move || shared.search(&job))) {
                search.fail("the stored traces cannot be searched: no thread is available");
                self.0.lock().running -= 1;
            }
        }
    }

    /// When [`run_due`](Self::run_due) has something to write.
    pub(in crate::trace) fn due(&self) -> Option<Nanos> {
        self.0.lock().write_due()
    }

    /// Requests that everything is written now, and returns the number of the last record.
    pub(in crate::trace) fn request_flush(&self) -> u64 {
        let now = self.0.monotonic.now();
        let mut state = self.0.lock();
        if let Some(due) = &mut state.due {
            *due = now.min(*due);
        }
        state.taken
    }

    /// Whether the records up to this number are on disk or dropped, or the disk refuses them.
    pub(in crate::trace) fn is_settled(&self, number: u64) -> bool {
        let state = self.0.lock();
        state.settled >= number || state.failure.is_some()
    }

    /// Ends the store with its worker: counts what is not on disk, and ends all searches.
    pub(in crate::trace) fn close(&self) {
        let (searches, left) = {
            let mut state = self.0.lock();
            state.is_closed = true;
            state.due = None;
            let waiting = std::mem::take(&mut state.waiting).len() as u64;
            state.waiting_bytes = 0;
            // What a job has in hand, it counts itself.
            let writer = state.writer.take();
            let in_hand = writer.map_or(0, |_| std::mem::take(&mut state.in_hand));
            state.settled += waiting + in_hand;
            (std::mem::take(&mut state.searches), waiting + in_hand)
        };
        self.0.counters.dropped(DropReason::Shutdown, left);
        for search in searches {
            search.fail(CLOSED);
        }
    }

    /// The current state; `None` in a child made by `fork` if a thread of the parent held a lock.
    pub(crate) fn status(&self) -> Option<TraceStoreStatus> {
        let now = self.0.monotonic.now();
        let age = |since: Nanos| Duration::from_nanos(now.saturating_sub(since));
        let list = self.0.list.lock_for_status()?;
        let mut status = TraceStoreStatus {
            bytes: list.bytes(),
            damaged: list.damaged,
            ..TraceStoreStatus::default()
        };
        drop(list);
        let state = lock_for_status(&self.0.state)?;
        let failure = state.failure.as_ref();
        let hangs = state
            .busy_since
            .map(age)
            .filter(|busy| *busy > MAX_BUSY)
            .map(|busy| {
                let text = "the data directory does not respond: kept traces are in memory alone";
                (text.to_owned(), busy)
            });
        status.failure = hangs.or_else(|| {
            failure.map(|(error, since)| {
                let text = format!(
                    "the data directory refuses kept traces ({error}): they are in memory alone"
                );
                (text, age(*since))
            })
        });
        drop(state);
        self.0.counters.add_to(&mut status);
        Some(status)
    }

    /// Searches the files. The future resolves within ten seconds.
    ///
    /// # Errors
    ///
    /// Returns an error if the files cannot be read, or if the disk does not respond.
    pub(in crate::trace) fn search(
        &self,
        wanted: Wanted,
    ) -> impl Future<Output = Result<FoundTraces>> + Send + use<> + 'static {
        let search = Arc::new(PendingSearch::new(wanted));
        self.0.request(&search);
        PendingSearch::wait(search)
    }
}

/// Why a search of a store fails that is closed, or that belongs to the parent of this process.
const CLOSED: &str = "the stored traces cannot be searched: the monitor has ended, or this process is a child made by `fork`";

impl StoreState {
    /// When the next write begins; `None` if there is nothing to write or a job writes.
    fn write_due(&self) -> Option<Nanos> {
        let due = self.due.filter(|_| self.writer.is_some())?;
        let is_free = self.busy_since.is_none();
        is_free.then_some(due.max(self.not_before))
    }

    /// Takes the searches that begin now.
    fn take_searches(&mut self) -> Vec<Arc<PendingSearch>> {
        let free = MAX_RUNNING.saturating_sub(self.running);
        let count = free.min(self.searches.len());
        self.running += count;
        self.searches.drain(..count).collect()
    }
}

impl StoreShared {
    fn request(&self, search: &Arc<PendingSearch>) {
        // A child has no worker. Its locks may be held by threads that it does not have.
        let deadlines = self.deadlines.get();
        let Some(deadlines) = deadlines.filter(|_| !is_forked_from(self.process)) else {
            return search.fail(CLOSED);
        };
        let refused = {
            let mut state = self.lock();
            state.searches.retain(|search| !search.is_done());
            if state.is_closed {
                Some(CLOSED)
            } else if state.searches.len() >= MAX_SEARCHES {
                Some("the stored traces cannot be searched now: too many searches wait")
            } else {
                state.searches.push(Arc::clone(search));
                None
            }
        };
        if let Some(sentence) = refused {
            return search.fail(sentence);
        }
        deadlines.add_after(PATIENCE, Arc::clone(search) as _);
        self.record_queue.wake();
    }

    /// Runs a search, on the blocking pool.
    fn search(&self, search: &PendingSearch) {
        let is_cancelled = || search.is_done();
        let run = || {
            let files = (self.open_files)();
            TraceSearch::new(&self.list, files, &self.monotonic, &is_cancelled).run(search.wanted())
        };
        match catch_panic(run) {
            Some(Ok(found)) => search.succeed(found),
            Some(Err(error)) => search.fail(&format!("the stored traces cannot be read: {error}")),
            None => search.fail("the stored traces cannot be read: the search panicked"),
        }
        self.lock().running -= 1;
        // Another one may wait.
        self.record_queue.wake();
    }

    /// Writes what waits, on the blocking pool.
    fn write(&self) {
        let writer = self.lock().writer.take();
        let Some(mut writer) = writer else {
            // The store was closed before the job began.
            self.lock().busy_since = None;
            return;
        };
        let done = catch_panic(|| {
            let _entered = self.rules.enter();
            self.write_with(&mut writer)
        });
        self.end_write(writer, done);
        self.record_queue.wake();
    }

    fn end_write(&self, writer: TraceWriter, done: Option<io::Result<()>>) {
        let now = self.monotonic.now();
        let mut state = self.lock();
        state.busy_since = None;
        let is_closed = state.is_closed;
        if done.is_none() || is_closed {
            // After a panic, what it has done is not known: the files are opened anew.
            let left = std::mem::take(&mut state.in_hand);
            state.settled += left;
            let reason = if is_closed {
                DropReason::Shutdown
            } else {
                DropReason::Panic
            };
            self.counters.dropped(reason, left);
        }
        if is_closed {
            return;
        }
        state.writer = Some(if done.is_some() {
            writer
        } else {
            TraceWriter::default()
        });
        match done {
            Some(Ok(())) => {
                state.failure = None;
                state.not_before = 0;
            }
            failed => {
                let error = failed.and_then(io::Result::err);
                let error = error.map_or_else(|| "a panic".to_owned(), |error| error.to_string());
                state.not_before = now + nanos(RETRY_AFTER);
                // There may be nothing new to write: the attempt is repeated anyway.
                let due = state.not_before;
                state.due.get_or_insert(due);
                let since = state.failure.as_ref().map(|(_, since)| *since);
                if since.is_none() {
                    self.diagnostics.report(format!(
                        "kept traces are in memory alone: the data directory refuses them ({error}); it is tried again every 5 s"
                    ));
                }
                state.failure = Some((error, since.unwrap_or(now)));
            }
        }
    }

    /// Opens the files if they are not open, and writes first what an earlier attempt has left.
    fn write_with(&self, writer: &mut TraceWriter) -> io::Result<()> {
        let TraceWriter { segments, batch } = writer;
        let segments = if let Some(segments) = segments {
            segments
        } else {
            let wall = self.clock.wall(self.clock.now());
            let list = Arc::clone(&self.list);
            let opened = TraceSegments::open(&*self.open_files, list, self.max_bytes, wall)?;
            segments.insert(opened)
        };
        self.append(segments, batch)?;
        let records = {
            let mut state = self.lock();
            state.due = None;
            state.waiting_bytes = 0;
            let records = std::mem::take(&mut state.waiting);
            state.in_hand += records.len() as u64;
            records
        };
        for (at, record) in records {
            let encoded = catch_panic(|| encode(&record, at, &self.clock, &self.limits));
            match encoded.flatten() {
                Some(body) if segments.is_too_large(body.len()) => {
                    self.settle(1, Some(DropReason::TooLarge));
                }
                Some(body) => batch.push((segments.number(), body)),
                // No span's code makes a record that cannot be read, so this counts as a panic does.
                None => self.settle(1, Some(DropReason::Panic)),
            }
        }
        // Each class together. Within a class, the order stays. The class is read out of the body, once for each.
        batch.sort_by_cached_key(|(_, body)| class_of(body).index());
        self.append(segments, batch)
    }

    /// Appends a batch, and removes from it what is stored.
    fn append(
        &self,
        segments: &mut TraceSegments,
        batch: &mut Vec<(u64, Vec<u8>)>,
    ) -> io::Result<()> {
        while !batch.is_empty() {
            let stored = segments.append(batch)?;
            batch.drain(..stored);
            self.settle(stored as u64, None);
        }
        Ok(())
    }

    /// Counts records as stored, or as dropped for a reason.
    fn settle(&self, records: u64, dropped: Option<DropReason>) {
        let mut state = self.lock();
        state.in_hand = state.in_hand.saturating_sub(records);
        state.settled += records;
        drop(state);
        match dropped {
            Some(reason) => self.counters.dropped(reason, records),
            None => self.counters.stored(records),
        }
    }

    fn lock(&self) -> MutexGuard<'_, StoreState> {
        lock(&self.state)
    }
}
