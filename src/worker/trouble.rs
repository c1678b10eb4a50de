use std::fmt;
use std::io::ErrorKind;

/// Why a sink drops what it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SinkError {
    /// The operating system or the host's `Write` refuses writes.
    Refused(ErrorKind),
    /// The host's `Write` refuses to flush what it took.
    Unflushed(ErrorKind),
    /// The sink's code panics.
    Panicked,
    /// The receiver refuses batches for good.
    Rejected,
}

impl fmt::Display for SinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(kind) => {
                write!(
                    f,
                    "its writes are refused ({kind}): what it is given is dropped and counted"
                )
            }
            Self::Unflushed(kind) => {
                write!(f, "its flush fails ({kind}): what it took may be lost")
            }
            Self::Panicked => {
                f.write_str("its code panics: what it is given is dropped and counted")
            }
            Self::Rejected => {
                f.write_str("its receiver refuses what is sent: it is dropped and counted")
            }
        }
    }
}
