use std::time::Duration;

use crate::model::ExplicitKeys;

/// How often the history takes a snapshot of all series, and how much of it is kept in memory and in files.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HistoryConfig {
    /// The time from one snapshot to the next.
    pub interval: Duration,
    /// The time that snapshots are kept in memory.
    pub memory_age: Duration,
    /// The maximum size of the snapshots in memory, in bytes. The oldest are removed first.
    pub max_memory_bytes: usize,
    /// The maximum size of the files in the data directory, in bytes.
    pub max_bytes: usize,
    /// The time that snapshots are kept in files.
    pub raw_age: Duration,
    /// The time that minutes are kept in files.
    pub minute_age: Duration,
    /// The time that hours are kept in files.
    pub hour_age: Duration,
    pub(crate) explicit: ExplicitKeys,
}

impl HistoryConfig {
    /// The default time between snapshots: 10 s.
    pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(10);
    /// The default age of the oldest snapshot in memory: 2 h.
    pub const DEFAULT_MEMORY_AGE: Duration = Duration::from_secs(2 * 3600);
    /// The default size of the snapshots in memory: 16 MiB.
    pub const DEFAULT_MAX_MEMORY_BYTES: usize = 16 << 20;
    /// The default size of the files: 2 GiB.
    pub const DEFAULT_MAX_BYTES: usize = 2 << 30;
    /// The default age of the oldest snapshot in files: 48 h.
    pub const DEFAULT_RAW_AGE: Duration = Duration::from_secs(48 * 3600);
    /// The default age of the oldest minute in files: 15 days.
    pub const DEFAULT_MINUTE_AGE: Duration = Duration::from_secs(15 * 24 * 3600);
    /// The default age of the oldest hour in files: 395 days.
    pub const DEFAULT_HOUR_AGE: Duration = Duration::from_secs(395 * 24 * 3600);

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

    /// Sets the maximum size of the files in the data directory, at least 16 MiB: `history.max_bytes`. Default: 2 GiB.
    ///
    /// The oldest snapshots are removed first, then the oldest minutes, then the oldest hours. While files are merged, they
    /// take up to twice their size for a moment. What is learned about the series that are watched for
    /// [anomalies](crate::anomaly) is one of the files.
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.explicit.add("history.max_bytes");
        self.max_bytes = bytes;
        self
    }

    /// Sets how long snapshots are kept in files, from 1 h to 10 years: `history.raw_age`. Default: 48 h.
    ///
    /// Like the other ages, it is measured by the time that monitors ran with the data directory: time in which none ran
    /// does not count, and a step of the wall clock removes nothing.
    #[must_use]
    pub fn raw_age(mut self, age: Duration) -> Self {
        self.explicit.add("history.raw_age");
        self.raw_age = age;
        self
    }

    /// Sets how long minutes are kept in files, from 1 h to 10 years: `history.minute_age`. Default: 15 days.
    #[must_use]
    pub fn minute_age(mut self, age: Duration) -> Self {
        self.explicit.add("history.minute_age");
        self.minute_age = age;
        self
    }

    /// Sets how long hours are kept in files, from 1 h to 10 years: `history.hour_age`. Default: 395 days.
    #[must_use]
    pub fn hour_age(mut self, age: Duration) -> Self {
        self.explicit.add("history.hour_age");
        self.hour_age = age;
        self
    }
}

impl Default for HistoryConfig {
    fn default() -> Self {
        Self {
            interval: Self::DEFAULT_INTERVAL,
            memory_age: Self::DEFAULT_MEMORY_AGE,
            max_memory_bytes: Self::DEFAULT_MAX_MEMORY_BYTES,
            max_bytes: Self::DEFAULT_MAX_BYTES,
            raw_age: Self::DEFAULT_RAW_AGE,
            minute_age: Self::DEFAULT_MINUTE_AGE,
            hour_age: Self::DEFAULT_HOUR_AGE,
            explicit: ExplicitKeys::default(),
        }
    }
}
