//! The monotonic clock where the kernel's own call is not to be had.

use std::sync::LazyLock;
use std::time::Instant;

use super::{Nanos, nanos};

#[expect(
    clippy::disallowed_methods,
    reason = "the one home of the monotonic clock"
)]
static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Nanoseconds since the first call.
#[inline]
pub(super) fn now() -> Nanos {
    nanos(BEGUN.elapsed())
}
