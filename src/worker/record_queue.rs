//! The queue between the host's threads and the worker: sharded byte buffers.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};
use std::sync::{Arc, LockResult, Mutex, MutexGuard, TryLockError};

use tokio::sync::Notify;

use super::source_shares::{SourceShares, reserved};
use crate::clock::Nanos;
use crate::model::{DropReason, RecordCounters, RecordKind, thread_number};

/// The number of buffers that threads are spread over.
const SHARDS: usize = 8;
/// Bytes of a record's header: its length, kind, number of items, time and source.
const HEADER: usize = 4 + 1 + 4 + 8 + 4;
/// The largest record in bytes, header included. A larger one is dropped as `too_large`.
pub(crate) const MAX_RECORD: usize = 64 * 1024;

/// A queue of records, bounded in bytes, that never waits for the worker.
///
/// It wakes the worker only when a buffer is half full, or when the worker sleeps because there was nothing to do.
#[derive(Debug)]
pub(crate) struct RecordQueue {
    shards: [Mutex<Shard>; SHARDS],
    max_shard_bytes: usize,
    /// A buffer of this many bytes or more takes records only from sources that use little of the rest of it.
    unreserved_bytes: usize,
    /// One bit for each buffer that has reached `unreserved_bytes`. Threads that look for room skip these.
    filled: AtomicU8,
    counters: Arc<RecordCounters>,
    /// Whether the worker waits only for `wake_up`, so that the next record has to wake it.
    idle: AtomicBool,
    wake_up: Notify,
}

#[derive(Debug, Default)]
struct Shard {
    bytes: Vec<u8>,
    /// Counts since the last drain, under the lock that a push holds anyway. A drain adds them to the counters.
    emitted: [u64; RecordKind::ALL.len()],
    overflowed: [u64; RecordKind::ALL.len()],
    too_large: [u64; RecordKind::ALL.len()],
    /// Bytes of each source in the reserved part of the buffer; all zero while that part is empty.
    reserved_use: SourceShares,
    /// Whether this buffer has woken the worker since the last drain.
    woken: bool,
    /// One bit for each kind whose records are rejected.
    muted: u32,
    closed: bool,
    /// The length up to which `bytes` holds complete records. A closure that panicked may have left more.
    complete_len: usize,
}

/// A record as the worker reads it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    pub(crate) kind: RecordKind,
    /// The number of items that the record represents. Each counts once in the counters.
    pub(crate) items: u32,
    pub(crate) at: Nanos,
    /// Where the record comes from: its kind, combined with its route or callsite.
    pub(crate) source: u32,
    pub(crate) body: &'a [u8],
}

/// The header before the body of a record.
#[derive(Debug, Clone, Copy)]
struct RecordHeader {
    kind: RecordKind,
    items: u32,
    source: u32,
    at: Nanos,
}

impl RecordQueue {
    /// A queue of at most `max_bytes` over all buffers, but of at least one record's size in each.
    pub(crate) fn new(max_bytes: usize, counters: Arc<RecordCounters>) -> Self {
        let max_shard_bytes = (max_bytes / SHARDS).max(MAX_RECORD);
        Self {
            shards: Default::default(),
            max_shard_bytes,
            unreserved_bytes: max_shard_bytes - reserved(max_shard_bytes),
            filled: AtomicU8::new(0),
            counters,
            idle: AtomicBool::new(false),
            wake_up: Notify::new(),
        }
    }

    /// Appends a record of `kind` with the time `at`. `write` appends its body. It runs under the buffer's lock, so it
    /// must not call foreign code.
    #[inline]
    pub(crate) fn push(&self, kind: RecordKind, at: Nanos, write: impl FnOnce(&mut Vec<u8>)) {
        self.push_many(kind, 1, at, write);
    }

    /// Like [`push`](Self::push), for a record from one of many sources, such as a route or a callsite. When the queue
    /// is almost full, each source has a share of the rest.
    #[inline]
    pub(crate) fn push_from(
        &self,
        kind: RecordKind,
        source: u32,
        at: Nanos,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let header = RecordHeader {
            kind,
            items: 1,
            source,
            at,
        };
        self.push_record(header, write);
    }

    /// Like [`push`](Self::push), for a record that represents several `items`. Each item is counted as delivered or
    /// dropped.
    #[inline]
    pub(crate) fn push_many(
        &self,
        kind: RecordKind,
        items: u32,
        at: Nanos,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let header = RecordHeader {
            kind,
            items,
            source: 0,
            at,
        };
        self.push_record(header, write);
    }

    #[inline]
    #[expect(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "kinds index arrays of their own number; a length is at most `MAX_RECORD`"
    )]
    fn push_record(&self, header: RecordHeader, write: impl FnOnce(&mut Vec<u8>)) {
        let RecordHeader {
            kind,
            items,
            source,
            at,
        } = header;
        let (number, mut shard) = self.shard();
        // Sources of different kinds do not share a number: the kind takes the low three bits.
        let source = source << 3 | kind as u32;
        // One busy thread may use the whole queue: a full buffer sends it on to another one.
        if shard.bytes.len() >= self.unreserved_bytes {
            shard = self.shard_with_room(number, shard);
        }
        if shard.muted & bit(kind) != 0 {
            return self.reject(shard.closed, kind, items);
        }
        // Counted before the record can be dropped or its closure can panic, so that `emitted` misses nothing.
        shard.emitted[kind as usize] += u64::from(items);
        // The last part of a buffer is shared between sources, so that a busy one cannot take the place of the others.
        let start = shard.bytes.len();
        if start >= self.unreserved_bytes && !self.has_share(&mut shard, source) {
            shard.overflowed[kind as usize] += u64::from(items);
            return;
        }
        // The length is not known yet, and stays zero until the body is written.
        let mut head = [0; HEADER];
        head[4] = kind as u8;
        head[5..9].copy_from_slice(&items.to_le_bytes());
        head[9..17].copy_from_slice(&at.to_le_bytes());
        head[17..].copy_from_slice(&source.to_le_bytes());
        shard.bytes.extend_from_slice(&head);
        write(&mut shard.bytes);
        let len = shard.bytes.len() - start;
        if len > MAX_RECORD {
            shard.bytes.truncate(start);
            shard.too_large[kind as usize] += u64::from(items);
            return;
        }
        if let Some(head) = shard.bytes.get_mut(start..start + 4) {
            head.copy_from_slice(&(len as u32).to_le_bytes());
        }
        // From here the record is complete: a panic of a later closure does not remove it.
        shard.complete_len = start + len;
        if start >= self.unreserved_bytes {
            shard.reserved_use.add(source, len);
        }
        // The lock is released before the wake-up, so that the worker does not wake only to wait for it.
        let half_full = shard.complete_len > self.max_shard_bytes / 2;
        if half_full && !std::mem::replace(&mut shard.woken, true) || self.idle.load(Relaxed) {
            drop(shard);
            self.wake();
        }
    }

    /// Returns another buffer that has not reached its reserved part, or this one if there is none.
    #[cold]
    #[expect(
        clippy::indexing_slicing,
        reason = "the index is taken modulo the length"
    )]
    fn shard_with_room<'a>(
        &'a self,
        number: usize,
        shard: MutexGuard<'a, Shard>,
    ) -> MutexGuard<'a, Shard> {
        // The bit is set and cleared under the lock of its buffer, so that it never outlives the fill.
        self.filled.fetch_or(1 << number, Relaxed);
        if self.filled.load(Relaxed) == u8::MAX {
            return shard;
        }
        drop(shard);
        for n in (number + 1..number + SHARDS).map(|n| n % SHARDS) {
            if self.filled.load(Relaxed) & 1 << n != 0 {
                continue;
            }
            // One lock at a time, and each is held for one copy only.
            let other = self.recover_shard(self.shards[n].lock());
            if other.bytes.len() < self.unreserved_bytes {
                return other;
            }
            self.filled.fetch_or(1 << n, Relaxed);
        }
        self.recover_shard(self.shards[number % SHARDS].lock())
    }

    /// Whether a source may add to the reserved part of a buffer.
    #[cold]
    fn has_share(&self, shard: &mut Shard, source: u32) -> bool {
        shard.bytes.len() < self.max_shard_bytes
            && shard.reserved_use.have_room(source, self.max_shard_bytes)
    }

    /// Counts a record that is not taken, if the queue is closed. Records of a muted kind are not counted.
    #[cold]
    fn reject(&self, closed: bool, kind: RecordKind, items: u32) {
        if closed {
            self.counters.emitted(kind, u64::from(items));
            self.counters
                .dropped(kind, DropReason::Shutdown, u64::from(items));
        }
    }

    /// Closes the queue: each further record is counted as emitted and as dropped. Queued records can still be drained.
    pub(crate) fn close(&self) {
        for shard in &self.shards {
            let mut shard = self.recover_shard(shard.lock());
            (shard.muted, shard.closed) = (u32::MAX, true);
        }
    }

    /// Rejects all further records of this kind without counting them, because no sink takes them.
    pub(crate) fn mute(&self, kind: RecordKind) {
        for shard in &self.shards {
            self.recover_shard(shard.lock()).muted |= bit(kind);
        }
    }

    /// Whether records of this kind are rejected, so that callers need not make one.
    #[cfg_attr(not(test), expect(dead_code, reason = "tests alone ask so far"))]
    pub(crate) fn is_muted(&self, kind: RecordKind) -> bool {
        self.shard().1.muted & bit(kind) != 0
    }

    /// Wakes the worker.
    #[cold]
    pub(crate) fn wake(&self) {
        self.idle.store(false, Relaxed);
        self.wake_up.notify_one();
    }

    /// Locks the calling thread's buffer, or another one that is free, and returns it with its number. The lock is held
    /// for a copy of a few hundred bytes.
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

    /// Locks any free buffer, for a thread whose own is locked or poisoned. Where none is free, it waits for its own.
    #[cold]
    #[expect(
        clippy::indexing_slicing,
        reason = "the index is taken modulo the length"
    )]
    fn other_shard(&self, first: usize) -> (usize, MutexGuard<'_, Shard>) {
        for n in (first..first + SHARDS).map(|n| n % SHARDS) {
            match self.shards[n].try_lock() {
                Ok(shard) => return (n, shard),
                Err(TryLockError::Poisoned(shard)) => return (n, self.recover_shard(Err(shard))),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        (first, self.recover_shard(self.shards[first].lock()))
    }

    /// Returns the buffer of a lock. If the lock is poisoned, it first removes the record whose closure panicked and
    /// counts it as dropped.
    fn recover_shard<'a>(&self, shard: LockResult<MutexGuard<'a, Shard>>) -> MutexGuard<'a, Shard> {
        shard.unwrap_or_else(|poisoned| {
            let mut shard = poisoned.into_inner();
            let complete_len = shard.complete_len;
            let torn = shard.bytes.get(complete_len..);
            if let Some((kind, items)) = torn.and_then(|it| Some((kind_of(it)?, items_of(it)?))) {
                self.counters
                    .dropped(kind, DropReason::Panic, u64::from(items));
            }
            shard.bytes.truncate(complete_len);
            shard
        })
    }

    /// Moves all queued records into `into`, one buffer per shard, and adds their counts to the counters.
    ///
    /// The buffers in `into` are emptied and become the buffers of the shards, so that nothing is allocated.
    #[expect(
        clippy::indexing_slicing,
        reason = "kinds index arrays of their own number"
    )]
    pub(crate) fn drain(&self, into: &mut Vec<Vec<u8>>) {
        into.resize_with(SHARDS, Vec::new);
        for (n, (shard, buffer)) in self.shards.iter().zip(into).enumerate() {
            buffer.clear();
            // Under the lock the buffers are only exchanged. The counters are changed after it, so that the host's
            // threads wait as little as possible.
            let counts = {
                let mut shard = self.recover_shard(shard.lock());
                std::mem::swap(&mut shard.bytes, buffer);
                // The buffer is empty again, so it is offered to threads that look for room.
                if buffer.len() >= self.unreserved_bytes {
                    shard.reserved_use = SourceShares::default();
                    self.filled.fetch_and(!(1 << n), Relaxed);
                }
                shard.take_counts()
            };
            for kind in RecordKind::ALL {
                let [emitted, overflowed, too_large] = counts.map(|of| of[kind as usize]);
                if emitted > 0 {
                    self.counters.emitted(kind, emitted);
                    self.counters
                        .dropped(kind, DropReason::QueueOverflow, overflowed);
                    self.counters.dropped(kind, DropReason::TooLarge, too_large);
                }
            }
        }
    }

    /// Drops all queued records in a child made by `fork`, which has no worker, and counts them in `counters`.
    ///
    /// A buffer whose lock a thread of the parent held when it forked stays locked forever. It is skipped.
    pub(crate) fn drop_in_child(&self, counters: &[&RecordCounters]) {
        for shard in &self.shards {
            let mut shard = match shard.try_lock() {
                Ok(shard) => shard,
                Err(TryLockError::Poisoned(shard)) => shard.into_inner(),
                Err(TryLockError::WouldBlock) => continue,
            };
            (shard.bytes, shard.reserved_use) = Default::default();
            let [emitted, overflowed, too_large] = shard.take_counts();
            let all = emitted.iter().zip(overflowed).zip(too_large);
            for (kind, ((emitted, overflowed), too_large)) in RecordKind::ALL.into_iter().zip(all) {
                let queued = emitted.saturating_sub(overflowed).saturating_sub(too_large);
                for counters in counters {
                    counters.emitted(kind, *emitted);
                    counters.dropped(kind, DropReason::QueueOverflow, overflowed);
                    counters.dropped(kind, DropReason::TooLarge, too_large);
                    counters.dropped(kind, DropReason::Shutdown, queued);
                }
            }
        }
        self.filled.store(0, Relaxed);
    }

    /// Runs code while all buffers are locked.
    #[cfg(test)]
    pub(super) fn while_locked<R>(&self, work: impl FnOnce() -> R) -> R {
        let _all = self.shards.each_ref().map(|shard| shard.lock());
        work()
    }

    /// Waits for [`wake`](Self::wake).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a wake-up that arrives in between ends the next call.
    pub(crate) async fn woken(&self) {
        self.wake_up.notified().await;
    }

    /// Sets whether the next record wakes the worker. A record that is pushed between this call and
    /// [`woken`](Self::woken) wakes it too.
    pub(crate) fn set_idle(&self, idle: bool) {
        self.idle.store(idle, Relaxed);
    }
}

impl Shard {
    /// Takes the counts since the last call: emitted, overflowed and too large. The buffer has been emptied before.
    fn take_counts(&mut self) -> [[u64; RecordKind::ALL.len()]; 3] {
        (self.woken, self.complete_len) = (false, 0);
        [
            std::mem::take(&mut self.emitted),
            std::mem::take(&mut self.overflowed),
            std::mem::take(&mut self.too_large),
        ]
    }
}

impl<'a> Record<'a> {
    /// Iterates over the records of a drained buffer, in the order in which they were pushed.
    pub(crate) fn all(mut buffer: &'a [u8]) -> impl Iterator<Item = Self> {
        std::iter::from_fn(move || {
            let len = u32::from_le_bytes(*buffer.first_chunk()?) as usize;
            let (record, rest) = buffer.split_at_checked(len)?;
            buffer = rest;
            let kind = kind_of(record)?;
            let at = Nanos::from_le_bytes(*record.get(9..17)?.first_chunk()?);
            let source = u32::from_le_bytes(*record.get(17..HEADER)?.first_chunk()?);
            Some(Self {
                kind,
                items: items_of(record)?,
                at,
                source,
                body: record.get(HEADER..)?,
            })
        })
    }
}

fn kind_of(record: &[u8]) -> Option<RecordKind> {
    RecordKind::ALL.get(usize::from(*record.get(4)?)).copied()
}

fn items_of(record: &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(*record.get(5..9)?.first_chunk()?))
}

const fn bit(kind: RecordKind) -> u32 {
    1 << kind as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(record_queue: &RecordQueue) -> Vec<(RecordKind, Nanos, Vec<u8>)> {
        let mut buffers = Vec::new();
        record_queue.drain(&mut buffers);
        let all = buffers.iter().flat_map(|buffer| Record::all(buffer));
        all.map(|record| (record.kind, record.at, record.body.to_vec()))
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
        // The records fill most of eight buffers of 64 KiB.
        assert!((480..=500).contains(&kept), "{kept}");
    }

    #[test]
    fn one_thread_fills_the_whole_queue_and_the_last_part_is_for_others() {
        let counters = Arc::new(RecordCounters::default());
        let record_queue = RecordQueue::new(8 << 20, Arc::clone(&counters));
        let push = |source: u32, count: usize| {
            for _ in 0..count {
                record_queue.push_from(RecordKind::Log, source, 0, |out| {
                    out.resize(out.len() + 1000 - HEADER, source as u8);
                });
            }
        };
        push(1, 20_000);
        // Few of each of others are taken, and of other kinds.
        for source in 2..10 {
            push(source, 5);
        }
        record_queue.push(RecordKind::Error, 0, |out| out.push(1));
        push(1, 100);
        let mut got = [0; 10];
        let all = drain(&record_queue);
        for (kind, _, body) in &all {
            if *kind == RecordKind::Log {
                got[usize::from(body[0])] += 1;
            }
        }
        let bytes = got[1] * 1000;
        assert!(bytes > 15 * (8 << 20) / 16 && bytes <= 8 << 20, "{got:?}");
        assert_eq!(got[2..], [5; 8]);
        assert!(all.iter().any(|(kind, ..)| *kind == RecordKind::Error));
        let totals = counters.totals(RecordKind::Log);
        let kept: u64 = got.iter().sum();
        assert_eq!(
            totals.emitted(),
            totals.dropped(DropReason::QueueOverflow) + kept
        );
        // After it is drained, it accepts as much again.
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
                        record_queue.push_from(RecordKind::Log, n, 0, |out| {
                            out.resize(out.len() + 1000 - HEADER, 0);
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
        assert!(!record_queue.is_muted(RecordKind::Log));
        record_queue.mute(RecordKind::Log);
        assert!(
            record_queue.is_muted(RecordKind::Log) && !record_queue.is_muted(RecordKind::Request)
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
