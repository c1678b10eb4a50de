use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::runtime::Handle;

use super::RecordQueue;
use super::block::{Block, Lines, MAX_BLOCK};
use super::shares::reserved;
use super::trouble::SinkError;
use super::writer::{Stop, Writer};
use crate::clock::{Clock, Nanos, nanos};
use crate::model::{Diagnostics, DropReason, RecordCounters, catch_panic, lock, lock_for_status};

/// After a refused write the next block waits this long, twice as long after each further refusal ..
const FIRST_BACK_OFF: Duration = Duration::from_millis(50);
/// .. up to this.
const LAST_BACK_OFF: Duration = Duration::from_secs(1);

/// One sink's queue of blocks and its `Write`.
///
/// Who holds the [`Writer`] writes: it lies in the queue or a single task on the blocking pool has taken
/// it. Lines come into the counters under the queue's lock alone, which is what makes each count once: the
/// task counts what goes out, [`close`](Self::close) counts what is left, and after that nobody counts.
pub(super) struct Sink {
    pub(super) name: &'static str,
    max_bytes: usize,
    pace: Clock,
    record_queue: Arc<RecordQueue>,
    counters: Arc<RecordCounters>,
    diagnostics: Arc<Diagnostics>,
    queue: Mutex<Queue>,
}

pub(super) struct Queue {
    blocks: VecDeque<Block>,
    /// Of the blocks that wait and of the one that is being written.
    bytes: usize,
    /// What is left to count of the block that is being written, and its share of `bytes`.
    in_flight: Lines,
    in_flight_bytes: usize,
    /// Blocks accepted, taken by the task, and settled: delivered or dropped, and flushed.
    accepted: u64,
    taken: u64,
    settled: u64,
    /// Blocks up to this one are awaited by a flush: no back-off holds them.
    wanted: u64,
    writer: Option<Writer>,
    scheduled: bool,
    refusals: u32,
    /// Why the last block was not written, and why the last flush failed.
    write_trouble: Option<SinkError>,
    flush_trouble: Option<SinkError>,
    not_before: Nanos,
    last_delivery: Option<Nanos>,
    waiting_since: Option<Nanos>,
    closed: bool,
}

/// How a sink does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SinkStatus {
    pub(crate) name: &'static str,
    /// Since it last took a whole line; `None` before the first.
    pub(crate) last_delivery_age: Option<Duration>,
    /// Since when there was something to deliver and no line went out.
    pub(crate) waiting_since: Option<Duration>,
    /// Bytes that wait or are being written.
    pub(crate) queued_bytes: usize,
    /// Why it drops what it is given; `None` once it delivers again.
    pub(crate) trouble: Option<SinkError>,
    /// What a receiver of requests last said.
    pub(crate) heard: ReceiverStatus,
}

/// What an answer tells beside its verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ReceiverStatus {
    pub(crate) status: Option<http::StatusCode>,
    /// By how many seconds our clock is ahead of the receiver's.
    pub(crate) ahead: Option<i64>,
}

impl Sink {
    pub(super) fn new(
        name: &'static str,
        max_bytes: usize,
        out: Box<dyn Write + Send>,
        (pace, record_queue): (Clock, Arc<RecordQueue>),
        (counters, diagnostics): (Arc<RecordCounters>, Arc<Diagnostics>),
    ) -> Self {
        let queue = Queue {
            blocks: VecDeque::new(),
            bytes: 0,
            in_flight: Lines::default(),
            in_flight_bytes: 0,
            accepted: 0,
            taken: 0,
            settled: 0,
            wanted: 0,
            writer: Some(Writer::new(out)),
            scheduled: false,
            refusals: 0,
            write_trouble: None,
            flush_trouble: None,
            not_before: 0,
            last_delivery: None,
            waiting_since: None,
            closed: false,
        };
        Self {
            name,
            max_bytes,
            pace,
            record_queue,
            counters,
            diagnostics,
            queue: Mutex::new(queue),
        }
    }

    /// Queues a block, or drops and counts it where it does not fit. Whether so much waits that it should
    /// be written before more comes: each hand-over to the pool costs some system calls.
    pub(super) fn accept(&self, mut block: Block) -> bool {
        let mut queue = self.lock();
        let cost = block.cost();
        if queue.closed {
            block.lines.drop_rest(DropReason::Shutdown, &self.counters);
        } else if queue.bytes > 0 && queue.bytes.saturating_add(cost) > self.max_bytes {
            block
                .lines
                .drop_rest(DropReason::QueueOverflow, &self.counters);
        } else {
            queue.bytes += cost;
            queue.accepted += 1;
            queue.waiting_since.get_or_insert_with(|| self.pace.now());
            queue.blocks.push_back(block);
        }
        queue.bytes >= self.max_bytes / 4
    }

    /// Bytes that may wait.
    pub(super) fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// Whether the queue is full but for the part that is shared by sources, and for the block that is being filled.
    pub(super) fn is_almost_full(&self) -> bool {
        let block = MAX_BLOCK.min(self.max_bytes / 8);
        let queue = self.lock();
        !queue.closed && queue.bytes >= self.max_bytes - reserved(self.max_bytes) - block
    }

    /// Puts a task on the blocking pool if there is something to write and nobody at it.
    pub(super) fn dispatch(self: &Arc<Self>, pool: &Handle) {
        {
            let mut queue = self.lock();
            if !queue.lacks_task() || queue.is_held_back(self.pace.now()) {
                return;
            }
            queue.scheduled = true;
        }
        let sink = Arc::clone(self);
        // The pool panics where no thread can be had.
        if catch_panic(|| drop(pool.spawn_blocking(move || sink.work()))).is_none() {
            let mut queue = self.lock();
            queue.scheduled = false;
            queue.not_before = self.pace.now().saturating_add(nanos(LAST_BACK_OFF));
        }
    }

    /// When [`dispatch`](Self::dispatch) will have something to do that no record or bell announces.
    pub(super) fn next_dispatch(&self) -> Option<Nanos> {
        let queue = self.lock();
        queue.lacks_task().then_some(queue.not_before)
    }

    /// Asks for all that was accepted so far to be written without back-off; the number to hand to
    /// [`is_settled`](Self::is_settled). The bell rings when it is.
    pub(super) fn want_all(&self) -> u64 {
        let mut queue = self.lock();
        if queue.settled < queue.accepted {
            queue.wanted = queue.accepted;
        }
        queue.accepted
    }

    /// Whether everything up to the block of that number is delivered or dropped.
    pub(super) fn is_settled(&self, number: u64) -> bool {
        self.lock().settled >= number
    }

    /// Writes blocks until there are none, or none for now. Runs on the blocking pool; the `Write` may
    /// hang, fail or panic.
    fn work(&self) {
        let Some(mut writer) = self.lock().writer.take() else {
            return;
        };
        loop {
            if let Some(block) = self.take_block() {
                let end = writer.write(&block, |accepted| self.count(accepted));
                if self.settle_block(end) {
                    continue;
                }
            }
            let flushed = writer.flush();
            match self.rest(writer, flushed) {
                Some(back) => writer = back,
                None => return,
            }
        }
    }

    fn take_block(&self) -> Option<Vec<u8>> {
        let mut queue = self.lock();
        if queue.closed || queue.is_held_back(self.pace.now()) {
            return None;
        }
        let block = queue.blocks.pop_front()?;
        queue.taken += 1;
        queue.in_flight_bytes = block.cost();
        queue.in_flight = block.lines;
        Some(block.bytes)
    }

    /// Counts the lines that are wholly out; whether to go on.
    fn count(&self, accepted: usize) -> bool {
        let mut queue = self.lock();
        if queue.in_flight.deliver(accepted, &self.counters) > 0 {
            let now = self.pace.now();
            queue.last_delivery = Some(now);
            queue.waiting_since = Some(now);
        }
        !queue.closed
    }

    /// Ends a block; whether to go on with the next before a flush.
    fn settle_block(&self, end: Result<(), Stop>) -> bool {
        let mut queue = self.lock();
        if queue.closed {
            return false;
        }
        queue.bytes = queue.bytes.saturating_sub(queue.in_flight_bytes);
        let reason = match end {
            Ok(()) => {
                queue.refusals = 0;
                queue.write_trouble = None;
                if queue.blocks.is_empty() {
                    queue.waiting_since = None;
                }
                return queue.taken != queue.wanted;
            }
            Err(Stop::Panic) => {
                queue.write_trouble = Some(SinkError::Panicked);
                self.diagnostics.report(format!(
                    "the sink `{}` panicked while it wrote: the lines of that block are counted as dropped",
                    self.name
                ));
                DropReason::Panic
            }
            Err(Stop::Io(error)) => {
                queue.write_trouble = Some(SinkError::Refused(error.kind()));
                self.diagnostics.report(format!(
                    "the sink `{}` refused a write ({error}): lines are counted as dropped until it takes them again",
                    self.name
                ));
                DropReason::Io
            }
            Err(Stop::Closed) => DropReason::Shutdown,
        };
        queue.in_flight.drop_rest(reason, &self.counters);
        let back_off = match reason {
            DropReason::Panic => FIRST_BACK_OFF,
            _ => FIRST_BACK_OFF
                .saturating_mul(1 << queue.refusals.min(8))
                .min(LAST_BACK_OFF),
        };
        queue.refusals = queue.refusals.saturating_add(1);
        queue.not_before = self.pace.now().saturating_add(nanos(back_off));
        false
    }

    /// Lays the writer down, unless there is more to write at once.
    fn rest(&self, writer: Writer, flushed: Result<(), SinkError>) -> Option<Writer> {
        let mut queue = self.lock();
        if queue.closed {
            drop(queue);
            catch_panic(|| drop(writer));
            return None;
        }
        queue.flush_trouble = flushed.err();
        if queue.flush_trouble.is_some() {
            queue.waiting_since.get_or_insert_with(|| self.pace.now());
        }
        queue.settled = queue.taken;
        let awaited = queue.wanted > 0 && queue.settled >= queue.wanted;
        if awaited {
            queue.wanted = 0;
        }
        let more = !queue.blocks.is_empty();
        let resting = !more || queue.is_held_back(self.pace.now());
        let mut writer = Some(writer);
        if resting {
            queue.writer = writer.take();
            queue.scheduled = false;
        }
        drop(queue);
        // Somebody waits for these blocks, or the worker has to come back for the others.
        if awaited || resting && more {
            self.record_queue.ring();
        }
        writer
    }

    /// Closes the queue: what is not out by now is dropped, even if a hanging write takes it later.
    /// Returns whether nothing was left.
    pub(super) fn close(&self) -> bool {
        let mut queue = self.lock();
        queue.closed = true;
        let mut left = queue
            .in_flight
            .drop_rest(DropReason::Shutdown, &self.counters);
        for mut block in std::mem::take(&mut queue.blocks) {
            left += block.lines.drop_rest(DropReason::Shutdown, &self.counters);
        }
        queue.bytes = 0;
        queue.settled = queue.accepted;
        left == 0
    }

    /// Drops the `Write` of a closed sink, unless a task holds it, which then drops it.
    pub(super) fn drop_writer(&self) {
        let writer = self.lock().writer.take();
        catch_panic(|| drop(writer));
    }

    /// `None` in a child made by `fork` whose parent was at it.
    pub(super) fn status(&self) -> Option<SinkStatus> {
        let now = self.pace.now();
        let age = |at: Nanos| Duration::from_nanos(now.saturating_sub(at));
        let queue = lock_for_status(&self.queue)?;
        Some(SinkStatus {
            name: self.name,
            last_delivery_age: queue.last_delivery.map(age),
            waiting_since: queue.waiting_since.map(age),
            queued_bytes: queue.bytes,
            trouble: queue.write_trouble.or(queue.flush_trouble),
            heard: ReceiverStatus::default(),
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }
}

impl Queue {
    fn lacks_task(&self) -> bool {
        !self.closed && !self.scheduled && self.writer.is_some() && !self.blocks.is_empty()
    }

    fn is_held_back(&self, now: Nanos) -> bool {
        now < self.not_before && self.taken >= self.wanted
    }
}
