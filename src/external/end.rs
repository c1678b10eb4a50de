use std::any::type_name;
use std::borrow::Cow;

use super::error_kind::{ErrorCause, ErrorTypes, classify_error};
use crate::model::grpc::Status;
use crate::model::{Outcome, catch_panic};

const TIMEOUT: ErrorCause = ErrorCause::Known("timeout");

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CallEnd {
    pub(super) outcome: Outcome,
    /// The HTTP status.
    pub(super) status: Option<u16>,
    /// The status of a gRPC call.
    pub(super) grpc: Option<Status>,
    /// The status from 400 on, the gRPC status except OK, the type of the error, or the name of the outcome.
    pub(super) error_type: Option<Cow<'static, str>>,
}

impl CallEnd {
    /// The response was received.
    pub(super) fn completed(status: Option<u16>) -> Self {
        let failed = status.filter(|status| *status >= 400);
        Self {
            outcome: Outcome::Completed,
            status,
            grpc: None,
            error_type: failed.map(|status| status.to_string().into()),
        }
    }

    /// The response to a gRPC call was received. By the conventions, each status except OK is an error of the call.
    pub(super) fn grpc_completed(status: Option<u16>, grpc: Status) -> Self {
        let error_type = (grpc != Status::OK).then(|| grpc.name().into());
        Self {
            outcome: Outcome::Completed,
            status,
            grpc: Some(grpc),
            error_type,
        }
    }

    /// The client returned an error. The outcome is a timeout if the error is one.
    pub(super) fn failed<E: 'static>(
        status: Option<u16>,
        error: &E,
        types: Option<&ErrorTypes>,
    ) -> Self {
        let cause = cause_of(error, types);
        Self {
            // The cause is a timeout if any error of the chain is one, so that a wrapped timeout is no other failure.
            outcome: if cause == TIMEOUT {
                Outcome::Timeout
            } else {
                Outcome::Failed
            },
            status,
            grpc: None,
            error_type: Some(match cause {
                ErrorCause::Known(word) => word.into(),
                // The conventions' word for an error without a known type.
                ErrorCause::Boxed => "_OTHER".into(),
                ErrorCause::Unknown => type_name::<E>().into(),
            }),
        }
    }

    /// The response body returned an error.
    pub(super) fn body_failed<E: 'static>(
        status: Option<u16>,
        error: &E,
        types: Option<&ErrorTypes>,
    ) -> Self {
        let outcome = if cause_of(error, types) == TIMEOUT {
            Outcome::Timeout
        } else {
            Outcome::BodyError
        };
        Self::from_outcome(outcome, status)
    }

    /// The call ended without a complete response and without an error of the client.
    pub(super) fn from_outcome(outcome: Outcome, status: Option<u16>) -> Self {
        let is_error = !matches!(
            outcome,
            Outcome::Cancelled | Outcome::BodyDropped | Outcome::Upgraded
        );
        Self {
            outcome,
            status,
            grpc: None,
            error_type: is_error.then(|| outcome.as_str().into()),
        }
    }

    pub(super) fn is_completed(&self) -> bool {
        self.outcome == Outcome::Completed
    }

    /// Whether the call counts as a failure of the service: there was no response, or its status shows that the service
    /// failed or is overloaded.
    pub(super) fn is_service_failure(&self) -> bool {
        match self.outcome {
            Outcome::Failed | Outcome::Timeout | Outcome::BodyError => true,
            Outcome::Completed => match self.grpc {
                Some(grpc) => grpc.blames_server() || grpc == Status::RESOURCE_EXHAUSTED,
                None => self
                    .status
                    .is_some_and(|status| status >= 500 || status == 429),
            },
            _ => false,
        }
    }
}

/// Classifies an error. The panic is caught because `Error::source` is the host's code, which would not have run
/// without this crate.
fn cause_of<E: 'static>(error: &E, types: Option<&ErrorTypes>) -> ErrorCause {
    catch_panic(|| classify_error(error, types)).unwrap_or(ErrorCause::Unknown)
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn some_ends_count_as_failures_of_the_service() {
        let is_failure = |end: &CallEnd| end.is_service_failure();
        let of = |status| is_failure(&CallEnd::completed(Some(status)));
        assert_eq!(
            [200, 404, 429, 500, 503].map(of),
            [false, false, true, true, true]
        );
        assert!(is_failure(&CallEnd::failed(
            None,
            &io::Error::other("why"),
            None
        )));
        assert!(!is_failure(&CallEnd::from_outcome(
            Outcome::Cancelled,
            None
        )));
        assert_eq!(
            CallEnd::completed(Some(404)).error_type.as_deref(),
            Some("404")
        );
    }
}
