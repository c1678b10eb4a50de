use std::sync::Arc;

use super::database::Database;
use super::pool::{ConnectionPool, PoolWatch};
use super::queries::Queries;
use super::system::DbSystem;

/// A connection pool that [`monitor.db_pool(&pool)`](crate::Monitor::db_pool) can instrument.
///
/// The pools of the features `sqlx` and `deadpool-postgres` implement it. Implement it for a pool of your own to wrap
/// it in a type whose queries are recorded:
///
/// ```
/// use watchpost::db::{ConnectionPool, Database, DbSystem, InstrumentPool, PoolContext, PoolState, PoolWatch};
///
/// # #[derive(Clone)] struct Connections;
/// # impl Connections { fn in_use(&self) -> u64 { 3 } }
/// impl ConnectionPool for Connections {
///     fn state(&self) -> Option<PoolState> {
///         Some(PoolState::new(self.in_use(), 10 - self.in_use()).max(10))
///     }
/// }
///
/// /// Runs queries on `Connections` and records them.
/// struct InstrumentedConnections {
///     pool: Connections,
///     database: Database,
///     watch: PoolWatch,
/// }
///
/// impl InstrumentPool for Connections {
///     type Instrumented = InstrumentedConnections;
///
///     fn instrument(&self, context: &PoolContext<'_>) -> InstrumentedConnections {
///         let watch = context.watch_pool("orders", self);
///         InstrumentedConnections {
///             pool: self.clone(),
///             database: context.db(DbSystem::Mysql).pool(watch.name()),
///             watch,
///         }
///     }
/// }
///
/// # fn main() -> watchpost::Result<()> {
/// # let pool = Connections;
/// let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
/// let pool = monitor.db_pool(&pool);
/// # let _ = (&pool.pool, &pool.database, &pool.watch);
/// # Ok(())
/// # }
/// ```
pub trait InstrumentPool: ConnectionPool + Clone + 'static {
    /// The instrumented pool.
    type Instrumented;

    /// Wraps the pool. `context` makes the [`Database`] that its queries are recorded with, and watches its
    /// connections.
    fn instrument(&self, context: &PoolContext<'_>) -> Self::Instrumented;
}

/// The monitor for which a pool is instrumented, passed to [`InstrumentPool::instrument`].
#[derive(Debug)]
pub struct PoolContext<'a> {
    queries: &'a Arc<Queries>,
    /// The pool's name, if the host gave one.
    name: Option<&'a str>,
}

impl<'a> PoolContext<'a> {
    pub(crate) fn new(queries: &'a Arc<Queries>, name: Option<&'a str>) -> Self {
        Self { queries, name }
    }

    /// Makes a database of this system, like [`Monitor::db`](crate::Monitor::db).
    pub fn db(&self, system: DbSystem) -> Database {
        Database::new(self.queries, system)
    }

    /// Watches the connections of a pool, like [`Monitor::watch_pool`](crate::Monitor::watch_pool). `name` is used
    /// unless the host gave [another](crate::Monitor::db_pool_as).
    pub fn watch_pool<P>(&self, name: impl AsRef<str>, pool: &P) -> PoolWatch
    where
        P: ConnectionPool + Clone + 'static,
    {
        let name = self.name.unwrap_or(name.as_ref());
        self.queries.pools.watch(name, Box::new(pool.clone()))
    }
}
