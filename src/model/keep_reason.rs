use std::fmt;

/// Why a trace is kept. It is the attribute `watchpost.kept` of the root span.
///
/// If several reasons apply, the first in this order is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum KeepReason {
    /// Code under the root panicked.
    Panic,
    /// The root's outcome is a timeout.
    Timeout,
    /// The root failed.
    Error,
    /// An error was captured in the trace.
    Captured,
    /// It took longer than the 99th percentile of its route, or than the configured limit.
    Slow,
    /// A trusted caller samples the trace.
    Parent,
    /// The sampling ratio selected it at its start.
    Head,
}

impl KeepReason {
    /// Every reason, in the order of [`index`](Self::index).
    pub(crate) const ALL: [Self; 7] = [
        Self::Panic,
        Self::Timeout,
        Self::Error,
        Self::Captured,
        Self::Slow,
        Self::Parent,
        Self::Head,
    ];

    /// Returns the value of the attribute `watchpost.kept`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Panic => "panic",
            Self::Timeout => "timeout",
            Self::Error => "error",
            Self::Captured => "captured",
            Self::Slow => "slow",
            Self::Parent => "parent",
            Self::Head => "head",
        }
    }

    pub(crate) const fn index(self) -> u8 {
        self as u8
    }

    pub(crate) fn from_index(index: u8) -> Option<Self> {
        Self::ALL.get(usize::from(index)).copied()
    }
}

impl fmt::Display for KeepReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_leads_back() {
        for kept in KeepReason::ALL {
            assert_eq!(KeepReason::from_index(kept.index()), Some(kept));
        }
        assert_eq!(KeepReason::from_index(7), None);
    }
}
