use std::fmt;

/// How a request ended. Each request has exactly one outcome.
///
/// It is the label `watchpost_outcome` of the request's metrics and the field `watchpost.outcome` of its log record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The response was sent completely, with any status. "Sent" means handed over to the server.
    Completed,
    /// The request's future was dropped before it returned the response's headers: the client disconnected, or an outer
    /// layer gave up. A layer cannot distinguish the two.
    Cancelled,
    /// The service returned an error instead of a response, other than a timeout. There is no status.
    Failed,
    /// The response's body was dropped before its end, usually because the client disconnected.
    BodyDropped,
    /// The response's body ended with an error, or its length differs from the declared one.
    BodyError,
    /// The service panicked. The panic is passed on unchanged.
    Panicked,
    /// The response's status signals a timeout (408, or one that is configured as such), or the service returned an
    /// error that is a timeout, such as tower's `Elapsed`.
    Timeout,
    /// The connection was upgraded to another protocol, such as WebSocket.
    Upgraded,
    /// The client disconnected while it sent the request's body. The response has no recipient, so there is no status,
    /// and it is not an error of the service.
    UploadAborted,
}

impl Outcome {
    /// Every outcome, in the order of [`index`](Self::index).
    pub(crate) const ALL: [Self; 9] = [
        Self::Completed,
        Self::Cancelled,
        Self::Failed,
        Self::BodyDropped,
        Self::BodyError,
        Self::Panicked,
        Self::Timeout,
        Self::Upgraded,
        Self::UploadAborted,
    ];

    /// Returns the name in metrics and log records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
            Self::BodyDropped => "body_dropped",
            Self::BodyError => "body_error",
            Self::Panicked => "panicked",
            Self::Timeout => "timeout",
            Self::Upgraded => "upgraded",
            Self::UploadAborted => "upload_aborted",
        }
    }

    /// A number below 16.
    pub(crate) const fn index(self) -> u8 {
        self as u8
    }

    pub(crate) fn from_index(index: u8) -> Option<Self> {
        Self::ALL.get(usize::from(index)).copied()
    }

    /// Whether the outcome is an `error.type` by itself, if the status is not 5xx. A client that disconnects is not an
    /// error of the service.
    pub(crate) const fn is_error_type(self) -> bool {
        matches!(
            self,
            Self::Failed | Self::BodyError | Self::Panicked | Self::Timeout
        )
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_leads_back() {
        for outcome in Outcome::ALL {
            assert_eq!(Outcome::from_index(outcome.index()), Some(outcome));
        }
        assert_eq!(Outcome::from_index(9), None);
    }
}
