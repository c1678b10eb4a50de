//! Captures that wait until their event is on disk.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::clock::{Clock, Nanos, nanos};
use crate::model::{EventId, lock};
use crate::worker::{Completion, Deadlines, Pending};

/// How long a capture waits for the disk.
const MAX_WAIT: Duration = Duration::from_secs(2);
/// Captures that may wait at the same time; further ones complete immediately with "not stored".
const MAX_WAITERS: usize = 4096;

/// The completions of captures that wait for the disk, by event.
pub(super) struct DurableWaiters {
    clock: Clock,
    deadlines: OnceLock<Deadlines>,
    this: Weak<Self>,
    /// A child process made by `fork` has no thread that watches deadlines, so nothing may wait there.
    process: u32,
    waiting: Mutex<WaitingCaptures>,
}

#[derive(Default)]
struct WaitingCaptures {
    /// Each with the time at which it began to wait.
    events: FxHashMap<EventId, (Nanos, Arc<Completion<bool>>)>,
    /// Whether a deadline is set that will look at them.
    has_deadline: bool,
}

impl DurableWaiters {
    pub(super) fn new() -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            clock: Clock::system(),
            this: Weak::clone(this),
            process: std::process::id(),
            deadlines: OnceLock::new(),
            waiting: Mutex::default(),
        })
    }

    /// Sets the deadlines. Until then no capture waits.
    pub(super) fn set_deadlines(&self, deadlines: Deadlines) {
        // Later calls have no effect.
        let _again = self.deadlines.set(deadlines);
    }

    /// Removes and returns the completion of an event, if a capture waits for it.
    pub(super) fn remove(&self, event: EventId) -> Option<Arc<Completion<bool>>> {
        let waiting = self.lock().events.remove(&event);
        waiting.map(|(_, completion)| completion)
    }

    /// Registers a waiting capture. It completes with `false` after [`MAX_WAIT`], or immediately if it cannot wait.
    pub(super) fn add(self: &Arc<Self>, event: EventId, completion: &Arc<Completion<bool>>) {
        let now = self.clock.now();
        if std::process::id() != self.process {
            return completion.complete(false);
        }
        let mut waiting = self.lock();
        let has_room = waiting.events.len() < MAX_WAITERS;
        let (true, Some(deadlines)) = (has_room, self.deadlines.get()) else {
            drop(waiting);
            return completion.complete(false);
        };
        waiting.events.insert(event, (now, Arc::clone(completion)));
        let had_deadline = std::mem::replace(&mut waiting.has_deadline, true);
        // Setting a deadline takes the lock of the deadlines, which call `expire` on their own thread.
        drop(waiting);
        if !had_deadline {
            deadlines.add_after(MAX_WAIT, Arc::clone(self) as _);
        }
    }

    fn lock(&self) -> MutexGuard<'_, WaitingCaptures> {
        lock(&self.waiting)
    }
}

impl Pending for DurableWaiters {
    fn is_settled(&self) -> bool {
        !self.lock().has_deadline
    }

    fn expire(&self) {
        let now = self.clock.now();
        let mut waiting = self.lock();
        let is_late = |since: Nanos| now.saturating_sub(since) >= nanos(MAX_WAIT);
        let late: Vec<_> = waiting
            .events
            .extract_if(|_, (since, _)| is_late(*since))
            .collect();
        waiting.has_deadline = !waiting.events.is_empty();
        let has_deadline = waiting.has_deadline;
        drop(waiting);
        if has_deadline
            && let (Some(this), Some(deadlines)) = (self.this.upgrade(), self.deadlines.get())
        {
            // One deadline serves all waiters, so a younger one may wait up to a quarter longer than `MAX_WAIT`.
            deadlines.add_after(MAX_WAIT / 4, this);
        }
        for (_, (_, completion)) in late {
            completion.complete(false);
        }
    }
}

impl std::fmt::Debug for DurableWaiters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DurableWaiters({})", self.lock().events.len())
    }
}
