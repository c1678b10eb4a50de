use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A number of nanoseconds, mostly since the clock was made. A plain number, so that it fits into an atomic.
pub(crate) type Nanos = u64;

/// A duration in nanoseconds, at most 584 years.
#[inline]
pub(crate) fn nanos(duration: Duration) -> Nanos {
    duration
        .as_secs()
        .saturating_mul(1_000_000_000)
        .saturating_add(u64::from(duration.subsec_nanos()))
}

/// Nanoseconds since the Unix epoch; 0 for earlier times.
pub(crate) fn wall_nanos(time: SystemTime) -> Nanos {
    nanos(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// Nanoseconds in seconds.
#[inline]
pub(crate) fn seconds(nanos: Nanos) -> f64 {
    // 292 years are enough, and a signed number converts in one instruction.
    nanos.cast_signed() as f64 / 1e9
}
