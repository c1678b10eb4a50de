//! How a request's body is received.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{
    AtomicU8, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

use crate::model::catch_panic;

const ENDED: u8 = 1;
const ABORTED: u8 = 2;
const BROKEN: u8 = 3;

/// What has come of one request's body. The wrapper around the body writes it; the request's end reads it.
#[derive(Debug, Default)]
pub(super) struct UploadProgress {
    bytes: AtomicU64,
    end: AtomicU8,
}

impl UploadProgress {
    /// An upload for the next request. It uses the allocation of `last`, if no body holds that any more.
    pub(super) fn next(last: Option<Arc<Self>>) -> Arc<Self> {
        if let Some(mut last) = last
            && let Some(upload) = Arc::get_mut(&mut last)
        {
            *upload = Self::default();
            return last;
        }
        Arc::default()
    }

    /// Counts bytes. Load and store are enough: one thread at a time polls the body.
    #[inline]
    pub(super) fn add_bytes(&self, bytes: usize) {
        let before = self.bytes.load(Relaxed);
        self.bytes
            .store(before.saturating_add(bytes as u64), Relaxed);
    }

    /// Notes the body's end. A body that is polled again after an error has no end.
    #[inline]
    pub(super) fn end(&self) {
        if self.end.load(Relaxed) == 0 {
            self.end.store(ENDED, Release);
        }
    }

    /// Notes the body's error.
    #[cold]
    pub(super) fn fail(&self, error: &(dyn Error + 'static)) {
        // `source` is the host's code, and would not run without this layer.
        let aborted = catch_panic(|| is_connection_error(error)) == Some(true);
        let end = if aborted { ABORTED } else { BROKEN };
        if self.end.load(Relaxed) == 0 {
            self.end.store(end, Release);
        }
    }

    pub(super) fn is_ended(&self) -> bool {
        self.end.load(Acquire) == ENDED
    }

    /// Whether the client left before the body's end.
    pub(super) fn is_aborted(&self) -> bool {
        self.end.load(Acquire) == ABORTED
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }
}

/// Whether a body's error means that the connection or the stream ended before the body did. A chunk that cannot be read
/// and a limit that a layer sets are other errors.
fn is_connection_error(error: &(dyn Error + 'static)) -> bool {
    let (mut next, mut is_hyper) = (Some(error), false);
    // A chain of sources may be a ring.
    for _ in 0..32 {
        let Some(error) = next else { break };
        if let Some(hyper) = error.downcast_ref::<hyper::Error>() {
            // An aborted write means that the connection's task is gone.
            if hyper.is_parse() || hyper.is_user() && !hyper.is_body_write_aborted() {
                return false;
            }
            is_hyper = true;
        }
        let io = error.downcast_ref::<io::Error>();
        match io.map(io::Error::kind) {
            Some(
                ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
                | ErrorKind::BrokenPipe
                | ErrorKind::NotConnected,
            ) => return true,
            // A chunk that cannot be read.
            Some(ErrorKind::InvalidData | ErrorKind::InvalidInput) => return false,
            _ => {}
        }
        next = match io.and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    // hyper's other errors are the end of the connection or of an HTTP/2 stream.
    is_hyper
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_broken_connection_aborts() {
        let aborts = |error: io::Error| {
            let upload = UploadProgress::default();
            upload.fail(&error);
            upload.is_aborted()
        };
        let of = |kind| io::Error::new(kind, "why");
        for kind in [
            ErrorKind::ConnectionReset,
            ErrorKind::ConnectionAborted,
            ErrorKind::BrokenPipe,
            ErrorKind::NotConnected,
        ] {
            assert!(aborts(of(kind)), "{kind:?}");
            assert!(aborts(io::Error::other(of(kind))), "{kind:?}, wrapped");
        }
        for kind in [
            ErrorKind::InvalidData,
            ErrorKind::UnexpectedEof,
            ErrorKind::TimedOut,
            ErrorKind::StorageFull,
            ErrorKind::Other,
        ] {
            assert!(!aborts(of(kind)), "{kind:?}");
        }
    }

    #[test]
    fn an_error_whose_source_panics_or_is_a_ring_is_no_abort() {
        #[derive(Debug)]
        struct Odd(bool);

        impl std::fmt::Display for Odd {
            fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::panic::resume_unwind(Box::new("planned"))
            }
        }

        impl Error for Odd {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                if self.0 {
                    std::panic::resume_unwind(Box::new("planned"));
                }
                Some(self)
            }
        }

        for odd in [Odd(true), Odd(false)] {
            let upload = UploadProgress::default();
            upload.fail(&odd);
            assert!(!upload.is_aborted());
        }
    }

    #[test]
    fn a_body_that_is_polled_after_its_error_has_not_ended() {
        for (kind, aborted) in [
            (ErrorKind::ConnectionReset, true),
            (ErrorKind::InvalidData, false),
        ] {
            let upload = UploadProgress::default();
            upload.fail(&io::Error::new(kind, "why"));
            upload.end();
            assert_eq!((upload.is_aborted(), upload.is_ended()), (aborted, false));
        }
        let upload = UploadProgress::default();
        upload.end();
        upload.fail(&io::Error::from(ErrorKind::ConnectionReset));
        assert!(upload.is_ended() && !upload.is_aborted());
    }

    #[test]
    fn the_next_request_starts_from_zero() {
        let one = UploadProgress::next(None);
        one.add_bytes(5);
        one.end();
        let held = Arc::clone(&one);
        let two = UploadProgress::next(Some(one));
        assert_eq!((two.bytes(), two.is_ended(), held.bytes()), (0, false, 5));
        let place = Arc::as_ptr(&held);
        let again = UploadProgress::next(Some(held));
        assert_eq!((Arc::as_ptr(&again), again.bytes()), (place, 0));
    }
}
