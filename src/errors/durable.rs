//! Captures that wait for the disk.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use rustc_hash::FxHashMap;

use super::capture::{CaptureInput, CaptureState};
use super::chain::ChainSummary;
use crate::clock::{Clock, Nanos, nanos};
use crate::model::EventId;
use crate::worker::{Completion, CompletionFuture, Deadlines, Pending};

/// How long a capture waits for the disk.
const LONGEST: Duration = Duration::from_secs(2);
/// Captures that may wait at once.
const MAX_AWAITED: usize = 4096;

/// Events whose captures wait until they are stored.
pub(super) struct DurableWaiters {
    clock: Clock,
    deadlines: OnceLock<Deadlines>,
    this: Weak<Self>,
    /// A child made by `fork` has nobody who keeps the deadlines.
    process: u32,
    all: Mutex<WaitingCaptures>,
}

#[derive(Default)]
struct WaitingCaptures {
    /// Since when each is waited for.
    events: FxHashMap<EventId, (Nanos, Arc<Completion<bool>>)>,
    /// Whether somebody looks after those that wait for too long.
    guarded: bool,
}

impl DurableWaiters {
    pub(super) fn new() -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            clock: Clock::system(),
            this: Weak::clone(this),
            process: std::process::id(),
            deadlines: OnceLock::new(),
            all: Mutex::default(),
        })
    }

    /// Who keeps the deadlines; before that nothing is waited for.
    pub(super) fn keep_by(&self, deadlines: Deadlines) {
        // The first counts.
        let _again = self.deadlines.set(deadlines);
    }

    /// Who waits for an event.
    pub(super) fn of(&self, event: EventId) -> Option<Arc<Completion<bool>>> {
        self.lock().events.remove(&event).map(|(_, told)| told)
    }

    fn add(self: &Arc<Self>, event: EventId, told: &Arc<Completion<bool>>) {
        let now = self.clock.now();
        if std::process::id() != self.process {
            return told.give(false);
        }
        let mut all = self.lock();
        let (true, Some(deadlines)) = (all.events.len() < MAX_AWAITED, self.deadlines.get()) else {
            drop(all);
            return told.give(false);
        };
        all.events.insert(event, (now, Arc::clone(told)));
        let guarded = std::mem::replace(&mut all.guarded, true);
        drop(all);
        if !guarded {
            deadlines.add_after(LONGEST, Arc::clone(self) as _);
        }
    }

    fn lock(&self) -> MutexGuard<'_, WaitingCaptures> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pending for DurableWaiters {
    fn is_settled(&self) -> bool {
        !self.lock().guarded
    }

    fn expire(&self) {
        let now = self.clock.now();
        let mut all = self.lock();
        let over = |at: Nanos| now.saturating_sub(at) >= nanos(LONGEST);
        let late: Vec<_> = all.events.extract_if(|_, (at, _)| over(*at)).collect();
        all.guarded = !all.events.is_empty();
        let guarded = all.guarded;
        drop(all);
        if guarded
            && let (Some(this), Some(deadlines)) = (self.this.upgrade(), self.deadlines.get())
        {
            // The younger ones wait a little longer than they should.
            deadlines.add_after(LONGEST / 4, this);
        }
        for (_, (_, told)) in late {
            told.give(false);
        }
    }
}

impl std::fmt::Debug for DurableWaiters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DurableWaiters({})", self.lock().events.len())
    }
}

/// What became of a capture that waited for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct CaptureReceipt {
    id: EventId,
    stored: bool,
}

impl CaptureReceipt {
    /// The event's id.
    pub fn id(self) -> EventId {
        self.id
    }

    /// Whether it is on the disk; otherwise it is in memory alone, for now.
    pub fn is_stored(self) -> bool {
        self.stored
    }
}

/// A capture that is waited for. The event is captured already; dropping this changes nothing.
#[derive(Debug)]
#[must_use = "the event is captured, and may be stored later than you think: await it"]
pub struct DurableCapture {
    id: EventId,
    awaited: CompletionFuture<bool>,
}

impl Future for DurableCapture {
    type Output = CaptureReceipt;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<CaptureReceipt> {
        let id = self.id;
        Pin::new(&mut self.awaited)
            .poll(cx)
            .map(|stored| CaptureReceipt { id, stored })
    }
}

impl CaptureState {
    /// As [`capture`](Self::capture); the future is ready when the event is stored, or cannot be for now.
    pub(super) fn capture_durable(
        &self,
        captured: &CaptureInput<'_>,
        chain: impl FnOnce(&mut Vec<u8>) -> ChainSummary,
    ) -> DurableCapture {
        let told = Arc::<Completion<bool>>::default();
        if self.keeper.is_some() {
            // Before the record: the worker may be quick.
            self.awaited.add(captured.event, &told);
        } else {
            told.give(false);
        }
        let id = self.capture(captured, chain);
        if id.is_nil() {
            told.give(false);
        }
        self.record_queue.ring();
        DurableCapture {
            id,
            awaited: CompletionFuture(told),
        }
    }
}
