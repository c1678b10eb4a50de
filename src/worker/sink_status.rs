use std::fmt;
use std::io::ErrorKind;
use std::time::Duration;

/// The state of a sink, for health and self-metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SinkStatus {
    pub(crate) name: &'static str,
    /// The time since the sink last delivered; `None` before the first delivery.
    pub(crate) last_delivery_age: Option<Duration>,
    /// How long there has been work without a delivery.
    pub(crate) waiting_since: Option<Duration>,
    /// For how long a job has been making batches for a remote receiver.
    pub(crate) job_age: Option<Duration>,
    /// Bytes that wait or are being written.
    pub(crate) queued_bytes: usize,
    /// Why the sink drops records; `None` once it delivers again.
    pub(crate) error: Option<SinkError>,
    /// What the last response of a remote receiver shows.
    pub(crate) receiver: ReceiverStatus,
}

/// What a response shows about its receiver, in addition to the outcome of the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ReceiverStatus {
    pub(crate) status: Option<http::StatusCode>,
    /// The number of seconds by which our clock is ahead of the receiver's; negative if it is behind.
    pub(crate) clock_ahead: Option<i64>,
}

/// Why a sink drops records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SinkError {
    /// The operating system or the host's `Write` refuses writes.
    Refused(ErrorKind),
    /// The host's `Write` refuses to flush what it has accepted.
    Unflushed(ErrorKind),
    /// The sink's code panics.
    Panicked,
    /// The receiver refuses batches permanently.
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
