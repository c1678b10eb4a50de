//! Events of active spans whose owner does not store events itself.

use super::trace_memory::TraceMemory;
use crate::model::SpanId;

/// The maximum number of spans of one trace that have such events at the same time.
const MAX_SPANS: usize = 64;
/// The maximum total size of the events of one span, in bytes.
const MAX_BYTES: usize = 8 * 1024;

/// The events of the spans of one trace.
#[derive(Debug, Default)]
pub(super) struct PendingSpanEvents {
    all: Vec<SpanEventBuffer>,
}

/// The events of one span.
#[derive(Debug)]
pub(crate) struct SpanEventBuffer {
    span: SpanId,
    /// The events, one after the other, in their compact encoding.
    pub(crate) bytes: Vec<u8>,
    count: u32,
    /// The number of events for which there was no room.
    pub(crate) left_out: u32,
}

/// What limits a new event of a span.
#[derive(Debug, Clone, Copy)]
pub(super) struct PendingEventLimits {
    /// The maximum number of events of one span.
    pub(super) max_events: u32,
    /// The number of bytes that the trace holds in addition to these events.
    pub(super) held: usize,
}

impl PendingSpanEvents {
    /// Adds the event that `write` appends. Returns `false` if too many spans already have events. An event for which its span has no room is
    /// counted for the span.
    pub(super) fn add(
        &mut self,
        room: &TraceMemory,
        limits: PendingEventLimits,
        span: SpanId,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> bool {
        // Few spans have such events at once, so a list is searched faster than a map.
        let own = limits.held + self.bytes();
        let at = self.all.iter().position(|of| of.span == span);
        if at.is_none() {
            if self.all.len() >= MAX_SPANS {
                return false;
            }
            self.all.push(SpanEventBuffer {
                span,
                bytes: Vec::new(),
                count: 0,
                left_out: 0,
            });
        }
        let of = match at {
            Some(at) => self.all.get_mut(at),
            None => self.all.last_mut(),
        };
        let Some(of) = of else { return false };
        if of.count >= limits.max_events {
            of.left_out = of.left_out.saturating_add(1);
            return true;
        }
        let before = of.bytes.len();
        write(&mut of.bytes);
        let added = of.bytes.len() - before;
        if of.bytes.len() > MAX_BYTES || !room.take(added, own + added) {
            of.bytes.truncate(before);
            of.left_out = of.left_out.saturating_add(1);
        } else {
            of.count += 1;
        }
        true
    }

    pub(super) fn has(&self, span: SpanId) -> bool {
        self.all.iter().any(|of| of.span == span)
    }

    /// Removes and returns the events of a span.
    pub(super) fn take(&mut self, room: &TraceMemory, span: SpanId) -> Option<SpanEventBuffer> {
        let at = self.all.iter().position(|of| of.span == span)?;
        let taken = self.all.swap_remove(at);
        room.give_back(taken.bytes.len());
        Some(taken)
    }

    pub(super) fn clear(&mut self, room: &TraceMemory) {
        room.give_back(self.bytes());
        self.all.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn bytes(&self) -> usize {
        self.all.iter().map(|of| of.bytes.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: PendingEventLimits = PendingEventLimits {
        max_events: 128,
        held: 0,
    };

    #[test]
    fn events_wait_for_the_end_of_their_span_within_limits() {
        let room = TraceMemory::new(1 << 20);
        let mut all = PendingSpanEvents::default();
        let span = SpanId::from_u64;
        for n in 0..200 {
            assert!(all.add(&room, LIMITS, span(1), |out| out.push(n)));
        }
        assert!(all.add(&room, LIMITS, span(2), |out| out.resize(MAX_BYTES, 1)));
        assert!(all.add(&room, LIMITS, span(2), |out| out.push(1)));
        for n in 3..=64 {
            assert!(all.add(&room, LIMITS, span(n), |out| out.push(1)));
        }
        assert!(!all.add(&room, LIMITS, span(65), |out| out.push(1)));
        assert!(all.has(span(1)) && !all.has(span(65)));
        assert_eq!(room.held(), 128 + MAX_BYTES + 62);
        let first = all.take(&room, span(1)).unwrap();
        assert_eq!((first.bytes.len(), first.left_out), (128, 72));
        let second = all.take(&room, span(2)).unwrap();
        assert_eq!((second.bytes.len(), second.left_out), (MAX_BYTES, 1));
        assert!(all.take(&room, span(1)).is_none());
        all.clear(&room);
        assert_eq!((room.held(), all.is_empty()), (0, true));
    }

    #[test]
    fn what_the_monitor_has_no_room_for_is_counted() {
        let room = TraceMemory::new(100);
        let mut all = PendingSpanEvents::default();
        let span = SpanId::from_u64(1);
        assert!(all.add(&room, LIMITS, span, |out| out.extend([1; 60])));
        assert!(all.add(&room, LIMITS, span, |out| out.extend([1; 60])));
        let taken = all.take(&room, span).unwrap();
        assert_eq!((taken.bytes.len(), taken.left_out), (60, 1));
        assert_eq!(room.held(), 0);
    }
}
