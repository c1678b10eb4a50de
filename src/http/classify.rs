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

/// What the labels of a recorded request say about it.
#[cfg(feature = "history")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RequestClass {
    /// The service failed.
    pub(crate) is_error: bool,
    /// The client sent what was refused: a 4xx.
    pub(crate) is_client_error: bool,
    /// The client left.
    pub(crate) is_cancelled: bool,
}

/// The class of requests with this outcome and status.
///
/// A timeout with a status is a response like any other; without one, the service returned an error.
#[cfg(feature = "history")]
pub(crate) fn class_of_labels(outcome: &str, status: &str) -> RequestClass {
    let has_failed = matches!(outcome, "failed" | "panicked" | "body_error")
        || (outcome == "timeout" && status.is_empty());
    RequestClass {
        is_error: has_failed || status.starts_with('5'),
        is_client_error: status.starts_with('4'),
        is_cancelled: matches!(outcome, "cancelled" | "body_dropped" | "upload_aborted"),
    }
}
