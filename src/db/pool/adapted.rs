use std::sync::Arc;

use super::super::database::Database;
use super::super::queries::Queries;
use super::super::system::DbSystem;
use super::state::ConnectionPool;
use super::watch::PoolWatch;

/// A pool whose queries are watched with no more set-up than
/// [`monitor.db_pool(&pool)`](crate::Monitor::db_pool): those of the features `sqlx` and `deadpool-postgres`, or one
/// of your own.
pub trait AdaptedPool: ConnectionPool + Clone + 'static {
    /// The pool whose queries are watched.
    type Watched;

    /// Wraps it; `by` makes the database that it leads to and watches what it holds.
    fn adapt(&self, by: &Adapting<'_>) -> Self::Watched;
}

/// The monitor that a pool is wrapped for.
#[derive(Debug)]
pub struct Adapting<'a> {
    queries: &'a Arc<Queries>,
    /// The pool's name, where one was given.
    name: Option<&'a str>,
}

impl<'a> Adapting<'a> {
    pub(crate) fn new(queries: &'a Arc<Queries>, name: Option<&'a str>) -> Self {
        Self { queries, name }
    }

    /// A database of this system, as of [`Monitor::db`](crate::Monitor::db).
    pub fn db(&self, system: DbSystem) -> Database {
        Database::new(self.queries, system)
    }

    /// Watches what a pool holds, as [`Monitor::watch_pool`](crate::Monitor::watch_pool), by this name unless
    /// [another](crate::Monitor::db_pool_as) was given.
    pub fn watch_pool<P>(&self, name: impl AsRef<str>, pool: &P) -> PoolWatch
    where
        P: ConnectionPool + Clone + 'static,
    {
        let name = self.name.unwrap_or(name.as_ref());
        self.queries.pools.watch(name, Box::new(pool.clone()))
    }
}
