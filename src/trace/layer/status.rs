//! What the layer knows about its place in subscribers, for the doctor.

use std::sync::atomic::Ordering::Relaxed;

use tracing::Dispatch;
use tracing::level_filters::LevelFilter;

use super::SpanLayer;
use crate::trace::SpanBackend;

impl SpanLayer {
    /// An event has come, or a question that only a subscriber in use hands on.
    #[inline]
    pub(crate) fn note_heard(&self) {
        if !self.standing.hears_events.load(Relaxed) {
            self.standing.hears_events.store(true, Relaxed);
        }
    }

    /// Looks whether a subscriber that has the layer has one of tracing-opentelemetry that is not this monitor's.
    pub(crate) fn look_for_theirs(&self, subscriber: &Dispatch) {
        if let Some(traces) = &self.traces {
            traces.foreign_otel().look_in(subscriber);
        }
    }

    /// The layer is in a subscriber that has no layer of others.
    pub(crate) fn note_alone(&self) {
        if let Some(traces) = &self.traces {
            traces.foreign_otel().note_layer(false);
        }
    }

    /// Whether a subscriber with the layer in it is or was in use.
    pub(crate) fn is_heard(&self) -> bool {
        self.standing.hears_events.load(Relaxed) || self.standing.hears_spans.load(Relaxed)
    }

    /// Up to which level spans of a target would be recorded, if no span has ever come.
    pub(crate) fn misses(&self, target: &str) -> Option<LevelFilter> {
        let silent = self.traces.is_some() && !self.standing.hears_spans.load(Relaxed);
        silent.then(|| self.levels.level_of(target))
    }

    /// What is wrong between the service's own OpenTelemetry and this monitor: about its provider, and about layers of
    /// tracing-opentelemetry.
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
        } else {
            (theirs && hears && !beside.was_asked()).then_some(
                "`trace.spans` is `tracing-opentelemetry` and its layer is in no subscriber, so `tracing` spans are no part of traces: add `.with(monitor.otel().tracing_layer())` behind `.with(monitor.tracing_layer())`",
            )
        };
        [provider, layer]
    }

    /// The most verbose level of the spans that it wants.
    pub(crate) fn max_level(&self) -> LevelFilter {
        if self.traces.is_some() {
            self.levels.max()
        } else {
            LevelFilter::OFF
        }
    }
}
