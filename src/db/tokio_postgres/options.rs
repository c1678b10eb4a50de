use std::fmt;

use tokio_postgres::{Error, IsolationLevel};

use super::client::Client;
use super::session::Connected;
use super::transaction::Transaction;

/// How a transaction begins; what is not set is the session's own default.
#[derive(Debug, Clone, Copy, Default)]
pub struct TransactionOptions {
    pub(in crate::db) isolation_level: Option<IsolationLevel>,
    pub(in crate::db) read_only: Option<bool>,
    pub(in crate::db) deferrable: Option<bool>,
}

impl TransactionOptions {
    /// The statement that begins it, as tokio-postgres writes it.
    pub(super) fn statement(self) -> String {
        let level = self.isolation_level.map(|level| match level {
            IsolationLevel::ReadUncommitted => "ISOLATION LEVEL READ UNCOMMITTED",
            IsolationLevel::ReadCommitted => "ISOLATION LEVEL READ COMMITTED",
            IsolationLevel::RepeatableRead => "ISOLATION LEVEL REPEATABLE READ",
            IsolationLevel::Serializable => "ISOLATION LEVEL SERIALIZABLE",
            _ => "ISOLATION LEVEL",
        });
        let read_only = self.read_only.map(|it| match it {
            true => "READ ONLY",
            false => "READ WRITE",
        });
        let deferrable = self.deferrable.map(|it| match it {
            true => "DEFERRABLE",
            false => "NOT DEFERRABLE",
        });
        let all: Vec<_> = [level, read_only, deferrable]
            .into_iter()
            .flatten()
            .collect();
        let statement = format!("START TRANSACTION {}", all.join(", "));
        statement.trim_end().to_owned()
    }
}

/// Begins a transaction by options, as [`tokio_postgres::TransactionBuilder`] does. Made by
/// [`Client::build_transaction`].
#[must_use = "nothing begins before `start`"]
pub struct TransactionBuilder<'a, C> {
    client: &'a mut Client<C>,
    options: TransactionOptions,
}

impl<'a, C: Connected> TransactionBuilder<'a, C> {
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

    /// Sets whether it only reads.
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.options.read_only = Some(read_only);
        self
    }

    /// Sets whether it may wait at its beginning, so that one that only reads and is serializable never fails by others.
    pub fn deferrable(mut self, deferrable: bool) -> Self {
        self.options.deferrable = Some(deferrable);
        self
    }

    /// Begins the transaction.
    ///
    /// # Errors
    ///
    /// As of [`tokio_postgres::TransactionBuilder::start`].
    pub async fn start(self) -> Result<Transaction<C::Transaction<'a>>, Error> {
        let Self { client, options } = self;
        let begins = client.inner.begin_by(options);
        Transaction::begin(begins, &client.watched, &options.statement()).await
    }
}

impl<C> fmt::Debug for TransactionBuilder<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransactionBuilder")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_begins_by_what_is_set() {
        let mut options = TransactionOptions::default();
        assert_eq!(options.statement(), "START TRANSACTION");
        options.deferrable = Some(false);
        assert_eq!(options.statement(), "START TRANSACTION NOT DEFERRABLE");
        options.read_only = Some(true);
        options.isolation_level = Some(IsolationLevel::RepeatableRead);
        assert_eq!(
            options.statement(),
            "START TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY, NOT DEFERRABLE"
        );
    }
}
