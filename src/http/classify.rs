//! What is a failure.

use http::Response;
use tower_http::classify::{ClassifiedResponse, ClassifyResponse, ServerErrorsAsFailures};

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

/// tower-http's judgement: a 5xx is a failure.
#[inline]
pub(super) fn by_status<B>(response: &Response<B>) -> Class {
    match ServerErrorsAsFailures::new().classify_response(response) {
        ClassifiedResponse::Ready(Err(_)) => Class::Failure,
        _ => Class::Success,
    }
}
