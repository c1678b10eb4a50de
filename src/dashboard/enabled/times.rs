//! Times as milliseconds since the Unix epoch.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(super) fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The time in which two snapshots are taken, in milliseconds. A figure of the latest one is not old before it has passed.
pub(super) fn two_snapshots(interval: Duration) -> u64 {
    u64::try_from((interval * 2).as_millis()).unwrap_or(u64::MAX)
}
