//! What a connection is doing, and for how long it may.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// From the connection's beginning to its first byte.
const SILENT: Duration = Duration::from_secs(2);
/// From a head's first byte to its last.
const HEAD: Duration = Duration::from_secs(5);
/// Without a byte taken by the client while it is answered.
const STALL: Duration = Duration::from_secs(30);
/// Between two requests. Longer than the usual interval of a scrape.
const IDLE: Duration = Duration::from_secs(75);
/// A response of which the client has taken nothing for this long may be ended to make room.
const STALLED: Duration = Duration::from_secs(1);

/// What a connection is doing, since when. Shared by its socket, its service, its deadline and the list of
/// connections.
#[derive(Clone)]
pub(super) struct Progress(Arc<Mutex<(Stage, Instant)>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// No byte has come yet.
    Silent,
    /// A head has begun and not ended.
    Head,
    /// A response is made or sent; since the client last took a byte of it.
    Answer,
    /// A response was sent, and no further request has begun.
    Idle,
}

impl Progress {
    pub(super) fn new(stage: Stage) -> Self {
        Self(Arc::new(Mutex::new((stage, Instant::now()))))
    }

    pub(super) fn set(&self, stage: Stage) {
        *self.lock() = (stage, Instant::now());
    }

    /// Begins `to` if the connection is in one of `from`.
    pub(super) fn advance(&self, from: &[Stage], to: Stage) {
        let mut now = self.lock();
        if from.contains(&now.0) {
            *now = (to, Instant::now());
        }
    }

    /// When the connection is closed unless it goes on.
    pub(super) fn deadline(&self) -> Instant {
        let (stage, since) = *self.lock();
        since
            + match stage {
                Stage::Silent => SILENT,
                Stage::Head => HEAD,
                Stage::Answer => STALL,
                Stage::Idle => IDLE,
            }
    }

    /// The order in which connections are closed to make room: idle ones, those whose head is not complete, then
    /// those whose client takes nothing; in each class, the one that waits longest first. `None` while it is served.
    pub(super) fn evictable(&self, now: Instant) -> Option<(u8, Instant)> {
        let (stage, since) = *self.lock();
        match stage {
            Stage::Idle => Some((0, since)),
            Stage::Silent | Stage::Head => Some((1, since)),
            Stage::Answer => (now.duration_since(since) >= STALLED).then_some((2, since)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, (Stage, Instant)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
