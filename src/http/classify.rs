//! Which responses are failures.

use http::Response;
use tower_http::classify::{ClassifiedResponse, ClassifyResponse, ServerErrorsAsFailures};

/// Whether a response is a failure of the service, as [`EndpointLayer::classify`](super::EndpointLayer::classify) decides.
///
/// A failure counts into the error rate, has an `error.type`, and its log record has the level ERROR. Its trace is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Class {
    /// The service did what it is for, which may be to refuse a request.
    Success,
    /// The service failed.
    Failure,
}

/// tower-http's classification: a 5xx is a failure.
#[inline]
pub(super) fn by_status<B>(response: &Response<B>) -> Class {
    match ServerErrorsAsFailures::new().classify_response(response) {
        ClassifiedResponse::Ready(Err(_)) => Class::Failure,
        _ => Class::Success,
    }
}
