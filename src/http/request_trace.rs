//! The request as the root of this service's part of a trace.

use http::{HeaderMap, HeaderValue};

use super::known_headers::KnownHeaders;
use crate::context::OperationIds;
use crate::model::Sampling;
use crate::trace::{self, AttachedContext, OtelContext};

/// The trace of a request.
#[derive(Debug, Default)]
pub(super) struct RequestTrace {
    /// The sampling decision, made when the request starts.
    pub(super) sampling: Sampling,
    /// The caller's `tracestate`.
    pub(super) state: String,
    context: Option<OtelContext>,
}

/// The caller's span, as its `traceparent` has it.
pub(super) struct RemoteParent {
    /// Whether its trace is continued here.
    pub(super) is_continued: bool,
    /// Its flags, if the trace is continued.
    pub(super) flags: u8,
    /// The sampling decision of a trusted caller.
    pub(super) sampled: Option<bool>,
}

impl RequestTrace {
    /// Starts a trace, or continues the caller's, whose `headers` are then given.
    #[inline]
    pub(super) fn start(
        &mut self,
        sampling: Sampling,
        headers: Option<&HeaderMap>,
        known: &KnownHeaders<'_>,
    ) {
        self.sampling = sampling;
        if let Some(headers) = headers
            && known.trace_state.is_some()
        {
            self.copy_state(headers);
        }
    }

    #[cold]
    fn copy_state(&mut self, headers: &HeaderMap) {
        self.state = trace::trace_state(all(headers, "tracestate"));
    }

    /// Makes an OpenTelemetry context with the request as its span, unless the service's own provider does, and with the
    /// baggage in `headers`.
    #[inline]
    pub(super) fn make_context(
        &mut self,
        ids: OperationIds,
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

    /// Makes the request's context the thread's current one.
    #[inline]
    pub(super) fn attach(&self) -> Option<AttachedContext> {
        self.context.as_ref().map(OtelContext::attach)
    }

    /// Forgets the trace.
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
