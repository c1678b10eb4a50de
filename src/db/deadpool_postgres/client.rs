use deadpool_postgres::{Object, Transaction};
use tokio_postgres::Error;

use super::super::tokio_postgres::{Client, InTransaction, Sealed, Session, Statement};

impl Sealed for Object {}
impl Sealed for Transaction<'_> {}

impl Session for Object {
    type Inner = tokio_postgres::Client;
    type Transaction<'a> = Transaction<'a>;

    fn session(&self) -> &tokio_postgres::Client {
        self
    }

    async fn begin(&mut self) -> Result<Transaction<'_>, Error> {
        deadpool_postgres::ClientWrapper::transaction(self).await
    }
}

impl<'t> Session for Transaction<'t> {
    type Inner = tokio_postgres::Transaction<'t>;
    type Transaction<'a>
        = Transaction<'a>
    where
        Self: 'a;

    fn session(&self) -> &tokio_postgres::Transaction<'t> {
        self
    }

    async fn begin(&mut self) -> Result<Transaction<'_>, Error> {
        self.transaction().await
    }
}

impl InTransaction for Transaction<'_> {
    async fn commit(self) -> Result<(), Error> {
        Transaction::commit(self).await
    }

    async fn rollback(self) -> Result<(), Error> {
        Transaction::rollback(self).await
    }
}

impl Client<Object> {
    /// As [`deadpool_postgres::ClientWrapper::prepare_cached`]; the statement remembers its text. It is no query.
    ///
    /// # Errors
    ///
    /// Its own.
    pub async fn prepare_cached(&self, query: &str) -> Result<Statement, Error> {
        let prepared = self.inner().prepare_cached(query).await?;
        Ok(Statement::new(prepared, query))
    }
}

impl Client<Transaction<'_>> {
    /// As [`deadpool_postgres::Transaction::prepare_cached`]; the statement remembers its text. It is no query.
    ///
    /// # Errors
    ///
    /// Its own.
    pub async fn prepare_cached(&self, query: &str) -> Result<Statement, Error> {
        let prepared = self.inner().prepare_cached(query).await?;
        Ok(Statement::new(prepared, query))
    }
}
