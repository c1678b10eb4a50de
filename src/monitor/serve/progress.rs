//! The stage of a connection and its time limit.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The limit from the start of a connection to its first byte.
const SILENT: Duration = Duration::from_secs(2);
/// The limit from the first byte of a request head to its last.
const HEAD: Duration = Duration::from_secs(5);
/// The limit without a byte taken by the client during a response.
const STALL: Duration = Duration::from_secs(30);
/// The limit between two requests: longer than the usual interval of a scrape.
const IDLE: Duration = Duration::from_secs(75);
/// The time without a byte taken by the client after which a response may be aborted to make room for a new connection.
const STALLED: Duration = Duration::from_secs(1);

/// The stage of a connection and its start time. Shared by the connection's socket, service, timer and the list of
/// connections.
#[derive(Clone)]
pub(super) struct ConnectionProgress(Arc<Mutex<(ConnectionStage, Instant)>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectionStage {
    /// No byte has arrived.
    Silent,
    /// A request head has begun and is not complete.
    Head,
    /// A response is being created or sent. The time starts at the last byte that the client took.
    Response,
    /// A response was sent, and no other request has begun.
    Idle,
}

impl ConnectionProgress {
    pub(super) fn new(stage: ConnectionStage) -> Self {
        Self(Arc::new(Mutex::new((stage, Instant::now()))))
    }

    pub(super) fn set(&self, stage: ConnectionStage) {
        *self.lock() = (stage, Instant::now());
    }

    /// Starts the stage `to` if the connection is in one of `from`.
    pub(super) fn advance(&self, from: &[ConnectionStage], to: ConnectionStage) {
        let mut now = self.lock();
        if from.contains(&now.0) {
            *now = (to, Instant::now());
        }
    }

    /// Returns when the connection is closed unless it makes progress.
    pub(super) fn deadline(&self) -> Instant {
        let (stage, since) = *self.lock();
        since
            + match stage {
                ConnectionStage::Silent => SILENT,
                ConnectionStage::Head => HEAD,
                ConnectionStage::Response => STALL,
                ConnectionStage::Idle => IDLE,
            }
    }

    /// Returns the rank among the connections that may be closed for a new one: idle ones first, then those with an
    /// incomplete head, then those whose client reads nothing. Within a class, the one that has waited longest comes
    /// first. `None` while it is being served.
    pub(super) fn evictable(&self, now: Instant) -> Option<(u8, Instant)> {
        let (stage, since) = *self.lock();
        match stage {
            ConnectionStage::Idle => Some((0, since)),
            ConnectionStage::Silent | ConnectionStage::Head => Some((1, since)),
            ConnectionStage::Response => {
                (now.duration_since(since) >= STALLED).then_some((2, since))
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, (ConnectionStage, Instant)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
