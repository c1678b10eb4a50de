//! The monitor's own port: a few pages served from a dedicated thread and runtime, which respond even while the host's
//! runtime is blocked.

use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, mpsc as std_mpsc};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

mod connection;
mod limiter;
mod page;
mod progress;
mod shutdown;

use self::limiter::ConnectionLimiter;
use self::page::PageTable;
use self::shutdown::{ShutdownWatch, shutdown_requested};
use crate::error::{Error, Result};
use crate::model::{Diagnostics, suppress_thread};

pub(crate) use self::limiter::ServerCounters;
pub(crate) use self::page::{PageHandler, page};
#[cfg(feature = "dashboard")]
pub(crate) use self::page::{RequestBody, ServedBody};

/// The pause after an accept that failed because a resource is exhausted, usually file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// The time that responses in progress have to complete when a server is dropped.
const DROP_DEADLINE: Duration = Duration::from_millis(100);

/// The monitor's own port, opened by [`Monitor::serve`](crate::Monitor::serve).
///
/// The port closes when the server is dropped or [`shutdown`](Self::shutdown) is called. It stays open after the
/// monitor ends, so that a last scrape reads the final values.
#[derive(Debug)]
#[must_use = "dropping the server closes its port: bind it to a named variable, not to `_`"]
pub struct Server {
    address: SocketAddr,
    /// Requests the shutdown, with the time that responses in progress have to complete.
    stop: watch::Sender<Option<Duration>>,
    /// Disconnects when the thread ends.
    ended: Mutex<std_mpsc::Receiver<()>>,
}

impl Server {
    /// Binds the first free address and serves each page under its path; other paths get 404.
    ///
    /// # Errors
    ///
    /// Returns an error if no address is given or can be bound, or if the thread cannot be started.
    pub(crate) fn start(
        address: impl ToSocketAddrs,
        pages: impl IntoIterator<Item = (&'static str, PageHandler)>,
        counters: Arc<ServerCounters>,
        diagnostics: Arc<Diagnostics>,
    ) -> Result<Self> {
        let addresses: Vec<SocketAddr> = address
            .to_socket_addrs()
            .map_err(|error| Error::io("the address to serve on cannot be read", error))?
            .collect();
        let refused = |error| Error::io(format!("serving on {addresses:?} is not possible"), error);
        let listener = TcpListener::bind(&*addresses).map_err(refused)?;
        listener.set_nonblocking(true).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let pages: PageTable = Arc::new(pages.into_iter().collect());
        let limiter = ConnectionLimiter::new(counters, diagnostics);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(refused)?;
        let (stop, stopped) = watch::channel(None);
        let (end, ended) = std_mpsc::channel();
        let run = move || {
            let _end: std_mpsc::Sender<()> = end;
            suppress_thread();
            runtime.block_on(async {
                // This fails only outside a runtime.
                if let Ok(listener) = tokio::net::TcpListener::from_std(listener) {
                    let next = async || Ok(listener.accept().await?.0);
                    accept(next, pages, &limiter, stopped).await;
                }
            });
            // Does not wait: a response that is still incomplete is aborted.
            runtime.shutdown_background();
        };
        thread::Builder::new()
            .name("watchpost-serve".to_owned())
            .spawn(run)
            .map_err(refused)?;
        Ok(Self {
            address,
            stop,
            ended: Mutex::new(ended),
        })
    }

    /// Returns the bound address. If port 0 was requested, it contains the port that the system chose.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Closes the port and idle connections, and aborts responses that are still in progress at the deadline. Returns
    /// immediately.
    pub fn shutdown(&self, deadline: Duration) {
        self.stop.send_if_modified(|stop| {
            let first = stop.is_none();
            stop.get_or_insert(deadline);
            first
        });
    }

    /// Does the same as [`shutdown`](Self::shutdown), and waits for the server's thread. Returns whether the thread
    /// ended within the deadline. Blocks the calling thread.
    pub fn shutdown_blocking(&self, deadline: Duration) -> bool {
        // Reserves a quarter of the deadline for the thread to end after the last response.
        self.shutdown(deadline / 4 * 3);
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.recv_timeout(deadline) == Err(std_mpsc::RecvTimeoutError::Disconnected)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown(DROP_DEADLINE);
    }
}

/// Serves the connections that `next` accepts until shutdown is requested.
async fn accept(
    mut next: impl AsyncFnMut() -> io::Result<TcpStream>,
    pages: PageTable,
    limiter: &Arc<ConnectionLimiter>,
    mut stop: ShutdownWatch,
) {
    // The task of each connection holds a sender; the channel closes when the last task ends.
    let (open, mut all_closed) = mpsc::channel::<()>(1);
    let connections = stop.clone();
    loop {
        let Some(accepted) = unless_shutdown(&mut stop, next()).await else {
            break;
        };
        match accepted {
            Ok(stream) => {
                if let Some(permit) = limiter.acquire() {
                    let (pages, stop) = (Arc::clone(&pages), connections.clone());
                    let open = open.clone();
                    drop(tokio::spawn(async move {
                        connection::serve(stream, pages, stop, permit).await;
                        drop(open);
                    }));
                }
            }
            // The client disconnected; the next accept is unaffected.
            Err(error) if is_client_error(error.kind()) => {}
            Err(_) => drop(unless_shutdown(&mut stop, sleep(ACCEPT_PAUSE)).await),
        }
    }
    // The first request of a shutdown sets the deadline. The own sender is dropped, so that the channel closes with the
    // last connection.
    let deadline = stop.borrow().unwrap_or(DROP_DEADLINE);
    drop(open);
    drop(timeout(deadline, all_closed.recv()).await);
}

fn is_client_error(error: ErrorKind) -> bool {
    matches!(
        error,
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused
    )
}

/// Returns the output of the future; `None` if shutdown is requested first.
async fn unless_shutdown<F: Future>(stop: &mut ShutdownWatch, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut stopped = pin!(shutdown_requested(stop));
    poll_fn(|context| {
        if stopped.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        future.as_mut().poll(context).map(Some)
    })
    .await
}

#[cfg(test)]
mod tests;
