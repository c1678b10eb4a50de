use std::time::Duration;

use super::handle::Monitor;

/// If nothing has asked `/readyz` for this long, no load balancer goes by it.
const PROBED_WITHIN: Duration = Duration::from_secs(60);

/// See [`Monitor::drain`]. The wait runs on the worker's runtime, so that the host's needs no timer.
pub(super) async fn drain<S: Future + Send>(monitor: Monitor, signal: S) {
    signal.await;
    let probed = monitor.inner.health.had_ready_request_within(PROBED_WITHIN);
    monitor.inner.health.set_draining(true);
    if !probed {
        return;
    }
    let wait = monitor.inner.drain_wait;
    let slept = monitor
        .inner
        .worker
        .handle()
        .spawn(async move { tokio::time::sleep(wait).await });
    // After the worker's end there is no timer, and nobody left to wait for.
    drop(slept.await);
}
