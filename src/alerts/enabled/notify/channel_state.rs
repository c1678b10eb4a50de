use std::collections::BTreeSet;
use std::fmt;
use std::future::poll_fn;
use std::hash::{BuildHasher, RandomState};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;

use super::announcement::AlertAnnouncement;
use super::channel::{Channel, ChannelFacts, DeliveryError, RefusedRecipients};
use super::delivery::{ChannelStatus, Delivery};
use super::group::STORE_WAIT;
use super::notification::{Notification, NotifiedAlert};
use super::outbox::{AnnouncementOrigin, ChannelOutbox, OutboxContent, PreparedDelivery};
use super::outbox_store::OutboxStore;
use super::running_job::{JobSlot, RunningJob};
use crate::clock::Clock;
use crate::model::{catch_panic, lock, lock_for_status, unsuppressed};

/// The time limit of a delivery.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The time limit of a delivery while the process ends.
const LAST_TIMEOUT: Duration = Duration::from_secs(2);
/// The maximum number of repetitions that a channel gets in a second.
const MAX_RESENDS: usize = 100;

/// A channel, and what it has still to deliver.
pub(super) struct ChannelState {
    pub(super) facts: ChannelFacts,
    channel: Arc<dyn Channel>,
    /// Whether it is one of this crate, whose requests are not the host's.
    is_own: bool,
    outbox: Mutex<ChannelOutbox>,
    /// What the channel said after the last attempt. A status read asks nothing of the channel, which may be the host's.
    refused: Mutex<RefusedRecipients>,
    store: Option<OutboxStore>,
    /// The version of the outbox that is on disk.
    stored: AtomicU64,
    /// The number of the last announcement that the outbox has, and of the last one that it had when it was stored.
    offered: AtomicU64,
    stored_through: AtomicU64,
    /// Held while the file is read or written, so that the last of two writes has the last state.
    writing: Mutex<()>,
    storing: JobSlot,
    delivering: JobSlot,
    /// Whether the monitor is shut down.
    is_closed: watch::Receiver<bool>,
    /// When it was added, in milliseconds since the Unix epoch.
    added: u64,
    clock: Clock,
}

/// An attempt to deliver something.
struct DeliveryAttempt {
    is_resend: bool,
    /// Whether it ended in time.
    is_answered: bool,
}

impl ChannelState {
    pub(super) fn new(
        (channel, facts, is_own): (Arc<dyn Channel>, ChannelFacts, bool),
        mut outbox: ChannelOutbox,
        store: Option<OutboxStore>,
        clock: &Clock,
        (is_closed, offered): (watch::Receiver<bool>, u64),
    ) -> Self {
        let added = wall(clock);
        if store.is_none() {
            outbox.open(OutboxContent::default(), added);
        }
        Self {
            facts,
            channel,
            is_own,
            outbox: Mutex::new(outbox),
            refused: Mutex::default(),
            store,
            stored: AtomicU64::new(0),
            offered: AtomicU64::new(offered),
            stored_through: AtomicU64::new(0),
            writing: Mutex::default(),
            storing: JobSlot::default(),
            delivering: JobSlot::default(),
            is_closed,
            added,
            clock: clock.clone(),
        }
    }

    pub(super) fn with_outbox<T>(&self, run: impl FnOnce(&mut ChannelOutbox, u64) -> T) -> T {
        run(&mut lock(&self.outbox), wall(&self.clock))
    }

    /// Adds an announcement to the outbox. Does not wait for anything.
    pub(super) fn offer(&self, new: AlertAnnouncement, origin: AnnouncementOrigin) {
        let number = new.number;
        let mut outbox = lock(&self.outbox);
        outbox.offer(new, origin, wall(&self.clock));
        // Under the lock, so that who encodes the outbox knows up to which number it has them.
        self.offered.fetch_max(number, Relaxed);
    }

    /// Whether all that was announced is on disk, or there is none.
    pub(super) fn is_stored(&self) -> bool {
        self.has_stored(&lock(&self.outbox))
    }

    fn has_stored(&self, outbox: &ChannelOutbox) -> bool {
        match &self.store {
            None => true,
            Some(store) if outbox.is_open() && !store.is_ours() => true,
            Some(_) => outbox.is_open() && self.stored.load(Relaxed) >= outbox.version,
        }
    }

    /// The number up to which all announcements are on disk, also while later ones are not.
    pub(super) fn stored_through(&self) -> u64 {
        let outbox = lock(&self.outbox);
        let number = if self.has_stored(&outbox) {
            &self.offered
        } else {
            &self.stored_through
        };
        number.load(Relaxed)
    }

    /// Reads the file if that has not happened, and writes it if something has changed. Blocks as long as the disk does.
    pub(super) fn store(&self) {
        let Some(store) = &self.store else {
            return;
        };
        let _writing = lock(&self.writing);
        if !lock(&self.outbox).is_open() {
            let content = store.load();
            let mut outbox = lock(&self.outbox);
            outbox.open(content, wall(&self.clock));
        }
        if !store.is_ours() {
            return;
        }
        let (version, through, bytes) = {
            let outbox = lock(&self.outbox);
            if self.stored.load(Relaxed) >= outbox.version {
                return;
            }
            let through = self.offered.load(Relaxed);
            (
                outbox.version,
                through,
                OutboxStore::encode(&outbox.content),
            )
        };
        if store.save(&bytes) {
            self.stored.fetch_max(version, Relaxed);
            self.stored_through.fetch_max(through, Relaxed);
        }
    }

    /// Delivers a notification that is due, if there is one. Blocks as long as the channel does.
    fn deliver(&self, runtime: &Handle) -> Option<DeliveryAttempt> {
        let now = wall(&self.clock);
        let prepared = {
            let mut outbox = lock(&self.outbox);
            let stored = self
                .store
                .as_ref()
                .filter(|store| store.is_ours())
                .map(|_| self.stored.load(Relaxed));
            if !outbox.is_open() && now.abs_diff(self.added) >= 2 * STORE_WAIT {
                // The disk hangs. What it has is delivered after the next start.
                let content = OutboxContent {
                    is_incomplete: true,
                    ..OutboxContent::default()
                };
                outbox.open(content, now);
            }
            outbox.take_due(now, stored)
        };
        Some(self.attempt(&prepared?, runtime, TIMEOUT))
    }

    /// Tries each notification that waits once, at the end of the process. Stops if the channel does not respond.
    pub(super) fn deliver_last(&self, runtime: &Handle) {
        self.delivering.wait(LAST_TIMEOUT);
        let Some(_running) = self.delivering.begin() else {
            return;
        };
        let mut tried = BTreeSet::new();
        loop {
            let prepared = lock(&self.outbox).take_last(&tried);
            let Some(prepared) = prepared else {
                return;
            };
            tried.insert(prepared.group.clone());
            if !self.attempt(&prepared, runtime, LAST_TIMEOUT).is_answered {
                return;
            }
        }
    }

    fn attempt(
        &self,
        prepared: &PreparedDelivery,
        runtime: &Handle,
        timeout: Duration,
    ) -> DeliveryAttempt {
        let result = self.try_send(&prepared.notification, runtime, timeout);
        let is_answered = result.is_some();
        let result = result.unwrap_or_else(|| Err(unanswered(timeout)));
        let now = wall(&self.clock);
        let random = RandomState::new().hash_one(now);
        lock(&self.outbox).complete(prepared, &result, now, random);
        DeliveryAttempt {
            is_resend: prepared.is_resend,
            is_answered,
        }
    }

    /// Sends a notification that is in no outbox.
    pub(super) fn send(
        &self,
        notification: &Notification,
        runtime: &Handle,
    ) -> Result<(), DeliveryError> {
        let result = self.try_send(notification, runtime, TIMEOUT);
        result.unwrap_or_else(|| Err(unanswered(TIMEOUT)))
    }

    /// Sends a notification. `None` if that did not end in time.
    fn try_send(
        &self,
        notification: &Notification,
        runtime: &Handle,
        timeout: Duration,
    ) -> Option<Result<(), DeliveryError>> {
        let mut is_closed = self.is_closed.clone();
        let sending = async {
            let mut closed = pin!(is_closed.wait_for(|is_closed| *is_closed));
            let delivery = async { self.channel.deliver(notification).await };
            let mut delivery = pin!(async { tokio::time::timeout(timeout, delivery).await.ok() });
            poll_fn(|cx| {
                // Before the delivery: timers of a runtime that has ended panic.
                if closed.as_mut().poll(cx).is_ready() {
                    let text = "the monitor was shut down during the delivery";
                    return Poll::Ready(Some(Err(DeliveryError::retry(text))));
                }
                delivery.as_mut().poll(cx)
            })
            .await
        };
        let result = self.run_channel(|| runtime.block_on(sending));
        if let Some(refused) = self.run_channel(|| self.channel.refused_recipients()) {
            // A test of the channel may end at the same time. The count never decreases.
            let mut kept = lock(&self.refused);
            if refused.count >= kept.count {
                *kept = refused;
            }
        }
        result.unwrap_or_else(|| Some(Err(DeliveryError::retry("the channel panicked"))))
    }

    /// Runs code of the channel. `None` if it panicked.
    fn run_channel<T>(&self, run: impl FnOnce() -> T) -> Option<T> {
        if self.is_own {
            catch_panic(run)
        } else {
            // What the host's channel does is the host's work.
            catch_panic(|| unsuppressed(run))
        }
    }

    /// Begins what is due on the blocking pool: the two do not wait for each other, nor for other channels.
    pub(super) fn begin(self: &Arc<Self>) {
        let store = Arc::clone(self);
        begin_job(&self.storing, move || store.store());
        let deliver = Arc::clone(self);
        begin_job(&self.delivering, move || {
            // What is new is delivered once a second, as receivers ask for.
            for _ in 0..MAX_RESENDS {
                let attempt = deliver.deliver(&Handle::current());
                if !attempt.is_some_and(|it| it.is_resend) {
                    return;
                }
            }
        });
    }

    /// Delivers and stores on this thread, once no other one delivers. Returns whether there was something to deliver.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn run_for_test(&self, runtime: &Handle) -> bool {
        let _running = loop {
            if let Some(running) = self.delivering.begin() {
                break running;
            }
            self.delivering.wait(TIMEOUT);
        };
        self.store();
        let is_delivered = self.deliver(runtime).is_some();
        self.store();
        is_delivered
    }

    /// Waits until nothing is being delivered. Returns whether that is so.
    pub(super) fn wait_for_delivery(&self, timeout: Duration) -> bool {
        self.delivering.wait(timeout)
    }

    pub(super) fn deliveries(&self) -> Vec<Delivery> {
        lock(&self.outbox).content.log.iter().cloned().collect()
    }

    pub(super) fn dead_letters(&self) -> Vec<NotifiedAlert> {
        let outbox = lock(&self.outbox);
        let letters = outbox.content.dead.iter();
        letters.map(|letter| letter.alert.clone()).collect()
    }

    /// `None` in a child made by `fork` if a thread of the parent held a lock.
    pub(super) fn status(&self) -> Option<ChannelStatus> {
        let refused_recipients = lock_for_status(&self.refused)?.clone();
        let outbox = lock_for_status(&self.outbox)?;
        let counts = &outbox.counts;
        let dropped = counts.dropped.iter();
        Some(ChannelStatus {
            name: self.facts.name.clone(),
            emitted: counts.emitted,
            delivered: counts.delivered,
            spooled: outbox.spooled(),
            dropped: dropped.map(|(why, count)| (why.as_str(), *count)).collect(),
            failing_since: outbox
                .content
                .failing_since
                .map(|at| std::time::UNIX_EPOCH + Duration::from_millis(at)),
            problem: outbox.content.problem.clone(),
            refused_recipients,
        })
    }
}

/// Queues a job on the blocking pool, unless one runs in its slot. Must be called on a thread of the pool.
fn begin_job(slot: &JobSlot, job: impl FnOnce() + Send + 'static) {
    let Some(running) = slot.begin() else {
        return;
    };
    let run = move |_running: RunningJob| catch_panic(job);
    // Tokio panics if it cannot start a thread.
    catch_panic(|| drop(tokio::task::spawn_blocking(move || run(running))));
}

fn unanswered(timeout: Duration) -> DeliveryError {
    DeliveryError::retry(format!("not delivered within {} s", timeout.as_secs()))
}

/// The time in milliseconds since the Unix epoch.
fn wall(clock: &Clock) -> u64 {
    clock.wall(clock.now()) / 1_000_000
}

impl fmt::Debug for ChannelState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ChannelState")
            .field(&self.facts.name)
            .finish()
    }
}
