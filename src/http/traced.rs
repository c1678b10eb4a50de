//! A request as the root of its part of a trace.

use http::HeaderValue;

use crate::request::Ids;
use crate::trace::{self, Attached, OtelContext, Traces};

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
        (state, baggage): (Option<&HeaderValue>, Option<&HeaderValue>),
        (continues, sampled): (bool, bool),
    ) {
        self.head = traces.chooses(ids.trace, ids.route);
        self.parent = sampled && traces.asks_parent();
        if let Some(state) = state.filter(|_| continues) {
            self.keep_state(state);
        }
        let flag = self.head || self.parent;
        let context = OtelContext::new(ids.trace, ids.span, flag, &self.state);
        let baggage = baggage.filter(|_| continues);
        self.context = Some(match baggage.and_then(|it| trace::baggage(it.as_bytes())) {
            Some(baggage) => context.with_baggage(baggage),
            None => context,
        });
    }

    #[cold]
    fn keep_state(&mut self, value: &HeaderValue) {
        let state = trace::trace_state(value.as_bytes());
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
