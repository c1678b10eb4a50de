use std::any::Any;
use std::error::Error;
use std::fmt::{self, Write};
use std::io::{self, ErrorKind};

use super::{hyper_client, reqwest};

/// What an error says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::external) enum Cause {
    /// In a word of few.
    Known(&'static str),
    /// Nothing, and its type is only that of a box.
    Boxed,
    /// Nothing.
    Unknown,
}

type BoxError = Box<dyn Error + Send + Sync>;

/// Looks at a value as the error of one type.
type Look = fn(&dyn Any) -> Option<&(dyn Error + 'static)>;

/// Types of errors that a host names, whose sources are looked at then.
#[derive(Debug, Clone, Default)]
pub(in crate::external) struct ErrorTypes(Vec<Look>);

impl ErrorTypes {
    pub(in crate::external) fn add<E: Error + 'static>(&mut self) {
        self.0
            .push(|any| any.downcast_ref::<E>().map(|error| error as _));
    }

    fn find<'e>(&self, any: &'e dyn Any) -> Option<&'e (dyn Error + 'static)> {
        self.0.iter().find_map(|look| look(any))
    }
}

/// What an error, or one behind it, says.
pub(in crate::external) fn cause<E: 'static>(error: &E, types: Option<&ErrorTypes>) -> Cause {
    let any: &dyn Any = error;
    if let Some(error) = any.downcast_ref::<BoxError>() {
        return along(&**error).map_or(Cause::Boxed, Cause::Known);
    }
    if let Some(error) = any.downcast_ref::<Box<dyn Error>>() {
        return along(&**error).map_or(Cause::Boxed, Cause::Known);
    }
    known(any)
        .or_else(|| types?.find(any))
        .and_then(along)
        .map_or(Cause::Unknown, Cause::Known)
}

/// The error itself, if its type is one of those that are known.
fn known(any: &dyn Any) -> Option<&(dyn Error + 'static)> {
    let io = any.downcast_ref::<io::Error>();
    let hyper = any.downcast_ref::<hyper::Error>();
    let tokio = any.downcast_ref::<tokio::time::error::Elapsed>();
    let tower = any.downcast_ref::<tower::timeout::error::Elapsed>();
    io.map(|error| error as &(dyn Error + 'static))
        .or(hyper.map(|error| error as _))
        .or(tokio.map(|error| error as _))
        .or(tower.map(|error| error as _))
        .or_else(|| hyper_client::error(any))
        .or_else(|| reqwest::error(any))
}

/// What the first says that says something. A time-out further on says more than what it led to.
fn along(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let (mut next, mut said) = (Some(error), None);
    // A chain may be a ring.
    for _ in 0..32 {
        let Some(error) = next else { break };
        match says(error) {
            Some("timeout") => return Some("timeout"),
            other => said = said.or(other),
        }
        let io = error.downcast_ref::<io::Error>();
        next = match io.and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    said
}

fn says(error: &(dyn Error + 'static)) -> Option<&'static str> {
    if error.is::<tokio::time::error::Elapsed>() || error.is::<tower::timeout::error::Elapsed>() {
        return Some("timeout");
    }
    if let Some(io) = error.downcast_ref::<io::Error>() {
        return of_kind(io.kind());
    }
    if let Some(hyper) = error.downcast_ref::<hyper::Error>() {
        return of_hyper(hyper);
    }
    hyper_client::says(error)
        .or_else(|| reqwest::says(error))
        .or_else(|| Text::is(error, TONICS_TIMEOUT).then_some("timeout"))
}

/// The text of tonic's error of this meaning, whose type is tonic's own.
const TONICS_TIMEOUT: &str = "Timeout expired";

/// Compares what is written with a text, without keeping it.
struct Text(&'static str);

impl Text {
    fn is(error: &dyn Error, text: &'static str) -> bool {
        let mut rest = Self(text);
        write!(rest, "{error}").is_ok() && rest.0.is_empty()
    }
}

impl Write for Text {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        self.0 = self.0.strip_prefix(part).ok_or(fmt::Error)?;
        Ok(())
    }
}

fn of_kind(kind: ErrorKind) -> Option<&'static str> {
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

fn of_hyper(error: &hyper::Error) -> Option<&'static str> {
    if error.is_timeout() {
        Some("timeout")
    } else if error.is_incomplete_message() {
        Some("incomplete_answer")
    } else if error.is_parse() {
        Some("invalid_answer")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause<E: 'static>(error: &E) -> Cause {
        super::cause(error, None)
    }

    #[derive(Debug)]
    struct Theirs(io::Error);

    impl fmt::Display for Theirs {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("transport error")
        }
    }

    impl Error for Theirs {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn the_sources_of_named_types_are_looked_at() {
        let mut types = ErrorTypes::default();
        types.add::<fmt::Error>();
        types.add::<Theirs>();
        let theirs = |text: &str| Theirs(io::Error::other(text.to_owned()));
        let refused = Theirs(io::Error::from(ErrorKind::ConnectionRefused));
        assert_eq!(cause(&refused), Cause::Unknown);
        let cause = |error: &Theirs| super::cause(error, Some(&types));
        assert_eq!(cause(&refused), Cause::Known("connection_refused"));
        assert_eq!(cause(&theirs("Timeout expired")), Cause::Known("timeout"));
        for other in ["Timeout expired, perhaps", "Timeout", ""] {
            assert_eq!(cause(&theirs(other)), Cause::Unknown, "{other:?}");
        }
    }

    #[test]
    fn what_errors_say() {
        let io = |kind| io::Error::new(kind, "why");
        let late = || io(ErrorKind::TimedOut);
        let elapsed = tower::timeout::error::Elapsed::new;
        assert_eq!(cause(&late()), Cause::Known("timeout"));
        assert_eq!(cause(&BoxError::from(late())), Cause::Known("timeout"));
        assert_eq!(cause(&io::Error::other(late())), Cause::Known("timeout"));
        assert_eq!(cause(&elapsed()), Cause::Known("timeout"));
        assert_eq!(cause(&BoxError::from(elapsed())), Cause::Known("timeout"));
        let reset = io(ErrorKind::ConnectionReset);
        assert_eq!(cause(&reset), Cause::Known("connection_reset"));
        let refused = io::Error::other(io(ErrorKind::ConnectionRefused));
        assert_eq!(cause(&refused), Cause::Known("connection_refused"));
        // A time-out behind says more.
        let first = io::Error::new(ErrorKind::BrokenPipe, late());
        assert_eq!(cause(&first), Cause::Known("timeout"));
        assert_eq!(cause(&io::Error::other("why")), Cause::Unknown);
        assert_eq!(cause(&BoxError::from("why")), Cause::Boxed);
        assert_eq!(cause(&Box::<dyn Error>::from("why")), Cause::Boxed);
        assert_eq!(cause(&"why"), Cause::Unknown);
    }
}
