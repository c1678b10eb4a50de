use std::any::type_name;
use std::borrow::Cow;

use super::known::{Cause, ErrorTypes, cause};
use crate::model::grpc::Status;
use crate::model::{Outcome, catch_panic};

const TIMEOUT: Cause = Cause::Known("timeout");

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    pub(super) outcome: Outcome,
    pub(super) status: Option<u16>,
    /// The status of a gRPC call.
    pub(super) grpc: Option<Status>,
    /// The status from 400 on, the gRPC status but OK, the error's type, or the outcome's name.
    pub(super) error_type: Option<Cow<'static, str>>,
}

impl End {
    /// The answer came, as far as anybody looked.
    pub(super) fn answered(status: Option<u16>) -> Self {
        let failed = status.filter(|status| *status >= 400);
        Self {
            outcome: Outcome::Completed,
            status,
            grpc: None,
            error_type: failed.map(|status| status.to_string().into()),
        }
    }

    /// The response to a gRPC call came, with this status: each but OK is an error of the call, as the conventions say.
    pub(super) fn of_call(status: Option<u16>, grpc: Status) -> Self {
        let failed = (grpc != Status::OK).then(|| grpc.name().into());
        Self {
            outcome: Outcome::Completed,
            status,
            grpc: Some(grpc),
            error_type: failed,
        }
    }

    /// The client gave an error: a time-out where it says so. Its type is a word for what it says, else its own.
    pub(super) fn failed<E: 'static>(
        status: Option<u16>,
        error: &E,
        types: Option<&ErrorTypes>,
    ) -> Self {
        let cause = cause_of(error, types);
        Self {
            outcome: if cause == TIMEOUT {
                Outcome::Timeout
            } else {
                Outcome::Failed
            },
            status,
            grpc: None,
            error_type: Some(match cause {
                Cause::Known(word) => word.into(),
                // The conventions' word for what has none.
                Cause::Boxed => "_OTHER".into(),
                Cause::Unknown => type_name::<E>().into(),
            }),
        }
    }

    /// The answer's body gave an error.
    pub(super) fn body_failed<E: 'static>(
        status: Option<u16>,
        error: &E,
        types: Option<&ErrorTypes>,
    ) -> Self {
        let timed_out = cause_of(error, types) == TIMEOUT;
        let outcome = if timed_out {
            Outcome::Timeout
        } else {
            Outcome::BodyError
        };
        Self::by(outcome, status)
    }

    /// It ended in no answer and no error.
    pub(super) fn by(outcome: Outcome, status: Option<u16>) -> Self {
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

    /// Whether the response's status is the error.
    pub(super) fn is_status(&self) -> bool {
        self.outcome == Outcome::Completed
    }

    /// Whether the service is to blame: no answer, or one that says that it failed or is overloaded.
    pub(super) fn is_the_services_failure(&self) -> bool {
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

/// What an error says. Its `source` is the host's code, which would not have run without us.
fn cause_of<E: 'static>(error: &E, types: Option<&ErrorTypes>) -> Cause {
    catch_panic(|| cause(error, types)).unwrap_or(Cause::Unknown)
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn who_is_to_blame() {
        let blamed = |end: &End| end.is_the_services_failure();
        let of = |status| blamed(&End::answered(Some(status)));
        assert_eq!(
            [200, 404, 429, 500, 503].map(of),
            [false, false, true, true, true]
        );
        assert!(blamed(&End::failed(None, &io::Error::other("why"), None)));
        assert!(!blamed(&End::by(Outcome::Cancelled, None)));
        assert_eq!(End::answered(Some(404)).error_type.as_deref(), Some("404"));
    }
}
