//! The adapters of the `PostgreSQL` drivers with a real server: their counts compared with those of the server, and the
//! trace that the server sees.

use std::time::Duration;

use deadpool_postgres::{Manager, Runtime};
use futures_util::TryStreamExt;
use sqlx::postgres::PgPoolOptions;
use sqlx::{Executor, Row};
use tokio::time::{sleep, timeout};
use tokio_postgres::NoTls;
use tokio_postgres::types::Type;
use watchpost::db::DbSystem;
use watchpost::db::sqlx::Pool as SqlxPool;
use watchpost::db::tokio_postgres::{Client, Session, Transaction};
use watchpost::{Monitor, MonitorGuard};

use crate::postgres::Postgres;
use crate::traces::same;
use crate::{AnyError, Checks, until};

const ROUNDS: i64 = 50;
const LEFT: u32 = 10;
const INSERT: &str = "INSERT INTO items (id, name) VALUES ($1, $2)";
const FIND: &str = "SELECT name FROM items WHERE id = $1";
const SLEEP: &str = "SELECT pg_sleep(0.3)";

pub(crate) async fn check(postgres: &Postgres, checks: &mut Checks) {
    checks.note(
        "the adapter of SQLx beside pg_stat_statements",
        of_sqlx(postgres).await,
    );
    checks.note(
        "the adapter of tokio-postgres beside pg_stat_statements",
        of_tokio_postgres(postgres).await,
    );
    checks.note(
        "the adapter of deadpool-postgres beside pg_stat_statements",
        of_deadpool(postgres).await,
    );
}

/// A database for a user, with a table.
async fn set_up(postgres: &Postgres, user: &str) -> Result<MonitorGuard, AnyError> {
    let set_up = [
        format!("CREATE ROLE {user} LOGIN"),
        format!("CREATE DATABASE {user} OWNER {user}"),
    ];
    postgres.run(&set_up).await?;
    let table = format!(
        "CREATE TABLE items (id BIGINT PRIMARY KEY, name TEXT); ALTER TABLE items OWNER TO {user}"
    );
    postgres.run_in(user, &[table]).await?;
    let monitor = Monitor::builder(user).env(false).console(false);
    Ok(monitor.build()?)
}

/// Finished, failed and cancelled queries of the monitor, and the calls of the server.
async fn counted(postgres: &Postgres, user: &str, monitor: &Monitor) -> Result<[u64; 4], AnyError> {
    let queries = monitor.queries();
    let sum = |of: fn(&watchpost::db::QueryStats) -> u64| queries.iter().map(of).sum::<u64>();
    let (failed, cancelled) = (sum(|row| row.errors), sum(|row| row.cancelled));
    let finished = sum(|row| row.calls) - failed - cancelled;
    Ok([finished, failed, cancelled, postgres.calls(user).await?])
}

/// Compares the counts, with and without cancelled queries.
async fn compare(
    postgres: &Postgres,
    user: &str,
    monitor: &Monitor,
    failed: u64,
    leave: impl AsyncFn() -> Result<(), AnyError>,
) -> Result<String, AnyError> {
    let exact = until(async || {
        let now = counted(postgres, user, monitor).await?;
        let summary = format!("{} finished, {} failed, {} calls", now[0], now[1], now[3]);
        let whole = now[0] == now[3] && now[1] == failed && now[2] == 0 && now[0] > 500;
        if whole {
            Ok(summary)
        } else {
            Err(summary.into())
        }
    });
    let exact = exact.await?;
    for _ in 0..LEFT {
        leave().await?;
    }
    let between = until(async || {
        let [finished, _, cancelled, calls] = counted(postgres, user, monitor).await?;
        let summary = format!("{cancelled} cancelled, {calls} calls");
        let whole =
            cancelled == u64::from(LEFT) && (finished..=finished + cancelled).contains(&calls);
        if whole {
            Ok(summary)
        } else {
            Err(format!("{finished} finished, {summary}").into())
        }
    });
    Ok(format!("{exact}; then {}", between.await?))
}

/// The server's list of running queries contains the trace.
async fn seen(
    postgres: &Postgres,
    monitor: &Monitor,
    sleeps: impl Future<Output = Result<(), AnyError>>,
) -> Result<(), AnyError> {
    let look = async {
        sleep(Duration::from_millis(100)).await;
        let running =
            "SELECT query FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(0.3) /*%'";
        postgres.run(&[running.to_owned()]).await
    };
    let (slept, running) = monitor
        .span("sleeps")
        .run(async { tokio::join!(sleeps, look) })
        .await;
    slept?;
    let running = running?;
    if running
        .trim()
        .starts_with("SELECT pg_sleep(0.3) /*traceparent='00-")
    {
        Ok(())
    } else {
        Err(format!("the server sees {running:?}").into())
    }
}

async fn of_sqlx(postgres: &Postgres) -> Result<String, AnyError> {
    let user = "by_sqlx";
    let monitor = set_up(postgres, user).await?;
    let options = PgPoolOptions::new().max_connections(4);
    let pool = options.connect(&postgres.url(user, user)).await?;
    let pool = monitor.db_pool(&pool);
    for id in 0..ROUNDS {
        sqlx::query(INSERT)
            .bind(id)
            .bind("a name")
            .execute(&pool)
            .await?;
        let twice = sqlx::query(INSERT)
            .bind(id)
            .bind("another")
            .execute(&pool)
            .await;
        same(
            "the code",
            twice
                .unwrap_err()
                .into_database_error()
                .and_then(|it| it.code().map(String::from)),
            Some("23505".into()),
        )?;
        let name = sqlx::query(FIND).bind(id).fetch_one(&pool).await?;
        same("the name", name.get::<String, _>(0), "a name".to_owned())?;
        in_transactions(&pool, id).await?;
        let all: Vec<_> = pool
            .fetch("SELECT id FROM items LIMIT 5")
            .try_collect()
            .await?;
        same("some rows", all.is_empty(), false)?;
    }
    let with_comments = pool.clone().comments(true);
    seen(postgres, &monitor, async {
        with_comments.execute(SLEEP).await?;
        Ok(())
    })
    .await?;
    let left = compare(postgres, user, &monitor, ROUNDS as u64, async || {
        let sleeps = timeout(Duration::from_millis(100), pool.execute(SLEEP)).await;
        same("it sleeps", sleeps.is_err(), true)
    });
    let summary = left.await?;
    pool.as_sqlx().close().await;
    Ok(summary)
}

/// A committed transaction with a rolled back savepoint, and a dropped transaction.
async fn in_transactions(pool: &SqlxPool<sqlx::Postgres>, id: i64) -> Result<(), AnyError> {
    let mut transaction = pool.begin().await?;
    sqlx::query("UPDATE items SET name = $2 WHERE id = $1")
        .bind(id)
        .bind("x")
        .execute(&mut transaction)
        .await?;
    let mut inner = transaction.begin_inside().await?;
    inner.execute("DELETE FROM items").await?;
    inner.rollback().await?;
    transaction.commit().await?;
    let mut dropped = pool.begin().await?;
    dropped.execute("DELETE FROM items").await?;
    drop(dropped);
    Ok(())
}

async fn of_tokio_postgres(postgres: &Postgres) -> Result<String, AnyError> {
    let user = "by_tokio_postgres";
    let monitor = set_up(postgres, user).await?;
    let (client, connection) = postgres.options(user).connect(NoTls).await?;
    tokio::spawn(connection);
    let database = monitor.db(DbSystem::Postgresql).namespace(user);
    let mut client = Client::new(client, &database);
    for id in 0..ROUNDS {
        mixed(&client, id).await?;
        in_both(client.transaction().await?).await?;
        drop(client.transaction().await?);
    }
    let client = client.comments(true);
    seen(postgres, &monitor, async {
        client.simple_query(SLEEP).await?;
        Ok(())
    })
    .await?;
    compare(postgres, user, &monitor, 2 * ROUNDS as u64, async || {
        let sleeps = timeout(Duration::from_millis(100), client.query(SLEEP, &[])).await;
        same("it sleeps", sleeps.is_err(), true)
    })
    .await
}

async fn of_deadpool(postgres: &Postgres) -> Result<String, AnyError> {
    let user = "by_deadpool";
    let monitor = set_up(postgres, user).await?;
    let manager = Manager::new(postgres.options(user), NoTls);
    let pool = deadpool_postgres::Pool::builder(manager)
        .max_size(2)
        .runtime(Runtime::Tokio1);
    let pool = pool.wait_timeout(Some(Duration::from_millis(50))).build()?;
    let pool = monitor.db_pool_as("items", &pool).namespace(user);
    for id in 0..ROUNDS {
        let mut client = pool.get().await?;
        mixed(&client, id).await?;
        let cached = client.prepare_cached(FIND).await?;
        client.query_one(&cached, &[&id]).await?;
        in_both(client.transaction().await?).await?;
        drop(client.transaction().await?);
    }
    let held = (pool.get().await?, pool.get().await?);
    same("a third", pool.get().await.is_err(), true)?;
    let page = monitor.metrics().render();
    for line in [
        "db_client_connection_count{db_client_connection_pool_name=\"items\",db_client_connection_state=\"used\"} 2",
        "db_client_connection_max{db_client_connection_pool_name=\"items\"} 2",
        "db_client_connection_timeouts_total{db_client_connection_pool_name=\"items\"} 1",
    ] {
        if !page.contains(line) {
            return Err(format!("{line} is not in {page}").into());
        }
    }
    drop(held);
    let summary = compare(postgres, user, &monitor, 2 * ROUNDS as u64, async || {
        let client = pool.get().await?;
        let sleeps = timeout(Duration::from_millis(100), client.query(SLEEP, &[])).await;
        same("it sleeps", sleeps.is_err(), true)
    });
    let summary = summary.await?;
    pool.as_deadpool().close();
    Ok(summary)
}

/// Statements of every kind. Two are invalid.
async fn mixed<C: Session>(client: &Client<C>, id: i64) -> Result<(), AnyError> {
    let insert = client.prepare(INSERT).await?;
    same("rows", client.execute(&insert, &[&id, &"a name"]).await?, 1)?;
    let twice = client.execute(&insert, &[&id, &"another"]).await;
    same(
        "the code",
        twice.unwrap_err().code().map(|code| code.code().to_owned()),
        Some("23505".into()),
    )?;
    client
        .query("SELECT nothing FROM nowhere", &[])
        .await
        .unwrap_err();
    let name = client.query_one(FIND, &[&id]).await?;
    same("the name", name.get::<_, String>(0), "a name".to_owned())?;
    same(
        "none",
        client.query_opt(FIND, &[&-1_i64]).await?.is_none(),
        true,
    )?;
    let typed = client.query_typed(FIND, &[(&id, Type::INT8)]).await?;
    same("typed", typed.len(), 1)?;
    let rows = client.query_raw(FIND, [id]).await?;
    same(
        "rows one by one",
        rows.try_collect::<Vec<_>>().await?.len(),
        1,
    )?;
    client
        .batch_execute("UPDATE items SET name = 'x' WHERE id = -1")
        .await?;
    client.simple_query("SELECT 1").await?;
    Ok(())
}

/// A committed and a rolled back savepoint in a committed transaction.
async fn in_both<T: watchpost::db::tokio_postgres::TransactionSession>(
    mut transaction: Transaction<T>,
) -> Result<(), AnyError> {
    transaction
        .execute("UPDATE items SET name = 'y' WHERE id = -1", &[])
        .await?;
    let inner = transaction.transaction().await?;
    inner.commit().await?;
    let inner = transaction.transaction().await?;
    inner.rollback().await?;
    transaction.commit().await?;
    Ok(())
}
