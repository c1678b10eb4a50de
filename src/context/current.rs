use std::cell::RefCell;
use std::sync::Arc;

use super::ids::OperationIds;
use super::slot::Slot;
use crate::model::SpanId;

thread_local! {
    /// The current operations of this thread, the innermost last: requests, since a handler may call another router,
    /// and the spans inside them. It is borrowed for one push, pop or read at a time, and never across code of the
    /// host.
    static STACK: RefCell<Vec<StackEntry>> = const { RefCell::new(Vec::new()) };
}

struct StackEntry {
    slot: Arc<Slot>,
    /// The span of the request, or of an operation inside it.
    span: SpanId,
}

/// Makes an operation of the slot's trace the thread's current one. Returns the slot if the thread is ending; in this
/// case [`leave`] returns `None`.
#[inline]
pub(crate) fn enter(slot: Arc<Slot>, span: SpanId) -> Option<Arc<Slot>> {
    let mut slot = Some(slot);
    let pushed = STACK.try_with(|stack| {
        if let Some(slot) = slot.take() {
            stack.borrow_mut().push(StackEntry { slot, span });
        }
    });
    pushed.err().and(slot)
}

/// Leaves the operation that was [entered](enter) with this span, and returns its slot. Operations that were entered
/// inside it and not left, such as a `tracing` span whose guard is held across an await, are left too.
#[inline]
pub(crate) fn leave(span: SpanId) -> Option<Arc<Slot>> {
    let pop = |stack: &RefCell<Vec<StackEntry>>| {
        let mut stack = stack.borrow_mut();
        // Nearly always the operation is on top. It may also be missing, if an outer `leave` has removed it: then the
        // stack must stay as it is.
        let top = stack.pop()?;
        if top.span == span {
            return Some(top.slot);
        }
        stack.push(top);
        leave_below(&mut stack, span)
    };
    STACK.try_with(pop).ok().flatten()
}

#[cold]
fn leave_below(stack: &mut Vec<StackEntry>, span: SpanId) -> Option<Arc<Slot>> {
    let at = stack.iter().rposition(|entry| entry.span == span)?;
    stack.truncate(at + 1);
    stack.pop().map(|entry| entry.slot)
}

/// Leaves the operation that was [entered](enter) with this span, but no operation that was entered after it.
pub(crate) fn leave_only(span: SpanId) {
    let remove = |stack: &RefCell<Vec<StackEntry>>| {
        let mut stack = stack.borrow_mut();
        if stack.last()?.span == span {
            return stack.pop();
        }
        let at = stack.iter().rposition(|entry| entry.span == span)?;
        Some(stack.remove(at))
    };
    drop(STACK.try_with(remove));
}

/// Returns the IDs of the calling thread's current operation of this monitor.
#[inline]
pub(crate) fn current(monitor: u32) -> Option<OperationIds> {
    with_current(Some(monitor), |slot, span| OperationIds {
        span,
        ..slot.ids()
    })
}

/// Returns the slot and the span of the calling thread's current operation of this monitor.
#[inline]
pub(crate) fn current_slot(monitor: u32) -> Option<(Arc<Slot>, SpanId)> {
    with_current(Some(monitor), |slot, span| (Arc::clone(slot), span))
}

/// Returns the slots and spans of all current operations of the calling thread, the innermost last.
pub(crate) fn current_stack() -> Vec<(Arc<Slot>, SpanId)> {
    let copy = |stack: &RefCell<Vec<StackEntry>>| {
        let stack = stack.borrow();
        let all = stack
            .iter()
            .map(|entry| (Arc::clone(&entry.slot), entry.span));
        all.collect()
    };
    STACK.try_with(copy).unwrap_or_default()
}

/// Calls `look` with the calling thread's innermost operation of this monitor, or of any. `look` must call no code of
/// the host.
#[inline]
pub(crate) fn with_current<R>(
    monitor: Option<u32>,
    look: impl FnOnce(&Arc<Slot>, SpanId) -> R,
) -> Option<R> {
    let find = |stack: &RefCell<Vec<StackEntry>>| {
        // In a panic hook, the stack may already be borrowed.
        let stack = stack.try_borrow().ok()?;
        let mut entries = stack.iter().rev();
        let entry =
            entries.find(|entry| monitor.is_none_or(|monitor| entry.slot.monitor() == monitor))?;
        Some(look(&entry.slot, entry.span))
    };
    STACK.try_with(find).ok().flatten()
}

/// Takes the calling thread's request out of those in flight, because it is one to a page of the monitor itself. It is not
/// recorded if its client leaves.
#[cfg(feature = "dashboard")]
pub(crate) fn disown_current(monitor: u32) {
    with_current(Some(monitor), |slot, _| {
        if slot.is_request() {
            slot.close();
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::context::{Requests, UNMATCHED};
    use crate::model::TraceId;

    #[test]
    fn monitors_see_their_own_request_only() {
        let (a, b) = (
            Requests::new(Clock::system()),
            Requests::new(Clock::system()),
        );
        let open = |requests: &Requests, trace| {
            let slot = requests.new_slot();
            let ids = OperationIds {
                trace: TraceId::from_u128(trace),
                span: SpanId::NIL,
                route: UNMATCHED,
            };
            slot.open(ids, 0);
            slot
        };
        let span = SpanId::from_u64;
        assert!(enter(open(&a, 1), span(11)).is_none());
        assert!(enter(open(&b, 2), span(12)).is_none());
        assert_eq!(current(a.number()).unwrap().trace, TraceId::from_u128(1));
        assert_eq!(current(b.number()).unwrap().trace, TraceId::from_u128(2));
        leave(span(12));
        assert_eq!(current(b.number()), None);
        leave(span(11));
        assert_eq!(current(a.number()), None);
        assert!(leave(span(11)).is_none());
    }

    #[test]
    fn spans_inside_may_be_left_in_any_order_or_not_at_all() {
        let requests = Requests::new(Clock::system());
        let slot = requests.new_slot();
        let of = |n| enter(Arc::clone(&slot), SpanId::from_u64(n));
        let at = || current(requests.number()).map(|ids| ids.span.to_u64());
        for n in 1..=4 {
            assert!(of(n).is_none());
        }
        leave_only(SpanId::from_u64(3));
        assert_eq!(at(), Some(4));
        leave_only(SpanId::from_u64(3));
        assert!(leave(SpanId::from_u64(2)).is_some());
        assert_eq!(at(), Some(1));
        assert!(leave(SpanId::from_u64(1)).is_some());
        assert_eq!((at(), Arc::strong_count(&slot)), (None, 1));
    }
}
