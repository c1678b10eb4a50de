//! The traces of one monitor: the current operation, and the decision which traces are kept.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::budget::BudgetSource;
use super::config::TraceConfig;
use super::foreign_otel::ForeignOtel;
use super::limits::SpanLimits;
use super::recent_decisions::{KeptTraceInfo, RecentDecisions};
use super::route_latency::{RouteLatencies, RouteLatency};
use super::sampler::Sampler;
use super::sdk_spans::SdkSpans;
use super::span_record::{SpanRecord, put_span};
use super::trace_sender::{RootEnd, RootRecord, TraceSender};
use crate::clock::{Nanos, nanos};
use crate::context::{self, AddOutcome, Decision, Requests, RouteId, Slot};
use crate::model::{KeepReason, Sampling, SpanId, TraceId, lock};
use crate::worker::RecordQueue;

/// The assumed size of a root in the budget, in bytes.
const ROOT_BYTES: u64 = 512;

/// The traces of one monitor.
#[derive(Debug)]
pub(crate) struct Traces {
    requests: Arc<Requests>,
    sender: TraceSender,
    sampler: Sampler,
    asks_parent: bool,
    limits: SpanLimits,
    times: RouteLatencies,
    /// The configured duration from which a trace counts as slow.
    slow: Option<Nanos>,
    max_open: Duration,
    decisions: Mutex<RecentDecisions>,
    sdk_spans: SdkSpans,
    foreign_otel: ForeignOtel,
    /// The number of spans that ended after the decision on their trace was forgotten.
    late: AtomicU64,
    /// The number of traces that had a reason to be kept and exceeded the budget.
    over_budget: AtomicU64,
}

/// The numbers of lost spans, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LostSpans {
    /// Spans for which there was no room while their trace was undecided.
    pub(crate) no_room: u64,
    pub(crate) late: u64,
    /// Whole traces that exceeded the budget.
    pub(crate) traces_over_budget: u64,
    /// The current size of undecided traces, in bytes.
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
            sender: TraceSender::new(record_queue),
            sampler: Sampler::new(config),
            asks_parent: config.sampler.is_parent_based(),
            limits: config.limits,
            times: RouteLatencies::default(),
            slow: Some(nanos(config.slow)).filter(|slow| *slow > 0),
            max_open: config.max_open,
            decisions: Mutex::default(),
            sdk_spans: SdkSpans::default(),
            foreign_otel: ForeignOtel::default(),
            late: AtomicU64::new(0),
            over_budget: AtomicU64::new(0),
        }
    }

    /// Returns the limits of a span.
    pub(crate) fn limits(&self) -> &SpanLimits {
        &self.limits
    }

    pub(crate) fn requests(&self) -> &Arc<Requests> {
        &self.requests
    }

    /// Returns the known state of the service's own OpenTelemetry setup.
    #[inline]
    pub(crate) fn foreign_otel(&self) -> &ForeignOtel {
        &self.foreign_otel
    }

    /// Returns the active plain OpenTelemetry spans.
    pub(super) fn sdk_spans(&self) -> &SdkSpans {
        &self.sdk_spans
    }

    /// Calls `look` with the thread's current operation, which can be a plain OpenTelemetry span. `look` must call no
    /// code of the host.
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

    /// Returns the thread's current operation, which can be a plain OpenTelemetry span.
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

    /// Returns the innermost operation; `current` is the innermost operation of this crate.
    #[inline]
    pub(super) fn innermost(&self, slot: &Slot, current: SpanId) -> SpanId {
        self.sdk_spans.innermost(slot, current)
    }

    /// Makes the sampling decision for a trace that begins in this process. `parent` is the decision of a trusted
    /// caller; it applies if the sampler is parent-based.
    #[inline]
    pub(crate) fn sample(&self, trace: TraceId, route: RouteId, parent: Option<bool>) -> Sampling {
        match parent.filter(|_| self.asks_parent) {
            Some(sampled) => Sampling::of_parent(sampled),
            None => Sampling::own(self.sampler.chooses(trace, route, self.requests.routes())),
        }
    }

    /// Whether `trace` is sampled, if it is the thread's current trace.
    pub(super) fn sampled_here(&self, trace: TraceId) -> Option<bool> {
        let (slot, _) = context::current_slot(self.requests.number())?;
        (slot.ids().trace == trace).then(|| self.sampling(&slot).is_sampled())
    }

    /// Returns the sampling decision for the trace of a slot.
    #[inline]
    pub(crate) fn sampling(&self, slot: &Slot) -> Sampling {
        slot.sampling().unwrap_or_else(|| {
            let ids = slot.ids();
            self.sample(ids.trace, ids.route, None)
        })
    }

    /// Returns the durations of a route.
    pub(crate) fn times(&self, route: RouteId) -> Arc<RouteLatency> {
        self.times.of(route)
    }

    /// Whether a root is slow: by the configured limit, or else compared to its route, if it has one.
    #[inline]
    pub(crate) fn is_slow(&self, times: Option<&RouteLatency>, duration: Nanos) -> bool {
        let slow = times.is_some_and(|times| times.record_and_check(duration));
        self.slow.map_or(slow, |limit| duration >= limit)
    }

    /// Returns the sender of kept traces.
    #[inline]
    pub(crate) fn sender(&self) -> &TraceSender {
        &self.sender
    }

    /// Records a span that has ended and is not a root.
    #[inline]
    pub(crate) fn span_ended(&self, slot: &Slot, span: &SpanRecord<'_>) {
        // The buffer's lock orders this call and the decision: the span is either copied with the trace or gets the
        // decision back. It is never both, so no span is sent twice.
        let buffer = slot.trace_buffer();
        match buffer.add(|out| put_span(out, span)) {
            AddOutcome::Buffered | AddOutcome::Discarded => {}
            AddOutcome::Late(reason) => self.send_late(slot, reason, span),
            AddOutcome::NoRoom => {
                // Deciding the trace now either empties its buffer or makes this span a late one. Only a span that
                // has no room in an empty buffer is lost.
                self.decide_unfinished(slot);
                match buffer.add(|out| put_span(out, span)) {
                    AddOutcome::Late(reason) => self.send_late(slot, reason, span),
                    AddOutcome::NoRoom => buffer.count_lost_span(),
                    AddOutcome::Buffered | AddOutcome::Discarded => {}
                }
            }
        }
    }

    #[cold]
    fn send_late(&self, slot: &Slot, reason: KeepReason, span: &SpanRecord<'_>) {
        let kept = KeptTraceInfo {
            trace: slot.ids().trace,
            reason,
            sampling: self.sampling(slot),
        };
        self.sender.send_span(kept, &slot.trace_state(), span);
    }

    /// Records an ended span when only the ID of its trace is known.
    ///
    /// The span is sent if its trace was kept during the last 30 seconds. Otherwise it counts as late.
    pub(crate) fn orphan_ended(&self, trace: TraceId, span: &SpanRecord<'_>) {
        let kept = lock(&self.decisions).get(trace);
        match kept {
            Some(kept) => self.sender.send_span(kept, "", span),
            None => {
                self.late.fetch_add(1, Relaxed);
            }
        }
    }

    /// Decides a trace whose root has ended, and sends it if it is kept. Returns the reason to keep it.
    #[inline]
    pub(crate) fn root_ended(
        &self,
        slot: &Slot,
        end: &RootEnd<'_>,
        root: &RootRecord<'_>,
    ) -> Option<KeepReason> {
        // A captured error makes the trace kept, however its root ended. The smaller of two reasons wins: the variants
        // are in order of importance.
        let captured = slot.is_captured().then_some(KeepReason::Captured);
        let reason = match (end.why, captured) {
            (Some(reason), Some(captured)) => Some(reason.min(captured)),
            (reason, captured) => reason.or(captured),
        };
        // Nothing happened, and the sampler did not choose the trace: most requests end here, so this path takes one
        // lock, no budget and no copy. The buffer's decision may still be `Kept`, if the trace was decided before its
        // end; then its root follows its spans.
        if reason.is_none() && !end.sampling.is_sampled() {
            return match slot.trace_buffer().decide(Decision::Dropped, |_| {}) {
                Decision::Kept(reason) => {
                    self.sender.send_root(end, reason, root);
                    Some(reason)
                }
                _ => None,
            };
        }
        self.keep_within_budget(slot, end, reason, root)
    }

    /// Keeps a trace for `reason` or because it was sampled, if a budget has room for it.
    #[inline(never)]
    fn keep_within_budget(
        &self,
        slot: &Slot,
        end: &RootEnd<'_>,
        reason: Option<KeepReason>,
        root: &RootRecord<'_>,
    ) -> Option<KeepReason> {
        // 1. A trace that was decided before its end has already been charged to a budget.
        match slot.trace_buffer().decision() {
            Decision::Kept(reason) => {
                self.sender.send_root(end, reason, root);
                return Some(reason);
            }
            Decision::Dropped => return None,
            Decision::Open => {}
        }
        // 2. The byte budget covers traces with a reason. Each reason is a part of its source and has its own share, so
        //    that failures of a busy route leave room for its slow requests.
        let bytes = slot.trace_buffer().bytes() as u64 + ROOT_BYTES;
        let source = match root {
            RootRecord::Request(_) => BudgetSource::of_route(slot.route()),
            RootRecord::Span(span) => BudgetSource::of_root(span.name),
        };
        let paid = reason.filter(|reason| {
            let source = source.part(reason.index());
            self.sampler.take_bytes(source, bytes, end.now)
        });
        // 3. Otherwise a sampled trace may still be kept within the limit of traces per second. Only a trace that
        //    neither budget covers counts as over the budget.
        let kept = paid.or_else(|| {
            let sampled = end.sampling.reason();
            let sampled = sampled.filter(|_| self.sampler.take_trace(source, end.now));
            if reason.is_some() && sampled.is_none() {
                self.over_budget.fetch_add(1, Relaxed);
            }
            sampled
        });
        // 4. The decision and the copy of the buffered spans are one step under the buffer's lock: a span that ends at
        //    the same time on another thread is either part of the copy or finds the decision.
        let decision = kept.map_or(Decision::Dropped, Decision::Kept);
        let mut is_sent = false;
        let held = slot.trace_buffer().decide(decision, |buffered| {
            is_sent = true;
            if let Decision::Kept(reason) = decision {
                self.sender.send(end, reason, buffered, Some(root));
            }
        });
        let Decision::Kept(reason) = held else {
            return None;
        };
        // 5. Another thread may have decided between steps 1 and 4. In this case its decision applies, it has sent the
        //    spans, and only the root remains to be sent.
        if is_sent {
            self.remember(end, reason);
        } else {
            self.sender.send_root(end, reason, root);
        }
        Some(reason)
    }

    /// Decides the buffered trace of an ended connection, which has no span as its root.
    pub(crate) fn rootless_ended(&self, slot: &Slot) {
        // The slot is closed first, so that `tick` no longer finds it among the active traces.
        slot.close();
        let now = self.requests.clock().now();
        match self.reason_without_root(slot, now) {
            Some(reason) => self.keep_unfinished(slot, reason, now),
            None => {
                slot.trace_buffer().decide(Decision::Dropped, |_| {});
            }
        }
    }

    /// Decides a trace before its root has ended. A trace that is sampled or has a captured error is sent as it is. For
    /// any other trace, the spans so far are discarded and the trace stays undecided.
    fn decide_unfinished(&self, slot: &Slot) {
        let now = self.requests.clock().now();
        match self.reason_without_root(slot, now) {
            Some(reason) => self.keep_unfinished(slot, reason, now),
            // Not `Dropped`: the root may still fail, and must then be kept, if only without these spans.
            None => slot.trace_buffer().discard_spans(),
        }
    }

    /// Returns the reason to keep a trace whose root has not ended. A trace without spans takes nothing from the
    /// budget.
    fn reason_without_root(&self, slot: &Slot, now: Nanos) -> Option<KeepReason> {
        // The error's record names this trace, so the trace is kept even if the budget is used up.
        if slot.is_captured() {
            return Some(KeepReason::Captured);
        }
        // How the root ends is not known, so sampling is the only other reason.
        let reason = self.sampling(slot).reason()?;
        let source = BudgetSource::of_route(slot.route());
        let has_spans = slot.trace_buffer().bytes() > 0;
        (has_spans && self.sampler.take_trace(source, now)).then_some(reason)
    }

    fn keep_unfinished(&self, slot: &Slot, reason: KeepReason, now: Nanos) {
        let end = RootEnd {
            trace: slot.ids().trace,
            trace_state: &slot.trace_state(),
            why: None,
            sampling: self.sampling(slot),
            now,
        };
        // `take` runs only if this call makes the decision. If another thread was faster, that thread has sent the
        // spans and remembered the trace.
        let mut is_decided = false;
        slot.trace_buffer()
            .decide(Decision::Kept(reason), |buffered| {
                is_decided = true;
                self.sender.send(&end, reason, buffered, None);
            });
        if is_decided {
            self.remember(&end, reason);
        }
    }

    fn remember(&self, end: &RootEnd<'_>, reason: KeepReason) {
        let kept = KeptTraceInfo {
            trace: end.trace,
            reason,
            sampling: end.sampling,
        };
        lock(&self.decisions).insert(kept, end.now);
    }

    /// Updates the limits for slow requests and decides traces that are open for too long. The worker calls it every
    /// few seconds.
    pub(crate) fn tick(&self) {
        self.times.renew();
        self.foreign_otel.tick();
        for slot in self.requests.older_than(self.max_open) {
            // A trace that was decided here before is still in the list until its root ends.
            if slot.trace_buffer().decision() == Decision::Open {
                self.decide_unfinished(&slot);
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

        /// Returns the parts sent to the worker: the reason, whether the root is included, the other spans, the lost
        /// spans.
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
        // The fourth span found no room, so the first three were sent, and then the fourth.
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
        // The burst is the budget of eight seconds.
        assert_eq!(failed.len(), 16);
        assert_eq!(fixture.traces.lost().traces_over_budget, 14);
        fixture.clock.advance(Duration::from_secs(1));
        assert_eq!(
            fixture.end(&fixture.open(99), Some(KeepReason::Error)),
            Some(KeepReason::Error)
        );
    }
}
