use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use tokio_postgres::Error;

use super::super::run::InQuery;
use super::client::Client;
use super::error;
use super::session::InTransaction;
use super::watched::Watched;

/// A transaction or savepoint whose queries are watched: it has a [`Client`]'s methods. Dropped, it rolls back.
pub struct Transaction<T> {
    // Before what counts its rollback: it sends that when it is dropped.
    client: Client<T>,
    gives_up: GivesUp,
}

/// What tokio-postgres sends to begin, end or give up a transaction, and the same of a savepoint.
pub(super) const BEGIN: &str = "START TRANSACTION";
const SAVEPOINT: &str = "SAVEPOINT";
const COMMIT: [&str; 2] = ["COMMIT", "RELEASE SAVEPOINT"];
const ROLLBACK: [&str; 2] = ["ROLLBACK", "ROLLBACK TO SAVEPOINT"];

fn statement([outer, inner]: [&'static str; 2], is_inner: bool) -> &'static str {
    if is_inner { inner } else { outer }
}

/// Counts the rollback of a transaction that is dropped.
struct GivesUp {
    watched: Arc<Watched>,
    is_inner: bool,
    open: bool,
}

impl Drop for GivesUp {
    fn drop(&mut self) {
        if self.open {
            let statement = statement(ROLLBACK, self.is_inner);
            self.watched.query(statement).finish();
        }
    }
}

impl<T: InTransaction> Transaction<T> {
    /// Begins a transaction by this statement.
    pub(super) async fn begin(
        begins: impl Future<Output = Result<T, Error>>,
        watched: &Arc<Watched>,
        statement: &str,
    ) -> Result<Self, Error> {
        // tokio-postgres sends a rollback where the statement fails, and where nobody waits for it any more.
        let mut gives_up = GivesUp {
            watched: Arc::clone(watched),
            is_inner: false,
            open: true,
        };
        let (guard, begun) = InQuery::new(watched.query(statement), begins).await;
        error::end(guard, &begun);
        if let Err(error) = &begun {
            // Otherwise the connection is gone, and takes no rollback.
            gives_up.open = error.as_db_error().is_some();
        }
        Ok(Self {
            client: Client::of(begun?, watched),
            gives_up,
        })
    }

    /// Begins a savepoint.
    async fn begin_inner(
        begins: impl Future<Output = Result<T, Error>>,
        watched: &Arc<Watched>,
    ) -> Result<Self, Error> {
        let guard = watched.query(SAVEPOINT);
        let (guard, begun) = InQuery::new(guard, begins).await;
        error::end(guard, &begun);
        Ok(Self {
            client: Client::of(begun?, watched),
            gives_up: GivesUp {
                watched: Arc::clone(watched),
                is_inner: true,
                open: true,
            },
        })
    }

    /// Begins a savepoint in it.
    ///
    /// # Errors
    ///
    /// As of [`tokio_postgres::Transaction::transaction`].
    pub async fn transaction(&mut self) -> Result<Transaction<T::Transaction<'_>>, Error> {
        let Client { inner, watched } = &mut self.client;
        Transaction::begin_inner(inner.begin(), watched).await
    }

    /// Begins a savepoint of this name in it. The name is part of the statement and must be a name as SQL writes it. It
    /// is not part of what is counted.
    ///
    /// # Errors
    ///
    /// As of [`tokio_postgres::Transaction::savepoint`].
    pub async fn savepoint(
        &mut self,
        name: impl Into<String>,
    ) -> Result<Transaction<T::Transaction<'_>>, Error> {
        let Client { inner, watched } = &mut self.client;
        Transaction::begin_inner(inner.savepoint(name.into()), watched).await
    }

    /// Makes what was done in it last.
    ///
    /// # Errors
    ///
    /// As of [`tokio_postgres::Transaction::commit`].
    pub async fn commit(self) -> Result<(), Error> {
        let Self {
            client,
            mut gives_up,
        } = self;
        gives_up.open = false;
        let guard = client.watched.query(statement(COMMIT, gives_up.is_inner));
        let (guard, done) = InQuery::new(guard, client.inner.commit()).await;
        error::end(guard, &done);
        done
    }

    /// Gives it up.
    ///
    /// # Errors
    ///
    /// As of [`tokio_postgres::Transaction::rollback`].
    pub async fn rollback(self) -> Result<(), Error> {
        let Self {
            client,
            mut gives_up,
        } = self;
        gives_up.open = false;
        let guard = client.watched.query(statement(ROLLBACK, gives_up.is_inner));
        let (guard, done) = InQuery::new(guard, client.inner.rollback()).await;
        error::end(guard, &done);
        done
    }

    /// The transaction itself: what is executed on it is not watched.
    pub fn inner_mut(&mut self) -> &mut T {
        &mut self.client.inner
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
