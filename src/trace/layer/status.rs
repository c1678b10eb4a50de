//! The state of the layer within its subscribers, for the doctor.

use std::sync::atomic::Ordering::Relaxed;

use tracing::Dispatch;
use tracing::level_filters::LevelFilter;

use super::SpanLayer;
use crate::trace::SpanBackend;

impl SpanLayer {
    /// Records that the layer received an event, or a callback that only a subscriber in use forwards.
    #[inline]
    pub(crate) fn note_heard(&self) {
        if !self.standing.hears_events.load(Relaxed) {
            self.standing.hears_events.store(true, Relaxed);
        }
    }

    /// Checks whether a subscriber with this layer also has a foreign layer of tracing-opentelemetry.
    pub(crate) fn look_for_theirs(&self, subscriber: &Dispatch) {
        if let Some(traces) = &self.traces {
            traces.foreign_otel().look_in(subscriber);
        }
    }

    /// Records that the layer's subscriber has no foreign layer.
    pub(crate) fn note_alone(&self) {
        if let Some(traces) = &self.traces {
            traces.foreign_otel().note_layer(Some(false));
        }
    }

    /// Whether a subscriber with this layer is or was in use.
    pub(crate) fn is_heard(&self) -> bool {
        self.standing.hears_events.load(Relaxed) || self.standing.hears_spans.load(Relaxed)
    }

    /// Returns the maximum level at which spans of a target would be recorded, if the layer never received a span.
    pub(crate) fn misses(&self, target: &str) -> Option<LevelFilter> {
        let silent = self.traces.is_some() && !self.standing.hears_spans.load(Relaxed);
        silent.then(|| self.levels.level_of(target))
    }

    /// Returns the conflicts between the service's own OpenTelemetry setup and this monitor: first about its provider,
    /// then about layers of tracing-opentelemetry.
    pub(crate) fn besides(&self) -> [Option<&'static str>; 2] {
        let Some(beside) = self.traces.as_ref().map(|traces| traces.foreign_otel()) else {
            return [None, None];
        };
        let provider = beside.misses_spans().then_some(
            "the service has an OpenTelemetry provider of its own that was not joined: its spans go to its exporter, complete and by its sampler, with trace IDs that are not those of the requests here, and they are no part of this monitor's traces: build it with `monitor.otel().join(builder, sampler)`, or use `monitor.otel().tracer_provider()` in its place",
        );
        let theirs = self.spans == SpanBackend::TracingOpentelemetry;
        let hears = self.standing.hears_spans.load(Relaxed);
        let layer = if beside.has_layer() {
            (theirs && !beside.is_joined()).then_some(
                "the subscriber has a layer of tracing-opentelemetry of the service's own, and a span takes the data of one alone: `monitor.otel().tracing_layer()` stepped aside, and the monitor's own layer makes the spans of its traces: remove one of the two, or build the service's provider with `monitor.otel().join(builder, sampler)`",
            )
        } else if beside.has_probe_panicked() {
            theirs.then_some(
                "`trace.spans` is `tracing-opentelemetry` and its layer records no spans, because a layer of the subscriber panicked in `on_follows_from` when this monitor looked for a second layer of tracing-opentelemetry, beside which each span would panic: correct that layer, or choose `trace.spans = \"watchpost\"`",
            )
        } else {
            (theirs && hears && !beside.was_asked()).then_some(
                "`trace.spans` is `tracing-opentelemetry` and its layer is in no subscriber, so `tracing` spans are no part of traces: add `.with(monitor.otel().tracing_layer())` behind `.with(monitor.tracing_layer())`",
            )
        };
        [provider, layer]
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
