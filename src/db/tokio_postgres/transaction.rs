use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use tokio_postgres::Error;

use super::super::run::GuardedFuture;
use super::client::Client;
use super::database::PostgresDatabase;
use super::error;
use super::session::{Session, TransactionSession};

/// An instrumented transaction or savepoint, with the methods of a [`Client`]. Dropping it without a commit rolls it
/// back.
pub struct Transaction<T> {
    // Declared before `rollback`, so that it is dropped first: its drop sends the statement that `rollback` records.
    client: Client<T>,
    rollback: RollbackOnDrop,
}

/// The statements that tokio-postgres sends to begin, commit and roll back a transaction and a savepoint.
const BEGIN: &str = "START TRANSACTION";
const SAVEPOINT: &str = "SAVEPOINT";
const COMMIT: [&str; 2] = ["COMMIT", "RELEASE SAVEPOINT"];
const ROLLBACK: [&str; 2] = ["ROLLBACK", "ROLLBACK TO SAVEPOINT"];

/// Picks the statement of a transaction or of a savepoint.
fn pick([transaction, savepoint]: [&'static str; 2], is_savepoint: bool) -> &'static str {
    if is_savepoint { savepoint } else { transaction }
}

/// Records the rollback of a transaction that is dropped.
struct RollbackOnDrop {
    database: Arc<PostgresDatabase>,
    is_savepoint: bool,
    is_open: bool,
}

impl Drop for RollbackOnDrop {
    fn drop(&mut self) {
        if self.is_open {
            let statement = pick(ROLLBACK, self.is_savepoint);
            self.database.query(statement).finish();
        }
    }
}

impl<T: TransactionSession> Transaction<T> {
    /// Begins a transaction; `statement` is what `begin` sends.
    pub(super) async fn begin(
        begin: impl Future<Output = Result<T, Error>>,
        database: &Arc<PostgresDatabase>,
        statement: &str,
    ) -> Result<Self, Error> {
        // tokio-postgres sends a rollback if the statement fails, and if this future is dropped while it is running.
        let mut rollback = RollbackOnDrop {
            database: Arc::clone(database),
            is_savepoint: false,
            is_open: true,
        };
        let (guard, begun) = GuardedFuture::new(database.query(statement), begin).await;
        error::end(guard, &begun);
        if let Err(error) = &begun {
            // Any other error means that the connection is closed, and no rollback is sent.
            rollback.is_open = error.as_db_error().is_some();
        }
        Ok(Self {
            client: Client::of(begun?, database),
            rollback,
        })
    }

    /// Begins a savepoint.
    async fn begin_savepoint(
        begin: impl Future<Output = Result<T, Error>>,
        database: &Arc<PostgresDatabase>,
    ) -> Result<Self, Error> {
        let guard = database.query(SAVEPOINT);
        let (guard, begun) = GuardedFuture::new(guard, begin).await;
        error::end(guard, &begun);
        Ok(Self {
            client: Client::of(begun?, database),
            rollback: RollbackOnDrop {
                database: Arc::clone(database),
                is_savepoint: true,
                is_open: true,
            },
        })
    }

    /// Begins a savepoint in the transaction.
    ///
    /// # Errors
    ///
    /// Same as for [`tokio_postgres::Transaction::transaction`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the server may have made the savepoint; it ends with the transaction. The query counts
    /// as cancelled.
    pub async fn transaction(&mut self) -> Result<Transaction<T::Transaction<'_>>, Error> {
        let Client { inner, database } = &mut self.client;
        Transaction::begin_savepoint(inner.begin(), database).await
    }

    /// Begins a savepoint with this name in the transaction. The name becomes part of the statement unquoted, so it
    /// must be a valid SQL identifier. The name is not recorded.
    ///
    /// # Errors
    ///
    /// Same as for [`tokio_postgres::Transaction::savepoint`].
    ///
    /// # Cancel safety
    ///
    /// Same as for [`transaction`](Self::transaction).
    pub async fn savepoint(
        &mut self,
        name: impl Into<String>,
    ) -> Result<Transaction<T::Transaction<'_>>, Error> {
        let Client { inner, database } = &mut self.client;
        Transaction::begin_savepoint(inner.savepoint(name.into()), database).await
    }

    /// Commits the transaction, or releases the savepoint.
    ///
    /// # Errors
    ///
    /// Same as for [`tokio_postgres::Transaction::commit`].
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: if the future is dropped, the server may still commit. The query counts as cancelled.
    pub async fn commit(self) -> Result<(), Error> {
        let Self {
            client,
            mut rollback,
        } = self;
        rollback.is_open = false;
        let guard = client.database.query(pick(COMMIT, rollback.is_savepoint));
        let (guard, result) = GuardedFuture::new(guard, client.inner.commit()).await;
        error::end(guard, &result);
        result
    }

    /// Rolls the transaction or savepoint back.
    ///
    /// # Errors
    ///
    /// Same as for [`tokio_postgres::Transaction::rollback`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the transaction is rolled back all the same. The query counts as cancelled.
    pub async fn rollback(self) -> Result<(), Error> {
        let Self {
            client,
            mut rollback,
        } = self;
        rollback.is_open = false;
        let guard = client.database.query(pick(ROLLBACK, rollback.is_savepoint));
        let (guard, result) = GuardedFuture::new(guard, client.inner.rollback()).await;
        error::end(guard, &result);
        result
    }

    /// Returns the underlying transaction. Statements executed on it are not recorded.
    pub fn inner_mut(&mut self) -> &mut T {
        &mut self.client.inner
    }
}

impl<C: Session> Client<C> {
    /// Begins a transaction, or a savepoint if the client is a transaction.
    ///
    /// # Errors
    ///
    /// Same as for [`tokio_postgres::Client::transaction`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, a transaction that has begun is rolled back and the query counts as cancelled.
    pub async fn transaction(&mut self) -> Result<Transaction<C::Transaction<'_>>, Error> {
        Transaction::begin(self.inner.begin(), &self.database, BEGIN).await
    }
}

impl<T> Deref for Transaction<T> {
    type Target = Client<T>;

    fn deref(&self) -> &Client<T> {
        &self.client
    }
}

impl<T> fmt::Debug for Transaction<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").finish_non_exhaustive()
    }
}
