//! Database errors: their attributes on the event, on its log record and on the request's log record; affected rows.

use std::error::Error;
use std::fmt;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use serde_json::Value;
use sqlx::Executor;
use sqlx::any::{AnyPoolOptions, install_default_drivers};
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions};
use watchpost::db::DbSystem;
use watchpost::testing::Harness;

use crate::support::{get_request, json_lines, send};

type Pool = watchpost::db::sqlx::Pool<sqlx::Sqlite>;

const CODE: &str = "db.response.status_code";
const SUMMARY: &str = "db.query.summary";
const INSERT: &str = "INSERT INTO orders (id, mail) VALUES (1, 'ada@example.org')";

async fn pool(harness: &Harness) -> Pool {
    let options = SqlitePoolOptions::new().max_connections(1);
    let pool: SqlitePool = options.connect("sqlite::memory:").await.unwrap();
    let pool = harness.db_pool(&pool);
    let table = "CREATE TABLE orders (id INTEGER PRIMARY KEY, mail TEXT NOT NULL)";
    pool.execute(table).await.unwrap();
    pool.execute(INSERT).await.unwrap();
    pool
}

/// An application's error, `depth` levels above the error of SQLx.
#[derive(Debug)]
struct Above(u32, Box<dyn Error + Send + Sync>);

impl fmt::Display for Above {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "level {}", self.0)
    }
}

impl Error for Above {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.1)
    }
}

fn above(depth: u32, error: sqlx::Error) -> Above {
    let first = Above(0, Box::new(error));
    (1..depth).fold(first, |error, level| Above(level, Box::new(error)))
}

/// The log record of the last captured event.
fn last_event(harness: &Harness) -> Value {
    let mut lines = json_lines(harness).into_iter();
    lines.rfind(|line| line.get("event_id").is_some()).unwrap()
}

fn known(line: &Value) -> [&str; 2] {
    [CODE, SUMMARY].map(|key| line[key].as_str().unwrap_or("-"))
}

#[tokio::test]
async fn a_captured_error_has_the_code_and_query_of_a_nested_database_error() {
    let harness = Harness::new();
    let pool = pool(&harness).await;
    let twice = ["1555", "INSERT orders"];
    for (n, capture) in [
        |h: &Harness, e| h.capture_error(&e),
        |h: &Harness, e| h.capture_error(&above(1, e)),
        |h: &Harness, e| h.capture_error(&above(4, e)),
        |h: &Harness, e| h.error_capture(&above(2, e)).tag("a", "b").capture(),
        |h: &Harness, e| {
            let error: Box<dyn Error + Send + Sync> = Box::new(e);
            h.capture_error(&*error)
        },
        |_: &Harness, e| watchpost::capture_error(&e),
    ]
    .into_iter()
    .enumerate()
    {
        harness
            .span("work")
            .run(async {
                let error = pool.execute(INSERT).await.unwrap_err();
                // Other errors do not replace it.
                pool.execute("SELECT 1").await.unwrap();
                assert!(!capture(&harness, error).is_nil());
            })
            .await;
        let line = last_event(&harness);
        assert_eq!(known(&line), twice, "{n}: {line}");
        // No output contains a literal of the statement.
        assert!(!harness.written().contains("ada@example.org"));
    }
}

#[tokio::test]
async fn an_error_outside_of_a_trace_has_a_code_and_no_query() {
    let harness = Harness::with(|builder| builder.record_spans(false));
    let pool = pool(&harness).await;
    let error = pool.execute(INSERT).await.unwrap_err();
    harness.capture_error(&error);
    assert_eq!(known(&last_event(&harness)), ["1555", "-"]);
}

#[tokio::test]
async fn other_errors_do_not_get_the_query() {
    let harness = Harness::new();
    let pool = pool(&harness).await;
    let other = "INSERT INTO orders (id) VALUES (2)";
    harness
        .span("work")
        .run(async {
            let first = pool.execute(INSERT).await.unwrap_err();
            harness.capture_error(&std::io::Error::other("the disk is gone"));
            assert_eq!(known(&last_event(&harness)), ["-", "-"]);
            // Another query has failed since.
            let second = pool.execute(other).await.unwrap_err();
            harness.capture_error(&above(1, first));
            assert_eq!(known(&last_event(&harness)), ["1555", "-"]);
            harness.capture_error(&second);
            assert_eq!(known(&last_event(&harness)), ["1299", "INSERT orders"]);
            // Attributes that the capture sets stay.
            harness.error_capture(&second).extra(CODE, "mine").capture();
            assert_eq!(known(&last_event(&harness)), ["mine", "INSERT orders"]);
            // An error type that is no code of the database.
            let none = sqlx::query("SELECT id FROM orders WHERE id = 9").fetch_one(&pool);
            let none = none.await.unwrap_err();
            harness.capture_error(&none);
            assert_eq!(known(&last_event(&harness))[0], "-");
        })
        .await;
    let written = harness.written();
    assert_eq!(written.matches("\"mine\"").count(), 1);
}

#[tokio::test]
async fn a_query_guard_attaches_the_query_to_errors_of_its_type() {
    let harness = Harness::new();
    let db = harness.db(DbSystem::Mysql);
    harness
        .span("work")
        .run(async {
            let error = std::num::ParseIntError::clone(&"x".parse::<u8>().unwrap_err());
            db.query("UPDATE orders SET n = 1")
                .code("1062")
                .fail(&error);
            harness.capture_error(&error);
        })
        .await;
    assert_eq!(known(&last_event(&harness)), ["1062", "UPDATE orders"]);
}

#[tokio::test]
async fn a_failed_request_names_its_last_failed_query() {
    let harness = Harness::new();
    let pool = pool(&harness).await;
    let by_code = |status: StatusCode, pool: Pool| {
        get(move || async move {
            let _first = pool.execute("SELECT nothing FROM nowhere").await;
            let _second = pool.execute(INSERT).await;
            let _fine = pool.execute("SELECT 1").await;
            status
        })
    };
    let timeout = |harness: &Harness| {
        let db = harness.db(DbSystem::Postgresql);
        get(move || async move {
            db.query("SELECT 1 FROM a").fail(&fmt::Error);
            StatusCode::SERVICE_UNAVAILABLE
        })
    };
    let app = Router::new()
        .route(
            "/500",
            by_code(StatusCode::INTERNAL_SERVER_ERROR, pool.clone()),
        )
        .route("/409", by_code(StatusCode::CONFLICT, pool.clone()))
        .route("/503", timeout(&harness))
        .route("/fine", get(|| async { StatusCode::BAD_GATEWAY }))
        .layer(harness.layer());
    for (path, expected, error_type) in [
        ("/500", ["1555", "INSERT orders"], None),
        ("/409", ["-", "-"], None),
        ("/503", ["-", "SELECT a"], Some("core::fmt::Error")),
        ("/fine", ["-", "-"], None),
        // The slot of a request with a failed query is used again.
        ("/500", ["1555", "INSERT orders"], None),
        ("/fine", ["-", "-"], None),
    ] {
        send(&app, get_request(path)).await;
        let lines = json_lines(&harness);
        let mut lines = lines.iter();
        let line = lines.rfind(|line| line["http.route"] == path).unwrap();
        assert_eq!(known(line), expected, "{line}");
        assert_eq!(
            line["watchpost.db.error.type"].as_str(),
            error_type,
            "{line}"
        );
    }
}

fn rows(harness: &Harness, text: &str) -> u64 {
    let queries = harness.queries();
    let mut found = queries.iter().filter(|row| &*row.text == text);
    found.next().unwrap_or_else(|| panic!("{text}")).rows
}

#[tokio::test]
async fn statements_record_affected_rows() {
    let harness = Harness::new();
    let pool = pool(&harness).await;
    for (sql, text, expected) in [
        (
            "INSERT INTO orders (mail) VALUES ('a'), ('b'), ('c')",
            "INSERT INTO orders (mail) VALUES (?)",
            3,
        ),
        (
            "UPDATE orders SET mail = 'd'",
            "UPDATE orders SET mail = ?",
            4,
        ),
        // This statement changes nothing, and SQLite repeats the last count.
        (
            "CREATE INDEX mails ON orders (mail)",
            "CREATE INDEX mails ON orders (mail)",
            0,
        ),
        (
            "SELECT id FROM orders WHERE id < 0",
            "SELECT id FROM orders WHERE id < ?",
            0,
        ),
        (
            "UPDATE orders SET id = id + 10 WHERE id < 3 RETURNING id",
            "UPDATE orders SET id = id + ? WHERE id < ? RETURNING id",
            2,
        ),
        (
            "DELETE FROM orders WHERE id > 10",
            "DELETE FROM orders WHERE id > ?",
            2,
        ),
        (
            "DELETE FROM orders WHERE id > 99",
            "DELETE FROM orders WHERE id > ?",
            2,
        ),
        ("SELECT id FROM orders", "SELECT id FROM orders", 2),
    ] {
        pool.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
        assert_eq!(rows(&harness, text), expected, "{sql}");
    }
    let mut transaction = pool.begin().await.unwrap();
    let all = sqlx::query("DELETE FROM orders").execute(&mut transaction);
    assert_eq!(all.await.unwrap().rows_affected(), 2);
    transaction.commit().await.unwrap();
    assert_eq!(rows(&harness, "DELETE FROM orders"), 2);
}

#[tokio::test]
async fn the_any_driver_records_affected_rows() {
    install_default_drivers();
    let harness = Harness::new();
    let options = AnyPoolOptions::new().max_connections(1);
    let pool = options.connect("sqlite::memory:").await.unwrap();
    let pool = harness.db_pool(&pool);
    pool.execute("CREATE TABLE a (n INTEGER)").await.unwrap();
    pool.execute("INSERT INTO a (n) VALUES (1), (2)")
        .await
        .unwrap();
    pool.execute("DELETE FROM a").await.unwrap();
    assert_eq!(rows(&harness, "INSERT INTO a (n) VALUES (?)"), 2);
    assert_eq!(rows(&harness, "DELETE FROM a"), 2);
    assert_eq!(rows(&harness, "CREATE TABLE a (n INTEGER)"), 0);
}
