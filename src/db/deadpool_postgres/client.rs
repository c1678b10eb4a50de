use deadpool_postgres::{Object, Transaction};
use tokio_postgres::Error;

use super::super::tokio_postgres::{
    Client, ClientSession, Sealed, Session, Statement, TransactionOptions, TransactionSession,
    start,
};

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

impl ClientSession for Object {
    fn begin_with(
        &mut self,
        options: TransactionOptions,
    ) -> impl Future<Output = Result<Transaction<'_>, Error>> + Send {
        start!(
            deadpool_postgres::ClientWrapper::build_transaction(self),
            options
        )
    }
}

impl TransactionSession for Transaction<'_> {
    async fn commit(self) -> Result<(), Error> {
        Transaction::commit(self).await
    }

    async fn rollback(self) -> Result<(), Error> {
        Transaction::rollback(self).await
    }

    async fn savepoint(&mut self, name: String) -> Result<Transaction<'_>, Error> {
        Transaction::savepoint(self, name).await
    }
}

impl Client<Object> {
    /// Like [`deadpool_postgres::ClientWrapper::prepare_cached`]. The statement keeps its text. Preparing is not
    /// recorded as a query.
    ///
    /// # Errors
    ///
    /// Same as for [`deadpool_postgres::ClientWrapper::prepare_cached`].
    pub async fn prepare_cached(&self, query: &str) -> Result<Statement, Error> {
        let prepared = self.inner().prepare_cached(query).await?;
        Ok(Statement::new(prepared, query))
    }
}

impl Client<Transaction<'_>> {
    /// Like [`deadpool_postgres::Transaction::prepare_cached`]. The statement keeps its text. Preparing is not recorded
    /// as a query.
    ///
    /// # Errors
    ///
    /// Same as for [`deadpool_postgres::Transaction::prepare_cached`].
    pub async fn prepare_cached(&self, query: &str) -> Result<Statement, Error> {
        let prepared = self.inner().prepare_cached(query).await?;
        Ok(Statement::new(prepared, query))
    }
}
