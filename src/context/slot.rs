use std::sync::atomic::{
    AtomicBool, AtomicU8, AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use super::breadcrumbs::Crumbs;
use super::failed_query::FailedQuery;
use super::ids::Ids;
use super::query_tally::{Asked, Tally};
use super::routes::RouteId;
use super::span_buffer::{Added, Tree};
use super::trace_memory::Room;
use crate::clock::Nanos;
use crate::model::{Sampling, SpanId, TraceId};
use crate::record::Method;

/// Added to the number of a slot's method where the request is marked.
const MARKED: u8 = 0x80;

/// What others may see of a request under way. Written by the thread that runs it, with plain stores;
/// pooled and used again for the next request.
#[derive(Debug)]
pub(crate) struct Slot {
    monitor: u32,
    /// Odd while a request is under way: a reader that sees the same odd number before and after has
    /// read one request.
    generation: AtomicU64,
    start: AtomicU64,
    route: AtomicU32,
    trace_high: AtomicU64,
    trace_low: AtomicU64,
    span: AtomicU64,
    /// The reading at which the poll that runs now began, plus one; 0 between polls.
    polled_since: AtomicU64,
    /// The spans of its trace. Where a request's trace goes on in another's slot, that one's.
    tree: Tree,
    goes_on: Option<Arc<Self>>,
    /// Whether it is a request's, and not that of a trace without one.
    of_request: bool,
    /// Whether there are crumbs of an earlier request or of this one.
    has_crumbs: AtomicBool,
    crumbs: Mutex<Crumbs>,
    /// Whether there is a tally of an earlier request or of this one.
    has_tally: AtomicBool,
    facts: Mutex<Facts>,
    /// The request's method, as a number and one more; 0 for none. [`MARKED`] is added where the request is marked.
    method: AtomicU8,
    /// The bits of the trace's sampling decision, and the two below.
    sampling: AtomicU8,
    /// The caller's `tracestate`, where the bits say that there is one.
    trace_state: Mutex<String>,
}

/// Whether a slot has a sampling decision, and whether a `tracestate`. No bits of [`Sampling`].
const IS_DECIDED: u8 = 0x80;
const HAS_STATE: u8 = 0x40;

/// What is known of a request's head while it is under way: lent by the state that owns the texts, so
/// that nothing is copied unless somebody asks.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// Path, query, user agent, client address, host and peer address, as a record has them; empty where none are
    /// kept.
    pub(crate) texts: Vec<u8>,
    /// User and attributes, as a record has them; empty where there are none.
    pub(crate) more: Vec<u8>,
}

/// What one reading of a slot saw.
pub(super) struct Seen {
    pub(super) ids: Ids,
    pub(super) start: Nanos,
    pub(super) polled_since: Option<Nanos>,
}

impl Slot {
    pub(super) fn new(
        monitor: u32,
        room: &Arc<Room>,
        goes_on: Option<Arc<Self>>,
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
            tree: Tree::new(room),
            goes_on,
            of_request,
            has_crumbs: AtomicBool::new(false),
            crumbs: Mutex::default(),
            has_tally: AtomicBool::new(false),
            facts: Mutex::default(),
            method: AtomicU8::new(0),
            sampling: AtomicU8::new(0),
            trace_state: Mutex::default(),
        }
    }

    /// The slot in which this one's trace goes on, where that is another.
    pub(super) fn origin(&self) -> Option<Arc<Self>> {
        self.goes_on.clone()
    }

    #[inline]
    pub(crate) fn monitor(&self) -> u32 {
        self.monitor
    }

    /// The spans of its trace.
    #[inline]
    pub(crate) fn tree(&self) -> &Tree {
        self.goes_on
            .as_deref()
            .map_or(&self.tree, |slot| &slot.tree)
    }

    /// Opens the slot for a request that began at `start`, whose first poll follows at once.
    #[inline]
    pub(crate) fn open(&self, ids: Ids, start: Nanos) {
        self.tree.open(self.has_tally.load(Relaxed));
        self.has_tally.store(false, Relaxed);
        if self.has_crumbs.load(Relaxed) {
            self.has_crumbs.store(false, Relaxed);
            own(&self.crumbs).clear();
        }
        self.rename(ids, start);
    }

    /// Changes what others see of the request under way.
    #[inline]
    pub(crate) fn rename(&self, ids: Ids, start: Nanos) {
        self.start.store(start, Relaxed);
        self.route.store(ids.route.0, Relaxed);
        let trace = ids.trace.to_u128();
        self.trace_high.store((trace >> 64) as u64, Relaxed);
        self.trace_low.store(trace as u64, Relaxed);
        self.span.store(ids.span.to_u64(), Relaxed);
        self.polled_since.store(start + 1, Relaxed);
        // The fields above are seen by whoever sees the odd number.
        self.generation
            .store(self.generation.load(Relaxed) | 1, Release);
    }

    /// Closes the slot: the request has ended.
    #[inline]
    pub(crate) fn close(&self) {
        self.generation
            .store((self.generation.load(Relaxed) | 1) + 1, Release);
    }

    /// Notes the beginning (`Some`) or the end of a poll.
    #[inline]
    pub(crate) fn polled(&self, since: Option<Nanos>) {
        self.polled_since
            .store(since.map_or(0, |at| at + 1), Relaxed);
    }

    /// The ids of the request under way; only for whoever knows that one is.
    #[inline]
    pub(crate) fn ids(&self) -> Ids {
        let high = u128::from(self.trace_high.load(Relaxed));
        let low = u128::from(self.trace_low.load(Relaxed));
        Ids {
            trace: TraceId::from_u128(high << 64 | low),
            span: SpanId::from_u64(self.span.load(Relaxed)),
            route: self.route(),
        }
    }

    /// The route of the request under way.
    #[inline]
    pub(crate) fn route(&self) -> RouteId {
        RouteId(self.route.load(Relaxed))
    }

    /// Notes that an error was captured in this request.
    pub(crate) fn touch_captured(&self) {
        self.tree().capture();
    }

    /// Whether an error was captured in this request; holds until the next one opens the slot.
    #[inline]
    pub(crate) fn is_captured(&self) -> bool {
        self.tree().is_captured()
    }

    /// Keeps an event among the request's last ones. Never waits: an event that comes while another
    /// thread is at them is left out.
    #[inline]
    pub(crate) fn leave_crumb(&self, at: Nanos, record: &[u8]) {
        if let Some(mut crumbs) = free(&self.crumbs) {
            crumbs.push(at, record);
            self.has_crumbs.store(true, Relaxed);
        }
    }

    /// Appends the request's last events: length-prefixed, the time first.
    pub(crate) fn copy_crumbs(&self, out: &mut Vec<u8>) {
        if self.has_crumbs.load(Relaxed)
            && let Some(crumbs) = free(&self.crumbs)
        {
            crumbs.copy(out);
        }
    }

    /// Counts a query that ended, for the request whose trace this is.
    #[inline]
    pub(crate) fn count_query(&self, query: &Asked<'_>) {
        self.with_tally().count(query);
    }

    /// Counts a query that ended and adds its span, as [`Tree::add`] does. When the trace is kept the span takes
    /// `later` bytes more.
    #[inline]
    pub(crate) fn add_query(
        &self,
        query: &Asked<'_>,
        later: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Added {
        self.with_tally().add_query(query, later, write)
    }

    /// Keeps a query that failed, after it was counted.
    #[cold]
    pub(crate) fn fail_query(&self, query: FailedQuery) {
        self.with_tally().fail_query(query);
    }

    /// The last query that failed, of the request whose trace this is.
    #[cold]
    pub(crate) fn failed_query(&self) -> Option<Arc<FailedQuery>> {
        let slot = self.goes_on.as_deref().unwrap_or(self);
        slot.tally(|tally| tally.failed().cloned()).flatten()
    }

    /// The tree, which will have a tally.
    #[inline]
    fn with_tally(&self) -> &Tree {
        let slot = self.goes_on.as_deref().unwrap_or(self);
        slot.has_tally.store(true, Relaxed);
        &slot.tree
    }

    /// Shows what the request asked of databases, if it asked anything.
    #[inline]
    pub(crate) fn tally<R>(&self, look: impl FnOnce(&Tally) -> R) -> Option<R> {
        let has = self.has_tally.load(Relaxed);
        has.then(|| self.tree.tally(look))
    }

    /// Notes the request's method, and whether the request is marked.
    #[inline]
    pub(crate) fn by(&self, method: Method, marked: bool) {
        let marked = u8::from(marked) * MARKED;
        self.method.store((method.index() + 1) | marked, Relaxed);
    }

    /// Whether the request under way is marked.
    pub(crate) fn is_marked(&self) -> bool {
        self.method.load(Relaxed) & MARKED != 0
    }

    /// Whether this is a request, and not a trace without one.
    pub(crate) fn is_request(&self) -> bool {
        self.of_request
    }

    /// Names the route of the request under way.
    pub(crate) fn set_route(&self, route: RouteId) {
        self.route.store(route.0, Relaxed);
    }

    /// The request's method, if it is known.
    pub(crate) fn method(&self) -> Option<Method> {
        (self.method.load(Relaxed) & !MARKED)
            .checked_sub(1)
            .map(Method::from_index)
    }

    /// Notes the sampling decision of the trace and the `tracestate` that it came with. A slot that is used again is
    /// given another before anything can read it.
    #[inline]
    pub(crate) fn sample(&self, sampling: Sampling, trace_state: &str) {
        let mut bits = sampling.bits() | IS_DECIDED;
        if !trace_state.is_empty() {
            trace_state.clone_into(&mut own(&self.trace_state));
            bits |= HAS_STATE;
        }
        self.sampling.store(bits, Relaxed);
    }

    /// The sampling decision of the trace; `None` in a slot for which none was made.
    #[inline]
    pub(crate) fn sampling(&self) -> Option<Sampling> {
        let bits = self.of_trace().sampling.load(Relaxed);
        (bits & IS_DECIDED != 0).then(|| Sampling::from_bits(bits))
    }

    /// The caller's `tracestate`; empty without one.
    #[inline]
    pub(crate) fn trace_state(&self) -> String {
        let slot = self.of_trace();
        if slot.sampling.load(Relaxed) & HAS_STATE == 0 {
            return String::new();
        }
        own(&slot.trace_state).clone()
    }

    /// The slot in which the trace began.
    #[inline]
    fn of_trace(&self) -> &Self {
        self.goes_on.as_deref().unwrap_or(self)
    }

    /// Lends the facts of the request, by `swap`, or takes them back.
    #[inline]
    pub(crate) fn lend(&self, swap: impl FnOnce(&mut Facts)) {
        swap(&mut own(&self.facts));
    }

    /// Shows what was lent, if nobody is at it this moment.
    pub(crate) fn facts<R>(&self, look: impl FnOnce(&Facts) -> R) -> Option<R> {
        free(&self.facts).map(|facts| look(&facts))
    }

    /// The request under way as another thread sees it; `None` between requests.
    pub(super) fn read(&self) -> Option<Seen> {
        for _ in 0..4 {
            let before = self.generation.load(Acquire);
            if before & 1 == 0 {
                return None;
            }
            let seen = Seen {
                ids: self.ids(),
                start: self.start.load(Relaxed),
                polled_since: self.polled_since.load(Relaxed).checked_sub(1),
            };
            // Pairs with the stores of `close` and `open`: the fields read above are of `before`.
            std::sync::atomic::fence(Acquire);
            if self.generation.load(Relaxed) == before {
                return Some(seen);
            }
        }
        None
    }
}

fn own<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

fn free<T>(of: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match of.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
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
        let ids = Ids {
            trace: TraceId::from_u128(1),
            span: SpanId::NIL,
            route: UNMATCHED,
        };
        let crumbs = |slot: &Slot| {
            let mut out = Vec::new();
            slot.copy_crumbs(&mut out);
            out.len()
        };
        slot.open(ids, 0);
        slot.touch_captured();
        slot.leave_crumb(1, b"event");
        slot.rename(ids, 0);
        assert!(slot.is_captured());
        assert_eq!(crumbs(&slot), 4 + 8 + 5);
        slot.close();
        assert!(slot.is_captured());
        slot.open(ids, 0);
        assert!(!slot.is_captured());
        assert_eq!(crumbs(&slot), 0);
    }
}
