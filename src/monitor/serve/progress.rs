//! What a connection is doing, and how long it may do so.

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
/// After this long without a byte taken by the client, a response may be given up for a new connection.
const STALLED: Duration = Duration::from_secs(1);

/// The stage of a connection and since when. Shared by its socket, its service, its timer and the list of connections.
#[derive(Clone)]
pub(super) struct ConnectionProgress(Arc<Mutex<(ConnectionStage, Instant)>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectionStage {
    /// No byte has arrived.
    Silent,
    /// A request head has begun and is not complete.
    Head,
    /// A response is made or sent. Counts from the last byte that the client took.
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

    /// When the connection is closed unless it makes progress.
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

    /// The rank among the connections that may be closed for a new one: idle ones first, then those whose head is not
    /// complete, then those whose client takes nothing; in each class, the one that waits longest first. `None` while it
    /// is served.
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
