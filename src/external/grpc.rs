//! gRPC calls: their method, their status and their series.

use std::sync::Arc;

use http::HeaderMap;

use super::end::CallEnd;
use super::server::{GrpcSeriesKey, MAX_CACHED_SERIES, RemoteServer};
use crate::metrics::Histogram;
use crate::model::grpc::Status;
use crate::model::lock;
use crate::semconv;
use crate::trace::AttributeBuffer;

/// The method and status of a gRPC call.
#[derive(Debug)]
pub(super) struct GrpcClientCall {
    method: Arc<str>,
    status: Option<Status>,
    /// Whether the call uses gRPC-Web, whose status may be in a frame of the body. Those frames are not read.
    is_web: bool,
}

impl GrpcClientCall {
    pub(super) fn new(method: Arc<str>, is_web: bool) -> Self {
        Self {
            method,
            status: None,
            is_web,
        }
    }

    /// The method, or `grpc` beyond the limit of methods.
    pub(super) fn span_name(&self) -> &str {
        match &*self.method {
            "_OTHER" => "grpc",
            method => method,
        }
    }

    /// Reads the status from headers or trailers. The last status wins.
    pub(super) fn record_status(&mut self, headers: &HeaderMap) {
        self.status = Status::of_headers(headers).or(self.status);
    }

    /// Whether a status other than OK was received.
    pub(super) fn has_failed(&self) -> bool {
        self.status.is_some_and(|status| status != Status::OK)
    }

    /// The status at the end of the response. As in gRPC clients, a missing status is UNKNOWN. With gRPC-Web it may be
    /// in the body, so a missing one is `None`.
    pub(super) fn final_status(&self) -> Option<Status> {
        self.status.or((!self.is_web).then_some(Status::UNKNOWN))
    }

    pub(super) fn add_attributes(&self, end: &CallEnd, attributes: &mut AttributeBuffer) {
        attributes.text(semconv::RPC_SYSTEM_NAME, "grpc");
        attributes.text(semconv::RPC_METHOD, &self.method);
        if let Some(status) = end.grpc {
            attributes.text(semconv::RPC_RESPONSE_STATUS_CODE, status.name());
        }
    }

    /// The duration series of calls that ended in this way.
    pub(super) fn series(
        &self,
        base: &Histogram,
        server: &RemoteServer,
        service: &Arc<str>,
        end: &CallEnd,
    ) -> Histogram {
        let key = GrpcSeriesKey {
            method: Arc::clone(&self.method),
            status: end.grpc,
            error_type: end.error_type.clone().unwrap_or_default(),
            service: Arc::clone(service),
        };
        // The lock is released before the registry is asked, which may take another one.
        if let Some(series) = lock(&server.grpc_series).get(&key) {
            return series.clone();
        }
        let mut labels = vec![
            (semconv::RPC_SYSTEM_NAME, "grpc".to_owned()),
            (semconv::RPC_METHOD, self.method.to_string()),
            (semconv::SERVICE_PEER_NAME, service.to_string()),
        ];
        let status = end.grpc.map(|status| status.name().to_owned());
        labels.extend(status.map(|status| (semconv::RPC_RESPONSE_STATUS_CODE, status)));
        let error = end.error_type.as_ref().map(ToString::to_string);
        labels.extend(error.map(|error| (semconv::ERROR_TYPE, error)));
        labels.extend(server.address_labels());
        let series = base.with(labels);
        let mut cached = lock(&server.grpc_series);
        if cached.len() < MAX_CACHED_SERIES {
            cached.insert(key, series.clone());
        }
        series
    }
}
