//! The unfinished spans of the OpenTelemetry SDK's tracer.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};

use rustc_hash::FxHashMap;

use super::otel_context;
use crate::context::Slot;
use crate::model::{SpanId, lock};

/// Spans are spread over so many tables by their ids, which are random.
const SHARDS: usize = 16;
/// Spans under way that a table knows; more of them are not ours to know.
const MAX_OPEN: usize = 6_250;

/// The plain spans of one monitor that are under way.
#[derive(Debug, Default)]
pub(crate) struct SdkSpans {
    count: AtomicUsize,
    open: [Mutex<FxHashMap<SpanId, SdkSpanState>>; SHARDS],
}

/// Where a plain span hangs.
#[derive(Debug, Clone)]
pub(super) struct SdkSpanState {
    pub(super) slot: Arc<Slot>,
    /// What of ours was current when it started: it lies below that, and above what is entered later.
    pub(super) above: SpanId,
    pub(super) parent: SpanId,
    /// Whether it is the root of a trace that it began.
    pub(super) is_root: bool,
    /// Whether tracing-opentelemetry's layer made it of a `tracing` span.
    pub(super) of_tracing: bool,
}

impl SdkSpans {
    /// Whether none is under way, told without a lock.
    #[inline]
    fn is_empty(&self) -> bool {
        self.count.load(Relaxed) == 0
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "the index is taken modulo the length"
    )]
    fn table(&self, span: SpanId) -> MutexGuard<'_, FxHashMap<SpanId, SdkSpanState>> {
        let table = &self.open[span.to_u64() as usize % SHARDS];
        lock(table)
    }

    pub(super) fn find(&self, span: SpanId) -> Option<SdkSpanState> {
        self.table(span).get(&span).cloned()
    }

    pub(super) fn insert(&self, span: SpanId, open: SdkSpanState) {
        let mut all = self.table(span);
        if all.len() < MAX_OPEN && all.insert(span, open).is_none() {
            self.count.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn remove(&self, span: SpanId) -> Option<SdkSpanState> {
        let removed = self.table(span).remove(&span);
        if removed.is_some() {
            self.count.fetch_sub(1, Relaxed);
        }
        removed
    }

    /// Whether a span is one that tracing-opentelemetry's layer, as this crate composes it, makes of a `tracing` span.
    pub(super) fn is_of_tracing(&self, span: SpanId) -> bool {
        !self.is_empty()
            && self
                .table(span)
                .get(&span)
                .is_some_and(|open| open.of_tracing)
    }

    /// The innermost operation: the plain span that is current, if it started under what of ours is current now.
    #[inline]
    pub(super) fn innermost(&self, slot: &Slot, current: SpanId) -> SpanId {
        if self.is_empty() {
            return current;
        }
        self.below(slot, current).unwrap_or(current)
    }

    /// Where a span lies that starts while a plain span is current and nothing of ours is.
    #[cold]
    pub(super) fn current(&self) -> Option<(Arc<Slot>, SpanId)> {
        if self.is_empty() {
            return None;
        }
        let (trace, span) = otel_context::current_span()?;
        let open = self.find(span)?;
        (trace == open.slot.ids().trace).then_some((open.slot, span))
    }

    #[cold]
    fn below(&self, slot: &Slot, current: SpanId) -> Option<SpanId> {
        let (trace, span) = otel_context::current_span()?;
        let open = self.find(span)?;
        (trace == slot.ids().trace && open.above == current).then_some(span)
    }
}
