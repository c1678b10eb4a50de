use super::handle::Monitor;

/// See [`Monitor::drain`]. The wait runs on the worker's runtime, so that the host's needs no timer.
pub(super) async fn drain<S: Future + Send>(monitor: Monitor, signal: S) {
    signal.await;
    monitor.inner.health.drain(true);
    let wait = monitor.inner.drain_wait;
    let slept = monitor
        .inner
        .worker
        .handle()
        .spawn(async move { tokio::time::sleep(wait).await });
    // After the worker's end there is no timer, and nobody left to wait for.
    drop(slept.await);
}
