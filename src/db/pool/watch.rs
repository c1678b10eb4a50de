use std::any::Any;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::clock::{Clock, Nanos};
use crate::metrics::{Counter, Histogram};
use crate::model::caught;

/// Those who wait for connections of a pool, made by [`Monitor::watch_pool`](crate::Monitor::watch_pool). Cheap to
/// clone. What the pool holds is watched without it.
#[derive(Debug, Clone)]
pub struct PoolWatch {
    waits: Arc<Waits>,
}

/// What is counted of those who wait.
#[derive(Debug)]
pub(super) struct Waits {
    pub(super) name: Arc<str>,
    pub(super) clock: Clock,
    pub(super) pending: AtomicU64,
    pub(super) wait_time: Histogram,
    pub(super) timeouts: Counter,
}

impl PoolWatch {
    pub(super) fn new(waits: &Arc<Waits>) -> Self {
        Self {
            waits: Arc::clone(waits),
        }
    }

    /// The pool's name.
    pub fn name(&self) -> &str {
        &self.waits.name
    }

    /// Waits for a connection: who waits is counted while it does, and how long it took when it got one
    /// (`db.client.connection.pending_requests`, `.wait_time`). A time-out of std or tokio counts as one
    /// (`db.client.connection.timeouts`).
    ///
    /// ```
    /// # async fn example(monitor: watchpost::Monitor, pool: std::sync::Arc<dyn watchpost::db::ConnectionPool>) -> Result<(), std::io::Error> {
    /// # async fn connection() -> Result<(), std::io::Error> { Ok(()) }
    /// let watch = monitor.watch_pool("orders", &pool);
    /// let connection = watch.acquire(connection()).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// As `future` is. Dropped before it is done, it waits no more, and no time is counted.
    pub fn acquire<F, T, E>(&self, future: F) -> Acquire<F, fn(&E) -> bool>
    where
        F: Future<Output = Result<T, E>>,
        E: 'static,
    {
        self.acquire_with(future, is_timeout)
    }

    /// As [`acquire`](Self::acquire), for errors that say in their own way that time ran out.
    ///
    /// # Cancel safety
    ///
    /// As [`acquire`](Self::acquire).
    pub fn acquire_with<F, T, E, I>(&self, future: F, is_timeout: I) -> Acquire<F, I>
    where
        F: Future<Output = Result<T, E>>,
        I: FnOnce(&E) -> bool,
    {
        let waiting = Waiting {
            start: self.waits.clock.now(),
            waits: Arc::clone(&self.waits),
        };
        waiting.waits.pending.fetch_add(1, Relaxed);
        Acquire {
            future,
            waiting: Some((waiting, is_timeout)),
        }
    }
}

fn is_timeout<E: 'static>(error: &E) -> bool {
    let any: &dyn Any = error;
    let io = any.downcast_ref::<io::Error>();
    io.is_some_and(|io| io.kind() == io::ErrorKind::TimedOut)
        || any.is::<tokio::time::error::Elapsed>()
}

/// One who waits.
#[derive(Debug)]
struct Waiting {
    waits: Arc<Waits>,
    start: Nanos,
}

impl Waiting {
    fn got_one(&self) {
        let nanos = self.waits.clock.now().saturating_sub(self.start);
        self.waits.wait_time.record(nanos as f64 / 1e9);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.waits.pending.fetch_sub(1, Relaxed);
    }
}

pin_project! {
    /// The future of [`PoolWatch::acquire`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Acquire<F, I> {
        #[pin]
        future: F,
        waiting: Option<(Waiting, I)>,
    }
}

impl<F, T, E, I> Future for Acquire<F, I>
where
    F: Future<Output = Result<T, E>>,
    I: FnOnce(&E) -> bool,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let done = ready!(this.future.poll(cx));
        if let Some((waiting, is_timeout)) = this.waiting.take() {
            match &done {
                Ok(_) => waiting.got_one(),
                Err(error) if caught(|| is_timeout(error)) == Some(true) => {
                    waiting.waits.timeouts.add(1);
                }
                Err(_) => {}
            }
        }
        Poll::Ready(done)
    }
}

impl<F: fmt::Debug, I> fmt::Debug for Acquire<F, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acquire")
            .field("future", &self.future)
            .finish_non_exhaustive()
    }
}
