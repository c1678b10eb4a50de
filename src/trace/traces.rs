//! The traces of one monitor: who is kept, and the way of the kept ones to the worker.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustc_hash::FxHashMap;

use super::budget::BudgetSource;
use super::config::TraceConfig;
use super::foreign_otel::ForeignOtel;
use super::route_latency::{RouteLatencies, RouteLatency};
use super::sampler::Sampler;
use super::sdk_spans::SdkSpans;
use super::span_record::{
    MAX_SPAN, SpanRecord, put_head, put_no_root, put_request_root, put_span, put_span_root,
};
use super::span_template::{EncodedSpans, SpanTemplate, SpanTemplates};
use crate::clock::{Nanos, nanos};
use crate::context::{self, AddOutcome, BufferedTrace, Decision, Requests, RouteId, Slot};
use crate::model::codec::put_bytes;
use crate::model::lock;
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
    times: RouteLatencies,
    /// A set limit for what is slow.
    slow: Option<Nanos>,
    max_open: Duration,
    decided: Mutex<RecentDecisions>,
    sdk_spans: SdkSpans,
    foreign_otel: ForeignOtel,
    prepared: SpanTemplates,
    /// Whether spans go anywhere but into this process' memory: the books are of what is sent.
    is_sent: AtomicBool,
    /// Spans that came when nothing was known of their trace any more.
    late: AtomicU64,
    /// Traces that would have been kept for what happened in them, but for the budget.
    over_budget: AtomicU64,
}

#[derive(Debug, Default)]
struct RecentDecisions {
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
pub(crate) enum RootRecord<'a> {
    /// A request: appends its record.
    Request(&'a dyn Fn(&mut Vec<u8>)),
    Span(&'a SpanRecord<'a>),
}

/// Spans that did not get anywhere, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LostSpans {
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
            times: RouteLatencies::default(),
            slow: Some(nanos(config.slow)).filter(|slow| *slow > 0),
            max_open: config.max_open,
            decided: Mutex::default(),
            sdk_spans: SdkSpans::default(),
            foreign_otel: ForeignOtel::default(),
            prepared: SpanTemplates::default(),
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
    pub(crate) fn prepare(&self, record: &SpanRecord<'_>) -> SpanTemplate {
        self.prepared.add(record)
    }

    /// What else in the process makes OpenTelemetry spans.
    #[inline]
    pub(crate) fn foreign_otel(&self) -> &ForeignOtel {
        &self.foreign_otel
    }

    /// Whether spans go anywhere but into this process' memory.
    pub(super) fn is_sent(&self) -> bool {
        self.is_sent.load(Relaxed)
    }

    /// The plain OpenTelemetry spans under way.
    pub(super) fn sdk_spans(&self) -> &SdkSpans {
        &self.sdk_spans
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
            let (slot, span) = self.sdk_spans.current()?;
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
            None => self.sdk_spans.current(),
        }
    }

    /// The innermost operation, of which `current` is the innermost of ours.
    #[inline]
    pub(super) fn innermost(&self, slot: &Slot, current: SpanId) -> SpanId {
        self.sdk_spans.innermost(slot, current)
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
    pub(crate) fn times(&self, route: RouteId) -> Arc<RouteLatency> {
        self.times.of(route)
    }

    /// Whether a root took long: by the set limit, else for its route, where it has one.
    #[inline]
    pub(crate) fn is_slow(&self, times: Option<&RouteLatency>, duration: Nanos) -> bool {
        let slow = times.is_some_and(|times| times.record_and_check(duration));
        self.slow.map_or(slow, |limit| duration >= limit)
    }

    /// A span that is no root has ended.
    #[inline]
    pub(crate) fn span_ended(&self, slot: &Slot, span: &SpanRecord<'_>) {
        let tree = slot.trace_buffer();
        match tree.add(|out| put_span(out, span)) {
            AddOutcome::Buffered | AddOutcome::Discarded => {}
            AddOutcome::Late(kept) => self.span_late(slot, kept, span),
            AddOutcome::NoRoom => {
                self.decide_as_it_stands(slot);
                match tree.add(|out| put_span(out, span)) {
                    AddOutcome::Late(kept) => self.span_late(slot, kept, span),
                    AddOutcome::NoRoom => tree.count_lost_span(),
                    AddOutcome::Buffered | AddOutcome::Discarded => {}
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
        root: &RootRecord<'_>,
    ) -> Option<KeepReason> {
        let captured = slot.is_captured().then_some(KeepReason::Captured);
        let why = match (end.why, captured) {
            (Some(why), Some(captured)) => Some(why.min(captured)),
            (why, captured) => why.or(captured),
        };
        if why.is_none() && !end.sampling.is_sampled() {
            return match slot.trace_buffer().decide(Decision::Dropped, |_| {}) {
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
        root: &RootRecord<'_>,
    ) -> Option<KeepReason> {
        // What was decided before its end is not paid for again.
        match slot.trace_buffer().decision() {
            Decision::Kept(kept) => return Some(self.push_late_root(kept, end, root)),
            Decision::Dropped => return None,
            Decision::Open => {}
        }
        let bytes = slot.trace_buffer().bytes() as u64 + ROOT_BYTES;
        let source = match root {
            RootRecord::Request(_) => BudgetSource::of_route(slot.route()),
            RootRecord::Span(span) => BudgetSource::of_root(span.name),
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
        let held = slot.trace_buffer().decide(decision, |taken| {
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
        root: &RootRecord<'_>,
    ) -> KeepReason {
        self.push(end, kept, &BufferedTrace::default(), Some(root));
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
                slot.trace_buffer().decide(Decision::Dropped, |_| {});
            }
        }
    }

    /// Decides on a trace before its root has ended: what is chosen or has a captured error goes out as it is;
    /// of any other the spans so far are given up.
    fn decide_as_it_stands(&self, slot: &Slot) {
        let now = self.requests.clock().now();
        match self.chosen(slot, now) {
            Some(kept) => self.keep_as_it_stands(slot, kept, now),
            None => slot.trace_buffer().discard_spans(),
        }
    }

    /// Why a trace without an ended root is kept; nothing is paid for one that has no spans.
    fn chosen(&self, slot: &Slot, now: Nanos) -> Option<KeepReason> {
        if slot.is_captured() {
            return Some(KeepReason::Captured);
        }
        let reason = self.sampling(slot).reason()?;
        let source = BudgetSource::of_route(slot.route());
        let has_spans = slot.trace_buffer().bytes() > 0;
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
        slot.trace_buffer().decide(Decision::Kept(kept), |taken| {
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
        taken: &BufferedTrace<'_>,
        root: Option<&RootRecord<'_>>,
    ) {
        self.prepared.with(taken.spans, |waiting| {
            self.push_waiting(end, kept, taken, waiting, root);
        });
    }

    fn push_waiting(
        &self,
        end: &RootEnd<'_>,
        kept: KeepReason,
        taken: &BufferedTrace<'_>,
        mut waiting: EncodedSpans<'_>,
        mut root: Option<&RootRecord<'_>>,
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
                        Some(RootRecord::Request(write)) => put_request_root(out, write),
                        Some(RootRecord::Span(span)) => put_span_root(out, span),
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
        self.foreign_otel.tick();
        for slot in self.requests.older_than(self.max_open) {
            if slot.trace_buffer().decision() == Decision::Open {
                self.decide_as_it_stands(&slot);
            }
        }
    }

    pub(crate) fn lost(&self) -> LostSpans {
        LostSpans {
            no_room: self.requests.trace_memory().lost(),
            late: self.late.load(Relaxed),
            open_bytes: self.requests.trace_memory().held() as u64,
            traces_over_budget: self.over_budget.load(Relaxed),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, RecentDecisions> {
        lock(&self.decided)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::context::OperationIds;
    use crate::trace::span_record::{SpanKind, SpanStatus, TracePart, TraceRoot};
    use crate::worker::Record;

    struct Fixture {
        clock: Clock,
        traces: Traces,
        record_queue: Arc<RecordQueue>,
    }

    fn fixture(change: impl FnOnce(&mut TraceConfig)) -> Fixture {
        let mut config = TraceConfig::default();
        change(&mut config);
        let clock = Clock::driven(Duration::ZERO);
        clock.advance(Duration::from_secs(100));
        let requests = Arc::new(Requests::with_trace_memory(
            clock.clone(),
            config.max_open_bytes,
        ));
        let record_queue = Arc::new(RecordQueue::new(64 << 20, Arc::default()));
        Fixture {
            traces: Traces::new(&config, &requests, &record_queue),
            clock,
            record_queue,
        }
    }

    fn never(config: &mut TraceConfig) {
        config.sampler_arg = 0.0;
    }

    impl Fixture {
        fn open(&self, trace: u128) -> Arc<Slot> {
            let slot = self.traces.requests().new_trace_slot();
            let ids = OperationIds {
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
                .root_ended(slot, &end, &RootRecord::Span(&span("root", 10)))
        }

        /// The parts that went to the worker: why, whether with the root, the spans beside it, those lost.
        fn sent(&self) -> Vec<(KeepReason, bool, usize, u32)> {
            let mut buffers = Vec::new();
            self.record_queue.drain(&mut buffers);
            let records = buffers.iter().flat_map(|buffer| Record::all(buffer));
            records
                .map(|record| {
                    let part = TracePart::read(record.body).unwrap();
                    let has_root = !matches!(part.root, TraceRoot::None);
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
        let fixture = fixture(|_| {});
        let slot = fixture.open(1);
        for n in 0..30 {
            fixture.traces.span_ended(
                &slot,
                &span("child", if n % 2 == 0 { 31_000 } else { 10_000 }),
            );
        }
        assert_eq!(
            fixture.end(&slot, Some(KeepReason::Error)),
            Some(KeepReason::Error)
        );
        let sent = fixture.sent();
        assert!(sent.len() >= 10);
        assert_eq!(sent.iter().map(|part| part.2).sum::<usize>(), 30);
        assert_eq!(sent.iter().filter(|part| part.1).count(), 1);
        fixture.traces.span_ended(&slot, &span("late", 10));
        assert_eq!(fixture.sent(), [(KeepReason::Error, false, 1, 0)]);
    }

    #[test]
    fn without_room_a_trace_is_decided_as_it_stands() {
        let fixture = fixture(|config| config.max_open_bytes = 64 << 10);
        let chosen = fixture.open(1);
        for _ in 0..4 {
            fixture.traces.span_ended(&chosen, &span("child", 20_000));
        }
        // The fourth found no room: three went out, and it after them.
        assert_eq!(
            fixture.sent(),
            [
                (KeepReason::Head, false, 3, 0),
                (KeepReason::Head, false, 1, 0)
            ]
        );
        assert_eq!(fixture.end(&chosen, None), Some(KeepReason::Head));
        assert_eq!(fixture.sent(), [(KeepReason::Head, true, 0, 0)]);
    }

    #[test]
    fn without_room_what_is_not_chosen_gives_its_spans_up_and_says_so() {
        let fixture = fixture(|config| {
            never(config);
            config.max_open_bytes = 64 << 10;
        });
        let slot = fixture.open(1);
        for _ in 0..4 {
            fixture.traces.span_ended(&slot, &span("child", 20_000));
        }
        assert_eq!(fixture.sent(), []);
        assert_eq!(
            fixture.end(&slot, Some(KeepReason::Error)),
            Some(KeepReason::Error)
        );
        assert_eq!(fixture.sent(), [(KeepReason::Error, true, 1, 3)]);
        assert_eq!(
            (
                fixture.traces.lost().no_room,
                fixture.traces.lost().open_bytes
            ),
            (3, 0)
        );
    }

    #[test]
    fn what_is_open_for_too_long_is_decided_as_it_stands() {
        let fixture = fixture(never);
        let (captured, other) = (fixture.open(1), fixture.open(2));
        for slot in [&captured, &other] {
            fixture.traces.span_ended(slot, &span("child", 10));
        }
        captured.mark_captured();
        fixture.clock.advance(Duration::from_secs(59));
        fixture.traces.tick();
        assert_eq!(fixture.sent(), []);
        fixture.clock.advance(Duration::from_secs(1));
        fixture.traces.tick();
        assert_eq!(fixture.sent(), [(KeepReason::Captured, false, 1, 0)]);
        assert_eq!(fixture.end(&captured, None), Some(KeepReason::Captured));
        assert_eq!(
            fixture.end(&other, Some(KeepReason::Timeout)),
            Some(KeepReason::Timeout)
        );
        assert_eq!(
            fixture.sent(),
            [
                (KeepReason::Captured, true, 0, 0),
                (KeepReason::Timeout, true, 0, 1)
            ]
        );
    }

    #[test]
    fn a_span_of_a_trace_that_nobody_knows_is_late() {
        let fixture = fixture(never);
        let (kept, dropped) = (fixture.open(1), fixture.open(2));
        fixture.end(&kept, Some(KeepReason::Error));
        fixture.end(&dropped, None);
        fixture.sent();
        for trace in [1, 2] {
            fixture
                .traces
                .orphan_ended(TraceId::from_u128(trace), &span("orphan", 10));
        }
        assert_eq!(fixture.sent(), [(KeepReason::Error, false, 1, 0)]);
        fixture.clock.advance(Duration::from_secs(31));
        fixture.end(&fixture.open(3), Some(KeepReason::Error));
        fixture
            .traces
            .orphan_ended(TraceId::from_u128(1), &span("orphan", 10));
        assert_eq!((fixture.sent().len(), fixture.traces.lost().late), (1, 2));
    }

    #[test]
    fn the_budget_of_what_happened_and_the_limit_of_what_is_chosen_hold() {
        let fixture = fixture(|config| {
            config.max_per_second = 3;
            config.max_bytes_per_second = 1024;
        });
        let chosen = (0..10)
            .filter_map(|n| fixture.end(&fixture.open(n + 1), None))
            .count();
        assert_eq!(chosen, 3);
        let failed: Vec<_> = (0..30)
            .filter_map(|n| fixture.end(&fixture.open(n + 20), Some(KeepReason::Error)))
            .collect();
        // Eight seconds' worth at once.
        assert_eq!(failed.len(), 16);
        assert_eq!(fixture.traces.lost().traces_over_budget, 14);
        fixture.clock.advance(Duration::from_secs(1));
        assert_eq!(
            fixture.end(&fixture.open(99), Some(KeepReason::Error)),
            Some(KeepReason::Error)
        );
    }
}
