use std::fmt;

/// Why a trace is kept: the attribute `watchpost.kept` of its root span.
///
/// Of several reasons the first in this order is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum KeepReason {
    /// Code under the root panicked.
    Panic,
    /// Time ran out.
    Timeout,
    /// The root failed.
    Error,
    /// An error was captured in it.
    Captured,
    /// It took longer than 99 of 100 requests of its route, or than the set limit.
    Slow,
    /// A trusted caller keeps its part of the trace.
    Parent,
    /// The ratio chose it at its start.
    Head,
}

impl KeepReason {
    /// Every reason, in the order of [`index`](Self::index).
    const ALL: [Self; 7] = [
        Self::Panic,
        Self::Timeout,
        Self::Error,
        Self::Captured,
        Self::Slow,
        Self::Parent,
        Self::Head,
    ];

    /// The name that spans carry.
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
