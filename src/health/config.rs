use std::time::Duration;

use crate::model::ExplicitKeys;

/// Settings of health checks. A [`Check`](super::Check) can override each of them for itself.
///
/// ```
/// use std::time::Duration;
/// use watchpost::health::HealthConfig;
///
/// let config = HealthConfig::default().timeout(Duration::from_secs(2)).failures(5);
/// assert_eq!(config.successes, HealthConfig::DEFAULT_SUCCESSES);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HealthConfig {
    /// The time limit of one run. A run that takes longer fails.
    pub timeout: Duration,
    /// The time from the start of one run to the start of the next.
    pub interval: Duration,
    /// The number of consecutive failures after which a check is down. From 1 to 100.
    pub failures: u32,
    /// The number of consecutive successes after which a check is up again. From 1 to 100.
    pub successes: u32,
    pub(crate) explicit: ExplicitKeys,
}

impl HealthConfig {
    /// The default time limit of one run: 5 s.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
    /// The default interval between runs: 10 s.
    pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(10);
    /// The default number of failures: 3.
    pub const DEFAULT_FAILURES: u32 = 3;
    /// The default number of successes: 2.
    pub const DEFAULT_SUCCESSES: u32 = 2;

    /// Sets the time limit of one run. Default: [`DEFAULT_TIMEOUT`](Self::DEFAULT_TIMEOUT).
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.explicit.add("health.timeout");
        self.timeout = timeout;
        self
    }

    /// Sets the time from the start of one run to the start of the next, at least 10 ms; a shorter time is raised to 10
    /// ms. Default: [`DEFAULT_INTERVAL`](Self::DEFAULT_INTERVAL).
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.explicit.add("health.interval");
        self.interval = interval;
        self
    }

    /// Sets the number of consecutive failures after which a check is down. Default:
    /// [`DEFAULT_FAILURES`](Self::DEFAULT_FAILURES).
    #[must_use]
    pub fn failures(mut self, failures: u32) -> Self {
        self.explicit.add("health.failures");
        self.failures = failures;
        self
    }

    /// Sets the number of consecutive successes after which a check is up again. Default:
    /// [`DEFAULT_SUCCESSES`](Self::DEFAULT_SUCCESSES).
    #[must_use]
    pub fn successes(mut self, successes: u32) -> Self {
        self.explicit.add("health.successes");
        self.successes = successes;
        self
    }
}

impl Default for HealthConfig {
    fn default() -> Self {
        Self {
            timeout: Self::DEFAULT_TIMEOUT,
            interval: Self::DEFAULT_INTERVAL,
            failures: Self::DEFAULT_FAILURES,
            successes: Self::DEFAULT_SUCCESSES,
            explicit: ExplicitKeys::default(),
        }
    }
}
