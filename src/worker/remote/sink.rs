use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::runtime::Handle;

use super::dates::{ahead, retry_after};
use super::queue::Queue;
use super::{Batch, BatchOutcome, Deliver, ItemOutcome, RemoteSetup, Verdict};
use crate::clock::{Clock, Nanos};
use crate::model::{
    Diagnostics, DropReason, RecordCounters, RecordKind, catch_panic, lock, lock_for_status,
};
use crate::worker::client::{HttpClient, HttpResponse};
use crate::worker::line_sink::{ReceiverStatus, SinkStatus};
use crate::worker::record_queue::RecordQueue;
use crate::worker::trouble::SinkError;

/// Sentences that one sink says about its receiver.
const MAX_TOLD: u32 = 16;

/// One receiver's queue of batches, with at most one request under way.
///
/// Items come into the counters under the queue's lock alone: what an answer settles is counted when it comes,
/// what is left is counted by [`close`](Self::close), and after that nobody counts.
pub(in crate::worker) struct Remote {
    pub(in crate::worker) name: &'static str,
    max_bytes: usize,
    max_items: u64,
    timeout: Duration,
    client: HttpClient,
    deliver: Box<dyn Deliver>,
    /// The host's clock: dates in answers go by it.
    clock: Clock,
    pace: Clock,
    record_queue: Arc<RecordQueue>,
    counters: Arc<RecordCounters>,
    diagnostics: Arc<Diagnostics>,
    heard: Mutex<ReceiverStatus>,
    queue: Mutex<Queue>,
}

/// A batch's way to the receiver. If it ends before the batch has landed, something panicked.
struct Flight<'a>(Option<&'a Remote>);

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        if let Some(sink) = self.0 {
            sink.land(panicked());
        }
    }
}

impl Remote {
    /// The sink of a set-up, without its consumer.
    pub(in crate::worker) fn new(
        setup: RemoteSetup,
        (clock, pace): (Clock, Clock),
        record_queue: Arc<RecordQueue>,
        (counters, diagnostics): (Arc<RecordCounters>, Arc<Diagnostics>),
    ) -> (Self, Box<dyn super::Encode>) {
        let sink = Self {
            name: setup.name,
            max_bytes: setup.max_bytes,
            max_items: setup.max_items,
            timeout: setup.timeout,
            client: setup.client,
            deliver: setup.deliver,
            clock,
            pace,
            record_queue,
            counters,
            diagnostics,
            heard: Mutex::default(),
            queue: Mutex::default(),
        };
        (sink, setup.consume)
    }

    /// Items lie with the consumer from now on; `false` if the sink is closed and they are dropped.
    pub(super) fn hold(&self, signal: RecordKind, items: u64) -> bool {
        let mut queue = self.lock();
        if queue.closed {
            self.counters.dropped(signal, DropReason::Shutdown, items);
            return false;
        }
        queue.hold(signal, items);
        true
    }

    /// The consumer found more items in a record than it promised, or fewer.
    pub(super) fn correct(&self, signal: RecordKind, promised: u64, found: u64) {
        let mut queue = self.lock();
        if queue.closed {
            return;
        }
        if found > promised {
            self.counters.emitted(signal, found - promised);
            queue.hold(signal, found - promised);
        } else {
            let lost = queue.release(signal, promised - found);
            self.counters.dropped(signal, DropReason::Panic, lost);
        }
    }

    /// The consumer has made an end of items.
    pub(super) fn settle_held(&self, signal: RecordKind, fate: ItemOutcome, items: u64) {
        // What it had when the sink was closed was counted then.
        let items = self.lock().release(signal, items);
        match fate {
            ItemOutcome::Spooled => self.counters.spooled(signal, items),
            ItemOutcome::Dropped(reason) => self.counters.dropped(signal, reason, items),
        }
    }

    /// Whether the consumer has nothing that it made no batch of.
    pub(in crate::worker) fn holds_nothing(&self) -> bool {
        self.lock().holds_nothing()
    }

    /// The consumer has lost all that it had.
    pub(super) fn lose_held(&self) {
        self.consumer_panicked();
        self.lock().drop_held(DropReason::Panic, &self.counters);
    }

    /// The consumer panicked.
    #[cold]
    pub(super) fn consumer_panicked(&self) {
        let mut queue = self.lock();
        if queue.trouble.replace(SinkError::Panicked) != Some(SinkError::Panicked) {
            self.tell(&mut queue, || {
                format!(
                    "the sink `{}` panicked while it prepared records: they are counted as dropped",
                    self.name
                )
            });
        }
    }

    /// Queues a batch, or drops and counts it where it does not fit.
    pub(super) fn accept(&self, batch: Batch) {
        let mut queue = self.lock();
        if queue.closed {
            // What the consumer had was counted when the sink was closed.
            if batch.found {
                let _end = self.count_undelivered(&batch, DropReason::Shutdown);
            }
            return;
        }
        if !batch.found {
            let held = queue.release(batch.signal, batch.items);
            self.counters.emitted(batch.signal, batch.items - held);
        }
        let now = self.pace.now();
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
        let end = self.count_undelivered(&batch, reason);
        drop(queue);
        catch_panic(|| self.deliver.settled(&batch, end));
    }

    /// Sends the next batch if there is one, it may be sent, and none is under way.
    pub(in crate::worker) fn dispatch(self: &Arc<Self>, runtime: &Handle) {
        let Some(first) = self.lock().start(self.pace.now()) else {
            return;
        };
        let sink = Arc::clone(self);
        runtime.spawn(async move {
            let mut next = Some(first.batch);
            while let Some(batch) = next {
                sink.fly(batch).await;
                next = sink.lock().start(sink.pace.now()).map(|it| it.batch);
            }
            // The worker looks whether somebody waited for this, and when to come back.
            sink.record_queue.ring();
        });
    }

    async fn fly(&self, batch: Batch) {
        let mut flight = Flight(Some(self));
        let verdict = match catch_panic(|| self.deliver.request(&batch)) {
            Some(request) => match self.client.send(request, self.timeout).await {
                Ok(answer) => self.judge(&batch, answer),
                Err(failure) => Verdict::Retry {
                    after: None,
                    why: failure.to_string(),
                },
            },
            None => panicked(),
        };
        flight.0 = None;
        self.land(verdict);
    }

    fn judge(&self, batch: &Batch, mut answer: HttpResponse) -> Verdict {
        let wall = Duration::from_nanos(self.clock.wall(self.clock.now()));
        answer.retry_after = retry_after(&answer.headers, wall);
        *self.heard() = ReceiverStatus {
            status: Some(answer.status),
            ahead: ahead(&answer.headers, wall),
        };
        catch_panic(|| self.deliver.judge(batch, &answer)).unwrap_or_else(panicked)
    }

    /// Settles the batch that was under way, or has it tried again.
    fn land(&self, verdict: Verdict) {
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
        let ended = {
            let mut queue = self.lock();
            if queue.closed {
                return;
            }
            let ended = self.settle(&mut queue, verdict, halves);
            if let Some(pause) = pause.flatten() {
                queue.obey(self.pace.now(), pause);
            }
            ended
        };
        if let Some((batch, end)) = ended {
            catch_panic(|| self.deliver.settled(&batch, end));
        }
    }

    fn settle(
        &self,
        queue: &mut Queue,
        verdict: Verdict,
        halves: Option<[Batch; 2]>,
    ) -> Option<(Batch, BatchOutcome)> {
        let now = self.pace.now();
        match verdict {
            Verdict::Delivered => {
                let batch = queue.finish()?;
                self.counters.delivered(batch.signal, batch.items);
                self.delivers(queue, now);
                Some((batch, BatchOutcome::Delivered))
            }
            Verdict::Partial { rejected, why } => {
                let batch = queue.finish()?;
                let rejected = rejected.min(batch.items);
                self.counters
                    .delivered(batch.signal, batch.items - rejected);
                self.counters
                    .dropped(batch.signal, DropReason::SendError, rejected);
                self.delivers(queue, now);
                self.tell(queue, || {
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
                    self.tell(queue, || {
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
                self.counters.dropped(batch.signal, reason, batch.items);
                queue.pause(now, pause);
                queue.failing = true;
                queue.trouble = match reason {
                    DropReason::Panic => Some(SinkError::Panicked),
                    DropReason::SendError => Some(SinkError::Rejected),
                    // It asks for less, and takes more later.
                    _ => queue.trouble,
                };
                self.tell(queue, || {
                    format!("the receiver of `{}` refuses a batch for good ({why}): it is counted as dropped", self.name)
                });
                Some((batch, BatchOutcome::Dropped(reason)))
            }
            Verdict::Split => {
                let whole = queue.in_flight.as_ref()?.batch.items;
                if let Some([mut first, mut second]) = halves.filter(|_| whole > 1) {
                    first.items = first.items.min(whole);
                    second.items = whole - first.items;
                    queue.replace([first, second].into_iter());
                    return None;
                }
                let batch = queue.finish()?;
                self.counters
                    .dropped(batch.signal, DropReason::TooLarge, batch.items);
                self.tell(queue, || {
                    format!("the receiver of `{}` finds a single item too large: it is counted as dropped", self.name)
                });
                Some((batch, BatchOutcome::Dropped(DropReason::TooLarge)))
            }
        }
    }

    fn delivers(&self, queue: &mut Queue, now: Nanos) {
        queue.trouble = None;
        queue.recover(now);
        if std::mem::take(&mut queue.failing) {
            self.tell(queue, || format!("`{}` is delivered again", self.name));
        }
    }

    /// Says a sentence; so many a sink, for a receiver may word each of its answers anew.
    fn tell(&self, queue: &mut Queue, sentence: impl FnOnce() -> String) {
        if queue.told < MAX_TOLD {
            queue.told += 1;
            self.diagnostics.report(sentence());
        }
    }

    /// When [`dispatch`](Self::dispatch) will have something to do that nothing announces.
    pub(in crate::worker) fn next_dispatch(&self) -> Option<Nanos> {
        self.lock().next_start()
    }

    /// Asks for all that was accepted so far, and for an attempt at once if more is wanted than before or
    /// if it is asked `anew`. The bell rings when the sink comes to rest.
    pub(in crate::worker) fn want_all(&self, anew: bool) -> u64 {
        self.lock().want_all(anew)
    }

    /// Whether everything up to the batch of that number is delivered or dropped.
    pub(in crate::worker) fn is_settled(&self, number: u64) -> bool {
        self.lock().is_settled(number)
    }

    /// Closes the queue: what has not landed by now is dropped, even if the receiver still takes it.
    /// Returns whether nothing was left.
    pub(in crate::worker) fn close(&self) -> bool {
        let mut queue = self.lock();
        queue.closed = true;
        let mut left = queue.drop_held(DropReason::Shutdown, &self.counters);
        for batch in queue.empty() {
            left += batch.items;
            let _end = self.count_undelivered(&batch, DropReason::Shutdown);
        }
        left == 0
    }

    fn count_undelivered(&self, batch: &Batch, reason: DropReason) -> BatchOutcome {
        if catch_panic(|| self.deliver.is_stored(batch)).unwrap_or_default() {
            self.counters.spooled(batch.signal, batch.items);
            BatchOutcome::Spooled
        } else {
            self.counters.dropped(batch.signal, reason, batch.items);
            BatchOutcome::Dropped(reason)
        }
    }

    /// `None` in a child made by `fork` whose parent was at it.
    pub(in crate::worker) fn status(&self) -> Option<SinkStatus> {
        let now = self.pace.now();
        let age = |at: Nanos| Duration::from_nanos(now.saturating_sub(at));
        let queue = lock_for_status(&self.queue)?;
        Some(SinkStatus {
            name: self.name,
            last_delivery_age: queue.last_delivery.map(age),
            waiting_since: queue.waiting_since.map(age),
            queued_bytes: queue.bytes,
            trouble: queue.trouble,
            heard: *lock_for_status(&self.heard)?,
        })
    }

    fn heard(&self) -> MutexGuard<'_, ReceiverStatus> {
        lock(&self.heard)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
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
