//! The documents of kept traces, against what the client did.

use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use http::StatusCode;
use serde_json::{Value, json};
use watchpost::http::HttpConfig;
use watchpost::testing::Harness;
use watchpost::{Access, Monitor};

use crate::dashboard_host::{Host, TOKEN};

const ORDERS: usize = 9;
const BROKEN: usize = 4;
const LARGE: usize = 9_000;

/// Orders with spans, queries of a failing route, and a request ID that a proxy sets.
fn shop(harness: &Harness) -> Router {
    let [monitor, other, large] = [(); 3].map(|()| Monitor::clone(harness));
    Router::new()
        .route(
            "/orders/{id}",
            get(async move || {
                for _ in 0..3 {
                    let step = monitor.span("load").attr("shard", "s-1");
                    step.run(tokio::time::sleep(Duration::from_millis(2))).await;
                }
                "an order"
            }),
        )
        .route(
            "/broken",
            get(async move || {
                let step = other
                    .span("<img src=x onerror=alert(1)>")
                    .attr("tenant", "acme");
                let _failed: Result<(), &str> = step
                    .try_run(async {
                        other.capture_error(&std::io::Error::other("the shelf is empty"));
                        Err("<script>alert(1)</script>")
                    })
                    .await;
                StatusCode::INTERNAL_SERVER_ERROR
            }),
        )
        .route(
            "/large",
            get(async move || {
                for n in 0..LARGE {
                    // Long enough that attributes do not all fit into one document.
                    let step = large.span("step").attr("text", plain_text(n));
                    step.run(async {}).await;
                }
                let task = large
                    .span("a task")
                    .run(tokio::time::sleep(Duration::from_millis(150)));
                drop(watchpost::trace::spawn(task));
                "all steps"
            }),
        )
        .merge(harness.dashboard(Access::from_settings()))
}

fn plain_text(n: usize) -> String {
    format!("{}{n}", "plain words ".repeat(16))
}

fn host(dir: Option<&std::path::Path>) -> Host {
    let dir = dir.map(std::path::Path::to_owned);
    Host::serve(
        |builder| {
            let header = http::HeaderName::from_static("x-request-id");
            let builder = builder
                .access_token(TOKEN)
                .http(HttpConfig::default().allow_headers([header]));
            match dir {
                Some(dir) => builder.data_dir(dir),
                None => builder,
            }
        },
        shop,
    )
}

fn read(host: &Host, path: &str) -> (StatusCode, Value) {
    let token = format!("Bearer {TOKEN}");
    let answer = host.get(path, &[("authorization", &token)]);
    (answer.status, answer.json())
}

/// Reads a document until it shows what is expected.
fn read_until(host: &Host, path: &str, is_there: impl Fn(&Value) -> bool) -> Value {
    let patience = Instant::now() + Duration::from_secs(20);
    loop {
        let (status, document) = read(host, path);
        assert_eq!(status, StatusCode::OK, "{document}");
        if is_there(&document) {
            return document;
        }
        assert!(Instant::now() < patience, "{document:#}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Sends the requests, one after another, and returns the IDs of their traces in this order.
fn visit(host: &Host) -> Vec<String> {
    let send = |path: &str, request_id: &str| {
        let answer = host.send("GET", path, &[("x-request-id", request_id)], "");
        answer.headers["x-trace-id"].to_str().unwrap().to_owned()
    };
    let mut ids = Vec::new();
    for n in 0..ORDERS {
        ids.push(send(&format!("/orders/{n}"), &format!("order-{n}")));
    }
    for n in 0..BROKEN {
        ids.push(send("/broken", &format!("broken-{n}")));
    }
    ids
}

fn ids(list: &Value) -> Vec<String> {
    let rows = list["traces"].as_array().unwrap().iter();
    rows.map(|row| row["trace_id"].as_str().unwrap().to_owned())
        .collect()
}

fn length(value: &Value) -> usize {
    value.as_array().unwrap().len()
}

#[test]
fn the_list_has_each_trace_once_and_finds_them_by_everything() {
    let host = host(None);
    let (_, empty) = read(&host, "data/v1/traces?range=1h");
    assert_eq!(
        (length(&empty["traces"]), &empty["next"]),
        (0, &Value::Null)
    );
    assert_eq!(empty["is_stored"], false);
    let sent = visit(&host);
    let list = read_until(&host, "data/v1/traces?range=15m", |list| {
        length(&list["traces"]) == sent.len()
    });
    let newest_first: Vec<_> = sent.iter().rev().cloned().collect();
    assert_eq!(ids(&list), newest_first);
    let (broken, orders) = newest_first.split_at(BROKEN);
    let row = &list["traces"][0];
    assert_eq!(
        (&row["route"], &row["method"]),
        (&json!("/broken"), &json!("GET"))
    );
    assert_eq!(
        (&row["status"], &row["failed"]),
        (&json!(500), &json!(true))
    );
    assert_eq!(
        (&row["kept"], &row["request_id"]),
        (&json!("error"), &json!("broken-3"))
    );
    let found = |query: &str| {
        let (status, list) = read(&host, &format!("data/v1/traces?range=15m&{query}"));
        assert_eq!(status, StatusCode::OK, "{list}");
        ids(&list)
    };
    assert_eq!(found("route=%2Fbroken"), broken);
    assert_eq!(found("status=5xx"), broken);
    assert_eq!(found("status=200"), orders);
    assert_eq!(found("kept=error"), broken);
    assert_eq!(found("kept=head"), orders);
    // Each order slept for 6 ms.
    assert_eq!(found("min_ms=6&route=%2Forders%2F%7Bid%7D"), orders);
    assert_eq!(
        found("max_ms=5.9&route=%2Forders%2F%7Bid%7D"),
        Vec::<String>::new()
    );
    assert_eq!(found("id=order-3"), [sent[3].as_str()]);
    let whole = &sent[5];
    let low = &whole[16..];
    let decimal = u64::from_str_radix(low, 16).unwrap();
    assert_eq!(found(&format!("id={whole}")), [whole.as_str()]);
    assert_eq!(found(&format!("id={low}")), [whole.as_str()]);
    if decimal >= 10_000_000_000_000_000 {
        assert_eq!(found(&format!("id={decimal}")), [whole.as_str()]);
    }
    assert_eq!(found("id=nothing"), Vec::<String>::new());
    // Page by page.
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let (_, page) = read(
            &host,
            &format!("data/v1/traces?range=15m&limit=5&cursor={cursor}"),
        );
        assert!(length(&page["traces"]) <= 5);
        all.extend(ids(&page));
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    assert_eq!(all, newest_first);
    let (_, past) = read(&host, "data/v1/traces?from=1000000&to=2000000");
    assert_eq!(length(&past["traces"]), 0);
}

#[test]
fn traces_on_disk_and_in_memory_are_one_list() {
    let dir = tempfile::tempdir().unwrap();
    let before = {
        let host = host(Some(dir.path()));
        let sent = visit(&host);
        read_until(&host, "data/v1/traces?range=15m", |list| {
            length(&list["traces"]) == sent.len()
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let ended = runtime.block_on(host.harness.shutdown(Duration::from_secs(30)));
        assert!(ended.is_complete(), "{ended}");
        sent
    };
    // The server of the earlier host may still hold the lock of its directory.
    let copy = tempfile::tempdir().unwrap();
    std::fs::create_dir(copy.path().join("traces")).unwrap();
    for file in std::fs::read_dir(dir.path().join("traces")).unwrap() {
        let file = file.unwrap();
        let to = copy.path().join("traces").join(file.file_name());
        std::fs::copy(file.path(), to).unwrap();
    }
    let host = host(Some(copy.path()));
    let after = visit(&host);
    let expected: Vec<_> = before.iter().chain(&after).rev().cloned().collect();
    let list = read_until(&host, "data/v1/traces?range=1h", |list| {
        length(&list["traces"]) == expected.len()
    });
    assert_eq!(ids(&list), expected);
    assert_eq!(list["is_stored"], true);
    assert!(list["stored_since"].as_u64() > Some(0));
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let (_, page) = read(
            &host,
            &format!("data/v1/traces?range=1h&limit=4&cursor={cursor}"),
        );
        all.extend(ids(&page));
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    assert_eq!(all, expected);
    // A trace of the earlier process, by its three IDs.
    let old = &before[2];
    for id in [old.as_str(), &old[16..], "order-2"] {
        let (_, page) = read(&host, &format!("data/v1/trace?id={id}"));
        let found = page["trace_id"].as_str().unwrap();
        // The later process has a request of this ID too, and the newest one counts.
        let wanted = if id == "order-2" { &after[2] } else { old };
        assert_eq!(found, wanted, "{page}");
    }
    let (_, page) = read(&host, &format!("data/v1/trace?id={old}"));
    assert_eq!(
        (length(&page["trace"]["spans"]), &page["lines"]),
        (4, &json!("removed"))
    );
}

#[test]
fn a_trace_has_its_spans_lines_errors_and_a_typical_one() {
    let host = host(None);
    let sent = visit(&host);
    read_until(&host, "data/v1/traces?range=15m", |list| {
        length(&list["traces"]) == sent.len()
    });
    let (_, page) = read(&host, &format!("data/v1/trace?id={}", sent[0]));
    assert_eq!(page["trace_id"], sent[0].as_str());
    let trace = &page["trace"];
    assert_eq!(
        (&trace["route"], &trace["method"]),
        (&json!("/orders/{id}"), &json!("GET"))
    );
    assert_eq!(
        (&trace["failed"], &trace["kept"]),
        (&json!(false), &json!("head"))
    );
    assert_eq!(
        (&trace["span_count"], &trace["has_root"]),
        (&json!(4), &json!(true))
    );
    let spans = trace["spans"].as_array().unwrap();
    let titles: Vec<_> = spans
        .iter()
        .map(|span| json!([span["title"], span["label"], span["depth"], span["below"]]))
        .collect();
    assert_eq!(
        titles,
        [
            json!(["GET /orders/{id}", "HTTP", 0, 3]),
            json!(["load", "fn", 1, 0]),
            json!(["load", "fn", 1, 0]),
            json!(["load", "fn", 1, 0])
        ]
    );
    // The critical path is the duration of the root, each microsecond of it once.
    let number = |value: &Value| value.as_u64().unwrap();
    let path: u64 = spans
        .iter()
        .flat_map(|span| span["on_path"].as_array().unwrap())
        .map(|part| number(&part[1]) - number(&part[0]))
        .sum();
    let whole = number(&spans[0]["end_us"]) - number(&spans[0]["start_us"]);
    assert!(whole.abs_diff(path) <= 20, "{whole} {path}");
    assert_eq!(
        spans[1]["details"]["attributes"][0],
        json!({"key": "shard", "value": "s-1"})
    );
    let typical = &trace["typical"];
    assert_eq!(
        (&typical["of"], &typical["is_sample"]),
        (&json!(ORDERS - 1), &json!(true))
    );
    assert!(sent.contains(&typical["trace_id"].as_str().unwrap().to_owned()));
    assert!(number(&spans[3]["typical"]["end_us"]) >= 6000);

    let (_, page) = read(&host, &format!("data/v1/trace?id={}", sent[ORDERS]));
    let trace = &page["trace"];
    assert_eq!(
        (&trace["failed"], &trace["status"]),
        (&json!(true), &json!(500))
    );
    assert_eq!(trace["spans"][1]["title"], "<img src=x onerror=alert(1)>");
    assert_eq!(trace["spans"][1]["failed"], true);
    assert_eq!(page["lines"], "complete");
    assert_eq!(length(&page["logs"]), 1, "{page:#}");
    assert_eq!(page["logs"][0]["level"], "error");
    // The first event of the group is its sample, with a stack.
    let error = &page["errors"][0];
    assert_eq!(error["causes"][0]["message"], "the shelf is empty");
    assert!(
        error["location"]
            .as_str()
            .unwrap()
            .contains("dashboard_traces.rs")
    );
}

#[test]
fn a_trace_of_many_spans_is_whole_and_each_span_can_be_opened() {
    let host = host(None);
    let answer = host.send("GET", "/large", &[], "");
    let id = answer.headers["x-trace-id"].to_str().unwrap();
    let path = format!("data/v1/trace?id={id}");
    // The task ends after the request.
    let page = read_until(&host, &path, |page| {
        page["trace"]["span_count"] == LARGE + 2
    });
    let spans = page["trace"]["spans"].as_array().unwrap();
    assert_eq!(spans.len(), LARGE + 2);
    assert_eq!(
        (&spans[0]["below"], &spans[0]["depth"]),
        (&json!(LARGE + 1), &json!(0))
    );
    let task = spans.last().unwrap();
    assert_eq!(
        (&task["title"], &task["work"]),
        (&json!("a task"), &json!("task"))
    );
    assert_eq!(task["on_path"], json!([]));
    assert!(task["end_us"].as_u64() > spans[0]["end_us"].as_u64());
    // The attributes of the first ones are there, and the others come when they are asked for.
    assert!(spans[1]["details"].is_object());
    let far = &spans[LARGE];
    assert_eq!(far["details"], Value::Null);
    let (_, page) = read(
        &host,
        &format!("{path}&span={}", far["id"].as_str().unwrap()),
    );
    let far = &page["trace"]["spans"][LARGE]["details"]["attributes"][0];
    assert_eq!(far["value"], plain_text(LARGE - 1));
}

#[test]
fn what_differs_is_ranked_by_shares_that_the_client_knows() {
    let host = host(None);
    let sent = visit(&host);
    read_until(&host, "data/v1/traces?range=15m", |list| {
        length(&list["traces"]) == sent.len()
    });
    let (_, found) = read(&host, "data/v1/trace-differences?range=15m");
    assert_eq!(found["all"], sent.len());
    // Those of the broken route, and orders that were slow by chance are none without 500 others.
    assert_eq!(
        (&found["selected"], &found["by_filter"]),
        (&json!(BROKEN), &json!(false))
    );
    let row = &found["rows"][0];
    assert_eq!(
        (&row["key"], &row["value"]),
        (&json!("http.route"), &json!("/broken"))
    );
    assert_eq!(
        (&row["selected"], &row["all"]),
        (&json!(BROKEN), &json!(BROKEN))
    );
    assert_eq!(row["share_selected"], 1);
    let (_, found) = read(&host, "data/v1/trace-differences?range=15m&status=200");
    assert_eq!(
        (&found["selected"], &found["by_filter"]),
        (&json!(ORDERS), &json!(true))
    );
    let (_, found) = read(&host, "data/v1/trace-differences?range=15m&route=%2Fbroken");
    assert_eq!((length(&found["rows"]), &found["all"]), (0, &json!(BROKEN)));
}

#[test]
fn an_unknown_trace_and_wrong_queries_are_explained() {
    let host = host(None);
    let unknown = "4f1c8a0b7d2e4e5f93a1c6d0b8f79e02";
    let (status, page) = read(&host, &format!("data/v1/trace?id={unknown}"));
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        (&page["trace"], &page["trace_id"]),
        (&Value::Null, &json!(unknown))
    );
    assert_eq!((&page["logs"], &page["failed"]), (&json!([]), &Value::Null));
    let (_, page) = read(&host, "data/v1/trace?id=no-such-request");
    assert_eq!(
        (&page["trace"], &page["trace_id"]),
        (&Value::Null, &Value::Null)
    );
    for path in [
        "data/v1/trace",
        "data/v1/trace?id=",
        "data/v1/trace?id=%ff",
        "data/v1/trace?id=4f1c8a0b7d2e4e5f93a1c6d0b8f79e02&span=7",
        "data/v1/traces",
        "data/v1/traces?range=1h&status=700",
        "data/v1/traces?range=1h&cursor=no",
        "data/v1/trace-differences?range=1h&kept=loud",
    ] {
        let (status, answer) = read(&host, path);
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(answer["code"], "bad_request");
        assert!(answer["message"].as_str().unwrap().ends_with('.'));
    }
}
