use std::any::{Any, type_name};
use std::borrow::Cow;
use std::error::Error;
use std::io;

use crate::model::Outcome;

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    pub(super) outcome: Outcome,
    pub(super) status: Option<u16>,
    /// The status from 400 on, the error's type, or the outcome's name.
    pub(super) error_type: Option<Cow<'static, str>>,
}

type BoxError = Box<dyn Error + Send + Sync>;

impl End {
    /// The answer came, as far as anybody looked.
    pub(super) fn answered(status: Option<u16>) -> Self {
        let failed = status.filter(|status| *status >= 400);
        Self {
            outcome: Outcome::Completed,
            status,
            error_type: failed.map(|status| status.to_string().into()),
        }
    }

    /// The client gave an error: a time-out where it says so.
    pub(super) fn failed<E: ?Sized + 'static>(status: Option<u16>, timed_out: bool) -> Self {
        Self {
            outcome: if timed_out {
                Outcome::Timeout
            } else {
                Outcome::Failed
            },
            status,
            error_type: Some(if timed_out {
                Outcome::Timeout.as_str().into()
            } else {
                type_name::<E>().into()
            }),
        }
    }

    /// It ended in no answer and no error.
    pub(super) fn by(outcome: Outcome, status: Option<u16>) -> Self {
        let is_error = !matches!(outcome, Outcome::Cancelled | Outcome::BodyDropped);
        Self {
            outcome,
            status,
            error_type: is_error.then(|| outcome.as_str().into()),
        }
    }

    /// Whether the service is to blame: no answer, or one that says that it failed or is overloaded.
    pub(super) fn is_the_services_failure(&self) -> bool {
        match self.outcome {
            Outcome::Failed | Outcome::Timeout | Outcome::BodyError => true,
            Outcome::Completed => self
                .status
                .is_some_and(|status| status >= 500 || status == 429),
            _ => false,
        }
    }
}

/// Whether an error, or one behind it, says that time ran out.
pub(super) fn is_timeout<E: 'static>(error: &E) -> bool {
    let any: &dyn Any = error;
    if let Some(error) = any.downcast_ref::<BoxError>() {
        return is_timeout_by_chain(&**error);
    }
    if let Some(error) = any.downcast_ref::<io::Error>() {
        return is_timeout_by_chain(error);
    }
    any.is::<tokio::time::error::Elapsed>() || any.is::<tower::timeout::error::Elapsed>()
}

fn is_timeout_by_chain(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    // A chain may be a ring.
    for _ in 0..32 {
        let Some(error) = next else { return false };
        let io = error.downcast_ref::<io::Error>();
        if io.is_some_and(|io| io.kind() == io::ErrorKind::TimedOut)
            || error.is::<tokio::time::error::Elapsed>()
            || error.is::<tower::timeout::error::Elapsed>()
        {
            return true;
        }
        next = match io.and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_outs_are_told_from_other_errors() {
        let timed_out = || io::Error::new(io::ErrorKind::TimedOut, "late");
        assert!(is_timeout(&timed_out()));
        assert!(is_timeout(&BoxError::from(timed_out())));
        assert!(is_timeout(&io::Error::other(timed_out())));
        assert!(is_timeout(&tower::timeout::error::Elapsed::new()));
        assert!(is_timeout(&BoxError::from(
            tower::timeout::error::Elapsed::new()
        )));
        assert!(!is_timeout(&io::Error::other("refused")));
        assert!(!is_timeout(&"late"));
    }

    #[test]
    fn who_is_to_blame() {
        let blamed = |end: &End| end.is_the_services_failure();
        let of = |status| blamed(&End::answered(Some(status)));
        assert_eq!(
            [200, 404, 429, 500, 503].map(of),
            [false, false, true, true, true]
        );
        assert!(blamed(&End::failed::<io::Error>(None, false)));
        assert!(!blamed(&End::by(Outcome::Cancelled, None)));
        assert_eq!(End::answered(Some(404)).error_type.as_deref(), Some("404"));
    }
}
