use std::pin::pin;

use futures_core::Stream;
use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use sqlx::Database;
use sqlx::Describe;
use sqlx::Either;
use sqlx::Error;
use sqlx::SqlStr;
use sqlx::{Execute, Executor};

use super::super::rows::{QueryRows, StreamItem};
use super::super::run::GuardedFuture;
use super::super::stream;
use super::affected::affected_rows;
use super::connection::PoolConnection;
use super::database::SqlxDatabase;
use super::error;
use super::pool::Pool;
use super::statement::QueryParts;
use super::transaction::Transaction;

type FetchItem<DB> = Either<<DB as Database>::QueryResult, <DB as Database>::Row>;

impl<L: 'static, R> StreamItem for Either<L, R> {
    fn is_row(&self) -> bool {
        self.is_right()
    }

    fn affected_rows(&self) -> Option<u64> {
        affected_rows(self.as_ref().left()?)
    }
}

/// Runs a statement on a connection and streams its rows.
fn fetch_many<'c, DB>(
    connection: &'c mut DB::Connection,
    database: &SqlxDatabase,
    mut statement: QueryParts<DB>,
) -> impl Stream<Item = Result<FetchItem<DB>, Error>> + Send + 'c
where
    DB: Database,
    &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    // The connection is there. Its wait was recorded with the pool and is no part of the query.
    let guard = statement.begin(database);
    QueryRows::new(guard, || connection.fetch_many(statement), error::fail)
}

/// Runs a statement on a connection and returns its first row.
async fn fetch_optional<DB>(
    connection: &mut DB::Connection,
    database: &SqlxDatabase,
    mut statement: QueryParts<DB>,
) -> Result<Option<DB::Row>, Error>
where
    DB: Database,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    let mut guard = statement.begin(database);
    // Drivers may begin to work in the call itself, not only when the future is polled.
    let future = guard.scope(|| connection.fetch_optional(statement));
    let (guard, row) = GuardedFuture::new(guard, future).await;
    match &row {
        Ok(row) => guard.rows(row.is_some().into()).finish(),
        Err(error) => error::fail(guard, error),
    }
    row
}

impl<'p, DB> Executor<'p> for &'_ Pool<DB>
where
    DB: Database,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    type Database = DB;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<FetchItem<DB>, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, DB>,
    {
        let (pool, statement) = (self.clone(), QueryParts::new(query));
        // The stream owns the connection, so the connection returns to the pool when the stream ends or is dropped.
        Box::pin(stream::from_future(async move |items| {
            let mut connection = match pool.acquire_for(statement.text()).await {
                Ok(connection) => connection,
                Err(error) => {
                    items.send(Err(error)).await;
                    return;
                }
            };
            let (connection, database) = connection.parts();
            let rows = fetch_many::<DB>(connection, database, statement);
            items.send_all(pin!(rows)).await;
        }))
    }

    fn fetch_optional<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxFuture<'e, Result<Option<DB::Row>, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, DB>,
    {
        let (pool, statement) = (self.clone(), QueryParts::new(query));
        Box::pin(async move {
            let mut connection = pool.acquire_for(statement.text()).await?;
            let (connection, database) = connection.parts();
            fetch_optional::<DB>(connection, database, statement).await
        })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [DB::TypeInfo],
    ) -> BoxFuture<'e, Result<DB::Statement, Error>>
    where
        'p: 'e,
    {
        let pool = self.clone();
        Box::pin(async move {
            let mut connection = pool.acquire().await?;
            connection.parts().0.prepare_with(sql, parameters).await
        })
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<DB>, Error>>
    where
        'p: 'e,
    {
        let pool = self.clone();
        Box::pin(async move {
            let mut connection = pool.acquire().await?;
            connection.parts().0.describe(sql).await
        })
    }
}

/// Implements `Executor` for a type that has its connection.
macro_rules! executor {
    ($what:ty $(, $more:lifetime)?) => {
        impl<'c, $($more,)? DB> Executor<'c> for &'c mut $what
        where
            DB: Database,
            for<'a> &'a mut DB::Connection: Executor<'a, Database = DB>,
        {
            type Database = DB;

            fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<FetchItem<DB>, Error>>
            where
                'c: 'e,
                E: 'q + Execute<'q, DB>,
            {
                let (connection, database) = self.parts();
                Box::pin(fetch_many::<DB>(connection, database, QueryParts::new(query)))
            }

            fn fetch_optional<'e, 'q: 'e, E>(
                self,
                query: E,
            ) -> BoxFuture<'e, Result<Option<DB::Row>, Error>>
            where
                'c: 'e,
                E: 'q + Execute<'q, DB>,
            {
                let statement = QueryParts::new(query);
                Box::pin(async move {
                    let (connection, database) = self.parts();
                    fetch_optional::<DB>(connection, database, statement).await
                })
            }

            fn prepare_with<'e>(
                self,
                sql: SqlStr,
                parameters: &'e [DB::TypeInfo],
            ) -> BoxFuture<'e, Result<DB::Statement, Error>>
            where
                'c: 'e,
            {
                self.parts().0.prepare_with(sql, parameters)
            }

            fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<DB>, Error>>
            where
                'c: 'e,
            {
                self.parts().0.describe(sql)
            }
        }
    };
}

executor!(PoolConnection<DB>);
executor!(Transaction<'t, DB>, 't);
