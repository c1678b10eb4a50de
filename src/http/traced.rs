//! A request as the root of its part of a trace.

use super::seen::Seen;
use crate::request::Ids;
use crate::trace::{Attached, OtelContext, Traces, baggage, trace_state};

/// What a request's state keeps for its trace.
#[derive(Debug, Default)]
pub(super) struct Traced {
    /// Chosen at its start.
    pub(super) head: bool,
    /// A trusted caller keeps its part of the trace.
    pub(super) parent: bool,
    /// The caller's `tracestate`.
    pub(super) state: String,
    context: Option<OtelContext>,
}

impl Traced {
    /// Begins a request's part. `continues`: the trace is the caller's; `sampled`: a trusted caller keeps it.
    #[inline]
    pub(super) fn begin(
        &mut self,
        traces: &Traces,
        ids: Ids,
        seen: &Seen<'_>,
        (continues, sampled): (bool, bool),
    ) {
        self.head = traces.chooses(ids.trace, ids.route);
        self.parent = sampled && traces.asks_parent();
        if continues && seen.trace_state.is_some() {
            self.keep_state(seen);
        }
        let flag = self.head || self.parent;
        let context = OtelContext::new(ids.trace, ids.span, flag, &self.state);
        self.context = Some(match seen.baggage {
            Some(value) if continues => match baggage(value.as_bytes()) {
                Some(baggage) => context.with_baggage(baggage),
                None => context,
            },
            _ => context,
        });
    }

    #[cold]
    fn keep_state(&mut self, seen: &Seen<'_>) {
        let state = seen
            .trace_state
            .and_then(|value| trace_state(value.as_bytes()));
        self.state.push_str(state.unwrap_or_default());
    }

    /// Makes the request the thread's current OpenTelemetry span.
    #[inline]
    pub(super) fn attach(&self) -> Option<Attached> {
        self.context.as_ref().map(OtelContext::attach)
    }

    /// Forgets the request.
    #[inline]
    pub(super) fn clear(&mut self) {
        self.state.clear();
        self.context = None;
    }
}
