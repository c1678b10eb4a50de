//! gRPC calls: their method and their status.

use std::borrow::Cow;
use std::sync::Arc;

use http::HeaderMap;

use super::calls::lock;
use super::end::End;
use super::server::Server;
use crate::metrics::Histogram;
use crate::model::grpc::Status;
use crate::semconv;
use crate::trace::AttributeBuffer;

/// What is known of a call that is gRPC's.
#[derive(Debug)]
pub(super) struct Grpc {
    method: Arc<str>,
    status: Option<Status>,
    /// The status may be in a frame of the body, which is not read here.
    is_web: bool,
}

/// What tells the series of one server's gRPC calls apart: method, status, `error.type`, service.
pub(super) type Key = (Arc<str>, Option<Status>, Cow<'static, str>, Arc<str>);

impl Grpc {
    pub(super) fn new(method: Arc<str>, is_web: bool) -> Self {
        Self {
            method,
            status: None,
            is_web,
        }
    }

    /// The method, or `grpc` where it is not known.
    pub(super) fn span_name(&self) -> &str {
        match &*self.method {
            "_OTHER" => "grpc",
            method => method,
        }
    }

    /// Reads the status where headers or trailers have it. The last one holds.
    pub(super) fn read(&mut self, headers: &HeaderMap) {
        self.status = Status::of_headers(headers).or(self.status);
    }

    /// Whether a status came that is not OK.
    pub(super) fn has_failed(&self) -> bool {
        self.status.is_some_and(|status| status != Status::OK)
    }

    /// The response came to its end. As clients do, one without a status is taken for UNKNOWN; that of gRPC-Web is not
    /// known.
    pub(super) fn ended(&self) -> Option<Status> {
        self.status.or((!self.is_web).then_some(Status::UNKNOWN))
    }

    pub(super) fn attributes(&self, end: &End, attributes: &mut AttributeBuffer) {
        attributes.text(semconv::RPC_SYSTEM_NAME, "grpc");
        attributes.text(semconv::RPC_METHOD, &self.method);
        if let Some(status) = end.grpc {
            attributes.text(semconv::RPC_RESPONSE_STATUS_CODE, status.name());
        }
    }

    /// The series of calls that ended so.
    pub(super) fn series(
        &self,
        base: &Histogram,
        server: &Server,
        service: &Arc<str>,
        end: &End,
    ) -> Histogram {
        let key = (
            Arc::clone(&self.method),
            end.grpc,
            end.error_type.clone().unwrap_or_default(),
            Arc::clone(service),
        );
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
        let mut known = lock(&server.grpc_series);
        if known.len() < super::server::MAX_SERIES {
            known.insert(key, series.clone());
        }
        series
    }
}
