use std::time::Duration;

use crate::model::ExplicitKeys;

/// How often the history takes a snapshot of all series, and how much of it is kept in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HistoryConfig {
    /// The time from one snapshot to the next.
    pub interval: Duration,
    /// The time that snapshots are kept in memory.
    pub memory_age: Duration,
    /// The maximum size of the snapshots in memory, in bytes. The oldest are removed first.
    pub max_memory_bytes: usize,
    pub(crate) explicit: ExplicitKeys,
}

impl HistoryConfig {
    /// The default time between snapshots: 10 s.
    pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(10);
    /// The default age of the oldest snapshot in memory: 2 h.
    pub const DEFAULT_MEMORY_AGE: Duration = Duration::from_secs(2 * 3600);
    /// The default size of the snapshots in memory: 16 MiB.
    pub const DEFAULT_MAX_MEMORY_BYTES: usize = 16 << 20;

    /// Sets the time from one snapshot to the next, from 100 ms to 1 h: `history.interval`. Default: 10 s.
    ///
    /// A series that is used and removed between two snapshots is in none of them: `metrics.idle_after` should be longer
    /// than the interval.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.explicit.add("history.interval");
        self.interval = interval;
        self
    }

    /// Sets how long snapshots are kept in memory, from 1 min to 24 h: `history.memory_age`. Default: 2 h.
    #[must_use]
    pub fn memory_age(mut self, age: Duration) -> Self {
        self.explicit.add("history.memory_age");
        self.memory_age = age;
        self
    }

    /// Sets the maximum size of the snapshots in memory, at least 1 MiB: `history.max_memory_bytes`. Default: 16 MiB.
    #[must_use]
    pub fn max_memory_bytes(mut self, bytes: usize) -> Self {
        self.explicit.add("history.max_memory_bytes");
        self.max_memory_bytes = bytes;
        self
    }
}

impl Default for HistoryConfig {
    fn default() -> Self {
        Self {
            interval: Self::DEFAULT_INTERVAL,
            memory_age: Self::DEFAULT_MEMORY_AGE,
            max_memory_bytes: Self::DEFAULT_MAX_MEMORY_BYTES,
            explicit: ExplicitKeys::default(),
        }
    }
}
