//! The queue between the host's threads and the worker: sharded buffers of bytes.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, LockResult, Mutex, MutexGuard, TryLockError};

use tokio::sync::Notify;

use crate::clock::Nanos;
use crate::model::{Books, Reason, Signal, thread_number};

/// Threads spread over this many buffers.
const SHARDS: usize = 8;
/// A record's head: its length, its signal, its items, its time.
const HEAD: usize = 4 + 1 + 4 + 8;
/// The largest record, head included; a larger one is dropped as too large.
pub(crate) const MAX_RECORD: usize = 64 * 1024;

/// Bounded in bytes, never waits for the worker, wakes it only when a buffer is half full or the worker
/// had gone to sleep for want of work.
#[derive(Debug)]
pub(crate) struct Intake {
    shards: [Mutex<Shard>; SHARDS],
    max_shard_bytes: usize,
    books: Arc<Books>,
    /// The worker waits for the bell alone, without a time-out.
    dozing: AtomicBool,
    bell: Notify,
}

#[derive(Debug, Default)]
struct Shard {
    bytes: Vec<u8>,
    /// Counted here, under the lock that is held anyway; brought to the books when drained.
    emitted: [u64; Signal::ALL.len()],
    overflowed: [u64; Signal::ALL.len()],
    too_large: [u64; Signal::ALL.len()],
    rung: bool,
    /// Signals whose records are turned away, one bit each.
    away: u32,
    closed: bool,
    /// How far `bytes` hold whole records: a closure that panicked may have left more.
    whole: usize,
}

/// A record as the worker finds it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    pub(crate) signal: Signal,
    /// So many things that the books count.
    pub(crate) items: u32,
    pub(crate) at: Nanos,
    pub(crate) body: &'a [u8],
}

impl Intake {
    /// A queue of at most `max_bytes` in all.
    pub(crate) fn new(max_bytes: usize, books: Arc<Books>) -> Self {
        Self {
            shards: Default::default(),
            max_shard_bytes: (max_bytes / SHARDS).max(MAX_RECORD),
            books,
            dozing: AtomicBool::new(false),
            bell: Notify::new(),
        }
    }

    /// Appends a record of `signal`, of the time `at`. `write` appends its body; it runs under the
    /// buffer's lock and so must call nothing foreign.
    #[inline]
    pub(crate) fn push(&self, signal: Signal, at: Nanos, write: impl FnOnce(&mut Vec<u8>)) {
        self.push_many(signal, 1, at, write);
    }

    /// As [`push`](Self::push), of a record that stands for `items` things, all of which are delivered or
    /// dropped by the books.
    #[inline]
    #[expect(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "signals index arrays of their own number; a length is at most `MAX_RECORD`"
    )]
    pub(crate) fn push_many(
        &self,
        signal: Signal,
        items: u32,
        at: Nanos,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let mut shard = self.shard();
        if shard.away & bit(signal) != 0 {
            return self.turn_away(shard.closed, signal, items);
        }
        shard.emitted[signal as usize] += u64::from(items);
        let start = shard.bytes.len();
        if start >= self.max_shard_bytes {
            shard.overflowed[signal as usize] += u64::from(items);
            return;
        }
        let mut head = [0; HEAD];
        head[4] = signal as u8;
        head[5..9].copy_from_slice(&items.to_le_bytes());
        head[9..].copy_from_slice(&at.to_le_bytes());
        shard.bytes.extend_from_slice(&head);
        write(&mut shard.bytes);
        let len = shard.bytes.len() - start;
        if len > MAX_RECORD {
            shard.bytes.truncate(start);
            shard.too_large[signal as usize] += u64::from(items);
            return;
        }
        if let Some(head) = shard.bytes.get_mut(start..start + 4) {
            head.copy_from_slice(&(len as u32).to_le_bytes());
        }
        shard.whole = start + len;
        let half_full = shard.whole > self.max_shard_bytes / 2;
        if half_full && !std::mem::replace(&mut shard.rung, true) || self.dozing.load(Relaxed) {
            drop(shard);
            self.ring();
        }
    }

    #[cold]
    fn turn_away(&self, closed: bool, signal: Signal, items: u32) {
        if closed {
            self.books.emitted(signal, u64::from(items));
            self.books
                .dropped(signal, Reason::Shutdown, u64::from(items));
        }
    }

    /// From now on records are counted as emitted and dropped at once; what came before can still be
    /// drained.
    pub(crate) fn close(&self) {
        for shard in &self.shards {
            let mut shard = self.repaired(shard.lock());
            (shard.away, shard.closed) = (u32::MAX, true);
        }
    }

    /// From now on records of this signal go nowhere and are not counted: no sink takes them.
    pub(crate) fn mute(&self, signal: Signal) {
        for shard in &self.shards {
            self.repaired(shard.lock()).away |= bit(signal);
        }
    }

    /// Whether records of this signal go nowhere: nobody need make one.
    #[cfg_attr(not(test), expect(dead_code, reason = "nothing asks yet"))]
    pub(crate) fn is_mute(&self, signal: Signal) -> bool {
        self.shard().away & bit(signal) != 0
    }

    /// Wakes the worker.
    #[cold]
    pub(crate) fn ring(&self) {
        self.dozing.store(false, Relaxed);
        self.bell.notify_one();
    }

    /// The calling thread's buffer, or another that is free: held for a copy of some hundred bytes.
    #[inline]
    #[expect(
        clippy::indexing_slicing,
        reason = "the index is taken modulo the length"
    )]
    fn shard(&self) -> MutexGuard<'_, Shard> {
        let first = thread_number();
        for n in first..first + SHARDS {
            match self.shards[n % SHARDS].try_lock() {
                Ok(shard) => return shard,
                Err(TryLockError::Poisoned(shard)) => return self.repaired(Err(shard)),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        self.repaired(self.shards[first % SHARDS].lock())
    }

    /// A buffer without the record whose closure panicked.
    fn repaired<'a>(&self, shard: LockResult<MutexGuard<'a, Shard>>) -> MutexGuard<'a, Shard> {
        shard.unwrap_or_else(|poisoned| {
            let mut shard = poisoned.into_inner();
            let whole = shard.whole;
            let torn = shard.bytes.get(whole..);
            if let Some((signal, items)) = torn.and_then(|it| Some((signal_of(it)?, items_of(it)?)))
            {
                self.books.dropped(signal, Reason::Panic, u64::from(items));
            }
            shard.bytes.truncate(whole);
            shard
        })
    }

    /// Moves what is queued into `into`, one buffer a shard, and brings the counts to the books. The
    /// buffers in `into` are handed back to the shards, emptied, so that nothing is allocated.
    #[expect(
        clippy::indexing_slicing,
        reason = "signals index arrays of their own number"
    )]
    pub(crate) fn drain(&self, into: &mut Vec<Vec<u8>>) {
        into.resize_with(SHARDS, Vec::new);
        for (shard, buffer) in self.shards.iter().zip(into) {
            buffer.clear();
            let counts = {
                let mut shard = self.repaired(shard.lock());
                std::mem::swap(&mut shard.bytes, buffer);
                (shard.rung, shard.whole) = (false, 0);
                [
                    std::mem::take(&mut shard.emitted),
                    std::mem::take(&mut shard.overflowed),
                    std::mem::take(&mut shard.too_large),
                ]
            };
            for signal in Signal::ALL {
                let [emitted, overflowed, too_large] = counts.map(|of| of[signal as usize]);
                if emitted > 0 {
                    self.books.emitted(signal, emitted);
                    self.books
                        .dropped(signal, Reason::QueueOverflow, overflowed);
                    self.books.dropped(signal, Reason::TooLarge, too_large);
                }
            }
        }
    }

    /// Waits until the bell is rung. Cancel safe.
    pub(crate) async fn rung(&self) {
        self.bell.notified().await;
    }

    /// Says that the worker will wait for the bell alone. A record that comes between this call and the
    /// wait rings.
    pub(crate) fn doze(&self, dozing: bool) {
        self.dozing.store(dozing, Relaxed);
    }
}

impl<'a> Record<'a> {
    /// The records of a drained buffer, in the order in which they came.
    pub(crate) fn all(mut buffer: &'a [u8]) -> impl Iterator<Item = Self> {
        std::iter::from_fn(move || {
            let len = u32::from_le_bytes(*buffer.first_chunk()?) as usize;
            let (record, rest) = buffer.split_at_checked(len)?;
            buffer = rest;
            let signal = signal_of(record)?;
            let at = Nanos::from_le_bytes(*record.get(9..HEAD)?.first_chunk()?);
            Some(Self {
                signal,
                items: items_of(record)?,
                at,
                body: record.get(HEAD..)?,
            })
        })
    }
}

fn signal_of(record: &[u8]) -> Option<Signal> {
    Signal::ALL.get(usize::from(*record.get(4)?)).copied()
}

fn items_of(record: &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(*record.get(5..9)?.first_chunk()?))
}

const fn bit(signal: Signal) -> u32 {
    1 << signal as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(intake: &Intake) -> Vec<(Signal, Nanos, Vec<u8>)> {
        let mut buffers = Vec::new();
        intake.drain(&mut buffers);
        let all = buffers.iter().flat_map(|buffer| Record::all(buffer));
        all.map(|record| (record.signal, record.at, record.body.to_vec()))
            .collect()
    }

    #[test]
    fn records_come_out_as_they_went_in() {
        let intake = Intake::new(1 << 20, Arc::default());
        intake.push(Signal::Request, 5, |out| out.extend_from_slice(b"one"));
        intake.push(Signal::Log, 6, |_| {});
        assert_eq!(
            drain(&intake),
            [
                (Signal::Request, 5, b"one".to_vec()),
                (Signal::Log, 6, Vec::new())
            ]
        );
        assert!(drain(&intake).is_empty());
    }

    #[test]
    fn what_does_not_fit_is_counted_by_reason() {
        let books = Arc::new(Books::default());
        let intake = Intake::new(0, Arc::clone(&books));
        intake.push(Signal::Log, 0, |out| out.resize(MAX_RECORD + 1, 0));
        for _ in 0..100 {
            intake.push(Signal::Log, 0, |out| out.resize(out.len() + 1000, 0));
        }
        let kept = drain(&intake).len() as u64;
        let totals = books.totals(Signal::Log);
        assert_eq!(
            (totals.emitted(), totals.dropped(Reason::TooLarge)),
            (101, 1)
        );
        assert_eq!(totals.dropped(Reason::QueueOverflow) + kept, 100);
        assert_eq!(kept, 65);
    }

    #[test]
    fn threads_do_not_lose_each_others_records() {
        let books = Arc::new(Books::default());
        let intake = Intake::new(64 << 20, Arc::clone(&books));
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    (0..1000).for_each(|n| intake.push(Signal::Request, n, |out| out.push(1)));
                });
            }
        });
        assert_eq!(drain(&intake).len(), 16_000);
        assert_eq!(books.totals(Signal::Request).emitted(), 16_000);
    }

    #[test]
    fn a_record_stands_for_its_items() {
        let books = Arc::new(Books::default());
        let intake = Intake::new(0, Arc::clone(&books));
        intake.push_many(Signal::Span, 7, 3, |out| out.push(1));
        intake.push_many(Signal::Span, 5, 4, |out| {
            out.resize(out.len() + MAX_RECORD, 0);
        });
        let mut buffers = Vec::new();
        intake.drain(&mut buffers);
        let records: Vec<_> = buffers.iter().flat_map(|it| Record::all(it)).collect();
        let [record] = records.as_slice() else {
            panic!("{} records", records.len())
        };
        assert_eq!((record.items, record.at, record.body), (7, 3, &[1][..]));
        let totals = books.totals(Signal::Span);
        assert_eq!(
            (totals.emitted(), totals.dropped(Reason::TooLarge)),
            (12, 5)
        );
    }

    #[test]
    fn a_record_that_panicked_takes_no_other_with_it() {
        let books = Arc::new(Books::default());
        let intake = Intake::new(1 << 20, Arc::clone(&books));
        intake.push(Signal::Log, 1, |out| out.push(1));
        let halfway = std::panic::AssertUnwindSafe(|| {
            intake.push(Signal::Request, 2, |out| {
                out.push(2);
                panic!("halfway");
            });
        });
        assert!(std::panic::catch_unwind(halfway).is_err());
        intake.push(Signal::Log, 3, |out| out.push(3));
        assert_eq!(drain(&intake).len(), 2);
        intake.push(Signal::Log, 4, |out| out.push(4));
        assert_eq!(drain(&intake), [(Signal::Log, 4, vec![4])]);
        let request = books.totals(Signal::Request);
        assert_eq!((request.emitted(), request.dropped(Reason::Panic)), (1, 1));
        assert_eq!(books.totals(Signal::Log).emitted(), 3);
    }

    #[test]
    fn a_closed_intake_counts_and_a_mute_one_does_not() {
        let books = Arc::new(Books::default());
        let intake = Intake::new(1 << 20, Arc::clone(&books));
        assert!(!intake.is_mute(Signal::Log));
        intake.mute(Signal::Log);
        assert!(intake.is_mute(Signal::Log) && !intake.is_mute(Signal::Request));
        intake.push(Signal::Log, 0, |_| {});
        assert_eq!(books.totals(Signal::Log).emitted(), 0);
        intake.close();
        intake.push(Signal::Log, 0, |_| {});
        let totals = books.totals(Signal::Log);
        assert_eq!((totals.emitted(), totals.dropped(Reason::Shutdown)), (1, 1));
        assert!(drain(&intake).is_empty());
    }
}
