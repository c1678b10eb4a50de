//! The monotonic clock of the standard library, for systems other than Linux.

use std::sync::LazyLock;
use std::time::Instant;

use super::nanos::{Nanos, nanos};

#[expect(
    clippy::disallowed_methods,
    reason = "the only place that reads the monotonic clock"
)]
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Nanoseconds since the first call.
#[inline]
pub(super) fn now() -> Nanos {
    nanos(START.elapsed())
}
