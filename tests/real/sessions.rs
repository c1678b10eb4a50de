//! Transactions with options, named savepoints, `COPY` and errors of tokio-postgres and SQLx with a real `PostgreSQL`,
//! compared with the counts of the server; and health checks of a database that works, refuses, hangs and is gone.

use std::pin::pin;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use deadpool_postgres::Manager;
use futures_util::{SinkExt, TryStreamExt};
use http_body_util::BodyExt;
use rustix::process::{Pid, Signal, kill_process};
use sqlx::Executor;
use sqlx::postgres::{PgPool, PgPoolOptions};
use tokio::time::{Instant, sleep};
use tokio_postgres::{Config, IsolationLevel, NoTls};
use tower::ServiceExt;
use watchpost::Access;
use watchpost::db::DbSystem;
use watchpost::db::tokio_postgres::{Client, ClientSession};
use watchpost::testing::Harness;

use crate::postgres::Postgres;
use crate::traces::same;
use crate::{AnyError, Checks};

const TABLE: &str =
    "CREATE TABLE items (id BIGINT CONSTRAINT items_are_one PRIMARY KEY, name TEXT)";
const COPY_IN: &str = "COPY items (id, name) FROM STDIN";
const COPY_OUT: &str = "COPY items (id, name) TO STDOUT";

pub(crate) async fn check(postgres: &mut Postgres, checks: &mut Checks) {
    checks.note(
        "transactions by options, savepoints and COPY beside pg_stat_statements",
        sessions(postgres).await,
    );
    checks.note(
        "what errors of a database leave behind",
        errors(postgres).await,
    );
    checks.note(
        "the check of a database that refuses, hangs and is gone",
        health(postgres).await,
    );
}

async fn client(config: &Config) -> Result<tokio_postgres::Client, AnyError> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn set_up(postgres: &Postgres, user: &str) -> Result<(), AnyError> {
    let set_up = [
        format!("CREATE ROLE {user} LOGIN"),
        format!("CREATE DATABASE {user} OWNER {user}"),
    ];
    postgres.run(&set_up).await?;
    let own = format!("{TABLE}; ALTER TABLE items OWNER TO {user}");
    postgres.run_in(user, &[own]).await?;
    Ok(())
}

async fn sessions(postgres: &Postgres) -> Result<String, AnyError> {
    let harness = Harness::in_real_time(|builder| builder);
    let mut shown = Vec::new();
    for user in ["by_session", "by_pooled_session"] {
        set_up(postgres, user).await?;
        let config = postgres.options(user);
        let before = counted(&harness);
        let failed = if user == "by_session" {
            let database = harness.db(DbSystem::Postgresql).config(&config);
            mixed(Client::new(client(&config).await?, &database)).await?
        } else {
            let manager = Manager::new(config.clone(), NoTls);
            let pool = deadpool_postgres::Pool::builder(manager).build()?;
            let pool = harness.db_pool(&pool).config(&config);
            mixed(pool.get().await?).await?
        };
        let after = counted(&harness);
        let ended = [0, 1, 2].map(|n| after[n] - before[n]);
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let calls = postgres.calls(user).await?;
            if calls == ended[0] {
                break;
            }
            if Instant::now() > deadline {
                let queries: Vec<_> = harness
                    .queries()
                    .into_iter()
                    .map(|q| (q.text, q.calls, q.errors))
                    .collect();
                let known = "SELECT query, calls FROM pg_stat_statements JOIN pg_roles ON pg_roles.oid = userid WHERE rolname = ";
                let known = postgres.run(&[format!("{known}'{user}'")]).await?;
                return Err(format!("{ended:?} and {calls} calls: {queries:?}; {known}").into());
            }
            sleep(Duration::from_millis(50)).await;
        }
        same("failed and cancelled", [ended[1], ended[2]], [failed, 1])?;
        shown.push(format!("{ended:?}"));
    }
    let page = harness.metrics().render();
    same(
        "a namespace",
        page.contains("db_namespace=\"by_session\""),
        true,
    )?;
    Ok(shown.join(", "))
}

/// The numbers of finished, failed and cancelled queries.
fn counted(harness: &Harness) -> [u64; 3] {
    let queries = harness.queries();
    let sum = |of: fn(&watchpost::db::QueryStats) -> u64| queries.iter().map(of).sum::<u64>();
    let (failed, cancelled) = (sum(|row| row.errors), sum(|row| row.cancelled));
    [sum(|row| row.calls) - failed - cancelled, failed, cancelled]
}

/// Runs everything at least once; returns the number of failures.
async fn mixed<C: ClientSession>(mut client: Client<C>) -> Result<u64, AnyError> {
    let serializable = client
        .build_transaction()
        .isolation_level(IsolationLevel::Serializable);
    let transaction = serializable
        .read_only(true)
        .deferrable(true)
        .start()
        .await?;
    transaction.query("SELECT id FROM items", &[]).await?;
    transaction.commit().await?;

    let mut transaction = client.transaction().await?;
    let named = transaction.savepoint("before_items").await?;
    named
        .execute("INSERT INTO items (id) VALUES (1)", &[])
        .await?;
    named.rollback().await?;
    let named = transaction.savepoint("again").await?;
    named.commit().await?;
    drop(transaction.savepoint("dropped").await?);
    transaction.rollback().await?;

    // In a failed transaction, the server refuses to begin and tokio-postgres rolls back.
    client.batch_execute("BEGIN").await?;
    client
        .query("SELECT nothing FROM nowhere", &[])
        .await
        .unwrap_err();
    let refused = client
        .transaction()
        .await
        .err()
        .and_then(|error| error.code().cloned());
    same(
        "refused",
        refused.map(|code| code.code().to_owned()),
        Some("25P02".to_owned()),
    )?;
    client.batch_execute("BEGIN").await?;
    client
        .query("SELECT nothing FROM nowhere", &[])
        .await
        .unwrap_err();
    let refused = client
        .build_transaction()
        .read_only(true)
        .start()
        .await
        .err();
    same("refused", refused.is_some(), true)?;
    // It has been rolled back.
    client.query("SELECT id FROM items", &[]).await?;

    let mut sink = pin!(client.copy_in(COPY_IN).await?);
    for id in 0..100 {
        sink.send(bytes::Bytes::from(format!("{id}\tname {id}\n")))
            .await?;
    }
    same("copied", sink.as_mut().finish().await?, 100)?;
    let out: Vec<_> = client.copy_out(COPY_OUT).await?.try_collect().await?;
    let out = String::from_utf8(out.concat())?;
    same("copied out", out.lines().count(), 100)?;
    let mut sink = pin!(client.copy_in(COPY_IN).await?);
    sink.send(bytes::Bytes::from("no number\tname\n")).await?;
    let wrong = sink.as_mut().finish().await.unwrap_err();
    same(
        "the code",
        wrong.code().map(|code| code.code().to_owned()),
        Some("22P02".to_owned()),
    )?;
    {
        // Cancelled: the server has executed no such statement.
        let mut sink = pin!(client.copy_in::<_, bytes::Bytes>(COPY_IN).await?);
        sink.send(bytes::Bytes::from("1000\tname\n")).await?;
    }
    client.query("SELECT id FROM items", &[]).await?;
    client
        .copy_in::<_, bytes::Bytes>("COPY nowhere FROM STDIN")
        .await
        .map(drop)
        .unwrap_err();
    Ok(6)
}

async fn errors(postgres: &Postgres) -> Result<String, AnyError> {
    let user = "by_errors";
    set_up(postgres, user).await?;
    let harness = Harness::new();
    let config = postgres.options(user);
    let database = harness.db(DbSystem::Postgresql).config(&config);
    let client = Client::new(client(&config).await?, &database);
    let pool = PgPoolOptions::new().max_connections(1);
    let pool = harness.db_pool(&pool.connect(&postgres.url(user, user)).await?);
    let insert = "INSERT INTO items (id, name) VALUES (1, 'a'), (2, 'b')";
    let changed = pool.execute(insert).await?.rows_affected();
    same("changed", changed, 2)?;
    let rows: u64 = harness.queries().iter().map(|row| row.rows).sum();
    same("rows", rows, 2)?;
    let by_sqlx = async {
        let error = pool.execute(insert).await.unwrap_err();
        harness.capture_error(&error);
    };
    harness.span("work").run(by_sqlx).await;
    let by_tokio_postgres = async {
        let error = client.execute(insert, &[]).await.unwrap_err();
        harness.capture_error(&error);
        let error: Box<dyn std::error::Error + Send + Sync> = error.into();
        harness.capture_error(&*error);
    };
    harness.span("work").run(by_tokio_postgres).await;
    let lines = harness.lines();
    let events: Vec<_> = lines
        .iter()
        .filter(|line| line.contains("\"event_id\""))
        .collect();
    same("events", events.len(), 3)?;
    for line in events {
        for field in [
            "\"db.response.status_code\":\"23505\"",
            "\"db.query.summary\":\"INSERT items\"",
            "\"watchpost.db.constraint\":\"items_are_one\"",
        ] {
            same(field, line.contains(field), true)
                .map_err(|_| format!("{field} is not in {line}"))?;
        }
    }
    client
        .query_one("SELECT id FROM items", &[])
        .await
        .unwrap_err();
    client
        .query("SELECT id FROM items WHERE id = $1", &[&"one"])
        .await
        .unwrap_err();
    let page = harness.metrics().render();
    for kind in ["RowCount", "ToSql"] {
        let label = format!("error_type=\"tokio_postgres::Error::{kind}\"");
        same(&label, page.contains(&label), true)?;
    }
    let closed = config.connect(NoTls).await?.0;
    let closed = Client::new(closed, &database);
    closed.query("SELECT 1", &[]).await.unwrap_err();
    let page = harness.metrics().render();
    same(
        "closed",
        page.contains("tokio_postgres::Error::Closed"),
        true,
    )?;
    pool.as_sqlx().close().await;
    Ok("code, query and constraint".to_owned())
}

/// Waits until the output of the check contains this text.
async fn await_output(harness: &Harness, name: &str, output: &str) -> Result<String, AnyError> {
    let deadline = Instant::now() + Duration::from_secs(15);
    loop {
        let page = harness.health().details(Access::open_to_anyone());
        let app = axum::Router::new().route_service("/", page);
        let response = app.oneshot(Request::get("/").body(Body::empty())?).await?;
        let page = response.into_body().collect().await?.to_bytes();
        let page: serde_json::Value = serde_json::from_slice(&page)?;
        let entry = &page["checks"][name][0];
        let shown = entry["output"].as_str().unwrap_or_default();
        let is_it = match output {
            "" => entry["status"] == "pass",
            output => shown.contains(output),
        };
        if is_it {
            return Ok(shown.to_owned());
        }
        if Instant::now() > deadline {
            return Err(format!("{name} does not show {output:?} but {entry}").into());
        }
        sleep(Duration::from_millis(20)).await;
    }
}

fn lazy(url: &str) -> Result<PgPool, AnyError> {
    Ok(PgPoolOptions::new().max_connections(2).connect_lazy(url)?)
}

async fn health(postgres: &mut Postgres) -> Result<String, AnyError> {
    let harness = Harness::in_real_time(|builder| builder);
    let user = "by_health";
    set_up(postgres, user).await?;
    let quick = |name: &'static str, pool: &PgPool| {
        let check = harness.health().database_as(name, pool);
        let check = check
            .interval(Duration::from_secs(1))
            .failures(1)
            .successes(1);
        drop(check.timeout(Duration::from_millis(700)));
    };
    let well = PgPoolOptions::new().max_connections(1);
    let well = well.connect(&postgres.url(user, user)).await?;
    quick("well", &well);
    quick("lazy", &lazy(&postgres.url(user, user))?);
    quick("nowhere", &lazy(&postgres.url(user, "nowhere"))?);
    quick("nobody", &lazy(&postgres.url("nobody_of_that_name", user))?);
    let manager = Manager::new(postgres.options(user), NoTls);
    let pooled = deadpool_postgres::Pool::builder(manager).build()?;
    let check = harness.health().database_as("deadpool", &pooled);
    let check = check
        .interval(Duration::from_millis(50))
        .failures(1)
        .successes(1);
    drop(check.timeout(Duration::from_millis(700)));
    for name in ["well", "lazy", "deadpool"] {
        await_output(&harness, name, "").await?;
    }
    drop(pooled.get().await?);
    await_output(&harness, "nowhere", "(3D000)").await?;
    let nobody = await_output(&harness, "nobody", "(28000)").await?;
    same("no queries", harness.queries().len(), 0)?;

    postgres.server.hang()?;
    let connects = await_output(
        &harness,
        "lazy",
        "no response within 700 ms while connecting",
    )
    .await;
    postgres.server.go_on()?;
    // Each connection has a server process of its own. One of them is suspended.
    let id: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&well)
        .await?;
    let backend = Pid::from_raw(id).ok_or("no process")?;
    // By then the connection is back in the pool.
    sleep(Duration::from_millis(500)).await;
    kill_process(backend, Signal::STOP)?;
    let waits = "no response within 700 ms while waiting for the response of an idle connection";
    let hangs = await_output(&harness, "well", waits).await;
    kill_process(backend, Signal::CONT)?;
    let shown = [nobody, connects?, hangs?];
    for name in ["well", "lazy", "deadpool"] {
        await_output(&harness, name, "").await?;
    }
    postgres.server.interrupt().await?;
    let mut gone = Vec::new();
    for name in ["well", "lazy", "deadpool"] {
        gone.push(await_output(&harness, name, "os error").await?);
    }
    well.close().await;
    await_output(&harness, "well", "closed pool").await?;
    Ok(shown
        .into_iter()
        .chain(gone)
        .collect::<Vec<_>>()
        .join(" | "))
}
