use std::fmt;
use std::sync::Arc;

use sqlx::Database;
use sqlx::Error;

use super::pool::Watched;
use super::transaction::{Held, Transaction};

/// A connection of a [`Pool`](super::Pool), to which it goes back when it is dropped. `&mut PoolConnection` is an
/// executor.
pub struct PoolConnection<DB: Database> {
    connection: sqlx::pool::PoolConnection<DB>,
    watched: Arc<Watched>,
}

impl<DB: Database> PoolConnection<DB> {
    pub(super) fn new(connection: sqlx::pool::PoolConnection<DB>, watched: &Arc<Watched>) -> Self {
        Self {
            connection,
            watched: Arc::clone(watched),
        }
    }

    /// The connection itself: what is executed on it is not watched.
    pub fn as_sqlx(&mut self) -> &mut sqlx::pool::PoolConnection<DB> {
        &mut self.connection
    }

    /// The connection itself.
    pub fn into_sqlx(self) -> sqlx::pool::PoolConnection<DB> {
        self.connection
    }

    /// Begins a transaction, or a savepoint where there is one.
    ///
    /// # Errors
    ///
    /// As of [`sqlx::Connection::begin`](sqlx::Connection::begin).
    pub async fn begin(&mut self) -> Result<Transaction<'_, DB>, Error> {
        let held = Held::Borrowed(&mut *self.connection);
        Transaction::begin(held, &self.watched, None).await
    }

    pub(super) fn parts(&mut self) -> (&mut DB::Connection, &Arc<Watched>) {
        (&mut self.connection, &self.watched)
    }
}

impl<DB: Database> fmt::Debug for PoolConnection<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolConnection").finish_non_exhaustive()
    }
}
