//! What the layers of one monitor share.

use std::sync::Arc;

use super::config::HttpConfig;
use super::connection::Connection;
use super::grpc_methods::GrpcMethods;
use super::layer_state::RequestLogMode;
use super::series::HttpInstruments;
use super::unrouted::UnroutedResponses;
use crate::context::Requests;
use crate::metrics::Metrics;
use crate::model::Diagnostics;
use crate::trace::Traces;
use crate::users::UserTracker;
use crate::worker::RecordQueue;

/// What the layers of one monitor share. One per monitor.
#[derive(Debug, Clone)]
pub(crate) struct LayerContext {
    pub(crate) requests: Arc<Requests>,
    pub(crate) metrics: Metrics,
    pub(crate) record_queue: Arc<RecordQueue>,
    pub(crate) diagnostics: Arc<Diagnostics>,
    pub(crate) log_mode: RequestLogMode,
    pub(crate) config: HttpConfig,
    /// `None` without spans.
    pub(crate) traces: Option<Arc<Traces>>,
    pub(super) instruments: Arc<HttpInstruments>,
    pub(super) unrouted: Arc<UnroutedResponses>,
    pub(super) grpc: Arc<GrpcMethods>,
    pub(super) users: Arc<UserTracker>,
}

/// The inputs of [`LayerContext::new`].
pub(crate) struct LayerSetup<'a> {
    pub(crate) requests: &'a Arc<Requests>,
    pub(crate) metrics: &'a Metrics,
    pub(crate) record_queue: &'a Arc<RecordQueue>,
    pub(crate) diagnostics: &'a Arc<Diagnostics>,
    pub(crate) log_mode: RequestLogMode,
    pub(crate) config: HttpConfig,
    pub(crate) traces: Option<Arc<Traces>>,
    pub(crate) users: Arc<UserTracker>,
}

impl LayerContext {
    pub(crate) fn new(setup: LayerSetup<'_>) -> Self {
        let LayerSetup {
            requests,
            metrics,
            record_queue,
            diagnostics,
            log_mode,
            config,
            traces,
            users,
        } = setup;
        let listed = &config.grpc_methods;
        let grpc = if listed.is_empty() {
            GrpcMethods::default()
        } else {
            GrpcMethods::listed(listed, requests.routes())
        };
        Self {
            grpc: Arc::new(grpc),
            requests: Arc::clone(requests),
            metrics: metrics.clone(),
            record_queue: Arc::clone(record_queue),
            diagnostics: Arc::clone(diagnostics),
            log_mode,
            config,
            traces,
            instruments: Arc::new(HttpInstruments::new(metrics)),
            unrouted: Arc::default(),
            users,
        }
    }

    /// What to write where no layer has seen a route after 100 responses.
    pub(crate) fn no_route_advice(&self) -> Option<&'static str> {
        let is_enough = self.unrouted.is_over_threshold();
        (is_enough && self.requests.routes().none_seen()).then(|| self.unrouted.advice())
    }

    /// Whether a layer has recorded a request that reached a route.
    pub(crate) fn has_served_requests(&self) -> bool {
        self.unrouted.has_any() || !self.requests.routes().none_seen()
    }

    pub(crate) fn connection(&self, name: String) -> Connection {
        Connection::new(
            &self.requests,
            self.traces.as_ref(),
            &self.instruments,
            name,
        )
    }
}
