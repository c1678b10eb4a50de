use std::sync::atomic::{
    AtomicBool, AtomicU8, AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Arc, Mutex};

use super::breadcrumbs::BreadcrumbBuffer;
use super::failed_query::FailedQuery;
use super::ids::OperationIds;
use super::query_tally::{QueryTally, QueryTiming};
use super::routes::RouteId;
use super::span_buffer::{AddOutcome, TraceBuffer};
use super::trace_memory::TraceMemory;
use crate::clock::Nanos;
use crate::model::{Sampling, SpanId, TraceId, lock, try_lock};
use crate::record::Method;

/// The flag that is added to the number of a slot's method if the request is marked.
const MARKED: u8 = 0x80;

/// The state of a request in flight that other threads may read.
///
/// The thread that runs the request writes it with plain stores. Slots are pooled and reused for later requests.
#[derive(Debug)]
pub(crate) struct Slot {
    monitor: u32,
    /// Odd while a request is in flight. A reader that sees the same odd number before and after its reads has read one
    /// request.
    generation: AtomicU64,
    start: AtomicU64,
    route: AtomicU32,
    trace_high: AtomicU64,
    trace_low: AtomicU64,
    span: AtomicU64,
    /// The start time of the current poll, plus one; 0 between polls.
    polled_since: AtomicU64,
    /// The spans of the trace. Unused if the trace continues in the slot of another request, `parent`.
    buffer: TraceBuffer,
    parent: Option<Arc<Self>>,
    /// Whether the slot belongs to a request, and not to a trace without a request.
    of_request: bool,
    /// Whether the breadcrumb buffer has events of this request. If not, it may still hold those of an earlier request.
    has_breadcrumbs: AtomicBool,
    breadcrumbs: Mutex<BreadcrumbBuffer>,
    /// Whether the query tally has queries of this request. If not, it may still be that of an earlier request.
    has_tally: AtomicBool,
    head: Mutex<RequestHead>,
    /// The number of the request's method plus one; 0 for none. [`MARKED`] is added if the request is marked.
    method: AtomicU8,
    /// The bits of the trace's sampling decision, with [`IS_DECIDED`] and [`HAS_STATE`].
    sampling: AtomicU8,
    /// The caller's `tracestate`, if [`HAS_STATE`] is set.
    trace_state: Mutex<String>,
}

/// The bits for whether a slot has a sampling decision and a `tracestate`. They do not overlap with [`Sampling`].
const IS_DECIDED: u8 = 0x80;
const HAS_STATE: u8 = 0x40;

/// The head of a request in flight. The endpoint layer moves its own buffers in and out, so that nothing is copied
/// unless an error is captured.
#[derive(Debug, Default)]
pub(crate) struct RequestHead {
    /// Path, query, user agent, client address, host and peer address, encoded as in a record; empty if they are not
    /// stored.
    pub(crate) texts: Vec<u8>,
    /// User and attributes, encoded as in a record; empty if there are none.
    pub(crate) more: Vec<u8>,
}

/// A consistent copy of a slot's state.
pub(super) struct SlotSnapshot {
    pub(super) ids: OperationIds,
    pub(super) start: Nanos,
    pub(super) polled_since: Option<Nanos>,
}

impl Slot {
    pub(super) fn new(
        monitor: u32,
        room: &Arc<TraceMemory>,
        parent: Option<Arc<Self>>,
        of_request: bool,
    ) -> Self {
        Self {
            monitor,
            generation: AtomicU64::new(0),
            start: AtomicU64::new(0),
            route: AtomicU32::new(0),
            trace_high: AtomicU64::new(0),
            trace_low: AtomicU64::new(0),
            span: AtomicU64::new(0),
            polled_since: AtomicU64::new(0),
            buffer: TraceBuffer::new(room),
            parent,
            of_request,
            has_breadcrumbs: AtomicBool::new(false),
            breadcrumbs: Mutex::default(),
            has_tally: AtomicBool::new(false),
            head: Mutex::default(),
            method: AtomicU8::new(0),
            sampling: AtomicU8::new(0),
            trace_state: Mutex::default(),
        }
    }

    /// Returns the slot in which this slot's trace continues, if it is another slot.
    pub(super) fn origin(&self) -> Option<Arc<Self>> {
        self.parent.clone()
    }

    #[inline]
    pub(crate) fn monitor(&self) -> u32 {
        self.monitor
    }

    /// Returns the span buffer of the trace.
    #[inline]
    pub(crate) fn trace_buffer(&self) -> &TraceBuffer {
        self.parent
            .as_deref()
            .map_or(&self.buffer, |slot| &slot.buffer)
    }

    /// Opens the slot for a request that began at `start`, whose first poll follows at once.
    #[inline]
    pub(crate) fn open(&self, ids: OperationIds, start: Nanos) {
        // Everything of the request before is cleared before the IDs are set: a reader of the new IDs must not find
        // the old data under them.
        self.buffer.open(self.has_tally.load(Relaxed));
        self.has_tally.store(false, Relaxed);
        if self.has_breadcrumbs.load(Relaxed) {
            self.has_breadcrumbs.store(false, Relaxed);
            lock(&self.breadcrumbs).clear();
        }
        self.set_ids(ids, start);
    }

    /// Sets the IDs and the start of the request in flight.
    #[inline]
    pub(crate) fn set_ids(&self, ids: OperationIds, start: Nanos) {
        self.start.store(start, Relaxed);
        self.route.store(ids.route.0, Relaxed);
        let trace = ids.trace.to_u128();
        self.trace_high.store((trace >> 64) as u64, Relaxed);
        self.trace_low.store(trace as u64, Relaxed);
        self.span.store(ids.span.to_u64(), Relaxed);
        self.polled_since.store(start + 1, Relaxed);
        // A reader that sees the odd number also sees the fields above.
        self.generation
            .store(self.generation.load(Relaxed) | 1, Release);
    }

    /// Closes the slot: the request has ended.
    #[inline]
    pub(crate) fn close(&self) {
        self.generation
            .store((self.generation.load(Relaxed) | 1) + 1, Release);
    }

    /// Whether a request is in flight in the slot.
    pub(crate) fn is_open(&self) -> bool {
        self.generation.load(Relaxed) & 1 != 0
    }

    /// Sets the start time of the current poll, or `None` when the poll has ended.
    #[inline]
    pub(crate) fn set_poll_start(&self, since: Option<Nanos>) {
        self.polled_since
            .store(since.map_or(0, |at| at + 1), Relaxed);
    }

    /// Returns the IDs of the request in flight. The caller must know that there is one.
    #[inline]
    pub(crate) fn ids(&self) -> OperationIds {
        let high = u128::from(self.trace_high.load(Relaxed));
        let low = u128::from(self.trace_low.load(Relaxed));
        OperationIds {
            trace: TraceId::from_u128(high << 64 | low),
            span: SpanId::from_u64(self.span.load(Relaxed)),
            route: self.route(),
        }
    }

    /// Returns the route of the request in flight.
    #[inline]
    pub(crate) fn route(&self) -> RouteId {
        RouteId(self.route.load(Relaxed))
    }

    /// Records that an error was captured in the trace.
    pub(crate) fn mark_captured(&self) {
        self.trace_buffer().capture();
    }

    /// Whether an error was captured in this request. The value persists until the next request opens the slot.
    #[inline]
    pub(crate) fn is_captured(&self) -> bool {
        self.trace_buffer().is_captured()
    }

    /// Adds an event to the breadcrumbs. Never waits: the event is dropped while another thread holds the lock.
    #[inline]
    pub(crate) fn push_breadcrumb(&self, at: Nanos, record: &[u8]) {
        if let Some(mut breadcrumbs) = try_lock(&self.breadcrumbs) {
            breadcrumbs.push(at, record);
            self.has_breadcrumbs.store(true, Relaxed);
        }
    }

    /// Appends the request's last events, each length-prefixed and starting with its time.
    pub(crate) fn copy_breadcrumbs(&self, out: &mut Vec<u8>) {
        if self.has_breadcrumbs.load(Relaxed)
            && let Some(breadcrumbs) = try_lock(&self.breadcrumbs)
        {
            breadcrumbs.copy(out);
        }
    }

    /// Counts an ended query for the request in whose slot the trace began.
    #[inline]
    pub(crate) fn count_query(&self, query: &QueryTiming<'_>) {
        self.with_tally().count(query);
    }

    /// Counts an ended query and adds its span, like [`TraceBuffer::add`]. The span takes `later` more bytes when the
    /// trace is kept.
    #[inline]
    pub(crate) fn add_query(
        &self,
        query: &QueryTiming<'_>,
        later: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> AddOutcome {
        self.with_tally().add_query(query, later, write)
    }

    /// Stores a failed query that was already counted.
    #[cold]
    pub(crate) fn fail_query(&self, query: FailedQuery) {
        self.with_tally().fail_query(query);
    }

    /// Returns the last failed query of the request in whose slot the trace began.
    #[cold]
    pub(crate) fn failed_query(&self) -> Option<Arc<FailedQuery>> {
        let slot = self.parent.as_deref().unwrap_or(self);
        slot.tally(|tally| tally.failed().cloned()).flatten()
    }

    /// Returns the trace's buffer and records that its query tally is about to change.
    #[inline]
    fn with_tally(&self) -> &TraceBuffer {
        let slot = self.parent.as_deref().unwrap_or(self);
        slot.has_tally.store(true, Relaxed);
        &slot.buffer
    }

    /// Reads the query tally, if the request ran a query.
    #[inline]
    pub(crate) fn tally<R>(&self, look: impl FnOnce(&QueryTally) -> R) -> Option<R> {
        let has = self.has_tally.load(Relaxed);
        has.then(|| self.buffer.tally(look))
    }

    /// Sets the request's method, and whether the request is marked.
    #[inline]
    pub(crate) fn set_method(&self, method: Method, marked: bool) {
        let marked = u8::from(marked) * MARKED;
        self.method.store((method.index() + 1) | marked, Relaxed);
    }

    /// Whether the request in flight is marked.
    pub(crate) fn is_marked(&self) -> bool {
        self.method.load(Relaxed) & MARKED != 0
    }

    /// Whether the slot belongs to a request, and not to a trace without a request.
    pub(crate) fn is_request(&self) -> bool {
        self.of_request
    }

    /// Sets the route of the request in flight.
    pub(crate) fn set_route(&self, route: RouteId) {
        self.route.store(route.0, Relaxed);
    }

    /// Returns the request's method, if it is known.
    pub(crate) fn method(&self) -> Option<Method> {
        (self.method.load(Relaxed) & !MARKED)
            .checked_sub(1)
            .map(Method::from_index)
    }

    /// Sets the sampling decision of the trace and the `tracestate` of its caller. When a slot is reused, both are set
    /// again before anything can read them.
    #[inline]
    pub(crate) fn set_sampling(&self, sampling: Sampling, trace_state: &str) {
        let mut bits = sampling.bits() | IS_DECIDED;
        if !trace_state.is_empty() {
            // Written before the flag, which is what readers check. A text of the request before may stay behind an
            // unset flag.
            trace_state.clone_into(&mut lock(&self.trace_state));
            bits |= HAS_STATE;
        }
        self.sampling.store(bits, Relaxed);
    }

    /// Returns the sampling decision of the trace, or `None` if none was made for this slot.
    #[inline]
    pub(crate) fn sampling(&self) -> Option<Sampling> {
        let bits = self.root_slot().sampling.load(Relaxed);
        (bits & IS_DECIDED != 0).then(|| Sampling::from_bits(bits))
    }

    /// Returns the caller's `tracestate`, or an empty string if there is none.
    #[inline]
    pub(crate) fn trace_state(&self) -> String {
        let slot = self.root_slot();
        if slot.sampling.load(Relaxed) & HAS_STATE == 0 {
            return String::new();
        }
        lock(&slot.trace_state).clone()
    }

    /// Returns the slot in which the trace began.
    #[inline]
    fn root_slot(&self) -> &Self {
        self.parent.as_deref().unwrap_or(self)
    }

    /// Changes the head of the request.
    #[inline]
    pub(crate) fn with_head_mut(&self, swap: impl FnOnce(&mut RequestHead)) {
        swap(&mut lock(&self.head));
    }

    /// Reads the head of the request, unless another thread holds the lock.
    pub(crate) fn try_with_head<R>(&self, look: impl FnOnce(&RequestHead) -> R) -> Option<R> {
        try_lock(&self.head).map(|facts| look(&facts))
    }

    /// Reads the request in flight from another thread. Returns `None` between requests.
    pub(super) fn read(&self) -> Option<SlotSnapshot> {
        for _ in 0..4 {
            let before = self.generation.load(Acquire);
            if before & 1 == 0 {
                return None;
            }
            let snapshot = SlotSnapshot {
                ids: self.ids(),
                start: self.start.load(Relaxed),
                polled_since: self.polled_since.load(Relaxed).checked_sub(1),
            };
            // Pairs with the stores of `close` and `open`: the fields read above belong to the generation `before`.
            std::sync::atomic::fence(Acquire);
            if self.generation.load(Relaxed) == before {
                return Some(snapshot);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::context::{Requests, UNMATCHED};

    #[test]
    fn marks_and_crumbs_last_as_long_as_the_request() {
        let requests = Requests::new(Clock::system());
        let slot = requests.new_slot();
        let ids = OperationIds {
            trace: TraceId::from_u128(1),
            span: SpanId::NIL,
            route: UNMATCHED,
        };
        let breadcrumbs = |slot: &Slot| {
            let mut out = Vec::new();
            slot.copy_breadcrumbs(&mut out);
            out.len()
        };
        slot.open(ids, 0);
        slot.mark_captured();
        slot.push_breadcrumb(1, b"event");
        slot.set_ids(ids, 0);
        assert!(slot.is_captured());
        assert_eq!(breadcrumbs(&slot), 4 + 8 + 5);
        slot.close();
        assert!(slot.is_captured());
        slot.open(ids, 0);
        assert!(!slot.is_captured());
        assert_eq!(breadcrumbs(&slot), 0);
    }
}
