use std::fmt;

use tokio_postgres::{Error, IsolationLevel};

use super::client::Client;
use super::options::TransactionOptions;
use super::session::ClientSession;
use super::transaction::Transaction;

impl<C: ClientSession> Client<C> {
    /// Returns a builder of a transaction with options.
    ///
    /// ```no_run
    /// # async fn example(mut client: watchpost::db::tokio_postgres::Client) -> Result<(), tokio_postgres::Error> {
    /// let transaction = client.build_transaction().read_only(true).start().await?;
    /// # drop(transaction);
    /// # Ok(())
    /// # }
    /// ```
    pub fn build_transaction(&mut self) -> TransactionBuilder<'_, C> {
        TransactionBuilder::new(self)
    }
}

/// Builds a transaction with options, like [`tokio_postgres::TransactionBuilder`]. Made by
/// [`Client::build_transaction`].
#[must_use = "no transaction begins before `start`"]
pub struct TransactionBuilder<'a, C> {
    client: &'a mut Client<C>,
    options: TransactionOptions,
}

impl<'a, C: ClientSession> TransactionBuilder<'a, C> {
    pub(super) fn new(client: &'a mut Client<C>) -> Self {
        Self {
            client,
            options: TransactionOptions::default(),
        }
    }

    /// Sets the isolation level.
    pub fn isolation_level(mut self, level: IsolationLevel) -> Self {
        self.options.isolation_level = Some(level);
        self
    }

    /// Sets whether the transaction only reads.
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.options.read_only = Some(read_only);
        self
    }

    /// Sets whether the transaction is deferrable: if it is also serializable and only reads, it may wait when it
    /// begins, and then never fails because of others.
    pub fn deferrable(mut self, deferrable: bool) -> Self {
        self.options.deferrable = Some(deferrable);
        self
    }

    /// Begins the transaction.
    ///
    /// # Errors
    ///
    /// Same as for [`tokio_postgres::TransactionBuilder::start`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, a transaction that has begun is rolled back and the query counts as cancelled.
    pub async fn start(self) -> Result<Transaction<C::Transaction<'a>>, Error> {
        let Self { client, options } = self;
        let begin = client.inner.begin_with(options);
        Transaction::begin(begin, &client.database, &options.statement()).await
    }
}

impl<C> fmt::Debug for TransactionBuilder<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransactionBuilder")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
