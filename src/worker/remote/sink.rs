use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::runtime::Handle;

use super::batch_queue::BatchQueue;
use super::dates::{clock_ahead, retry_after};
use super::{Batch, BatchOutcome, Deliver, ItemOutcome, RemoteSetup, Verdict};
use crate::clock::{Clock, Nanos};
use crate::model::{
    Diagnostics, DropReason, RecordCounters, RecordKind, catch_panic, lock, lock_for_status,
};
use crate::worker::client::{HttpClient, HttpResponse};
use crate::worker::context::WorkerContext;
use crate::worker::record_queue::RecordQueue;
use crate::worker::sink_status::{ReceiverStatus, SinkError, SinkStatus};

/// The maximum number of notices of one sink about its receiver. A receiver may word each of its responses differently.
const MAX_NOTICES: u32 = 16;

/// The sink of one remote receiver: a queue of batches, with at most one request in flight.
///
/// Items are counted under the queue's lock only, so that each counts once: a response that settles a batch counts it,
/// [`close`](Self::close) counts what is left, and nothing is counted after that.
pub(in crate::worker) struct RemoteSink {
    pub(in crate::worker) name: &'static str,
    max_bytes: usize,
    max_items: u64,
    timeout: Duration,
    client: HttpClient,
    deliver: Box<dyn Deliver>,
    /// The host's clock: dates in responses are compared with it.
    clock: Clock,
    monotonic: Clock,
    record_queue: Arc<RecordQueue>,
    counters: Arc<RecordCounters>,
    diagnostics: Arc<Diagnostics>,
    receiver: Mutex<ReceiverStatus>,
    queue: Mutex<BatchQueue>,
}

/// Guards the batch in flight. If it is dropped before the batch is settled, something panicked, and the batch is
/// settled as refused.
struct FlightGuard<'a>(Option<&'a RemoteSink>);

impl Drop for FlightGuard<'_> {
    fn drop(&mut self) {
        if let Some(sink) = self.0 {
            sink.finish_attempt(panicked());
        }
    }
}

impl RemoteSink {
    /// The sink of a set-up, and its encoder.
    pub(in crate::worker) fn new(
        setup: RemoteSetup,
        context: &WorkerContext,
    ) -> (Self, Box<dyn super::Encode>) {
        let WorkerContext {
            clock,
            monotonic,
            record_queue,
            counters,
            diagnostics,
        } = context.clone();
        let sink = Self {
            name: setup.name,
            max_bytes: setup.max_bytes,
            max_items: setup.max_items,
            timeout: setup.timeout,
            client: setup.client,
            deliver: setup.deliver,
            clock,
            monotonic,
            record_queue,
            counters,
            diagnostics,
            receiver: Mutex::default(),
            queue: Mutex::default(),
        };
        (sink, setup.encode)
    }

    /// Counts items that the encoder holds from now on; `false` if the sink is closed and they are counted as dropped.
    pub(super) fn hold(&self, kind: RecordKind, items: u64) -> bool {
        let mut queue = self.lock();
        if queue.closed {
            self.counters.dropped(kind, DropReason::Shutdown, items);
            return false;
        }
        queue.hold(kind, items);
        true
    }

    /// Corrects the count of held items after the encoder found more or fewer of them in a record than were announced.
    pub(super) fn correct_held(&self, kind: RecordKind, announced: u64, found: u64) {
        let mut queue = self.lock();
        if queue.closed {
            return;
        }
        if found > announced {
            self.counters.emitted(kind, found - announced);
            queue.hold(kind, found - announced);
        } else {
            let lost = queue.release(kind, announced - found);
            self.counters.dropped(kind, DropReason::Panic, lost);
        }
    }

    /// Counts items for which the encoder makes no batch.
    pub(super) fn settle_held(&self, kind: RecordKind, outcome: ItemOutcome, items: u64) {
        // Items that were held when the sink was closed have already been counted, so `release` returns fewer.
        let items = self.lock().release(kind, items);
        match outcome {
            ItemOutcome::Spooled => self.counters.spooled(kind, items),
            ItemOutcome::Dropped(reason) => self.counters.dropped(kind, reason, items),
        }
    }

    /// Whether the encoder holds no items.
    pub(in crate::worker) fn holds_nothing(&self) -> bool {
        self.lock().holds_nothing()
    }

    /// Counts all items that the encoder holds as dropped, after it panicked.
    pub(super) fn drop_held(&self) {
        self.report_encoder_panic();
        self.lock().drop_held(DropReason::Panic, &self.counters);
    }

    /// Records that the encoder panicked.
    #[cold]
    pub(super) fn report_encoder_panic(&self) {
        let mut queue = self.lock();
        if queue.error.replace(SinkError::Panicked) != Some(SinkError::Panicked) {
            self.report(&mut queue, || {
                format!(
                    "the sink `{}` panicked while it prepared records: they are counted as dropped",
                    self.name
                )
            });
        }
    }

    /// Announces batches that a job is making or will make. A flush that follows waits for them.
    pub(super) fn announce_batches(&self) {
        let now = self.monotonic.now();
        self.lock().announce(now);
    }

    /// Ends the oldest announcement: all of its batches are accepted.
    pub(super) fn end_announced(&self) {
        let now = self.monotonic.now();
        self.lock().end_announced(now);
    }

    /// Wakes the worker, because a job has ended.
    pub(super) fn wake_worker(&self) {
        self.record_queue.wake();
    }

    /// Queues a batch, or counts its items as dropped if it does not fit.
    pub(super) fn accept(&self, batch: Batch) {
        let mut queue = self.lock();
        if queue.closed {
            // `close` has counted what the encoder held.
            if batch.recovered {
                let _outcome = self.count_undelivered(&batch, DropReason::Shutdown);
            }
            return;
        }
        if !batch.recovered {
            let held = queue.release(batch.kind, batch.items);
            self.counters.emitted(batch.kind, batch.items - held);
        }
        let now = self.monotonic.now();
        let fits = queue.bytes.saturating_add(batch.body.len()) <= self.max_bytes
            && queue.items.saturating_add(batch.items) <= self.max_items;
        if fits || queue.items == 0 {
            queue.append(batch, now);
            return;
        }
        let reason = if queue.is_rate_limited(now) {
            DropReason::RatelimitBackoff
        } else {
            DropReason::QueueOverflow
        };
        let outcome = self.count_undelivered(&batch, reason);
        drop(queue);
        catch_panic(|| self.deliver.on_settled(&batch, outcome));
    }

    /// Sends the next batch, if one may be sent now and none is in flight.
    pub(in crate::worker) fn dispatch(self: &Arc<Self>, runtime: &Handle) {
        let Some(first) = self.lock().start(self.monotonic.now()) else {
            return;
        };
        let sink = Arc::clone(self);
        runtime.spawn(async move {
            let mut next = Some(first.batch);
            while let Some(batch) = next {
                sink.send(batch).await;
                next = sink.lock().start(sink.monotonic.now()).map(|it| it.batch);
            }
            // The worker checks whether a flush waited for this, and when to call `dispatch` again.
            sink.record_queue.wake();
        });
    }

    /// Sends one batch and settles it, or schedules its retry.
    async fn send(&self, batch: Batch) {
        let mut guard = FlightGuard(Some(self));
        let verdict = match catch_panic(|| self.deliver.request(&batch)) {
            Some(request) => match self.client.send(request, self.timeout).await {
                Ok(response) => self.judge(&batch, response),
                Err(failure) => Verdict::Retry {
                    after: None,
                    why: failure.to_string(),
                },
            },
            None => panicked(),
        };
        guard.0 = None;
        self.finish_attempt(verdict);
    }

    fn judge(&self, batch: &Batch, mut response: HttpResponse) -> Verdict {
        let wall = Duration::from_nanos(self.clock.wall(self.clock.now()));
        response.retry_after = retry_after(&response.headers, wall);
        *lock(&self.receiver) = ReceiverStatus {
            status: Some(response.status),
            clock_ahead: clock_ahead(&response.headers, wall),
        };
        catch_panic(|| self.deliver.judge(batch, &response)).unwrap_or_else(panicked)
    }

    /// Settles the batch that was in flight, or schedules its retry.
    fn finish_attempt(&self, verdict: Verdict) {
        // `Deliver` runs without the queue's lock: it may be slow and may panic.
        let halves = match &verdict {
            Verdict::Split => {
                let batch = self.lock().in_flight.as_ref().map(|it| it.batch.clone());
                batch.and_then(|batch| catch_panic(|| self.deliver.split(&batch)).flatten())
            }
            _ => None,
        };
        let pause = match &verdict {
            Verdict::Delivered | Verdict::Partial { .. } => catch_panic(|| self.deliver.pause()),
            _ => None,
        };
        let settled = {
            let mut queue = self.lock();
            // `close` has counted the batch already.
            if queue.closed {
                return;
            }
            // A delivery ends all waits, so a wait that its response requests is set after it.
            let settled = self.settle(&mut queue, verdict, halves);
            if let Some(pause) = pause.flatten() {
                queue.pause_for_receiver(self.monotonic.now(), pause);
            }
            settled
        };
        if let Some((batch, outcome)) = settled {
            catch_panic(|| self.deliver.on_settled(&batch, outcome));
        }
    }

    /// Counts the batch that was in flight and removes it from the queue, or puts it back for a retry. Returns what
    /// [`Deliver::on_settled`] is called with after the lock is released.
    fn settle(
        &self,
        queue: &mut BatchQueue,
        verdict: Verdict,
        halves: Option<[Batch; 2]>,
    ) -> Option<(Batch, BatchOutcome)> {
        let now = self.monotonic.now();
        match verdict {
            Verdict::Delivered => {
                let batch = queue.finish()?;
                self.counters.delivered(batch.kind, batch.items);
                self.record_delivery(queue, now);
                Some((batch, BatchOutcome::Delivered))
            }
            Verdict::Partial { rejected, why } => {
                let batch = queue.finish()?;
                let rejected = rejected.min(batch.items);
                self.counters.delivered(batch.kind, batch.items - rejected);
                self.counters
                    .dropped(batch.kind, DropReason::SendError, rejected);
                self.record_delivery(queue, now);
                self.report(queue, || {
                    format!(
                        "the receiver of `{}` did not take all of a batch: {why}",
                        self.name
                    )
                });
                Some((batch, BatchOutcome::Delivered))
            }
            Verdict::Retry { after, why } => {
                queue.retry(now, after);
                if !std::mem::replace(&mut queue.failing, true) {
                    self.report(queue, || {
                        format!(
                            "`{}` is not delivered ({why}): it waits, up to {} bytes, and is tried again",
                            self.name, self.max_bytes
                        )
                    });
                }
                None
            }
            Verdict::Refused { reason, why, pause } => {
                let batch = queue.finish()?;
                self.counters.dropped(batch.kind, reason, batch.items);
                queue.pause(now, pause);
                queue.failing = true;
                queue.error = match reason {
                    DropReason::Panic => Some(SinkError::Panicked),
                    DropReason::SendError => Some(SinkError::Rejected),
                    // The receiver is only overloaded and accepts more later.
                    _ => queue.error,
                };
                self.report(queue, || {
                    format!("the receiver of `{}` refuses a batch for good ({why}): it is counted as dropped", self.name)
                });
                Some((batch, BatchOutcome::Dropped(reason)))
            }
            Verdict::Split => {
                let items = queue.in_flight.as_ref()?.batch.items;
                if let Some([mut first, mut second]) = halves.filter(|_| items > 1) {
                    first.items = first.items.min(items);
                    second.items = items - first.items;
                    queue.replace([first, second].into_iter());
                    return None;
                }
                let batch = queue.finish()?;
                self.counters
                    .dropped(batch.kind, DropReason::TooLarge, batch.items);
                self.report(queue, || {
                    format!("the receiver of `{}` finds a single item too large: it is counted as dropped", self.name)
                });
                Some((batch, BatchOutcome::Dropped(DropReason::TooLarge)))
            }
        }
    }

    fn record_delivery(&self, queue: &mut BatchQueue, now: Nanos) {
        queue.error = None;
        queue.record_delivery(now);
        if std::mem::take(&mut queue.failing) {
            self.report(queue, || format!("`{}` is delivered again", self.name));
        }
    }

    /// Reports a notice, up to [`MAX_NOTICES`] of them.
    fn report(&self, queue: &mut BatchQueue, notice: impl FnOnce() -> String) {
        if queue.notices < MAX_NOTICES {
            queue.notices += 1;
            self.diagnostics.report(notice());
        }
    }

    /// When [`dispatch`](Self::dispatch) must be called, unless a record or a wake-up arrives earlier.
    pub(in crate::worker) fn next_dispatch(&self) -> Option<Nanos> {
        self.lock().next_start()
    }

    /// Requests the delivery of everything accepted so far, and returns the number to pass to
    /// [`is_settled`](Self::is_settled). The next batch is tried immediately if `at_once`, or if there are batches that
    /// no earlier request covered. The sink wakes the worker when no request is in flight any more.
    pub(in crate::worker) fn request_flush(&self, at_once: bool) -> u64 {
        self.lock().request_flush(at_once)
    }

    /// Whether everything up to the batch with this number is delivered or dropped.
    pub(in crate::worker) fn is_settled(&self, number: u64) -> bool {
        self.lock().is_settled(number)
    }

    /// Closes the queue and counts unsettled items as dropped, even if the receiver still accepts it. Returns whether
    /// nothing was left. Batches that a job is still making were never counted as emitted, but something was left.
    pub(in crate::worker) fn close(&self) -> bool {
        let mut queue = self.lock();
        queue.closed = true;
        let mut left = queue.drop_held(DropReason::Shutdown, &self.counters);
        for batch in queue.take_all() {
            left += batch.items;
            let _outcome = self.count_undelivered(&batch, DropReason::Shutdown);
        }
        left == 0 && !queue.is_making()
    }

    /// Counts a batch that is not delivered: as spooled if a spool keeps it, otherwise as dropped.
    fn count_undelivered(&self, batch: &Batch, reason: DropReason) -> BatchOutcome {
        if catch_panic(|| self.deliver.is_stored(batch)).unwrap_or_default() {
            self.counters.spooled(batch.kind, batch.items);
            BatchOutcome::Spooled
        } else {
            self.counters.dropped(batch.kind, reason, batch.items);
            BatchOutcome::Dropped(reason)
        }
    }

    /// `None` in a child made by `fork` if a thread of the parent held a lock of it.
    pub(in crate::worker) fn status(&self) -> Option<SinkStatus> {
        let now = self.monotonic.now();
        let age = |at: Nanos| Duration::from_nanos(now.saturating_sub(at));
        let queue = lock_for_status(&self.queue)?;
        Some(SinkStatus {
            name: self.name,
            last_delivery_age: queue.last_delivery.map(age),
            waiting_since: queue.waiting_since.map(age),
            job_age: queue.job_since.map(age),
            queued_bytes: queue.bytes,
            error: queue.error,
            receiver: *lock_for_status(&self.receiver)?,
        })
    }

    fn lock(&self) -> MutexGuard<'_, BatchQueue> {
        lock(&self.queue)
    }
}

fn panicked() -> Verdict {
    Verdict::Refused {
        reason: DropReason::Panic,
        why: "code panicked while it worked on it".to_owned(),
        pause: None,
    }
}
