use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::Handle;

use super::channel::{Channel, DeliveryError};
use super::delivery::{ChannelStatus, Delivery};
use super::notification::{Notification, NotifiedAlert};
use super::outbox::{ChannelOutbox, OutboxContent, OutboxDrop, STORE_WAIT};
use super::outbox_store::OutboxStore;
use crate::clock::Clock;
use crate::model::{catch_panic, lock, lock_for_status, unsuppressed};

/// The time limit of a delivery.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The time limit of a delivery while the process ends.
const LAST_TIMEOUT: Duration = Duration::from_secs(2);

/// A channel, and what it has still to deliver.
pub(super) struct ChannelState {
    pub(super) name: String,
    pub(super) channel: Arc<dyn Channel>,
    /// Whether it is one of this crate, whose requests are not the host's.
    is_own: bool,
    outbox: Mutex<ChannelOutbox>,
    store: Option<OutboxStore>,
    /// The version of the outbox that is on disk.
    stored: AtomicU64,
    is_storing: AtomicBool,
    is_delivering: AtomicBool,
    /// When it was added, in milliseconds since the Unix epoch.
    added: u64,
    clock: Clock,
}

impl ChannelState {
    pub(super) fn new(
        channel: Arc<dyn Channel>,
        is_own: bool,
        mut outbox: ChannelOutbox,
        store: Option<OutboxStore>,
        clock: &Clock,
    ) -> Self {
        let added = wall(clock);
        if store.is_none() {
            outbox.open(OutboxContent::default(), added);
        }
        Self {
            name: channel.name().to_owned(),
            channel,
            is_own,
            outbox: Mutex::new(outbox),
            store,
            stored: AtomicU64::new(0),
            is_storing: AtomicBool::new(false),
            is_delivering: AtomicBool::new(false),
            added,
            clock: clock.clone(),
        }
    }

    pub(super) fn with_outbox<T>(&self, run: impl FnOnce(&mut ChannelOutbox, u64) -> T) -> T {
        run(&mut lock(&self.outbox), wall(&self.clock))
    }

    /// Whether all that was announced is on disk, or there is none.
    pub(super) fn is_stored(&self) -> bool {
        let outbox = lock(&self.outbox);
        match &self.store {
            None => true,
            Some(store) if outbox.is_open() && !store.is_ours() => true,
            Some(_) => outbox.is_open() && self.stored.load(Relaxed) >= outbox.version,
        }
    }

    /// Reads the file if that has not happened, and writes it if something has changed. Blocks as long as the disk does.
    pub(super) fn store(&self) {
        let Some(store) = &self.store else {
            return;
        };
        if !lock(&self.outbox).is_open() {
            let content = store.load();
            let mut outbox = lock(&self.outbox);
            outbox.open(content, wall(&self.clock));
        }
        if !store.is_ours() {
            return;
        }
        let (version, bytes) = {
            let outbox = lock(&self.outbox);
            if self.stored.load(Relaxed) >= outbox.version {
                return;
            }
            (outbox.version, OutboxStore::encode(&outbox.content))
        };
        if store.save(&bytes) {
            self.stored.fetch_max(version, Relaxed);
        }
    }

    /// Delivers a notification that is due. Returns whether there was one. Blocks as long as the channel does.
    pub(super) fn deliver(&self, runtime: &Handle, is_end: bool) -> bool {
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
                outbox.open(OutboxContent::default(), now);
            }
            outbox.take_due(now, stored, is_end)
        };
        let Some(prepared) = prepared else {
            return false;
        };
        let timeout = if is_end { LAST_TIMEOUT } else { TIMEOUT };
        let result = self.send(&prepared.notification, runtime, timeout);
        let random = RandomState::new().hash_one(now);
        let now = wall(&self.clock);
        lock(&self.outbox).complete(&prepared, &result, now, random);
        true
    }

    /// Tries each notification that waits once, at the end of the process. One that is being delivered is left to that attempt.
    pub(super) fn deliver_last(&self, runtime: &Handle) {
        if self.is_delivering.swap(true, Relaxed) {
            return;
        }
        let groups = lock(&self.outbox).content.groups.len();
        for _ in 0..groups {
            if !self.deliver(runtime, true) {
                break;
            }
        }
        self.is_delivering.store(false, Relaxed);
    }

    pub(super) fn send(
        &self,
        notification: &Notification,
        runtime: &Handle,
        timeout: Duration,
    ) -> Result<(), DeliveryError> {
        let run = || {
            let delivery = async { self.channel.deliver(notification).await };
            let delivery = async { tokio::time::timeout(timeout, delivery).await };
            match runtime.block_on(delivery) {
                Ok(result) => result,
                Err(_) => Err(DeliveryError::retry(format!(
                    "not delivered within {} s",
                    timeout.as_secs()
                ))),
            }
        };
        let result = if self.is_own {
            catch_panic(run)
        } else {
            // What the host's channel does is the host's work.
            catch_panic(|| unsuppressed(run))
        };
        result.unwrap_or_else(|| Err(DeliveryError::retry("the channel panicked")))
    }

    /// Begins what is due on the blocking pool: the two do not wait for each other, nor for other channels.
    pub(super) fn begin(self: &Arc<Self>) {
        let store = Arc::clone(self);
        begin_job(&self.is_storing, move || {
            let _running = Running(&store.is_storing);
            store.store();
        });
        let deliver = Arc::clone(self);
        begin_job(&self.is_delivering, move || {
            let _running = Running(&deliver.is_delivering);
            deliver.deliver(&Handle::current(), false);
        });
    }

    pub(super) fn deliveries(&self) -> Vec<Delivery> {
        lock(&self.outbox).content.log.iter().cloned().collect()
    }

    pub(super) fn dead_letters(&self) -> Vec<NotifiedAlert> {
        let outbox = lock(&self.outbox);
        let letters = outbox.content.dead.iter();
        letters.map(|letter| letter.alert.clone()).collect()
    }

    /// `None` in a child made by `fork` if a thread of the parent held the lock.
    pub(super) fn status(&self) -> Option<ChannelStatus> {
        let outbox = lock_for_status(&self.outbox)?;
        let counts = &outbox.counts;
        let dropped = counts.dropped.iter();
        Some(ChannelStatus {
            name: self.name.clone(),
            emitted: counts.emitted,
            delivered: counts.delivered,
            spooled: outbox.spooled(),
            dropped: dropped.map(|(why, count)| (why.as_str(), *count)).collect(),
            failing_since: outbox
                .content
                .failing_since
                .map(|at| std::time::UNIX_EPOCH + Duration::from_millis(at)),
            problem: outbox.content.problem.clone(),
        })
    }
}

/// Clears the flag of a job when it ends, also by a panic.
struct Running<'a>(&'a AtomicBool);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.store(false, Relaxed);
    }
}

/// Queues a job on the blocking pool, unless it is running. Must be called on a thread of the pool.
fn begin_job(is_running: &AtomicBool, job: impl FnOnce() + Send + 'static) {
    if is_running.swap(true, Relaxed) {
        return;
    }
    // Tokio panics if it cannot start a thread.
    let queued = catch_panic(|| drop(tokio::task::spawn_blocking(move || catch_panic(job))));
    if queued.is_none() {
        is_running.store(false, Relaxed);
    }
}

/// The time in milliseconds since the Unix epoch.
fn wall(clock: &Clock) -> u64 {
    clock.wall(clock.now()) / 1_000_000
}

impl OutboxDrop {
    /// The name, as it is in metrics.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Coalesced => "coalesced",
            Self::Ended => "ended",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::QueueFull => "queue_full",
        }
    }
}

impl fmt::Debug for ChannelState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ChannelState").field(&self.name).finish()
    }
}
