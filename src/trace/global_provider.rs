//! OpenTelemetry's global provider, which leads to one monitor after the other.

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

/// Nobody else asks for a tracer of this name.
const PROBE: &str = "watchpost probe";

static INSTALLED: OnceLock<Arc<GlobalSlot<SdkTracerProvider>>> = OnceLock::new();

thread_local! {
    /// Whether ours was asked for the probe's tracer.
    static ASKED: Cell<bool> = const { Cell::new(false) };
}

/// Makes a monitor's provider the global one, unless another monitor that is at work or somebody else has it.
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

/// Whether the global provider is somebody else's. What the service takes from this crate and sets itself counts as that.
pub(super) fn has_foreign_provider() -> bool {
    crate::model::catch_panic(who) == Some(ProviderOwner::Foreign)
}

/// Whose the global provider is. OpenTelemetry has no way to ask. Where nobody set one, a span has its parent's ids; the
/// SDK makes none where telemetry is suppressed, so that neither its sampler nor its processors hear of the question. The
/// parent is not sampled, for a provider that does not know of that.
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

/// OpenTelemetry writes an event that a provider was set: it is no event of the host's.
fn set(provider: GlobalProvider) {
    let set = || global::set_tracer_provider(provider);
    if tracing::dispatcher::has_been_set() {
        tracing::dispatcher::with_default(&Dispatch::none(), set);
    } else {
        // There is nobody to hear of it, and a subscriber of this thread's would end that for good.
        set();
    }
}

/// The provider that stays.
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

/// A tracer of the monitor that has the provider when a span starts.
struct GlobalTracer {
    tracer: SdkTracer,
    scope: InstrumentationScope,
    /// How often the provider had changed when the tracer was made.
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
