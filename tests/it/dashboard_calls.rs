//! The document of outgoing calls, against the client's own counts.

use axum::Router;
use axum::routing::get;
use serde_json::{Value, json};
use watchpost::testing::Harness;
use watchpost::{Access, Monitor};

use crate::dashboard_host::{Host, TOKEN};
use crate::dashboard_routes::{read, read_until};

const PAID: u64 = 12;
const REFUSED: u64 = 6;
const WRITTEN: u64 = 4;

/// Calls by hand, as a client without an adapter makes them.
fn shop(harness: &Harness) -> Router {
    let monitor = Monitor::clone(harness);
    let (bank, model) = (monitor.external("bank"), monitor.external("writer"));
    let broken = bank.clone();
    bank.quota(100, 25);
    Router::new()
        .route(
            "/pay",
            get(move || async move {
                let call = bank.call("POST", "http://bank.example/charges");
                call.status(201).finish();
                "paid"
            }),
        )
        .route(
            "/refuse",
            get(move || async move {
                let call = broken.call("POST", "http://bank.example/charges");
                call.status(503).finish();
                "refused"
            }),
        )
        .route(
            "/write",
            get(move || async move {
                let call = model.call("POST", "http://writer.example/v1");
                let call = call.status(200).gen_ai("chat", "small-1");
                call.tokens(100, 20).cost(0.5).finish();
                "text"
            }),
        )
        .merge(harness.dashboard(Access::from_settings()))
}

fn host() -> Host {
    let host = Host::serve(|builder| builder.access_token(TOKEN), shop);
    host.harness.snapshot();
    host
}

fn visit(host: &Host) {
    for (count, path) in [(PAID, "/pay"), (REFUSED, "/refuse"), (WRITTEN, "/write")] {
        for _ in 0..count {
            host.send("GET", path, &[], "");
        }
    }
}

fn service<'a>(found: &'a Value, name: &str) -> &'a Value {
    let mut rows = found["services"].as_array().unwrap().iter();
    let row = rows.find(|row| row["service"] == name);
    row.unwrap_or_else(|| panic!("{name} in {found:#}"))
}

#[test]
fn services_have_the_calls_errors_limits_and_callers_of_the_client() {
    let host = host();
    let (_, before) = read(&host, "data/v1/calls?range=1h");
    assert_eq!(service(&before, "bank")["count"], 0, "a quota was set");
    assert_eq!(before["models"], json!([]));
    visit(&host);
    let found = read_until(&host, "data/v1/calls?range=15m", |found| {
        let rows = found["services"].as_array().unwrap().iter();
        let all: u64 = rows.map(|row| row["count"].as_u64().unwrap()).sum();
        all == PAID + REFUSED + WRITTEN
    });
    let bank = service(&found, "bank");
    assert_eq!(
        json!([bank["count"], bank["errors"], bank["calls_since_start"]]),
        json!([PAID + REFUSED, REFUSED, PAID + REFUSED])
    );
    // A third of the recent calls failed.
    assert_eq!(bank["state"], "degraded", "{bank}");
    assert!(!bank["reason"].as_str().unwrap().is_empty());
    assert_eq!(bank["last_error"], "503");
    let callers = json!([
        {"route": "/pay", "method": "GET", "calls": PAID},
        {"route": "/refuse", "method": "GET", "calls": REFUSED},
    ]);
    assert_eq!(bank["callers"], callers);
    let limit = &bank["limits"][0];
    assert_eq!(
        json!([
            limit["window"],
            limit["limit"],
            limit["remaining"],
            limit["used"]
        ]),
        json!(["quota", 100, 75, 0.25])
    );
    let writer = service(&found, "writer");
    assert_eq!(
        (&writer["state"], &writer["errors"]),
        (&json!("up"), &json!(0))
    );
    assert!(writer["p95"].as_f64().is_some());
    let curve = writer["p95_curve"].as_array().unwrap();
    assert!(curve.last().unwrap().as_f64().is_some(), "{curve:?}");
}

#[test]
fn models_have_the_tokens_and_the_cost_of_each_route() {
    let host = host();
    visit(&host);
    let found = read_until(&host, "data/v1/calls?range=15m", |found| {
        found["models"][0]["count"] == WRITTEN
    });
    let model = &found["models"][0];
    let usage = json!([WRITTEN, WRITTEN * 100, WRITTEN * 20, 0.5 * WRITTEN as f64]);
    let usage_of = |it: &Value| {
        let cost = it["cost"].as_f64().unwrap();
        let keys = ["calls_with_tokens", "input_tokens", "output_tokens"];
        let [calls, input, output] = keys.map(|key| &it[key]);
        json!([calls, input, output, cost])
    };
    assert_eq!(usage_of(model), usage);
    assert_eq!(
        json!([
            model["service"],
            model["model"],
            model["errors"],
            model["is_other"]
        ]),
        json!(["writer", "small-1", 0, false])
    );
    assert_eq!(model["routes"].as_array().unwrap().len(), 1);
    assert_eq!(model["routes"][0]["route"], "/write");
    assert_eq!(usage_of(&model["routes"][0]), usage);
}

#[test]
fn a_route_has_the_services_that_it_calls() {
    let host = host();
    visit(&host);
    let path = "data/v1/route?method=GET&route=%2Fpay&range=15m";
    let route = read_until(&host, path, |route| route["calls"][0]["calls"] == PAID);
    assert_eq!(route["calls"].as_array().unwrap().len(), 1);
    let call = &route["calls"][0];
    assert_eq!(
        json!([call["service"], call["all_calls"]]),
        json!(["bank", PAID + REFUSED])
    );
    let (_, other) = read(&host, "data/v1/route?method=GET&route=%2Forders&range=15m");
    assert_eq!(other["calls"], json!([]));
}
