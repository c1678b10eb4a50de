//! The documents of the routes, against the client's own counts.

use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::{Value, json};

use crate::dashboard_host::{Host, TOKEN, shop};

const ORDERS: u64 = 30;
const BROKEN: u64 = 12;
const MISSING: u64 = 3;
const SLOW: u64 = 3;

fn host() -> Host {
    Host::serve(|builder| builder.access_token(TOKEN), shop)
}

pub(crate) fn read(host: &Host, path: &str) -> (StatusCode, Value) {
    let token = format!("Bearer {TOKEN}");
    let answer = host.get(path, &[("authorization", &token)]);
    (answer.status, answer.json())
}

/// Reads a document until it shows what is expected, taking snapshots meanwhile.
pub(crate) fn read_until(host: &Host, path: &str, is_there: impl Fn(&Value) -> bool) -> Value {
    let patience = Instant::now() + Duration::from_secs(10);
    loop {
        host.harness.snapshot();
        let (status, document) = read(host, path);
        assert_eq!(status, StatusCode::OK, "{document}");
        if is_there(&document) {
            return document;
        }
        assert!(Instant::now() < patience, "{document:#}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn visit(host: &Host) {
    for n in 0..ORDERS {
        host.send("GET", &format!("/orders/{n}"), &[], "");
    }
    for _ in 0..BROKEN {
        host.send("GET", "/broken", &[], "");
    }
    for n in 0..MISSING {
        host.send("POST", &format!("/missing/{n}"), &[], "");
    }
}

#[test]
fn the_list_has_the_requests_of_each_route() {
    let host = host();
    host.harness.snapshot();
    let (_, empty) = read(&host, "data/v1/routes?range=1h");
    assert_eq!((&empty["count"], &empty["routes"]), (&json!(0), &json!([])));
    visit(&host);
    let all = ORDERS + BROKEN + MISSING;
    let list = read_until(&host, "data/v1/routes?range=15m", |list| {
        let rows = list["routes"].as_array().unwrap().iter();
        rows.map(|row| row["count"].as_u64().unwrap()).sum::<u64>() == all
    });
    let rows: Vec<_> = list["routes"].as_array().unwrap().iter().collect();
    let facts: Vec<Value> = rows
        .iter()
        .map(|row| json!([row["method"], row["route"], row["count"], row["errors"]]))
        .collect();
    let expected = [
        json!(["GET", "/orders/{id}", ORDERS, 0]),
        json!(["GET", "/broken", BROKEN, BROKEN]),
        json!(["POST", "_unmatched", MISSING, 0]),
    ];
    assert_eq!(facts, expected);
    assert_eq!(list["count"], 3);
    assert_eq!(rows[1]["error_rate"], 1);
    assert_eq!(rows[1]["error_share"], 1);
    assert_eq!(rows[0]["error_share"], 0);
    assert_eq!(rows[2]["client_errors"], 1);
    let share: f64 = rows
        .iter()
        .map(|row| row["time_share"].as_f64().unwrap())
        .sum();
    assert!((share - 1.0).abs() < 0.01, "{share}");
    for row in &rows {
        assert!(row["rate"].as_f64() > Some(0.0), "{row}");
        assert!(row["p50"].as_f64() <= row["p99"].as_f64(), "{row}");
        assert_eq!(row["before"], Value::Null, "nothing was before");
        let curve = row["p95_curve"].as_array().unwrap();
        assert!(curve.last().unwrap().as_f64() > Some(0.0), "{row}");
    }
}

#[test]
fn a_route_has_its_figures_errors_traces_and_lines_and_those_of_no_other() {
    let host = host();
    host.harness.snapshot();
    visit(&host);
    let path = "data/v1/route?method=GET&route=%2Fbroken&range=15m";
    let route = read_until(&host, path, |route| {
        route["figures"]["count"] == BROKEN
            && route["errors"][0]["count"] == BROKEN
            && !route["traces"].as_array().unwrap().is_empty()
            && !route["logs"].as_array().unwrap().is_empty()
    });
    assert_eq!(
        (&route["route"], &route["method"]),
        (&json!("/broken"), &json!("GET"))
    );
    assert_eq!(route["figures"]["error_rate"], 1);
    let expected = json!([{"status": "500", "outcome": "completed", "count": BROKEN}]);
    assert_eq!(route["statuses"], expected);
    assert_eq!(route["errors"].as_array().unwrap().len(), 1);
    for trace in route["traces"].as_array().unwrap() {
        assert_eq!(
            (&trace["route"], &trace["status"]),
            (&json!("/broken"), &json!(500))
        );
    }
    for line in route["logs"].as_array().unwrap() {
        assert_eq!(line["level"], "error", "{line}");
    }
    let errors = route["answers"]["errors"].as_array().unwrap();
    assert_eq!(errors.len(), route["p95"].as_array().unwrap().len());
    assert!(errors.last().unwrap().as_f64() > Some(0.0));
    assert_eq!(
        route["answers"]["others"].as_array().unwrap().last(),
        Some(&Value::Null)
    );
    assert_eq!(
        (&route["deploy"], &route["before"]),
        (&Value::Null, &Value::Null)
    );
    // Another method of the path, and a path that no route has.
    for query in ["method=POST&route=%2Fbroken", "method=GET&route=%3Cb%3E"] {
        let (status, other) = read(&host, &format!("data/v1/route?{query}&range=15m"));
        assert_eq!(status, StatusCode::OK);
        assert_eq!(other["figures"]["count"], 0);
        assert_eq!(
            (&other["statuses"], &other["traces"]),
            (&json!([]), &json!([]))
        );
    }
}

#[test]
fn what_is_no_range_or_names_no_route_is_refused() {
    let host = host();
    for path in [
        "data/v1/routes",
        "data/v1/routes?range=2h",
        "data/v1/route?range=1h",
        "data/v1/route?range=1h&route=%2Fbroken",
        "data/v1/route?method=GET&route=%2Fbroken",
        "data/v1/route?range=1h&method=GET&route=%zz",
    ] {
        let (status, answer) = read(&host, path);
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(answer["code"], "bad_request");
    }
}

/// Requests that take no time, and some that take half a second.
fn slow_shop(harness: &watchpost::testing::Harness) -> axum::Router {
    use axum::routing::get;
    shop(harness).route(
        "/slow",
        get(|| async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            "late"
        }),
    )
}

#[test]
fn the_cells_of_the_heat_map_have_all_requests() {
    let host = Host::serve(|builder| builder.access_token(TOKEN), slow_shop);
    host.harness.snapshot();
    for _ in 0..SLOW {
        host.send("GET", "/slow", &[], "");
    }
    visit(&host);
    let path = "data/v1/route?method=GET&route=%2Fslow&range=15m";
    let sum = |counts: &Value| -> u64 {
        let counts = counts.as_array().into_iter().flatten();
        counts.map(|count| count.as_u64().unwrap()).sum()
    };
    let all = |route: &Value| -> u64 {
        let columns = route["heat"]["columns"].as_array().unwrap();
        columns.iter().map(sum).sum()
    };
    let route = read_until(&host, path, |route| all(route) == SLOW);
    let heat = &route["heat"];
    let bounds: Vec<f64> = heat["bounds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bound| bound.as_f64().unwrap())
        .collect();
    // All took half a second or more, which is above the lower bound of the lowest row with values.
    assert!(bounds[0] >= 0.39, "{bounds:?}");
    assert!(bounds.is_sorted(), "{bounds:?}");
    let columns = heat["columns"].as_array().unwrap();
    assert!(columns.len() <= 90, "{}", columns.len());
    for counts in columns.iter().filter_map(Value::as_array) {
        assert_eq!(counts[0], 0, "the row below the first bound is empty");
        assert!(counts.len() <= bounds.len() + 1);
    }
    // The other routes are in none of its cells.
    let path = "data/v1/route?method=GET&route=%2Forders%2F%7Bid%7D&range=15m";
    read_until(&host, path, |route| all(route) == ORDERS);
    let path = "data/v1/route?method=GET&route=%2Fnone&range=15m";
    let (_, none) = read(&host, path);
    assert_eq!(none["heat"]["bounds"], json!([]));
    assert_eq!(all(&none), 0);
}
