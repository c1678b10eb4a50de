use std::sync::Arc;

use super::guard::QueryGuard;
use super::queries::Queries;
use super::system::DbSystem;
use super::target::{DatabaseTarget, clean_name};

/// A database whose queries are recorded. Made by [`Monitor::db`](crate::Monitor::db). Cheap to clone: store it next to
/// the pool.
///
/// Names are cut at 128 bytes. A monitor distinguishes 64 databases by their names; further ones count only under their
/// system. So an external name, such as a tenant's, cannot fill the metrics.
#[derive(Debug, Clone)]
#[must_use = "a database records nothing until a query is begun with it"]
pub struct Database {
    queries: Arc<Queries>,
    target: Arc<DatabaseTarget>,
}

impl Database {
    pub(crate) fn new(queries: &Arc<Queries>, system: DbSystem) -> Self {
        Self {
            queries: Arc::clone(queries),
            target: queries.target(DatabaseTarget::new(system)),
        }
    }

    /// The same database with a changed target.
    fn with(self, change: impl FnOnce(&mut DatabaseTarget)) -> Self {
        let mut target = DatabaseTarget::clone(&self.target);
        change(&mut target);
        Self {
            target: self.queries.target(target),
            queries: self.queries,
        }
    }

    /// Sets the database's name, with its schema if it has one (`db.namespace`).
    pub fn namespace(self, namespace: impl AsRef<str>) -> Self {
        self.with(|target| target.namespace = Some(clean_name(namespace.as_ref())))
    }

    /// Sets the server's address and port (`server.address`, `server.port`).
    pub fn server(self, address: impl AsRef<str>, port: u16) -> Self {
        self.with(|target| {
            target.server = Some(clean_name(address.as_ref()));
            target.port = Some(port);
        })
    }

    /// Sets the name of the connection pool (`db.client.connection.pool.name`).
    pub fn pool(self, pool: impl AsRef<str>) -> Self {
        self.with(|target| target.pool = Some(clean_name(pool.as_ref())))
    }

    /// Notes that a pool of SQLx is instrumented, so that its queries are recorded without SQLx's events.
    #[cfg(feature = "sqlx")]
    pub(super) fn add_instrumented_pool(&self) {
        self.queries.events.add_instrumented_pool();
    }

    /// Announces an event of SQLx for a statement whose query is recorded by an adapter.
    #[cfg(feature = "sqlx")]
    pub(super) fn expect_event(&self, statement: &str) {
        self.queries.events.expect(statement);
    }

    /// Begins a query with the text of its statement, or of its command for systems without SQL.
    ///
    /// A statement is read once; each thread finds it again by its text. See
    /// [What is kept of a statement](crate::db#what-is-kept-of-a-statement).
    ///
    /// ```
    /// # async fn example(monitor: watchpost::Monitor) -> Result<(), std::io::Error> {
    /// use watchpost::db::DbSystem;
    ///
    /// # async fn fetch() -> Result<Vec<u8>, std::io::Error> { Ok(Vec::new()) }
    /// let db = monitor.db(DbSystem::Postgresql).namespace("shop");
    /// let rows = db.query("SELECT * FROM orders WHERE id = 17").try_run(fetch()).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn query(&self, statement: impl AsRef<str>) -> QueryGuard {
        self.begin(statement.as_ref())
    }

    /// Begins a query that has no text, by the name of its operation, such as `MongoDB`'s `find`, and of its
    /// collection; empty for none.
    ///
    /// The names become `db.operation.name`, `db.collection.name` and, together, the summary. They are cut at 128 bytes
    /// and label series, so neither may hold a value such as a key or a user's name. For SQL use
    /// [`query`](Self::query): a statement may run several operations on several tables.
    ///
    /// ```
    /// # async fn example(monitor: watchpost::Monitor) -> Result<(), std::io::Error> {
    /// use watchpost::db::DbSystem;
    ///
    /// # async fn find() -> Result<Vec<u8>, std::io::Error> { Ok(Vec::new()) }
    /// let db = monitor.db(DbSystem::Mongodb).namespace("shop");
    /// let found = db.operation("find", "orders").try_run(find()).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn operation(&self, operation: impl AsRef<str>, collection: impl AsRef<str>) -> QueryGuard {
        let (operation, collection) = (operation.as_ref(), collection.as_ref());
        let queries = &self.queries;
        QueryGuard::begin(queries.operation_digest(&self.target, operation, collection))
    }

    fn begin(&self, statement: &str) -> QueryGuard {
        QueryGuard::begin(self.queries.digest(&self.target, statement))
    }
}
