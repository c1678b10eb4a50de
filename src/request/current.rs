use std::cell::RefCell;
use std::sync::Arc;

use super::routes::RouteId;
use super::slot::Slot;
use crate::model::{SpanId, TraceId};

thread_local! {
    /// The requests that this thread is polling, the innermost last: one router may be called from
    /// another's handler. Borrowed only for a push, a pop or a look, never across foreign code.
    static STACK: RefCell<Vec<Arc<Slot>>> = const { RefCell::new(Vec::new()) };
}

/// What identifies a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ids {
    pub(crate) trace: TraceId,
    pub(crate) span: SpanId,
    pub(crate) route: RouteId,
}

/// Makes the slot's request the current one of this thread. Gives the slot back where the thread is
/// ending; [`leave`] is then not called.
#[inline]
pub(crate) fn enter(slot: Arc<Slot>) -> Option<Arc<Slot>> {
    let mut slot = Some(slot);
    let pushed = STACK.try_with(|stack| {
        if let Some(slot) = slot.take() {
            stack.borrow_mut().push(slot);
        }
    });
    pushed.err().and(slot)
}

/// Ends what [`enter`] began and gives its slot back.
#[inline]
pub(crate) fn leave() -> Option<Arc<Slot>> {
    STACK
        .try_with(|stack| stack.borrow_mut().pop())
        .ok()
        .flatten()
}

/// The ids of the request of this monitor that the calling thread is polling.
#[inline]
pub(crate) fn current(monitor: u32) -> Option<Ids> {
    let look = |stack: &RefCell<Vec<Arc<Slot>>>| {
        let stack = stack.borrow();
        stack
            .iter()
            .rev()
            .find(|slot| slot.monitor() == monitor)
            .map(|slot| slot.ids())
    };
    STACK.try_with(look).ok().flatten()
}

/// Looks at the innermost request of this monitor, or of any, that the calling thread is polling. `look`
/// calls nothing foreign.
pub(crate) fn with_current<R>(monitor: Option<u32>, look: impl FnOnce(&Slot) -> R) -> Option<R> {
    let find = |stack: &RefCell<Vec<Arc<Slot>>>| {
        // In a panic hook anything may be borrowed.
        let stack = stack.try_borrow().ok()?;
        let mut slots = stack.iter().rev();
        let slot = slots.find(|slot| monitor.is_none_or(|monitor| slot.monitor() == monitor))?;
        Some(look(slot))
    };
    STACK.try_with(find).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::request::{Requests, UNMATCHED};

    #[test]
    fn monitors_see_their_own_request_only() {
        let (a, b) = (
            Requests::new(Clock::system()),
            Requests::new(Clock::system()),
        );
        let open = |requests: &Requests, trace| {
            let slot = requests.new_slot();
            let ids = Ids {
                trace: TraceId::from_u128(trace),
                span: SpanId::NIL,
                route: UNMATCHED,
            };
            slot.open(ids, 0);
            slot
        };
        assert!(enter(open(&a, 1)).is_none());
        assert!(enter(open(&b, 2)).is_none());
        assert_eq!(current(a.number()).unwrap().trace, TraceId::from_u128(1));
        assert_eq!(current(b.number()).unwrap().trace, TraceId::from_u128(2));
        leave();
        assert_eq!(current(b.number()), None);
        leave();
        assert_eq!(current(a.number()), None);
        assert!(leave().is_none());
    }
}
