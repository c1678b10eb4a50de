//! OpenTelemetry's semantic conventions for HTTP: server spans and request methods.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Method, Request};
use axum::routing::any;
use tower::ServiceExt;
use watchpost::testing::Harness;
use watchpost::trace::{AttributeValue as Value, Span, SpanStatus};

use crate::support::{json_lines, send};

const COUNT: &str = "http_server_request_duration_seconds_count";

fn app(harness: &Harness) -> Router {
    Router::new()
        .route("/users/{id}", any(|| async { "user" }))
        .route("/fail", any(|| async { http::StatusCode::BAD_GATEWAY }))
        .layer(harness.layer())
}

/// The span of a request from 10.0.0.1, once the worker has it.
async fn root(harness: &Harness, mut request: Request<Body>) -> Span {
    let peer: SocketAddr = "10.0.0.1:4711".parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(peer));
    let response = send(&app(harness), request).await;
    let id = response.headers["x-trace-id"].to_str().unwrap();
    assert!(harness.flush(std::time::Duration::from_secs(10)).await);
    let trace = harness.recent_trace(id.parse().unwrap());
    trace
        .unwrap()
        .spans
        .into_iter()
        .find(|span| span.is_root)
        .unwrap()
}

fn text<'a>(span: &'a Span, key: &str) -> Option<&'a str> {
    let found = span.attributes.iter().find(|(have, _)| have == key);
    match found.map(|(_, value)| value) {
        Some(Value::Str(text)) => Some(text),
        _ => None,
    }
}

fn number(span: &Span, key: &str) -> Option<i64> {
    let found = span.attributes.iter().find(|(have, _)| have == key);
    match found.map(|(_, value)| value) {
        Some(Value::I64(number)) => Some(*number),
        _ => None,
    }
}

#[tokio::test]
async fn server_spans_have_the_server_address_of_the_request() {
    // The target of the request, its headers, and the attributes of the span.
    type Case = (
        &'static str,
        &'static [(&'static str, &'static str)],
        Option<&'static str>,
        Option<i64>,
    );
    let cases: [Case; 12] = [
        (
            "/users/1",
            &[("host", "shop.test")],
            Some("shop.test"),
            None,
        ),
        (
            "/users/1",
            &[("host", "shop.test:8080")],
            Some("shop.test"),
            Some(8080),
        ),
        ("/users/1", &[("host", "[::1]:80")], Some("::1"), Some(80)),
        ("/users/1", &[], None, None),
        // The authority of HTTP/2 takes precedence over a header.
        (
            "http://shop.test:81/users/1",
            &[("host", "other.test")],
            Some("shop.test"),
            Some(81),
        ),
        (
            "http://me:secret@shop.test/users/1",
            &[],
            Some("shop.test"),
            None,
        ),
        // Invalid names.
        ("/users/1", &[("host", "shop test")], None, None),
        ("/users/1", &[("host", "shop.test:99999")], None, None),
        ("/users/1", &[("host", "\"><script>")], None, None),
        // Headers of untrusted peers are ignored.
        (
            "/users/1",
            &[("host", "shop.test"), ("x-forwarded-host", "evil.test")],
            Some("shop.test"),
            None,
        ),
        (
            "/users/1",
            &[("host", "shop.test"), ("forwarded", "host=evil.test")],
            Some("shop.test"),
            None,
        ),
        ("/fail", &[("host", "shop.test")], Some("shop.test"), None),
    ];
    let harness = Harness::new();
    for (target, headers, address, port) in cases {
        let mut request = Request::get(target).body(Body::empty()).unwrap();
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        let span = root(&harness, request).await;
        assert_eq!(
            text(&span, "server.address"),
            address,
            "{target} {headers:?}"
        );
        assert_eq!(number(&span, "server.port"), port, "{target} {headers:?}");
        assert_eq!(text(&span, "network.peer.address"), Some("10.0.0.1"));
        assert_eq!(text(&span, "client.address"), Some("10.0.0.1"));
        // The status is sufficient.
        assert_eq!(span.status_message, "");
        let failed = target == "/fail";
        assert_eq!(span.status == SpanStatus::Error, failed);
    }
    let page = harness.metrics().render();
    assert!(!page.contains(".test"), "{page}");
    assert!(
        json_lines(&harness)
            .iter()
            .all(|line| line.get("server.address").is_none())
    );
}

#[tokio::test]
async fn a_trusted_proxy_sets_the_server_address() {
    let harness = Harness::with(|builder| {
        let file =
            std::env::temp_dir().join(format!("watchpost-proxy-{}.toml", std::process::id()));
        std::fs::write(&file, "[http]\ntrusted_proxies = [\"10.0.0.0/8\"]\n").unwrap();
        builder.file(file)
    });
    for (headers, address, port, client) in [
        (
            &[
                ("x-forwarded-host", "shop.test:444"),
                ("x-forwarded-for", "192.0.2.9"),
            ][..],
            "shop.test",
            Some(444),
            "192.0.2.9",
        ),
        (
            &[("forwarded", "for=192.0.2.9;host=\"shop.test:444\"")],
            "shop.test",
            Some(444),
            "192.0.2.9",
        ),
        (
            &[("x-forwarded-host", "shop.test, inner.test")],
            "shop.test",
            None,
            "10.0.0.1",
        ),
        (&[("x-forwarded-host", "")], "inside.test", None, "10.0.0.1"),
        (
            &[("forwarded", "for=192.0.2.9")],
            "inside.test",
            None,
            "192.0.2.9",
        ),
    ] {
        let mut request = Request::get("/users/1")
            .header("host", "inside.test")
            .body(Body::empty())
            .unwrap();
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        let span = root(&harness, request).await;
        assert_eq!(text(&span, "server.address"), Some(address), "{headers:?}");
        assert_eq!(number(&span, "server.port"), port, "{headers:?}");
        assert_eq!(text(&span, "client.address"), Some(client), "{headers:?}");
        assert_eq!(text(&span, "network.peer.address"), Some("10.0.0.1"));
    }
}

#[tokio::test]
async fn an_unknown_method_is_on_span_and_log_record_and_no_label() {
    let usual = Harness::new();
    let own = Harness::with(|builder| {
        let file =
            std::env::temp_dir().join(format!("watchpost-method-{}.toml", std::process::id()));
        std::fs::write(&file, "[http]\nknown_methods = [\"GET\", \"PROPFIND\"]\n").unwrap();
        builder.file(file)
    });
    let long = "M".repeat(2_000);
    for (harness, sent, label, original) in [
        (&usual, "GET", "GET", None),
        (&usual, "QUERY", "QUERY", None),
        (&usual, "PROPFIND", "_OTHER", Some("PROPFIND")),
        (&usual, "get", "_OTHER", Some("get")),
        (&usual, "_OTHER", "_OTHER", Some("_OTHER")),
        (&usual, &long, "_OTHER", Some(&long[..64])),
        (&own, "GET", "GET", None),
        (&own, "PROPFIND", "PROPFIND", None),
        (&own, "POST", "_OTHER", Some("POST")),
        (&own, "HEAD", "_OTHER", Some("HEAD")),
    ] {
        let method = Method::from_bytes(sent.as_bytes()).unwrap();
        let request = Request::builder()
            .method(method)
            .uri("/users/1")
            .body(Body::empty())
            .unwrap();
        let span = root(harness, request).await;
        assert_eq!(text(&span, "http.request.method"), Some(label), "{sent}");
        assert_eq!(
            text(&span, "http.request.method_original"),
            original,
            "{sent}"
        );
        let shown = if label == "_OTHER" { "HTTP" } else { label };
        assert_eq!(span.name, format!("{shown} /users/{{id}}"));
        let lines = json_lines(harness);
        let line = lines.last().unwrap();
        assert_eq!(line["http.request.method"], label);
        let original = original.map(serde_json::Value::from).unwrap_or_default();
        assert_eq!(line["http.request.method_original"], original, "{sent}");
        let labels = [("http_request_method", label)];
        assert!(harness.page().sum(COUNT, &labels) >= 1.0, "{sent}");
    }
    let active = usual.page();
    let active = active.samples("http_server_active_requests", &[]);
    assert!(
        active
            .into_iter()
            .all(|sample| sample.value == 0.0 && sample.labels.len() == 2)
    );
}

#[tokio::test]
async fn a_head_request_has_no_response_body_size() {
    let harness = Harness::with(|builder| {
        let file = std::env::temp_dir().join(format!("watchpost-head-{}.toml", std::process::id()));
        std::fs::write(&file, "[http]\nknown_methods = [\"GET\"]\n").unwrap();
        builder.file(file)
    });
    let request = Request::head("/users/1").body(Body::empty()).unwrap();
    drop(app(&harness).oneshot(request).await.unwrap());
    let labels = [("watchpost_outcome", "completed")];
    assert_eq!(harness.page().sum(COUNT, &labels), 1.0);
}

#[tokio::test]
async fn client_spans_have_no_error_description_beside_a_status_code() {
    let harness = Harness::new();
    let shop = harness.external("shop");
    let call = |method: &'static str| shop.call(method, "http://127.0.0.1:9/orders");
    let job = harness.span("job");
    let id = job
        .run(async {
            call("GET").status(200).finish();
            call("PUT").status(404).finish();
            call("POST").status(503).finish();
            call("PURGE").status(200).finish();
            call("no method").status(200).finish();
            call("DELETE").time_out();
            call("PATCH").fail(&std::fmt::Error);
            harness.current_trace_id()
        })
        .await;
    assert!(harness.flush(std::time::Duration::from_secs(10)).await);
    let trace = harness.recent_trace(id.unwrap()).unwrap();
    let of = |name: &str| {
        let mut spans = trace.spans.iter().filter(|span| span.name == name);
        spans.next().unwrap()
    };
    for (name, status, description) in [
        ("GET", SpanStatus::Unset, ""),
        ("PUT", SpanStatus::Error, ""),
        ("POST", SpanStatus::Error, ""),
        ("DELETE", SpanStatus::Error, "timeout"),
        ("PATCH", SpanStatus::Error, "core::fmt::Error"),
    ] {
        let span = of(name);
        assert_eq!(
            (span.status, &*span.status_message),
            (status, description),
            "{name}"
        );
        assert_eq!(text(span, "service.peer.name"), Some("shop"));
        assert_eq!(text(span, "http.request.method_original"), None);
    }
    let others = trace.spans.iter().filter(|span| span.name == "HTTP");
    let originals: Vec<_> = others
        .map(|span| text(span, "http.request.method_original").unwrap())
        .collect();
    assert_eq!(originals, ["PURGE", "no method"]);
    let page = harness.metrics().render();
    assert!(
        !page.contains("PURGE") && !page.contains("peer_service="),
        "{page}"
    );
}
