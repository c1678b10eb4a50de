use std::future::poll_fn;
use std::io;
use std::task::Poll;

use tokio::signal::windows::{ctrl_c, ctrl_close, ctrl_logoff, ctrl_shutdown};

/// Installs handlers for the console events; the future completes at the first of them.
pub(super) fn signals() -> io::Result<impl Future<Output = ()>> {
    let (mut c, mut close) = (ctrl_c()?, ctrl_close()?);
    let (mut logoff, mut shutdown) = (ctrl_logoff()?, ctrl_shutdown()?);
    Ok(poll_fn(move |context| {
        let asked = c.poll_recv(context).is_ready()
            || close.poll_recv(context).is_ready()
            || logoff.poll_recv(context).is_ready()
            || shutdown.poll_recv(context).is_ready();
        if asked {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }))
}
