//! The state that all requests of one layer share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::config::HttpConfig;
use super::grpc_methods::GrpcMethods;
use super::hooks::Hooks;
use super::series::HttpInstruments;
use super::unrouted::UnroutedResponses;
use crate::clock::Nanos;
use crate::context::Requests;
use crate::metrics::Metrics;
use crate::model::Diagnostics;
use crate::trace::Traces;
use crate::users::UserTracker;
use crate::worker::RecordQueue;

/// Which requests get a log record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestLogMode {
    Off,
    All,
    /// Failures, and requests that took at least so long.
    ErrorsAndSlow(Nanos),
}

/// The state that all requests of one layer share.
#[derive(Debug)]
pub(super) struct LayerState {
    /// Tells layers apart in the caches of threads.
    pub(super) id: u32,
    pub(super) requests: Arc<Requests>,
    pub(super) metrics: Metrics,
    pub(super) instruments: Arc<HttpInstruments>,
    pub(super) record_queue: Arc<RecordQueue>,
    pub(super) diagnostics: Arc<Diagnostics>,
    pub(super) log_mode: RequestLogMode,
    /// `None` without spans.
    pub(super) traces: Option<Arc<Traces>>,
    pub(super) config: HttpConfig,
    /// A longer poll is counted as one that blocks its thread.
    pub(super) long_poll: Nanos,
    pub(super) count_request_body: bool,
    /// Whether a hook runs before the service is called.
    pub(super) has_request_hooks: bool,
    /// Whether the end of a request has work for a hook: `on_end`, or the user that a hook returned.
    pub(super) has_end_hooks: bool,
    pub(super) hooks: Hooks,
    pub(super) unrouted: Arc<UnroutedResponses>,
    pub(super) grpc: Arc<GrpcMethods>,
    pub(super) users: Arc<UserTracker>,
}

impl LayerState {
    pub(super) fn next_id() -> u32 {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        NEXT.fetch_add(1, Relaxed)
    }

    /// The gRPC methods whose path is a route; `None` where a hook names routes.
    pub(super) fn grpc_methods(&self) -> Option<&GrpcMethods> {
        (!self.hooks.route.is_set()).then_some(&self.grpc)
    }

    #[inline]
    pub(super) fn now(&self) -> Nanos {
        self.requests.clock().now()
    }
}

impl Clone for LayerState {
    /// The state of a new layer: the caches of threads know it by another ID.
    fn clone(&self) -> Self {
        Self {
            id: Self::next_id(),
            requests: Arc::clone(&self.requests),
            metrics: self.metrics.clone(),
            instruments: Arc::clone(&self.instruments),
            record_queue: Arc::clone(&self.record_queue),
            diagnostics: Arc::clone(&self.diagnostics),
            log_mode: self.log_mode,
            traces: self.traces.clone(),
            config: self.config.clone(),
            long_poll: self.long_poll,
            count_request_body: self.count_request_body,
            has_request_hooks: self.has_request_hooks,
            has_end_hooks: self.has_end_hooks,
            hooks: self.hooks.clone(),
            unrouted: Arc::clone(&self.unrouted),
            grpc: Arc::clone(&self.grpc),
            users: Arc::clone(&self.users),
        }
    }
}
