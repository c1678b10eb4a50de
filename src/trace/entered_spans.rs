//! The `tracing` spans that a thread has entered and not left, for the layers of all monitors.

use std::cell::RefCell;

use super::otel_context::AttachedContext;
use crate::model::SpanId;

/// As many are remembered.
const MAX: usize = 1024;

/// A span that a thread has entered.
pub(super) struct EnteredSpan {
    pub(super) monitor: u32,
    /// The id that the subscriber knows it by.
    pub(super) id: u64,
    pub(super) span: SpanId,
    /// The context that is the thread's meanwhile: a root's, and that of a trace which the thread was not in.
    #[expect(dead_code, reason = "held for its drop")]
    pub(super) attached: Option<AttachedContext>,
}

impl EnteredSpan {
    fn is(&self, monitor: u32, id: u64) -> bool {
        self.monitor == monitor && self.id == id
    }
}

thread_local! {
    /// The innermost last.
    static ENTERED: RefCell<Vec<EnteredSpan>> = const { RefCell::new(Vec::new()) };
}

/// Enters a span; `false` on a thread that is ending, which enters nothing.
#[inline]
pub(super) fn push(entered: EnteredSpan) -> bool {
    let push = |all: &RefCell<Vec<EnteredSpan>>| {
        let mut all = all.borrow_mut();
        // A guard that is never dropped leaves its entry behind.
        let oldest = (all.len() >= MAX).then(|| all.remove(0));
        all.push(entered);
        oldest
    };
    ENTERED.try_with(push).is_ok()
}

/// Takes out the entry that a span which is left has.
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

/// Whether a span is the one of this monitor that the thread entered last.
pub(super) fn is_last(monitor: u32, id: u64) -> bool {
    let is = |all: &RefCell<Vec<EnteredSpan>>| {
        let all = all.borrow();
        let mut of_monitor = all.iter().rev().filter(|it| it.monitor == monitor);
        of_monitor.next().is_some_and(|last| last.id == id)
    };
    ENTERED.try_with(is).unwrap_or(false)
}
