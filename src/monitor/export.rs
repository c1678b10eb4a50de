//! The receivers that errors and traces are sent to.

use std::sync::Arc;

use crate::clock::Clock;
use crate::config::Config;
use crate::errors::{BeforeSend, ErrorTracker, SentrySetup};
use crate::model::{Diagnostics, RecordCounters};
use crate::trace::otlp::{self, DecodeSpans};
use crate::trace::{ServiceIdentity, TraceExporter, resource};
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

/// Returns the receivers of traces that the settings name; `decode` turns records into spans.
pub(super) fn remotes(
    config: &Config,
    decode: Option<Box<dyn DecodeSpans>>,
    diagnostics: &Diagnostics,
) -> Vec<RemoteSetup> {
    let sends = !config.trace.disabled && config.trace.exporter == TraceExporter::Otlp;
    let Some(decode) = decode.filter(|_| sends) else {
        return Vec::new();
    };
    let service = &config.service;
    let resource = resource(&ServiceIdentity {
        name: &service.name,
        version: service.version.as_deref(),
        environment: service.environment.as_deref(),
        instance: service.instance.as_deref(),
        attributes: &service.attributes,
    });
    let traces = otlp::remote(&config.otlp, &resource, decode, diagnostics);
    traces.into_iter().collect()
}
