//! Counts the digests that were retired, so that each thread can decide when to drop those in its cache.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Retired digests after which a thread drops those in its cache.
pub(super) const SWEEP_AFTER: u64 = 32;

/// Retired digests of all monitors.
static RETIRED: AtomicU64 = AtomicU64::new(0);

/// Counts a retired digest. One that represents many statements makes every thread sweep its cache.
pub(super) fn add(is_shared: bool) {
    RETIRED.fetch_add(if is_shared { SWEEP_AFTER } else { 1 }, Relaxed);
}

/// The digests retired so far.
pub(super) fn total() -> u64 {
    RETIRED.load(Relaxed)
}
