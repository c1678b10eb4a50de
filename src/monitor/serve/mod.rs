//! A port of our own: a few pages on a thread and a runtime of their own, which answer whatever the host's
//! runtime is doing.

use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError, mpsc as std_mpsc};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

mod connection;
mod page;
mod places;
mod stage;

use self::page::Pages;
use self::places::Places;
use crate::error::{Error, Result};
use crate::model::{Diagnostics, suppress_thread};

pub(crate) use self::page::{Page, page};
pub(crate) use self::places::ServerCounters;

/// Rest after an accept that failed for want of something, mostly of file descriptors.
const REST: Duration = Duration::from_millis(50);
/// How long a server that is dropped without a word may take over its last answers.
const LAST_ANSWERS: Duration = Duration::from_millis(100);

/// The monitor's own port, opened by [`Monitor::serve`](crate::Monitor::serve). Dropping it closes the port,
/// and so does [`shutdown`](Self::shutdown); the end of the monitor does not, so that its last figures can be read.
#[derive(Debug)]
#[must_use = "dropping the server closes its port"]
pub struct Server {
    address: SocketAddr,
    /// Says stop, and how long the last answers may take.
    stop: watch::Sender<Option<Duration>>,
    /// Hangs up when the thread ends.
    ended: Mutex<std_mpsc::Receiver<()>>,
}

/// Becomes ready, with the time for the last answers, when the server is to stop.
type Stop = watch::Receiver<Option<Duration>>;

impl Server {
    /// Opens the port, on the first of the addresses that can be had, and serves each page under its
    /// exact path; other paths are not found.
    ///
    /// # Errors
    ///
    /// Where no address is given, none can be had, or no thread.
    pub(crate) fn start(
        address: impl ToSocketAddrs,
        pages: impl IntoIterator<Item = (&'static str, Page)>,
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
        let pages: Pages = Arc::new(pages.into_iter().collect());
        let places = Places::new(counters, diagnostics);
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
                // Fails only outside a runtime.
                if let Ok(listener) = tokio::net::TcpListener::from_std(listener) {
                    let next = async || Ok(listener.accept().await?.0);
                    accept(next, pages, &places, stopped).await;
                }
            });
            // Not waited for: whatever has not been answered by now is not.
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

    /// The address that is served: with the port that was given where 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Closes the port and idle connections, and gives the answers under way this long. Returns at once.
    pub fn shutdown(&self, within: Duration) {
        self.stop.send_if_modified(|stop| {
            let first = stop.is_none();
            stop.get_or_insert(within);
            first
        });
    }

    /// [`shutdown`](Self::shutdown), and waits for the thread; whether it ended in that time. Blocks the calling
    /// thread.
    pub fn shutdown_blocking(&self, within: Duration) -> bool {
        // The thread needs some of the time to end in.
        self.shutdown(within / 4 * 3);
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.recv_timeout(within) == Err(std_mpsc::RecvTimeoutError::Disconnected)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown(LAST_ANSWERS);
    }
}

/// Serves what `next` accepts, until it is told to stop.
async fn accept(
    mut next: impl AsyncFnMut() -> io::Result<TcpStream>,
    pages: Pages,
    places: &Arc<Places>,
    mut stop: Stop,
) {
    // Each connection's task holds the sending side; the last one that ends closes the channel.
    let (open, mut all_closed) = mpsc::channel::<()>(1);
    let connections = stop.clone();
    loop {
        let Some(accepted) = unless(&mut stop, next()).await else {
            break;
        };
        match accepted {
            Ok(stream) => {
                if let Some(held) = places.take() {
                    let (pages, stop) = (Arc::clone(&pages), connections.clone());
                    let open = open.clone();
                    drop(tokio::spawn(async move {
                        connection::serve(stream, pages, stop, held).await;
                        drop(open);
                    }));
                }
            }
            // The client's fault, and gone with it.
            Err(error) if is_the_clients(error.kind()) => {}
            Err(_) => drop(unless(&mut stop, sleep(REST)).await),
        }
    }
    let within = stop.borrow().unwrap_or(LAST_ANSWERS);
    drop(open);
    drop(timeout(within, all_closed.recv()).await);
}

fn is_the_clients(error: ErrorKind) -> bool {
    matches!(
        error,
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused
    )
}

/// What the future comes to; `None` where the server is to stop first.
async fn unless<F: Future>(stop: &mut Stop, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut stopped = pin!(told(stop));
    poll_fn(|context| {
        if stopped.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        future.as_mut().poll(context).map(Some)
    })
    .await
}

/// Waits until the server is to stop: told so, or dropped.
async fn told(stop: &mut Stop) {
    drop(stop.wait_for(Option::is_some).await);
}

/// A boxed future.
type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

#[cfg(test)]
mod tests;
