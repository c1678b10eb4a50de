//! The signals that request a shutdown.

use std::future::{Future, pending, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::thread;

use tokio::runtime;
use tokio::sync::oneshot;

use crate::model::suppress_thread;

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
#[cfg_attr(not(any(unix, windows)), path = "other.rs")]
mod system;

/// Completes when the process receives a shutdown signal: SIGTERM or SIGINT (Ctrl-C) on Unix; Ctrl-C or a close,
/// log-off or shut-down event of the console on Windows. For use with [`Monitor::drain`](crate::Monitor::drain).
///
/// The call installs the handlers, not the first poll. From then on these signals no longer end the process, even after
/// the future is dropped; SIGKILL still does. A dedicated thread waits for the signals, so the future works in any
/// runtime and without one.
///
/// If a handler cannot be installed, the signal keeps its default action, which ends the process.
///
/// # Cancel safety
///
/// A signal that arrives between polls completes the next poll.
///
/// # Examples
///
/// ```no_run
/// # async fn example(monitor: watchpost::Monitor, listener: tokio::net::TcpListener, app: axum::Router) -> std::io::Result<()> {
/// axum::serve(listener, app)
///     .with_graceful_shutdown(monitor.drain(watchpost::shutdown_signal()))
///     .await
/// # }
/// ```
pub fn shutdown_signal() -> impl Future<Output = ()> + Send + 'static {
    let asked = listen().ok();
    async move {
        let Some(asked) = asked else {
            // The signals keep their default action, which ends the process.
            return pending().await;
        };
        if asked.await.is_err() {
            pending::<()>().await;
        }
    }
}

/// Starts the thread that waits for a signal. Returns once the handlers are installed.
fn listen() -> io::Result<oneshot::Receiver<()>> {
    let (installed, result) = std::sync::mpsc::channel();
    let (mut ask, asked) = oneshot::channel();
    let run = move || {
        suppress_thread();
        let runtime = runtime::Builder::new_current_thread().enable_io().build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => return drop(installed.send(Err(error))),
        };
        runtime.block_on(async {
            match system::signals() {
                Ok(signals) => {
                    drop(installed.send(Ok(())));
                    let mut signals = pin!(signals);
                    let asked = poll_fn(|context| match signals.as_mut().poll(context) {
                        Poll::Ready(()) => Poll::Ready(true),
                        // The future was dropped, so no caller is waiting.
                        Poll::Pending => ask.poll_closed(context).map(|()| false),
                    });
                    if asked.await {
                        let _gone = ask.send(());
                    }
                }
                Err(error) => drop(installed.send(Err(error))),
            }
        });
    };
    thread::Builder::new()
        .name("watchpost-signal".to_owned())
        .spawn(run)?;
    result.recv().map_err(io::Error::other)??;
    Ok(asked)
}
