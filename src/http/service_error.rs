//! What an error of the service says.

use std::any::Any;
use std::error::Error;
use std::io::{self, ErrorKind};

use tower::timeout::error::Elapsed;

use crate::model::{Outcome, catch_panic};

type BoxError = Box<dyn Error + Send + Sync>;

/// The outcome of a request whose service gave this error: `timeout` where the error, or one behind it, is a time-out of
/// tower, tokio or the system; else `failed`.
#[cold]
pub(super) fn outcome<E: 'static>(error: &E) -> Outcome {
    // Their `source` is the host's code, which would not have run without this layer.
    match catch_panic(|| timed_out(error)) {
        Some(true) => Outcome::Timeout,
        _ => Outcome::Failed,
    }
}

fn timed_out(error: &dyn Any) -> bool {
    if let Some(error) = error.downcast_ref::<BoxError>() {
        return is_in_chain(&**error);
    }
    if let Some(error) = error.downcast_ref::<Box<dyn Error>>() {
        return is_in_chain(&**error);
    }
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return is_in_chain(error);
    }
    error.is::<Elapsed>() || error.is::<tokio::time::error::Elapsed>()
}

fn is_in_chain(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    // A chain may be a ring.
    for _ in 0..32 {
        let Some(error) = next else { break };
        if error.is::<Elapsed>() || error.is::<tokio::time::error::Elapsed>() {
            return true;
        }
        let io = error.downcast_ref::<io::Error>();
        if io.is_some_and(|io| io.kind() == ErrorKind::TimedOut) {
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
    fn time_outs_are_known_wherever_they_are() {
        let late = || io::Error::from(ErrorKind::TimedOut);
        let boxed = |error: io::Error| -> BoxError { error.into() };
        for error in [
            boxed(late()),
            boxed(io::Error::other(late())),
            boxed(io::Error::other(Elapsed::new())),
            Elapsed::new().into(),
        ] {
            assert_eq!(outcome(&error), Outcome::Timeout, "{error}");
        }
        assert_eq!(outcome(&Elapsed::new()), Outcome::Timeout);
        assert_eq!(outcome(&late()), Outcome::Timeout);
        assert_eq!(outcome(&boxed(io::Error::other("why"))), Outcome::Failed);
        assert_eq!(outcome(&"a text"), Outcome::Failed);
    }
}
