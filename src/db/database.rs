use std::sync::Arc;

use super::guard::QueryGuard;
use super::queries::Queries;
use super::system::DbSystem;
use super::target::{Target, name};

/// A database whose queries are watched, made by [`Monitor::db`](crate::Monitor::db). Cheap to clone; keep it
/// where the pool is kept.
///
/// Names are cut at 128 bytes. Sixty-four databases of a monitor are told apart by more than their system, so a
/// name that others choose, such as a tenant's, does no harm.
#[derive(Debug, Clone)]
#[must_use = "a database is watched by the queries that are made of it"]
pub struct Database {
    queries: Arc<Queries>,
    target: Arc<Target>,
}

impl Database {
    pub(crate) fn new(queries: &Arc<Queries>, system: DbSystem) -> Self {
        Self {
            queries: Arc::clone(queries),
            target: queries.target(Target::new(system)),
        }
    }

    fn with(self, change: impl FnOnce(&mut Target)) -> Self {
        let mut target = Target::clone(&self.target);
        change(&mut target);
        Self {
            target: self.queries.target(target),
            queries: self.queries,
        }
    }

    /// Sets the database's name, with its schema where it has one (`db.namespace`).
    pub fn namespace(self, namespace: impl AsRef<str>) -> Self {
        self.with(|target| target.namespace = Some(name(namespace.as_ref())))
    }

    /// Sets where the server is (`server.address`, `server.port`).
    pub fn server(self, address: impl AsRef<str>, port: u16) -> Self {
        self.with(|target| {
            target.server = Some(name(address.as_ref()));
            target.port = Some(port);
        })
    }

    /// Sets the name of the connection pool (`db.client.connection.pool.name`).
    pub fn pool(self, pool: impl AsRef<str>) -> Self {
        self.with(|target| target.pool = Some(name(pool.as_ref())))
    }

    /// A pool of SQLx is wrapped.
    #[cfg(feature = "sqlx")]
    pub(super) fn wraps_sqlx(&self) {
        self.queries.told.wraps();
    }

    /// An event will tell of a query of this statement, which is counted otherwise.
    #[cfg(feature = "sqlx")]
    pub(super) fn will_be_told(&self, statement: &str) {
        self.queries.told.will_come(statement);
    }

    /// Begins a query: of SQL its statement, of other systems their command, of which the name alone is kept.
    ///
    /// The statement is read once and found again by its text; see [`db`](crate::db) for what is kept of it.
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

    /// Begins a query through an interface that takes no text and names its operation itself, such as `MongoDB`'s
    /// `find`, and the collection that the operation is for; empty for none.
    ///
    /// Both are kept as they are given, cut at 128 bytes: as `db.operation.name`, as `db.collection.name`, and together
    /// as the summary. They label series, so neither may hold a value, such as a key or a user's name. Of statements in
    /// SQL, which may do several things to several tables, only [`query`](Self::query) knows what to keep.
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
        QueryGuard::begin(self.queries.named(&self.target, operation, collection))
    }

    fn begin(&self, statement: &str) -> QueryGuard {
        QueryGuard::begin(self.queries.shape(&self.target, statement))
    }
}
