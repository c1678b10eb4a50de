//! The drain phase, in which load balancers notice that the service is about to stop.

use std::time::Duration;

use super::handle::Monitor;

/// If `/readyz` was not requested within this time, no load balancer uses it.
const PROBED_WITHIN: Duration = Duration::from_secs(60);

impl Monitor {
    /// Waits for `signal`, then makes `/readyz` respond 503 and waits for the setting `drain.wait` (3 s by default), so
    /// that load balancers see it. Pass the future to `with_graceful_shutdown`, with
    /// [`shutdown_signal`](crate::shutdown_signal) as the signal.
    ///
    /// The wait is skipped if `/readyz` was not requested in the last minute. In that case no load balancer depends on
    /// it, and Ctrl-C during development ends the service immediately.
    ///
    /// Container runtimes commonly grant 10 s between SIGTERM and SIGKILL. The default wait and a
    /// [`shutdown`](Self::shutdown) of 3 s leave 4 s for requests in flight.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before `signal` completes has no effect. Dropping it later leaves `/readyz` at 503.
    pub fn drain<S>(&self, signal: S) -> impl Future<Output = ()> + Send + 'static + use<S>
    where
        S: Future + Send + 'static,
    {
        drain(self.clone(), signal)
    }
}

/// See [`Monitor::drain`]. The wait runs on the worker's runtime, so that the host's runtime needs no timer.
async fn drain<S: Future + Send>(monitor: Monitor, signal: S) {
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
    // This fails once the worker has ended; there is nothing to wait for then.
    drop(slept.await);
}
