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

/// The filter of tracing-opentelemetry's layer. It enables what our own layer would record.
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

    /// Returns tracing-opentelemetry's layer over a provider of ours, without its optional features that cost time.
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
        // Two layers of tracing-opentelemetry in one subscriber panic. The service's own takes precedence.
        !is_suppressed() && self.wants(metadata) && self.traces.foreign_otel().is_only_layer()
    }

    /// Enables an event if the operation that its log record names is a span of that layer, or if the event has an
    /// explicit parent. The monitor's own layer records other events, such as those in a span of `Monitor::span` or
    /// OpenTelemetry inside a `tracing` span.
    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        if !event.is_contextual() {
            return !event.is_root();
        }
        let current = self.traces.current();
        current.is_some_and(|(_, span)| self.traces.sdk_spans().is_of_tracing(span))
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        self.traces.foreign_otel().record_filter_use();
        if self.wants(metadata) {
            // The filter must run each time, because the thread may be one of ours.
            Interest::sometimes()
        } else {
            Interest::never()
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.levels.max())
    }
}
