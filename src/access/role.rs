/// What a client of the monitor's pages may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Role {
    /// Reads everything that the pages show.
    Viewer,
    /// Reads, and does what changes something.
    Operator,
}

impl Role {
    /// Returns the name: `viewer` or `operator`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
        }
    }
}
