//! No input makes a record too large: every text is cut to its limit when it is copied, and shortened records are marked.

use std::fmt;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderName, Request, StatusCode};
use axum::routing::get;
use opentelemetry::trace::{Span as _, SpanContext, Status, Tracer, TracerProvider};
use opentelemetry::{Array, KeyValue, StringValue, Value as OtelValue};
use serde_json::Value as Json;
use tracing_subscriber::prelude::*;
use watchpost::db::DbSystem;
use watchpost::testing::Harness;
use watchpost::trace::{AttributeValue as Value, Span, SpanBackend, SpanStatus};
use watchpost::{DropReason, KeepReason, Level, RecordKind, TraceId};

use crate::support::{attribute, json_lines, send};

const PATIENCE: Duration = Duration::from_secs(10);
/// More bytes than a record may have.
const HUGE: usize = 100_000;

fn harness(spans: SpanBackend) -> Harness {
    Harness::in_real_time(|builder| {
        builder
            .spans(spans)
            .trace_ratio(0.0)
            .max_traces_per_second(100_000)
    })
}

fn listen(harness: &Harness) -> tracing::subscriber::DefaultGuard {
    let subscriber = tracing_subscriber::registry()
        .with(harness.tracing_layer())
        .with(harness.otel().tracing_layer());
    tracing::subscriber::set_default(subscriber)
}

fn huge() -> String {
    "x".repeat(HUGE)
}

/// Texts that become longer when they are escaped, or shorter when they are scrubbed.
fn texts() -> [String; 5] {
    [
        huge(),
        "é".repeat(HUGE / 2),
        "\u{1}\"\\".repeat(HUGE / 3),
        "password=hunter2 ".repeat(HUGE / 16),
        format!("{} AKIAIOSFODNN7EXAMPLE", "word ".repeat(HUGE / 5)),
    ]
}

/// Checks that no record was dropped as too large and each is delivered.
fn none_is_lost(harness: &Harness) {
    for signal in [
        RecordKind::Request,
        RecordKind::Log,
        RecordKind::Error,
        RecordKind::Span,
    ] {
        let totals = harness.totals(signal);
        assert_eq!(totals.dropped(DropReason::TooLarge), 0, "{signal:?}");
        assert_eq!(totals.dropped_total(), 0, "{signal:?}: {totals:?}");
    }
    for line in harness.lines() {
        assert!(line.len() <= 16 * 1024, "{} bytes", line.len());
    }
}

fn is_marked(span: &Span) -> bool {
    attribute(span, "watchpost.truncated") == Some(&Value::Bool(true))
}

/// The log record and the root span of the request with this trace; the request has status 500.
async fn failed(harness: &Harness, trace: &str) -> (Json, Span) {
    assert!(harness.flush(PATIENCE).await);
    let id: TraceId = trace.parse().unwrap();
    let trace_of = harness.recent_trace(id).expect("a 500 has its trace");
    assert_eq!(trace_of.kept, KeepReason::Error);
    let mut spans = trace_of.spans.into_iter();
    let root = spans.find(|span| span.is_root).unwrap();
    let records = json_lines(harness);
    let mut records = records.into_iter();
    let is_it = |record: &Json| record["trace_id"] == trace && record.get("duration_ms").is_some();
    let record = records.find(is_it).expect("a 500 has its log record");
    assert_eq!(record["http.response.status_code"], 500);
    (record, root)
}

fn failing(harness: &Harness) -> Router {
    Router::new()
        .route("/{*rest}", get(async || StatusCode::INTERNAL_SERVER_ERROR))
        .layer(harness.layer().user(|_| Some("u-7".to_owned())))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_cannot_prevent_the_record_of_its_request() {
    let harness = harness(SpanBackend::Watchpost);
    let app = failing(&harness);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = app.into_make_service_with_connect_info::<std::net::SocketAddr>();
    let server = tokio::spawn(async { axum::serve(listener, service).await });
    let ask = |path: usize, query: usize, agent: usize| {
        let mut client = TcpStream::connect(address).unwrap();
        let (path, query) = ("p".repeat(path), "q".repeat(query));
        let agent = "a".repeat(agent);
        write!(
            client,
            "GET /{path}?{query}=1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\nuser-agent: {agent}\r\n\r\n"
        )
        .unwrap();
        let mut response = String::new();
        client.read_to_string(&mut response).unwrap();
        assert!(response.starts_with("HTTP/1.1 500"), "{response}");
        let (_, rest) = response.split_once("x-trace-id: ").unwrap();
        rest[..32].to_owned()
    };
    for (path, query, agent) in [
        (30_000, 30_000, 100_000),
        (65_000, 10, 10),
        (10, 65_000, 10),
        (10, 10, 300_000),
        (4096, 4097, 4096),
        (32_000, 32_000, 300_000),
    ] {
        let trace = tokio::task::block_in_place(|| ask(path, query, agent));
        let (record, root) = failed(&harness, &trace).await;
        assert_eq!(record["truncated"], true, "{path} {query} {agent}");
        assert!(is_marked(&root), "{path} {query} {agent}");
        // The client address is recorded for any request.
        assert_eq!(record["client.address"], "127.0.0.1");
        assert_eq!(record["user.id"], "u-7");
        let length = |key: &str| record[key].as_str().unwrap().len();
        assert!(length("url.path") > 4000.min(path), "{path}");
        assert!(
            length("user_agent.original") > 2000.min(agent - 1),
            "{agent}"
        );
        assert!(length("url.path") <= 4096 && length("user_agent.original") <= 4096);
    }
    let trace = tokio::task::block_in_place(|| ask(100, 100, 100));
    let (record, root) = failed(&harness, &trace).await;
    assert_eq!(record.get("truncated"), None);
    assert!(!is_marked(&root));
    none_is_lost(&harness);
    server.abort();
}

#[tokio::test]
async fn hooks_and_headers_of_any_size_do_not_prevent_the_record() {
    for text in texts() {
        let harness = harness(SpanBackend::Watchpost);
        let names: Vec<_> = (0..20)
            .map(|n| HeaderName::try_from(format!("x-header-{n}")).unwrap())
            .collect();
        let (of_user, of_hook, of_route) = (text.clone(), text.clone(), text.clone());
        let layer = harness
            .layer()
            .allow_headers(names.clone())
            .user(move |_| Some(of_user.clone()))
            .route(move |_| Some(of_route.clone().into()))
            .on_request(move |_, attributes| {
                for n in 0..130 {
                    attributes.insert(format!("key{n}"), of_hook.clone());
                }
            })
            .on_end(|_, attributes| attributes.insert("key7", 7));
        let service =
            tower::ServiceBuilder::new()
                .layer(layer)
                .service_fn(async |_: Request<Body>| {
                    let mut response = axum::response::Response::new(Body::empty());
                    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                    Ok::<_, std::convert::Infallible>(response)
                });
        let mut request = Request::get("/");
        for name in names {
            request = request.header(name, "h".repeat(HUGE));
        }
        let request = request.body(Body::empty()).unwrap();
        let response = tower::ServiceExt::oneshot(service, request).await.unwrap();
        let trace = response.headers()["x-trace-id"]
            .to_str()
            .unwrap()
            .to_owned();
        drop(http_body_util::BodyExt::collect(response.into_body()).await);
        let (record, root) = failed(&harness, &trace).await;
        assert_eq!(record["truncated"], true);
        assert!(is_marked(&root));
        assert!(root.left_out > 100, "{}", root.left_out);
        assert_eq!(attribute(&root, "key7"), Some(&Value::I64(7)));
        none_is_lost(&harness);
    }
}

/// An error whose texts are huge, and its sources.
#[derive(Debug)]
struct Deep(String, u32, Option<Box<Self>>);

impl Deep {
    fn new(text: &str, depth: u32) -> Self {
        let below = depth.checked_sub(1);
        let source = below.map(|depth| Box::new(Self::new(text, depth)));
        Self(text.to_owned(), depth, source)
    }
}

impl fmt::Display for Deep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.1, self.0)
    }
}

impl std::error::Error for Deep {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.2.as_deref().map(|error| error as _)
    }
}

#[tokio::test]
async fn a_captured_error_with_every_text_at_its_limit_is_recorded() {
    for text in texts() {
        let harness = harness(SpanBackend::Watchpost);
        let _listening = listen(&harness);
        let (monitor, of_hook) = ((*harness).clone(), text.clone());
        let of_capture = text.clone();
        let app = Router::new()
            .route(
                "/{*rest}",
                get(async move || {
                    let text = of_capture;
                    for _ in 0..5 {
                        tracing::info!(field = %text, other = text, "{text}");
                    }
                    let error = Deep::new(&text, 20);
                    let mut capture = monitor.error_capture(&error).user(&text);
                    for n in 0..60 {
                        capture = capture
                            .tag(format!("{n}{text}"), &text)
                            .extra(format!("{n}{text}"), text.clone())
                            .fingerprint(&text);
                    }
                    capture.capture();
                    monitor.capture_message(Level::Warning, &text);
                    StatusCode::INTERNAL_SERVER_ERROR
                }),
            )
            .layer(harness.layer().on_request(move |_, attributes| {
                for n in 0..130 {
                    attributes.insert(format!("key{n}"), of_hook.clone());
                }
            }));
        let (path, query) = ("p".repeat(30_000), "q".repeat(30_000));
        let request = Request::get(format!("/{path}?{query}=1"))
            .header("user-agent", "a".repeat(HUGE))
            .body(Body::empty())
            .unwrap();
        let response = send(&app, request).await;
        failed(&harness, response.headers["x-trace-id"].to_str().unwrap()).await;
        let records = json_lines(&harness);
        let captured = records
            .iter()
            .filter(|record| record.get("event_id").is_some());
        let captured: Vec<_> = captured.collect();
        assert_eq!(captured.len(), 2);
        for record in captured {
            assert_eq!(record["truncated"], true);
            assert!(
                record["code.file.path"]
                    .as_str()
                    .unwrap()
                    .contains("too_large")
            );
        }
        let groups = harness.error_groups();
        assert_eq!(groups.len(), 2);
        for group in groups {
            let sample = group.sample.unwrap();
            assert!(sample.truncated && !sample.breadcrumbs.is_empty());
            assert!(!sample.attributes.is_empty());
        }
        none_is_lost(&harness);
    }
}

#[tokio::test]
async fn spans_of_every_kind_with_huge_texts_are_recorded() {
    for mode in [SpanBackend::Watchpost, SpanBackend::TracingOpentelemetry] {
        for text in texts() {
            let harness = harness(mode);
            let _listening = listen(&harness);
            let (monitor, tracer) = (
                (*harness).clone(),
                harness.otel().tracer_provider().tracer("plain"),
            );
            let of_spans = text.clone();
            let app = Router::new()
                .route(
                    "/{*rest}",
                    get(async move || {
                        let text = of_spans;
                        // With the monitor.
                        let mut guard = monitor.span(format!("guard {text}"));
                        for n in 0..130 {
                            guard = guard.attr(format!("key{n}"), text.clone());
                        }
                        let failed = guard.try_run(async { Err::<(), _>(text.clone()) });
                        failed.await.unwrap_err();
                        // With `tracing`.
                        let span = tracing::info_span!(
                            "tracing",
                            note = %text,
                            other = text,
                            "otel.status_description" = text
                        );
                        span.in_scope(|| {
                            tracing::info!(field = %text, "{text}");
                            (0..140).for_each(|_| tracing::info!("tick"));
                            tracing::error!("{text}");
                        });
                        tracing::error!("at the root {text}");
                        // With the SDK.
                        let mut span = tracer.start(format!("plain {text}"));
                        let array = vec![StringValue::from(text.clone()); 3];
                        let array = OtelValue::Array(Array::String(array));
                        span.set_attribute(KeyValue::new("array", array));
                        for n in 0..20 {
                            let one = || KeyValue::new(format!("key{n}"), text.clone());
                            span.set_attribute(one());
                            span.add_event(text.clone(), vec![one()]);
                            span.add_link(SpanContext::NONE, vec![one()]);
                        }
                        span.set_status(Status::error(text.clone()));
                        span.end();
                        // A query and a call.
                        let database = monitor.db(DbSystem::Postgresql).namespace(&text);
                        let query = database.query(format!("SELECT * FROM t WHERE a = '{text}'"));
                        query.run(async {}).await;
                        let many = "b".repeat(60).repeat(1000);
                        let query = database.query(format!("SELECT {many} FROM t"));
                        query.run(async {}).await;
                        let call = monitor
                            .external(&text)
                            .call("GET", format!("http://a.example/{text}?{text}={text}"));
                        call.run(async {}).await;
                        StatusCode::INTERNAL_SERVER_ERROR
                    }),
                )
                .layer(harness.layer().on_request(move |_, attributes| {
                    for n in 0..130 {
                        attributes.insert(format!("key{n}"), text.clone());
                    }
                }));
            let (path, query) = ("p".repeat(30_000), "q".repeat(30_000));
            let request = Request::get(format!("/{path}?{query}=1"))
                .header("user-agent", "a".repeat(HUGE))
                .body(Body::empty())
                .unwrap();
            let response = send(&app, request).await;
            let id = response.headers["x-trace-id"].to_str().unwrap();
            let (_, root) = failed(&harness, id).await;
            assert!(is_marked(&root));
            let trace = harness.recent_trace(id.parse().unwrap()).unwrap();
            assert_eq!(trace.spans.len(), 7, "{mode:?}");
            for name in ["guard", "tracing", "plain"] {
                let span = trace.spans.iter().find(|span| span.name.starts_with(name));
                let span = span.unwrap();
                assert!(is_marked(span), "{mode:?} {name}");
                assert_eq!(span.status, SpanStatus::Error, "{mode:?} {name}");
                assert!(span.left_out > 0, "{mode:?} {name}");
            }
            let events = trace.spans.iter().flat_map(|span| &span.events);
            assert!(events.clone().count() >= 3);
            for event in events.filter(|event| event.name != "tick") {
                let mut keys = event.attributes.iter().map(|(key, _)| key);
                assert!(keys.any(|key| key == "watchpost.truncated"), "{event:?}");
            }
            none_is_lost(&harness);
        }
    }
}

#[tokio::test]
async fn a_long_text_without_spaces_is_shown_in_part() {
    let harness = Harness::in_real_time(|builder| builder);
    let _listening = listen(&harness);
    tracing::info_span!("work").in_scope(|| {
        tracing::info!("{}", "x".repeat(20_000));
        tracing::info!(
            "{} {}",
            "word ".repeat(1000),
            "AKIAIOSFODNN7EXAMPLE".repeat(3)
        );
    });
    assert!(harness.flush(PATIENCE).await);
    let traces = harness.recent_traces();
    let events = &traces[0].spans[0].events;
    assert!(events[0].name.starts_with("xxxx") && events[0].name.len() > 3000);
    assert!(!format!("{events:?}").contains("AKIA"));
}
