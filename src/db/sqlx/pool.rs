use std::fmt;
use std::sync::Arc;

use sqlx::ConnectOptions as _;
use sqlx::Database as Driver;
use sqlx::Error;
use sqlx::{SqlSafeStr, SqlStr};

use super::super::database::Database;
use super::super::guard::QueryGuard;
use super::super::pool::{AdaptedPool, Adapting, ConnectionPool, PoolState, PoolWatch};
use super::super::system::DbSystem;
use super::connection::PoolConnection;
use super::error;
use super::transaction::{Held, Transaction};
use crate::model::caught;

/// A pool of SQLx whose queries are watched, made by [`Monitor::db_pool`](crate::Monitor::db_pool). `&Pool` is an
/// executor. Cheap to clone.
pub struct Pool<DB: Driver> {
    inner: sqlx::Pool<DB>,
    pub(super) watched: Arc<Watched>,
    watch: PoolWatch,
}

/// What the connections of a pool have in common.
#[derive(Debug, Clone)]
pub(super) struct Watched {
    database: Database,
    /// Whether statements get a comment that tells their trace.
    pub(super) comments: bool,
    /// Whether the driver runs statements on threads of its own.
    elsewhere: bool,
}

impl Watched {
    /// Begins the query of a statement. [`sends`](Self::sends) then gets the text that is sent.
    pub(super) fn query(&self, statement: &str) -> QueryGuard {
        self.database.query(statement)
    }

    /// A query that was begun is sent with this text. SQLx's own event with the text is not counted again.
    pub(super) fn sends(&self, text: &str) {
        if self.elsewhere {
            self.database.will_be_told(text);
        }
    }

    /// Begins what SQLx sends by itself, of which its events tell nothing.
    pub(super) fn own_query(&self, statement: &str) -> QueryGuard {
        self.database.query(statement)
    }
}

impl<DB: Driver> Pool<DB> {
    /// The pool itself: what is executed on it is not watched.
    pub fn as_sqlx(&self) -> &sqlx::Pool<DB> {
        &self.inner
    }

    /// Sets the database's name (`db.namespace`), where the pool's options do not tell it: `SQLite`'s do not.
    #[must_use]
    pub fn namespace(mut self, namespace: impl AsRef<str>) -> Self {
        let watched = Arc::make_mut(&mut self.watched);
        watched.database = watched.database.clone().namespace(namespace);
        self
    }

    /// Sends each statement with a comment that tells its trace to the database, in
    /// [sqlcommenter](https://google.github.io/sqlcommenter/spec/)'s form: its logs and its list of running queries can
    /// then be matched with traces.
    ///
    /// It has a price: each statement is another, so that none is prepared once and used again. A statement that
    /// has a comment already stays as it is.
    #[must_use]
    pub fn comments(mut self, comments: bool) -> Self {
        Arc::make_mut(&mut self.watched).comments = comments;
        self
    }

    /// Waits for a connection.
    ///
    /// # Errors
    ///
    /// As of [`sqlx::Pool::acquire`](sqlx::Pool::acquire). One that waited in vain counts with the pool
    /// (`db_client_connection_timeouts_total`).
    pub async fn acquire(&self) -> Result<PoolConnection<DB>, Error> {
        let is_timeout = |error: &Error| matches!(error, Error::PoolTimedOut);
        let connection = self.watch.acquire_with(self.inner.acquire(), is_timeout);
        Ok(PoolConnection::new(connection.await?, &self.watched))
    }

    /// As [`acquire`](Self::acquire), for a query that fails where there is no connection for it.
    pub(super) async fn acquire_for(&self, statement: &str) -> Result<PoolConnection<DB>, Error> {
        let connection = self.acquire().await;
        if let Err(error) = &connection {
            error::fail(self.watched.own_query(statement), error);
        }
        connection
    }

    /// Waits for a connection and begins a transaction on it.
    ///
    /// # Errors
    ///
    /// As of [`sqlx::Pool::begin`](sqlx::Pool::begin).
    pub async fn begin(&self) -> Result<Transaction<'static, DB>, Error> {
        self.begin_by(None).await
    }

    /// As [`begin`](Self::begin), by a statement of one's own, such as `BEGIN READ ONLY`.
    ///
    /// # Errors
    ///
    /// As of [`begin`](Self::begin), and where the statement begins none.
    pub async fn begin_with(
        &self,
        statement: impl SqlSafeStr,
    ) -> Result<Transaction<'static, DB>, Error> {
        self.begin_by(Some(statement.into_sql_str())).await
    }

    async fn begin_by(&self, statement: Option<SqlStr>) -> Result<Transaction<'static, DB>, Error> {
        let text = statement.as_ref().map_or("BEGIN", SqlStr::as_str);
        let connection = self.acquire_for(text).await?.into_sqlx();
        Transaction::begin(Held::Pooled(connection), &self.watched, statement).await
    }
}

impl<DB: Driver> Clone for Pool<DB> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            watched: Arc::clone(&self.watched),
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

impl<DB: Driver> AdaptedPool for sqlx::Pool<DB> {
    type Watched = Pool<DB>;

    fn adapt(&self, by: &Adapting<'_>) -> Pool<DB> {
        let site = Site::of(self);
        let mut database = by.db(site.system);
        database.wraps_sqlx();
        if let Some(server) = &site.server {
            database = database.server(server, site.port.unwrap_or_default());
        }
        if let Some(namespace) = &site.namespace {
            database = database.namespace(namespace);
        }
        let watch = by.watch_pool(site.name(), self);
        Pool {
            inner: self.clone(),
            watched: Arc::new(Watched {
                database: database.pool(watch.name()),
                comments: false,
                elsewhere: site.system == DbSystem::Sqlite,
            }),
            watch,
        }
    }
}

/// The drivers that tell their options as a URL; others panic, and so does `SQLite`'s of a database in memory.
const HAVE_URLS: [&str; 3] = ["PostgreSQL", "MySQL", "Any"];

/// Where a pool leads to.
struct Site {
    system: DbSystem,
    server: Option<String>,
    port: Option<u16>,
    namespace: Option<String>,
}

impl Site {
    fn of<DB: Driver>(pool: &sqlx::Pool<DB>) -> Self {
        let url = HAVE_URLS.contains(&DB::NAME).then(|| {
            let options = pool.connect_options();
            // What it makes of odd options is its own.
            caught(|| options.to_url_lossy())
        });
        let url = url.flatten();
        let scheme = url.as_ref().map_or("", |url| url.scheme());
        let system = system(DB::NAME).or_else(|| system(scheme));
        let system = system.unwrap_or(DbSystem::OtherSql);
        // The path of SQLite's is the machine's, and nobody else's name.
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
            // A socket's directory stands percent-encoded in its place.
            server: url
                .host_str()
                .filter(|host| !host.contains('%'))
                .map(str::to_owned),
            port: url.port().or_else(|| default_port(system)),
            namespace: Some(path.to_owned()).filter(|path| !path.is_empty()),
        }
    }

    /// The pool's name, as the conventions make it of server and database.
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

/// A system by SQLx's name of its driver, or by a URL's scheme.
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
