use std::fmt;
use std::sync::Arc;

use bytes::Buf;
use tokio_postgres::types::{BorrowToSql, ToSql, Type};
use tokio_postgres::{Error, GenericClient, Row, SimpleQueryMessage};

use super::super::database::Database;
use super::super::guard::QueryGuard;
use super::super::run::GuardedFuture;
use super::copy::{CopyInSink, CopyOutStream};
use super::database::PostgresDatabase;
use super::error;
use super::query::{Query, Statement};
use super::rows::RowStream;
use super::session::Session;

type Params<'a> = &'a [&'a (dyn ToSql + Sync)];
type TypedParams<'a> = &'a [(&'a (dyn ToSql + Sync), Type)];

/// An instrumented client of tokio-postgres, standalone or from a pool.
///
/// Its methods have the signatures and errors of those of [`tokio_postgres::Client`].
///
/// # Cancel safety
///
/// Same as for [`tokio_postgres::Client`]. A query whose future is dropped before it is ready counts as cancelled; the
/// server may still execute it.
pub struct Client<C = tokio_postgres::Client> {
    pub(super) inner: C,
    pub(super) database: Arc<PostgresDatabase>,
}

/// Reads the number of rows from a result; `None` if it has none.
type RowCount<T> = fn(&T) -> Option<u64>;

impl<C: Session> Client<C> {
    /// Instruments a client, with the database that its queries are recorded with.
    pub fn new(client: C, database: &Database) -> Self {
        Self::of(client, &Arc::new(PostgresDatabase::new(database.clone())))
    }

    pub(in crate::db) fn of(inner: C, database: &Arc<PostgresDatabase>) -> Self {
        Self {
            inner,
            database: Arc::clone(database),
        }
    }

    /// Sets whether statements are sent with a comment that carries the trace context, in the format of
    /// [sqlcommenter](https://google.github.io/sqlcommenter/spec/); off by default. A text that has a comment already
    /// is sent unchanged, and so is a prepared [`Statement`].
    #[must_use]
    pub fn comments(mut self, comments: bool) -> Self {
        Arc::make_mut(&mut self.database).comments = comments;
        self
    }

    /// Returns the underlying client. Statements executed on it are not recorded.
    pub fn inner(&self) -> &C {
        &self.inner
    }

    /// Returns the underlying client. Statements executed on it are not recorded.
    pub fn inner_mut(&mut self) -> &mut C {
        &mut self.inner
    }

    /// Runs a future in a query and ends the query by its result.
    async fn run<T>(
        &self,
        guard: QueryGuard,
        work: impl Future<Output = Result<T, Error>>,
        count: RowCount<T>,
    ) -> Result<T, Error> {
        // If this future is dropped at the await, so is the guard, and the query counts as cancelled.
        let (mut guard, result) = GuardedFuture::new(guard, work).await;
        if let Ok(rows) = &result
            && let Some(rows) = count(rows)
        {
            guard = guard.rows(rows);
        }
        error::end(guard, &result);
        result
    }

    /// The prepared statement of a query. A text is prepared here.
    async fn prepared<Q: Query + ?Sized>(
        &self,
        query: &Q,
        text: &str,
    ) -> Result<tokio_postgres::Statement, Error> {
        match query.prepared() {
            Some(prepared) => Ok(prepared.clone()),
            None => self.inner.session().prepare(text).await,
        }
    }

    /// Like [`tokio_postgres::Client::query`].
    ///
    /// # Errors
    ///
    /// Same as for [`tokio_postgres::Client::query`].
    pub async fn query<Q>(&self, query: &Q, params: Params<'_>) -> Result<Vec<Row>, Error>
    where
        Q: Query + ?Sized,
    {
        let (guard, text) = self.database.begin(query.text());
        let work = async {
            let statement = self.prepared(query, &text).await?;
            self.inner.session().query(&statement, params).await
        };
        self.run(guard, work, |rows| Some(rows.len() as u64)).await
    }

    /// Like [`tokio_postgres::Client::query_one`].
    ///
    /// # Errors
    ///
    /// Same as for [`tokio_postgres::Client::query_one`].
    pub async fn query_one<Q>(&self, query: &Q, params: Params<'_>) -> Result<Row, Error>
    where
        Q: Query + ?Sized,
    {
        let (guard, text) = self.database.begin(query.text());
        let work = async {
            let statement = self.prepared(query, &text).await?;
            self.inner.session().query_one(&statement, params).await
        };
        self.run(guard, work, |_| Some(1)).await
    }

    /// Like [`tokio_postgres::Client::query_opt`].
    ///
    /// # Errors
    ///
    /// Same as for [`tokio_postgres::Client::query_opt`].
    pub async fn query_opt<Q>(&self, query: &Q, params: Params<'_>) -> Result<Option<Row>, Error>
    where
        Q: Query + ?Sized,
    {
        let (guard, text) = self.database.begin(query.text());
        let work = async {
            let statement = self.prepared(query, &text).await?;
            self.inner.session().query_opt(&statement, params).await
        };
        self.run(guard, work, |row| Some(row.is_some().into()))
            .await
    }

    /// Like [`tokio_postgres::Client::query_raw`]. The query ends with the last row of the stream.
    ///
    /// # Errors
    ///
    /// Same as for [`tokio_postgres::Client::query_raw`].
    pub async fn query_raw<Q, P, I>(&self, query: &Q, params: I) -> Result<RowStream, Error>
    where
        Q: Query + ?Sized,
        P: BorrowToSql,
        I: IntoIterator<Item = P> + Sync + Send,
        I::IntoIter: ExactSizeIterator,
    {
        let (guard, text) = self.database.begin(query.text());
        let work = async {
            let statement = self.prepared(query, &text).await?;
            self.inner.session().query_raw(&statement, params).await
        };
        match GuardedFuture::new(guard, work).await {
            (guard, Ok(rows)) => Ok(RowStream::new(guard, rows)),
            (guard, Err(error)) => {
                error::fail(guard, &error);
                Err(error)
            }
        }
    }

    /// Like [`tokio_postgres::Client::query_typed`].
    ///
    /// # Errors
    ///
    /// Same as for [`tokio_postgres::Client::query_typed`].
    pub async fn query_typed(
        &self,
        query: &str,
        params: TypedParams<'_>,
    ) -> Result<Vec<Row>, Error> {
        let (guard, text) = self.database.begin(query);
        let work = self.inner.session().query_typed(&text, params);
        self.run(guard, work, |rows| Some(rows.len() as u64)).await
    }

    /// Like [`tokio_postgres::Client::execute`].
    ///
    /// # Errors
    ///
    /// Same as for [`tokio_postgres::Client::execute`].
    pub async fn execute<Q>(&self, query: &Q, params: Params<'_>) -> Result<u64, Error>
    where
        Q: Query + ?Sized,
    {
        let (guard, text) = self.database.begin(query.text());
        let work = async {
            let statement = self.prepared(query, &text).await?;
            self.inner.session().execute(&statement, params).await
        };
        self.run(guard, work, |_| None).await
    }

    /// Like [`tokio_postgres::Client::execute_raw`].
    ///
    /// # Errors
    ///
    /// Same as for [`tokio_postgres::Client::execute_raw`].
    pub async fn execute_raw<Q, P, I>(&self, query: &Q, params: I) -> Result<u64, Error>
    where
        Q: Query + ?Sized,
        P: BorrowToSql,
        I: IntoIterator<Item = P> + Sync + Send,
        I::IntoIter: ExactSizeIterator,
    {
        let (guard, text) = self.database.begin(query.text());
        let work = async {
            let statement = self.prepared(query, &text).await?;
            self.inner.session().execute_raw(&statement, params).await
        };
        self.run(guard, work, |_| None).await
    }

    /// Like [`tokio_postgres::Client::execute_typed`].
    ///
    /// # Errors
    ///
    /// Same as for [`tokio_postgres::Client::execute_typed`].
    pub async fn execute_typed(&self, query: &str, params: TypedParams<'_>) -> Result<u64, Error> {
        let (guard, text) = self.database.begin(query);
        let work = self.inner.session().execute_typed(&text, params);
        self.run(guard, work, |_| None).await
    }

    /// Like [`tokio_postgres::Client::simple_query`].
    ///
    /// # Errors
    ///
    /// Same as for [`tokio_postgres::Client::simple_query`].
    pub async fn simple_query(&self, query: &str) -> Result<Vec<SimpleQueryMessage>, Error> {
        let (guard, text) = self.database.begin(query);
        let work = self.inner.session().simple_query(&text);
        self.run(guard, work, |messages| Some(rows_of(messages)))
            .await
    }

    /// Like [`tokio_postgres::Client::batch_execute`]. All statements of the text are one query.
    ///
    /// # Errors
    ///
    /// Same as for [`tokio_postgres::Client::batch_execute`].
    pub async fn batch_execute(&self, query: &str) -> Result<(), Error> {
        let (guard, text) = self.database.begin(query);
        let work = self.inner.session().batch_execute(&text);
        self.run(guard, work, |()| None).await
    }

    /// Like [`tokio_postgres::Client::prepare`]. The statement keeps its text. Preparing is not recorded as a query.
    ///
    /// # Errors
    ///
    /// Same as for [`tokio_postgres::Client::prepare`].
    pub async fn prepare(&self, query: &str) -> Result<Statement, Error> {
        let prepared = self.inner.session().prepare(query).await?;
        Ok(Statement::new(prepared, query))
    }

    /// Like [`tokio_postgres::Client::prepare_typed`]. The statement keeps its text. Preparing is not recorded as a
    /// query.
    ///
    /// # Errors
    ///
    /// Same as for [`tokio_postgres::Client::prepare_typed`].
    pub async fn prepare_typed(&self, query: &str, types: &[Type]) -> Result<Statement, Error> {
        let prepared = self.inner.session().prepare_typed(query, types).await?;
        Ok(Statement::new(prepared, query))
    }

    /// Like [`tokio_postgres::Client::copy_in`]. The query ends when the sink is finished or closed.
    ///
    /// # Errors
    ///
    /// Same as for [`tokio_postgres::Client::copy_in`].
    pub async fn copy_in<Q, U>(&self, query: &Q) -> Result<CopyInSink<U>, Error>
    where
        Q: Query + ?Sized,
        U: Buf + Send + 'static,
    {
        let (guard, text) = self.database.begin(query.text());
        let work = async {
            let statement = self.prepared(query, &text).await?;
            self.inner.session().client().copy_in(&statement).await
        };
        match GuardedFuture::new(guard, work).await {
            (guard, Ok(sink)) => Ok(CopyInSink::new(guard, sink)),
            (guard, Err(error)) => {
                error::fail(guard, &error);
                Err(error)
            }
        }
    }

    /// Like [`tokio_postgres::Client::copy_out`]. The query ends with the last piece of data.
    ///
    /// # Errors
    ///
    /// Same as for [`tokio_postgres::Client::copy_out`].
    pub async fn copy_out<Q>(&self, query: &Q) -> Result<CopyOutStream, Error>
    where
        Q: Query + ?Sized,
    {
        let (guard, text) = self.database.begin(query.text());
        let work = async {
            let statement = self.prepared(query, &text).await?;
            self.inner.session().client().copy_out(&statement).await
        };
        match GuardedFuture::new(guard, work).await {
            // The query goes on with the data: the guard moves into the stream.
            (guard, Ok(data)) => Ok(CopyOutStream::new(guard, data)),
            (guard, Err(error)) => {
                error::fail(guard, &error);
                Err(error)
            }
        }
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
