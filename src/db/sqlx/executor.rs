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

use super::super::generated::generated;
use super::super::rows::{IsRow, Rows};
use super::super::run::InQuery;
use super::affected;
use super::connection::PoolConnection;
use super::error;
use super::pool::{Pool, Watched};
use super::statement::Statement;
use super::transaction::Transaction;

type Item<DB> = Either<<DB as Database>::QueryResult, <DB as Database>::Row>;

impl<L: 'static, R> IsRow for Either<L, R> {
    fn is_row(&self) -> bool {
        self.is_right()
    }

    fn changed(&self) -> Option<u64> {
        affected::rows(self.as_ref().left()?)
    }
}

/// The rows of a statement on a connection.
fn fetch_many<'c, DB>(
    connection: &'c mut DB::Connection,
    watched: &Watched,
    mut statement: Statement<DB>,
) -> impl Stream<Item = Result<Item<DB>, Error>> + Send + 'c
where
    DB: Database,
    &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    let guard = statement.begin(watched);
    Rows::new(guard, || connection.fetch_many(statement), error::fail)
}

/// The first row of a statement on a connection.
async fn fetch_optional<DB>(
    connection: &mut DB::Connection,
    watched: &Watched,
    mut statement: Statement<DB>,
) -> Result<Option<DB::Row>, Error>
where
    DB: Database,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    let mut guard = statement.begin(watched);
    let future = guard.inside(|| connection.fetch_optional(statement));
    let (guard, row) = InQuery::new(guard, future).await;
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

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Item<DB>, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, DB>,
    {
        let (pool, statement) = (self.clone(), Statement::new(query));
        Box::pin(generated(async move |items| {
            let mut connection = match pool.acquire_for(statement.text()).await {
                Ok(connection) => connection,
                Err(error) => {
                    items.put(Err(error)).await;
                    return;
                }
            };
            let (connection, watched) = connection.parts();
            let rows = fetch_many::<DB>(connection, watched, statement);
            items.put_all(pin!(rows)).await;
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
        let (pool, statement) = (self.clone(), Statement::new(query));
        Box::pin(async move {
            let mut connection = pool.acquire_for(statement.text()).await?;
            let (connection, watched) = connection.parts();
            fetch_optional::<DB>(connection, watched, statement).await
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

/// An executor that has its connection.
macro_rules! executor {
    ($what:ty $(, $more:lifetime)?) => {
        impl<'c, $($more,)? DB> Executor<'c> for &'c mut $what
        where
            DB: Database,
            for<'a> &'a mut DB::Connection: Executor<'a, Database = DB>,
        {
            type Database = DB;

            fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Item<DB>, Error>>
            where
                'c: 'e,
                E: 'q + Execute<'q, DB>,
            {
                let (connection, watched) = self.parts();
                Box::pin(fetch_many::<DB>(connection, watched, Statement::new(query)))
            }

            fn fetch_optional<'e, 'q: 'e, E>(
                self,
                query: E,
            ) -> BoxFuture<'e, Result<Option<DB::Row>, Error>>
            where
                'c: 'e,
                E: 'q + Execute<'q, DB>,
            {
                let statement = Statement::new(query);
                Box::pin(async move {
                    let (connection, watched) = self.parts();
                    fetch_optional::<DB>(connection, watched, statement).await
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
