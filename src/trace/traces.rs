//! The traces of one monitor: who is kept, and the way of the kept ones to the worker.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustc_hash::FxHashMap;

use super::beside::Beside;
use super::budget::Source;
use super::config::TraceConfig;
use super::plain::PlainSpans;
use super::prepared::{AllPrepared, Prepared, Waiting};
use super::sampler::Sampler;
use super::slow::{RouteTimes, Times};
use super::span::{
    MAX_SPAN, SpanRecord, put_head, put_no_root, put_request_root, put_span, put_span_root,
};
use crate::clock::{Nanos, nanos};
use crate::context::{self, Added, Decision, Requests, RouteId, Slot, Taken};
use crate::model::codec::put_bytes;
use crate::model::{KeepReason, RecordKind, Sampling, SpanId, TraceId};
use crate::worker::{MAX_RECORD, RecordQueue};

/// How long the decision on a kept trace is remembered for spans that come by their trace id alone.
const REMEMBERED: Duration = Duration::from_secs(30);
/// Decisions remembered at most.
const MAX_REMEMBERED: usize = 100_000;
/// Bytes of a record that its head and the root with its events may take; the rest is for other spans.
const FOR_ROOT: usize = MAX_SPAN + 10 * 1024;
/// The same without a root.
const FOR_HEAD: usize = 1024;
/// What a root is taken to weigh in the budget.
const ROOT_BYTES: u64 = 512;

/// The traces of one monitor.
#[derive(Debug)]
pub(crate) struct Traces {
    requests: Arc<Requests>,
    record_queue: Arc<RecordQueue>,
    sampler: Sampler,
    asks_parent: bool,
    times: Times,
    /// A set limit for what is slow.
    slow: Option<Nanos>,
    max_open: Duration,
    decided: Mutex<Decided>,
    plain: PlainSpans,
    beside: Beside,
    prepared: AllPrepared,
    /// Whether spans go anywhere but into this process' memory: the books are of what is sent.
    is_sent: AtomicBool,
    /// Spans that came when nothing was known of their trace any more.
    late: AtomicU64,
    /// Traces that would have been kept for what happened in them, but for the budget.
    over_budget: AtomicU64,
}

#[derive(Debug, Default)]
struct Decided {
    kept: FxHashMap<TraceId, (KeepReason, Sampling)>,
    order: VecDeque<(Nanos, TraceId)>,
}

/// How a root ended.
pub(crate) struct RootEnd<'a> {
    pub(crate) trace: TraceId,
    pub(crate) trace_state: &'a str,
    /// What happened in it that is worth keeping.
    pub(crate) why: Option<KeepReason>,
    /// The decision at its start.
    pub(crate) sampling: Sampling,
    pub(crate) now: Nanos,
}

/// What a root is on its way to the worker.
pub(crate) enum RootForm<'a> {
    /// A request: appends its record.
    Request(&'a dyn Fn(&mut Vec<u8>)),
    Span(&'a SpanRecord<'a>),
}

/// Spans that did not get anywhere, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lost {
    /// There was no room for them while their trace was undecided.
    pub(crate) no_room: u64,
    pub(crate) late: u64,
    /// Whole traces that were over the budget.
    pub(crate) traces_over_budget: u64,
    /// Bytes that undecided traces hold now.
    pub(crate) open_bytes: u64,
}

impl Traces {
    pub(crate) fn new(
        config: &TraceConfig,
        requests: &Arc<Requests>,
        record_queue: &Arc<RecordQueue>,
    ) -> Self {
        Self {
            requests: Arc::clone(requests),
            record_queue: Arc::clone(record_queue),
            sampler: Sampler::new(config),
            asks_parent: config.sampler.is_parent_based(),
            times: Times::default(),
            slow: Some(nanos(config.slow)).filter(|slow| *slow > 0),
            max_open: config.max_open,
            decided: Mutex::default(),
            plain: PlainSpans::default(),
            beside: Beside::default(),
            prepared: AllPrepared::default(),
            is_sent: AtomicBool::new(false),
            late: AtomicU64::new(0),
            over_budget: AtomicU64::new(0),
        }
    }

    pub(crate) fn requests(&self) -> &Arc<Requests> {
        &self.requests
    }

    /// Says that kept spans are sent somewhere, and so stand in the books.
    pub(crate) fn are_sent(&self) {
        self.is_sent.store(true, Relaxed);
    }

    /// How many spans of so many stand in the books: those that are sent.
    fn counted(&self, sampling: Sampling, items: u32) -> u32 {
        if self.is_sent.load(Relaxed) && !sampling.is_local() {
            items
        } else {
            0
        }
    }

    /// Whether a kept trace is found where traces are looked for: a receiver, where there is one.
    pub(crate) fn shows(&self, sampling: Sampling) -> bool {
        !(sampling.is_local() && self.is_sent.load(Relaxed))
    }

    /// Prepares a span that will say the same each time but for its ids and times. It is kept for good: the caller
    /// bounds how many there are, and their bytes.
    pub(crate) fn prepare(&self, record: &SpanRecord<'_>) -> Prepared {
        self.prepared.add(record)
    }

    /// What else in the process makes OpenTelemetry spans.
    #[inline]
    pub(crate) fn beside(&self) -> &Beside {
        &self.beside
    }

    /// Whether spans go anywhere but into this process' memory.
    pub(super) fn is_sent(&self) -> bool {
        self.is_sent.load(Relaxed)
    }

    /// The plain OpenTelemetry spans under way.
    pub(super) fn plain(&self) -> &PlainSpans {
        &self.plain
    }

    /// Looks at the operation that the thread is at, plain OpenTelemetry spans among them. `look` calls nothing
    /// foreign.
    #[inline]
    pub(crate) fn with_current<R>(&self, look: impl FnOnce(&Arc<Slot>, SpanId) -> R) -> Option<R> {
        let mut look = Some(look);
        let seen = context::with_current(Some(self.requests.number()), |slot, span| {
            let look = look.take()?;
            Some(look(slot, self.innermost(slot, span)))
        });
        if let Some(look) = look {
            let (slot, span) = self.plain.current()?;
            return Some(look(&slot, span));
        }
        seen.flatten()
    }

    /// The operation that the thread is at, plain OpenTelemetry spans among them.
    #[inline]
    pub(super) fn current(&self) -> Option<(Arc<Slot>, SpanId)> {
        match context::current_slot(self.requests.number()) {
            Some((slot, span)) => {
                let span = self.innermost(&slot, span);
                Some((slot, span))
            }
            None => self.plain.current(),
        }
    }

    /// The innermost operation, of which `current` is the innermost of ours.
    #[inline]
    pub(super) fn innermost(&self, slot: &Slot, current: SpanId) -> SpanId {
        self.plain.innermost(slot, current)
    }

    /// Decides on a trace that begins in this process; `parent`: the decision of a trusted caller, which holds where
    /// the sampler is one that asks for it.
    #[inline]
    pub(crate) fn sample(&self, trace: TraceId, route: RouteId, parent: Option<bool>) -> Sampling {
        match parent.filter(|_| self.asks_parent) {
            Some(sampled) => Sampling::of_parent(sampled),
            None => Sampling::own(self.sampler.chooses(trace, route, self.requests.routes())),
        }
    }

    /// Whether the trace that the thread is at is sampled, if it is this one.
    pub(super) fn sampled_here(&self, trace: TraceId) -> Option<bool> {
        let (slot, _) = context::current_slot(self.requests.number())?;
        (slot.ids().trace == trace).then(|| self.sampling(&slot).is_sampled())
    }

    /// The decision on the trace of a slot.
    #[inline]
    pub(crate) fn sampling(&self, slot: &Slot) -> Sampling {
        slot.sampling().unwrap_or_else(|| {
            let ids = slot.ids();
            self.sample(ids.trace, ids.route, None)
        })
    }

    /// The durations of a route.
    pub(crate) fn times(&self, route: RouteId) -> Arc<RouteTimes> {
        self.times.of(route)
    }

    /// Whether a root took long: by the set limit, else for its route, where it has one.
    #[inline]
    pub(crate) fn is_slow(&self, times: Option<&RouteTimes>, duration: Nanos) -> bool {
        let slow = times.is_some_and(|times| times.is_slow(duration));
        self.slow.map_or(slow, |limit| duration >= limit)
    }

    /// A span that is no root has ended.
    #[inline]
    pub(crate) fn span_ended(&self, slot: &Slot, span: &SpanRecord<'_>) {
        let tree = slot.tree();
        match tree.add(|out| put_span(out, span)) {
            Added::Held | Added::Unkept => {}
            Added::Late(kept) => self.span_late(slot, kept, span),
            Added::NoRoom => {
                self.decide_as_it_stands(slot);
                match tree.add(|out| put_span(out, span)) {
                    Added::Late(kept) => self.span_late(slot, kept, span),
                    Added::NoRoom => tree.lose(),
                    Added::Held | Added::Unkept => {}
                }
            }
        }
    }

    #[cold]
    fn span_late(&self, slot: &Slot, kept: KeepReason, span: &SpanRecord<'_>) {
        let state = slot.trace_state();
        self.push_late(slot.ids().trace, (kept, self.sampling(slot)), &state, span);
    }

    /// A span has ended of which only the trace's id is known.
    pub(crate) fn orphan_ended(&self, trace: TraceId, span: &SpanRecord<'_>) {
        let kept = self.lock().kept.get(&trace).copied();
        match kept {
            Some(kept) => self.push_late(trace, kept, "", span),
            None => {
                self.late.fetch_add(1, Relaxed);
            }
        }
    }

    /// The root has ended: decides, and sends the trace on its way if it is kept.
    #[inline]
    pub(crate) fn root_ended(
        &self,
        slot: &Slot,
        end: &RootEnd<'_>,
        root: &RootForm<'_>,
    ) -> Option<KeepReason> {
        let captured = slot.is_captured().then_some(KeepReason::Captured);
        let why = match (end.why, captured) {
            (Some(why), Some(captured)) => Some(why.min(captured)),
            (why, captured) => why.or(captured),
        };
        if why.is_none() && !end.sampling.is_sampled() {
            return match slot.tree().decide(Decision::Dropped, |_| {}) {
                Decision::Kept(kept) => Some(self.push_late_root(kept, end, root)),
                _ => None,
            };
        }
        self.keep(slot, end, why, root)
    }

    #[inline(never)]
    fn keep(
        &self,
        slot: &Slot,
        end: &RootEnd<'_>,
        why: Option<KeepReason>,
        root: &RootForm<'_>,
    ) -> Option<KeepReason> {
        // What was decided before its end is not paid for again.
        match slot.tree().decision() {
            Decision::Kept(kept) => return Some(self.push_late_root(kept, end, root)),
            Decision::Dropped => return None,
            Decision::Open => {}
        }
        let bytes = slot.tree().bytes() as u64 + ROOT_BYTES;
        let source = match root {
            RootForm::Request(_) => Source::of_route(slot.route()),
            RootForm::Span(span) => Source::of_root(span.name),
        };
        let chosen = || {
            let reason = end.sampling.reason()?;
            let taken = self.sampler.take_trace(source, end.now);
            taken.then_some(reason)
        };
        // Failures of a hot route leave room for what is slow in it.
        let for_this = why.filter(|why| {
            let source = source.part(why.index());
            self.sampler.take_bytes(source, bytes, end.now)
        });
        let kept = for_this.or_else(|| {
            let kept = chosen();
            if why.is_some() && kept.is_none() {
                self.over_budget.fetch_add(1, Relaxed);
            }
            kept
        });
        let decision = kept.map_or(Decision::Dropped, Decision::Kept);
        let mut sent = false;
        let held = slot.tree().decide(decision, |taken| {
            sent = true;
            if let Decision::Kept(kept) = decision {
                self.push(end, kept, taken, Some(root));
            }
        });
        let Decision::Kept(kept) = held else {
            return None;
        };
        if sent {
            self.remember(end.trace, (kept, end.sampling), end.now);
            return Some(kept);
        }
        Some(self.push_late_root(kept, end, root))
    }

    /// The root of a trace that was decided before its end.
    #[cold]
    fn push_late_root(
        &self,
        kept: KeepReason,
        end: &RootEnd<'_>,
        root: &RootForm<'_>,
    ) -> KeepReason {
        self.push(end, kept, &Taken::default(), Some(root));
        kept
    }

    #[cold]
    fn push_late(
        &self,
        trace: TraceId,
        kept: (KeepReason, Sampling),
        state: &str,
        span: &SpanRecord<'_>,
    ) {
        let items = self.counted(kept.1, 1);
        self.record_queue
            .push_many(RecordKind::Span, items, span.end, |out| {
                put_head(out, trace, kept, (0, 0), state);
                put_bytes(out, &[]);
                put_no_root(out);
                put_span(out, span);
            });
    }

    /// What has no span as its root, a connection, has ended: what waits for a decision gets it.
    pub(crate) fn rootless_ended(&self, slot: &Slot) {
        slot.close();
        let now = self.requests.clock().now();
        match self.chosen(slot, now) {
            Some(kept) => self.keep_as_it_stands(slot, kept, now),
            None => {
                slot.tree().decide(Decision::Dropped, |_| {});
            }
        }
    }

    /// Decides on a trace before its root has ended: what is chosen or has a captured error goes out as it is;
    /// of any other the spans so far are given up.
    fn decide_as_it_stands(&self, slot: &Slot) {
        let now = self.requests.clock().now();
        match self.chosen(slot, now) {
            Some(kept) => self.keep_as_it_stands(slot, kept, now),
            None => slot.tree().give_up(),
        }
    }

    /// Why a trace without an ended root is kept; nothing is paid for one that has no spans.
    fn chosen(&self, slot: &Slot, now: Nanos) -> Option<KeepReason> {
        if slot.is_captured() {
            return Some(KeepReason::Captured);
        }
        let reason = self.sampling(slot).reason()?;
        let source = Source::of_route(slot.route());
        let has_spans = slot.tree().bytes() > 0;
        (has_spans && self.sampler.take_trace(source, now)).then_some(reason)
    }

    fn keep_as_it_stands(&self, slot: &Slot, kept: KeepReason, now: Nanos) {
        let (ids, sampling) = (slot.ids(), self.sampling(slot));
        let end = RootEnd {
            trace: ids.trace,
            trace_state: &slot.trace_state(),
            why: None,
            sampling,
            now,
        };
        let mut decided = false;
        slot.tree().decide(Decision::Kept(kept), |taken| {
            decided = true;
            self.push(&end, kept, taken, None);
        });
        if decided {
            self.remember(ids.trace, (kept, sampling), now);
        }
    }

    /// Queues a kept trace, in as many records as it takes.
    fn push(
        &self,
        end: &RootEnd<'_>,
        kept: KeepReason,
        taken: &Taken<'_>,
        root: Option<&RootForm<'_>>,
    ) {
        self.prepared.with(taken.spans, |waiting| {
            self.push_waiting(end, kept, taken, waiting, root);
        });
    }

    fn push_waiting(
        &self,
        end: &RootEnd<'_>,
        kept: KeepReason,
        taken: &Taken<'_>,
        mut waiting: Waiting<'_>,
        mut root: Option<&RootForm<'_>>,
    ) {
        loop {
            let root = root.take();
            let room = MAX_RECORD - if root.is_some() { FOR_ROOT } else { FOR_HEAD };
            let (these, count) = waiting.take_front(room, root.is_none());
            let items = count + u32::from(root.is_some());
            if items == 0 {
                return;
            }
            let items = self.counted(end.sampling, items);
            self.record_queue
                .push_many(RecordKind::Span, items, end.now, |out| {
                    let (events, events_lost) = match root {
                        Some(_) => (taken.events, taken.events_lost),
                        None => (&[][..], 0),
                    };
                    let kept = (kept, end.sampling);
                    let lost = (taken.lost, events_lost);
                    put_head(out, end.trace, kept, lost, end.trace_state);
                    put_bytes(out, events);
                    match root {
                        None => put_no_root(out),
                        Some(RootForm::Request(write)) => put_request_root(out, write),
                        Some(RootForm::Span(span)) => put_span_root(out, span),
                    }
                    these.put(out);
                });
        }
    }

    fn remember(&self, trace: TraceId, kept: (KeepReason, Sampling), now: Nanos) {
        let mut decided = self.lock();
        if decided.kept.insert(trace, kept).is_none() {
            decided.order.push_back((now, trace));
        }
        let before = now.saturating_sub(nanos(REMEMBERED));
        while let Some((at, trace)) = decided.order.front().copied()
            && (at < before || decided.order.len() > MAX_REMEMBERED)
        {
            decided.order.pop_front();
            decided.kept.remove(&trace);
        }
    }

    /// Looks after what nobody else would: traces that are open for too long, what is slow now. The worker calls
    /// it every few seconds.
    pub(crate) fn tick(&self) {
        self.times.renew();
        self.beside.tick();
        for slot in self.requests.open_since(self.max_open) {
            if slot.tree().decision() == Decision::Open {
                self.decide_as_it_stands(&slot);
            }
        }
    }

    pub(crate) fn lost(&self) -> Lost {
        Lost {
            no_room: self.requests.room().lost(),
            late: self.late.load(Relaxed),
            open_bytes: self.requests.room().held() as u64,
            traces_over_budget: self.over_budget.load(Relaxed),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Decided> {
        self.decided.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::context::Ids;
    use crate::trace::span::{Part, Root, SpanKind, SpanStatus};
    use crate::worker::Record;

    struct Rig {
        clock: Clock,
        traces: Traces,
        record_queue: Arc<RecordQueue>,
    }

    fn rig(change: impl FnOnce(&mut TraceConfig)) -> Rig {
        let mut config = TraceConfig::default();
        change(&mut config);
        let clock = Clock::driven(Duration::ZERO);
        clock.advance(Duration::from_secs(100));
        let requests = Arc::new(Requests::with_room(clock.clone(), config.max_open_bytes));
        let record_queue = Arc::new(RecordQueue::new(64 << 20, Arc::default()));
        Rig {
            traces: Traces::new(&config, &requests, &record_queue),
            clock,
            record_queue,
        }
    }

    fn never(config: &mut TraceConfig) {
        config.sampler_arg = 0.0;
    }

    impl Rig {
        fn open(&self, trace: u128) -> Arc<Slot> {
            let slot = self.traces.requests().new_trace_slot();
            let ids = Ids {
                trace: TraceId::from_u128(trace),
                span: SpanId::from_u64(1),
                route: self.traces.requests().routes().id("job"),
            };
            slot.open(ids, self.clock.now());
            slot
        }

        fn end(&self, slot: &Slot, why: Option<KeepReason>) -> Option<KeepReason> {
            let ids = slot.ids();
            let end = RootEnd {
                trace: ids.trace,
                trace_state: "",
                why,
                sampling: self.traces.sampling(slot),
                now: self.clock.now(),
            };
            slot.close();
            self.traces
                .root_ended(slot, &end, &RootForm::Span(&span("root", 10)))
        }

        /// The parts that went to the worker: why, whether with the root, the spans beside it, those lost.
        fn sent(&self) -> Vec<(KeepReason, bool, usize, u32)> {
            let mut buffers = Vec::new();
            self.record_queue.drain(&mut buffers);
            let records = buffers.iter().flat_map(|buffer| Record::all(buffer));
            records
                .map(|record| {
                    let part = Part::read(record.body).unwrap();
                    let has_root = !matches!(part.root, Root::None);
                    (part.kept, has_root, part.spans().count(), part.lost)
                })
                .collect()
        }
    }

    fn span(name: &str, bytes: usize) -> SpanRecord<'_> {
        static ZEROS: [u8; 40_000] = [0; 40_000];
        SpanRecord {
            span: SpanId::from_u64(2),
            parent: SpanId::from_u64(1),
            start: 0,
            end: 1,
            kind: SpanKind::Internal,
            status: SpanStatus::Unset,
            name,
            status_text: "",
            scope: "",
            attributes: &ZEROS[..bytes],
            events: &[],
            links: &[],
            left_out: 0,
        }
    }

    #[test]
    fn a_large_trace_goes_in_several_records_and_no_span_is_lost() {
        let rig = rig(|_| {});
        let slot = rig.open(1);
        for n in 0..30 {
            rig.traces.span_ended(
                &slot,
                &span("child", if n % 2 == 0 { 31_000 } else { 10_000 }),
            );
        }
        assert_eq!(
            rig.end(&slot, Some(KeepReason::Error)),
            Some(KeepReason::Error)
        );
        let sent = rig.sent();
        assert!(sent.len() >= 10);
        assert_eq!(sent.iter().map(|part| part.2).sum::<usize>(), 30);
        assert_eq!(sent.iter().filter(|part| part.1).count(), 1);
        rig.traces.span_ended(&slot, &span("late", 10));
        assert_eq!(rig.sent(), [(KeepReason::Error, false, 1, 0)]);
    }

    #[test]
    fn without_room_a_trace_is_decided_as_it_stands() {
        let rig = rig(|config| config.max_open_bytes = 64 << 10);
        let chosen = rig.open(1);
        for _ in 0..4 {
            rig.traces.span_ended(&chosen, &span("child", 20_000));
        }
        // The fourth found no room: three went out, and it after them.
        assert_eq!(
            rig.sent(),
            [
                (KeepReason::Head, false, 3, 0),
                (KeepReason::Head, false, 1, 0)
            ]
        );
        assert_eq!(rig.end(&chosen, None), Some(KeepReason::Head));
        assert_eq!(rig.sent(), [(KeepReason::Head, true, 0, 0)]);
    }

    #[test]
    fn without_room_what_is_not_chosen_gives_its_spans_up_and_says_so() {
        let rig = rig(|config| {
            never(config);
            config.max_open_bytes = 64 << 10;
        });
        let slot = rig.open(1);
        for _ in 0..4 {
            rig.traces.span_ended(&slot, &span("child", 20_000));
        }
        assert_eq!(rig.sent(), []);
        assert_eq!(
            rig.end(&slot, Some(KeepReason::Error)),
            Some(KeepReason::Error)
        );
        assert_eq!(rig.sent(), [(KeepReason::Error, true, 1, 3)]);
        assert_eq!(
            (rig.traces.lost().no_room, rig.traces.lost().open_bytes),
            (3, 0)
        );
    }

    #[test]
    fn what_is_open_for_too_long_is_decided_as_it_stands() {
        let rig = rig(never);
        let (captured, other) = (rig.open(1), rig.open(2));
        for slot in [&captured, &other] {
            rig.traces.span_ended(slot, &span("child", 10));
        }
        captured.touch_captured();
        rig.clock.advance(Duration::from_secs(59));
        rig.traces.tick();
        assert_eq!(rig.sent(), []);
        rig.clock.advance(Duration::from_secs(1));
        rig.traces.tick();
        assert_eq!(rig.sent(), [(KeepReason::Captured, false, 1, 0)]);
        assert_eq!(rig.end(&captured, None), Some(KeepReason::Captured));
        assert_eq!(
            rig.end(&other, Some(KeepReason::Timeout)),
            Some(KeepReason::Timeout)
        );
        assert_eq!(
            rig.sent(),
            [
                (KeepReason::Captured, true, 0, 0),
                (KeepReason::Timeout, true, 0, 1)
            ]
        );
    }

    #[test]
    fn a_span_of_a_trace_that_nobody_knows_is_late() {
        let rig = rig(never);
        let (kept, dropped) = (rig.open(1), rig.open(2));
        rig.end(&kept, Some(KeepReason::Error));
        rig.end(&dropped, None);
        rig.sent();
        for trace in [1, 2] {
            rig.traces
                .orphan_ended(TraceId::from_u128(trace), &span("orphan", 10));
        }
        assert_eq!(rig.sent(), [(KeepReason::Error, false, 1, 0)]);
        rig.clock.advance(Duration::from_secs(31));
        rig.end(&rig.open(3), Some(KeepReason::Error));
        rig.traces
            .orphan_ended(TraceId::from_u128(1), &span("orphan", 10));
        assert_eq!((rig.sent().len(), rig.traces.lost().late), (1, 2));
    }

    #[test]
    fn the_budget_of_what_happened_and_the_limit_of_what_is_chosen_hold() {
        let rig = rig(|config| {
            config.max_per_second = 3;
            config.max_bytes_per_second = 1024;
        });
        let chosen = (0..10)
            .filter_map(|n| rig.end(&rig.open(n + 1), None))
            .count();
        assert_eq!(chosen, 3);
        let failed: Vec<_> = (0..30)
            .filter_map(|n| rig.end(&rig.open(n + 20), Some(KeepReason::Error)))
            .collect();
        // Eight seconds' worth at once.
        assert_eq!(failed.len(), 16);
        assert_eq!(rig.traces.lost().traces_over_budget, 14);
        rig.clock.advance(Duration::from_secs(1));
        assert_eq!(
            rig.end(&rig.open(99), Some(KeepReason::Error)),
            Some(KeepReason::Error)
        );
    }
}
