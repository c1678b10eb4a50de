//! SQLx: wrapped pools, connections and transactions, and its own events.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::get;
use futures_util::StreamExt;
use http_body_util::BodyExt;
use sqlx::any::{AnyPoolOptions, install_default_drivers};
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions};
use sqlx::{Executor, Row};
use tower::ServiceExt;
use watchpost::TraceId;
use watchpost::db::{DbSystem, QueryStats};
use watchpost::testing::Harness;
use watchpost::trace::{AttributeValue as Value, KeptTrace, SpanStatus};

use crate::support::attribute;

type Pool = watchpost::db::sqlx::Pool<sqlx::Sqlite>;

const ORDERS: &str = "CREATE TABLE orders (id INTEGER PRIMARY KEY, mail TEXT)";
const MANY: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) SELECT i FROM n";

fn harness() -> Harness {
    Harness::with(|builder| builder.trace_ratio(1.0).max_traces_per_second(100_000))
}

/// A pool with one connection to a database in memory that has a table.
async fn bare() -> SqlitePool {
    let options = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_millis(50));
    let pool = options.connect("sqlite::memory:").await.unwrap();
    sqlx::query(ORDERS).execute(&pool).await.unwrap();
    pool
}

async fn watched(harness: &Harness) -> Pool {
    harness.db_pool(&bare().await).namespace("orders")
}

/// The statistics of a statement.
fn row(harness: &Harness, text: &str) -> QueryStats {
    let rows = harness.queries();
    let known: Vec<_> = rows.iter().map(|row| row.text.to_string()).collect();
    let mut rows = rows.into_iter();
    let found = rows.find(|row| &*row.text == text);
    found.unwrap_or_else(|| panic!("{text} is not among {known:?}"))
}

/// The numbers of calls, errors and cancellations of a statement.
fn ended(harness: &Harness, text: &str) -> (u64, u64, u64) {
    let row = row(harness, text);
    (row.calls, row.errors, row.cancelled)
}

/// Runs `work` in a request and returns the trace.
async fn in_a_request<F>(
    harness: &Harness,
    work: impl Fn() -> F + Clone + Send + Sync + 'static,
) -> KeptTrace
where
    F: Future<Output = ()> + Send,
{
    let handler = get(move || async move {
        work().await;
        "done"
    });
    let app = Router::new().route("/", handler).layer(harness.layer());
    let request = Request::get("/").body(Body::empty()).unwrap();
    let response = app.oneshot(request).await.unwrap();
    let id = response.headers()["x-trace-id"].to_str().unwrap();
    let id: TraceId = id.parse().unwrap();
    response.into_body().collect().await.unwrap();
    assert!(harness.flush(Duration::from_secs(10)).await);
    harness.recent_trace(id).expect("the trace is kept")
}

#[tokio::test]
async fn statements_on_pool_connection_and_transaction_are_recorded() {
    let harness = harness();
    let pool = watched(&harness).await;
    let trace = in_a_request(&harness, move || {
        let pool = pool.clone();
        async move {
            let insert = "INSERT INTO orders (mail) VALUES (?)";
            for mail in ["ada", "bob", "eve"] {
                sqlx::query(insert).bind(mail).execute(&pool).await.unwrap();
            }
            let all = sqlx::query("SELECT mail FROM orders")
                .fetch_all(&pool)
                .await
                .unwrap();
            assert_eq!(all.len(), 3);
            assert_eq!(all[0].get::<String, _>(0), "ada");

            let mut connection = pool.acquire().await.unwrap();
            let one = sqlx::query("SELECT id FROM orders WHERE mail = 'bob'");
            assert_eq!(
                one.fetch_one(&mut connection)
                    .await
                    .unwrap()
                    .get::<i64, _>(0),
                2
            );
            let scalar = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM orders");
            assert_eq!(scalar.fetch_one(&mut connection).await.unwrap(), 3);
            drop(connection);

            let mut transaction = pool.begin().await.unwrap();
            sqlx::query(insert)
                .bind("kim")
                .execute(&mut transaction)
                .await
                .unwrap();
            let mut inner = transaction.begin_inside().await.unwrap();
            inner.execute("DELETE FROM orders").await.unwrap();
            inner.rollback().await.unwrap();
            transaction.commit().await.unwrap();
            let mut dropped = pool.begin().await.unwrap();
            sqlx::query(insert)
                .bind("sam")
                .execute(&mut dropped)
                .await
                .unwrap();
            drop(dropped);

            let left = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM orders");
            assert_eq!(left.fetch_one(&pool).await.unwrap(), 4);
        }
    })
    .await;

    let names: Vec<_> = trace.spans.iter().map(|span| &*span.name).collect();
    let root = trace.spans.iter().find(|span| span.is_root).unwrap();
    assert_eq!(names.len(), 17, "{names:?}");
    for span in trace.spans.iter().filter(|span| !span.is_root) {
        assert_eq!(span.parent_span_id, root.span_id, "{}", span.name);
        let system = attribute(span, "db.system.name");
        assert_eq!(system, Some(&Value::Str("sqlite".into())));
        let namespace = attribute(span, "db.namespace");
        assert_eq!(namespace, Some(&Value::Str("orders".into())));
    }
    assert_eq!(
        ended(&harness, "INSERT INTO orders (mail) VALUES (?)"),
        (5, 0, 0)
    );
    assert_eq!(row(&harness, "SELECT mail FROM orders").rows, 3);
    assert_eq!(
        row(&harness, "SELECT id FROM orders WHERE mail = ?").rows,
        1
    );
    assert_eq!(row(&harness, "SELECT count(*) FROM orders").calls, 2);
    for (text, calls) in [
        ("BEGIN", 2),
        ("COMMIT", 1),
        ("ROLLBACK", 1),
        ("SAVEPOINT", 1),
        ("ROLLBACK TO SAVEPOINT", 1),
    ] {
        assert_eq!(ended(&harness, text), (calls, 0, 0), "{text}");
    }
    assert_eq!(row(&harness, "BEGIN").system, DbSystem::Sqlite);
}

#[tokio::test]
async fn failed_and_dropped_statements_have_different_outcomes() {
    let harness = harness();
    let pool = watched(&harness).await;
    let statement = "INSERT INTO orders (id, mail) VALUES (7, 'secret')";
    let of_pool = pool.clone();
    let trace = in_a_request(&harness, move || {
        let pool = of_pool.clone();
        async move {
            pool.execute(statement).await.unwrap();
            pool.execute(statement).await.unwrap_err();
            pool.fetch_optional("SELECT * FROM nothing")
                .await
                .unwrap_err();
            // Not all of its rows are read.
            let mut rows = pool.fetch(MANY);
            rows.next().await.unwrap().unwrap();
            drop(rows);
        }
    })
    .await;
    assert_eq!(
        ended(&harness, "INSERT INTO orders (id, mail) VALUES (?, ?)"),
        (2, 1, 0)
    );
    assert_eq!(ended(&harness, "SELECT * FROM nothing"), (1, 1, 0));
    let many = harness
        .queries()
        .into_iter()
        .find(|row| row.text.starts_with("WITH"));
    let many = many.expect("it is known");
    assert_eq!((many.calls, many.errors, many.cancelled), (1, 0, 1));

    let failed: Vec<_> = trace
        .spans
        .iter()
        .filter(|span| span.status == SpanStatus::Error)
        .collect();
    assert_eq!(failed.len(), 2);
    // SQLite's code for a duplicate key.
    let code = attribute(failed[0], "db.response.status_code");
    assert_eq!(code, Some(&Value::Str("1555".into())));
    assert_eq!(attribute(failed[0], "error.type"), code);
    let all = format!("{trace:?}{:?}{:?}", harness.queries(), harness.page());
    assert!(!all.contains("secret"));

    // The only connection is in use.
    let held = pool.acquire().await.unwrap();
    let waits = pool.fetch_all("SELECT mail FROM orders").await.unwrap_err();
    assert!(matches!(waits, sqlx::Error::PoolTimedOut));
    assert_eq!(ended(&harness, "SELECT mail FROM orders"), (1, 1, 0));
    let page = harness.page();
    let pool_name = ("db_client_connection_pool_name", "sqlite");
    let value = |name, state: Option<&'static str>| {
        let state = state.map(|state| ("db_client_connection_state", state));
        let labels: Vec<_> = [pool_name].into_iter().chain(state).collect();
        assert!(page.samples(name, &labels).next().is_some(), "{name}");
        page.sum(name, &labels)
    };
    assert_eq!(value("db_client_connection_timeouts_total", None), 1.0);
    assert_eq!(value("db_client_connection_count", Some("used")), 1.0);
    assert_eq!(value("db_client_connection_count", Some("idle")), 0.0);
    assert_eq!(value("db_client_connection_max", None), 1.0);
    assert_eq!(value("db_client_connection_pending_requests", None), 0.0);
    assert_eq!(
        value("db_client_connection_wait_time_seconds_count", None),
        5.0
    );
    let error = ("error_type", "sqlx::Error::PoolTimedOut");
    assert_eq!(
        page.sum("db_client_operation_duration_seconds_count", &[error]),
        1.0
    );
    drop(held);
    pool.as_sqlx().close().await;
    harness.page();
    let page = harness.page();
    assert!(
        page.samples("db_client_connection_max", &[])
            .next()
            .is_none(),
        "it is closed"
    );
}

#[tokio::test]
async fn a_request_counts_the_queries_of_the_adapter() {
    let harness = harness();
    let pool = watched(&harness).await;
    let trace = in_a_request(&harness, move || {
        let pool = pool.clone();
        async move {
            for id in 0..3_i64 {
                let find = sqlx::query("SELECT mail FROM orders WHERE id = ?").bind(id);
                assert!(find.fetch_optional(&pool).await.unwrap().is_none());
            }
        }
    })
    .await;
    let root = trace.spans.iter().find(|span| span.is_root).unwrap();
    assert_eq!(
        attribute(root, "watchpost.db.queries"),
        Some(&Value::I64(3))
    );
    assert_eq!(
        attribute(root, "watchpost.db.duplicates"),
        Some(&Value::I64(2))
    );
}

#[tokio::test]
async fn the_any_driver_takes_the_system_from_the_url() {
    install_default_drivers();
    let harness = harness();
    let pool = AnyPoolOptions::new()
        .max_connections(1)
        .connect("sqlite::memory:")
        .await
        .unwrap();
    let pool = harness.db_pool(&pool);
    assert_eq!(
        pool.fetch_one("SELECT 7").await.unwrap().get::<i64, _>(0),
        7
    );
    let row = row(&harness, "SELECT ?");
    assert_eq!((row.system, row.rows), (DbSystem::Sqlite, 1));
}

#[tokio::test]
async fn a_comment_passes_the_trace_to_the_database() {
    let harness = harness();
    let pool = watched(&harness).await.comments(true);
    // SQLite stores the text that created a view.
    let trace = in_a_request(&harness, move || {
        let pool = pool.clone();
        async move {
            pool.execute("CREATE VIEW mails AS SELECT mail FROM orders")
                .await
                .unwrap();
            let text = "SELECT sql FROM sqlite_master WHERE name = 'mails'";
            let text = pool.fetch_one(text).await.unwrap().get::<String, _>(0);
            pool.execute(sqlx::AssertSqlSafe(format!(
                "SELECT '{}'",
                text.replace('\'', "''")
            )))
            .await
            .unwrap();
            assert!(text.contains("/*traceparent='00-"), "{text}");
        }
    })
    .await;
    let hex = trace.trace_id.to_string();
    assert_eq!(hex.len(), 32);
    assert_eq!(
        ended(&harness, "CREATE VIEW mails AS SELECT mail FROM orders"),
        (1, 0, 0)
    );
}
