use std::any::Any;
use std::error::Error;
use std::fmt::{self, Write};
use std::io::{self, ErrorKind};

use tower::BoxError;

use super::{hyper_client, reqwest};

/// The cause of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::external) enum ErrorCause {
    /// One of a fixed set of words.
    Known(&'static str),
    /// Unknown, and the error's type is only that of a box.
    Boxed,
    /// Not known.
    Unknown,
}

/// Downcasts a value to one error type.
type DowncastFn = fn(&dyn Any) -> Option<&(dyn Error + 'static)>;

/// Error types that the host has named, whose sources are examined.
#[derive(Debug, Clone, Default)]
pub(in crate::external) struct ErrorTypes(Vec<DowncastFn>);

impl ErrorTypes {
    pub(in crate::external) fn add<E: Error + 'static>(&mut self) {
        self.0
            .push(|any| any.downcast_ref::<E>().map(|error| error as _));
    }

    fn find<'e>(&self, any: &'e dyn Any) -> Option<&'e (dyn Error + 'static)> {
        self.0.iter().find_map(|downcast| downcast(any))
    }
}

/// Classifies an error, or one of its sources.
pub(in crate::external) fn classify_error<E: 'static>(
    error: &E,
    types: Option<&ErrorTypes>,
) -> ErrorCause {
    let any: &dyn Any = error;
    if let Some(error) = any.downcast_ref::<BoxError>() {
        return classify_chain(&**error).map_or(ErrorCause::Boxed, ErrorCause::Known);
    }
    if let Some(error) = any.downcast_ref::<Box<dyn Error>>() {
        return classify_chain(&**error).map_or(ErrorCause::Boxed, ErrorCause::Known);
    }
    known_error(any)
        .or_else(|| types?.find(any))
        .and_then(classify_chain)
        .map_or(ErrorCause::Unknown, ErrorCause::Known)
}

/// Downcasts a value to an error if its type is known to this crate.
fn known_error(any: &dyn Any) -> Option<&(dyn Error + 'static)> {
    let io = any.downcast_ref::<io::Error>();
    let hyper = any.downcast_ref::<hyper::Error>();
    let tokio = any.downcast_ref::<tokio::time::error::Elapsed>();
    let tower = any.downcast_ref::<tower::timeout::error::Elapsed>();
    io.map(|error| error as &(dyn Error + 'static))
        .or(hyper.map(|error| error as _))
        .or(tokio.map(|error| error as _))
        .or(tower.map(|error| error as _))
        .or_else(|| hyper_client::downcast(any))
        .or_else(|| reqwest::downcast(any))
}

/// Returns the cause of the first error in the chain that can be classified. A deeper timeout takes precedence.
fn classify_chain(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let (mut next, mut cause) = (Some(error), None);
    // The number of steps is bounded, since a chain may be circular.
    for _ in 0..32 {
        let Some(error) = next else { break };
        match classify(error) {
            Some("timeout") => return Some("timeout"),
            other => cause = cause.or(other),
        }
        // `source` of an `io::Error` skips the error that it wraps.
        let io = error.downcast_ref::<io::Error>();
        next = match io.and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    cause
}

/// Classifies one error of the chain by its type.
fn classify(error: &(dyn Error + 'static)) -> Option<&'static str> {
    if error.is::<tokio::time::error::Elapsed>() || error.is::<tower::timeout::error::Elapsed>() {
        return Some("timeout");
    }
    if let Some(io) = error.downcast_ref::<io::Error>() {
        return classify_io(io.kind());
    }
    if let Some(hyper) = error.downcast_ref::<hyper::Error>() {
        return classify_hyper(hyper);
    }
    hyper_client::classify(error)
        .or_else(|| reqwest::classify(error))
        .or_else(|| TextMatcher::matches(error, TONIC_TIMEOUT).then_some("timeout"))
}

/// The text of tonic's timeout error, whose type is private.
const TONIC_TIMEOUT: &str = "Timeout expired";

/// Compares an error's text with an expected one without allocating: holds the rest that is still expected.
struct TextMatcher(&'static str);

impl TextMatcher {
    fn matches(error: &dyn Error, text: &'static str) -> bool {
        let mut rest = Self(text);
        write!(rest, "{error}").is_ok() && rest.0.is_empty()
    }
}

impl Write for TextMatcher {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        self.0 = self.0.strip_prefix(part).ok_or(fmt::Error)?;
        Ok(())
    }
}

fn classify_io(kind: ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::TimedOut => "timeout",
        ErrorKind::ConnectionRefused => "connection_refused",
        ErrorKind::ConnectionReset => "connection_reset",
        ErrorKind::ConnectionAborted => "connection_aborted",
        ErrorKind::BrokenPipe => "broken_pipe",
        ErrorKind::HostUnreachable => "host_unreachable",
        ErrorKind::NetworkUnreachable => "network_unreachable",
        ErrorKind::UnexpectedEof => "unexpected_eof",
        _ => return None,
    })
}

fn classify_hyper(error: &hyper::Error) -> Option<&'static str> {
    if error.is_timeout() {
        Some("timeout")
    } else if error.is_incomplete_message() {
        Some("incomplete_response")
    } else if error.is_parse() {
        Some("invalid_response")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classify<E: 'static>(error: &E) -> ErrorCause {
        classify_error(error, None)
    }

    #[derive(Debug)]
    struct CustomError(io::Error);

    impl fmt::Display for CustomError {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("transport error")
        }
    }

    impl Error for CustomError {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn the_sources_of_named_types_are_examined() {
        let mut types = ErrorTypes::default();
        types.add::<fmt::Error>();
        types.add::<CustomError>();
        let custom = |text: &str| CustomError(io::Error::other(text.to_owned()));
        let refused = CustomError(io::Error::from(ErrorKind::ConnectionRefused));
        assert_eq!(classify(&refused), ErrorCause::Unknown);
        let classify = |error: &CustomError| classify_error(error, Some(&types));
        assert_eq!(classify(&refused), ErrorCause::Known("connection_refused"));
        assert_eq!(
            classify(&custom("Timeout expired")),
            ErrorCause::Known("timeout")
        );
        for other in ["Timeout expired, perhaps", "Timeout", ""] {
            assert_eq!(classify(&custom(other)), ErrorCause::Unknown, "{other:?}");
        }
    }

    #[test]
    fn errors_are_classified() {
        let io = |kind| io::Error::new(kind, "why");
        let timed_out = || io(ErrorKind::TimedOut);
        let elapsed = tower::timeout::error::Elapsed::new;
        assert_eq!(classify(&timed_out()), ErrorCause::Known("timeout"));
        assert_eq!(
            classify(&BoxError::from(timed_out())),
            ErrorCause::Known("timeout")
        );
        assert_eq!(
            classify(&io::Error::other(timed_out())),
            ErrorCause::Known("timeout")
        );
        assert_eq!(classify(&elapsed()), ErrorCause::Known("timeout"));
        assert_eq!(
            classify(&BoxError::from(elapsed())),
            ErrorCause::Known("timeout")
        );
        let reset = io(ErrorKind::ConnectionReset);
        assert_eq!(classify(&reset), ErrorCause::Known("connection_reset"));
        let refused = io::Error::other(io(ErrorKind::ConnectionRefused));
        assert_eq!(classify(&refused), ErrorCause::Known("connection_refused"));
        // A deeper timeout takes precedence.
        let first = io::Error::new(ErrorKind::BrokenPipe, timed_out());
        assert_eq!(classify(&first), ErrorCause::Known("timeout"));
        assert_eq!(classify(&io::Error::other("why")), ErrorCause::Unknown);
        assert_eq!(classify(&BoxError::from("why")), ErrorCause::Boxed);
        assert_eq!(classify(&Box::<dyn Error>::from("why")), ErrorCause::Boxed);
        assert_eq!(classify(&"why"), ErrorCause::Unknown);
    }
}
