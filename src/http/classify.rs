//! What is a failure.

use http::{HeaderMap, Response};
use tower_http::classify::{
    ClassifiedResponse, ClassifyEos, ClassifyResponse, GrpcEosErrorsAsFailures,
    GrpcErrorsAsFailures, ServerErrorsAsFailures,
};

/// Whether an answer is a failure of the service.
///
/// A failure counts into the error rate, has an `error.type` and an ERROR line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Class {
    /// The service did what it is there for, which may be to refuse.
    Success,
    /// The service failed.
    Failure,
}

/// What the default makes of an answer's headers.
#[derive(Debug)]
pub(super) enum Verdict {
    Known(Class),
    /// gRPC: the trailers will tell.
    Later(GrpcEosErrorsAsFailures),
}

/// tower-http's judgement: a 5xx is a failure, and for gRPC a status that blames the server.
#[inline]
pub(super) fn by_headers<B>(response: &Response<B>, grpc: bool) -> Verdict {
    if !grpc {
        return match ServerErrorsAsFailures::new().classify_response(response) {
            ClassifiedResponse::Ready(Err(_)) => Verdict::Known(Class::Failure),
            _ => Verdict::Known(Class::Success),
        };
    }
    if response.status().is_server_error() {
        return Verdict::Known(Class::Failure);
    }
    match grpc_errors().classify_response(response) {
        ClassifiedResponse::Ready(Ok(())) => Verdict::Known(Class::Success),
        ClassifiedResponse::Ready(Err(_)) => Verdict::Known(Class::Failure),
        ClassifiedResponse::RequiresEos(eos) => Verdict::Later(eos),
    }
}

/// tower-http's judgement of gRPC trailers.
pub(super) fn by_trailers(eos: GrpcEosErrorsAsFailures, trailers: Option<&HeaderMap>) -> Class {
    match eos.classify_eos(trailers) {
        Ok(()) => Class::Success,
        Err(_) => Class::Failure,
    }
}

/// All but the statuses that the conventions call an [error of a server]: UNKNOWN, `DEADLINE_EXCEEDED`,
/// UNIMPLEMENTED, INTERNAL, UNAVAILABLE and `DATA_LOSS`.
///
/// [error of a server]: https://opentelemetry.io/docs/specs/semconv/rpc/grpc/
fn grpc_errors() -> GrpcErrorsAsFailures {
    use tower_http::classify::GrpcCode as Code;
    [
        Code::Cancelled,
        Code::InvalidArgument,
        Code::NotFound,
        Code::AlreadyExists,
        Code::PermissionDenied,
        Code::ResourceExhausted,
        Code::FailedPrecondition,
        Code::Aborted,
        Code::OutOfRange,
        Code::Unauthenticated,
    ]
    .into_iter()
    .fold(
        GrpcErrorsAsFailures::new(),
        GrpcErrorsAsFailures::with_success,
    )
}
