use std::sync::Arc;

/// A connection pool that reports its connections, for the metrics `db_client_connection_*`.
///
/// The pools of SQLx and deadpool-postgres implement it, with their features. For any other pool it takes a few lines:
///
/// ```
/// use watchpost::db::{ConnectionPool, PoolState};
///
/// # #[derive(Clone)] struct Connections;
/// # impl Connections { fn in_use(&self) -> u64 { 3 } fn waiting(&self) -> u64 { 1 } }
/// impl ConnectionPool for Connections {
///     fn state(&self) -> Option<PoolState> {
///         Some(PoolState::new(self.in_use(), 10 - self.in_use()).max(10).pending(self.waiting()))
///     }
/// }
///
/// # fn main() -> watchpost::Result<()> {
/// # let pool = Connections;
/// let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
/// monitor.watch_pool("orders", &pool);
/// # Ok(())
/// # }
/// ```
pub trait ConnectionPool: Send + Sync {
    /// Returns the current numbers, or `None` once the pool is closed: the monitor then releases its handle.
    ///
    /// It is called for each scrape, and for each snapshot of the history or for a push, on a thread of the monitor. It
    /// must not block: read atomics, or use `try_lock`. If it panics, the scrape or snapshot has no values of this pool.
    ///
    /// The scrape or snapshot that calls it waits until it returns. From a second on, others leave the values of the pool
    /// out. After 30 s, `/health` shows a warning with the name of the pool.
    fn state(&self) -> Option<PoolState>;
}

impl<P: ConnectionPool + ?Sized> ConnectionPool for Arc<P> {
    fn state(&self) -> Option<PoolState> {
        (**self).state()
    }
}

/// The connections of a pool at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolState {
    /// Connections in use.
    pub used: u64,
    /// Idle connections.
    pub idle: u64,
    /// The maximum of connections, if there is one.
    pub max: Option<u64>,
    /// The minimum of idle connections, if there is one.
    pub idle_min: Option<u64>,
    /// Requests that wait for a connection. If the pool does not know, the requests that wait through its
    /// [`PoolWatch`](super::PoolWatch) are reported.
    pub pending: Option<u64>,
}

impl PoolState {
    /// A state with this many connections in use and idle ones, and without limits.
    pub const fn new(used: u64, idle: u64) -> Self {
        Self {
            used,
            idle,
            max: None,
            idle_min: None,
            pending: None,
        }
    }

    /// Whether a connection can be acquired immediately.
    #[cfg(any(feature = "sqlx", feature = "deadpool-postgres"))]
    pub(in crate::db) fn has_free(&self) -> bool {
        self.idle > 0 || self.max.is_none_or(|max| self.used < max)
    }

    /// Sets the maximum of connections.
    #[must_use]
    pub const fn max(mut self, max: u64) -> Self {
        self.max = Some(max);
        self
    }

    /// Sets the minimum of idle connections.
    #[must_use]
    pub const fn idle_min(mut self, idle_min: u64) -> Self {
        self.idle_min = Some(idle_min);
        self
    }

    /// Sets the number of requests that wait for a connection.
    #[must_use]
    pub const fn pending(mut self, pending: u64) -> Self {
        self.pending = Some(pending);
        self
    }
}
