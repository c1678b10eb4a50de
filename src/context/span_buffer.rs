//! The buffer for the spans of one local trace, until its root has ended.

use std::sync::atomic::{
    AtomicBool,
    Ordering::{Relaxed, SeqCst},
};
use std::sync::{Arc, Mutex, MutexGuard};

use super::failed_query::FailedQuery;
use super::query_tally::{QueryTally, QueryTiming};
use super::span_events::{PendingEventLimits, PendingSpanEvents, SpanEventBuffer};
use super::trace_memory::TraceMemory;
use crate::model::{KeepReason, SpanId};
use crate::model::{lock, recover};

/// The maximum size of one trace, in bytes.
const MAX_TREE: usize = 1 << 20;
/// The maximum total size of the root's events, in bytes.
const MAX_EVENT_BYTES: usize = 8 * 1024;
/// The initial capacity, in bytes, for spans and for events.
const FIRST: usize = 1024;

/// The ended spans of one local trace, in their compact encoding, and the decision on the trace.
///
/// Any holder of the request's slot can add to it: from a task, from another thread, or after the root has ended.
#[derive(Debug)]
pub(crate) struct TraceBuffer {
    room: Arc<TraceMemory>,
    state: Mutex<BufferState>,
    /// Whether an error was captured in the trace, which makes it kept.
    captured: AtomicBool,
    /// Whether an active span has events. Read without the lock, so that spans without events take no lock for it.
    has_span_events: AtomicBool,
}

#[derive(Debug, Default)]
struct BufferState {
    spans: Vec<u8>,
    /// The number of additional bytes that the spans take when the trace is kept and their templates are copied.
    later: usize,
    count: u32,
    /// The events of the root.
    events: Vec<u8>,
    event_count: u32,
    of_spans: PendingSpanEvents,
    /// The number of spans of this trace that were dropped.
    lost: u32,
    /// The number of events of the root that were dropped.
    events_lost: u32,
    decision: Decision,
    /// The request's query totals. They are stored here so that a query takes only one lock.
    tally: QueryTally,
}

/// The buffered data of a trace when it is decided.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct BufferedTrace<'a> {
    pub(crate) spans: &'a [u8],
    /// The number of spans that were dropped.
    pub(crate) lost: u32,
    /// The events of the root.
    pub(crate) events: &'a [u8],
    /// The number of events that were dropped.
    pub(crate) events_lost: u32,
}

/// Whether a local trace is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Decision {
    #[default]
    Open,
    Kept(KeepReason),
    Dropped,
}

/// The outcome of adding a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AddOutcome {
    /// The span waits for the decision.
    Buffered,
    /// The trace was decided and is kept. The span is sent on its own.
    Late(KeepReason),
    /// The trace was decided and is not kept.
    Discarded,
    /// The buffer is full.
    NoRoom,
}

impl TraceBuffer {
    pub(super) fn new(room: &Arc<TraceMemory>) -> Self {
        Self {
            room: Arc::clone(room),
            state: Mutex::default(),
            captured: AtomicBool::new(false),
            has_span_events: AtomicBool::new(false),
        }
    }

    /// Begins a new trace in a buffer that has no other holder.
    #[inline]
    pub(super) fn open(&self, has_tally: bool) {
        let mut state = self.lock();
        // The spans and the root's events of the trace before are gone: its decision released them. The rest is cleared
        // here and not at the end of that trace, since late spans and a later capture still read it.
        if has_tally {
            state.tally.clear();
        }
        state.decision = Decision::Open;
        state.lost = 0;
        state.events_lost = 0;
        if self.has_span_events.load(Relaxed) {
            state.of_spans.clear(&self.room);
            self.has_span_events.store(false, Relaxed);
        }
        self.captured.store(false, Relaxed);
    }

    /// Adds a span that has ended; `write` appends it and must call no code of the host.
    pub(crate) fn add(&self, write: impl FnOnce(&mut Vec<u8>)) -> AddOutcome {
        self.lock().add(&self.room, 0, write)
    }

    /// Counts an ended query and adds its span.
    #[inline]
    pub(super) fn add_query(
        &self,
        query: &QueryTiming<'_>,
        later: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> AddOutcome {
        let mut state = self.lock();
        state.tally.count(query);
        state.add(&self.room, later, write)
    }

    /// Counts an ended query.
    pub(super) fn count(&self, query: &QueryTiming<'_>) {
        self.lock().tally.count(query);
    }

    /// Stores a failed query.
    pub(super) fn fail_query(&self, query: FailedQuery) {
        self.lock().tally.fail(query);
    }

    pub(super) fn tally<R>(&self, look: impl FnOnce(&QueryTally) -> R) -> R {
        look(&self.lock().tally)
    }

    /// Counts a span for which there was no room.
    pub(crate) fn count_lost_span(&self) {
        let mut state = self.lock();
        state.lost = state.lost.saturating_add(1);
        self.room.lost.fetch_add(1, Relaxed);
    }

    /// Adds an event of the root, which has at most `max_events`; `write` appends it and must call no code of the host.
    /// An event over the limits is dropped and counted. An event after the decision is dropped and not counted.
    pub(crate) fn add_event(&self, max_events: u32, write: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.lock();
        // Once the trace is decided, the buffer is no longer sent with its root.
        if state.decision != Decision::Open {
            return;
        }
        if state.event_count >= max_events {
            state.events_lost = state.events_lost.saturating_add(1);
            return;
        }
        if state.events.capacity() == 0 {
            state.events.reserve(FIRST);
        }
        // The size of an event is only known once it is written. If it does not fit, it is removed again, so that the
        // buffer always ends with a complete event.
        let before = state.events.len();
        write(&mut state.events);
        let bytes = state.events.len() - before;
        let own = state.spans.len() + state.events.len();
        if state.events.len() > MAX_EVENT_BYTES || !self.room.take(bytes, own) {
            state.events.truncate(before);
            state.events_lost = state.events_lost.saturating_add(1);
        } else {
            state.event_count += 1;
        }
    }

    /// Adds an event of an active span that is not the root and does not store its events itself. The span has at most
    /// `max_events`. `write` appends the event and must call no code of the host. An event over the limits is dropped
    /// and counted.
    #[cold]
    pub(crate) fn add_span_event(
        &self,
        span: SpanId,
        max_events: u32,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let mut state = self.lock();
        // A kept trace still takes events: the span will be sent on its own when it ends.
        if state.decision == Decision::Dropped {
            return;
        }
        let limits = PendingEventLimits {
            max_events,
            held: state.spans.len() + state.events.len(),
        };
        if !state.of_spans.add(&self.room, limits, span, write) {
            state.events_lost = state.events_lost.saturating_add(1);
        }
        self.has_span_events.store(true, Relaxed);
    }

    /// Whether [`add_span_event`](Self::add_span_event) was called for a span that has not ended.
    #[inline]
    pub(crate) fn has_span_events(&self) -> bool {
        self.has_span_events.load(Relaxed)
    }

    /// Whether [`add_span_event`](Self::add_span_event) was called for this span.
    #[inline]
    pub(crate) fn has_span_events_of(&self, span: SpanId) -> bool {
        self.has_span_events() && self.find_span_events(span)
    }

    #[cold]
    fn find_span_events(&self, span: SpanId) -> bool {
        self.lock().of_spans.has(span)
    }

    /// Removes and returns the events of a span that ends.
    #[cold]
    pub(crate) fn take_span_events(&self, span: SpanId) -> Option<SpanEventBuffer> {
        // The flag is set and cleared under the lock. A thread that reads it without the lock can only miss an event
        // that another thread adds while the span ends.
        let mut state = self.lock();
        let taken = state.of_spans.take(&self.room, span);
        self.has_span_events
            .store(!state.of_spans.is_empty(), Relaxed);
        taken
    }

    /// Records that an error was captured, so that the trace is kept regardless of how its root ends.
    pub(crate) fn capture(&self) {
        self.captured.store(true, SeqCst);
    }

    #[inline]
    pub(crate) fn is_captured(&self) -> bool {
        self.captured.load(Relaxed)
    }

    /// Decides whether the trace is kept. Returns the effective decision, which is the first one.
    ///
    /// If this call makes the decision and keeps the trace, `take` receives the buffered data. It runs under the lock
    /// and must call no code of the host.
    #[inline]
    pub(crate) fn decide(
        &self,
        decision: Decision,
        take: impl FnOnce(&BufferedTrace<'_>),
    ) -> Decision {
        let mut state = self.lock();
        if state.decision == Decision::Open {
            // From here on, `add` returns the decision. The spans that it added before are copied below under the same
            // lock, so that each span is either copied or late.
            state.decision = decision;
            if matches!(decision, Decision::Kept(_)) {
                take(&BufferedTrace {
                    spans: &state.spans,
                    lost: state.lost,
                    events: &state.events,
                    events_lost: state.events_lost,
                });
            }
            // Most traces have no spans besides the root, so there is nothing to release.
            if !state.spans.is_empty() || !state.events.is_empty() {
                state.release(&self.room);
            }
        }
        state.decision
    }

    /// Discards the spans so far. The trace stays undecided.
    pub(crate) fn discard_spans(&self) {
        let mut state = self.lock();
        let count = state.count;
        state.lost = state.lost.saturating_add(count);
        self.room.lost.fetch_add(u64::from(count), Relaxed);
        state.release(&self.room);
    }

    /// Returns the size, in bytes, that the trace would have if it were kept now.
    pub(crate) fn bytes(&self) -> usize {
        let state = self.lock();
        state.spans.len() + state.later + state.events.len()
    }

    pub(crate) fn decision(&self) -> Decision {
        self.lock().decision
    }

    #[inline]
    fn lock(&self) -> MutexGuard<'_, BufferState> {
        lock(&self.state)
    }
}

impl Drop for TraceBuffer {
    /// Releases the memory of a trace that was never decided.
    fn drop(&mut self) {
        let state = recover(self.state.get_mut());
        self.room
            .give_back(state.spans.len() + state.events.len() + state.of_spans.bytes());
    }
}

impl BufferState {
    #[inline]
    fn add(
        &mut self,
        room: &TraceMemory,
        later: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> AddOutcome {
        match self.decision {
            Decision::Open => {}
            Decision::Kept(kept) => return AddOutcome::Late(kept),
            Decision::Dropped => return AddOutcome::Discarded,
        }
        if self.spans.capacity() == 0 {
            self.spans.reserve(FIRST);
        }
        // As with events: written first, and removed again if there is no room. The limit of one trace includes the
        // texts of its templates, because the trace is sent with them. The limit of all traces does not: those texts
        // exist once.
        let before = self.spans.len();
        write(&mut self.spans);
        let bytes = self.spans.len() - before;
        let own = self.spans.len();
        if own + self.later + later > MAX_TREE || !room.take(bytes, own) {
            self.spans.truncate(before);
            return AddOutcome::NoRoom;
        }
        self.later += later;
        self.count += 1;
        AddOutcome::Buffered
    }

    fn release(&mut self, room: &TraceMemory) {
        room.give_back(self.spans.len() + self.events.len());
        self.spans.clear();
        self.later = 0;
        self.events.clear();
        self.event_count = 0;
        // The slot is pooled, so the capacity of a large trace is freed.
        if self.spans.capacity() > 16 * 1024 {
            self.spans = Vec::new();
        }
        self.count = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_wait_for_the_decision_and_come_late_after_it() {
        let room = Arc::new(TraceMemory::new(100));
        let tree = TraceBuffer::new(&room);
        let add = |n: usize| tree.add(|out| out.resize(out.len() + n, 1));
        assert_eq!(
            (add(40), add(40), add(40)),
            (
                AddOutcome::Buffered,
                AddOutcome::Buffered,
                AddOutcome::NoRoom
            )
        );
        assert_eq!((room.held(), room.lost()), (80, 0));
        tree.count_lost_span();
        assert_eq!(room.lost(), 1);
        let mut taken = (0, 0);
        let kept = Decision::Kept(KeepReason::Error);
        tree.decide(kept, |all| taken = (all.spans.len(), all.lost));
        assert_eq!((taken, room.held()), ((80, 1), 0));
        assert_eq!(add(1), AddOutcome::Late(KeepReason::Error));
        assert_eq!(tree.decide(Decision::Dropped, |_| {}), kept);
        tree.open(false);
        assert_eq!(add(30), AddOutcome::Buffered);
        tree.decide(Decision::Dropped, |_| unreachable!());
        assert_eq!((add(1), room.held()), (AddOutcome::Discarded, 0));
    }

    #[test]
    fn what_waits_can_be_given_up() {
        let room = Arc::new(TraceMemory::new(100));
        let tree = TraceBuffer::new(&room);
        tree.add(|out| out.push(1));
        tree.discard_spans();
        assert_eq!((room.held(), room.lost()), (0, 1));
        tree.add(|out| out.push(2));
        let mut taken = Vec::new();
        let kept = Decision::Kept(KeepReason::Head);
        tree.decide(kept, |all| {
            taken.extend([all.spans.len() as u32, all.lost]);
        });
        assert_eq!(taken, [1, 1]);
    }

    #[test]
    fn large_traces_leave_room_for_small_ones() {
        let room = Arc::new(TraceMemory::new(16 << 20));
        let large: Vec<_> = (0..40).map(|_| TraceBuffer::new(&room)).collect();
        for _ in 0..100 {
            for tree in &large {
                tree.add(|out| out.resize(out.len() + 32_000, 1));
            }
        }
        let free = (16 << 20) - room.held();
        assert!((10_000..100_000).contains(&free), "{free}");
        for _ in 0..20 {
            let small = TraceBuffer::new(&room);
            let added = (0..5).map(|_| small.add(|out| out.resize(out.len() + 300, 1)));
            assert!(added.into_iter().all(|added| added == AddOutcome::Buffered));
        }
    }

    #[test]
    fn a_tree_that_is_gone_holds_no_room() {
        let room = Arc::new(TraceMemory::new(100));
        let tree = TraceBuffer::new(&room);
        tree.add(|out| out.resize(60, 1));
        tree.add_event(128, |out| out.resize(20, 1));
        tree.add_span_event(SpanId::from_u64(1), 128, |out| out.resize(5, 1));
        assert_eq!(room.held(), 85);
        drop(tree);
        assert_eq!((room.held(), room.lost()), (0, 0));
    }
}
