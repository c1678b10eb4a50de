use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::{Clock, Nanos, nanos};
use crate::errors::event::{ErrorEvent, Frame};
use crate::model::EventId;

/// How long an event waits for the names of its backtrace's calls.
const PATIENCE: Duration = Duration::from_secs(5);

/// Events on their way from the tap, which reads records, to the sink.
#[derive(Debug)]
pub(crate) struct Outbox {
    clock: Clock,
    events: Mutex<VecDeque<OutboxEntry>>,
}

#[derive(Debug)]
pub(super) struct OutboxEntry {
    /// Its number in the store, if there is one.
    pub(super) number: Option<u64>,
    pub(super) event: Arc<ErrorEvent>,
    /// Until when its calls are waited for.
    named_by: Option<Nanos>,
    /// Whether the sink knows of it.
    told: bool,
}

impl Outbox {
    /// One, if it is `wanted`.
    pub(crate) fn new(wanted: bool) -> Option<Self> {
        wanted.then(|| Self {
            clock: Clock::system(),
            events: Mutex::default(),
        })
    }

    /// Adds an event. `unnamed`: its calls come later.
    pub(crate) fn add(&self, number: Option<u64>, event: &Arc<ErrorEvent>, unnamed: bool) {
        let named_by = unnamed.then(|| self.clock.now() + nanos(PATIENCE));
        self.lock().push_back(OutboxEntry {
            number,
            event: Arc::clone(event),
            named_by,
            told: false,
        });
    }

    /// Gives an event its calls.
    pub(crate) fn add_frames(&self, event: EventId, frames: Vec<Frame>) {
        let mut events = self.lock();
        if let Some(out) = events.iter_mut().find(|out| out.event.id == event) {
            Arc::make_mut(&mut out.event).frames = frames;
            out.named_by = None;
        }
    }

    /// Whether the event is there and was not asked for before.
    pub(super) fn tell(&self, event: EventId) -> bool {
        let mut events = self.lock();
        // Asked in the order in which they came, soon after.
        let out = events.iter_mut().rev().find(|out| out.event.id == event);
        out.is_some_and(|out| !std::mem::replace(&mut out.told, true))
    }

    /// Takes the first event if `ready` says so and its calls have names; these are not waited for if `all`.
    pub(super) fn take(
        &self,
        all: bool,
        ready: impl FnOnce(&OutboxEntry) -> bool,
    ) -> Option<OutboxEntry> {
        let now = self.clock.now();
        let mut events = self.lock();
        let first = events.front()?;
        let named = first.named_by.is_none_or(|by| now >= by);
        (first.told && (all || named) && ready(first)).then(|| events.pop_front())?
    }

    /// When the first event stops to wait for its calls.
    pub(super) fn due(&self) -> Option<Nanos> {
        self.lock().front()?.named_by
    }

    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<OutboxEntry>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
