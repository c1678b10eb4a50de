use std::fmt;

/// How a request ended. Each request has exactly one outcome.
///
/// It is the label `watchpost_outcome` of the request's series and the field `watchpost.outcome` of
/// its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The answer was sent to its last byte, whatever its status.
    Completed,
    /// The request's future was dropped before the headers: the client left, or a layer outside gave
    /// up. A layer cannot tell the two apart.
    Cancelled,
    /// The service returned an error instead of an answer; there is no status.
    Failed,
    /// The answer's body was dropped before its end, mostly because the client left.
    BodyDropped,
    /// The answer's body ended in an error.
    BodyError,
    /// The service panicked. The panic goes on unchanged.
    Panicked,
    /// The answer's status says that time ran out: 408, or one named as such.
    Timeout,
    /// The connection became something else, such as a WebSocket.
    Upgraded,
}

impl Outcome {
    /// Every outcome, in the order of [`index`](Self::index).
    pub(crate) const ALL: [Self; 8] = [
        Self::Completed,
        Self::Cancelled,
        Self::Failed,
        Self::BodyDropped,
        Self::BodyError,
        Self::Panicked,
        Self::Timeout,
        Self::Upgraded,
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
        }
    }

    /// A number below 8.
    pub(crate) const fn index(self) -> u8 {
        self as u8
    }

    pub(crate) fn from_index(index: u8) -> Option<Self> {
        Self::ALL.get(usize::from(index)).copied()
    }

    /// Whether the outcome by itself is an `error.type` (where the status is no 5xx).
    pub(crate) const fn is_error_type(self) -> bool {
        !matches!(self, Self::Completed | Self::Upgraded | Self::Cancelled)
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
        assert_eq!(Outcome::from_index(8), None);
    }
}
