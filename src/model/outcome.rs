use std::fmt;

/// How a request ended. Each request has exactly one outcome.
///
/// It is the label `watchpost_outcome` of the request's series and the field `watchpost.outcome` of
/// its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The response was handed over to its last byte, whatever its status.
    Completed,
    /// The request's future was dropped before the headers: the client left, or a layer outside gave
    /// up. A layer cannot tell the two apart.
    Cancelled,
    /// The service returned an error instead of a response; there is no status.
    Failed,
    /// The response's body was dropped before its end, mostly because the client left.
    BodyDropped,
    /// The response's body ended in an error, or short of the length that it declared.
    BodyError,
    /// The service panicked. The panic goes on unchanged.
    Panicked,
    /// The response's status says that time ran out: 408, or one named as such.
    Timeout,
    /// The connection became something else, such as a WebSocket.
    Upgraded,
    /// The client left while it sent the request's body. Whatever the service made of that, nobody receives it:
    /// there is no status, and it is not the service's error.
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

    /// The name that series and lines carry.
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

    /// Whether the outcome by itself is an `error.type` (where the status is no 5xx). A client that leaves is not
    /// the service's error.
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
