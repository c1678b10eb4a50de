//! The signal that a server is to shut down.

use std::time::Duration;

use tokio::sync::watch;

/// Becomes ready when the server is to shut down, with the time for the responses under way.
pub(super) type ShutdownWatch = watch::Receiver<Option<Duration>>;

/// Waits until the server is to shut down: requested, or because it was dropped.
pub(super) async fn shutdown_requested(stop: &mut ShutdownWatch) {
    drop(stop.wait_for(Option::is_some).await);
}
