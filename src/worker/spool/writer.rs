use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::Spool;
use crate::clock::{Clock, Nanos, nanos};
use crate::model::{Diagnostics, catch_panic, lock, lock_for_status};
use crate::worker::completion::Completion;
use crate::worker::{BlockingPool, RecordQueue};

/// After an error of the disk the next attempt waits so long.
const RETRY: Duration = Duration::from_secs(5);
/// Acknowledgements are brought to the disk at most so often.
const ACKS: Duration = Duration::from_secs(1);
/// While damaged files lie there, it is looked this often whether somebody has removed them.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// Bytes that wait for a disk that is slow or fails; the oldest are given up.
const MAX_WAITING: usize = 4 << 20;
/// Bytes read at a time.
const MAX_READ: usize = 256 << 10;
/// Stretches of records that were given up and are remembered.
const MAX_GAPS: usize = 64;

/// Opens the spool, again after it was lost to an error.
pub(super) type Open = dyn Fn() -> io::Result<Spool> + Send + Sync;

/// Stores records before they are sent: never on the caller's thread, which waits for nothing.
///
/// One task at a time holds the [`Spool`]; it takes all that waits, writes and syncs it once, and answers
/// those who wait for it. Where the disk fails, records are in memory alone until it does better.
#[derive(Clone)]
pub(crate) struct SpoolWriter(Arc<Shared>);

struct Shared {
    name: &'static str,
    open: Box<Open>,
    pace: Clock,
    record_queue: Arc<RecordQueue>,
    diagnostics: Arc<Diagnostics>,
    state: Mutex<State>,
}

struct State {
    /// None while a task holds it, and after it was lost to an error.
    spool: Option<Spool>,
    busy: bool,
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    next: u64,
    /// Everything up to here is on the disk, but for the gaps.
    stored: u64,
    gaps: VecDeque<(u64, u64)>,
    acked: u64,
    acks_due: Option<Nanos>,
    /// When to count damaged files again; `None` if there are none.
    look_due: Option<Nanos>,
    read: Reading,
    not_before: Nanos,
    status: SpoolStatus,
}

struct Waiting {
    number: u64,
    body: Vec<u8>,
    answer: Option<Arc<Completion<bool>>>,
}

enum Reading {
    Idle,
    Wanted(u64),
    Done(Vec<(u64, Vec<u8>)>),
}

/// How the store does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SpoolStatus {
    /// Whether the disk refuses what comes.
    pub(crate) failing: bool,
    /// Bytes of its files.
    pub(crate) bytes: u64,
    /// Damaged files found.
    pub(crate) corrupt: u64,
    /// Damaged files that were set aside and not removed by anybody yet.
    pub(crate) damaged: u64,
    /// Records given up unstored, for the disk failed for too long.
    pub(crate) unstored: u64,
    /// Records that had to make room for newer ones.
    pub(crate) evicted: u64,
}

/// What a task has to do.
struct Work {
    records: Vec<Waiting>,
    acked: u64,
    save_acks: bool,
    look: bool,
    read: Option<u64>,
}

impl SpoolWriter {
    /// A store that `open` opens, at once. Where that fails it is tried again later. Numbers begin behind
    /// what is stored, and behind `wall`, so that they rise even where the disk cannot be read now.
    pub(super) fn new(
        name: &'static str,
        open: Box<Open>,
        (pace, wall): (Clock, u64),
        record_queue: &Arc<RecordQueue>,
        diagnostics: &Arc<Diagnostics>,
    ) -> Self {
        let opened = catch_panic(&open).unwrap_or_else(panicked);
        let (spool, error) = match opened {
            Ok(spool) => (Some(spool), None),
            Err(error) => (None, Some(error)),
        };
        let known = spool.as_ref().map_or((1, 0, 0), |spool| {
            (spool.next(), spool.acked(), spool.bytes())
        });
        let damaged = spool.as_ref().map_or(0, Spool::damaged);
        let next = known.0.max(wall).max(1);
        let shared = Shared {
            name,
            open,
            record_queue: Arc::clone(record_queue),
            diagnostics: Arc::clone(diagnostics),
            state: Mutex::new(State {
                spool,
                busy: false,
                waiting: VecDeque::new(),
                waiting_bytes: 0,
                next,
                stored: next - 1,
                gaps: VecDeque::new(),
                acked: known.1,
                acks_due: None,
                look_due: (damaged > 0).then(|| pace.now() + nanos(LOOK_AGAIN)),
                read: Reading::Idle,
                not_before: 0,
                status: SpoolStatus {
                    bytes: known.2,
                    damaged,
                    ..SpoolStatus::default()
                },
            }),
            pace,
        };
        if let Some(error) = error {
            shared.fail(&mut shared.lock(), &error);
        }
        Self(Arc::new(shared))
    }

    /// Stores a record, some time soon; its number. `answer` is told when it is on the disk, or that the
    /// disk refused it for now.
    pub(crate) fn push(&self, body: Vec<u8>, answer: Option<Arc<Completion<bool>>>) -> u64 {
        let mut state = self.0.lock();
        let number = state.next;
        state.next += 1;
        state.waiting_bytes += body.len();
        let failing = state.status.failing;
        state.waiting.push_back(Waiting {
            number,
            body,
            answer: answer.filter(|answer| {
                if failing {
                    answer.give(false);
                }
                !failing
            }),
        });
        while state.waiting_bytes > MAX_WAITING {
            let Some(lost) = state.waiting.pop_front() else {
                break;
            };
            state.waiting_bytes = state.waiting_bytes.saturating_sub(lost.body.len());
            state.status.unstored += 1;
            state.add_gap(lost.number);
            if let Some(answer) = lost.answer {
                answer.give(false);
            }
        }
        number
    }

    /// Whether a record is on the disk.
    #[cfg_attr(
        not(feature = "sentry"),
        expect(dead_code, reason = "nobody sends what is stored")
    )]
    pub(crate) fn is_stored(&self, number: u64) -> bool {
        self.0.lock().is_stored(number)
    }

    /// Notes that nothing up to this number need be kept.
    #[cfg_attr(
        not(feature = "sentry"),
        expect(dead_code, reason = "nobody sends what is stored")
    )]
    pub(crate) fn ack(&self, number: u64) {
        let now = self.0.pace.now();
        let mut state = self.0.lock();
        if number > state.acked {
            state.acked = number;
            state.acks_due.get_or_insert(now + nanos(ACKS));
        }
    }

    /// Asks for stored records behind a number, some at a time; [`take_read`](Self::take_read) has them.
    pub(crate) fn want_read(&self, after: u64) {
        let mut state = self.0.lock();
        if matches!(state.read, Reading::Idle) {
            state.read = Reading::Wanted(after);
        }
    }

    /// The records that were asked for, once they are there; none are left where it is empty.
    pub(crate) fn take_read(&self) -> Option<Vec<(u64, Vec<u8>)>> {
        let mut state = self.0.lock();
        match std::mem::replace(&mut state.read, Reading::Idle) {
            Reading::Done(records) => Some(records),
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

    /// Whether all records up to this one are on the disk, or the disk refuses them.
    pub(crate) fn is_settled(&self, number: u64) -> bool {
        let state = self.0.lock();
        state.status.failing || state.stored >= number
    }

    /// Whether there are no files, as far as is known.
    #[cfg_attr(
        not(feature = "sentry"),
        expect(dead_code, reason = "nobody sends what is stored")
    )]
    pub(crate) fn is_empty(&self) -> bool {
        let status = self.0.lock().status;
        status.bytes == 0 && !status.failing
    }

    /// Brings what is acknowledged to the disk soon; whether it is there, or cannot be brought there.
    pub(crate) fn save_acks(&self) -> bool {
        let now = self.0.pace.now();
        let mut state = self.0.lock();
        if let Some(due) = &mut state.acks_due {
            *due = now.min(*due);
        }
        state.acks_due.is_none() || state.status.failing
    }

    /// The last number that needs no keeping.
    pub(crate) fn acked(&self) -> u64 {
        self.0.lock().acked
    }

    /// How it does; `None` in a child made by `fork` whose parent was at it.
    pub(crate) fn status(&self) -> Option<SpoolStatus> {
        lock_for_status(&self.0.state).map(|state| state.status)
    }

    /// Runs code while other code is at the store, as a thread of the parent may have been when it forked.
    #[cfg(test)]
    pub(crate) fn while_locked<R>(&self, run: impl FnOnce() -> R) -> R {
        let _locked = self.0.lock();
        run()
    }

    /// Sets a task to work where there is something to do and none is at it.
    pub(crate) fn dispatch(&self, jobs: &BlockingPool<'_>) {
        {
            let now = self.0.pace.now();
            let mut state = self.0.lock();
            if state.busy || !state.has_work(now) {
                return;
            }
            state.busy = true;
        }
        let shared = Arc::clone(&self.0);
        if !jobs.run(move || shared.work()) {
            let mut state = self.0.lock();
            state.busy = false;
            state.not_before = self.0.pace.now() + nanos(RETRY);
        }
    }

    /// When [`dispatch`](Self::dispatch) has something to do that nothing announces.
    pub(crate) fn due(&self) -> Option<Nanos> {
        let state = self.0.lock();
        if state.busy {
            return None;
        }
        let waits = !state.waiting.is_empty() || matches!(state.read, Reading::Wanted(_));
        let work = waits.then_some(state.not_before);
        let timed = [state.acks_due, state.look_due].into_iter().flatten();
        let timed = timed.map(|due| due.max(state.not_before));
        work.into_iter().chain(timed).min()
    }
}

impl State {
    fn has_work(&self, now: Nanos) -> bool {
        now >= self.not_before
            && (!self.waiting.is_empty()
                || matches!(self.read, Reading::Wanted(_))
                || self.acks_due.is_some_and(|due| now >= due)
                || self.look_due.is_some_and(|due| now >= due))
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

impl Shared {
    /// Does what there is to do, until there is nothing. Runs on the blocking pool; the disk may hang.
    fn work(&self) {
        let mut spool = self.lock().spool.take();
        loop {
            let now = self.pace.now();
            let work = {
                let mut state = self.lock();
                if !state.has_work(now) {
                    state.spool = spool;
                    state.busy = false;
                    break;
                }
                state.waiting_bytes = 0;
                Work {
                    records: state.waiting.drain(..).collect(),
                    acked: state.acked,
                    save_acks: state.acks_due.is_some_and(|due| now >= due),
                    look: state.look_due.is_some_and(|due| now >= due),
                    read: match state.read {
                        Reading::Wanted(after) => Some(after),
                        _ => None,
                    },
                }
            };
            spool = self.one(spool, work);
        }
        // Somebody may wait for what is stored or read now.
        self.record_queue.ring();
    }

    /// Does one round of work; the spool if it is still good.
    fn one(&self, spool: Option<Spool>, work: Work) -> Option<Spool> {
        let Work {
            records,
            acked,
            save_acks,
            look,
            read,
        } = work;
        let (numbered, answers): (Vec<_>, Vec<_>) = records
            .into_iter()
            .map(|it| ((it.number, it.body), it.answer))
            .unzip();
        let mut spool =
            match spool.map_or_else(|| catch_panic(&self.open).unwrap_or_else(panicked), Ok) {
                Ok(spool) => spool,
                Err(error) => {
                    self.give_back(numbered, answers, &error);
                    return None;
                }
            };
        spool.ack(acked);
        let done = catch_panic(|| {
            // One more try, on a new file: a file system may have got over it.
            let stored = spool.append(&numbered).or_else(|_| spool.append(&numbered));
            stored.and_then(|()| if save_acks { spool.save_acks() } else { Ok(()) })
        });
        let read = match read {
            Some(after) if matches!(done, Some(Ok(()))) => {
                Some(catch_panic(|| spool.read(after, MAX_READ)).unwrap_or_default())
            }
            _ => None,
        };
        if let Err(error) = done.unwrap_or_else(panicked) {
            self.give_back(numbered, answers, &error);
            return Some(spool);
        }
        if look {
            spool.look_for_damaged();
        }
        let mut state = self.lock();
        if let Some((last, _)) = numbered.last() {
            state.stored = *last;
        }
        if save_acks {
            let more = state.acked > acked;
            state.acks_due = more.then(|| self.pace.now() + nanos(ACKS));
        }
        if let Some(records) = read {
            state.read = Reading::Done(records);
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
        // Writes that come more often do not put the look off.
        let due = state.look_due.filter(|_| !look);
        let due = due.unwrap_or_else(|| self.pace.now() + nanos(LOOK_AGAIN));
        state.look_due = (spool.damaged() > 0).then_some(due);
        state.status.evicted += spool.take_evicted();
        if std::mem::take(&mut state.status.failing) {
            self.diagnostics
                .report(format!("{} are stored on disk again", self.name));
        }
        drop(state);
        for answer in answers.into_iter().flatten() {
            answer.give(true);
        }
        Some(spool)
    }

    /// Puts records back for the next attempt; those who wait for them are told.
    fn give_back(
        &self,
        records: Vec<(u64, Vec<u8>)>,
        answers: Vec<Option<Arc<Completion<bool>>>>,
        error: &io::Error,
    ) {
        let mut state = self.lock();
        for (number, body) in records.into_iter().rev() {
            state.waiting_bytes += body.len();
            state.waiting.push_front(Waiting {
                number,
                body,
                answer: None,
            });
        }
        self.fail(&mut state, error);
        drop(state);
        for answer in answers.into_iter().flatten() {
            answer.give(false);
        }
    }

    fn fail(&self, state: &mut State, error: &io::Error) {
        state.status.failing = true;
        state.not_before = self.pace.now() + nanos(RETRY);
        self.diagnostics.report(format!(
            "{} are in memory alone: the data directory refuses them ({error}); it is tried again every 5 s",
            self.name
        ));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
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
