//! The endpoint layer under axum.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::{Method, Request, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{any, get, post};
use futures_util::stream;
use http_body_util::BodyExt;
use serde_json::Value;
use tower::{Layer, Service, ServiceExt};
use watchpost::Monitor;
use watchpost::http::Class;
use watchpost::logs::RequestLogs;
use watchpost::testing::{Harness, Page};

use crate::support::{TRACE, get_request, json_lines, send, within};

const COUNT: &str = "http_server_request_duration_seconds_count";

fn chunks(n: usize) -> Body {
    let chunks = (0..n).map(|_| Ok::<_, Infallible>(Bytes::from_static(b"12345")));
    Body::from_stream(stream::iter(chunks))
}

async fn broken_stream() -> Body {
    let first = Ok(Bytes::from_static(b"12345"));
    Body::from_stream(stream::iter([first, Err(std::io::Error::other("broken"))]))
}

fn app(harness: &Harness) -> Router {
    let nested = Router::new().route("/{id}/notes", get(|| async { "notes" }));
    Router::new()
        .route("/users/{id}", get(|| async { "user" }))
        .route(
            "/create",
            post(|body: String| async move { (StatusCode::CREATED, body) }),
        )
        .route("/stream", get(|| async { chunks(3) }))
        .route("/broken", get(broken_stream))
        .route("/pending", get(std::future::pending::<()>))
        .route("/panic", get(|| async { panicking() }))
        .route("/fail", get(|| async { StatusCode::SERVICE_UNAVAILABLE }))
        .route("/late", get(|| async { StatusCode::REQUEST_TIMEOUT }))
        .route(
            "/events",
            get(|| async { ([(header::CONTENT_TYPE, "text/event-stream")], chunks(2)) }),
        )
        .route(
            "/upgrade",
            get(|| async { StatusCode::SWITCHING_PROTOCOLS }),
        )
        .route("/any", any(|| async { "any" }))
        .nest("/deep", nested)
        .route_service("/metrics", harness.prometheus())
        .layer(harness.layer())
}

fn panicking() -> &'static str {
    std::panic::resume_unwind(Box::new("planned"))
}

fn one(page: &Page, labels: &[(&str, &str)]) {
    assert_eq!(page.sum(COUNT, labels), 1.0, "{labels:?}\n{page:#?}");
}

fn idle(page: &Page) {
    let active: Vec<_> = page.samples("http_server_active_requests", &[]).collect();
    assert!(
        active.iter().all(|sample| sample.value == 0.0),
        "{active:?}"
    );
}

#[tokio::test]
async fn every_outcome_is_recorded_once() {
    let harness = Harness::new();
    let app = app(&harness);
    send(&app, get_request("/users/7")).await;
    send(&app, get_request("/fail")).await;
    send(&app, get_request("/late")).await;
    send(&app, get_request("/upgrade")).await;
    send(&app, get_request("/nowhere")).await;
    assert!(
        within(
            Duration::from_millis(50),
            app.clone().oneshot(get_request("/pending"))
        )
        .await
        .is_none()
    );
    let dropped = app.clone().oneshot(get_request("/stream")).await.unwrap();
    let mut body = dropped.into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    let broken = app.clone().oneshot(get_request("/broken")).await.unwrap();
    assert!(broken.into_body().collect().await.is_err());
    let panicked = tokio::spawn(app.clone().oneshot(get_request("/panic")))
        .await
        .unwrap_err();
    assert_eq!(
        *panicked.into_panic().downcast::<&str>().unwrap(),
        "planned"
    );

    let page = harness.page();
    for (route, outcome, status, error) in [
        ("/users/{id}", "completed", Some("200"), None),
        ("/fail", "completed", Some("503"), Some("503")),
        ("/late", "timeout", Some("408"), Some("timeout")),
        ("/upgrade", "upgraded", Some("101"), None),
        ("_unmatched", "completed", Some("404"), None),
        ("/pending", "cancelled", None, None),
        ("/stream", "body_dropped", Some("200"), None),
        ("/broken", "body_error", Some("200"), Some("body_error")),
        ("/panic", "panicked", None, Some("panicked")),
    ] {
        one(
            &page,
            &[("http_route", route), ("watchpost_outcome", outcome)],
        );
        one(&page, &[("http_route", route)]);
        let labels = [("http_route", route)];
        let sample = page.samples(COUNT, &labels).next().unwrap();
        let label = |key: &str| sample.labels.get(key).map(String::as_str);
        assert_eq!(label("http_response_status_code"), status, "{route}");
        assert_eq!(label("error_type"), error, "{route}");
    }
    assert_eq!(page.sum(COUNT, &[]), 9.0);
    idle(&page);
    let lines = json_lines(&harness);
    assert_eq!(lines.len(), 9);
    let outcomes: Vec<_> = lines
        .iter()
        .map(|line| line["watchpost.outcome"].as_str().unwrap())
        .collect();
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| **outcome == "completed")
            .count(),
        3
    );
}

#[tokio::test]
async fn duration_and_bytes_run_to_the_last_byte() {
    let harness = Harness::new();
    let harness = Arc::new(harness);
    let moving = Arc::clone(&harness);
    let slow = move || {
        let harness = Arc::clone(&moving);
        async move {
            harness.advance(Duration::from_millis(20));
            let stream = stream::unfold(0, move |n| {
                let harness = Arc::clone(&harness);
                async move {
                    harness.advance(Duration::from_millis(100));
                    (n < 3).then(|| (Ok::<_, Infallible>(Bytes::from_static(b"12345")), n + 1))
                }
            });
            Body::from_stream(stream)
        }
    };
    let app = Router::new()
        .route("/slow", get(slow))
        .layer(harness.layer());
    send(&app, get_request("/slow")).await;
    let page = harness.page();
    let labels = [("http_route", "/slow")];
    let about = |name: &str, seconds: f64| {
        let sum = page.sum(name, &labels);
        assert!((sum - seconds).abs() < 1e-6, "{name}: {sum}");
    };
    about("http_server_request_duration_seconds_sum", 0.42);
    about("watchpost_http_time_to_headers_seconds_sum", 0.02);
    assert_eq!(
        page.sum("http_server_response_body_size_bytes_sum", &labels),
        15.0
    );
    assert_eq!(
        page.sum("http_server_response_body_size_bytes_count", &labels),
        1.0
    );
    let line = &json_lines(&harness)[0];
    assert_eq!(line["duration_ms"], 420.0);
    assert_eq!(line["time_to_headers_ms"], 20.0);
    assert_eq!(line["http.response.body.size"], 15);
}

#[tokio::test]
async fn trace_ids_are_continued_returned_and_logged() {
    let harness = Harness::new();
    let app = app(&harness);
    let request = Request::get("/users/1")
        .header("traceparent", format!("00-{TRACE}-b7ad6b7169203331-01"))
        .body(Body::empty())
        .unwrap();
    let response = send(&app, request).await;
    assert_eq!(response.headers["x-trace-id"], TRACE);
    let bad = Request::get("/users/1")
        .header("traceparent", "rubbish")
        .body(Body::empty())
        .unwrap();
    let fresh = send(&app, bad).await.headers["x-trace-id"]
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(fresh.len(), 32);
    let two = Request::get("/users/1")
        .header("traceparent", format!("00-{TRACE}-b7ad6b7169203331-01"))
        .header("traceparent", format!("00-{TRACE}-b7ad6b7169203331-01"))
        .body(Body::empty())
        .unwrap();
    assert_ne!(send(&app, two).await.headers["x-trace-id"], TRACE);
    let lines = json_lines(&harness);
    assert_eq!(
        (&lines[0]["trace_id"], &lines[0]["parent_span_id"]),
        (&Value::from(TRACE), &Value::from("b7ad6b7169203331"))
    );
    assert_eq!(lines[1]["trace_id"], fresh);
    assert_eq!(lines[1].get("parent_span_id"), None);
}

#[tokio::test]
async fn a_public_endpoint_begins_a_trace_for_each_request() {
    let harness = Harness::with(|builder| builder.public_endpoint(true).trace_header(false));
    let request = Request::get("/users/1")
        .header("traceparent", format!("00-{TRACE}-b7ad6b7169203331-01"))
        .body(Body::empty())
        .unwrap();
    let response = send(&app(&harness), request).await;
    assert!(!response.headers.contains_key("x-trace-id"));
    let line = &json_lines(&harness)[0];
    assert_ne!(line["trace_id"], TRACE);
    assert_eq!(line["watchpost.parent.trace_id"], TRACE);
}

#[tokio::test]
async fn unknown_paths_methods_and_hosts_create_no_series() {
    let harness = Harness::new();
    let app = app(&harness);
    for n in 0..2000 {
        let method = Method::from_bytes(format!("FOO{n}").as_bytes()).unwrap();
        let request = Request::builder()
            .method(method)
            .uri(format!("/scan/{n}"))
            .header("host", format!("evil-{n}.example.org"))
            .body(Body::empty())
            .unwrap();
        send(&app, request).await;
    }
    send(&app, get_request("/deep/3/notes")).await;
    let page = harness.page();
    let series: Vec<_> = page.samples(COUNT, &[]).collect();
    assert_eq!(series.len(), 2, "{series:#?}");
    let scan = [
        ("http_route", "_unmatched"),
        ("http_request_method", "_OTHER"),
    ];
    assert_eq!(page.sum(COUNT, &scan), 2000.0);
    one(&page, &[("http_route", "/deep/{id}/notes")]);
    assert!(!harness.metrics().render().contains("evil"));
}

#[tokio::test]
async fn no_request_is_active_after_ten_thousand_aborts_and_panics() {
    let harness = Harness::with(|builder| builder.request_logs(RequestLogs::Off));
    let app = app(&harness);
    for n in 0..10_000 {
        let mut app = app.clone();
        if n % 2 == 0 {
            let mut pending = std::pin::pin!(app.call(get_request("/pending")));
            assert!(futures_util::poll!(pending.as_mut()).is_pending());
        } else {
            let call = app.call(get_request("/panic"));
            let caught =
                futures_util::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(call)).await;
            assert!(caught.is_err());
        }
    }
    let page = harness.page();
    idle(&page);
    assert_eq!(
        page.sum(COUNT, &[("watchpost_outcome", "cancelled")]),
        5000.0
    );
    assert_eq!(
        page.sum(COUNT, &[("watchpost_outcome", "panicked")]),
        5000.0
    );
    assert!(harness.in_flight().is_empty());
}

#[tokio::test]
async fn a_response_without_a_body_ends_at_its_headers() {
    let harness = Harness::new();
    let app = app(&harness);
    let head = Request::builder()
        .method(Method::HEAD)
        .uri("/users/1")
        .body(Body::empty())
        .unwrap();
    drop(app.clone().oneshot(head).await.unwrap());
    let events = app.clone().oneshot(get_request("/events")).await.unwrap();
    let page = harness.page();
    one(
        &page,
        &[
            ("http_request_method", "HEAD"),
            ("watchpost_outcome", "completed"),
        ],
    );
    one(
        &page,
        &[
            ("http_route", "/events"),
            ("watchpost_outcome", "completed"),
        ],
    );
    assert_eq!(
        page.sum("watchpost_http_connections", &[("http_route", "/events")]),
        1.0
    );
    harness.advance(Duration::from_secs(60));
    drop(events);
    let page = harness.page();
    assert_eq!(page.sum("watchpost_http_connections", &[]), 0.0);
    let life = "watchpost_http_connection_duration_seconds_sum";
    assert_eq!(page.sum(life, &[("http_route", "/events")]), 60.0);
}

#[tokio::test]
async fn a_body_of_known_length_needs_no_last_poll() {
    let harness = Harness::new();
    let response = app(&harness)
        .oneshot(get_request("/users/1"))
        .await
        .unwrap();
    let mut body = response.into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    one(&harness.page(), &[("watchpost_outcome", "completed")]);
}

#[tokio::test]
async fn the_monitors_own_responses_are_not_recorded() {
    let harness = Harness::new();
    let app = app(&harness);
    let response = send(&app, get_request("/metrics")).await;
    assert_eq!(response.status, StatusCode::OK);
    assert_eq!(harness.page().sum(COUNT, &[]), 0.0);
    idle(&harness.page());
    assert!(harness.lines().is_empty());
}

#[tokio::test]
async fn hooks_set_attributes_skip_classify_and_may_panic() {
    let harness = Harness::new();
    let layer = harness
        .layer()
        .skip(|parts| parts.uri.path() == "/skipped")
        .user(|parts| Some(parts.headers.get("x-user")?.to_str().ok()?.to_owned()))
        .on_request(|parts, attributes| attributes.insert("path.len", parts.uri.path().len()))
        .on_response(|_, _| panicking_hook())
        .on_end(|finished, attributes| {
            attributes.insert("ended", finished.outcome.as_str());
            attributes.insert("trace_id", "forged");
        })
        .classify(|head, _| {
            if head.status == 418 {
                Class::Failure
            } else {
                Class::Success
            }
        })
        .allow_headers([header::ACCEPT_LANGUAGE])
        .timeout_statuses([504]);
    let app = Router::new()
        .route("/skipped", get(|| async { "no" }))
        .route("/tea", get(|| async { StatusCode::IM_A_TEAPOT }))
        .route("/gone", get(|| async { StatusCode::GATEWAY_TIMEOUT }))
        .layer(layer);
    send(&app, get_request("/skipped")).await;
    let request = Request::get("/tea")
        .header("x-user", "ada")
        .header("accept-language", "de")
        .body(Body::empty())
        .unwrap();
    send(&app, request).await;
    for _ in 0..20 {
        send(&app, get_request("/gone")).await;
    }
    let lines = json_lines(&harness);
    let tea = &lines[0];
    assert_eq!(tea["user.id"], "ada");
    assert_eq!(tea["path.len"], 4);
    assert_eq!(tea["ended"], "completed");
    assert_eq!(tea["attributes.trace_id"], "forged");
    assert_ne!(tea["trace_id"], "forged");
    assert_eq!(tea["http.request.header.accept-language"], "de");
    assert_eq!(
        (&tea["level"], &tea["error.type"]),
        (&Value::from("ERROR"), &Value::from("failure"))
    );
    let page = harness.page();
    assert_eq!(page.sum(COUNT, &[("http_route", "/skipped")]), 0.0);
    assert_eq!(page.sum(COUNT, &[("watchpost_outcome", "timeout")]), 20.0);
    assert_eq!(
        page.sum("watchpost_hook_panics_total", &[("hook", "on_response")]),
        10.0
    );
    assert!(
        harness
            .lines()
            .iter()
            .any(|line| line.contains("panicked 10 times"))
    );
}

fn panicking_hook() {
    std::panic::resume_unwind(Box::new("planned"))
}

#[tokio::test]
async fn request_bodies_are_counted_if_enabled() {
    let harness = Harness::new();
    let app = Router::new()
        .route("/create", post(|body: String| async move { body }))
        .layer(harness.layer().count_request_body());
    let body = Body::from_stream(stream::iter([Ok::<_, Infallible>("abc"), Ok("de")]));
    send(&app, Request::post("/create").body(body).unwrap()).await;
    assert_eq!(json_lines(&harness)[0]["http.request.body.size"], 5);
    let request = Request::post("/create")
        .header("content-length", "2")
        .body(Body::from("hi"))
        .unwrap();
    let harness = Harness::new();
    send(&self::app(&harness), request).await;
    assert_eq!(json_lines(&harness)[0]["http.request.body.size"], 2);
}

#[tokio::test]
async fn log_records_have_the_client_address_and_the_redacted_query() {
    let harness = Harness::new();
    let layer = harness
        .layer()
        .trusted_proxies(["10.0.0.0/8".parse().unwrap()]);
    let app = Router::new()
        .route("/q", get(|| async { "q" }))
        .layer(layer);
    for peer in ["10.1.2.3:9", "192.0.2.9:9"] {
        let mut request = Request::get("/q?token=SECRET-VALUE&page=2")
            .header("x-forwarded-for", "198.51.100.7")
            .body(Body::empty())
            .unwrap();
        let peer: std::net::SocketAddr = peer.parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        send(&app, request).await;
    }
    let lines = json_lines(&harness);
    assert_eq!(lines[0]["client.address"], "198.51.100.7");
    assert_eq!(lines[1]["client.address"], "192.0.2.9");
    assert_eq!(lines[0]["url.query"], "token=REDACTED&page=REDACTED");
    assert!(!harness.written().contains("SECRET"));
}

#[tokio::test]
async fn a_layer_around_the_router_is_reported_once() {
    let harness = Harness::new();
    let router = Router::new().route("/users/{id}", get(|| async { "user" }));
    let outside = harness.layer().layer(router);
    for _ in 0..300 {
        let response = outside
            .clone()
            .oneshot(get_request("/users/1"))
            .await
            .unwrap();
        response
            .into_response()
            .into_body()
            .collect()
            .await
            .unwrap();
    }
    let reports = harness
        .lines()
        .iter()
        .filter(|line| line.contains("sees no route"))
        .count();
    assert_eq!(reports, 1);
    assert_eq!(
        harness.page().sum(COUNT, &[("http_route", "_unmatched")]),
        300.0
    );
}

#[tokio::test]
async fn only_errors_and_slow_requests_are_logged_if_set() {
    let harness = Harness::with(|builder| builder.request_logs(RequestLogs::ErrorsAndSlow));
    let app = app(&harness);
    send(&app, get_request("/users/1")).await;
    send(&app, get_request("/fail")).await;
    let slow = app.clone().oneshot(get_request("/stream")).await.unwrap();
    harness.advance(Duration::from_secs(2));
    slow.into_body().collect().await.unwrap();
    let routes: Vec<_> = json_lines(&harness)
        .iter()
        .map(|line| line["http.route"].clone())
        .collect();
    assert_eq!(routes, ["/fail", "/stream"]);
}

#[tokio::test]
async fn requests_in_flight_are_listed_and_long_polls_counted() {
    let harness = Harness::new();
    let app = app(&harness);
    let mut pending = std::pin::pin!(app.clone().oneshot(get_request("/pending")));
    assert!(futures_util::poll!(pending.as_mut()).is_pending());
    harness.advance(Duration::from_secs(3));
    let list = harness.in_flight();
    assert_eq!((list.len(), &*list[0].route), (1, "/pending"));
    assert_eq!(
        (list[0].running_for, list[0].polled_for),
        (Duration::from_secs(3), None)
    );

    let harness = Arc::new(Harness::new());
    let inside = Arc::clone(&harness);
    let blocking = move || {
        let harness = Arc::clone(&inside);
        async move {
            harness.advance(Duration::from_millis(300));
            let list = harness.in_flight();
            assert_eq!(list[0].polled_for, Some(Duration::from_millis(300)));
            assert_eq!(harness.current_trace_id(), Some(list[0].trace_id));
        }
    };
    let app = Router::new()
        .route("/block", get(blocking))
        .layer(harness.layer());
    send(&app, get_request("/block")).await;
    assert_eq!(
        harness
            .page()
            .sum("watchpost_long_polls_total", &[("http_route", "/block")]),
        1.0
    );
    assert_eq!(harness.current_trace_id(), None);
}

#[test]
fn two_monitors_are_independent() {
    let (a, b) = (Harness::new(), Harness::new());
    let inner = Router::new()
        .route("/inner", get(|| async { tracing::info!("from inside") }))
        .layer(b.layer());
    let outer = Router::new()
        .route(
            "/outer",
            get(move || {
                let inner = inner.clone();
                async move { inner.oneshot(get_request("/inner")).await.unwrap() }
            }),
        )
        .layer(a.layer());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .build()
                    .unwrap();
                runtime.block_on(async {
                    for _ in 0..500 {
                        send(&outer, get_request("/outer")).await;
                    }
                });
            });
        }
    });
    for (harness, route) in [(&a, "/outer"), (&b, "/inner")] {
        let page = harness.page();
        assert_eq!(page.sum(COUNT, &[]), 1000.0);
        assert_eq!(page.sum(COUNT, &[("http_route", route)]), 1000.0);
        let lines = json_lines(harness);
        assert_eq!(lines.len(), 1000);
        assert!(lines.iter().all(|line| line["http.route"] == route));
        let ids: std::collections::HashSet<_> = lines
            .iter()
            .map(|line| line["trace_id"].as_str().unwrap())
            .collect();
        assert_eq!(ids.len(), 1000);
    }
}

#[tokio::test]
async fn a_handler_extracts_the_monitor_of_its_request() {
    let (inner, outer) = (Harness::new(), Harness::new());
    let count = |monitor: &Monitor| monitor.metrics().counter("handled").build().add(1);
    let handler = move |monitor: Monitor| async move {
        tokio::task::yield_now().await;
        count(&monitor);
    };
    let nested = Router::new().route("/", get(handler)).layer(inner.layer());
    let app = Router::new()
        .nest("/inner", nested)
        .route("/outer", get(handler))
        .layer(outer.layer());
    for path in ["/inner", "/outer", "/outer"] {
        assert_eq!(send(&app, get_request(path)).await.status, 200);
    }
    assert_eq!(inner.page().sum("handled_total", &[]), 1.0);
    assert_eq!(outer.page().sum("handled_total", &[]), 2.0);
    // Without a layer there is no monitor, and the handler is not called.
    let bare = Router::new().route("/", get(handler));
    let response = send(&bare, get_request("/")).await;
    assert_eq!(response.status, 500);
    assert!(
        response.body.contains(".layer(monitor.layer())"),
        "{}",
        response.body
    );
    assert!(Monitor::current().is_none());
}
