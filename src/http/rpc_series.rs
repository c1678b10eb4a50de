//! The series of gRPC calls, by OpenTelemetry's conventions for RPC.

use std::sync::OnceLock;

use crate::metrics::{Histogram, Metrics};
use crate::model::grpc::{Call, Status, rpc_method};
use crate::semconv;

/// The series of one method and `error.type`, by status. The last one is for calls without a status.
#[derive(Debug, Default)]
pub(super) struct RpcSeries(Box<[OnceLock<Histogram>; Status::COUNT + 1]>);

/// The histogram of gRPC calls.
pub(super) fn duration(metrics: &Metrics) -> Histogram {
    metrics
        .histogram(semconv::RPC_SERVER_CALL_DURATION)
        .unit("s")
        .description("Duration of gRPC server calls, by method and status")
        .bounds(semconv::HTTP_DURATION_BOUNDS)
        .build()
}

impl RpcSeries {
    /// The series of a call with this route and `error.type`.
    pub(super) fn of<'a>(
        &'a self,
        call: Call,
        all: impl FnOnce() -> &'a Histogram,
        route: &str,
        error_type: &str,
    ) -> &'a Histogram {
        let status = call.status();
        let index = status.map_or(Status::COUNT, |status| usize::from(status.code()));
        let [first, ..] = &*self.0;
        self.0.get(index).unwrap_or(first).get_or_init(|| {
            all().with([
                (semconv::RPC_SYSTEM_NAME, "grpc".to_owned()),
                (semconv::RPC_METHOD, rpc_method(route).to_owned()),
                (
                    semconv::RPC_RESPONSE_STATUS_CODE,
                    status.map_or("", Status::name).to_owned(),
                ),
                (semconv::ERROR_TYPE, error_type.to_owned()),
            ])
        })
    }
}
