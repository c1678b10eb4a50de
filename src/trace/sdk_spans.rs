//! The unfinished spans of the OpenTelemetry SDK's tracer.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};

use rustc_hash::FxHashMap;

use super::otel_context;
use crate::context::Slot;
use crate::model::{SpanId, lock};

/// The number of tables. Spans are distributed over them by their IDs, which are random.
const SHARDS: usize = 16;
/// The maximum number of active spans in a table. Further spans are not tracked.
const MAX_OPEN: usize = 6_250;

/// The active plain spans of one monitor.
#[derive(Debug, Default)]
pub(crate) struct SdkSpans {
    count: AtomicUsize,
    open: [Mutex<FxHashMap<SpanId, SdkSpanState>>; SHARDS],
}

/// The place of a plain span in its trace.
#[derive(Debug, Clone)]
pub(super) struct SdkSpanState {
    pub(super) slot: Arc<Slot>,
    /// This crate's operation that was current when the span started. It encloses the span; operations that are entered
    /// later are inside the span.
    pub(super) above: SpanId,
    pub(super) parent: SpanId,
    /// Whether the span is the root of its trace.
    pub(super) is_root: bool,
    /// Whether tracing-opentelemetry's layer created the span for a `tracing` span.
    pub(super) of_tracing: bool,
}

impl SdkSpans {
    /// Whether there are no active spans. Takes no lock.
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

    /// Whether this crate's tracing-opentelemetry layer created a span for a `tracing` span.
    pub(super) fn is_of_tracing(&self, span: SpanId) -> bool {
        !self.is_empty()
            && self
                .table(span)
                .get(&span)
                .is_some_and(|open| open.of_tracing)
    }

    /// Returns the innermost operation: the current plain span, if it started under this crate's current operation, or
    /// else that operation.
    #[inline]
    pub(super) fn innermost(&self, slot: &Slot, current: SpanId) -> SpanId {
        if self.is_empty() {
            return current;
        }
        self.below(slot, current).unwrap_or(current)
    }

    /// Returns the place of a span that starts while a plain span is current and no operation of this crate is.
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
