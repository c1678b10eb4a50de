use std::future::poll_fn;
use std::io;
use std::task::Poll;

use tokio::signal::unix::{SignalKind, signal};

/// Installs handlers for SIGTERM and SIGINT; the future completes at the first of them.
pub(super) fn signals() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(poll_fn(move |context| {
        let asked =
            terminate.poll_recv(context).is_ready() || interrupt.poll_recv(context).is_ready();
        if asked {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }))
}
