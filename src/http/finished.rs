use std::time::Duration;

use crate::model::{Outcome, TraceId};

/// A request that has ended, as [`EndpointLayer::on_end`](super::EndpointLayer::on_end) is told of it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FinishedRequest<'a> {
    /// The method, `_OTHER` if it is none of the known ones.
    pub method: &'a str,
    /// The route's pattern, or `_unmatched`.
    pub route: &'a str,
    /// The status; `None` where the service gave no response, and for `upload_aborted`.
    pub status: Option<u16>,
    /// The status of a gRPC call, such as `NOT_FOUND`; `None` where it has none, and for other requests.
    pub grpc_status: Option<&'static str>,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether it counts as a failure.
    pub failed: bool,
    /// From the first byte in to the last byte of the body out.
    pub duration: Duration,
    /// From the first byte in to the headers out; `None` where there were none.
    pub time_to_headers: Option<Duration>,
    /// Bytes of the request's body: what `Content-Length` says, or what came where there is none or the client left
    /// before the body's end.
    pub request_bytes: Option<u64>,
    /// Bytes of the answer's body that were sent.
    pub response_bytes: Option<u64>,
    /// The request's trace.
    pub trace_id: TraceId,
}
