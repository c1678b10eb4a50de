use std::sync::Arc;

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Filter, Layer};
use tracing_subscriber::registry::LookupSpan;

use super::traces::Traces;
use super::unique_attributes::UniqueTracer;
use crate::model::{LevelDirectives, is_suppressed};

/// What tracing-opentelemetry's layer gets to see: what ours would make spans of.
#[derive(Debug, Clone)]
pub(crate) struct TracingOtelFilter {
    levels: Arc<LevelDirectives>,
    events: bool,
    traces: Arc<Traces>,
}

impl TracingOtelFilter {
    pub(crate) fn new(levels: Arc<LevelDirectives>, events: bool, traces: Arc<Traces>) -> Self {
        Self {
            levels,
            events,
            traces,
        }
    }

    /// That layer over a provider of ours, with what it does beside and what costs left off.
    pub(crate) fn layer<S>(
        self,
        provider: &SdkTracerProvider,
    ) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        tracing_opentelemetry::layer()
            .with_tracer(UniqueTracer(provider.tracer("tracing-opentelemetry")))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(self)
    }

    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        (metadata.is_span() || self.events) && self.levels.record(metadata)
    }
}

impl<S> Filter<S> for TracingOtelFilter {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        // Two layers of tracing-opentelemetry in one subscriber panic: the service's own stays.
        !is_suppressed() && self.wants(metadata) && self.traces.foreign_otel().is_alone()
    }

    /// An event is for that layer where the operation that its log record names is one of its spans, or where it names
    /// its span. Others are the monitor's layer's: those in a span of the API or of OpenTelemetry inside a `tracing` span.
    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        if !event.is_contextual() {
            return !event.is_root();
        }
        let current = self.traces.current();
        current.is_some_and(|(_, span)| self.traces.sdk_spans().is_of_tracing(span))
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        self.traces.foreign_otel().note_asked();
        if self.wants(metadata) {
            // Asked each time: the thread may be one of ours.
            Interest::sometimes()
        } else {
            Interest::never()
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.levels.max())
    }
}
