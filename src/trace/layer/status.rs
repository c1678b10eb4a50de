//! The state of the layer within its subscribers, for the doctor.

use std::sync::atomic::Ordering::Relaxed;

use tracing::Dispatch;
use tracing::level_filters::LevelFilter;

use super::SpanLayer;
use crate::trace::SpanBackend;

/// Sentences about conflicts with the service's own OpenTelemetry setup.
#[derive(Debug, Default)]
pub(crate) struct OtelConflicts {
    /// About a provider.
    pub(crate) provider: Option<&'static str>,
    /// About layers of tracing-opentelemetry.
    pub(crate) layer: Option<&'static str>,
}

impl SpanLayer {
    /// Records that the layer received an event, or a callback that only a subscriber in use forwards.
    #[inline]
    pub(crate) fn record_in_use(&self) {
        if !self.activity.has_received_events.load(Relaxed) {
            self.activity.has_received_events.store(true, Relaxed);
        }
    }

    /// Checks whether a subscriber with this layer also has a foreign layer of tracing-opentelemetry.
    pub(crate) fn probe_subscriber(&self, subscriber: &Dispatch) {
        if let Some(traces) = &self.traces {
            traces.foreign_otel().probe_subscriber(subscriber);
        }
    }

    /// Records that the layer's subscriber has no foreign layer.
    pub(crate) fn record_no_other_layer(&self) {
        if let Some(traces) = &self.traces {
            traces.foreign_otel().record_probe(Some(false));
        }
    }

    /// Whether a subscriber with this layer is or was in use.
    pub(crate) fn is_in_use(&self) -> bool {
        self.activity.has_received_events.load(Relaxed)
            || self.activity.has_received_spans.load(Relaxed)
    }

    /// Returns the maximum level at which spans of a target would be recorded, if the layer never received a span.
    pub(crate) fn level_without_spans(&self, target: &str) -> Option<LevelFilter> {
        let silent = self.traces.is_some() && !self.activity.has_received_spans.load(Relaxed);
        silent.then(|| self.levels.level_of(target))
    }

    /// Returns the conflicts between the service's own OpenTelemetry setup and this monitor.
    pub(crate) fn otel_conflicts(&self) -> OtelConflicts {
        let Some(foreign) = self.traces.as_ref().map(|traces| traces.foreign_otel()) else {
            return OtelConflicts::default();
        };
        let provider = foreign.has_separate_provider().then_some(
            "the service has an OpenTelemetry provider of its own that was not joined: its spans go to its exporter, complete and by its sampler, with trace IDs that are not those of the requests here, and they are no part of this monitor's traces: build it with `monitor.otel().join(builder, sampler)`, or use `monitor.otel().tracer_provider()` in its place",
        );
        let uses_otel_layer = self.spans == SpanBackend::TracingOpentelemetry;
        let has_spans = self.activity.has_received_spans.load(Relaxed);
        let layer = if foreign.has_layer() {
            (uses_otel_layer && !foreign.is_joined()).then_some(
                "the subscriber has a layer of tracing-opentelemetry of the service's own, and a span takes the data of one alone: `monitor.otel().tracing_layer()` stepped aside, and the monitor's own layer makes the spans of its traces: remove one of the two, or build the service's provider with `monitor.otel().join(builder, sampler)`",
            )
        } else if foreign.probe_panicked() {
            uses_otel_layer.then_some(
                "`trace.spans` is `tracing-opentelemetry` and its layer records no spans, because a layer of the subscriber panicked in `on_follows_from` when this monitor looked for a second layer of tracing-opentelemetry, beside which each span would panic: correct that layer, or choose `trace.spans = \"watchpost\"`",
            )
        } else {
            (uses_otel_layer && has_spans && !foreign.is_filter_in_use()).then_some(
                "`trace.spans` is `tracing-opentelemetry` and its layer is in no subscriber, so `tracing` spans are no part of traces: add `.with(monitor.otel().tracing_layer())` behind `.with(monitor.tracing_layer())`",
            )
        };
        OtelConflicts { provider, layer }
    }

    /// Returns the most verbose level of the spans that the layer records.
    pub(crate) fn max_level(&self) -> LevelFilter {
        if self.traces.is_some() {
            self.levels.max()
        } else {
            LevelFilter::OFF
        }
    }
}
