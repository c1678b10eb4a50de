//! The `tracing` spans that a thread has entered and not left, for the layers of all monitors.

use std::cell::RefCell;

use super::otel_context::AttachedContext;
use crate::model::SpanId;

/// The maximum number of spans that are tracked.
const MAX: usize = 1024;

/// A span that a thread has entered.
pub(super) struct EnteredSpan {
    pub(super) monitor: u32,
    /// The ID of the span in its subscriber.
    pub(super) id: u64,
    pub(super) span: SpanId,
    /// The context that is attached to the thread until the span is left: for a root, or for a trace that was not
    /// current on the thread.
    #[expect(dead_code, reason = "held for its drop")]
    pub(super) attached: Option<AttachedContext>,
}

impl EnteredSpan {
    fn is(&self, monitor: u32, id: u64) -> bool {
        self.monitor == monitor && self.id == id
    }
}

thread_local! {
    /// The entered spans of this thread, the innermost last.
    static ENTERED: RefCell<Vec<EnteredSpan>> = const { RefCell::new(Vec::new()) };
}

/// Adds an entered span. Returns `false`, and adds nothing, on a thread that is ending.
#[inline]
pub(super) fn push(entered: EnteredSpan) -> bool {
    let push = |all: &RefCell<Vec<EnteredSpan>>| {
        let mut all = all.borrow_mut();
        // The entry of a guard that is never dropped is never taken.
        let oldest = (all.len() >= MAX).then(|| all.remove(0));
        all.push(entered);
        oldest
    };
    ENTERED.try_with(push).is_ok()
}

/// Removes and returns the entry of a span that is left.
#[inline]
pub(super) fn take(monitor: u32, id: u64) -> Option<EnteredSpan> {
    let take = |all: &RefCell<Vec<EnteredSpan>>| {
        let mut all = all.borrow_mut();
        if all.last().is_some_and(|last| last.is(monitor, id)) {
            return all.pop();
        }
        let at = all.iter().rposition(|entered| entered.is(monitor, id))?;
        Some(all.remove(at))
    };
    ENTERED.try_with(take).ok().flatten()
}

/// Whether the thread entered this span last, among the spans of this monitor.
pub(super) fn is_last(monitor: u32, id: u64) -> bool {
    let is = |all: &RefCell<Vec<EnteredSpan>>| {
        let all = all.borrow();
        let mut of_monitor = all.iter().rev().filter(|it| it.monitor == monitor);
        of_monitor.next().is_some_and(|last| last.id == id)
    };
    ENTERED.try_with(is).unwrap_or(false)
}
