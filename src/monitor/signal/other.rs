use std::future::Pending;
use std::io;

/// This system has no signals.
pub(super) fn signals() -> io::Result<Pending<()>> {
    Err(io::ErrorKind::Unsupported.into())
}
