//! Queries: their spans, series and table, and the totals of their requests.

use std::convert::Infallible;
use std::io;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use futures_util::FutureExt;
use watchpost::db::{Database, DbSystem, QueryStats};
use watchpost::testing::Harness;
use watchpost::trace::{AttributeValue as Value, KeptTrace, Span, SpanKind, SpanStatus};

use crate::support::{attribute, get_request, kept_trace, send};

const MS: Duration = Duration::from_millis(1);
const SECRET: &str = "ada@example.org";

fn harness() -> Harness {
    Harness::with(|builder| builder.trace_ratio(1.0).max_traces_per_second(100_000))
}

fn shop(harness: &Harness) -> Database {
    harness
        .db(DbSystem::Postgresql)
        .namespace("shop")
        .server("db.internal", 5432)
        .pool("main")
}

fn named<'a>(trace: &'a KeptTrace, name: &str) -> &'a Span {
    let mut spans = trace.spans.iter();
    spans.find(|span| span.name == name).expect(name)
}

fn text(span: &Span, key: &str) -> String {
    match attribute(span, key) {
        Some(Value::Str(text)) => text.clone(),
        other => panic!("{key} is {other:?}"),
    }
}

/// The row with this summary.
/// The routes that ran the query, with their calls.
fn callers(row: &QueryStats) -> Vec<(&str, u64)> {
    let callers = row.callers.iter();
    callers
        .map(|caller| (&*caller.route, caller.calls))
        .collect()
}

fn row(harness: &Harness, summary: &str) -> QueryStats {
    let rows = harness.queries();
    let mut rows = rows.into_iter();
    rows.find(|row| &*row.summary == summary).expect(summary)
}

#[tokio::test]
async fn a_query_has_a_span_a_series_and_a_row() {
    let harness = harness();
    let db = shop(&harness);
    let app = Router::new()
        .route(
            "/orders/{id}",
            get(move || async move {
                let sql =
                    format!("SELECT * FROM orders WHERE mail = '{SECRET}' AND id IN (1, 2, 3)");
                let query = db.query(&sql);
                query.rows(2).finish();
                "found"
            }),
        )
        .layer(harness.layer());
    let id = send(&app, get_request("/orders/7")).await.trace_id();
    let trace = kept_trace(&harness, id).await;
    let span = named(&trace, "SELECT orders");
    let root = named(&trace, "GET /orders/{id}");
    assert_eq!(span.parent_span_id, root.span_id);
    assert_eq!(
        (span.kind, span.status),
        (SpanKind::Client, SpanStatus::Unset)
    );
    for (key, value) in [
        ("db.system.name", "postgresql"),
        ("db.namespace", "shop"),
        ("db.query.summary", "SELECT orders"),
        (
            "db.query.text",
            "SELECT * FROM orders WHERE mail = ? AND id IN (?)",
        ),
        ("server.address", "db.internal"),
        ("db.client.connection.pool.name", "main"),
    ] {
        assert_eq!(text(span, key), value);
    }
    // A text may contain several operations on several tables, so the conventions forbid deriving these from it.
    for key in ["db.operation.name", "db.collection.name"] {
        assert_eq!(attribute(span, key), None);
    }
    assert_eq!(attribute(span, "server.port"), Some(&Value::I64(5432)));
    assert_eq!(
        attribute(span, "db.response.returned_rows"),
        Some(&Value::I64(2))
    );
    assert_eq!(
        attribute(root, "watchpost.db.queries"),
        Some(&Value::I64(1))
    );
    assert_eq!(attribute(root, "watchpost.db.n_plus_one"), None);

    let row = row(&harness, "SELECT orders");
    assert_eq!(
        (row.calls, row.errors, row.cancelled, row.rows),
        (1, 0, 0, 2)
    );
    assert_eq!(callers(&row), [("/orders/{id}", 1)]);
    assert_eq!(row.slowest_trace_id, id);
    let page = harness.page();
    let series = [
        ("db_system_name", "postgresql"),
        ("db_namespace", "shop"),
        ("db_query_summary", "SELECT orders"),
        ("server_port", "5432"),
        ("watchpost_outcome", "completed"),
    ];
    let counted = |name, labels: &[(&str, &str)]| page.sum(name, labels);
    assert_eq!(
        counted("db_client_operation_duration_seconds_count", &series),
        1.0
    );
    let route = [("http_route", "/orders/{id}")];
    assert_eq!(counted("watchpost_request_db_queries_total", &route), 1.0);
    assert_eq!(counted("watchpost_request_n_plus_one_total", &route), 0.0);
    let line = &harness.lines()[0];
    assert!(line.contains(r#""watchpost.db.queries":1"#), "{line}");
    assert!(!harness.written().contains(SECRET));
    assert!(!harness.metrics().render().contains(SECRET));
}

#[tokio::test]
async fn every_end_of_a_query_has_its_own_outcome() {
    let harness = harness();
    let db = shop(&harness);
    let done: Result<u8, Infallible> = db.query("SELECT a").try_run(async { Ok(1) }).await;
    assert_eq!(done, Ok(1));
    let refused = || io::Error::other(format!("duplicate key {SECRET}"));
    let failed: Result<(), _> = db.query("SELECT b").try_run(async { Err(refused()) }).await;
    assert!(failed.is_err());
    let coded: Result<(), _> = db
        .query("SELECT c")
        .try_run_with(async { Err(refused()) }, |_| Some("23505".to_owned()))
        .await;
    assert!(coded.is_err());
    // If the closure panics, only the code is missing.
    let clumsy =
        |_: &io::Error| -> Option<String> { std::panic::resume_unwind(Box::new("planned")) };
    let failed: Result<(), _> = db
        .query("SELECT c")
        .try_run_with(async { Err(refused()) }, clumsy)
        .await;
    assert!(failed.is_err());
    let gave_up = db.query("SELECT d").run(std::future::pending::<()>());
    assert!(tokio::time::timeout(MS, gave_up).await.is_err());
    let panics = db
        .query("SELECT e")
        .run(async { std::panic::resume_unwind(Box::new("planned")) });
    assert!(AssertUnwindSafe(panics).catch_unwind().await.is_err());
    assert!(
        db.query("SELECT f")
            .try_in_scope(|| Err::<(), _>(refused()))
            .is_err()
    );
    assert_eq!(db.query("SELECT g").batch(3).in_scope(|| 5), 5);
    db.query("SELECT h").code("40001").fail("no text is kept");
    drop(db.query("SELECT i"));

    let page = harness.page();
    let calls = |outcome, error: &str| {
        let labels = [("watchpost_outcome", outcome), ("error_type", error)];
        let labels = if error.is_empty() {
            &labels[..1]
        } else {
            &labels[..]
        };
        page.sum("db_client_operation_duration_seconds_count", labels)
    };
    assert_eq!((calls("completed", ""), calls("failed", "")), (2.0, 5.0));
    assert_eq!((calls("cancelled", ""), calls("panicked", "")), (2.0, 1.0));
    assert_eq!(calls("failed", "23505"), 1.0);
    assert_eq!(calls("failed", "40001"), 1.0);
    assert_eq!(calls("failed", "std::io::error::Error"), 3.0);

    assert!(harness.flush(Duration::from_secs(10)).await);
    let traces = harness.recent_traces();
    assert_eq!(
        traces.len(),
        10,
        "a query outside a request is a trace of its own"
    );
    let spans: Vec<_> = traces.iter().flat_map(|trace| &trace.spans).collect();
    for span in &spans {
        let shown = format!("{span:?}");
        assert!(
            !shown.contains(SECRET) && !shown.contains("no text is kept"),
            "{shown}"
        );
    }
    let of = |code: &str| {
        let mut spans = spans.iter();
        let found = spans.find(|span| {
            matches!(attribute(span, "error.type"), Some(Value::Str(text)) if &**text == code)
        });
        *found.expect(code)
    };
    let coded = of("23505");
    assert_eq!(coded.status, SpanStatus::Error);
    assert_eq!(text(coded, "db.response.status_code"), "23505");
    assert_eq!(of("panicked").status, SpanStatus::Error);
    let outcomes = spans.iter().filter(|span| {
        matches!(attribute(span, "watchpost.outcome"), Some(Value::Str(text)) if &**text == "cancelled")
    });
    assert_eq!(outcomes.count(), 2);
    let batches = spans
        .iter()
        .filter(|span| attribute(span, "db.operation.batch.size").is_some());
    assert_eq!(batches.count(), 1);
}

#[tokio::test]
async fn a_text_is_not_accepted_as_error_code() {
    let harness = harness();
    let db = shop(&harness);
    let codes = ["ORA-00001", "57P01", "mysql:1062", "SQLITE_BUSY"];
    let texts = [
        "",
        "duplicate key",
        "42\n",
        "(1062)",
        "mail=a@b",
        "d\u{e9}j\u{e0}",
    ];
    for code in codes.into_iter().chain(texts) {
        db.query("SELECT a").code(code).fail("no text is kept");
    }
    let page = harness.page();
    let name = "db_client_operation_duration_seconds_count";
    for code in codes {
        let labels = [("db_response_status_code", code), ("error_type", code)];
        assert_eq!(page.sum(name, &labels), 1.0, "{code}");
    }
    assert_eq!(page.sum(name, &[("error_type", "str")]), texts.len() as f64);
}

#[tokio::test]
async fn a_loop_of_queries_is_detected() {
    let harness = std::sync::Arc::new(harness());
    let (db, of) = (shop(&harness), std::sync::Arc::clone(&harness));
    let app = Router::new()
        .route(
            "/loop",
            get(move || async move {
                let timed = |sql: String, time: Duration| {
                    let query = db.query(sql);
                    of.advance(time);
                    query.finish();
                };
                timed("SELECT * FROM posts".to_owned(), 5 * MS);
                for id in 0..6 {
                    timed(format!("SELECT * FROM comments WHERE post = {id}"), 10 * MS);
                }
                // Queries on another task of the request are counted as well.
                let db = db.clone();
                let task = watchpost::spawn(async move { db.query("SELECT 1").finish() });
                task.await.unwrap();
                "done"
            }),
        )
        .route("/none", get(|| async { "nothing" }))
        .layer(harness.layer());
    let id = send(&app, get_request("/loop")).await.trace_id();
    let without = send(&app, get_request("/none")).await.trace_id();
    let trace = kept_trace(&harness, id).await;
    let root = named(&trace, "GET /loop");
    assert_eq!(
        attribute(root, "watchpost.db.queries"),
        Some(&Value::I64(8))
    );
    assert_eq!(
        attribute(root, "watchpost.db.duplicates"),
        Some(&Value::I64(5))
    );
    assert_eq!(
        attribute(root, "watchpost.db.duration_ms"),
        Some(&Value::F64(65.0))
    );
    assert_eq!(text(root, "watchpost.db.n_plus_one"), "SELECT comments");
    let other = kept_trace(&harness, without).await;
    assert_eq!(
        attribute(named(&other, "GET /none"), "watchpost.db.queries"),
        None
    );
    let page = harness.page();
    let of = |name| page.sum(name, &[("http_route", "/loop")]);
    assert_eq!(of("watchpost_request_db_queries_total"), 8.0);
    assert_eq!(of("watchpost_request_db_duplicates_total"), 5.0);
    assert_eq!(of("watchpost_request_n_plus_one_total"), 1.0);
    let seconds = of("watchpost_request_db_duration_seconds_sum");
    assert!((seconds - 0.065).abs() < 1e-9, "{seconds}");
    let row = row(&harness, "SELECT comments");
    assert_eq!((row.calls, row.total), (6, 60 * MS));
    for time in [row.p50, row.p95, row.p99, row.max] {
        let off = time.as_secs_f64() / 0.010 - 1.0;
        assert!(off.abs() < 0.012, "{time:?}");
    }
    let lines = harness.lines();
    let line = lines
        .iter()
        .find(|line| line.contains(r#""/loop""#))
        .unwrap();
    // Every duration of a log record has one unit, which its name says.
    let record: serde_json::Value = serde_json::from_str(line).unwrap();
    let of_record = |key: &str| record[key].as_f64();
    assert_eq!(of_record("watchpost.db.duration_ms"), Some(65.0), "{line}");
    assert!(of_record("duration_ms") >= Some(65.0), "{line}");
    for key in record.as_object().unwrap().keys() {
        let is_duration = ["duration", "elapsed", "seconds", "time_to"];
        let is_duration = is_duration.iter().any(|word| key.contains(word));
        assert!(!is_duration || key.ends_with("_ms"), "{key}");
    }
    assert!(
        line.contains(r#""watchpost.db.n_plus_one":"SELECT comments""#),
        "{line}"
    );
}

#[tokio::test]
async fn without_traces_queries_are_counted() {
    let harness = Harness::with(|builder| builder.record_spans(false));
    let db = shop(&harness);
    let app = Router::new()
        .route(
            "/",
            get(move || async move { db.query("SELECT 1").in_scope(|| "one") }),
        )
        .layer(harness.layer());
    send(&app, get_request("/")).await;
    let row = &harness.queries()[0];
    assert_eq!((row.calls, callers(row)), (1, vec![("/", 1)]));
    let line = &harness.lines()[0];
    assert!(line.contains(r#""watchpost.db.queries":1"#), "{line}");
    let query = shop(&harness).query("SELECT a");
    let panics = || -> () { std::panic::resume_unwind(Box::new("planned")) };
    let caught = std::panic::catch_unwind(AssertUnwindSafe(|| query.in_scope(panics)));
    assert!(caught.is_err());
    assert_eq!(
        harness.queries().iter().map(|row| row.errors).sum::<u64>(),
        1
    );
}

#[tokio::test]
async fn a_key_value_store_records_only_the_command() {
    let harness = harness();
    let redis = harness.db(DbSystem::Redis).server("cache", 6379);
    redis.query(format!("set user:{SECRET} hunter2")).finish();
    redis.query("GET user:1").finish();
    redis.query("get user:2").finish();
    redis.query("").finish();
    let rows = harness.queries();
    let mut operations: Vec<_> = rows
        .iter()
        .map(|row| (&*row.summary, &*row.text, row.calls))
        .collect();
    operations.sort_unstable();
    assert_eq!(operations, [("", "", 1), ("GET", "", 2), ("set", "", 1)]);
    assert!(!harness.metrics().render().contains(SECRET));
}

#[tokio::test]
async fn operation_and_collection_can_be_set_explicitly() {
    let harness = harness();
    let db = harness.db(DbSystem::Mongodb).namespace("shop");
    let app = Router::new()
        .route(
            "/",
            get(move || async move {
                db.operation("findAndModify", "orders").finish();
                db.operation("findAndModify", "orders").finish();
                db.operation("ping", "").finish();
                "done"
            }),
        )
        .layer(harness.layer());
    let id = send(&app, get_request("/")).await.trace_id();
    let trace = kept_trace(&harness, id).await;
    let span = named(&trace, "findAndModify orders");
    for (key, value) in [
        ("db.operation.name", "findAndModify"),
        ("db.collection.name", "orders"),
        ("db.query.summary", "findAndModify orders"),
    ] {
        assert_eq!(text(span, key), value);
    }
    let ping = named(&trace, "ping");
    assert_eq!(text(ping, "db.operation.name"), "ping");
    assert_eq!(attribute(ping, "db.collection.name"), None);
    assert_eq!(row(&harness, "findAndModify orders").calls, 2);
    let series = [
        ("db_operation_name", "findAndModify"),
        ("db_collection_name", "orders"),
    ];
    let count = "db_client_operation_duration_seconds_count";
    assert_eq!(harness.page().sum(count, &series), 2.0);
}

#[tokio::test]
async fn a_span_without_a_summary_is_named_after_its_database() {
    let harness = harness();
    let system = harness.db(DbSystem::OtherSql);
    let server = system.clone().server("db.internal", 9000);
    let shop = server.clone().namespace("shop");
    let all = [system, server, shop];
    let app = Router::new()
        .route(
            "/",
            get(move || async move {
                for db in &all {
                    db.query("RECOVER x").finish();
                }
                "done"
            }),
        )
        .layer(harness.layer());
    let id = send(&app, get_request("/")).await.trace_id();
    let trace = kept_trace(&harness, id).await;
    for name in ["other_sql", "db.internal:9000", "shop"] {
        assert_eq!(attribute(named(&trace, name), "db.query.summary"), None);
    }
}

/// Statements about users and keys in each dialect, with a secret that is no literal in the grammar.
const UNQUOTED: &[(DbSystem, &str)] = {
    use DbSystem::{
        Clickhouse, Cockroachdb, Mariadb, MicrosoftSqlServer, Mysql, OracleDb, OtherSql,
        Postgresql, Redis, Sqlite,
    };
    &[
        (OracleDb, "CREATE USER mallory IDENTIFIED BY hush17zq"),
        (
            OracleDb,
            "ALTER USER mallory IDENTIFIED BY \"hush17zq\" REPLACE hush17zq",
        ),
        (
            OracleDb,
            "GRANT CONNECT TO mallory IDENTIFIED BY hush17zq#$x",
        ),
        (
            OracleDb,
            "CREATE DATABASE LINK l CONNECT TO mallory IDENTIFIED BY hush17zq",
        ),
        (Cockroachdb, "ALTER ROLE mallory WITH PASSWORD hush17zq"),
        (Postgresql, "SET app.api_token = hush17zq"),
        (
            Postgresql,
            "COPY t FROM 's3://b' ACCESS_KEY_ID hush17zq SECRET_ACCESS_KEY hush17zq",
        ),
        (
            Mysql,
            "CREATE USER mallory IDENTIFIED WITH plugin AS *HUSH17ZQ",
        ),
        (Mysql, "SET PASSWORD FOR mallory = hush17zq"),
        (
            Mariadb,
            "ALTER USER mallory IDENTIFIED VIA ed25519 USING PASSWORD(hush17zq)",
        ),
        (MicrosoftSqlServer, "EXEC sp_addlogin mallory, hush17zq"),
        (
            MicrosoftSqlServer,
            "CREATE LOGIN mallory WITH PASSWORD = hush17zq, CHECK_POLICY = ON",
        ),
        (Sqlite, "PRAGMA key = \"hush17zq\""),
        (Sqlite, "ATTACH DATABASE 'x' AS y KEY \"hush17zq\""),
        (
            Clickhouse,
            "CREATE USER mallory IDENTIFIED WITH sha256_hash BY \"hush17zq\" SALT hush17zq",
        ),
        (OtherSql, "CREATE USER mallory PASSWORD hush17zq"),
        (OtherSql, "CONNECT mallory/hush17zq@db"),
        (
            OtherSql,
            "CREATE STAGE s CREDENTIALS = (AWS_SECRET_KEY = hush17zq)",
        ),
        (Redis, "AUTH mallory hush17zq"),
        (Redis, "ACL SETUSER mallory >hush17zq"),
    ]
};

#[tokio::test]
async fn no_unquoted_secret_is_kept_and_no_user_labels_a_series() {
    let harness = harness();
    for (system, sql) in UNQUOTED {
        harness.db(*system).query(sql).finish();
    }
    let rows = harness.queries();
    assert_eq!(
        rows.iter().map(|row| row.calls).sum::<u64>(),
        UNQUOTED.len() as u64
    );
    for row in rows {
        let shown = format!("{row:?}").to_lowercase();
        assert!(!shown.contains("hush17zq"), "{shown}");
    }
    let page = harness.metrics().render().to_lowercase();
    assert!(page.contains("create user"));
    assert!(!page.contains("hush17zq") && !page.contains("mallory"));
}

#[tokio::test]
async fn databases_and_statements_are_bounded() {
    let harness = harness();
    for tenant in 0..1000 {
        let db = harness
            .db(DbSystem::Postgresql)
            .namespace(format!("tenant {tenant}"));
        db.query(format!("SELECT * FROM t{tenant}")).finish();
    }
    let db = shop(&harness);
    for n in 0..3000 {
        db.query(format!("SELECT c{n} FROM things")).finish();
    }
    let rows = harness.queries();
    assert!(rows.len() < 1100, "{}", rows.len());
    let calls: u64 = rows.iter().map(|row| row.calls).sum();
    assert_eq!(calls, 4000);
    let names: std::collections::BTreeSet<_> = rows
        .iter()
        .filter_map(|row| row.namespace.clone())
        .collect();
    assert!(names.len() <= 64, "{}", names.len());
    assert!(rows.iter().any(|row| &*row.summary == "_other"));
}

#[test]
fn sixty_databases_are_distinguished_by_all_their_names() {
    let harness = harness();
    let named = |n: u16| {
        let db = harness.db(DbSystem::Mysql).namespace(format!("shop {n}"));
        db.server(format!("host{n}"), n).pool(format!("pool {n}"))
    };
    let all: Vec<_> = (0..60).map(named).collect();
    for db in &all {
        db.query("SELECT 1").finish();
    }
    let rows = harness.queries();
    let names: std::collections::BTreeSet<_> = rows.iter().map(|row| &row.namespace).collect();
    assert_eq!((rows.len(), names.len()), (60, 60));
}

#[test]
fn two_monitors_are_independent() {
    let (one, two) = (harness(), harness());
    for (monitor, times) in [(&one, 2), (&two, 3)] {
        for _ in 0..times {
            shop(monitor).query("SELECT 1").finish();
        }
    }
    assert_eq!((one.queries()[0].calls, two.queries()[0].calls), (2, 3));
}

#[test]
fn many_statements_in_two_databases_have_their_own_rows() {
    let harness = harness();
    let databases = ["shop", "archive"].map(|name| shop(&harness).namespace(name));
    let texts: Vec<_> = (0..450)
        .map(|n| format!("SELECT name FROM table_{n}"))
        .collect();
    for round in 0..3 {
        for (database, text) in databases
            .iter()
            .flat_map(|it| texts.iter().map(move |text| (it, text)))
        {
            // Once with the same text at another address.
            let copy = text.clone();
            let text = if round == 1 { &copy } else { text };
            database.query(text).finish();
        }
    }
    let queries = harness.queries();
    assert_eq!(queries.len(), 900);
    assert!(queries.iter().all(|row| row.calls == 3));
}
