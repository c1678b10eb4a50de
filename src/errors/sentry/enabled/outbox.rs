use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::clock::{Clock, Nanos, nanos};
use crate::errors::event::{ErrorEvent, Frame};
use crate::model::{EventId, lock};

/// The longest time that an event waits for the frames of its backtrace.
const MAX_WAIT_FOR_FRAMES: Duration = Duration::from_secs(5);

/// Events passed from the processor, which decodes records, to the sink.
#[derive(Debug)]
pub(crate) struct Outbox {
    clock: Clock,
    events: Mutex<VecDeque<OutboxEntry>>,
}

#[derive(Debug)]
pub(super) struct OutboxEntry {
    /// The number of the event in the store, if there is one.
    pub(super) number: Option<u64>,
    pub(super) event: Arc<ErrorEvent>,
    /// Until when the event waits for its frames; `None` if it has them or gets none.
    frames_deadline: Option<Nanos>,
    /// Whether the sink has counted the event's record as its own.
    is_claimed: bool,
}

impl Outbox {
    /// An outbox, if one is `wanted`.
    pub(crate) fn new(wanted: bool) -> Option<Self> {
        wanted.then(|| Self {
            clock: Clock::system(),
            events: Mutex::default(),
        })
    }

    /// Adds an event. `frames_follow`: the frames of its backtrace are set later.
    pub(crate) fn add(&self, number: Option<u64>, event: &Arc<ErrorEvent>, frames_follow: bool) {
        let deadline = || self.clock.now() + nanos(MAX_WAIT_FOR_FRAMES);
        let frames_deadline = frames_follow.then(deadline);
        self.lock().push_back(OutboxEntry {
            number,
            event: Arc::clone(event),
            frames_deadline,
            is_claimed: false,
        });
    }

    /// Sets the frames of an event, if it is still here.
    pub(crate) fn set_frames(&self, event: EventId, frames: Vec<Frame>) {
        let mut events = self.lock();
        if let Some(entry) = events.iter_mut().find(|entry| entry.event.id == event) {
            Arc::make_mut(&mut entry.event).frames = frames;
            entry.frames_deadline = None;
        }
    }

    /// Marks an event as counted by the sink. Returns whether it is here and was not marked before.
    pub(super) fn claim(&self, event: EventId) -> bool {
        let mut events = self.lock();
        // Events are claimed soon after they are added, so the search begins at the end.
        let entry = events.iter_mut().rev().find(|it| it.event.id == event);
        entry.is_some_and(|entry| !std::mem::replace(&mut entry.is_claimed, true))
    }

    /// Removes and returns the first event if it is claimed, has its frames, and `is_ready` accepts it. With `all`, it
    /// does not wait for frames.
    pub(super) fn pop_ready(
        &self,
        all: bool,
        is_ready: impl FnOnce(&OutboxEntry) -> bool,
    ) -> Option<OutboxEntry> {
        let now = self.clock.now();
        let mut events = self.lock();
        let first = events.front()?;
        let has_frames = first.frames_deadline.is_none_or(|deadline| now >= deadline);
        (first.is_claimed && (all || has_frames) && is_ready(first)).then(|| events.pop_front())?
    }

    /// When the first event stops waiting for its frames.
    pub(super) fn due(&self) -> Option<Nanos> {
        self.lock().front()?.frames_deadline
    }

    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<OutboxEntry>> {
        lock(&self.events)
    }
}
