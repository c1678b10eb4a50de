//! The current trace as OpenTelemetry's own context: plain OpenTelemetry spans and propagators find it there.

use opentelemetry::baggage::BaggageExt;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanContext, TraceContextExt, TraceFlags};
use opentelemetry::{Context, ContextGuard};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};

use super::trace_state::otel_state;
use crate::context::Slot;
use crate::model::{Sampling, SpanId, TraceId, catch_panic};

/// A context in which an operation of ours is the current span.
#[derive(Debug, Clone)]
pub(crate) struct OtelContext(Option<Context>);

/// While it lives, the context is the thread's current one.
pub(crate) struct AttachedContext(Option<ContextGuard>);

/// Whether the thread has OpenTelemetry's context, which is a thread local with a destructor.
///
/// It is initialized after that thread local, so it is destroyed before it: once it is gone, the context may be gone
/// too, and touching it panics, which in a destructor of a thread local ends the process.
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

/// Runs code that touches the thread's context. `None` on a thread that is ending and has no context any more.
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
    /// The thread's context, with this operation as its span.
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
        // On a thread that is ending the span stands alone.
        Self(Some(context.flatten().unwrap_or_else(|| {
            span_context.map_or_else(Context::new, |it| {
                Context::new().with_remote_span_context(it)
            })
        })))
    }

    /// No context: those of OpenTelemetry are left to the service.
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// The thread's context; an empty one on a thread that is ending.
    pub(crate) fn current() -> Self {
        Self(with_context(Context::current))
    }

    /// Adds what a caller's `baggage` header says; what is no baggage is ignored.
    #[cold]
    pub(crate) fn with_baggage(self, header: &str) -> Self {
        let Self(Some(context)) = &self else {
            return self;
        };
        let with = BaggagePropagator::new().extract_with_context(context, &BaggageHeader(header));
        // An empty one would be a value for nothing.
        if with.baggage().is_empty() {
            self
        } else {
            Self(Some(with))
        }
    }

    /// Makes it the thread's current context. Does nothing on a thread that is ending.
    #[inline]
    pub(crate) fn attach(&self) -> AttachedContext {
        let context = self.0.as_ref();
        AttachedContext(context.and_then(|it| with_context(|| it.clone().attach())))
    }
}

/// What of a trace goes along with a call to elsewhere.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Propagation {
    pub(crate) trace_context: bool,
    pub(crate) baggage: bool,
}

/// Puts the headers of a call that is the operation `span` in the trace of `slot`, whose flags and `tracestate` go on.
/// With `beside`, a current span of the service's own provider is what goes on, since nobody gets ours.
/// A host that has changed the `tracestate` in its OpenTelemetry context sends what it put there.
pub(super) fn headers(
    slot: &Slot,
    span: SpanId,
    sampling: Sampling,
    carried: Propagation,
    beside: bool,
    put: &mut dyn FnMut(&'static str, &str),
) {
    let context = OtelContext::current().0.unwrap_or_default();
    let is_theirs = || {
        let span = context.span();
        let of = span.span_context();
        of.is_valid() && !of.is_remote()
    };
    if carried.trace_context && beside && is_theirs() {
        // The receiver of the service's provider gets that span, and none gets ours.
        TraceContextPropagator::new().inject_context(&context, &mut HeaderInjector(put));
    } else if carried.trace_context {
        let trace = slot.ids().trace;
        let mut state = slot.trace_state();
        let in_context = context.span();
        let in_context = in_context.span_context();
        if in_context.trace_id() == opentelemetry::TraceId::from(trace.to_u128())
            && *in_context.trace_state() != otel_state(&state)
        {
            state = in_context.trace_state().header();
        }
        // The random flag is sent on and never set here: receivers on opentelemetry-rust before 0.32 take a
        // `traceparent` with the flags `03` for none.
        let text = super::traceparent::text(trace, span, sampling.trace_flags());
        put(
            "traceparent",
            std::str::from_utf8(&text).unwrap_or_default(),
        );
        if !state.is_empty() {
            put("tracestate", &state);
        }
    }
    if carried.baggage {
        BaggagePropagator::new().inject_context(&context, &mut HeaderInjector(put));
    }
}

/// A carrier that hands headers on.
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

/// The ids and flags of the current span of the service's own provider.
#[cold]
pub(crate) fn their_current_span() -> Option<(TraceId, SpanId, u8)> {
    let look = |context: &Context| {
        let span = context.span();
        let of = span.span_context();
        (of.is_valid() && !of.is_remote()).then(|| {
            (
                trace_id(of.trace_id()),
                span_id(of.span_id()),
                of.trace_flags().to_u8(),
            )
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

/// The ids of the thread's current OpenTelemetry span, if there is one.
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
