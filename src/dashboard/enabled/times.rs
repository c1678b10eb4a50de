//! Times as milliseconds since the Unix epoch.

use std::time::{SystemTime, UNIX_EPOCH};

pub(super) fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
