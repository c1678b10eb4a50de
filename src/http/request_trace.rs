//! A request as the root of its part of a trace.

use http::{HeaderMap, HeaderValue};

use super::known_headers::KnownHeaders;
use crate::context::Ids;
use crate::model::Sampling;
use crate::trace::{self, Attached, OtelContext};

/// What a request's state keeps for its trace.
#[derive(Debug, Default)]
pub(super) struct RequestTrace {
    /// The decision at its start.
    pub(super) sampling: Sampling,
    /// The caller's `tracestate`.
    pub(super) state: String,
    context: Option<OtelContext>,
}

/// What the caller's `traceparent` says.
pub(super) struct RemoteParent {
    /// Whether its trace goes on here.
    pub(super) continues: bool,
    /// Its flags, where it does.
    pub(super) flags: u8,
    /// A trusted caller's decision.
    pub(super) sampled: Option<bool>,
}

impl RequestTrace {
    /// Begins a request's part of a trace. `caller`: the headers where the trace is the caller's.
    #[inline]
    pub(super) fn begin(
        &mut self,
        sampling: Sampling,
        caller: Option<&HeaderMap>,
        seen: &KnownHeaders<'_>,
    ) {
        self.sampling = sampling;
        if let Some(headers) = caller
            && seen.trace_state.is_some()
        {
            self.keep_state(headers);
        }
    }

    #[cold]
    fn keep_state(&mut self, headers: &HeaderMap) {
        self.state = trace::trace_state(all(headers, "tracestate"));
    }

    /// Makes the request an OpenTelemetry span, unless contexts are left to the service, with the baggage in `headers`.
    #[inline]
    pub(super) fn make_context(
        &mut self,
        ids: Ids,
        headers: Option<&HeaderMap>,
        leaves_span: bool,
    ) {
        if leaves_span {
            self.context = headers.map(|headers| with_baggage(OtelContext::current(), headers));
            return;
        }
        let context = OtelContext::new(ids.trace, ids.span, self.sampling, &self.state);
        self.context = Some(match headers {
            Some(headers) => with_baggage(context, headers),
            None => context,
        });
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

#[cold]
fn with_baggage(context: OtelContext, headers: &HeaderMap) -> OtelContext {
    match trace::baggage(all(headers, "baggage")) {
        Some(baggage) => context.with_baggage(&baggage),
        None => context,
    }
}

/// The values of all headers of a name, in their order.
fn all<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a [u8]> {
    headers.get_all(name).iter().map(HeaderValue::as_bytes)
}
