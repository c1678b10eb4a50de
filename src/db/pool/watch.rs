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
use crate::model::{InProgress, catch_panic};

/// Records the waits for connections of a pool. Made by [`Monitor::watch_pool`](crate::Monitor::watch_pool). Cheap to
/// clone; clones count together.
///
/// The pool's connections are reported without it: the handle can be dropped where nothing waits through it.
#[derive(Debug, Clone)]
pub struct PoolWatch {
    waits: Arc<PoolWaits>,
}

/// The counters of a pool's waits.
#[derive(Debug)]
pub(super) struct PoolWaits {
    pub(super) name: Arc<str>,
    pub(super) clock: Clock,
    pub(super) pending: AtomicU64,
    pub(super) wait_time: Histogram,
    pub(super) timeouts: Counter,
    /// Calls of the pool's `state`.
    pub(super) state_calls: InProgress,
}

impl PoolWatch {
    pub(super) fn new(waits: &Arc<PoolWaits>) -> Self {
        Self {
            waits: Arc::clone(waits),
        }
    }

    /// Returns the pool's name.
    pub fn name(&self) -> &str {
        &self.waits.name
    }

    /// Runs a future that acquires a connection.
    ///
    /// While it runs it counts in `db.client.connection.pending_requests`. `Ok` records its duration in `.wait_time`.
    /// An `Err` of the type `std::io::Error` with the kind `TimedOut`, or of the type `tokio::time::error::Elapsed`,
    /// counts in `.timeouts`; for other error types see [`acquire_with`](Self::acquire_with).
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
    /// As cancel safe as `future`. If the returned future is dropped before it is ready, no duration is recorded.
    pub fn acquire<F, T, E>(&self, future: F) -> Acquire<F, fn(&E) -> bool>
    where
        F: Future<Output = Result<T, E>>,
        E: 'static,
    {
        self.acquire_with(future, is_timeout)
    }

    /// Like [`acquire`](Self::acquire), with a function that recognizes the timeouts among the errors. A panic of that
    /// function is caught; the error then counts as none.
    ///
    /// # Cancel safety
    ///
    /// As of [`acquire`](Self::acquire).
    pub fn acquire_with<F, T, E, I>(&self, future: F, is_timeout: I) -> Acquire<F, I>
    where
        F: Future<Output = Result<T, E>>,
        I: FnOnce(&E) -> bool,
    {
        let pending = PendingAcquire {
            start: self.waits.clock.now(),
            waits: Arc::clone(&self.waits),
        };
        // The drop of `pending` counts down, whether the future completes or is dropped.
        pending.waits.pending.fetch_add(1, Relaxed);
        Acquire {
            future,
            pending: Some((pending, is_timeout)),
        }
    }
}

fn is_timeout<E: 'static>(error: &E) -> bool {
    let any: &dyn Any = error;
    let io = any.downcast_ref::<io::Error>();
    io.is_some_and(|io| io.kind() == io::ErrorKind::TimedOut)
        || any.is::<tokio::time::error::Elapsed>()
}

/// A wait in progress, counted as pending until it is dropped.
#[derive(Debug)]
struct PendingAcquire {
    waits: Arc<PoolWaits>,
    start: Nanos,
}

impl PendingAcquire {
    fn record_wait(&self) {
        let nanos = self.waits.clock.now().saturating_sub(self.start);
        self.waits.wait_time.record(nanos as f64 / 1e9);
    }
}

impl Drop for PendingAcquire {
    fn drop(&mut self) {
        self.waits.pending.fetch_sub(1, Relaxed);
    }
}

pin_project! {
    /// The future of [`PoolWatch::acquire`] and [`PoolWatch::acquire_with`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Acquire<F, I> {
        #[pin]
        future: F,
        pending: Option<(PendingAcquire, I)>,
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
        // The future is code of the host and may panic. The count of pending waits is then corrected by the drop.
        let result = ready!(this.future.poll(cx));
        if let Some((pending, is_timeout)) = this.pending.take() {
            match &result {
                Ok(_) => pending.record_wait(),
                Err(error) if catch_panic(|| is_timeout(error)) == Some(true) => {
                    pending.waits.timeouts.add(1);
                }
                Err(_) => {}
            }
        }
        Poll::Ready(result)
    }
}

impl<F: fmt::Debug, I> fmt::Debug for Acquire<F, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acquire")
            .field("future", &self.future)
            .finish_non_exhaustive()
    }
}
