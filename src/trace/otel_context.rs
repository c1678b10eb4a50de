//! The current trace as an OpenTelemetry context, where plain OpenTelemetry spans and propagators find it.

use opentelemetry::baggage::BaggageExt;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanContext, TraceContextExt, TraceFlags};
use opentelemetry::{Context, ContextGuard};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};

use super::config::Propagators;
use super::trace_state::otel_state;
use crate::context::Slot;
use crate::model::{Sampling, SpanId, TraceId, catch_panic};

/// A context in which an operation of this crate is the current span.
#[derive(Debug, Clone)]
pub(crate) struct OtelContext(Option<Context>);

/// A guard that keeps a context attached to the thread.
pub(crate) struct AttachedContext(Option<ContextGuard>);

/// A thread local that shows whether OpenTelemetry's context, a thread local with a destructor, is still usable.
///
/// It is initialized after OpenTelemetry's thread local and so destroyed before it. Once it is gone, the context may be
/// gone too. Accessing the context then panics, which aborts the process inside a destructor of a thread local.
struct ContextAlive(bool);

thread_local! {
    static HAS_CONTEXT: ContextAlive = ContextAlive(catch_panic(|| Context::map_current(|_| ())).is_some());
}

impl Drop for ContextAlive {
    fn drop(&mut self) {
        self.0 = false;
    }
}

#[inline]
fn has_context() -> bool {
    HAS_CONTEXT.try_with(|has| has.0).unwrap_or(false)
}

/// Runs code that accesses the thread's context. Returns `None` on a thread that is ending and has no context any more.
#[inline]
fn with_context<R>(work: impl FnOnce() -> R) -> Option<R> {
    if has_context() {
        catch_panic(work)
    } else {
        None
    }
}

impl Drop for AttachedContext {
    #[inline]
    fn drop(&mut self) {
        let Some(guard) = self.0.take() else { return };
        if has_context() {
            catch_panic(|| drop(guard));
        } else {
            forget(guard);
        }
    }
}

#[cold]
#[expect(clippy::mem_forget, reason = "its drop would panic")]
fn forget(guard: ContextGuard) {
    std::mem::forget(guard);
}

impl OtelContext {
    /// Returns the thread's context with this operation as its span.
    #[inline]
    pub(crate) fn new(trace: TraceId, span: SpanId, sampling: Sampling, trace_state: &str) -> Self {
        let span_context = SpanContext::new(
            trace.to_u128().into(),
            span.to_u64().into(),
            TraceFlags::new(sampling.trace_flags()),
            false,
            otel_state(trace_state),
        );
        let mut span_context = Some(span_context);
        let context = with_context(|| {
            let span_context = span_context.take()?;
            Some(Context::map_current(|context| {
                context.with_remote_span_context(span_context)
            }))
        });
        // On a thread that is ending, the context contains only the span.
        Self(Some(context.flatten().unwrap_or_else(|| {
            span_context.map_or_else(Context::new, |it| {
                Context::new().with_remote_span_context(it)
            })
        })))
    }

    /// Returns no context, because OpenTelemetry's contexts belong to the service.
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// Returns the thread's context, or an empty one on a thread that is ending.
    pub(crate) fn current() -> Self {
        Self(with_context(Context::current))
    }

    /// Adds the members of a caller's `baggage` header. Invalid members are ignored.
    #[cold]
    pub(crate) fn with_baggage(self, header: &str) -> Self {
        let Self(Some(context)) = &self else {
            return self;
        };
        let with = BaggagePropagator::new().extract_with_context(context, &BaggageHeader(header));
        // Empty baggage is not stored in the context.
        if with.baggage().is_empty() {
            self
        } else {
            Self(Some(with))
        }
    }

    /// Makes this the thread's current context. Does nothing on a thread that is ending.
    #[inline]
    pub(crate) fn attach(&self) -> AttachedContext {
        let context = self.0.as_ref();
        AttachedContext(context.and_then(|it| with_context(|| it.clone().attach())))
    }
}

/// Puts the headers of an outgoing call, which is the operation `span` in the trace of `slot`. The trace's flags and
/// `tracestate` are propagated.
///
/// With `prefers_foreign`, a current span of the service's own provider is propagated instead, since our spans are not
/// exported.
/// If the host changed the `tracestate` in its OpenTelemetry context, that one is sent.
pub(super) fn headers(
    slot: &Slot,
    span: SpanId,
    sampling: Sampling,
    propagators: Propagators,
    prefers_foreign: bool,
    put: &mut dyn FnMut(&'static str, &str),
) {
    let context = OtelContext::current().0.unwrap_or_default();
    let is_theirs = || {
        let span = context.span();
        let of = span.span_context();
        of.is_valid() && !of.is_remote()
    };
    if propagators.trace_context && prefers_foreign && is_theirs() {
        // Only the service's provider exports spans, so the header must name its span.
        TraceContextPropagator::new().inject_context(&context, &mut HeaderInjector(put));
    } else if propagators.trace_context {
        let trace = slot.ids().trace;
        let mut state = slot.trace_state();
        let in_context = context.span();
        let in_context = in_context.span_context();
        if in_context.trace_id() == opentelemetry::TraceId::from(trace.to_u128())
            && *in_context.trace_state() != otel_state(&state)
        {
            state = in_context.trace_state().header();
        }
        // The random flag is propagated but never set here: opentelemetry-rust before 0.32 ignores a `traceparent`
        // with the flags `03`.
        let text = super::traceparent::text(trace, span, sampling.trace_flags());
        put(
            "traceparent",
            std::str::from_utf8(&text).unwrap_or_default(),
        );
        if !state.is_empty() {
            put("tracestate", &state);
        }
    }
    if propagators.baggage {
        BaggagePropagator::new().inject_context(&context, &mut HeaderInjector(put));
    }
}

/// A carrier that passes headers to a function.
struct HeaderInjector<'a>(&'a mut dyn FnMut(&'static str, &str));

impl Injector for HeaderInjector<'_> {
    fn set(&mut self, key: &str, value: String) {
        let names = ["baggage", "traceparent", "tracestate"];
        if let Some(name) = names.into_iter().find(|name| *name == key)
            && !value.is_empty()
        {
            (self.0)(name, &value);
        }
    }
}

/// A carrier with one header.
struct BaggageHeader<'a>(&'a str);

impl Extractor for BaggageHeader<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == "baggage").then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec!["baggage"]
    }
}

/// The span of another provider.
pub(crate) struct ForeignSpan {
    pub(crate) trace: TraceId,
    pub(crate) span: SpanId,
    pub(crate) flags: u8,
}

/// Returns the current span of the service's own provider.
#[cold]
pub(crate) fn foreign_current_span() -> Option<ForeignSpan> {
    let look = |context: &Context| {
        let span = context.span();
        let of = span.span_context();
        (of.is_valid() && !of.is_remote()).then(|| ForeignSpan {
            trace: trace_id(of.trace_id()),
            span: span_id(of.span_id()),
            flags: of.trace_flags().to_u8(),
        })
    };
    with_context(|| Context::map_current(look)).flatten()
}

pub(super) fn trace_id(id: opentelemetry::TraceId) -> TraceId {
    TraceId::from_u128(u128::from_be_bytes(id.to_bytes()))
}

pub(super) fn span_id(id: opentelemetry::SpanId) -> SpanId {
    SpanId::from_u64(u64::from_be_bytes(id.to_bytes()))
}

/// Returns the IDs of the thread's current OpenTelemetry span, if there is one.
pub(super) fn current_span() -> Option<(TraceId, SpanId)> {
    let look = |context: &Context| {
        let span = context.span();
        let of = span.span_context();
        of.is_valid()
            .then(|| (trace_id(of.trace_id()), span_id(of.span_id())))
    };
    with_context(|| Context::map_current(look)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_current_while_it_is_attached() {
        let (trace, span) = (TraceId::from_u128(5), SpanId::from_u64(6));
        let context =
            OtelContext::new(trace, span, Sampling::own(true), "a=1,b=2").with_baggage("user=7");
        {
            let _attached = context.attach();
            assert_eq!(current_span(), Some((trace, span)));
            let seen = Context::current();
            let of = seen.span().span_context().clone();
            assert!(of.is_sampled() && !of.is_remote());
            assert_eq!(of.trace_state().header(), "a=1,b=2");
            assert_eq!(
                seen.baggage()
                    .get("user")
                    .map(opentelemetry::StringValue::as_str),
                Some("7")
            );
        }
        assert_eq!(current_span(), None);
    }
}
