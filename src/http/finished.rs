use std::time::Duration;

use crate::model::{Outcome, TraceId};

/// A request that has ended, as [`EndpointLayer::on_end`](super::EndpointLayer::on_end) sees it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FinishedRequest<'a> {
    /// The method; `_OTHER` if it is not among `http.known_methods`.
    pub method: &'a str,
    /// The route's pattern, or `_unmatched`.
    pub route: &'a str,
    /// The status; `None` if the service gave no response, and for `upload_aborted`.
    pub status: Option<u16>,
    /// The status of a gRPC call, such as `NOT_FOUND`; `None` for a call without one, and for other requests.
    pub grpc_status: Option<&'static str>,
    /// How the request ended.
    pub outcome: Outcome,
    /// Whether it counts into the error rate.
    pub failed: bool,
    /// From the call of the service to the end of the response's body, or to the other event that ended the request.
    pub duration: Duration,
    /// From the call of the service to the response's headers; `None` without them.
    pub time_to_headers: Option<Duration>,
    /// The request body's size in bytes: what `Content-Length` says. Without that header, or if the client left before the
    /// body's end, the bytes that came.
    pub request_bytes: Option<u64>,
    /// The bytes of the response's body that the server has taken.
    pub response_bytes: Option<u64>,
    /// The ID of the request's trace, which `x-trace-id` carries.
    pub trace_id: TraceId,
}
