//! The methods of [`Monitor`] that instrument databases, pools, external services and generated content.

use super::handle::Monitor;
use crate::content::Content;
use crate::db::{ConnectionPool, Database, DbSystem, InstrumentPool, PoolContext, PoolWatch};
use crate::external::External;

impl Monitor {
    /// Records the state of a connection pool under this name: `db_client_connection_count` by state, `_max`,
    /// `_idle_min` and `_pending_requests`. The returned [watch](PoolWatch) counts the callers that wait for a
    /// connection and records how long they wait.
    ///
    /// The pool's handle is kept until the pool reports that it is closed, another pool takes its name, or the monitor
    /// ends. Close a pool that must end earlier. At most 64 pools have their own series.
    pub fn watch_pool<P>(&self, name: impl AsRef<str>, pool: &P) -> PoolWatch
    where
        P: ConnectionPool + Clone + 'static,
    {
        PoolContext::new(&self.inner.queries, None).watch_pool(name, pool)
    }

    /// Instruments a pool that has an adapter: returns a pool whose queries are recorded without further set-up. The
    /// state of the pool is recorded too, as by [`watch_pool`](Self::watch_pool). The database system, server and
    /// database name are read from the pool's options where available, and the pool's name is derived from them. See
    /// [`db`](crate::db).
    pub fn db_pool<P: InstrumentPool>(&self, pool: &P) -> P::Instrumented {
        pool.instrument(&PoolContext::new(&self.inner.queries, None))
    }

    /// Does the same as [`db_pool`](Self::db_pool), with the given pool name. Use it if several pools connect to the
    /// same database: with one derived name, only the last pool would be reported.
    pub fn db_pool_as<P: InstrumentPool>(
        &self,
        name: impl AsRef<str>,
        pool: &P,
    ) -> P::Instrumented {
        pool.instrument(&PoolContext::new(&self.inner.queries, Some(name.as_ref())))
    }

    /// Creates a handle that records the queries to a database of this system. Store it next to the pool. See
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

    /// Creates a handle that records the calls to an external service of this name. Store it next to the client. See
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
    /// Returns a handle that records the generated content of this kind: how many items, how long they take, and how
    /// often generating fails. Keep it next to the code that generates. See [`content`](crate::content).
    ///
    /// The kind is a label: use names from a small set, never text from a client.
    ///
    /// ```
    /// # async fn example(monitor: watchpost::Monitor) -> Result<(), std::io::Error> {
    /// # async fn write_article() -> Result<String, std::io::Error> { Ok(String::new()) }
    /// let articles = monitor.content("article");
    /// let article = articles.try_run(write_article()).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn content(&self, kind: impl AsRef<str>) -> Content {
        self.inner.content.of_kind(kind.as_ref())
    }
}
