//! The outcome of a request whose service returned an error.

use std::any::Any;
use std::error::Error;
use std::io::{self, ErrorKind};

use tower::BoxError;
use tower::timeout::error::Elapsed;

use crate::model::{Outcome, catch_panic};

/// `timeout` where the error, or a source of it, is a timeout of tower, tokio or the system; else `failed`.
#[cold]
pub(super) fn outcome<E: 'static>(error: &E) -> Outcome {
    // `source` is the host's code, and would not run without this layer.
    match catch_panic(|| is_timeout(error)) {
        Some(true) => Outcome::Timeout,
        _ => Outcome::Failed,
    }
}

fn is_timeout(error: &dyn Any) -> bool {
    if let Some(error) = error.downcast_ref::<BoxError>() {
        return chain_has_timeout(&**error);
    }
    if let Some(error) = error.downcast_ref::<Box<dyn Error>>() {
        return chain_has_timeout(&**error);
    }
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return chain_has_timeout(error);
    }
    error.is::<Elapsed>() || error.is::<tokio::time::error::Elapsed>()
}

fn chain_has_timeout(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    // A chain of sources may be a ring.
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
    fn a_time_out_is_found_anywhere_in_the_chain() {
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
