use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::runtime::Handle;

use super::RecordQueue;
use super::block::{Block, MAX_BLOCK, PendingLines};
use super::context::WorkerContext;
use super::sink_status::{ReceiverStatus, SinkError, SinkStatus};
use super::sink_writer::{SinkWriter, WriteError};
use super::source_shares::reserved;
use crate::clock::{Clock, Nanos, nanos};
use crate::model::{Diagnostics, DropReason, RecordCounters, catch_panic, lock, lock_for_status};

/// The wait after the first refused write. It doubles with each further refusal.
const FIRST_BACK_OFF: Duration = Duration::from_millis(50);
/// The longest wait after a refused write.
const LAST_BACK_OFF: Duration = Duration::from_secs(1);

/// A sink of log lines: a bounded queue of blocks, and the `Write` that they go to.
///
/// Only the holder of the [`SinkWriter`] writes. It is in the queue, or the one task on the blocking pool has taken it.
///
/// Lines are counted under the queue's lock only, so that each counts once: the task counts what is written,
/// [`close`](Self::close) counts what is left, and nothing is counted after that.
pub(super) struct LineSink {
    pub(super) name: &'static str,
    max_bytes: usize,
    /// How long what was written may wait for a flush.
    flush_delay: Duration,
    monotonic: Clock,
    record_queue: Arc<RecordQueue>,
    counters: Arc<RecordCounters>,
    diagnostics: Arc<Diagnostics>,
    queue: Mutex<BlockQueue>,
}

pub(super) struct BlockQueue {
    blocks: VecDeque<Block>,
    /// Bytes of the blocks that wait and of the one that is being written.
    bytes: usize,
    /// The uncounted lines of the block that is being written, and the block's share of `bytes`.
    in_flight: PendingLines,
    in_flight_bytes: usize,
    /// Numbers of the last block that was accepted, that the task has taken, and that is settled: delivered or dropped,
    /// and flushed.
    accepted: u64,
    taken: u64,
    settled: u64,
    /// A flush awaits the blocks up to this one: no back-off holds them.
    flush_up_to: u64,
    /// When what was written since the last flush must be flushed; `None` if that is nothing.
    flush_due: Option<Nanos>,
    writer: Option<SinkWriter>,
    /// Whether a task runs or is scheduled on the blocking pool.
    scheduled: bool,
    /// Failed blocks in a row.
    failures: u32,
    /// Why the last block was not written, and why the last flush failed.
    write_error: Option<SinkError>,
    flush_error: Option<SinkError>,
    not_before: Nanos,
    last_delivery: Option<Nanos>,
    waiting_since: Option<Nanos>,
    closed: bool,
}

impl LineSink {
    pub(super) fn new(
        name: &'static str,
        (max_bytes, flush_delay): (usize, Duration),
        out: Box<dyn Write + Send>,
        context: &WorkerContext,
    ) -> Self {
        let WorkerContext {
            monotonic,
            record_queue,
            counters,
            diagnostics,
            ..
        } = context.clone();
        let queue = BlockQueue {
            blocks: VecDeque::new(),
            bytes: 0,
            in_flight: PendingLines::default(),
            in_flight_bytes: 0,
            accepted: 0,
            taken: 0,
            settled: 0,
            flush_up_to: 0,
            flush_due: None,
            writer: Some(SinkWriter::new(out)),
            scheduled: false,
            failures: 0,
            write_error: None,
            flush_error: None,
            not_before: 0,
            last_delivery: None,
            waiting_since: None,
            closed: false,
        };
        Self {
            name,
            max_bytes,
            flush_delay,
            monotonic,
            record_queue,
            counters,
            diagnostics,
            queue: Mutex::new(queue),
        }
    }

    /// Queues a block, or counts its lines as dropped if it does not fit.
    ///
    /// Returns whether so much waits that the caller should dispatch before it formats more. It does not dispatch for
    /// each block, because handing over to the pool costs several system calls.
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
            queue
                .waiting_since
                .get_or_insert_with(|| self.monotonic.now());
            queue.blocks.push_back(block);
        }
        queue.bytes >= self.max_bytes / 4
    }

    /// The maximum number of bytes that may wait.
    pub(super) fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// Whether the queue is full, except for its reserved part and the block that is being filled.
    pub(super) fn is_almost_full(&self) -> bool {
        let block = MAX_BLOCK.min(self.max_bytes / 8);
        let queue = self.lock();
        !queue.closed && queue.bytes >= self.max_bytes - reserved(self.max_bytes) - block
    }

    /// Starts a task on the blocking pool, if there is something to write or to flush now and no task is running.
    pub(super) fn dispatch(self: &Arc<Self>, pool: &Handle) {
        {
            let mut queue = self.lock();
            if queue.next_task().is_none_or(|at| self.monotonic.now() < at) {
                return;
            }
            queue.scheduled = true;
        }
        let sink = Arc::clone(self);
        // Tokio panics if it cannot start a thread.
        if catch_panic(|| drop(pool.spawn_blocking(move || sink.write_blocks()))).is_none() {
            let mut queue = self.lock();
            queue.scheduled = false;
            queue.not_before = self.monotonic.now().saturating_add(nanos(LAST_BACK_OFF));
        }
    }

    /// When [`dispatch`](Self::dispatch) must be called, unless a record or a wake-up arrives earlier.
    pub(super) fn next_dispatch(&self) -> Option<Nanos> {
        self.lock().next_task()
    }

    /// Requests that everything accepted so far is written without back-off, and returns the number to pass to
    /// [`is_settled`](Self::is_settled). The sink wakes the worker when it is settled.
    pub(super) fn request_flush(&self) -> u64 {
        let mut queue = self.lock();
        if queue.settled < queue.accepted {
            queue.flush_up_to = queue.accepted;
        }
        queue.accepted
    }

    /// Whether everything up to the block with this number is delivered or dropped.
    pub(super) fn is_settled(&self, number: u64) -> bool {
        self.lock().settled >= number
    }

    /// Writes blocks until none is left or a back-off begins. Runs on the blocking pool; the `Write` may hang, fail or
    /// panic.
    fn write_blocks(&self) {
        // Taking the writer makes this the only task that writes.
        let Some(mut writer) = self.lock().writer.take() else {
            return;
        };
        loop {
            // Blocks are written one after the other without a flush, until none is left, one fails, or the last one
            // that a flush awaits is out.
            if let Some(block) = self.take_block() {
                let end = writer.write(&block, |accepted| self.count(accepted));
                if self.settle_block(end) {
                    continue;
                }
            }
            // What was written counts as settled only after this, since `Write` may buffer.
            let flushed = self.is_flush_due().then(|| writer.flush());
            match self.put_back(writer, flushed) {
                Some(more_to_write) => writer = more_to_write,
                None => return,
            }
        }
    }

    fn take_block(&self) -> Option<Vec<u8>> {
        let mut queue = self.lock();
        if queue.closed || queue.is_held_back(self.monotonic.now()) {
            return None;
        }
        let block = queue.blocks.pop_front()?;
        queue.taken += 1;
        queue.in_flight_bytes = block.cost();
        queue.in_flight = block.lines;
        Some(block.bytes)
    }

    /// Counts the lines that are completely written. Returns whether to continue.
    fn count(&self, accepted: usize) -> bool {
        let mut queue = self.lock();
        if queue.in_flight.deliver(accepted, &self.counters) > 0 {
            let now = self.monotonic.now();
            queue.last_delivery = Some(now);
            queue.waiting_since = Some(now);
        }
        !queue.closed
    }

    /// Settles the written block. Returns whether to continue with the next one before a flush.
    fn settle_block(&self, end: Result<(), WriteError>) -> bool {
        let mut queue = self.lock();
        if queue.closed {
            return false;
        }
        // The block leaves the queue whatever became of it: lines that were refused are not written again, because a
        // part of them may be out.
        queue.bytes = queue.bytes.saturating_sub(queue.in_flight_bytes);
        let reason = match end {
            Ok(()) => {
                queue.failures = 0;
                queue.write_error = None;
                if queue.blocks.is_empty() {
                    queue.waiting_since = None;
                }
                // Blocks may follow without a pause, so the delay of a flush is checked after each.
                let now = self.monotonic.now();
                let due = now.saturating_add(nanos(self.flush_delay));
                let due = *queue.flush_due.get_or_insert(due);
                return queue.taken != queue.flush_up_to
                    && (due > now || self.flush_delay.is_zero());
            }
            Err(WriteError::Panic) => {
                queue.write_error = Some(SinkError::Panicked);
                self.diagnostics.report(format!(
                    "the sink `{}` panicked while it wrote: the lines of that block are counted as dropped",
                    self.name
                ));
                DropReason::Panic
            }
            Err(WriteError::Io(error)) => {
                queue.write_error = Some(SinkError::Refused(error.kind()));
                self.diagnostics.report(format!(
                    "the sink `{}` refused a write ({error}): lines are counted as dropped until it takes them again",
                    self.name
                ));
                DropReason::Io
            }
            Err(WriteError::Closed) => DropReason::Shutdown,
        };
        queue.in_flight.drop_rest(reason, &self.counters);
        let back_off = match reason {
            DropReason::Panic => FIRST_BACK_OFF,
            _ => FIRST_BACK_OFF
                .saturating_mul(1 << queue.failures.min(8))
                .min(LAST_BACK_OFF),
        };
        queue.failures = queue.failures.saturating_add(1);
        queue.not_before = self.monotonic.now().saturating_add(nanos(back_off));
        false
    }

    /// Whether what was written is to be flushed now: its delay is over, or a flush awaits it.
    fn is_flush_due(&self) -> bool {
        let now = self.monotonic.now();
        let mut queue = self.lock();
        let delay = nanos(self.flush_delay);
        let due = *queue.flush_due.get_or_insert(now.saturating_add(delay));
        now >= due || queue.is_flush_awaited() && queue.taken >= queue.flush_up_to
    }

    /// Settles what was flushed. Puts the writer back into the queue, or returns it if there is more to write now.
    fn put_back(
        &self,
        writer: SinkWriter,
        flushed: Option<Result<(), SinkError>>,
    ) -> Option<SinkWriter> {
        let mut queue = self.lock();
        if queue.closed {
            drop(queue);
            catch_panic(|| drop(writer));
            return None;
        }
        if let Some(flushed) = flushed {
            queue.flush_error = flushed.err();
            if queue.flush_error.is_some() {
                queue
                    .waiting_since
                    .get_or_insert_with(|| self.monotonic.now());
            }
            // All blocks that were taken are written or counted, and now flushed too.
            queue.settled = queue.taken;
            queue.flush_due = None;
        }
        let awaited = queue.flush_up_to > 0 && queue.settled >= queue.flush_up_to;
        if awaited {
            queue.flush_up_to = 0;
        }
        let more = !queue.blocks.is_empty();
        // The task ends and gives the writer back in one step with this check, so that no block that is accepted
        // meanwhile is left without a task.
        let resting = !more || queue.is_held_back(self.monotonic.now());
        let mut writer = Some(writer);
        if resting {
            queue.writer = writer.take();
            queue.scheduled = false;
        }
        drop(queue);
        // A flush awaits these blocks, or the worker has to schedule the others after the back-off. For a delayed flush it
        // need not be woken: it looks for one in every round.
        if awaited || resting && more {
            self.record_queue.wake();
        }
        writer
    }

    /// Closes the queue and counts unwritten lines as dropped, even if a hanging write completes later. Returns whether
    /// nothing was left.
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

    /// Drops the `Write` of a closed sink. If a task holds it, that task drops it.
    pub(super) fn drop_writer(&self) {
        let writer = self.lock().writer.take();
        catch_panic(|| drop(writer));
    }

    /// `None` in a child made by `fork` if a thread of the parent held the lock.
    pub(super) fn status(&self) -> Option<SinkStatus> {
        let now = self.monotonic.now();
        let age = |at: Nanos| Duration::from_nanos(now.saturating_sub(at));
        let queue = lock_for_status(&self.queue)?;
        Some(SinkStatus {
            name: self.name,
            last_delivery_age: queue.last_delivery.map(age),
            waiting_since: queue.waiting_since.map(age),
            job_age: None,
            queued_bytes: queue.bytes,
            error: queue.write_error.or(queue.flush_error),
            receiver: ReceiverStatus::default(),
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, BlockQueue> {
        lock(&self.queue)
    }
}

impl BlockQueue {
    /// When a task is to be started; `None` if one is running, or if there is nothing to do.
    fn next_task(&self) -> Option<Nanos> {
        if self.closed || self.scheduled || self.writer.is_none() {
            return None;
        }
        if self.is_flush_awaited() {
            return Some(0);
        }
        let write = (!self.blocks.is_empty()).then_some(self.not_before);
        write.into_iter().chain(self.flush_due).min()
    }

    /// Whether a flush awaits what is not flushed yet.
    fn is_flush_awaited(&self) -> bool {
        self.flush_up_to > self.settled
    }

    fn is_held_back(&self, now: Nanos) -> bool {
        now < self.not_before && self.taken >= self.flush_up_to
    }
}
