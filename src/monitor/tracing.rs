//! The tracing parts of a monitor: recording, keeping and sending traces.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry_sdk::Resource;

use super::export;
use crate::clock::Clock;
use crate::config::Config;
use crate::context::Requests;
use crate::error::{Error, Result};
use crate::model::Diagnostics;
use crate::model::LevelDirectives;
use crate::otel::Otel;
use crate::trace::otlp::DecodeSpans;
use crate::trace::{
    KeptTracesProcessor, RecentTraces, SpanBackend, SpanDecoder, SpanLayer, SpanLayerConfig,
    TraceStore, TraceStoreSetup, Traces, TracingOtelFilter,
};
use crate::worker::{PeriodicTask, RecordProcessor, RecordQueue, RemoteSetup, Worker};

/// The interval between checks for traces that are open for too long.
const EVERY: Duration = Duration::from_secs(5);

/// The tracing parts of a monitor.
pub(super) struct Tracing {
    /// `None` if spans are not recorded.
    pub(super) traces: Option<Arc<Traces>>,
    pub(super) layer: Arc<SpanLayer>,
    pub(super) recent: Arc<RecentTraces>,
    /// `None` without a data directory, or if no traces are stored.
    pub(super) store: Option<TraceStore>,
    pub(super) otel: Otel,
    clock: Clock,
}

impl Tracing {
    pub(super) fn new(
        config: &Config,
        requests: &Arc<Requests>,
        record_queue: &Arc<RecordQueue>,
        diagnostics: &Arc<Diagnostics>,
        data_dir: Option<&Path>,
    ) -> Result<Self> {
        let trace = &config.trace;
        let clock = requests.clock().clone();
        let traces =
            (!trace.disabled).then(|| Arc::new(Traces::new(trace, requests, record_queue)));
        let levels =
            LevelDirectives::parse(&trace.level).map_err(|problem| Error::config(vec![problem]))?;
        let levels = Arc::new(levels);
        let layer = SpanLayer::new(
            Arc::clone(requests),
            traces.clone(),
            SpanLayerConfig {
                levels: Arc::clone(&levels),
                backend: trace.spans,
                events: trace.events,
            },
        );
        let theirs = traces
            .clone()
            .filter(|_| trace.spans == SpanBackend::TracingOpentelemetry)
            .map(|traces| TracingOtelFilter::new(levels, trace.events, traces));
        let store = data_dir
            .filter(|_| traces.is_some() && trace.max_stored_bytes > 0)
            .map(|data_dir| {
                TraceStore::new(TraceStoreSetup {
                    path: data_dir.join("traces"),
                    max_bytes: trace.max_stored_bytes as u64,
                    clock: clock.clone(),
                    limits: trace.limits,
                    record_queue: Arc::clone(record_queue),
                    diagnostics: Arc::clone(diagnostics),
                })
            });
        Ok(Self {
            store,
            otel: Otel::new(traces.as_ref(), theirs),
            traces,
            layer: Arc::new(layer),
            recent: Arc::new(RecentTraces::new(
                trace.recent_bytes,
                clock.clone(),
                trace.limits,
            )),
            clock,
        })
    }

    /// Returns the processor that keeps traces in memory and in the data directory, if spans are recorded.
    pub(super) fn tap(&self) -> Option<Box<dyn RecordProcessor>> {
        let processor = KeptTracesProcessor {
            recent: Arc::clone(&self.recent),
            store: self.store.clone(),
        };
        self.traces.as_ref().map(|_| Box::new(processor) as Box<_>)
    }

    /// Sets the deadlines by which searches of the stored traces end.
    pub(super) fn set_deadlines(&self, worker: &Worker) {
        if let Some(store) = &self.store {
            store.set_deadlines(worker.deadlines());
        }
    }

    pub(super) fn tick(&self) -> Option<PeriodicTask> {
        let traces = self.traces.clone()?;
        Some(PeriodicTask::new(EVERY, move || traces.tick()))
    }

    /// Returns the receiver of kept traces, if there is one.
    pub(super) fn remote(
        &self,
        config: &Config,
        resource: &Resource,
        diagnostics: &Diagnostics,
    ) -> Option<RemoteSetup> {
        let remote = export::traces(config, resource, self.decoder(config), diagnostics)?;
        if let Some(traces) = &self.traces {
            traces.sender().set_exported();
        }
        Some(remote)
    }

    /// Returns the decoder that converts records to OpenTelemetry spans.
    fn decoder(&self, config: &Config) -> Option<Box<dyn DecodeSpans>> {
        let decoder = || SpanDecoder::new(self.clock.clone(), config.trace.limits);
        self.traces.as_ref().map(|_| Box::new(decoder()) as Box<_>)
    }
}
