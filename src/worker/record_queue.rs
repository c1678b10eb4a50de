//! The queue between the host's threads and the worker: sharded buffers of bytes.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};
use std::sync::{Arc, LockResult, Mutex, MutexGuard, TryLockError};

use tokio::sync::Notify;

use super::shares::{Shares, reserved};
use crate::clock::Nanos;
use crate::model::{DropReason, RecordCounters, RecordKind, thread_number};

/// Threads spread over this many buffers.
const SHARDS: usize = 8;
/// A record's head: its length, its signal, its items, its time, its source.
const HEAD: usize = 4 + 1 + 4 + 8 + 4;
/// The largest record, head included; a larger one is dropped as too large.
pub(crate) const MAX_RECORD: usize = 64 * 1024;

/// Bounded in bytes, never waits for the worker, wakes it only when a buffer is half full or the worker
/// had gone to sleep for want of work.
#[derive(Debug)]
pub(crate) struct RecordQueue {
    shards: [Mutex<Shard>; SHARDS],
    max_shard_bytes: usize,
    /// From here on a buffer takes records of those sources only that have little in the rest of it.
    open_shard_bytes: usize,
    /// The buffers that are filled so far, one bit each: nobody looks at them for room.
    filled: AtomicU8,
    counters: Arc<RecordCounters>,
    /// The worker waits for the bell alone, without a time-out.
    dozing: AtomicBool,
    bell: Notify,
}

#[derive(Debug, Default)]
struct Shard {
    bytes: Vec<u8>,
    /// Counted here, under the lock that is held anyway; brought to the counters when drained.
    emitted: [u64; RecordKind::ALL.len()],
    overflowed: [u64; RecordKind::ALL.len()],
    too_large: [u64; RecordKind::ALL.len()],
    /// Bytes that each source has in the last part of the buffer; all zero where that is empty.
    last_part: Shares,
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
    pub(crate) signal: RecordKind,
    /// So many things that the counters count.
    pub(crate) items: u32,
    pub(crate) at: Nanos,
    /// Where it comes from: the kind of record, with the route or the callsite.
    pub(crate) source: u32,
    pub(crate) body: &'a [u8],
}

impl RecordQueue {
    /// A queue of at most `max_bytes` in all.
    pub(crate) fn new(max_bytes: usize, counters: Arc<RecordCounters>) -> Self {
        let max_shard_bytes = (max_bytes / SHARDS).max(MAX_RECORD);
        Self {
            shards: Default::default(),
            max_shard_bytes,
            open_shard_bytes: max_shard_bytes - reserved(max_shard_bytes),
            filled: AtomicU8::new(0),
            counters,
            dozing: AtomicBool::new(false),
            bell: Notify::new(),
        }
    }

    /// Appends a record of `signal`, of the time `at`. `write` appends its body; it runs under the
    /// buffer's lock and so must call nothing foreign.
    #[inline]
    pub(crate) fn push(&self, signal: RecordKind, at: Nanos, write: impl FnOnce(&mut Vec<u8>)) {
        self.push_many(signal, 1, at, write);
    }

    /// As [`push`](Self::push), of a record that comes from one of many sources, such as a route or a callsite: when
    /// the queue is almost full, each source has a share of what is left.
    #[inline]
    pub(crate) fn push_of(
        &self,
        signal: RecordKind,
        source: u32,
        at: Nanos,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        self.push_record((signal, 1, source), at, write);
    }

    /// As [`push`](Self::push), of a record that stands for `items` things, all of which are delivered or
    /// dropped by the counters.
    #[inline]
    pub(crate) fn push_many(
        &self,
        signal: RecordKind,
        items: u32,
        at: Nanos,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        self.push_record((signal, items, 0), at, write);
    }

    #[inline]
    #[expect(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "signals index arrays of their own number; a length is at most `MAX_RECORD`"
    )]
    fn push_record(
        &self,
        (signal, items, source): (RecordKind, u32, u32),
        at: Nanos,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let (number, mut shard) = self.shard();
        let source = source << 3 | signal as u32;
        if shard.bytes.len() >= self.open_shard_bytes {
            shard = self.with_room(number, shard);
        }
        if shard.away & bit(signal) != 0 {
            return self.turn_away(shard.closed, signal, items);
        }
        shard.emitted[signal as usize] += u64::from(items);
        let start = shard.bytes.len();
        if start >= self.open_shard_bytes && !self.has_share(&mut shard, source) {
            shard.overflowed[signal as usize] += u64::from(items);
            return;
        }
        let mut head = [0; HEAD];
        head[4] = signal as u8;
        head[5..9].copy_from_slice(&items.to_le_bytes());
        head[9..17].copy_from_slice(&at.to_le_bytes());
        head[17..].copy_from_slice(&source.to_le_bytes());
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
        if start >= self.open_shard_bytes {
            shard.last_part.add(source, len);
        }
        let half_full = shard.whole > self.max_shard_bytes / 2;
        if half_full && !std::mem::replace(&mut shard.rung, true) || self.dozing.load(Relaxed) {
            drop(shard);
            self.ring();
        }
    }

    /// Another buffer that is not filled so far, in place of this one; else this one.
    #[cold]
    #[expect(
        clippy::indexing_slicing,
        reason = "the index is taken modulo the length"
    )]
    fn with_room<'a>(
        &'a self,
        number: usize,
        shard: MutexGuard<'a, Shard>,
    ) -> MutexGuard<'a, Shard> {
        // Under the lock of the buffer, as where the worker clears it.
        self.filled.fetch_or(1 << number, Relaxed);
        if self.filled.load(Relaxed) == u8::MAX {
            return shard;
        }
        drop(shard);
        for n in (number + 1..number + SHARDS).map(|n| n % SHARDS) {
            if self.filled.load(Relaxed) & 1 << n != 0 {
                continue;
            }
            // One lock at a time, and each is held for a copy.
            let other = self.repaired(self.shards[n].lock());
            if other.bytes.len() < self.open_shard_bytes {
                return other;
            }
            self.filled.fetch_or(1 << n, Relaxed);
        }
        self.repaired(self.shards[number % SHARDS].lock())
    }

    /// Whether a source may add to the last part of a buffer.
    #[cold]
    fn has_share(&self, shard: &mut Shard, source: u32) -> bool {
        shard.bytes.len() < self.max_shard_bytes
            && shard.last_part.have_room(source, self.max_shard_bytes)
    }

    #[cold]
    fn turn_away(&self, closed: bool, signal: RecordKind, items: u32) {
        if closed {
            self.counters.emitted(signal, u64::from(items));
            self.counters
                .dropped(signal, DropReason::Shutdown, u64::from(items));
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
    pub(crate) fn mute(&self, signal: RecordKind) {
        for shard in &self.shards {
            self.repaired(shard.lock()).away |= bit(signal);
        }
    }

    /// Whether records of this signal go nowhere: nobody need make one.
    #[cfg_attr(not(test), expect(dead_code, reason = "nothing asks yet"))]
    pub(crate) fn is_mute(&self, signal: RecordKind) -> bool {
        self.shard().1.away & bit(signal) != 0
    }

    /// Wakes the worker.
    #[cold]
    pub(crate) fn ring(&self) {
        self.dozing.store(false, Relaxed);
        self.bell.notify_one();
    }

    /// The calling thread's buffer, or another that is free, and its number: held for a copy of some hundred bytes.
    #[inline]
    #[expect(
        clippy::indexing_slicing,
        reason = "the index is taken modulo the length"
    )]
    fn shard(&self) -> (usize, MutexGuard<'_, Shard>) {
        let first = thread_number() % SHARDS;
        if let Ok(shard) = self.shards[first].try_lock() {
            return (first, shard);
        }
        self.other_shard(first)
    }

    /// Another thread holds the buffer that is looked at first.
    #[cold]
    #[expect(
        clippy::indexing_slicing,
        reason = "the index is taken modulo the length"
    )]
    fn other_shard(&self, first: usize) -> (usize, MutexGuard<'_, Shard>) {
        for n in (first..first + SHARDS).map(|n| n % SHARDS) {
            match self.shards[n].try_lock() {
                Ok(shard) => return (n, shard),
                Err(TryLockError::Poisoned(shard)) => return (n, self.repaired(Err(shard))),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        (first, self.repaired(self.shards[first].lock()))
    }

    /// A buffer without the record whose closure panicked.
    fn repaired<'a>(&self, shard: LockResult<MutexGuard<'a, Shard>>) -> MutexGuard<'a, Shard> {
        shard.unwrap_or_else(|poisoned| {
            let mut shard = poisoned.into_inner();
            let whole = shard.whole;
            let torn = shard.bytes.get(whole..);
            if let Some((signal, items)) = torn.and_then(|it| Some((signal_of(it)?, items_of(it)?)))
            {
                self.counters
                    .dropped(signal, DropReason::Panic, u64::from(items));
            }
            shard.bytes.truncate(whole);
            shard
        })
    }

    /// Moves what is queued into `into`, one buffer a shard, and brings the counts to the counters. The
    /// buffers in `into` are handed back to the shards, emptied, so that nothing is allocated.
    #[expect(
        clippy::indexing_slicing,
        reason = "signals index arrays of their own number"
    )]
    pub(crate) fn drain(&self, into: &mut Vec<Vec<u8>>) {
        into.resize_with(SHARDS, Vec::new);
        for (n, (shard, buffer)) in self.shards.iter().zip(into).enumerate() {
            buffer.clear();
            let counts = {
                let mut shard = self.repaired(shard.lock());
                std::mem::swap(&mut shard.bytes, buffer);
                if buffer.len() >= self.open_shard_bytes {
                    shard.last_part = Shares::default();
                    self.filled.fetch_and(!(1 << n), Relaxed);
                }
                shard.counts()
            };
            for signal in RecordKind::ALL {
                let [emitted, overflowed, too_large] = counts.map(|of| of[signal as usize]);
                if emitted > 0 {
                    self.counters.emitted(signal, emitted);
                    self.counters
                        .dropped(signal, DropReason::QueueOverflow, overflowed);
                    self.counters
                        .dropped(signal, DropReason::TooLarge, too_large);
                }
            }
        }
    }

    /// Drops what is queued in a child made by `fork`, which has no worker, and counts it in `counters`. A buffer that
    /// another thread of the parent was at when it forked stays locked for ever, and is left alone.
    pub(crate) fn drop_in_child(&self, counters: &[&RecordCounters]) {
        for shard in &self.shards {
            let mut shard = match shard.try_lock() {
                Ok(shard) => shard,
                Err(TryLockError::Poisoned(shard)) => shard.into_inner(),
                Err(TryLockError::WouldBlock) => continue,
            };
            (shard.bytes, shard.last_part) = Default::default();
            let [emitted, overflowed, too_large] = shard.counts();
            let all = emitted.iter().zip(overflowed).zip(too_large);
            for (signal, ((emitted, overflowed), too_large)) in RecordKind::ALL.into_iter().zip(all)
            {
                let queued = emitted.saturating_sub(overflowed).saturating_sub(too_large);
                for counters in counters {
                    counters.emitted(signal, *emitted);
                    counters.dropped(signal, DropReason::QueueOverflow, overflowed);
                    counters.dropped(signal, DropReason::TooLarge, too_large);
                    counters.dropped(signal, DropReason::Shutdown, queued);
                }
            }
        }
        self.filled.store(0, Relaxed);
    }

    /// Runs code while another has all buffers locked.
    #[cfg(test)]
    pub(super) fn while_locked<R>(&self, work: impl FnOnce() -> R) -> R {
        let _all = self.shards.each_ref().map(|shard| shard.lock());
        work()
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

impl Shard {
    /// What was counted since the last time: emitted, overflowed, too large. The buffer is empty by now.
    fn counts(&mut self) -> [[u64; RecordKind::ALL.len()]; 3] {
        (self.rung, self.whole) = (false, 0);
        [
            std::mem::take(&mut self.emitted),
            std::mem::take(&mut self.overflowed),
            std::mem::take(&mut self.too_large),
        ]
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
            let at = Nanos::from_le_bytes(*record.get(9..17)?.first_chunk()?);
            let source = u32::from_le_bytes(*record.get(17..HEAD)?.first_chunk()?);
            Some(Self {
                signal,
                items: items_of(record)?,
                at,
                source,
                body: record.get(HEAD..)?,
            })
        })
    }
}

fn signal_of(record: &[u8]) -> Option<RecordKind> {
    RecordKind::ALL.get(usize::from(*record.get(4)?)).copied()
}

fn items_of(record: &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(*record.get(5..9)?.first_chunk()?))
}

const fn bit(signal: RecordKind) -> u32 {
    1 << signal as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(record_queue: &RecordQueue) -> Vec<(RecordKind, Nanos, Vec<u8>)> {
        let mut buffers = Vec::new();
        record_queue.drain(&mut buffers);
        let all = buffers.iter().flat_map(|buffer| Record::all(buffer));
        all.map(|record| (record.signal, record.at, record.body.to_vec()))
            .collect()
    }

    #[test]
    fn records_come_out_as_they_went_in() {
        let record_queue = RecordQueue::new(1 << 20, Arc::default());
        record_queue.push(RecordKind::Request, 5, |out| out.extend_from_slice(b"one"));
        record_queue.push(RecordKind::Log, 6, |_| {});
        assert_eq!(
            drain(&record_queue),
            [
                (RecordKind::Request, 5, b"one".to_vec()),
                (RecordKind::Log, 6, Vec::new())
            ]
        );
        assert!(drain(&record_queue).is_empty());
    }

    #[test]
    fn what_does_not_fit_is_counted_by_reason() {
        let counters = Arc::new(RecordCounters::default());
        let record_queue = RecordQueue::new(0, Arc::clone(&counters));
        record_queue.push(RecordKind::Log, 0, |out| out.resize(MAX_RECORD + 1, 0));
        for _ in 0..1000 {
            record_queue.push(RecordKind::Log, 0, |out| out.resize(out.len() + 1000, 0));
        }
        let kept = drain(&record_queue).len() as u64;
        let totals = counters.totals(RecordKind::Log);
        assert_eq!(
            (totals.emitted(), totals.dropped(DropReason::TooLarge)),
            (1001, 1)
        );
        assert_eq!(totals.dropped(DropReason::QueueOverflow) + kept, 1000);
        // Of eight buffers of 64 KiB all but the last part.
        assert!((480..=500).contains(&kept), "{kept}");
    }

    #[test]
    fn one_thread_fills_the_whole_queue_and_the_last_part_is_for_others() {
        let counters = Arc::new(RecordCounters::default());
        let record_queue = RecordQueue::new(8 << 20, Arc::clone(&counters));
        let push = |source: u32, count: usize| {
            for _ in 0..count {
                record_queue.push_of(RecordKind::Log, source, 0, |out| {
                    out.resize(out.len() + 1000 - HEAD, source as u8);
                });
            }
        };
        push(1, 20_000);
        // Few of each of others are taken, and of other signals.
        for source in 2..10 {
            push(source, 5);
        }
        record_queue.push(RecordKind::Error, 0, |out| out.push(1));
        push(1, 100);
        let mut got = [0; 10];
        let all = drain(&record_queue);
        for (signal, _, body) in &all {
            if *signal == RecordKind::Log {
                got[usize::from(body[0])] += 1;
            }
        }
        let bytes = got[1] * 1000;
        assert!(bytes > 15 * (8 << 20) / 16 && bytes <= 8 << 20, "{got:?}");
        assert_eq!(got[2..], [5; 8]);
        assert!(all.iter().any(|(signal, ..)| *signal == RecordKind::Error));
        let totals = counters.totals(RecordKind::Log);
        let kept: u64 = got.iter().sum();
        assert_eq!(
            totals.emitted(),
            totals.dropped(DropReason::QueueOverflow) + kept
        );
        // Emptied, it takes as much again.
        push(1, 20_000);
        assert_eq!(drain(&record_queue).len() as u64, got[1]);
    }

    #[test]
    fn buffers_fill_while_all_threads_push() {
        let counters = Arc::new(RecordCounters::default());
        let record_queue = RecordQueue::new(8 << 20, Arc::clone(&counters));
        let barrier = std::sync::Barrier::new(12);
        std::thread::scope(|scope| {
            for n in 0..12 {
                let (record_queue, barrier) = (&record_queue, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    for _ in 0..2000 {
                        record_queue.push_of(RecordKind::Log, n, 0, |out| {
                            out.resize(out.len() + 1000 - HEAD, 0);
                        });
                    }
                });
            }
        });
        let kept = drain(&record_queue).len() as u64;
        let totals = counters.totals(RecordKind::Log);
        assert_eq!(totals.emitted(), 24_000);
        assert_eq!(totals.dropped(DropReason::QueueOverflow) + kept, 24_000);
        assert!(kept * 1000 > 15 * (8 << 20) / 16, "{kept}");
    }

    #[test]
    fn threads_do_not_lose_each_others_records() {
        let counters = Arc::new(RecordCounters::default());
        let record_queue = RecordQueue::new(64 << 20, Arc::clone(&counters));
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    (0..1000)
                        .for_each(|n| record_queue.push(RecordKind::Request, n, |out| out.push(1)));
                });
            }
        });
        assert_eq!(drain(&record_queue).len(), 16_000);
        assert_eq!(counters.totals(RecordKind::Request).emitted(), 16_000);
    }

    #[test]
    fn a_record_stands_for_its_items() {
        let counters = Arc::new(RecordCounters::default());
        let record_queue = RecordQueue::new(0, Arc::clone(&counters));
        record_queue.push_many(RecordKind::Span, 7, 3, |out| out.push(1));
        record_queue.push_many(RecordKind::Span, 5, 4, |out| {
            out.resize(out.len() + MAX_RECORD, 0);
        });
        let mut buffers = Vec::new();
        record_queue.drain(&mut buffers);
        let records: Vec<_> = buffers.iter().flat_map(|it| Record::all(it)).collect();
        let [record] = records.as_slice() else {
            panic!("{} records", records.len())
        };
        assert_eq!((record.items, record.at, record.body), (7, 3, &[1][..]));
        let totals = counters.totals(RecordKind::Span);
        assert_eq!(
            (totals.emitted(), totals.dropped(DropReason::TooLarge)),
            (12, 5)
        );
    }

    #[test]
    fn a_record_that_panicked_takes_no_other_with_it() {
        let counters = Arc::new(RecordCounters::default());
        let record_queue = RecordQueue::new(1 << 20, Arc::clone(&counters));
        record_queue.push(RecordKind::Log, 1, |out| out.push(1));
        let halfway = std::panic::AssertUnwindSafe(|| {
            record_queue.push(RecordKind::Request, 2, |out| {
                out.push(2);
                panic!("halfway");
            });
        });
        assert!(std::panic::catch_unwind(halfway).is_err());
        record_queue.push(RecordKind::Log, 3, |out| out.push(3));
        assert_eq!(drain(&record_queue).len(), 2);
        record_queue.push(RecordKind::Log, 4, |out| out.push(4));
        assert_eq!(drain(&record_queue), [(RecordKind::Log, 4, vec![4])]);
        let request = counters.totals(RecordKind::Request);
        assert_eq!(
            (request.emitted(), request.dropped(DropReason::Panic)),
            (1, 1)
        );
        assert_eq!(counters.totals(RecordKind::Log).emitted(), 3);
    }

    #[test]
    fn a_closed_intake_counts_and_a_mute_one_does_not() {
        let counters = Arc::new(RecordCounters::default());
        let record_queue = RecordQueue::new(1 << 20, Arc::clone(&counters));
        assert!(!record_queue.is_mute(RecordKind::Log));
        record_queue.mute(RecordKind::Log);
        assert!(
            record_queue.is_mute(RecordKind::Log) && !record_queue.is_mute(RecordKind::Request)
        );
        record_queue.push(RecordKind::Log, 0, |_| {});
        assert_eq!(counters.totals(RecordKind::Log).emitted(), 0);
        record_queue.close();
        record_queue.push(RecordKind::Log, 0, |_| {});
        let totals = counters.totals(RecordKind::Log);
        assert_eq!(
            (totals.emitted(), totals.dropped(DropReason::Shutdown)),
            (1, 1)
        );
        assert!(drain(&record_queue).is_empty());
    }
}
