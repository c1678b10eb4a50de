use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use tokio_postgres::Error;

use super::super::run::InQuery;
use super::client::Client;
use super::error;
use super::session::{InTransaction, Session};
use super::watched::Watched;

/// A transaction or savepoint whose queries are watched: it has a [`Client`]'s methods. Dropped, it rolls back.
pub struct Transaction<T> {
    // Before what counts its rollback: it sends that when it is dropped.
    client: Client<T>,
    gives_up: GivesUp,
}

/// What tokio-postgres sends to begin, end or give up a transaction, and the same of a savepoint.
const BEGIN: [&str; 2] = ["START TRANSACTION", "SAVEPOINT"];
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
    pub(super) async fn begin<'c, C>(
        session: &'c mut C,
        watched: &Arc<Watched>,
        is_inner: bool,
    ) -> Result<Self, Error>
    where
        C: Session<Transaction<'c> = T>,
    {
        let guard = watched.query(statement(BEGIN, is_inner));
        let (guard, begun) = InQuery::new(guard, session.begin()).await;
        error::end(guard, &begun);
        Ok(Self {
            client: Client::of(begun?, watched),
            gives_up: GivesUp {
                watched: Arc::clone(watched),
                is_inner,
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
        Transaction::begin(&mut self.client.inner, &self.client.watched, true).await
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
