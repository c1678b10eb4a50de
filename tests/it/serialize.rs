//! Snapshots as JSON, as a host's own pages would show them.

use std::time::Duration;

use axum::Router;
use axum::http::Request;
use axum::routing::get;
use serde_json::{Value, json, to_value};
use watchpost::db::DbSystem;
use watchpost::testing::Harness;
use watchpost::trace::StoredTraceQuery;
use watchpost::{SpanId, TraceId};

use crate::support::send;

/// The keys of an object, in alphabetical order.
fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    keys
}

/// A monitor that has recorded a request with a query, a call and a captured error; the request's trace ID.
async fn after_a_request() -> (Harness, TraceId) {
    let harness = Harness::with(|builder| builder.trace_ratio(1.0));
    let monitor = (*harness).clone();
    let handler = async move || {
        let db = monitor.db(DbSystem::Postgresql).namespace("shop");
        db.query("SELECT * FROM orders WHERE id = 17")
            .run(async {})
            .await;
        let payments = monitor.external("payments");
        payments.call("POST", "/charge").status(503).finish();
        monitor
            .error_capture(&std::io::Error::other("the card was refused"))
            .tag("shop", "s1")
            .extra("attempt", 2)
            .capture();
        "done"
    };
    let app = Router::new()
        .route("/orders/{id}", get(handler))
        .layer(harness.layer());
    let request = Request::get("/orders/17").body(axum::body::Body::empty());
    let response = send(&app, request.unwrap()).await;
    let id = response.headers["x-trace-id"].to_str().unwrap();
    let id = id.parse().unwrap();
    assert!(harness.flush(Duration::from_secs(10)).await);
    (harness, id)
}

#[tokio::test]
async fn a_row_of_queries_has_milliseconds_and_ids_as_text() {
    let (harness, id) = after_a_request().await;
    let row = &to_value(harness.queries()).unwrap()[0];
    assert_eq!(row["system"], "postgresql");
    assert_eq!(row["namespace"], "shop");
    assert_eq!(row["summary"], "SELECT orders");
    assert_eq!(row["calls"], 1);
    assert_eq!(
        row["callers"],
        json!([{"route": "/orders/{id}", "calls": 1}])
    );
    assert_eq!(row["slowest_trace_id"], id.to_string());
    for duration in ["total_ms", "p50_ms", "p95_ms", "p99_ms", "max_ms"] {
        assert!(row[duration].is_f64(), "{duration} in {row}");
    }
}

#[tokio::test]
async fn a_dependency_has_its_state_and_its_last_error() {
    let (harness, _) = after_a_request().await;
    let row = &to_value(harness.dependencies()).unwrap()[0];
    assert_eq!(row["service"], "payments");
    assert_eq!(row["errors"], 1);
    assert_eq!(row["last_error"]["error"], "503");
    assert!(row["last_error"]["age_ms"].is_f64(), "{row}");
    assert!(row["state"].is_string(), "{row}");
}

#[tokio::test]
async fn a_trace_has_times_in_utc_and_attributes_as_an_object() {
    let (harness, id) = after_a_request().await;
    let trace = to_value(harness.recent_trace(id).unwrap()).unwrap();
    assert_eq!(
        keys(&trace),
        ["duration_ms", "kept", "spans", "start", "trace_id"]
    );
    assert_eq!(trace["trace_id"], id.to_string());
    assert_eq!(trace["start"], "2026-01-01T00:00:00.000000Z");
    let spans = trace["spans"].as_array().unwrap();
    let root = spans.iter().find(|span| span["is_root"] == true).unwrap();
    assert_eq!(root["kind"], "server");
    assert_eq!(root["parent_span_id"], SpanId::NIL.to_string());
    assert_eq!(root["attributes"]["http.route"], "/orders/{id}");
    assert_eq!(root["attributes"]["http.response.status_code"], 200);
    let query = spans.iter().find(|span| span["name"] == "SELECT orders");
    assert_eq!(query.unwrap()["parent_span_id"], root["span_id"]);
}

#[tokio::test]
async fn a_stored_trace_has_its_ids_and_milliseconds() {
    let dir = tempfile::tempdir().unwrap();
    let harness = Harness::with(|builder| builder.trace_ratio(1.0).data_dir(dir.path()));
    harness.span("pack").run(async {}).await;
    assert!(harness.flush(Duration::from_secs(10)).await);
    let stored = harness.stored_traces(&StoredTraceQuery::default()).await;
    let stored = to_value(stored.unwrap()).unwrap();
    assert_eq!(keys(&stored), ["next", "stored_since", "traces"]);
    let trace = &stored["traces"][0];
    assert_eq!(
        (&trace["name"], &trace["kept"]),
        (&json!("pack"), &json!("head"))
    );
    assert_eq!(trace["trace_id"].as_str().unwrap().len(), 32);
    assert_eq!(
        (&trace["duration_ms"], &trace["status_code"]),
        (&json!(0.0), &Value::Null)
    );
    assert_eq!(trace["start"], stored["stored_since"]);
}

#[tokio::test]
async fn an_error_group_has_its_sample() {
    let (harness, id) = after_a_request().await;
    let group = &to_value(harness.error_groups()).unwrap()[0];
    assert_eq!(group["count"], 1);
    assert_eq!(group["first_seen"], "2026-01-01T00:00:00.000000Z");
    let sample = &group["sample"];
    assert_eq!(sample["id"], group["last_event"]);
    assert_eq!(sample["trace_id"], id.to_string());
    assert_eq!(sample["level"], "error");
    assert_eq!(sample["kind"], "error");
    assert_eq!(sample["tags"], json!({"shop": "s1"}));
    assert_eq!(sample["extra"], json!({"attempt": 2}));
    assert_eq!(sample["causes"][0]["message"], "the card was refused");
}

#[tokio::test]
async fn a_report_counts_records_by_kind_and_reason() {
    let (harness, _) = after_a_request().await;
    let report = to_value(harness.shutdown(Duration::from_secs(10)).await).unwrap();
    assert_eq!(report["complete"], true);
    assert_eq!(report["unstored"], serde_json::json!([]));
    let request = &report["records"][0];
    assert_eq!(
        *request,
        json!({"kind": "request", "emitted": 1, "delivered": 1, "spooled": 0, "dropped": {}})
    );
}

#[tokio::test]
async fn a_request_in_flight_is_listed() {
    let harness = Harness::new();
    let monitor = (*harness).clone();
    let app = Router::new()
        .route(
            "/self",
            get(async move || serde_json::to_string(&monitor.in_flight()).unwrap()),
        )
        .layer(harness.layer());
    let request = Request::get("/self").body(axum::body::Body::empty());
    let response = send(&app, request.unwrap()).await;
    let list: Value = serde_json::from_str(&response.body).unwrap();
    assert_eq!(
        keys(&list[0]),
        ["polled_for_ms", "route", "running_for_ms", "trace_id"]
    );
    assert_eq!(list[0]["route"], "/self");
}

#[test]
fn the_system_has_bytes_shares_and_milliseconds() {
    let figures = to_value(Harness::new().system()).unwrap();
    assert_eq!(
        keys(&figures),
        [
            "at",
            "available_cpus",
            "cgroup",
            "cpu_utilization",
            "disk",
            "host_cpu_utilization",
            "host_cpus",
            "max_files",
            "memory_limit",
            "memory_usage",
            "memory_utilization",
            "network",
            "open_files",
            "rate_interval_ms",
            "resident_memory",
            "restarts",
            "threads",
            "uptime_ms",
        ]
    );
    assert_eq!(figures["at"], "2026-01-01T00:00:00.000000Z");
    // What is not known is `null`.
    assert_eq!(figures["cpu_utilization"], Value::Null);
    assert_eq!(figures["disk"], Value::Null);
    assert!(figures["network"].is_array() && figures["cgroup"].is_object());
}

#[cfg(feature = "history")]
#[test]
fn an_anomaly_has_its_times_as_text_and_its_labels_as_a_map() {
    let harness = Harness::new();
    let temperature = harness.metrics().gauge("room.temperature").build();
    let room = temperature.with([("room", "a")]);
    room.watch();
    for n in 0..101 {
        let usual = f64::from(20 + n % 3);
        room.set(if n < 100 { usual } else { 5_000.0 });
        harness.advance(Duration::from_secs(10));
        harness.snapshot();
    }
    let anomaly = &to_value(harness.anomalies()).unwrap()[0];
    assert_eq!(anomaly["labels"], json!({"room": "a"}));
    assert_eq!(
        (&anomaly["state"], &anomaly["kind"]),
        (&json!("began"), &json!("spike"))
    );
    assert_eq!(
        (&anomaly["figure"], &anomaly["until"]),
        (&json!("value"), &Value::Null)
    );
    assert_eq!(anomaly["since"], "2026-01-01T00:16:50.000000Z");
    let episode = &to_value(harness.episodes()).unwrap()[0];
    assert_eq!(episode["members"][0], *anomaly);
    let series = to_value(harness.watched_series()).unwrap();
    let series = series.as_array().unwrap();
    let room = series.iter().find(|it| it["metric"] == "room_temperature");
    assert_eq!(room.unwrap()["anomalous"], true);
}
