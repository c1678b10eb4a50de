use std::sync::Arc;

/// A connection pool that tells what it holds. The pools of the adapters do; for any other it is a few lines.
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
    /// What it holds now; `None` once it is closed, after which it is forgotten.
    ///
    /// It is called when the metrics page is read, and must not block. Where it panics, its values are missing.
    fn state(&self) -> Option<PoolState>;
}

impl<P: ConnectionPool + ?Sized> ConnectionPool for Arc<P> {
    fn state(&self) -> Option<PoolState> {
        (**self).state()
    }
}

/// What a pool holds at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolState {
    /// Connections in use.
    pub used: u64,
    /// Connections that wait for use.
    pub idle: u64,
    /// How many connections there may be.
    pub max: Option<u64>,
    /// How many idle ones it keeps at least.
    pub idle_min: Option<u64>,
    /// Who waits for a connection. Where the pool does not know, those who wait by its [watch](super::PoolWatch)
    /// are told.
    pub pending: Option<u64>,
}

impl PoolState {
    /// Of so many connections in use and so many idle ones.
    pub const fn new(used: u64, idle: u64) -> Self {
        Self {
            used,
            idle,
            max: None,
            idle_min: None,
            pending: None,
        }
    }

    /// Whether one who asks gets a connection at once.
    #[cfg(any(feature = "sqlx", feature = "deadpool-postgres"))]
    pub(in crate::db) fn has_free(&self) -> bool {
        self.idle > 0 || self.max.is_none_or(|max| self.used < max)
    }

    /// Sets how many connections there may be.
    #[must_use]
    pub const fn max(mut self, max: u64) -> Self {
        self.max = Some(max);
        self
    }

    /// Sets how many idle connections are kept at least.
    #[must_use]
    pub const fn idle_min(mut self, idle_min: u64) -> Self {
        self.idle_min = Some(idle_min);
        self
    }

    /// Sets how many wait for a connection.
    #[must_use]
    pub const fn pending(mut self, pending: u64) -> Self {
        self.pending = Some(pending);
        self
    }
}
