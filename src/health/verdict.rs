use super::status::HealthStatus;

/// The health of the service in one word, with the reasons.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct HealthVerdict {
    /// The worst status of readiness, the checks and the parts of the monitor.
    pub status: HealthStatus,
    /// A sentence for each check and part that does not pass, such as `database: connection refused`. Empty if all pass.
    pub reasons: Vec<String>,
}
