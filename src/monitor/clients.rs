//! What the host watches through the monitor: databases, pools and services elsewhere.

use super::handle::Monitor;
use crate::db::{ConnectionPool, Database, DbSystem, InstrumentPool, PoolContext, PoolWatch};
use crate::external::External;

impl Monitor {
    /// Watches what a connection pool holds, under this name: `db_client_connection_count` by state, `_max`,
    /// `_idle_min` and `_pending_requests`. Those who wait for a connection are counted, and how long, by the
    /// [watch](PoolWatch) that this gives.
    ///
    /// The pool's handle is kept until it says that it is closed, another takes its name, or the monitor ends: close
    /// a pool that must end before. At most 64 pools have series of their own.
    pub fn watch_pool<P>(&self, name: impl AsRef<str>, pool: &P) -> PoolWatch
    where
        P: ConnectionPool + Clone + 'static,
    {
        PoolContext::new(&self.inner.queries, None).watch_pool(name, pool)
    }

    /// A pool of an adapter, whose queries are watched with no more set-up; what it holds is watched too, as
    /// [`watch_pool`](Self::watch_pool) does. System, server and database are those of the pool's own options, as far
    /// as it tells them, and its name is made of them. See [`db`](crate::db).
    pub fn db_pool<P: InstrumentPool>(&self, pool: &P) -> P::Instrumented {
        pool.instrument(&PoolContext::new(&self.inner.queries, None))
    }

    /// As [`db_pool`](Self::db_pool), by this name: for one of several pools to the same database, of which one name
    /// would tell the last alone.
    pub fn db_pool_as<P: InstrumentPool>(
        &self,
        name: impl AsRef<str>,
        pool: &P,
    ) -> P::Instrumented {
        pool.instrument(&PoolContext::new(&self.inner.queries, Some(name.as_ref())))
    }

    /// A database of this system, whose queries are watched. Keep it where the pool is kept. See
    /// [`db`](crate::db).
    ///
    /// ```
    /// use watchpost::db::DbSystem;
    ///
    /// # async fn example(monitor: watchpost::Monitor) -> Result<(), std::io::Error> {
    /// # async fn insert() -> Result<(), std::io::Error> { Ok(()) }
    /// let db = monitor.db(DbSystem::Sqlite).namespace("orders.sqlite3");
    /// db.query("INSERT INTO orders (mail) VALUES ('ada@example.org')").try_run(insert()).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn db(&self, system: DbSystem) -> Database {
        Database::new(&self.inner.queries, system)
    }

    /// A service elsewhere of this name, whose calls are watched. Keep it where the client is kept. See
    /// [`external`](crate::external).
    ///
    /// ```
    /// # async fn example(monitor: watchpost::Monitor) -> Result<(), std::io::Error> {
    /// # async fn send() -> Result<u16, std::io::Error> { Ok(200) }
    /// let payments = monitor.external("payments");
    /// let call = payments.call(http::Method::GET, "https://pay.example.org/v1/balance");
    /// let status = call.try_run_with(send(), |call, status| call.status(*status)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn external(&self, service: impl AsRef<str>) -> External {
        External::new(&self.inner.calls, service.as_ref())
    }
}
