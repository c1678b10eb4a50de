use std::time::Duration;

use crate::model::ExplicitKeys;

/// Settings of health checks. A [`Check`](super::Check) can override each of them for itself.
///
/// Every field is the setting of the same name under `health`. The [table](crate::config#the-settings) of settings also
/// lists their variables.
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
    /// The time limit of one run, from 10 ms to 1 h and at most the interval. A run that takes longer fails. Default: 5
    /// s.
    pub timeout: Duration,
    /// The time from the start of one run to the start of the next, from 100 ms to 1 h. Default: 10 s.
    pub interval: Duration,
    /// The number of consecutive failures after which a check is down, from 1 to 100. Default: 3.
    pub failures: u32,
    /// The number of consecutive successes after which a check is up again, from 1 to 100. Default: 2.
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

    /// Sets the time limit of one run, from 10 ms to 1 h and at most the interval. Default: 5 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.explicit.add("health.timeout");
        self.timeout = timeout;
        self
    }

    /// Sets the time from the start of one run to the start of the next, from 100 ms to 1 h. Default: 10 s.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.explicit.add("health.interval");
        self.interval = interval;
        self
    }

    /// Sets the number of consecutive failures after which a check is down, from 1 to 100. Default: 3.
    #[must_use]
    pub fn failures(mut self, failures: u32) -> Self {
        self.explicit.add("health.failures");
        self.failures = failures;
        self
    }

    /// Sets the number of consecutive successes after which a check is up again, from 1 to 100. Default: 2.
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
