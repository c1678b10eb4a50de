//! OpenTelemetry's global provider, which forwards to the monitor that currently owns it.

use std::cell::Cell;
use std::sync::{Arc, OnceLock};

use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState,
    Tracer, TracerProvider,
};
use opentelemetry::{Context, InstrumentationScope, global};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, Span};
use tracing::Dispatch;

use crate::model::{ClaimResult, GlobalSlot, MonitorLifetime};

/// The name of the probe's tracer, which nothing else uses.
const PROBE: &str = "watchpost probe";

static INSTALLED: OnceLock<Arc<GlobalSlot<SdkTracerProvider>>> = OnceLock::new();

thread_local! {
    /// Whether this crate's global provider received the request for the probe's tracer.
    static ASKED: Cell<bool> = const { Cell::new(false) };
}

/// Makes a monitor's provider the global one, unless another active monitor owns it or it is foreign.
pub(crate) fn install_provider(provider: SdkTracerProvider, life: &MonitorLifetime) -> ClaimResult {
    let who = who();
    if who == ProviderOwner::Foreign {
        return ClaimResult::Foreign;
    }
    let mut taken = ClaimResult::Claimed;
    let mut provider = Some(provider);
    let installed = INSTALLED.get_or_init(|| {
        let first = provider.take().unwrap_or_default();
        Arc::new(GlobalSlot::new(first, life.clone()))
    });
    if let Some(provider) = provider {
        taken = installed.claim(provider, life);
    }
    if who == ProviderOwner::NotSet {
        set(GlobalProvider(Arc::clone(installed)));
    }
    taken
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ProviderOwner {
    NotSet,
    Own,
    Foreign,
}

/// Whether the global provider is foreign. A provider that the service takes from this crate and sets itself counts as
/// foreign.
pub(super) fn has_foreign_provider() -> bool {
    crate::model::catch_panic(who) == Some(ProviderOwner::Foreign)
}

/// Determines the owner of the global provider. OpenTelemetry has no API for this, so a span is started as a probe. If
/// no provider is set, the span has its parent's IDs. Telemetry is suppressed, so the SDK creates no span and calls
/// neither its sampler nor its processors. The parent is not sampled, for providers that ignore the suppression.
fn who() -> ProviderOwner {
    ASKED.set(false);
    let tracer = global::tracer(PROBE);
    if ASKED.get() {
        return ProviderOwner::Own;
    }
    let parent = SpanContext::new(
        TraceId::from(1),
        SpanId::from(1),
        TraceFlags::default(),
        true,
        TraceState::NONE,
    );
    let context = Context::new().with_remote_span_context(parent.clone());
    let builder = SpanBuilder::from_name(PROBE);
    let span = tracer.build_with_context(builder, &context.with_telemetry_suppressed());
    if *span.span_context() == parent {
        ProviderOwner::NotSet
    } else {
        ProviderOwner::Foreign
    }
}

/// Sets the global provider without a subscriber: OpenTelemetry emits an event for this, which is not the host's.
fn set(provider: GlobalProvider) {
    let set = || global::set_tracer_provider(provider);
    if tracing::dispatcher::has_been_set() {
        tracing::dispatcher::with_default(&Dispatch::none(), set);
    } else {
        // No subscriber is set, so nothing receives the event. Setting one for this thread would permanently end that
        // state.
        set();
    }
}

/// The permanent global provider, which forwards to the current monitor.
struct GlobalProvider(Arc<GlobalSlot<SdkTracerProvider>>);

impl TracerProvider for GlobalProvider {
    type Tracer = GlobalTracer;

    fn tracer_with_scope(&self, scope: InstrumentationScope) -> GlobalTracer {
        if scope.name() == PROBE {
            ASKED.set(true);
        }
        let changes = self.0.changes();
        GlobalTracer {
            tracer: self.0.with(|it| it.tracer_with_scope(scope.clone())),
            scope,
            changes,
            providers: Arc::clone(&self.0),
        }
    }
}

/// A tracer of the monitor that owns the provider when a span starts.
struct GlobalTracer {
    tracer: SdkTracer,
    scope: InstrumentationScope,
    /// The number of provider changes when the tracer was created.
    changes: u32,
    providers: Arc<GlobalSlot<SdkTracerProvider>>,
}

impl Tracer for GlobalTracer {
    type Span = Span;

    #[inline]
    fn build_with_context(&self, builder: SpanBuilder, parent: &Context) -> Span {
        if self.changes == self.providers.changes() {
            return self.tracer.build_with_context(builder, parent);
        }
        self.of_now().build_with_context(builder, parent)
    }
}

impl GlobalTracer {
    #[cold]
    fn of_now(&self) -> SdkTracer {
        self.providers
            .with(|it| it.tracer_with_scope(self.scope.clone()))
    }
}
