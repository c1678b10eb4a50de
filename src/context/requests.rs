use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use super::routes::Routes;
use super::slot::Slot;
use super::trace_memory::TraceMemory;
use crate::clock::Clock;
use crate::model::TraceId;
use crate::model::lock;
use crate::record::KnownMethods;

/// The requests of one monitor: its routes and the list of those under way.
#[derive(Debug)]
pub(crate) struct Requests {
    number: u32,
    clock: Clock,
    routes: Routes,
    methods: KnownMethods,
    /// Whether a request reached a layer inside another request, so that the layers mark those that they watch.
    marks: AtomicBool,
    slots: Mutex<SlotList>,
    /// What undecided traces may hold together.
    room: Arc<TraceMemory>,
}

#[derive(Debug, Default)]
struct SlotList {
    all: Vec<Weak<Slot>>,
    /// The length at which dead entries are swept out.
    sweep_at: usize,
}

/// A request under way, as [`Monitor::in_flight`](crate::Monitor::in_flight) tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InFlight {
    /// The route's pattern, or `_unmatched`.
    pub route: Arc<str>,
    /// The request's trace.
    pub trace_id: TraceId,
    /// How long ago it began.
    pub running_for: Duration,
    /// For how long the poll that runs now has been running; `None` while the request waits. More than
    /// some milliseconds is a handler that blocks its runtime's thread.
    pub polled_for: Option<Duration>,
}

impl Requests {
    #[cfg(test)]
    pub(crate) fn new(clock: Clock) -> Self {
        Self::with_trace_memory(clock, 16 << 20)
    }

    /// Requests whose undecided traces may hold `room` bytes together.
    pub(crate) fn with_trace_memory(clock: Clock, room: usize) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Relaxed);
        Self {
            number,
            clock,
            routes: Routes::default(),
            methods: KnownMethods::default(),
            marks: AtomicBool::new(false),
            slots: Mutex::default(),
            room: Arc::new(TraceMemory::new(room)),
        }
    }

    /// Requests whose methods are labels if `methods` names them.
    pub(crate) fn with_methods(mut self, methods: &[String]) -> Self {
        self.methods = KnownMethods::new(methods);
        self
    }

    /// Whether the layers mark the requests that they watch.
    #[inline]
    pub(crate) fn marks(&self) -> bool {
        self.marks.load(Relaxed)
    }

    /// From now on, the layers mark the requests that they watch.
    pub(crate) fn begin_marking(&self) {
        self.marks.store(true, Relaxed);
    }

    /// The methods that can be labels.
    #[inline]
    pub(crate) fn methods(&self) -> &KnownMethods {
        &self.methods
    }

    #[inline]
    pub(crate) fn trace_memory(&self) -> &TraceMemory {
        &self.room
    }

    /// The number of this monitor among those of the process.
    #[inline]
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    #[inline]
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn routes(&self) -> &Routes {
        &self.routes
    }

    /// A new slot that is in no list: for what outlives its request, in whose slot the trace goes on.
    pub(crate) fn unlisted_slot(&self, parent: Option<Arc<Slot>>) -> Arc<Slot> {
        // What goes on in a slot that goes on itself belongs to the first one's trace.
        let parent = parent.map(|slot| slot.origin().unwrap_or(slot));
        Arc::new(Slot::new(self.number, &self.room, parent, false))
    }

    /// A new slot in the list of requests. The caller pools it.
    #[cold]
    pub(crate) fn new_slot(&self) -> Arc<Slot> {
        self.listed(true)
    }

    /// A new slot for a trace without a request.
    #[cold]
    pub(crate) fn new_trace_slot(&self) -> Arc<Slot> {
        self.listed(false)
    }

    fn listed(&self, of_request: bool) -> Arc<Slot> {
        let slot = Arc::new(Slot::new(self.number, &self.room, None, of_request));
        let mut slots = lock(&self.slots);
        if slots.all.len() >= slots.sweep_at {
            slots.all.retain(|slot| slot.strong_count() > 0);
            slots.sweep_at = (slots.all.len() * 2).max(64);
        }
        slots.all.push(Arc::downgrade(&slot));
        slot
    }

    /// The slots of the traces that began at least `age` ago and are not over.
    pub(crate) fn older_than(&self, age: Duration) -> Vec<Arc<Slot>> {
        let before = self.clock.now().saturating_sub(crate::clock::nanos(age));
        let slots = self.all();
        let old = slots.iter().filter_map(Weak::upgrade);
        old.filter(|slot| slot.read().is_some_and(|snapshot| snapshot.start <= before))
            .collect()
    }

    /// The slot of a trace that is under way.
    pub(crate) fn find_trace(&self, trace: TraceId) -> Option<Arc<Slot>> {
        let slots = self.all();
        let mut open = slots.iter().filter_map(Weak::upgrade);
        open.find(|slot| {
            slot.read()
                .is_some_and(|snapshot| snapshot.ids.trace == trace)
        })
    }

    fn all(&self) -> Vec<Weak<Slot>> {
        lock(&self.slots).all.clone()
    }

    /// The requests under way, the longest first.
    pub(crate) fn in_flight(&self) -> Vec<InFlight> {
        let slots = self.all();
        let now = self.clock.now();
        let slots = slots.iter().filter_map(Weak::upgrade);
        let snapshot = slots
            .filter(|slot| slot.is_request())
            .filter_map(|slot| slot.read());
        let mut list: Vec<_> = snapshot
            .map(|snapshot| InFlight {
                route: self.routes.name(snapshot.ids.route),
                trace_id: snapshot.ids.trace,
                running_for: Duration::from_nanos(now.saturating_sub(snapshot.start)),
                polled_for: snapshot
                    .polled_since
                    .map(|at| Duration::from_nanos(now.saturating_sub(at))),
            })
            .collect();
        list.sort_by_key(|one| std::cmp::Reverse(one.running_for));
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::{OperationIds, UNMATCHED};
    use crate::model::SpanId;

    #[test]
    fn only_open_slots_are_in_flight() {
        let clock = Clock::driven(Duration::ZERO);
        let requests = Requests::new(clock.clone());
        let (one, two) = (requests.new_slot(), requests.new_slot());
        let route = requests.routes().id("/slow");
        let trace = TraceId::from_u128(5);
        one.open(
            OperationIds {
                trace,
                span: SpanId::from_u64(1),
                route,
            },
            clock.now(),
        );
        clock.advance(Duration::from_secs(3));
        two.open(
            OperationIds {
                trace: TraceId::from_u128(6),
                span: SpanId::NIL,
                route: UNMATCHED,
            },
            clock.now(),
        );
        two.set_poll_start(None);
        let list = requests.in_flight();
        assert_eq!(list.len(), 2);
        assert_eq!((&*list[0].route, list[0].trace_id), ("/slow", trace));
        assert_eq!(list[0].polled_for, Some(Duration::from_secs(3)));
        assert_eq!(list[1].polled_for, None);
        one.close();
        two.close();
        assert!(requests.in_flight().is_empty());
        drop((one, two));
        for _ in 0..1000 {
            requests.new_slot();
        }
        assert!(requests.slots.lock().unwrap().all.len() <= 64);
    }
}
