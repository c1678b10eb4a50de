use std::fmt;
use std::sync::Arc;

use bytes::Buf;
use tokio_postgres::types::{BorrowToSql, ToSql, Type};
use tokio_postgres::{Error, GenericClient, Row, SimpleQueryMessage};

use super::super::database::Database;
use super::super::guard::QueryGuard;
use super::super::run::InQuery;
use super::copy::{CopyInSink, CopyOutStream};
use super::error;
use super::options::TransactionBuilder;
use super::query::{Query, Statement};
use super::rows::RowStream;
use super::session::{Connected, Session};
use super::transaction::{BEGIN, Transaction};
use super::watched::Watched;

type Params<'a> = &'a [&'a (dyn ToSql + Sync)];
type Typed<'a> = &'a [(&'a (dyn ToSql + Sync), Type)];

/// A client whose queries are watched: tokio-postgres' own, or one of a pool.
///
/// Its methods take and give what those of [`tokio_postgres::Client`] do, fail as they do, and are as safe to cancel:
/// dropped before its end, a query counts as cancelled, and the server executes it all the same.
pub struct Client<C = tokio_postgres::Client> {
    pub(super) inner: C,
    pub(super) watched: Arc<Watched>,
}

/// How many rows came.
type Count<T> = fn(&T) -> Option<u64>;

impl<C: Session> Client<C> {
    /// Watches a client of this database.
    pub fn new(client: C, database: &Database) -> Self {
        Self::of(
            client,
            &Arc::new(Watched {
                database: database.clone(),
                comments: false,
            }),
        )
    }

    pub(in crate::db) fn of(inner: C, watched: &Arc<Watched>) -> Self {
        Self {
            inner,
            watched: Arc::clone(watched),
        }
    }

    /// Sends each text with a comment that tells its trace to the database, in
    /// [sqlcommenter](https://google.github.io/sqlcommenter/spec/)'s form. One that has a comment already stays as it is,
    /// and so does a prepared [`Statement`].
    #[must_use]
    pub fn comments(mut self, comments: bool) -> Self {
        Arc::make_mut(&mut self.watched).comments = comments;
        self
    }

    /// The client itself: what is executed on it is not watched.
    pub fn inner(&self) -> &C {
        &self.inner
    }

    /// The client itself: what is executed on it is not watched.
    pub fn inner_mut(&mut self) -> &mut C {
        &mut self.inner
    }

    /// Runs a part of a query in its guard, which it ends.
    async fn run<T>(
        &self,
        guard: QueryGuard,
        work: impl Future<Output = Result<T, Error>>,
        count: Count<T>,
    ) -> Result<T, Error> {
        let (mut guard, done) = InQuery::new(guard, work).await;
        if let Ok(rows) = &done
            && let Some(rows) = count(rows)
        {
            guard = guard.rows(rows);
        }
        error::end(guard, &done);
        done
    }

    /// A statement that is ready to be executed.
    async fn ready<Q: Query + ?Sized>(
        &self,
        query: &Q,
        text: &str,
    ) -> Result<tokio_postgres::Statement, Error> {
        match query.prepared() {
            Some(prepared) => Ok(prepared.clone()),
            None => self.inner.session().prepare(text).await,
        }
    }

    /// As [`tokio_postgres::Client::query`].
    ///
    /// # Errors
    ///
    /// Its own.
    pub async fn query<Q>(&self, query: &Q, params: Params<'_>) -> Result<Vec<Row>, Error>
    where
        Q: Query + ?Sized,
    {
        let (guard, text) = self.watched.begin(query.text());
        let work = async {
            let statement = self.ready(query, &text).await?;
            self.inner.session().query(&statement, params).await
        };
        self.run(guard, work, |rows| Some(rows.len() as u64)).await
    }

    /// As [`tokio_postgres::Client::query_one`].
    ///
    /// # Errors
    ///
    /// Its own.
    pub async fn query_one<Q>(&self, query: &Q, params: Params<'_>) -> Result<Row, Error>
    where
        Q: Query + ?Sized,
    {
        let (guard, text) = self.watched.begin(query.text());
        let work = async {
            let statement = self.ready(query, &text).await?;
            self.inner.session().query_one(&statement, params).await
        };
        self.run(guard, work, |_| Some(1)).await
    }

    /// As [`tokio_postgres::Client::query_opt`].
    ///
    /// # Errors
    ///
    /// Its own.
    pub async fn query_opt<Q>(&self, query: &Q, params: Params<'_>) -> Result<Option<Row>, Error>
    where
        Q: Query + ?Sized,
    {
        let (guard, text) = self.watched.begin(query.text());
        let work = async {
            let statement = self.ready(query, &text).await?;
            self.inner.session().query_opt(&statement, params).await
        };
        self.run(guard, work, |row| Some(row.is_some().into()))
            .await
    }

    /// As [`tokio_postgres::Client::query_raw`]: rows come one by one, and the query ends with the last.
    ///
    /// # Errors
    ///
    /// Its own.
    pub async fn query_raw<Q, P, I>(&self, query: &Q, params: I) -> Result<RowStream, Error>
    where
        Q: Query + ?Sized,
        P: BorrowToSql,
        I: IntoIterator<Item = P> + Sync + Send,
        I::IntoIter: ExactSizeIterator,
    {
        let (guard, text) = self.watched.begin(query.text());
        let work = async {
            let statement = self.ready(query, &text).await?;
            self.inner.session().query_raw(&statement, params).await
        };
        match InQuery::new(guard, work).await {
            (guard, Ok(rows)) => Ok(RowStream::new(guard, rows)),
            (guard, Err(error)) => {
                error::fail(guard, &error);
                Err(error)
            }
        }
    }

    /// As [`tokio_postgres::Client::query_typed`].
    ///
    /// # Errors
    ///
    /// Its own.
    pub async fn query_typed(&self, query: &str, params: Typed<'_>) -> Result<Vec<Row>, Error> {
        let (guard, text) = self.watched.begin(query);
        let work = self.inner.session().query_typed(&text, params);
        self.run(guard, work, |rows| Some(rows.len() as u64)).await
    }

    /// As [`tokio_postgres::Client::execute`].
    ///
    /// # Errors
    ///
    /// Its own.
    pub async fn execute<Q>(&self, query: &Q, params: Params<'_>) -> Result<u64, Error>
    where
        Q: Query + ?Sized,
    {
        let (guard, text) = self.watched.begin(query.text());
        let work = async {
            let statement = self.ready(query, &text).await?;
            self.inner.session().execute(&statement, params).await
        };
        self.run(guard, work, |_| None).await
    }

    /// As [`tokio_postgres::Client::execute_raw`].
    ///
    /// # Errors
    ///
    /// Its own.
    pub async fn execute_raw<Q, P, I>(&self, query: &Q, params: I) -> Result<u64, Error>
    where
        Q: Query + ?Sized,
        P: BorrowToSql,
        I: IntoIterator<Item = P> + Sync + Send,
        I::IntoIter: ExactSizeIterator,
    {
        let (guard, text) = self.watched.begin(query.text());
        let work = async {
            let statement = self.ready(query, &text).await?;
            self.inner.session().execute_raw(&statement, params).await
        };
        self.run(guard, work, |_| None).await
    }

    /// As [`tokio_postgres::Client::execute_typed`].
    ///
    /// # Errors
    ///
    /// Its own.
    pub async fn execute_typed(&self, query: &str, params: Typed<'_>) -> Result<u64, Error> {
        let (guard, text) = self.watched.begin(query);
        let work = self.inner.session().execute_typed(&text, params);
        self.run(guard, work, |_| None).await
    }

    /// As [`tokio_postgres::Client::simple_query`].
    ///
    /// # Errors
    ///
    /// Its own.
    pub async fn simple_query(&self, query: &str) -> Result<Vec<SimpleQueryMessage>, Error> {
        let (guard, text) = self.watched.begin(query);
        let work = self.inner.session().simple_query(&text);
        self.run(guard, work, |messages| Some(rows_of(messages)))
            .await
    }

    /// As [`tokio_postgres::Client::batch_execute`]. Statements that are sent together are one query.
    ///
    /// # Errors
    ///
    /// Its own.
    pub async fn batch_execute(&self, query: &str) -> Result<(), Error> {
        let (guard, text) = self.watched.begin(query);
        let work = self.inner.session().batch_execute(&text);
        self.run(guard, work, |()| None).await
    }

    /// As [`tokio_postgres::Client::prepare`]; the statement remembers its text. It is no query.
    ///
    /// # Errors
    ///
    /// Its own.
    pub async fn prepare(&self, query: &str) -> Result<Statement, Error> {
        let prepared = self.inner.session().prepare(query).await?;
        Ok(Statement::new(prepared, query))
    }

    /// As [`tokio_postgres::Client::prepare_typed`]; the statement remembers its text. It is no query.
    ///
    /// # Errors
    ///
    /// Its own.
    pub async fn prepare_typed(&self, query: &str, types: &[Type]) -> Result<Statement, Error> {
        let prepared = self.inner.session().prepare_typed(query, types).await?;
        Ok(Statement::new(prepared, query))
    }

    /// Begins a transaction, or a savepoint where it is one.
    ///
    /// # Errors
    ///
    /// As of [`tokio_postgres::Client::transaction`].
    pub async fn transaction(&mut self) -> Result<Transaction<C::Transaction<'_>>, Error> {
        Transaction::begin(self.inner.begin(), &self.watched, BEGIN).await
    }

    /// As [`tokio_postgres::Client::copy_in`]: the query ends when the sink is finished or closed.
    ///
    /// # Errors
    ///
    /// Its own.
    pub async fn copy_in<Q, U>(&self, query: &Q) -> Result<CopyInSink<U>, Error>
    where
        Q: Query + ?Sized,
        U: Buf + Send + 'static,
    {
        let (guard, text) = self.watched.begin(query.text());
        let work = async {
            let statement = self.ready(query, &text).await?;
            self.inner.session().client().copy_in(&statement).await
        };
        match InQuery::new(guard, work).await {
            (guard, Ok(sink)) => Ok(CopyInSink::new(guard, sink)),
            (guard, Err(error)) => {
                error::fail(guard, &error);
                Err(error)
            }
        }
    }

    /// As [`tokio_postgres::Client::copy_out`]: the query ends with the last of the data.
    ///
    /// # Errors
    ///
    /// Its own.
    pub async fn copy_out<Q>(&self, query: &Q) -> Result<CopyOutStream, Error>
    where
        Q: Query + ?Sized,
    {
        let (guard, text) = self.watched.begin(query.text());
        let work = async {
            let statement = self.ready(query, &text).await?;
            self.inner.session().client().copy_out(&statement).await
        };
        match InQuery::new(guard, work).await {
            (guard, Ok(data)) => Ok(CopyOutStream::new(guard, data)),
            (guard, Err(error)) => {
                error::fail(guard, &error);
                Err(error)
            }
        }
    }
}

impl<C: Connected> Client<C> {
    /// Begins a transaction by options.
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

fn rows_of(messages: &[SimpleQueryMessage]) -> u64 {
    let is_row = |message: &&SimpleQueryMessage| matches!(message, SimpleQueryMessage::Row(_));
    messages.iter().filter(is_row).count() as u64
}

impl<C> fmt::Debug for Client<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}
