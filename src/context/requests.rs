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

/// The requests of one monitor: its routes and the list of requests in flight.
#[derive(Debug)]
pub(crate) struct Requests {
    number: u32,
    clock: Clock,
    routes: Routes,
    methods: KnownMethods,
    /// Whether a request reached a layer inside another request. If so, the layers mark the requests that they record.
    marks: AtomicBool,
    slots: Mutex<SlotList>,
    /// The memory limit that undecided traces share.
    room: Arc<TraceMemory>,
}

#[derive(Debug, Default)]
struct SlotList {
    all: Vec<Weak<Slot>>,
    /// The length of the list at which dead entries are removed.
    sweep_at: usize,
}

/// A request in flight, from [`Monitor::in_flight`](crate::Monitor::in_flight).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InFlight {
    /// The pattern of the route, or `_unmatched`.
    pub route: Arc<str>,
    /// The ID of the request's trace.
    pub trace_id: TraceId,
    /// The time since the request began.
    pub running_for: Duration,
    /// The time since the current poll began; `None` while the request waits. More than a few milliseconds indicate a
    /// handler that blocks its runtime thread.
    pub polled_for: Option<Duration>,
}

impl Requests {
    #[cfg(test)]
    pub(crate) fn new(clock: Clock) -> Self {
        Self::with_trace_memory(clock, 16 << 20)
    }

    /// Creates the requests of a monitor whose undecided traces may hold `room` bytes in total.
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

    /// Sets the methods that are used as labels.
    pub(crate) fn with_methods(mut self, methods: &[String]) -> Self {
        self.methods = KnownMethods::new(methods);
        self
    }

    /// Whether the layers mark the requests that they record.
    #[inline]
    pub(crate) fn marks(&self) -> bool {
        self.marks.load(Relaxed)
    }

    /// Makes the layers mark the requests that they record from now on.
    pub(crate) fn begin_marking(&self) {
        self.marks.store(true, Relaxed);
    }

    /// Returns the methods that can be labels.
    #[inline]
    pub(crate) fn methods(&self) -> &KnownMethods {
        &self.methods
    }

    #[inline]
    pub(crate) fn trace_memory(&self) -> &TraceMemory {
        &self.room
    }

    /// Returns the number of this monitor, which is unique in the process.
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

    /// Returns a new slot that is in no list. It is for work that outlives its request; its trace continues in
    /// `parent`, the slot of that request.
    pub(crate) fn unlisted_slot(&self, parent: Option<Arc<Slot>>) -> Arc<Slot> {
        // If the parent's trace itself continues in another slot, the new slot uses that one.
        let parent = parent.map(|slot| slot.origin().unwrap_or(slot));
        Arc::new(Slot::new(self.number, &self.room, parent, false))
    }

    /// Returns a new slot in the list of requests. The caller pools it.
    #[cold]
    pub(crate) fn new_slot(&self) -> Arc<Slot> {
        self.listed(true)
    }

    /// Returns a new slot for a trace without a request.
    #[cold]
    pub(crate) fn new_trace_slot(&self) -> Arc<Slot> {
        self.listed(false)
    }

    fn listed(&self, of_request: bool) -> Arc<Slot> {
        let slot = Arc::new(Slot::new(self.number, &self.room, None, of_request));
        let mut slots = lock(&self.slots);
        // The list is swept when it has doubled, so that a new slot costs constant time on average and the list is at
        // most twice as long as the slots in use.
        if slots.all.len() >= slots.sweep_at {
            slots.all.retain(|slot| slot.strong_count() > 0);
            slots.sweep_at = (slots.all.len() * 2).max(64);
        }
        slots.all.push(Arc::downgrade(&slot));
        slot
    }

    /// Returns the slots of the active traces that began at least `age` ago.
    pub(crate) fn older_than(&self, age: Duration) -> Vec<Arc<Slot>> {
        let before = self.clock.now().saturating_sub(crate::clock::nanos(age));
        // The list is copied, so that its lock is not held while slots are dropped, which may free their buffers.
        let slots = self.all();
        let old = slots.iter().filter_map(Weak::upgrade);
        old.filter(|slot| slot.read().is_some_and(|snapshot| snapshot.start <= before))
            .collect()
    }

    /// Returns the slot of an active trace.
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

    /// Returns the requests in flight, the longest-running first.
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
