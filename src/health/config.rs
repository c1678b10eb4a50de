use std::time::Duration;

use crate::model::ExplicitKeys;

/// How checks are run and judged, unless a check says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HealthConfig {
    /// How long a run of a check may take; one that takes longer is a failure.
    pub timeout: Duration,
    /// From the start of one run to the start of the next.
    pub interval: Duration,
    /// Failures in a row that bring a check down. 0 is read as 1.
    pub failures: u32,
    /// Successes in a row that bring a check up again. 0 is read as 1.
    pub successes: u32,
    pub(crate) explicit: ExplicitKeys,
}

impl HealthConfig {
    /// 5 s.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
    /// 10 s.
    pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(10);
    /// 3.
    pub const DEFAULT_FAILURES: u32 = 3;
    /// 2.
    pub const DEFAULT_SUCCESSES: u32 = 2;

    /// Sets [`timeout`](Self::timeout).
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.explicit.add("health.timeout");
        self.timeout = timeout;
        self
    }

    /// Sets [`interval`](Self::interval).
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.explicit.add("health.interval");
        self.interval = interval;
        self
    }

    /// Sets [`failures`](Self::failures).
    #[must_use]
    pub fn failures(mut self, failures: u32) -> Self {
        self.explicit.add("health.failures");
        self.failures = failures;
        self
    }

    /// Sets [`successes`](Self::successes).
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
