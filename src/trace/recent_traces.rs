//! The in-memory store of kept traces. Routes and jobs share its capacity.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
#[cfg(feature = "dashboard")]
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustc_hash::FxHashMap;

use super::decode::read_part;
#[cfg(feature = "dashboard")]
use super::decode::{Span, read_root};
use super::kept_trace::KeptTrace;
use super::limits::SpanLimits;
#[cfg(feature = "dashboard")]
use super::span_record::SpanRecord;
use super::span_record::{TracePart, TraceRoot};
use crate::clock::{Clock, Nanos};
#[cfg(feature = "dashboard")]
use crate::model::KeepReason;
use crate::model::TraceId;
use crate::model::lock;
use crate::model::lock_for_status;
use crate::record::RequestRecord;
use crate::redact::RedactionRules;

/// The kept traces in their compact encoding, bounded in bytes. When the store is full, it drops the oldest trace of
/// the source (a route, or the name of a topmost span) whose traces take the most bytes.
#[derive(Debug)]
pub(crate) struct RecentTraces {
    max_bytes: usize,
    clock: Clock,
    limits: SpanLimits,
    /// The monitor's redaction rules. They are stored here because any thread may read a trace.
    rules: RedactionRules,
    state: Mutex<RecentState>,
}

#[derive(Debug, Default)]
struct RecentState {
    bytes: usize,
    traces: FxHashMap<TraceId, HeldTrace>,
    /// The sources; always [`SOURCES`] entries.
    sources: Vec<SourceTraces>,
    /// The number of records added so far.
    records: u64,
}

/// The stored records of one trace.
#[derive(Debug)]
struct HeldTrace {
    source: usize,
    parts: Vec<HeldPart>,
}

/// A record of kept spans, and its time.
#[derive(Debug, Clone)]
struct HeldPart {
    /// The position of the record in order of arrival, from 1 on.
    number: u64,
    at: Nanos,
    /// Shared, so that a search takes all records without copying them under the lock.
    record: Arc<[u8]>,
}

/// The traces of one source, in order of arrival.
#[derive(Debug, Default)]
struct SourceTraces {
    bytes: usize,
    order: VecDeque<TraceId>,
}

/// The number of distinct sources.
const SOURCES: usize = 256;

/// The estimated overhead of an entry, in bytes, on top of its record.
const OVERHEAD: usize = 120;

impl RecentTraces {
    pub(crate) fn new(max_bytes: usize, clock: Clock, limits: SpanLimits) -> Self {
        Self {
            max_bytes,
            clock,
            limits,
            rules: RedactionRules::current(),
            state: Mutex::new(RecentState {
                sources: (0..SOURCES).map(|_| SourceTraces::default()).collect(),
                ..RecentState::default()
            }),
        }
    }

    pub(super) fn add(&self, at: Nanos, record: &[u8]) {
        let Some(part) = TracePart::read(record) else {
            return;
        };
        let trace = part.trace;
        let cost = record.len() + OVERHEAD;
        if cost > self.max_bytes {
            return;
        }
        let mut state = self.lock();
        let source = source_of(&part);
        state.records += 1;
        let stored = HeldPart {
            number: state.records,
            at,
            record: record.into(),
        };
        state.add(trace, source, stored);
        // Beyond the limit, the largest source gives up its oldest traces. It may be the source of this one: a busy route
        // does not displace the traces of all others.
        while state.bytes > self.max_bytes && state.drop_one() {}
    }

    /// Returns the kept traces, the newest first.
    pub(crate) fn traces(&self) -> Vec<KeptTrace> {
        let mut ids: Vec<_> = {
            let Some(state) = lock_for_status(&self.state) else {
                return Vec::new();
            };
            let all = state.traces.iter();
            all.map(|(id, held)| (held.number(), *id)).collect()
        };
        ids.sort_unstable_by_key(|(number, _)| std::cmp::Reverse(*number));
        let ids = ids.into_iter();
        ids.filter_map(|(_, id)| self.trace(id)).collect()
    }

    /// Returns the IDs of the latest traces that were kept for one of the wanted reasons, at most `max`, the newest first.
    #[cfg(feature = "dashboard")]
    pub(crate) fn latest(
        &self,
        max: usize,
        is_wanted: impl Fn(KeepReason) -> bool,
    ) -> Vec<TraceId> {
        let Some(state) = lock_for_status(&self.state) else {
            return Vec::new();
        };
        let mut newest: Vec<_> = state.traces.iter().collect();
        newest.sort_unstable_by_key(|(_, held)| std::cmp::Reverse(held.number()));
        let is_kept_for = |held: &HeldTrace| {
            let mut parts = held.parts.iter();
            parts.any(|part| TracePart::read(&part.record).is_some_and(|part| is_wanted(part.kept)))
        };
        let wanted = newest.into_iter().filter(|(_, held)| is_kept_for(held));
        wanted.take(max).map(|(id, _)| *id).collect()
    }

    /// Returns the kept trace with this ID.
    pub(crate) fn trace(&self, trace_id: TraceId) -> Option<KeptTrace> {
        // The records are copied out and decoded without the lock, which the worker needs to add further traces.
        let parts = lock_for_status(&self.state)?
            .traces
            .get(&trace_id)?
            .parts
            .clone();
        let _entered = self.rules.enter();
        let read = parts
            .iter()
            .filter_map(|part| read_part(&part.record, part.at, &self.clock, &self.limits));
        KeptTrace::of_parts(trace_id, read.map(|part| (part.kept, part.spans)))
    }

    /// Calls `visit` with the requests and topmost spans of the kept traces, those that ended last first, as long as it
    /// returns whether to go on. Only records before the number `before` that `is_wanted` selects are decoded. The number
    /// of each record is passed on.
    #[cfg(feature = "dashboard")]
    pub(crate) fn visit_roots(
        &self,
        before: u64,
        is_wanted: impl Fn(&TracePart<'_>) -> bool,
        mut visit: impl FnMut(u64, KeepReason, Span) -> bool,
    ) {
        let mut parts: Vec<HeldPart> = {
            let Some(state) = lock_for_status(&self.state) else {
                return;
            };
            let all = state.traces.values().flat_map(|held| &held.parts);
            all.filter(|part| part.number < before).cloned().collect()
        };
        parts.sort_unstable_by_key(|part| std::cmp::Reverse(part.number));
        let _entered = self.rules.enter();
        for part in parts {
            let has_root = |read: &TracePart<'_>| !matches!(read.root, TraceRoot::None);
            let read = TracePart::read(&part.record);
            if !read.is_some_and(|read| has_root(&read) && is_wanted(&read)) {
                continue;
            }
            let root = read_root(&part.record, part.at, &self.clock, &self.limits);
            if let Some((kept, root)) = root
                && !visit(part.number, kept, root)
            {
                return;
            }
        }
    }

    /// Returns the kept traces that have spans for which `is_wanted`, each with the duration of the longest of these, the
    /// longest first. `is_wanted` gets a span as it is stored, which is not decoded, and its start.
    #[cfg(feature = "dashboard")]
    pub(crate) fn with_longest_span(
        &self,
        is_wanted: impl Fn(&SpanRecord<'_>, SystemTime) -> bool,
    ) -> Vec<(TraceId, Nanos)> {
        let records: Vec<Arc<[u8]>> = {
            let Some(state) = lock_for_status(&self.state) else {
                return Vec::new();
            };
            let parts = state.traces.values().flat_map(|held| &held.parts);
            parts.map(|part| Arc::clone(&part.record)).collect()
        };
        let mut longest = FxHashMap::<TraceId, Nanos>::default();
        for part in records.iter().filter_map(|record| TracePart::read(record)) {
            let root = match part.root {
                TraceRoot::Span(span) => Some(span),
                TraceRoot::None | TraceRoot::Request(_) => None,
            };
            for span in root.into_iter().chain(part.spans()) {
                let start = UNIX_EPOCH + Duration::from_nanos(self.clock.wall(span.start));
                if is_wanted(&span, start) {
                    let duration = span.end.saturating_sub(span.start);
                    let known = longest.entry(part.trace).or_default();
                    *known = duration.max(*known);
                }
            }
        }
        let mut longest: Vec<_> = longest.into_iter().collect();
        longest.sort_unstable_by_key(|(id, duration)| (std::cmp::Reverse(*duration), *id));
        longest
    }

    /// Whether spans of a trace are in memory.
    #[cfg(feature = "dashboard")]
    pub(crate) fn contains(&self, trace_id: TraceId) -> bool {
        lock_for_status(&self.state).is_some_and(|state| state.traces.contains_key(&trace_id))
    }

    /// Whether a trace is in memory with a request or topmost span that took this long.
    #[cfg(feature = "dashboard")]
    pub(crate) fn has_root(&self, trace_id: TraceId, duration: Nanos) -> bool {
        let Some(state) = lock_for_status(&self.state) else {
            return false;
        };
        let parts = state.traces.get(&trace_id).map(|held| &held.parts);
        parts.into_iter().flatten().any(|part| {
            let read = TracePart::read(&part.record);
            read.and_then(|part| root_duration(&part)) == Some(duration)
        })
    }

    fn lock(&self) -> MutexGuard<'_, RecentState> {
        lock(&self.state)
    }
}

impl HeldTrace {
    /// The position of the trace in order of arrival: that of its first record.
    fn number(&self) -> u64 {
        self.parts.first().map_or(0, |part| part.number)
    }
}

impl RecentState {
    fn add(&mut self, trace: TraceId, source: usize, part: HeldPart) {
        let cost = part.record.len() + OVERHEAD;
        let sources = &mut self.sources;
        let held = self.traces.entry(trace).or_insert_with(|| {
            if let Some(of) = sources.get_mut(source) {
                of.order.push_back(trace);
            }
            HeldTrace {
                source,
                parts: Vec::new(),
            }
        });
        held.parts.push(part);
        if let Some(of) = sources.get_mut(held.source) {
            of.bytes += cost;
        }
        self.bytes += cost;
    }

    /// Drops the oldest trace of the largest source. Returns whether there was one.
    fn drop_one(&mut self) -> bool {
        let Some(most) = self.sources.iter_mut().max_by_key(|of| of.bytes) else {
            return false;
        };
        let Some(oldest) = most.order.pop_front() else {
            return false;
        };
        let parts = self.traces.remove(&oldest).map(|held| held.parts);
        let parts = parts.unwrap_or_default();
        let freed: usize = parts.iter().map(|part| part.record.len() + OVERHEAD).sum();
        most.bytes = most.bytes.saturating_sub(freed);
        self.bytes = self.bytes.saturating_sub(freed);
        true
    }
}

/// How long the request or topmost span of a part took; `None` without one.
#[cfg(feature = "dashboard")]
pub(super) fn root_duration(part: &TracePart<'_>) -> Option<Nanos> {
    match part.root {
        TraceRoot::None => None,
        TraceRoot::Request(request) => Some(RequestRecord::read(request)?.duration),
        TraceRoot::Span(span) => Some(span.end.saturating_sub(span.start)),
    }
}

/// Returns the number of a part's source. All spans that arrive without their root share one source.
fn source_of(part: &TracePart<'_>) -> usize {
    let name = match part.root {
        TraceRoot::None => return 0,
        TraceRoot::Request(request) => {
            RequestRecord::read(request).map_or(&[][..], |it| it.route.as_bytes())
        }
        // Names may end with a number, so only the part up to the first digit counts.
        TraceRoot::Span(span) => {
            let mut parts = span.name.as_bytes().split(u8::is_ascii_digit);
            parts.next().unwrap_or_default()
        }
    };
    let hash = name.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    1 + (hash >> 32) as usize % (SOURCES - 1)
}

#[cfg(test)]
mod tests {
    #[cfg(not(feature = "dashboard"))]
    use std::time::Duration;

    use super::*;
    use crate::model::codec::put_bytes;
    use crate::model::{KeepReason, Sampling, SpanId};
    use crate::trace::span_record::{PartHead, SpanRecord, put_head, put_span_root};

    fn record(trace: u128, name: &str) -> Vec<u8> {
        let span = SpanRecord {
            span: SpanId::from_u64(1),
            name,
            ..SpanRecord::default()
        };
        record_of(trace, &span)
    }

    fn record_of(trace: u128, span: &SpanRecord<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        let head = PartHead {
            trace: TraceId::from_u128(trace),
            reason: KeepReason::Head,
            sampling: Sampling::own(true),
            lost_spans: 0,
            lost_events: 0,
            trace_state: "",
        };
        put_head(&mut out, &head);
        put_bytes(&mut out, &[]);
        put_span_root(&mut out, span);
        out
    }

    #[test]
    fn the_source_with_the_most_makes_room_by_its_oldest() {
        let recent = RecentTraces::new(
            64 << 10,
            Clock::driven(Duration::ZERO),
            SpanLimits::default(),
        );
        for n in 0..5 {
            recent.add(0, &record(n, "nightly report"));
        }
        for n in 100..10_000 {
            recent.add(0, &record(n, &format!("row {n}")));
        }
        let traces = recent.traces();
        assert_eq!(traces[0].trace_id, TraceId::from_u128(9999));
        assert_eq!(traces[1].trace_id, TraceId::from_u128(9998));
        let rare = traces.iter().rev().take(5);
        let rare: Vec<_> = rare.map(|trace| trace.trace_id.to_u128()).collect();
        assert_eq!(rare, [0, 1, 2, 3, 4]);
        let state = recent.lock();
        assert!(state.bytes <= 64 << 10 && state.bytes > 63 << 10);
        let bytes: usize = state.sources.iter().map(|of| of.bytes).sum();
        let count: usize = state.sources.iter().map(|of| of.order.len()).sum();
        assert_eq!((bytes, count), (state.bytes, state.traces.len()));
    }

    #[cfg(feature = "dashboard")]
    #[test]
    fn traces_are_found_by_spans_that_are_not_decoded() {
        let recent = RecentTraces::new(
            64 << 10,
            Clock::driven(Duration::from_secs(1000)),
            SpanLimits::default(),
        );
        for (trace, name, duration) in [(1, "a", 5), (2, "b", 9), (3, "a", 7), (1, "a", 3)] {
            let span = SpanRecord {
                name,
                start: 2_000_000_000,
                end: 2_000_000_000 + duration,
                ..SpanRecord::default()
            };
            recent.add(0, &record_of(trace, &span));
        }
        let second = Duration::from_secs(1);
        let of = |name: &str, from: Duration| {
            let from = UNIX_EPOCH + from;
            let found = recent.with_longest_span(|span, at| span.name == name && at >= from);
            let found = found
                .into_iter()
                .map(|(id, longest)| (id.to_u128(), longest));
            found.collect::<Vec<_>>()
        };
        assert_eq!(of("a", second * 1000), [(3, 7), (1, 5)]);
        assert_eq!(of("b", second * 1002), [(2, 9)]);
        assert_eq!(of("b", second * 1003), []);
    }

    #[test]
    fn a_record_that_is_none_is_passed_over() {
        let recent = RecentTraces::new(
            64 << 10,
            Clock::driven(Duration::ZERO),
            SpanLimits::default(),
        );
        recent.add(0, b"none");
        assert!(recent.traces().is_empty());
    }
}
