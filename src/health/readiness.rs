//! Whether the service is ready for traffic.

/// The readiness of the service, and why it is not ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readiness {
    Yes,
    Starting,
    Draining,
    No,
}

impl Readiness {
    /// The body of `/readyz`.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Yes => "ok",
            Self::Starting => "starting",
            Self::Draining => "draining",
            Self::No => "not ready",
        }
    }
}
