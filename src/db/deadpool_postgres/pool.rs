use std::fmt;
use std::sync::Arc;

use deadpool_postgres::{Object, PoolError};

use super::super::pool::{AdaptedPool, Adapting, ConnectionPool, PoolState, PoolWatch};
use super::super::system::DbSystem;
use super::super::tokio_postgres::{Client, Watched};

/// A pool of deadpool-postgres whose clients' queries are watched, made by
/// [`Monitor::db_pool`](crate::Monitor::db_pool). Cheap to clone.
#[derive(Clone)]
pub struct Pool {
    inner: deadpool_postgres::Pool,
    watched: Arc<Watched>,
    watch: PoolWatch,
}

impl Pool {
    /// The pool itself: what is executed on its clients is not watched.
    pub fn as_deadpool(&self) -> &deadpool_postgres::Pool {
        &self.inner
    }

    /// Sets the database's name (`db.namespace`).
    #[must_use]
    pub fn namespace(mut self, namespace: impl AsRef<str>) -> Self {
        let watched = Arc::make_mut(&mut self.watched);
        watched.database = watched.database.clone().namespace(namespace);
        self
    }

    /// Sets where the server is (`server.address`, `server.port`).
    #[must_use]
    pub fn server(mut self, address: impl AsRef<str>, port: u16) -> Self {
        let watched = Arc::make_mut(&mut self.watched);
        watched.database = watched.database.clone().server(address, port);
        self
    }

    /// Sets namespace and server to those of the options that the pool's manager was made of; see
    /// [`Database::config`](crate::db::Database::config).
    #[must_use]
    pub fn config(mut self, config: &tokio_postgres::Config) -> Self {
        let watched = Arc::make_mut(&mut self.watched);
        watched.database = watched.database.clone().config(config);
        self
    }

    /// Sends each text with a comment that tells its trace to the database; see [`Client::comments`].
    #[must_use]
    pub fn comments(mut self, comments: bool) -> Self {
        Arc::make_mut(&mut self.watched).comments = comments;
        self
    }

    /// Waits for a client, which goes back to the pool when it is dropped.
    ///
    /// # Errors
    ///
    /// As of [`deadpool_postgres::Pool::get`]. One that waited in vain counts with the pool
    /// (`db_client_connection_timeouts_total`).
    pub async fn get(&self) -> Result<Client<Object>, PoolError> {
        let is_timeout = |error: &PoolError| matches!(error, PoolError::Timeout(_));
        let object = self
            .watch
            .acquire_with(self.inner.get(), is_timeout)
            .await?;
        Ok(Client::of(object, &self.watched))
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

impl AdaptedPool for deadpool_postgres::Pool {
    type Watched = Pool;

    fn adapt(&self, by: &Adapting<'_>) -> Pool {
        let database = by.db(DbSystem::Postgresql);
        let watch = by.watch_pool(DbSystem::Postgresql.as_str(), self);
        Pool {
            inner: self.clone(),
            watched: Arc::new(Watched {
                database: database.pool(watch.name()),
                comments: false,
            }),
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
