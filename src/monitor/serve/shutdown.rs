//! The shutdown signal of a server.

use std::time::Duration;

use tokio::sync::watch;

/// Becomes ready when shutdown is requested; holds the time that responses in progress have to complete.
pub(super) type ShutdownWatch = watch::Receiver<Option<Duration>>;

/// Waits until shutdown is requested or the server is dropped.
pub(super) async fn shutdown_requested(stop: &mut ShutdownWatch) {
    drop(stop.wait_for(Option::is_some).await);
}
