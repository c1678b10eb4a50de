use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::store::Spool;
use crate::clock::{Clock, Nanos, nanos};
use crate::model::{Diagnostics, catch_panic, lock, lock_for_status};
use crate::worker::completion::Completion;
use crate::worker::{BlockingPool, RecordQueue};

/// The wait after an error of the disk.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// Acknowledgements are written to the disk after this delay, together.
const ACK_DELAY: Duration = Duration::from_secs(1);
/// How often damaged files are counted again, while there are any: users may have removed them.
const RECOUNT_DAMAGED: Duration = Duration::from_secs(30);
/// The maximum number of bytes that wait for a slow or failing disk. Beyond that, the oldest records are discarded.
const MAX_PENDING_BYTES: usize = 4 << 20;
/// The bytes of records that are read at a time.
const MAX_READ: usize = 256 << 10;
/// The maximum number of stored ranges of discarded record numbers.
const MAX_GAPS: usize = 64;

/// Opens the spool, also again after an error.
pub(super) type OpenSpool = dyn Fn() -> io::Result<Spool> + Send + Sync;

/// Stores records before they are sent, on the worker's blocking pool. No caller waits for the disk.
///
/// One task at a time holds the [`Spool`]. It takes all pending records, writes them, syncs once, and completes their
/// receipts. While the disk fails, records are only in memory.
#[derive(Clone)]
pub(crate) struct SpoolWriter(Arc<SpoolShared>);

struct SpoolShared {
    name: &'static str,
    open: Box<OpenSpool>,
    monotonic: Clock,
    record_queue: Arc<RecordQueue>,
    diagnostics: Arc<Diagnostics>,
    state: Mutex<SpoolState>,
}

struct SpoolState {
    /// `None` while a task holds it, and after an error of opening it.
    spool: Option<Spool>,
    /// Whether a task runs or is scheduled on the blocking pool.
    busy: bool,
    pending: VecDeque<PendingRecord>,
    pending_bytes: usize,
    /// The number of the next record.
    next: u64,
    /// Every record up to this number is on the disk, except for the gaps.
    stored: u64,
    /// The first and last number of each range of discarded records.
    gaps: VecDeque<(u64, u64)>,
    /// Every record up to this number is acknowledged.
    acked: u64,
    /// When acknowledgements are written to the disk; `None` if all are written.
    acks_due: Option<Nanos>,
    /// When damaged files are counted again; `None` if there are none.
    recount_due: Option<Nanos>,
    read: ReadState,
    /// After an error: when the disk is tried again.
    not_before: Nanos,
    status: SpoolStatus,
}

struct PendingRecord {
    number: u64,
    body: Vec<u8>,
    receipt: Option<Arc<Completion<bool>>>,
}

/// A record that was queued. When this is dropped, the receipts that the queue has refused complete with `false`. That may
/// run code of the host, so no lock may be held then.
#[must_use = "receipts complete when it is dropped, which must not be while a lock is held"]
pub(crate) struct PushedRecord {
    /// The number of the record.
    pub(crate) number: u64,
    refused: Vec<Arc<Completion<bool>>>,
}

impl Drop for PushedRecord {
    fn drop(&mut self) {
        for receipt in self.refused.drain(..) {
            receipt.complete(false);
        }
    }
}

enum ReadState {
    Idle,
    /// The records after this number are requested.
    Requested(u64),
    Done(Vec<(u64, Vec<u8>)>),
}

/// The state of the spool, for health and self-metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SpoolStatus {
    /// Whether the disk refuses records.
    pub(crate) failing: bool,
    /// Bytes of its files.
    pub(crate) bytes: u64,
    /// Damaged files found.
    pub(crate) corrupt: u64,
    /// Damaged files that were renamed and are still there.
    pub(crate) damaged: u64,
    /// Records discarded without being stored, because the disk failed for too long.
    pub(crate) unstored: u64,
    /// Records removed to make room for newer ones.
    pub(crate) evicted: u64,
}

/// One round of work of a task.
struct SpoolWork {
    records: Vec<PendingRecord>,
    acked: u64,
    save_acks: bool,
    recount: bool,
    /// Read the records after this number.
    read_after: Option<u64>,
}

/// The parts of a [`SpoolWriter`].
pub(super) struct SpoolWriterSetup {
    pub(super) name: &'static str,
    pub(super) open: Box<OpenSpool>,
    pub(super) monotonic: Clock,
    /// Nanoseconds since the Unix epoch now.
    pub(super) wall: u64,
    pub(super) record_queue: Arc<RecordQueue>,
    pub(super) diagnostics: Arc<Diagnostics>,
}

impl SpoolWriter {
    /// Opens the spool now, or tries again later if that fails.
    ///
    /// Record numbers begin after all that are stored and after the wall time, so that they rise even if the disk
    /// cannot be read now.
    pub(super) fn new(setup: SpoolWriterSetup) -> Self {
        let SpoolWriterSetup {
            name,
            open,
            monotonic,
            wall,
            record_queue,
            diagnostics,
        } = setup;
        let opened = catch_panic(&open).unwrap_or_else(panicked);
        let (spool, error) = match opened {
            Ok(spool) => (Some(spool), None),
            Err(error) => (None, Some(error)),
        };
        let (first, acked, bytes) = spool.as_ref().map_or((1, 0, 0), |spool| {
            (spool.next(), spool.acked(), spool.bytes())
        });
        let damaged = spool.as_ref().map_or(0, Spool::damaged);
        // If the spool cannot be opened now, the numbers in its files are unknown. The wall time is beyond them: they
        // began with the time of an earlier start, in nanoseconds, and rise by one for each record.
        let next = first.max(wall).max(1);
        let shared = SpoolShared {
            name,
            open,
            record_queue,
            diagnostics,
            state: Mutex::new(SpoolState {
                spool,
                busy: false,
                pending: VecDeque::new(),
                pending_bytes: 0,
                next,
                stored: next - 1,
                gaps: VecDeque::new(),
                acked,
                acks_due: None,
                recount_due: (damaged > 0).then(|| monotonic.now() + nanos(RECOUNT_DAMAGED)),
                read: ReadState::Idle,
                not_before: 0,
                status: SpoolStatus {
                    bytes,
                    damaged,
                    ..SpoolStatus::default()
                },
            }),
            monotonic,
        };
        if let Some(error) = error {
            shared.fail(&mut shared.lock(), &error);
        }
        Self(Arc::new(shared))
    }

    /// Queues a record to be stored. `receipt` completes with `true` when the record is on the disk, or with `false` if the
    /// disk refuses it for now.
    pub(crate) fn push(
        &self,
        body: Vec<u8>,
        receipt: Option<Arc<Completion<bool>>>,
    ) -> PushedRecord {
        let mut refused = Vec::new();
        let mut state = self.0.lock();
        let number = state.next;
        state.next += 1;
        state.pending_bytes += body.len();
        let failing = state.status.failing;
        state.pending.push_back(PendingRecord {
            number,
            body,
            receipt: receipt.and_then(|receipt| {
                if failing {
                    refused.push(receipt);
                    return None;
                }
                Some(receipt)
            }),
        });
        while state.pending_bytes > MAX_PENDING_BYTES {
            let Some(lost) = state.pending.pop_front() else {
                break;
            };
            state.pending_bytes = state.pending_bytes.saturating_sub(lost.body.len());
            state.status.unstored += 1;
            state.add_gap(lost.number);
            refused.extend(lost.receipt);
        }
        PushedRecord { number, refused }
    }

    /// Whether a record is on the disk.
    #[cfg_attr(
        not(feature = "sentry"),
        expect(dead_code, reason = "no feature sends what is stored")
    )]
    pub(crate) fn is_stored(&self, number: u64) -> bool {
        self.0.lock().is_stored(number)
    }

    /// Acknowledges every record up to this number: the spool need not keep them.
    #[cfg_attr(
        not(feature = "sentry"),
        expect(dead_code, reason = "no feature sends what is stored")
    )]
    pub(crate) fn ack(&self, number: u64) {
        let now = self.0.monotonic.now();
        let mut state = self.0.lock();
        if number > state.acked {
            state.acked = number;
            state.acks_due.get_or_insert(now + nanos(ACK_DELAY));
        }
    }

    /// Requests some of the stored records after a number, for [`take_read`](Self::take_read).
    pub(crate) fn request_read(&self, after: u64) {
        let mut state = self.0.lock();
        if matches!(state.read, ReadState::Idle) {
            state.read = ReadState::Requested(after);
        }
    }

    /// Takes the records that were requested, once they are read. An empty list means that no more are stored.
    pub(crate) fn take_read(&self) -> Option<Vec<(u64, Vec<u8>)>> {
        let mut state = self.0.lock();
        match std::mem::replace(&mut state.read, ReadState::Idle) {
            ReadState::Done(records) => Some(records),
            other => {
                state.read = other;
                None
            }
        }
    }

    /// The number of the last record.
    pub(crate) fn last(&self) -> u64 {
        self.0.lock().next - 1
    }

    /// Whether every record up to this number is on the disk, or the disk refuses them.
    pub(crate) fn is_settled(&self, number: u64) -> bool {
        let state = self.0.lock();
        state.status.failing || state.stored >= number
    }

    /// Whether no files are known to exist.
    #[cfg_attr(
        not(feature = "sentry"),
        expect(dead_code, reason = "no feature sends what is stored")
    )]
    pub(crate) fn is_empty(&self) -> bool {
        let status = self.0.lock().status;
        status.bytes == 0 && !status.failing
    }

    /// Schedules the writing of acknowledgements. Returns whether they are already on the disk, or the disk fails.
    pub(crate) fn save_acks(&self) -> bool {
        let now = self.0.monotonic.now();
        let mut state = self.0.lock();
        if let Some(due) = &mut state.acks_due {
            *due = now.min(*due);
        }
        state.acks_due.is_none() || state.status.failing
    }

    /// The number up to which records are acknowledged.
    pub(crate) fn acked(&self) -> u64 {
        self.0.lock().acked
    }

    /// The current state; `None` in a child made by `fork` if a thread of the parent held the lock.
    pub(crate) fn status(&self) -> Option<SpoolStatus> {
        lock_for_status(&self.0.state).map(|state| state.status)
    }

    /// Runs code while the lock is held, as a thread of the parent may hold it when it forks.
    #[cfg(test)]
    pub(crate) fn while_locked<R>(&self, run: impl FnOnce() -> R) -> R {
        let _locked = self.0.lock();
        run()
    }

    /// Starts a task, if there is work to do now and no task is running.
    pub(crate) fn dispatch(&self, pool: &BlockingPool<'_>) {
        {
            let now = self.0.monotonic.now();
            let mut state = self.0.lock();
            if state.busy || !state.has_work(now) {
                return;
            }
            state.busy = true;
        }
        let shared = Arc::clone(&self.0);
        if !pool.spawn(move || shared.work()) {
            let mut state = self.0.lock();
            state.busy = false;
            state.not_before = self.0.monotonic.now() + nanos(RETRY_AFTER);
        }
    }

    /// When [`dispatch`](Self::dispatch) must be called, unless a record or a wake-up arrives earlier.
    pub(crate) fn due(&self) -> Option<Nanos> {
        let state = self.0.lock();
        if state.busy {
            return None;
        }
        let waits = !state.pending.is_empty() || matches!(state.read, ReadState::Requested(_));
        let work = waits.then_some(state.not_before);
        let timed = [state.acks_due, state.recount_due].into_iter().flatten();
        let timed = timed.map(|due| due.max(state.not_before));
        work.into_iter().chain(timed).min()
    }
}

impl SpoolState {
    fn has_work(&self, now: Nanos) -> bool {
        now >= self.not_before
            && (!self.pending.is_empty()
                || matches!(self.read, ReadState::Requested(_))
                || self.acks_due.is_some_and(|due| now >= due)
                || self.recount_due.is_some_and(|due| now >= due))
    }

    fn is_stored(&self, number: u64) -> bool {
        number <= self.stored
            && !self
                .gaps
                .iter()
                .any(|(first, last)| (*first..=*last).contains(&number))
    }

    fn add_gap(&mut self, number: u64) {
        match self.gaps.back_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => {
                if self.gaps.len() == MAX_GAPS {
                    self.gaps.pop_front();
                }
                self.gaps.push_back((number, number));
            }
        }
    }
}

impl SpoolShared {
    /// Works until nothing is left to do. Runs on the blocking pool; the disk may hang.
    fn work(&self) {
        let mut spool = self.lock().spool.take();
        loop {
            let now = self.monotonic.now();
            // All that waits is taken under the lock, and the disk is used without it. The check and the end of the
            // task are one step, so that no record that arrives meanwhile is left without a task.
            let work = {
                let mut state = self.lock();
                if !state.has_work(now) {
                    state.spool = spool;
                    state.busy = false;
                    break;
                }
                state.pending_bytes = 0;
                SpoolWork {
                    records: state.pending.drain(..).collect(),
                    acked: state.acked,
                    save_acks: state.acks_due.is_some_and(|due| now >= due),
                    recount: state.recount_due.is_some_and(|due| now >= due),
                    read_after: match state.read {
                        ReadState::Requested(after) => Some(after),
                        _ => None,
                    },
                }
            };
            spool = self.run_work(spool, work);
        }
        // The worker checks whether anything waits for the records that were just stored or read.
        self.record_queue.wake();
    }

    /// Does one round of work. Returns the spool, unless it could not be opened.
    fn run_work(&self, spool: Option<Spool>, work: SpoolWork) -> Option<Spool> {
        let SpoolWork {
            records,
            acked,
            save_acks,
            recount,
            read_after,
        } = work;
        // 1. Without an open spool, after the start or an error of opening it, open it now. The records wait if that
        //    fails.
        let (numbered, receipts): (Vec<_>, Vec<_>) = records
            .into_iter()
            .map(|it| ((it.number, it.body), it.receipt))
            .unzip();
        let mut spool =
            match spool.map_or_else(|| catch_panic(&self.open).unwrap_or_else(panicked), Ok) {
                Ok(spool) => spool,
                Err(error) => {
                    self.put_back(numbered, receipts, &error);
                    return None;
                }
            };
        // 2. Acknowledge first, so that files without needed records are removed before others are evicted.
        spool.ack(acked);
        let done = catch_panic(|| {
            // One more attempt, which begins a new file: the error may be over, and nothing is appended after an error.
            let stored = spool.append(&numbered).or_else(|_| spool.append(&numbered));
            stored.and_then(|()| if save_acks { spool.save_acks() } else { Ok(()) })
        });
        // 3. Read only after a successful write: after an error the disk is not used again in this round.
        let read = match read_after {
            Some(after) if matches!(done, Some(Ok(()))) => {
                Some(catch_panic(|| spool.read(after, MAX_READ)).unwrap_or_default())
            }
            _ => None,
        };
        if let Err(error) = done.unwrap_or_else(panicked) {
            self.put_back(numbered, receipts, &error);
            return Some(spool);
        }
        if recount {
            spool.count_damaged();
        }
        // 4. The outcome is published under the lock, and receipts complete only after it, so that a woken task finds
        //    the new state.
        let mut state = self.lock();
        if let Some((last, _)) = numbered.last() {
            state.stored = *last;
        }
        if save_acks {
            let more = state.acked > acked;
            state.acks_due = more.then(|| self.monotonic.now() + nanos(ACK_DELAY));
        }
        if let Some(records) = read {
            state.read = ReadState::Done(records);
        }
        state.status.bytes = spool.bytes();
        if spool.corrupt() > state.status.corrupt {
            self.diagnostics.report(format!(
                "a file of the stored {} is damaged and was set aside as `*.corrupt-N` in the data directory: the \
                 records in it are lost; look at the file, then remove it",
                self.name
            ));
        }
        state.status.corrupt = spool.corrupt();
        state.status.damaged = spool.damaged();
        // The due time is unchanged unless this round has counted: frequent writes must not delay the count.
        let due = state.recount_due.filter(|_| !recount);
        let due = due.unwrap_or_else(|| self.monotonic.now() + nanos(RECOUNT_DAMAGED));
        state.recount_due = (spool.damaged() > 0).then_some(due);
        state.status.evicted += spool.take_evicted();
        if std::mem::take(&mut state.status.failing) {
            self.diagnostics
                .report(format!("{} are stored on disk again", self.name));
        }
        drop(state);
        for receipt in receipts.into_iter().flatten() {
            receipt.complete(true);
        }
        Some(spool)
    }

    /// Puts records back for the next attempt, and completes their receipts with `false`.
    fn put_back(
        &self,
        records: Vec<(u64, Vec<u8>)>,
        receipts: Vec<Option<Arc<Completion<bool>>>>,
        error: &io::Error,
    ) {
        let mut state = self.lock();
        for (number, body) in records.into_iter().rev() {
            state.pending_bytes += body.len();
            state.pending.push_front(PendingRecord {
                number,
                body,
                receipt: None,
            });
        }
        self.fail(&mut state, error);
        drop(state);
        for receipt in receipts.into_iter().flatten() {
            receipt.complete(false);
        }
    }

    fn fail(&self, state: &mut SpoolState, error: &io::Error) {
        state.status.failing = true;
        state.not_before = self.monotonic.now() + nanos(RETRY_AFTER);
        self.diagnostics.report(format!(
            "{} are in memory alone: the data directory refuses them ({error}); it is tried again every 5 s",
            self.name
        ));
    }

    fn lock(&self) -> MutexGuard<'_, SpoolState> {
        lock(&self.state)
    }
}

fn panicked<T>() -> io::Result<T> {
    Err(io::Error::other("code panicked"))
}

impl std::fmt::Debug for SpoolWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SpoolWriter")
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}
