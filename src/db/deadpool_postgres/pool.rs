use std::fmt;
use std::sync::Arc;

use deadpool_postgres::{Object, PoolError};

use super::super::instrument_pool::{InstrumentPool, PoolContext};
use super::super::pool::{ConnectionPool, PoolState, PoolWatch};
use super::super::system::DbSystem;
use super::super::tokio_postgres::{Client, PostgresDatabase};

/// An instrumented pool of deadpool-postgres. Made by [`Monitor::db_pool`](crate::Monitor::db_pool). Cheap to clone.
#[derive(Clone)]
pub struct Pool {
    inner: deadpool_postgres::Pool,
    database: Arc<PostgresDatabase>,
    watch: PoolWatch,
}

impl Pool {
    /// Returns the underlying pool. Statements executed on its clients are not recorded.
    pub fn as_deadpool(&self) -> &deadpool_postgres::Pool {
        &self.inner
    }

    /// Sets the database's name (`db.namespace`).
    #[must_use]
    pub fn namespace(mut self, namespace: impl AsRef<str>) -> Self {
        let database = Arc::make_mut(&mut self.database);
        database.rename(|handle| handle.namespace(namespace));
        self
    }

    /// Sets the server's address and port (`server.address`, `server.port`).
    #[must_use]
    pub fn server(mut self, address: impl AsRef<str>, port: u16) -> Self {
        let database = Arc::make_mut(&mut self.database);
        database.rename(|handle| handle.server(address, port));
        self
    }

    /// Sets the database's name and server from the options of the pool's manager, like
    /// [`Database::config`](crate::db::Database::config).
    #[must_use]
    pub fn config(mut self, config: &tokio_postgres::Config) -> Self {
        let database = Arc::make_mut(&mut self.database);
        database.rename(|handle| handle.config(config));
        self
    }

    /// Sets whether statements are sent with a comment that carries the trace context; off by default. See
    /// [`Client::comments`].
    #[must_use]
    pub fn comments(mut self, comments: bool) -> Self {
        Arc::make_mut(&mut self.database).comments = comments;
        self
    }

    /// Acquires a client. It returns to the pool when it is dropped.
    ///
    /// # Errors
    ///
    /// Same as for [`deadpool_postgres::Pool::get`]. A timeout counts in `db_client_connection_timeouts_total`.
    ///
    /// # Cancel safety
    ///
    /// Same as for [`deadpool_postgres::Pool::get`]. A dropped future records no wait time.
    pub async fn get(&self) -> Result<Client<Object>, PoolError> {
        let is_timeout = |error: &PoolError| matches!(error, PoolError::Timeout(_));
        let object = self
            .watch
            .acquire_with(self.inner.get(), is_timeout)
            .await?;
        Ok(Client::of(object, &self.database))
    }
}

impl ConnectionPool for deadpool_postgres::Pool {
    fn state(&self) -> Option<PoolState> {
        if self.is_closed() {
            return None;
        }
        let status = self.status();
        let used = status.size.saturating_sub(status.available) as u64;
        let state = PoolState::new(used, status.available as u64);
        Some(
            state
                .max(status.max_size as u64)
                .pending(status.waiting as u64),
        )
    }
}

impl InstrumentPool for deadpool_postgres::Pool {
    type Instrumented = Pool;

    fn instrument(&self, context: &PoolContext<'_>) -> Pool {
        let database = context.db(DbSystem::Postgresql);
        let watch = context.watch_pool(DbSystem::Postgresql.as_str(), self);
        Pool {
            inner: self.clone(),
            database: Arc::new(PostgresDatabase::new(database.pool(watch.name()))),
            watch,
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("name", &self.watch.name())
            .finish_non_exhaustive()
    }
}
