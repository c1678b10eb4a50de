//! gRPC calls: their outcome, their method and their failures.

use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Bytes;
use serde_json::Value;
use tower::{Layer, ServiceExt};
use watchpost::EndpointLayer;
use watchpost::testing::{Harness, Page};
use watchpost::trace::{AttributeValue, Span, SpanStatus};

use crate::support::{json_lines, respond};

const HTTP: &str = "http_server_request_duration_seconds_count";
const RPC: &str = "rpc_server_call_duration_seconds_count";
const ADD: &str = "/shop.Cart/Add";

fn call(path: &str) -> Request<Body> {
    call_of(path, "application/grpc")
}

fn call_of(path: &str, kind: &str) -> Request<Body> {
    let request = Request::post(path).header("content-type", kind);
    request.body(Body::empty()).unwrap()
}

/// A response of frames.
fn frames(kind: &str, frames: Vec<Frame<Bytes>>) -> Response<Body> {
    let frames = frames.into_iter().map(Ok::<_, Infallible>);
    let body = StreamBody::new(futures_util::stream::iter(frames));
    let response = Response::builder().header("content-type", kind);
    response.body(Body::new(body)).unwrap()
}

fn data(bytes: &[u8]) -> Frame<Bytes> {
    Frame::data(Bytes::copy_from_slice(bytes))
}

fn trailers(name: &'static str, value: &str) -> Frame<Bytes> {
    let mut trailers = HeaderMap::new();
    trailers.insert(name, value.parse().unwrap());
    Frame::trailers(trailers)
}

/// A message, then a status in the trailers.
fn ended(status: &str) -> Response<Body> {
    let all = vec![data(&[0; 7]), trailers("grpc-status", status)];
    frames("application/grpc", all)
}

/// A status in the headers, and no body.
fn refused(status: &str) -> Response<Body> {
    let response = Response::builder().header("content-type", "application/grpc");
    let response = response.header("grpc-status", status);
    response.body(Body::empty()).unwrap()
}

/// A harness that has confirmed the method `ADD`.
async fn with_known_method() -> Harness {
    let harness = Harness::with(|builder| builder.trace_ratio(1.0));
    respond(&harness.layer(), call(ADD), ended("0")).await;
    harness
}

fn methods(page: &Page) -> Vec<String> {
    let mut methods: Vec<_> = page
        .samples(RPC, &[])
        .map(|sample| sample.labels["rpc_method"].clone())
        .collect();
    methods.sort();
    methods.dedup();
    methods
}

fn last(harness: &Harness) -> Value {
    json_lines(harness).pop().unwrap()
}

async fn root(harness: &Harness) -> Span {
    assert!(harness.flush(Duration::from_secs(10)).await);
    let record = last(harness);
    let id = record["trace_id"].as_str().unwrap();
    let trace: watchpost::TraceId = id.parse().unwrap();
    let trace = harness.recent_trace(trace).unwrap();
    trace.spans.into_iter().find(|span| span.is_root).unwrap()
}

fn text<'a>(span: &'a Span, key: &str) -> Option<&'a str> {
    let found = span.attributes.iter().find(|(have, _)| have == key);
    match found.map(|(_, value)| value) {
        Some(AttributeValue::Str(text)) => Some(text),
        _ => None,
    }
}

#[tokio::test]
async fn each_status_has_a_series_and_the_servers_errors_are_failures() {
    let names = [
        ("0", "OK", false),
        ("1", "CANCELLED", false),
        ("2", "UNKNOWN", true),
        ("3", "INVALID_ARGUMENT", false),
        ("4", "DEADLINE_EXCEEDED", true),
        ("5", "NOT_FOUND", false),
        ("6", "ALREADY_EXISTS", false),
        ("7", "PERMISSION_DENIED", false),
        ("8", "RESOURCE_EXHAUSTED", false),
        ("9", "FAILED_PRECONDITION", false),
        ("10", "ABORTED", false),
        ("11", "OUT_OF_RANGE", false),
        ("12", "UNIMPLEMENTED", true),
        ("13", "INTERNAL", true),
        ("14", "UNAVAILABLE", true),
        ("15", "DATA_LOSS", true),
        ("16", "UNAUTHENTICATED", false),
    ];
    let harness = with_known_method().await;
    for (code, name, failed) in names {
        for response in [ended(code), refused(code)] {
            respond(&harness.layer(), call(ADD), response).await;
            let record = last(&harness);
            assert_eq!(record["rpc.system.name"], "grpc");
            assert_eq!(record["rpc.method"], "shop.Cart/Add");
            assert_eq!(record["rpc.response.status_code"], name);
            assert_eq!(record["level"], if failed { "ERROR" } else { "INFO" });
            let error = failed.then_some(name);
            assert_eq!(record["error.type"].as_str(), error);
            let message = record["message"].as_str().unwrap();
            assert!(
                message.starts_with(&format!("POST {ADD} {name} ")),
                "{message}"
            );
            let span = root(&harness).await;
            assert_eq!(span.name, "shop.Cart/Add");
            assert_eq!(span.status == SpanStatus::Error, failed, "{name}");
            assert_eq!(text(&span, "rpc.system.name"), Some("grpc"));
            assert_eq!(text(&span, "rpc.method"), Some("shop.Cart/Add"));
            assert_eq!(text(&span, "rpc.method_original"), None);
            assert_eq!(text(&span, "rpc.response.status_code"), Some(name));
            assert_eq!(text(&span, "error.type"), error);
        }
        let page = harness.page();
        let labels = [
            ("rpc_system_name", "grpc"),
            ("rpc_method", "shop.Cart/Add"),
            ("rpc_response_status_code", name),
        ];
        let calls = if name == "OK" { 3.0 } else { 2.0 };
        assert_eq!(page.sum(RPC, &labels), calls, "{name}");
        for sample in page.samples(RPC, &labels) {
            let error = sample.labels.get("error_type").map(String::as_str);
            assert_eq!(error, failed.then_some(name));
        }
    }
    // The series are bounded for any value.
    for n in 0..500 {
        respond(&harness.layer(), call(ADD), ended(&n.to_string())).await;
    }
    let page = harness.page();
    assert_eq!(page.samples(RPC, &[]).count(), 17);
    assert_eq!(page.sum(RPC, &[]), page.sum(HTTP, &[]));
}

#[tokio::test]
async fn http_traffic_has_no_series_of_calls() {
    let harness = Harness::new();
    let layer = harness.layer();
    let plain = || Response::new(Body::from("plain"));
    let request = Request::get("/").body(Body::empty()).unwrap();
    respond(&layer, request, plain()).await;
    // Nor has a request that only has the content type of a call.
    respond(&layer, call("/a.B/C"), plain()).await;
    let page = harness.metrics().render();
    assert!(!page.contains("rpc_"), "{page}");
    for record in json_lines(&harness) {
        assert_eq!(record["rpc.system.name"], Value::Null, "{record}");
    }
}

#[tokio::test]
async fn a_known_method_keeps_its_route_however_its_call_ends() {
    let harness = with_known_method().await;
    let layer = harness.layer();
    // It panics.
    let panics = tower::service_fn(|_: Request<Body>| async {
        if true {
            std::panic::resume_unwind(Box::new("planned"));
        }
        Ok::<_, Infallible>(Response::new(Body::empty()))
    });
    let service = layer.layer(panics);
    let task = tokio::spawn(service.oneshot(call(ADD)));
    assert!(task.await.unwrap_err().is_panic());
    // A timeout outside of the layer drops it.
    let hangs = tower::service_fn(|_: Request<Body>| async {
        pending::<()>().await;
        Ok::<_, Infallible>(Response::new(Body::empty()))
    });
    let mut waiting = Box::pin(layer.layer(hangs).oneshot(call(ADD)));
    assert!(futures_util::poll!(&mut waiting).is_pending());
    let in_flight = harness.in_flight();
    assert_eq!(in_flight.len(), 1);
    assert_eq!(&*in_flight[0].route, ADD);
    drop(waiting);
    // It gives an error.
    let fails = tower::service_fn(|_: Request<Body>| async {
        Err::<Response<Body>, _>(std::io::Error::other("planned"))
    });
    drop(layer.layer(fails).oneshot(call(ADD)).await.unwrap_err());
    let page = harness.page();
    assert_eq!(page.sum(HTTP, &[("http_route", "_unmatched")]), 0.0);
    for (outcome, error) in [
        ("panicked", Some("panicked")),
        ("cancelled", None),
        ("failed", Some("failed")),
    ] {
        let labels = [("http_route", ADD), ("watchpost_outcome", outcome)];
        assert_eq!(page.sum(HTTP, &labels), 1.0, "{outcome}");
        if let Some(error) = error {
            assert_eq!(page.sum(RPC, &[("error_type", error)]), 1.0, "{outcome}");
        }
    }
    // None of them has a status.
    let without: f64 = page
        .samples(RPC, &[])
        .filter(|sample| !sample.labels.contains_key("rpc_response_status_code"))
        .map(|sample| sample.value)
        .sum();
    assert_eq!(without, 3.0);
    assert_eq!(methods(&page), ["shop.Cart/Add"]);
}

#[tokio::test]
async fn a_stream_shows_its_method_with_its_first_message() {
    for (kind, message) in [
        ("application/grpc", web(0, b"m")),
        ("application/grpc", web(1, b"")),
        ("application/grpc-web", web(0, b"m")),
    ] {
        let harness = Harness::new();
        let first = Frame::data(Bytes::from(message));
        let first = futures_util::stream::iter([Ok::<_, Infallible>(first)]);
        let stream = futures_util::StreamExt::chain(first, futures_util::stream::pending());
        let mut body = Some(Body::new(StreamBody::new(stream)));
        let service = tower::service_fn(move |_: Request<Body>| {
            let response = Response::builder().header("content-type", kind);
            let response = response.body(body.take().unwrap()).unwrap();
            async { Ok::<_, Infallible>(response) }
        });
        let service = harness.layer().layer(service);
        let mut response = service.oneshot(call_of(ADD, kind)).await.unwrap();
        assert_eq!(&*harness.in_flight()[0].route, "_unmatched");
        drop(response.body_mut().frame().await);
        assert_eq!(&*harness.in_flight()[0].route, ADD);
        // The client disconnects, as clients of endless streams do.
        drop(response);
        let labels = [("http_route", ADD), ("watchpost_outcome", "body_dropped")];
        assert_eq!(harness.page().sum(HTTP, &labels), 1.0);
    }
}

#[tokio::test]
async fn a_long_poll_of_a_known_method_has_its_route() {
    let harness = std::sync::Arc::new(with_known_method().await);
    let blocked = std::sync::Arc::clone(&harness);
    let blocks = tower::service_fn(move |_: Request<Body>| {
        let blocked = std::sync::Arc::clone(&blocked);
        async move {
            blocked.advance(Duration::from_secs(5));
            Ok::<_, Infallible>(ended("0"))
        }
    });
    let service = harness.layer().layer(blocks);
    let response = service.oneshot(call(ADD)).await.unwrap();
    drop(response.into_body().collect().await);
    let page = harness.page();
    assert_eq!(page.sum("watchpost_long_polls_total", &[]), 1.0);
    let labels = [("http_route", ADD)];
    assert_eq!(page.sum("watchpost_long_polls_total", &labels), 1.0);
}

#[tokio::test]
async fn a_scan_of_unknown_methods_has_one_series_and_no_failures() {
    let harness = with_known_method().await;
    let layer = harness.layer();
    for n in 0..1000 {
        let path = format!("/scan.S{n}/Method");
        respond(&layer, call(&path), refused("12")).await;
        if n == 0 {
            let record = last(&harness);
            assert_eq!(record["level"], "INFO");
            assert_eq!(record["rpc.method"], "_OTHER");
            let span = root(&harness).await;
            assert_eq!((&*span.name, span.status), ("grpc", SpanStatus::Unset));
            assert_eq!(text(&span, "rpc.method"), Some("_OTHER"));
            assert_eq!(text(&span, "rpc.method_original"), Some("scan.S0/Method"));
        }
    }
    respond(&layer, call(ADD), refused("12")).await;
    assert_eq!(last(&harness)["level"], "ERROR");
    let page = harness.page();
    let scan = [("rpc_method", "_OTHER")];
    assert_eq!(page.samples(RPC, &scan).count(), 1);
    let scan = [
        ("rpc_method", "_OTHER"),
        ("rpc_response_status_code", "UNIMPLEMENTED"),
    ];
    assert_eq!(page.sum(RPC, &scan), 1000.0);
    let known = [
        ("rpc_method", "shop.Cart/Add"),
        ("error_type", "UNIMPLEMENTED"),
    ];
    assert_eq!(page.sum(RPC, &known), 1.0);
    assert_eq!(
        page.samples(HTTP, &[("http_route", "_unmatched")]).count(),
        1
    );
    assert_eq!(page.sum(HTTP, &[("error_type", "UNIMPLEMENTED")]), 1.0);
}

/// A frame of gRPC-Web.
fn web(flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&[flags], &length[..], payload].concat()
}

/// A case's name, the content type, the frames, and the status that is recorded.
type Ending = (
    &'static str,
    &'static str,
    Vec<Frame<Bytes>>,
    Option<&'static str>,
);

fn endings() -> [Ending; 16] {
    let grpc = "application/grpc";
    let binary = "application/grpc-web+proto";
    let message = web(0, b"message");
    let end = |status: &str| web(0x80, format!("grpc-status:{status}\r\n").as_bytes());
    let both = |status: &str| [message.clone(), end(status)].concat();
    // AAAAAAJoaQ== is the message `hi`, and gAAAAA9ncnBjLXN0YXR1czoxMw0K its end with status 13.
    let text = "application/grpc-web-text";
    [
        (
            "web, in its frame",
            binary,
            vec![data(&message), data(&end("13"))],
            Some("INTERNAL"),
        ),
        (
            "web, in one piece",
            binary,
            vec![data(&both("14"))],
            Some("UNAVAILABLE"),
        ),
        ("web, OK", binary, vec![data(&both("0"))], Some("OK")),
        (
            "web, unreadable",
            binary,
            vec![data(&both("x"))],
            Some("UNKNOWN"),
        ),
        (
            "web, without",
            binary,
            vec![data(&message)],
            Some("UNKNOWN"),
        ),
        (
            "web, cut",
            binary,
            vec![data(&both("0")[..14])],
            Some("UNKNOWN"),
        ),
        ("web, empty", binary, vec![], Some("UNKNOWN")),
        (
            "web, compressed",
            binary,
            vec![data(&web(0x81, b"zip"))],
            None,
        ),
        (
            "text",
            text,
            vec![data(b"AAAAAAJoaQ=="), data(b"gAAAAA9ncnBjLXN0YXR1czoxMw0K")],
            Some("INTERNAL"),
        ),
        (
            "text in odd pieces",
            text,
            vec![
                data(b"AAAAAAJoa"),
                data(b"Q==gAAAAA9ncnBjLXN0YXR1cz"),
                data(b"oxMw0K"),
            ],
            Some("INTERNAL"),
        ),
        (
            "text, without",
            text,
            vec![data(b"AAAAAAJoaQ==")],
            Some("UNKNOWN"),
        ),
        ("no trailers", grpc, vec![data(&message)], Some("UNKNOWN")),
        ("no body", grpc, vec![], Some("UNKNOWN")),
        (
            "trailers without",
            grpc,
            vec![data(&message), trailers("grpc-message", "x")],
            Some("UNKNOWN"),
        ),
        (
            "trailers unreadable",
            grpc,
            vec![data(&message), trailers("grpc-status", "rubbish")],
            Some("UNKNOWN"),
        ),
        (
            "no code of gRPC's",
            grpc,
            vec![data(&message), trailers("grpc-status", "99")],
            Some("UNKNOWN"),
        ),
    ]
}

#[tokio::test]
async fn a_failure_is_recorded_wherever_its_status_is_sent() {
    for (case, kind, all, status) in endings() {
        let harness = with_known_method().await;
        respond(&harness.layer(), call_of(ADD, kind), frames(kind, all)).await;
        let record = last(&harness);
        assert_eq!(
            record["rpc.response.status_code"].as_str(),
            status,
            "{case}"
        );
        let failed = status.is_some_and(|status| status != "OK");
        assert_eq!(
            record["level"],
            if failed { "ERROR" } else { "INFO" },
            "{case}"
        );
        assert_eq!(
            record["error.type"].as_str(),
            status.filter(|_| failed),
            "{case}"
        );
        assert_eq!(record["watchpost.outcome"], "completed", "{case}");
        let page = harness.page();
        assert_eq!(page.sum(RPC, &[]), 2.0, "{case}");
    }
}

/// A middleware rejects a call with an HTTP status that clients map to a gRPC status other than UNKNOWN.
#[tokio::test]
async fn a_rejection_by_http_status_is_no_failure_of_the_service() {
    for status in [401, 403, 429] {
        let harness = with_known_method().await;
        let mut response = frames("application/grpc", vec![data(b"no")]);
        *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
        respond(&harness.layer(), call(ADD), response).await;
        let record = last(&harness);
        assert_eq!(record["http.response.status_code"], status);
        assert!(record["rpc.response.status_code"].is_null(), "{record}");
        assert!(record["error.type"].is_null(), "{record}");
        assert_eq!(record["level"], "INFO", "{record}");
    }
}

#[tokio::test]
async fn grpc_web_shows_its_methods() {
    let kind = "application/grpc-web";
    for (body, shows) in [
        (web(0x80, b"grpc-status:0\r\n"), true),
        (
            [web(0, b"m"), web(0x80, b"grpc-status:5\r\n")].concat(),
            true,
        ),
        (web(0x80, b"grpc-status:5\r\n"), false),
        (
            [web(0, b""), web(0x80, b"grpc-status:5\r\n")].concat(),
            false,
        ),
        (web(0x80, b"grpc-status:12\r\n"), false),
        (web(0, b"m"), true),
        (web(0, b""), false),
    ] {
        let harness = Harness::new();
        // A body of known length is read as well.
        for known_length in [false, true] {
            let response = if known_length {
                let response = Response::builder().header("content-type", kind);
                response.body(Body::from(body.clone())).unwrap()
            } else {
                frames(kind, vec![data(&body)])
            };
            respond(&harness.layer(), call_of(ADD, kind), response).await;
        }
        let route = if shows { ADD } else { "_unmatched" };
        let page = harness.page();
        assert_eq!(page.sum(HTTP, &[("http_route", route)]), 2.0, "{body:?}");
    }
}

#[tokio::test]
async fn a_body_that_is_dropped_or_breaks_has_no_status() {
    let harness = with_known_method().await;
    let kind = "application/grpc-web";
    for kind in ["application/grpc", kind] {
        let body = Body::from_stream(futures_util::stream::iter([
            Ok(Bytes::from_static(&[0, 0, 0, 0, 1, 7])),
            Err(std::io::Error::other("planned")),
        ]));
        let response = Response::builder().header("content-type", kind);
        let response = response.body(body).unwrap();
        respond(&harness.layer(), call_of(ADD, kind), response).await;
        let record = last(&harness);
        assert_eq!(record["watchpost.outcome"], "body_error");
        assert_eq!(record["error.type"], "body_error");
        assert_eq!(record["rpc.response.status_code"], Value::Null);
        let response = frames(kind, vec![data(&[0; 6]), data(&[0; 6])]);
        let mut response = Some(response);
        let service = tower::service_fn(move |_: Request<Body>| {
            let response = response.take().unwrap();
            async { Ok::<_, Infallible>(response) }
        });
        let service = harness.layer().layer(service);
        let mut response = service.oneshot(call_of(ADD, kind)).await.unwrap();
        drop(response.body_mut().frame().await);
        drop(response);
        let record = last(&harness);
        assert_eq!(record["watchpost.outcome"], "body_dropped");
        assert_eq!(record["error.type"], Value::Null);
        assert_eq!(record["rpc.response.status_code"], Value::Null);
    }
}

/// A router like that of tonic's `Routes`: one pattern for all methods of a service.
fn routes(harness: &Harness, layer: EndpointLayer) -> Router {
    let _ = harness;
    let service = |request: Request<Body>| async move {
        match request.uri().path() {
            "/shop.Cart/Add" => ended("0"),
            "/shop.Cart/Fail" => ended("13"),
            "/shop.Cart/Refuse" => refused("16"),
            _ => refused("12"),
        }
    };
    Router::new()
        .route("/shop.Cart/{*rest}", axum::routing::any(service))
        .route("/files/{*rest}", axum::routing::any(|| async { "file" }))
        .layer(layer)
}

#[tokio::test]
async fn the_method_replaces_the_pattern_of_a_service_as_route() {
    let harness = Harness::new();
    let app = routes(&harness, harness.layer());
    let send = async |path: &str| {
        let response = app.clone().oneshot(call(path)).await.unwrap();
        drop(response.into_body().collect().await);
    };
    for path in [
        ADD,
        ADD,
        "/shop.Cart/Fail",
        "/shop.Cart/Refuse",
        "/shop.Cart/None",
        "/files/a",
    ] {
        send(path).await;
    }
    let get = Request::get(ADD).body(Body::empty()).unwrap();
    drop(app.clone().oneshot(get).await.unwrap());
    let page = harness.page();
    for (route, count) in [
        (ADD, 2.0),
        ("/shop.Cart/Fail", 1.0),
        ("/shop.Cart/{*rest}", 3.0),
        ("/files/{*rest}", 1.0),
    ] {
        assert_eq!(page.sum(HTTP, &[("http_route", route)]), count, "{route}");
    }
    assert_eq!(
        methods(&page),
        ["_OTHER", "shop.Cart/Add", "shop.Cart/Fail"]
    );
    // An unknown method of a known service is a scan too.
    assert_eq!(page.sum(HTTP, &[("error_type", "UNIMPLEMENTED")]), 0.0);
    for n in 0..300 {
        send(&format!("/shop.Cart/M{n}")).await;
    }
    assert_eq!(methods(&harness.page()).len(), 3);

    let harness = Harness::new();
    let layer = harness.layer().route(|_| None);
    let app = routes(&harness, layer);
    drop(
        app.oneshot(call(ADD))
            .await
            .unwrap()
            .into_body()
            .collect()
            .await,
    );
    let page = harness.page();
    assert_eq!(page.sum(HTTP, &[("http_route", "/shop.Cart/{*rest}")]), 1.0);
    assert_eq!(methods(&page), ["_OTHER"]);
}

#[tokio::test]
async fn a_route_that_is_a_method_is_used_at_once_and_hooks_see_the_status() {
    let harness = Harness::new();
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let notes = std::sync::Arc::clone(&seen);
    let layer = harness
        .layer()
        .on_end(move |end, _| notes.lock().unwrap().push(end.grpc_status));
    let app = Router::new()
        .route(ADD, axum::routing::any(|| async { refused("12") }))
        .route("/plain", axum::routing::any(|| async { "plain" }))
        .layer(layer);
    for request in [call(ADD), call("/plain")] {
        let response = app.clone().oneshot(request).await.unwrap();
        drop(response.into_body().collect().await);
    }
    assert_eq!(*seen.lock().unwrap(), [Some("UNIMPLEMENTED"), None]);
    let page = harness.page();
    let labels = [
        ("rpc_method", "shop.Cart/Add"),
        ("error_type", "UNIMPLEMENTED"),
    ];
    assert_eq!(page.sum(RPC, &labels), 1.0);
    assert_eq!(page.sum(RPC, &[]), 1.0);
}

#[tokio::test]
async fn a_hook_finds_the_peer_address_and_trusted_proxies_apply_to_it() {
    #[derive(Clone)]
    struct Connected(Option<SocketAddr>);
    for (peer, client) in [
        (Some("10.0.0.1:50051"), Some("198.51.100.7")),
        (Some("192.0.2.1:50051"), Some("192.0.2.1")),
        // A Unix socket.
        (None, None),
    ] {
        let harness = Harness::new();
        let layer = harness
            .layer()
            .trusted_proxies(["10.0.0.0/8".parse().unwrap()])
            .peer_addr(|extensions| extensions.get::<Connected>()?.0);
        let mut request = call(ADD);
        let headers = request.headers_mut();
        headers.insert("x-forwarded-for", "198.51.100.7".parse().unwrap());
        let peer = peer.map(|peer| peer.parse().unwrap());
        request.extensions_mut().insert(Connected(peer));
        respond(&layer, request, ended("0")).await;
        assert_eq!(last(&harness)["client.address"].as_str(), client);
    }
    // A hook that panics changes nothing.
    let harness = Harness::new();
    let layer = harness
        .layer()
        .peer_addr(|_| std::panic::resume_unwind(Box::new("planned")));
    respond(&layer, call(ADD), ended("0")).await;
    assert_eq!(last(&harness)["client.address"], Value::Null);
}
