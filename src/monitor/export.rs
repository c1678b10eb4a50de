//! The receivers that errors, traces and metrics are sent to.

use std::sync::Arc;

use opentelemetry_sdk::Resource;

use crate::clock::Clock;
use crate::config::Config;
use crate::errors::{BeforeSend, ErrorTracker, SentrySetup};
use crate::metrics::Metrics;
use crate::model::{Diagnostics, RecordCounters};
use crate::trace::otlp::push::{self, PushSetup};
use crate::trace::otlp::{self, DecodeSpans};
use crate::trace::{self, ServiceIdentity, TraceExporter};
use crate::worker::RemoteSetup;

/// The parts of a monitor that its receivers share.
pub(super) struct ExportState<'a> {
    pub(super) clock: &'a Clock,
    pub(super) counters: &'a Arc<RecordCounters>,
    pub(super) diagnostics: &'a Arc<Diagnostics>,
}

/// Returns the receiver of captured errors, if the settings name one.
pub(super) fn errors(
    errors: &ErrorTracker,
    config: &Config,
    before_send: Option<BeforeSend>,
    shared: &ExportState<'_>,
) -> Option<RemoteSetup> {
    let (service, settings) = (&config.service, &config.errors);
    let dsn = settings.dsn.clone()?;
    let or = |first: &Option<String>, second: &Option<String>| {
        first.as_ref().or(second.as_ref()).cloned()
    };
    errors.sentry_sink(SentrySetup {
        dsn,
        environment: or(&settings.sentry_environment, &service.environment),
        release: or(&settings.sentry_release, &service.version),
        service: service.name.clone(),
        before_send,
        clock: shared.clock.clone(),
        counters: Arc::clone(shared.counters),
        diagnostics: shared.diagnostics,
    })
}

/// Returns the resource that traces and metrics have in common. An instance that is not set has a random name, so this is
/// called once.
pub(super) fn resource(config: &Config) -> Resource {
    let service = &config.service;
    trace::resource(&ServiceIdentity {
        name: &service.name,
        version: service.version.as_deref(),
        environment: service.environment.as_deref(),
        instance: service.instance.as_deref(),
        attributes: &service.attributes,
    })
}

/// Returns the receiver of traces, if the settings name one; `decode` turns records into spans.
pub(super) fn traces(
    config: &Config,
    resource: &Resource,
    decode: Option<Box<dyn DecodeSpans>>,
    diagnostics: &Diagnostics,
) -> Option<RemoteSetup> {
    let sends = !config.trace.disabled && config.trace.exporter == TraceExporter::Otlp;
    let decode = decode.filter(|_| sends)?;
    otlp::remote(&config.otlp, resource, decode, diagnostics)
}

/// Returns the receiver of metrics, if the settings ask for pushes.
pub(super) fn metrics(
    metrics: &Metrics,
    config: &Config,
    resource: &Resource,
    diagnostics: &Diagnostics,
) -> Option<RemoteSetup> {
    push::remote(&PushSetup {
        config: &config.metrics,
        target: config.otlp.metrics(),
        metrics,
        resource,
        diagnostics,
    })
}
