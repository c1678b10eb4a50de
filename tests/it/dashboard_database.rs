//! The documents of the database, against the client's own counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http::StatusCode;
use serde_json::{Value, json};
use watchpost::db::{ConnectionPool, DbSystem, PoolState};
use watchpost::testing::Harness;
use watchpost::{Access, Monitor};

use crate::dashboard_host::{Host, TOKEN};
use crate::dashboard_routes::{read, read_until};

const ORDERS: u64 = 20;
const WRONG: u64 = 7;
const LOOPS: u64 = 3;
const COMMENTS: u64 = 6;
const HOSTILE: &str = "<img src=x onerror=alert(1)>";

/// A pool whose numbers the test sets.
#[derive(Default)]
struct Connections {
    used: AtomicU64,
}

impl ConnectionPool for Connections {
    fn state(&self) -> Option<PoolState> {
        let used = self.used.load(Relaxed);
        Some(PoolState::new(used, 10 - used).max(10).pending(2))
    }
}

/// Queries by hand, as a driver without an adapter runs them.
fn shop(harness: &Harness) -> Router {
    let monitor = Monitor::clone(harness);
    let db = || monitor.db(DbSystem::Postgresql).namespace("shop");
    let (one, wrong, many, strange) = (db(), db(), db(), db());
    Router::new()
        .route(
            "/orders/{id}",
            get(move || async move {
                one.query("SELECT * FROM orders WHERE id = 17")
                    .rows(2)
                    .finish();
                "an order"
            }),
        )
        .route(
            "/wrong",
            get(move || async move {
                let error = std::io::Error::other("no such column");
                wrong.query("UPDATE carts SET size = 3").fail(&error);
                StatusCode::INTERNAL_SERVER_ERROR
            }),
        )
        .route(
            "/loop",
            get(move || async move {
                many.query("SELECT * FROM posts").rows(6).finish();
                for _ in 0..COMMENTS {
                    let query = many.query("SELECT * FROM comments WHERE post_id = 4");
                    tokio::time::sleep(Duration::from_millis(12)).await;
                    query.rows(1).finish();
                }
                "posts"
            }),
        )
        .route(
            "/strange",
            get(move || async move {
                let text = format!("SELECT * FROM \"{HOSTILE}\"");
                strange.query(&text).finish();
                "strange"
            }),
        )
        .merge(harness.dashboard(Access::from_settings()))
}

fn host() -> Host {
    let host = Host::serve(
        |builder| {
            builder
                .access_token(TOKEN)
                .trace_ratio(1.0)
                .max_traces_per_second(1000)
        },
        shop,
    );
    host.harness.snapshot();
    host
}

fn visit(host: &Host) {
    let times = |count: u64, path: &str| {
        for _ in 0..count {
            host.send("GET", path, &[], "");
        }
    };
    times(ORDERS, "/orders/1");
    times(WRONG, "/wrong");
    times(LOOPS, "/loop");
    times(1, "/strange");
}

fn row<'a>(list: &'a Value, summary: &str) -> &'a Value {
    let mut rows = list["statements"].as_array().unwrap().iter();
    let found = rows.find(|row| row["summary"] == summary);
    found.unwrap_or_else(|| panic!("{summary} in {list:#}"))
}

const ALL: u64 = ORDERS + WRONG + LOOPS * (1 + COMMENTS) + 1;

#[test]
fn statements_have_the_counts_errors_rows_and_callers_of_the_client() {
    let host = host();
    let (_, empty) = read(&host, "data/v1/statements?range=1h");
    assert_eq!(
        (&empty["count"], &empty["statements"], &empty["loops"]),
        (&json!(0), &json!([]), &json!([]))
    );
    visit(&host);
    let list = read_until(&host, "data/v1/statements?range=15m", |list| {
        let rows = list["statements"].as_array().unwrap().iter();
        let all: u64 = rows.map(|row| row["count"].as_u64().unwrap()).sum();
        all == ALL && list["loops"][0]["count"] == LOOPS && !list["loops"][0]["trace_id"].is_null()
    });
    assert_eq!(list["count"], 5);
    let facts = |summary| {
        let row = row(&list, summary);
        json!([
            row["count"],
            row["errors"],
            row["rows_since_start"],
            row["callers"],
            row["in_loop"]
        ])
    };
    let caller =
        |route: &str, calls: u64| json!([{"route": route, "method": "GET", "calls": calls}]);
    assert_eq!(
        facts("SELECT orders"),
        json!([ORDERS, 0, 2 * ORDERS, caller("/orders/{id}", ORDERS), false])
    );
    assert_eq!(
        facts("UPDATE carts"),
        json!([WRONG, WRONG, 0, caller("/wrong", WRONG), false])
    );
    let comments = LOOPS * COMMENTS;
    assert_eq!(
        facts("SELECT comments"),
        json!([comments, 0, comments, caller("/loop", comments), true])
    );
    // The loop slept in its queries, so it has most time, and is first.
    assert_eq!(list["statements"][0]["summary"], "SELECT comments");
    let first = &list["statements"][0];
    assert!(first["mean"].as_f64() >= Some(0.011), "{first}");
    assert!(first["p95"].as_f64() >= Some(0.011), "{first}");
    let share: f64 = list["statements"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["time_share"].as_f64().unwrap())
        .sum();
    assert!((share - 1.0).abs() < 0.01, "{share}");
    assert_eq!(list["loops"].as_array().unwrap().len(), 1);
    let found = &list["loops"][0];
    assert_eq!(
        json!([
            found["route"],
            found["method"],
            found["requests"],
            found["queries_per_request"],
            found["summary"]
        ]),
        json!(["/loop", "GET", LOOPS, 1 + COMMENTS, "SELECT comments"])
    );
}

#[test]
fn a_statement_has_its_text_curves_callers_and_traces() {
    let host = host();
    visit(&host);
    let path =
        "data/v1/statement?system=postgresql&namespace=shop&summary=SELECT%20comments&range=15m";
    let comments = LOOPS * COMMENTS;
    let found = read_until(&host, path, |found| {
        found["figures"]["count"] == comments
            && found["traces"].as_array().unwrap().len() as u64 == LOOPS
    });
    assert_eq!(found["texts"].as_array().unwrap().len(), 1);
    let text = &found["texts"][0];
    assert_eq!(text["text"], "SELECT * FROM comments WHERE post_id = ?");
    assert_eq!(
        (&text["calls"], &text["rows"]),
        (&json!(comments), &json!(comments))
    );
    assert!(!text["slowest_trace_id"].is_null(), "{text}");
    for trace in found["traces"].as_array().unwrap() {
        assert_eq!(trace["route"], "/loop", "{trace}");
    }
    assert_eq!(found["callers"][0]["route"], "/loop");
    let others = found["ends"]["others"].as_array().unwrap();
    assert_eq!(others.len(), found["p95"].as_array().unwrap().len());
    assert!(others.last().unwrap().as_f64() > Some(0.0));
    assert_eq!(found["before"], Value::Null);
    // Another database, and a statement that there is not.
    for query in [
        "system=postgresql&namespace=other&summary=SELECT%20comments",
        "system=mysql&namespace=shop&summary=SELECT%20comments",
        "system=postgresql&summary=%3Cb%3E",
    ] {
        let (status, other) = read(&host, &format!("data/v1/statement?{query}&range=15m"));
        assert_eq!(status, StatusCode::OK);
        assert_eq!(
            (
                &other["figures"]["count"],
                &other["texts"],
                &other["traces"]
            ),
            (&json!(0), &json!([]), &json!([]))
        );
    }
    for query in [
        "range=1h",
        "range=1h&system=postgresql",
        "system=a&summary=b",
    ] {
        let (status, _) = read(&host, &format!("data/v1/statement?{query}"));
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
    }
}

#[test]
fn text_from_outside_is_a_value_of_the_document() {
    let host = host();
    visit(&host);
    let list = read_until(&host, "data/v1/statements?range=15m", |list| {
        list["count"] == 5
    });
    let hostile = row(&list, &format!("SELECT \"{HOSTILE}\""));
    assert_eq!(hostile["count"], 1, "{hostile}");
}

#[test]
fn pools_have_their_states_waits_and_timeouts() {
    let host = host();
    let (_, empty) = read(&host, "data/v1/pools?range=1h");
    assert_eq!((&empty["count"], &empty["pools"]), (&json!(0), &json!([])));
    let pool = Arc::new(Connections::default());
    let watch = host.harness.watch_pool("main", &pool);
    pool.used.store(9, Relaxed);
    host.harness.snapshot();
    pool.used.store(4, Relaxed);
    let acquire = async {
        for _ in 0..5 {
            let got = watch.acquire(async { Ok::<_, std::io::Error>(()) }).await;
            got.unwrap();
        }
        let late = std::io::Error::new(std::io::ErrorKind::TimedOut, "no connection");
        watch
            .acquire(async { Err::<(), _>(late) })
            .await
            .unwrap_err();
    };
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(acquire);
    let found = read_until(&host, "data/v1/pools?range=15m", |found| {
        let pool = &found["pools"][0];
        pool["acquired"] == 5 && pool["timeouts"] == 1 && pool["used"] == 4
    });
    let facts = &found["pools"][0];
    assert_eq!(
        json!([
            facts["name"],
            facts["idle"],
            facts["max"],
            facts["most_used"],
            facts["waiting"],
            facts["is_other"]
        ]),
        json!(["main", 6, 10, 9, 2, false])
    );
    assert!(facts["wait_p95"].as_f64().is_some(), "{facts}");
    let curve = facts["used_curve"].as_array().unwrap();
    let most = curve.iter().filter_map(Value::as_f64).fold(0.0, f64::max);
    assert!((most - 9.0).abs() < 1e-9, "{curve:?}");
}

#[test]
fn the_documents_are_for_viewers_alone() {
    let host = host();
    for path in ["statements", "statement", "pools", "calls"] {
        let answer = host.get(&format!("data/v1/{path}?range=1h"), &[]);
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
        let (status, _) = read(&host, &format!("data/v1/{path}?range=2h"));
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}");
    }
}
