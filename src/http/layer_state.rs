//! What all requests of one layer share.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::config::HttpConfig;
use super::grpc::GrpcMethods;
use super::hooks::Hooks;
use super::series::HttpInstruments;
use super::unrouted::UnroutedResponses;
use crate::clock::Nanos;
use crate::context::Requests;
use crate::metrics::Metrics;
use crate::model::{Attributes, Diagnostics};
use crate::trace::Traces;
use crate::worker::RecordQueue;

/// Which requests get a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestLogMode {
    Off,
    All,
    /// Failures, and those that took at least so long.
    ErrorsAndSlow(Nanos),
}

/// What all requests of one layer share.
#[derive(Debug)]
pub(super) struct LayerState {
    /// Tells layers apart in threads' caches.
    pub(super) number: u32,
    pub(super) requests: Arc<Requests>,
    pub(super) metrics: Metrics,
    pub(super) instruments: Arc<HttpInstruments>,
    pub(super) record_queue: Arc<RecordQueue>,
    pub(super) diagnostics: Arc<Diagnostics>,
    pub(super) lines: RequestLogMode,
    /// `None`: no spans are made.
    pub(super) traces: Option<Arc<Traces>>,
    pub(super) config: HttpConfig,
    /// A poll that takes longer blocks its thread.
    pub(super) long_poll: Nanos,
    pub(super) count_request_body: bool,
    /// Whether hooks are to be asked or the body is to be counted before the service is called.
    pub(super) looks_closer: bool,
    pub(super) hooks: Hooks,
    pub(super) unrouted: Arc<UnroutedResponses>,
    pub(super) grpc: Arc<GrpcMethods>,
}

impl LayerState {
    pub(super) fn next_number() -> u32 {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        NEXT.fetch_add(1, Relaxed)
    }

    /// The gRPC methods whose path is a route; `None` where a hook names routes.
    pub(super) fn grpc(&self) -> Option<&GrpcMethods> {
        (!self.hooks.route.is_set()).then_some(&self.grpc)
    }

    #[inline]
    pub(super) fn now(&self) -> Nanos {
        self.requests.clock().now()
    }
}

impl Clone for LayerState {
    /// A layer of its own: threads' caches know it by another number.
    fn clone(&self) -> Self {
        Self {
            number: Self::next_number(),
            requests: Arc::clone(&self.requests),
            metrics: self.metrics.clone(),
            instruments: Arc::clone(&self.instruments),
            record_queue: Arc::clone(&self.record_queue),
            diagnostics: Arc::clone(&self.diagnostics),
            lines: self.lines,
            traces: self.traces.clone(),
            config: self.config.clone(),
            long_poll: self.long_poll,
            count_request_body: self.count_request_body,
            looks_closer: self.looks_closer,
            hooks: self.hooks.clone(),
            unrouted: Arc::clone(&self.unrouted),
            grpc: Arc::clone(&self.grpc),
        }
    }
}

/// What the hooks said of a request's head.
#[derive(Debug, Default)]
pub(super) struct HookOutput {
    pub(super) route: Option<Cow<'static, str>>,
    pub(super) user: Option<String>,
    pub(super) attributes: Option<Attributes>,
}
