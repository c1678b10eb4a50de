//! The process-wide hooks, each taken only if nobody has it.

use opentelemetry::propagation::{TextMapCompositePropagator, TextMapPropagator};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use tracing_subscriber::layer::SubscriberExt;

use super::handle::Monitor;
use crate::config::Propagators;
use crate::logs;

/// Installs the monitor's subscriber, recorder and propagator; what was taken already is told.
pub(super) fn install(monitor: &Monitor) -> Vec<String> {
    let taken = [
        subscriber(monitor),
        recorder(monitor),
        propagator(monitor.inner.propagators),
        provider(monitor),
        log_bridge(),
        errors(monitor),
    ];
    taken.into_iter().flatten().collect()
}

fn subscriber(monitor: &Monitor) -> Option<String> {
    let subscriber = tracing_subscriber::registry().with(monitor.tracing_layer());
    let set = match monitor.otel().tracing_layer() {
        Some(theirs) => tracing::subscriber::set_global_default(subscriber.with(theirs)),
        None => tracing::subscriber::set_global_default(subscriber),
    };
    let taken = set.is_err();
    taken.then(|| {
        "a `tracing` subscriber was set before: its events become lines once you add `.with(monitor.tracing_layer())` to it".to_owned()
    })
}

fn recorder(monitor: &Monitor) -> Option<String> {
    let taken = metrics::set_global_recorder(monitor.metrics().recorder()).is_err();
    taken.then(|| {
        "a `metrics` recorder was set before: join its page to ours with `monitor.metrics().join_page(..)`".to_owned()
    })
}

/// Sets the propagators that the settings name; none where they name none.
fn propagator(wanted: Propagators) -> Option<String> {
    if !wanted.trace_context && !wanted.baggage {
        return None;
    }
    let taken = opentelemetry::global::get_text_map_propagator(|set| set.fields().next().is_some());
    if taken {
        return Some(
            "an OpenTelemetry propagator was set before and stays: outgoing calls carry what it writes"
                .to_owned(),
        );
    }
    let mut all: Vec<Box<dyn TextMapPropagator + Send + Sync>> = Vec::new();
    if wanted.trace_context {
        all.push(Box::new(TraceContextPropagator::new()));
    }
    if wanted.baggage {
        all.push(Box::new(BaggagePropagator::new()));
    }
    opentelemetry::global::set_text_map_propagator(TextMapCompositePropagator::new(all));
    None
}

/// OpenTelemetry has no way to ask for the global provider, but the one that nobody set makes no valid span.
fn provider(monitor: &Monitor) -> Option<String> {
    use opentelemetry::trace::{Span, Tracer};
    let probe = opentelemetry::global::tracer("watchpost").start("probe");
    if probe.span_context().is_valid() {
        return Some(
            "an OpenTelemetry tracer provider was set before and stays: its spans join no trace of ours; take tracers from `monitor.otel().tracer_provider()`"
                .to_owned(),
        );
    }
    opentelemetry::global::set_tracer_provider(monitor.otel().tracer_provider());
    None
}

fn log_bridge() -> Option<String> {
    let installed = logs::install_log_bridge();
    (!installed).then(|| {
        "a `log` logger was set before: records of the `log` crate become log records here only if that logger turns them into `tracing` events, as the one of tracing-subscriber's `init()` does".to_owned()
    })
}

fn errors(monitor: &Monitor) -> Option<String> {
    let first = monitor.inner.errors.install();
    (!first).then(|| {
        "another monitor captures panics and errors outside requests: use `monitor.capture_error(..)` for this one's".to_owned()
    })
}
