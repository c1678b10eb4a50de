use std::fmt;
use std::sync::Arc;

use sqlx::Database;
use sqlx::Error;

use super::database::SqlxDatabase;
use super::transaction::{Transaction, TransactionConnection};

/// A connection of a [`Pool`](super::Pool). `&mut PoolConnection` is an SQLx executor. Dropping it returns it to the
/// pool.
pub struct PoolConnection<DB: Database> {
    connection: sqlx::pool::PoolConnection<DB>,
    database: Arc<SqlxDatabase>,
}

impl<DB: Database> PoolConnection<DB> {
    pub(super) fn new(
        connection: sqlx::pool::PoolConnection<DB>,
        database: &Arc<SqlxDatabase>,
    ) -> Self {
        Self {
            connection,
            database: Arc::clone(database),
        }
    }

    /// Returns the underlying connection. Statements executed on it are not recorded.
    pub fn as_sqlx(&mut self) -> &mut sqlx::pool::PoolConnection<DB> {
        &mut self.connection
    }

    /// Unwraps the underlying connection. Statements executed on it are not recorded.
    pub fn into_sqlx(self) -> sqlx::pool::PoolConnection<DB> {
        self.connection
    }

    /// Begins a transaction, or a savepoint inside a transaction.
    ///
    /// # Errors
    ///
    /// Same as for [`sqlx::Connection::begin`](sqlx::Connection::begin).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, a transaction that has begun is rolled back and the query counts as cancelled.
    pub async fn begin(&mut self) -> Result<Transaction<'_, DB>, Error> {
        let connection = TransactionConnection::Borrowed(&mut *self.connection);
        Transaction::begin(connection, &self.database, None).await
    }

    pub(super) fn parts(&mut self) -> (&mut DB::Connection, &Arc<SqlxDatabase>) {
        (&mut self.connection, &self.database)
    }
}

impl<DB: Database> fmt::Debug for PoolConnection<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolConnection").finish_non_exhaustive()
    }
}
