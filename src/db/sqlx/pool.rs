use std::fmt;
use std::sync::Arc;

use sqlx::ConnectOptions as _;
use sqlx::Database as Driver;
use sqlx::Error;
use sqlx::{SqlSafeStr, SqlStr};

use super::super::instrument_pool::{InstrumentPool, PoolContext};
use super::super::pool::{ConnectionPool, PoolState, PoolWatch};
use super::super::system::DbSystem;
use super::connection::PoolConnection;
use super::database::SqlxDatabase;
use super::error;
use super::transaction::{Transaction, TransactionConnection};
use crate::model::catch_panic;

/// An instrumented pool of SQLx. Made by [`Monitor::db_pool`](crate::Monitor::db_pool). `&Pool` is an SQLx executor.
/// Cheap to clone.
pub struct Pool<DB: Driver> {
    inner: sqlx::Pool<DB>,
    database: Arc<SqlxDatabase>,
    watch: PoolWatch,
}

impl<DB: Driver> Pool<DB> {
    /// Returns the underlying pool. Statements executed on it are not recorded.
    pub fn as_sqlx(&self) -> &sqlx::Pool<DB> {
        &self.inner
    }

    /// Sets the database's name (`db.namespace`). It is read from the pool's options, except for `SQLite`.
    #[must_use]
    pub fn namespace(mut self, namespace: impl AsRef<str>) -> Self {
        Arc::make_mut(&mut self.database).set_namespace(namespace.as_ref());
        self
    }

    /// Sets whether statements are sent with a comment that carries the trace context, in the format of
    /// [sqlcommenter](https://google.github.io/sqlcommenter/spec/); off by default. The database's logs and its list of
    /// running queries can then be matched with traces.
    ///
    /// Each statement then has a unique text, so that no prepared statement is reused. A statement that already has a
    /// comment is sent unchanged.
    #[must_use]
    pub fn comments(mut self, comments: bool) -> Self {
        Arc::make_mut(&mut self.database).comments = comments;
        self
    }

    /// Acquires a connection.
    ///
    /// # Errors
    ///
    /// Same as for [`sqlx::Pool::acquire`](sqlx::Pool::acquire). A timeout counts in
    /// `db_client_connection_timeouts_total`.
    ///
    /// # Cancel safety
    ///
    /// Same as for [`sqlx::Pool::acquire`](sqlx::Pool::acquire). A dropped future records no wait time.
    pub async fn acquire(&self) -> Result<PoolConnection<DB>, Error> {
        let is_timeout = |error: &Error| matches!(error, Error::PoolTimedOut);
        let connection = self.watch.acquire_with(self.inner.acquire(), is_timeout);
        Ok(PoolConnection::new(connection.await?, &self.database))
    }

    /// Like [`acquire`](Self::acquire), for a statement: without a connection, its query fails.
    pub(super) async fn acquire_for(&self, statement: &str) -> Result<PoolConnection<DB>, Error> {
        let connection = self.acquire().await;
        if let Err(error) = &connection {
            error::fail(self.database.query(statement), error);
        }
        connection
    }

    /// Acquires a connection and begins a transaction on it.
    ///
    /// # Errors
    ///
    /// Same as for [`sqlx::Pool::begin`](sqlx::Pool::begin).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, a transaction that has begun is rolled back and the query counts as cancelled.
    pub async fn begin(&self) -> Result<Transaction<'static, DB>, Error> {
        self.begin_inner(None).await
    }

    /// Like [`begin`](Self::begin), with a statement of the host, such as `BEGIN READ ONLY`.
    ///
    /// # Errors
    ///
    /// Same as for [`begin`](Self::begin). It also fails if the statement begins no transaction.
    ///
    /// # Cancel safety
    ///
    /// Same as for [`begin`](Self::begin).
    pub async fn begin_with(
        &self,
        statement: impl SqlSafeStr,
    ) -> Result<Transaction<'static, DB>, Error> {
        self.begin_inner(Some(statement.into_sql_str())).await
    }

    async fn begin_inner(
        &self,
        statement: Option<SqlStr>,
    ) -> Result<Transaction<'static, DB>, Error> {
        let text = statement.as_ref().map_or("BEGIN", SqlStr::as_str);
        let connection = self.acquire_for(text).await?.into_sqlx();
        Transaction::begin(
            TransactionConnection::Pooled(connection),
            &self.database,
            statement,
        )
        .await
    }
}

impl<DB: Driver> Clone for Pool<DB> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            database: Arc::clone(&self.database),
            watch: self.watch.clone(),
        }
    }
}

impl<DB: Driver> fmt::Debug for Pool<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("inner", &self.inner)
            .field("name", &self.watch.name())
            .finish_non_exhaustive()
    }
}

impl<DB: Driver> ConnectionPool for sqlx::Pool<DB> {
    fn state(&self) -> Option<PoolState> {
        if self.is_closed() {
            return None;
        }
        let idle = self.num_idle() as u64;
        let options = self.options();
        let state = PoolState::new(u64::from(self.size()).saturating_sub(idle), idle)
            .max(options.get_max_connections().into());
        Some(state.idle_min(options.get_min_connections().into()))
    }
}

impl<DB: Driver> InstrumentPool for sqlx::Pool<DB> {
    type Instrumented = Pool<DB>;

    fn instrument(&self, context: &PoolContext<'_>) -> Pool<DB> {
        let address = PoolAddress::of(self);
        let mut database = context.db(address.system);
        database.add_instrumented_pool();
        if let Some(server) = &address.server {
            database = database.server(server, address.port.unwrap_or_default());
        }
        if let Some(namespace) = &address.namespace {
            database = database.namespace(namespace);
        }
        let watch = context.watch_pool(address.name(), self);
        Pool {
            inner: self.clone(),
            // The driver of SQLite runs statements on a thread for each connection.
            database: Arc::new(SqlxDatabase::new(
                database.pool(watch.name()),
                address.system == DbSystem::Sqlite,
            )),
            watch,
        }
    }
}

/// The drivers whose options have a URL. Others panic, and so does `SQLite` for a database in memory.
const URL_DRIVERS: [&str; 3] = ["PostgreSQL", "MySQL", "Any"];

/// The system, server and database that a pool connects to, as far as its options contain them.
struct PoolAddress {
    system: DbSystem,
    server: Option<String>,
    port: Option<u16>,
    namespace: Option<String>,
}

impl PoolAddress {
    fn of<DB: Driver>(pool: &sqlx::Pool<DB>) -> Self {
        let url = URL_DRIVERS.contains(&DB::NAME).then(|| {
            let options = pool.connect_options();
            // The conversion may panic on options that it does not expect.
            catch_panic(|| options.to_url_lossy())
        });
        let url = url.flatten();
        let scheme = url.as_ref().map_or("", |url| url.scheme());
        let system = system(DB::NAME).or_else(|| system(scheme));
        let system = system.unwrap_or(DbSystem::OtherSql);
        // The path of an SQLite file has no meaning outside this machine.
        let Some(url) = url.filter(|_| system != DbSystem::Sqlite) else {
            return Self {
                system,
                server: None,
                port: None,
                namespace: None,
            };
        };
        let path = url.path().rsplit('/').next().unwrap_or_default();
        Self {
            system,
            // In place of the host, the URL may contain the percent-encoded directory of a socket.
            server: url
                .host_str()
                .filter(|host| !host.contains('%'))
                .map(str::to_owned),
            port: url.port().or_else(|| default_port(system)),
            namespace: Some(path.to_owned()).filter(|path| !path.is_empty()),
        }
    }

    /// The name of the pool as the semantic conventions define it, from server, port and database.
    fn name(&self) -> String {
        let namespace = self.namespace.as_deref().unwrap_or_default();
        match (&self.server, self.port) {
            (Some(server), Some(port)) => format!("{server}:{port}/{namespace}"),
            (Some(server), None) => format!("{server}/{namespace}"),
            (None, _) if namespace.is_empty() => self.system.as_str().to_owned(),
            (None, _) => namespace.to_owned(),
        }
    }
}

/// The system with this name of an SQLx driver or this URL scheme.
pub(super) fn system(name: &str) -> Option<DbSystem> {
    Some(match name {
        "PostgreSQL" | "postgres" | "postgresql" => DbSystem::Postgresql,
        "MySQL" | "mysql" => DbSystem::Mysql,
        "mariadb" => DbSystem::Mariadb,
        "SQLite" | "sqlite" => DbSystem::Sqlite,
        "MSSQL" | "mssql" | "sqlserver" => DbSystem::MicrosoftSqlServer,
        _ => return None,
    })
}

fn default_port(system: DbSystem) -> Option<u16> {
    match system {
        DbSystem::Postgresql => Some(5432),
        DbSystem::Mysql | DbSystem::Mariadb => Some(3306),
        DbSystem::MicrosoftSqlServer => Some(1433),
        _ => None,
    }
}
