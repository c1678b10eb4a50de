use std::fmt;
use std::sync::Arc;

use sqlx::Database;
use sqlx::Error;
use sqlx::SqlStr;
use sqlx::pool::PoolConnection;
use sqlx_core::transaction::TransactionManager;

use super::super::run::GuardedFuture;
use super::database::SqlxDatabase;
use super::error;

/// A transaction or savepoint. `&mut Transaction` is an SQLx executor. Dropping it without a commit rolls it back.
pub struct Transaction<'c, DB: Database> {
    connection: TransactionConnection<'c, DB>,
    database: Arc<SqlxDatabase>,
    is_open: bool,
}

/// The connection of a transaction.
pub(super) enum TransactionConnection<'c, DB: Database> {
    Pooled(PoolConnection<DB>),
    Borrowed(&'c mut DB::Connection),
}

impl<DB: Database> TransactionConnection<'_, DB> {
    fn get(&mut self) -> &mut DB::Connection {
        match self {
            Self::Pooled(connection) => connection,
            Self::Borrowed(connection) => connection,
        }
    }

    /// The number of transactions that are open on it, nested in each other.
    fn depth(&mut self) -> usize {
        DB::TransactionManager::get_transaction_depth(self.get())
    }
}

/// The statements that SQLx sends to begin, commit and roll back a transaction and a savepoint.
const BEGIN: [&str; 2] = ["BEGIN", "SAVEPOINT"];
const COMMIT: [&str; 2] = ["COMMIT", "RELEASE SAVEPOINT"];
const ROLLBACK: [&str; 2] = ["ROLLBACK", "ROLLBACK TO SAVEPOINT"];

/// Picks the statement of a transaction or of a savepoint.
fn pick([transaction, savepoint]: [&'static str; 2], is_savepoint: bool) -> &'static str {
    if is_savepoint { savepoint } else { transaction }
}

impl<'c, DB: Database> Transaction<'c, DB> {
    pub(super) async fn begin(
        connection: TransactionConnection<'c, DB>,
        database: &Arc<SqlxDatabase>,
        statement: Option<SqlStr>,
    ) -> Result<Self, Error> {
        let mut begun = Self {
            connection,
            database: Arc::clone(database),
            // If this future is dropped while the statement is running, the transaction must be rolled back.
            is_open: true,
        };
        let is_savepoint = begun.connection.depth() > 0;
        let text = statement
            .as_ref()
            .map_or(pick(BEGIN, is_savepoint), SqlStr::as_str);
        let guard = database.query(text);
        let begin = DB::TransactionManager::begin(begun.connection.get(), statement);
        let (guard, result) = GuardedFuture::new(guard, begin).await;
        error::end(guard, &result);
        result.map(|()| begun)
    }

    /// Returns the underlying connection. Statements executed on it are not recorded.
    pub fn as_sqlx(&mut self) -> &mut DB::Connection {
        self.connection.get()
    }

    /// Begins a savepoint in the transaction.
    ///
    /// # Errors
    ///
    /// Same as for [`sqlx::Connection::begin`](sqlx::Connection::begin).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, a savepoint that has begun is rolled back and the query counts as cancelled.
    pub async fn begin_inside(&mut self) -> Result<Transaction<'_, DB>, Error> {
        let connection = TransactionConnection::Borrowed(self.connection.get());
        Transaction::begin(connection, &self.database, None).await
    }

    /// Commits the transaction, or releases the savepoint.
    ///
    /// # Errors
    ///
    /// Same as for [`sqlx::Transaction::commit`](sqlx::Transaction::commit).
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: if the future is dropped, the database may have committed or not. The query counts as
    /// cancelled.
    pub async fn commit(mut self) -> Result<(), Error> {
        let is_savepoint = self.connection.depth() > 1;
        let guard = self.database.query(pick(COMMIT, is_savepoint));
        let commit = DB::TransactionManager::commit(self.connection.get());
        let (guard, result) = GuardedFuture::new(guard, commit).await;
        error::end(guard, &result);
        self.is_open = result.is_err();
        result
    }

    /// Rolls the transaction or savepoint back.
    ///
    /// # Errors
    ///
    /// Same as for [`sqlx::Transaction::rollback`](sqlx::Transaction::rollback).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the transaction is still rolled back. The query counts as cancelled.
    pub async fn rollback(mut self) -> Result<(), Error> {
        let is_savepoint = self.connection.depth() > 1;
        let guard = self.database.query(pick(ROLLBACK, is_savepoint));
        let rollback = DB::TransactionManager::rollback(self.connection.get());
        let (guard, result) = GuardedFuture::new(guard, rollback).await;
        error::end(guard, &result);
        self.is_open = result.is_err();
        result
    }

    pub(super) fn parts(&mut self) -> (&mut DB::Connection, &Arc<SqlxDatabase>) {
        (self.connection.get(), &self.database)
    }
}

impl<DB: Database> Drop for Transaction<'_, DB> {
    fn drop(&mut self) {
        if !self.is_open {
            return;
        }
        let depth = self.connection.depth();
        let mut rollback = || DB::TransactionManager::start_rollback(self.connection.get());
        if depth == 0 {
            // The transaction never began.
            return rollback();
        }
        let guard = self.database.query(pick(ROLLBACK, depth > 1));
        guard.in_scope(rollback);
    }
}

impl<DB: Database> fmt::Debug for Transaction<'_, DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction")
            .field("is_open", &self.is_open)
            .finish_non_exhaustive()
    }
}
