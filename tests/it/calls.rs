//! Outgoing calls over real sockets, to a peer that follows a script.

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, Response, StatusCode};
use axum::routing::get;
use axum::{Router, response::IntoResponse};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as Hyper;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tower::{Layer, Service, ServiceExt};
use watchpost::Outcome;
use watchpost::external::{CallGuard, ClientService, Dependency, DependencyState, External};
use watchpost::testing::Harness;
use watchpost::trace::{AttributeValue as Value, Span, SpanKind, SpanStatus};

use crate::peer::{Peer, Reply};
use crate::support::attribute;

const SECRET: &str = "hunter2";

type Http = ClientService<Hyper<HttpConnector, Full<bytes::Bytes>>>;

pub(crate) fn harness() -> Harness {
    Harness::in_real_time(|builder| builder.trace_ratio(1.0).max_traces_per_second(100_000))
}

fn http(service: &External) -> Http {
    service
        .client_layer()
        .layer(Hyper::builder(TokioExecutor::new()).build_http())
}

fn client_request(url: &str) -> Request<Full<bytes::Bytes>> {
    Request::get(url).body(Full::default()).unwrap()
}

/// The only client span in the kept traces.
pub(crate) async fn span(harness: &Harness) -> Span {
    assert!(harness.flush(Duration::from_secs(10)).await);
    let traces = harness.recent_traces();
    let mut spans = traces.iter().flat_map(|trace| &trace.spans);
    let span = spans.find(|span| span.kind == SpanKind::Client);
    span.expect("a call's span").clone()
}

pub(crate) fn text<'a>(span: &'a Span, key: &str) -> &'a str {
    match attribute(span, key) {
        Some(Value::Str(text)) => text,
        other => panic!("{key} is {other:?}"),
    }
}

pub(crate) fn calls(harness: &Harness, outcome: Outcome, error: &str) -> f64 {
    let labels = [
        ("watchpost_outcome", outcome.as_str()),
        ("error_type", error),
    ];
    let labels = if error.is_empty() {
        &labels[..1]
    } else {
        &labels[..]
    };
    let page = harness.page();
    assert_eq!(page.sum("http_client_active_requests", &[]), 0.0);
    page.sum("http_client_request_duration_seconds_count", labels)
}

#[tokio::test]
async fn a_call_through_the_layer_carries_the_trace_and_ends_with_its_body() {
    let harness = harness();
    let peer = Peer::always(Reply::with(200, "x-ratelimit-remaining-tokens", "70"));
    let mut client = http(&harness.external("openai"));
    let url = peer.url(&format!("/v1/models?key={SECRET}&page=2#top"));
    let app = Router::new()
        .route(
            "/ask",
            get(move || async move {
                let response = client
                    .ready()
                    .await
                    .unwrap()
                    .call(client_request(&url))
                    .await
                    .unwrap();
                assert_eq!(response.status(), StatusCode::OK);
                response.into_body().collect().await.unwrap();
                "asked"
            }),
        )
        .layer(harness.layer());
    let request = Request::get("/ask")
        .header("tracestate", "vendor=1")
        .header(
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        );
    let request = request
        .header("baggage", "tenant=acme")
        .body(Body::empty())
        .unwrap();
    let response = app.oneshot(request).await.unwrap();
    let id = response.headers()["x-trace-id"]
        .to_str()
        .unwrap()
        .to_owned();
    response.into_body().collect().await.unwrap();

    let span = span(&harness).await;
    assert_eq!((&*span.name, span.status), ("GET", SpanStatus::Unset));
    let trace = harness.recent_trace(id.parse().unwrap()).unwrap();
    let root = trace.spans.iter().find(|span| span.is_root).unwrap();
    assert_eq!(span.parent_span_id, root.span_id);
    let seen = &peer.seen()[0];
    let header = |name| seen.header(name).unwrap_or_default().to_owned();
    assert_eq!(
        header("traceparent"),
        format!("00-{id}-{}-01", span.span_id)
    );
    assert_eq!(
        (header("tracestate"), header("baggage")),
        ("vendor=1".into(), "tenant=acme".into())
    );

    let shown = peer.url("/v1/models?key=REDACTED&page=REDACTED");
    assert_eq!(text(&span, "url.full"), shown);
    assert_eq!(text(&span, "server.address"), "127.0.0.1");
    assert_eq!(text(&span, "service.peer.name"), "openai");
    assert_eq!(
        attribute(&span, "http.response.status_code"),
        Some(&Value::I64(200))
    );
    assert_eq!(calls(&harness, Outcome::Completed, ""), 1.0);
    let labels = [
        ("network_protocol_version", "1.1"),
        ("service_peer_name", "openai"),
    ];
    let count = "http_client_request_duration_seconds_count";
    assert_eq!(harness.page().sum(count, &labels), 1.0);
    let page = harness.metrics().render();
    assert!(!page.contains(SECRET));
    let left = r#"watchpost_external_rate_limit_remaining{service_peer_name="openai",watchpost_rate_limit_window="tokens"} 70"#;
    assert!(page.contains(left), "{page}");
}

#[tokio::test]
async fn dead_hanging_and_resetting_upstreams_have_different_error_types() {
    // What the peer does, and how the call is recorded.
    let cases = [
        (
            Reply::status(404),
            Outcome::Completed,
            "404",
            DependencyState::Up,
        ),
        (
            Reply::status(503),
            Outcome::Completed,
            "503",
            DependencyState::Down,
        ),
        (
            Reply::Hang,
            Outcome::Timeout,
            "timeout",
            DependencyState::Down,
        ),
        (
            Reply::Reset,
            Outcome::Failed,
            "connection_reset",
            DependencyState::Down,
        ),
        (
            Reply::Garbage,
            Outcome::Failed,
            "invalid_response",
            DependencyState::Down,
        ),
        (
            Reply::ResetInBody(200),
            Outcome::BodyError,
            "body_error",
            DependencyState::Down,
        ),
    ];
    for (reply, outcome, error, state) in cases {
        let harness = harness();
        let peer = Peer::always(reply.clone());
        let service = harness.external("upstream");
        // The timeout is inside of the layer, which sees its error.
        let inner = tower::timeout::Timeout::new(
            Hyper::builder(TokioExecutor::new()).build_http::<Full<bytes::Bytes>>(),
            Duration::from_millis(150),
        );
        let mut client = service.client_layer().layer(inner);
        for _ in 0..5 {
            let response = client
                .ready()
                .await
                .unwrap()
                .call(client_request(&peer.url("/")))
                .await;
            if let Ok(response) = response {
                drop(response.into_body().collect().await);
            }
        }
        assert_eq!(calls(&harness, outcome, error), 5.0, "{reply:?}");
        let [upstream] = &harness.dependencies()[..] else {
            panic!("{reply:?}")
        };
        assert_eq!(upstream.state, state, "{reply:?}: {upstream:?}");
        assert_eq!(
            upstream.timeouts,
            if outcome == Outcome::Timeout { 5 } else { 0 }
        );
        let span = span(&harness).await;
        assert_eq!(span.status, SpanStatus::Error, "{reply:?}");
    }
    let harness = harness();
    let dead = Peer::always(Reply::status(200));
    dead.refuse();
    let mut client = http(&harness.external("dead"));
    let response = client
        .ready()
        .await
        .unwrap()
        .call(client_request(&dead.url("/")))
        .await;
    assert!(response.is_err());
    let refused = calls(&harness, Outcome::Failed, "connection_refused");
    assert_eq!(refused, 1.0);
}

#[tokio::test]
async fn a_call_whose_future_is_dropped_is_cancelled() {
    let harness = harness();
    let hung = Peer::always(Reply::Hang);
    let service = harness.external("slow");
    let mut client = http(&service);
    let call = client
        .ready()
        .await
        .unwrap()
        .call(client_request(&hung.url("/")));
    assert!(
        tokio::time::timeout(Duration::from_millis(50), call)
            .await
            .is_err()
    );
    assert_eq!(calls(&harness, Outcome::Cancelled, ""), 1.0);

    let endless = |_: Request<String>| async {
        let chunks = futures_util::stream::repeat_with(|| Ok::<_, io::Error>("chunk"));
        Ok::<_, io::Error>(Body::from_stream(chunks).into_response())
    };
    let mut client = service.client_layer().layer(tower::service_fn(endless));
    let request = Request::get("http://a.example/")
        .body(String::new())
        .unwrap();
    let mut response = client.call(request).await.unwrap();
    response.body_mut().frame().await.unwrap().unwrap();
    drop(response);
    assert_eq!(calls(&harness, Outcome::BodyDropped, ""), 1.0);

    let waiting = service
        .call(Method::GET, "http://a.example/")
        .run(std::future::pending::<()>());
    assert!(
        tokio::time::timeout(Duration::from_millis(5), waiting)
            .await
            .is_err()
    );
    service.call("GET", "http://a.example/").time_out();
    drop(service.call("BREW", "no url"));
    assert_eq!(calls(&harness, Outcome::Cancelled, ""), 3.0);
    assert_eq!(calls(&harness, Outcome::Timeout, "timeout"), 1.0);
    let [slow] = &harness.dependencies()[..] else {
        panic!("one service")
    };
    let Dependency {
        calls,
        errors,
        timeouts,
        cancelled,
        ..
    } = slow;
    assert_eq!((*calls, *errors, *timeouts, *cancelled), (5, 1, 1, 4));
}

#[tokio::test]
async fn a_call_guard_records_what_is_set_on_it() {
    let harness = harness();
    let service = harness.external("pay");
    let url = format!("https://user:{SECRET}@pay.example/charges/17?token={SECRET}");
    let mut headers = HeaderMap::new();
    let call = service
        .call(Method::POST, &url)
        .template("/charges/{id}")
        .resends(2);
    call.inject(&mut headers);
    let response = async { Ok::<_, io::Error>(Response::builder().status(402).body(()).unwrap()) };
    let note = |call: CallGuard, response: &Response<()>| {
        call.status(response.status().as_u16())
            .headers(response.headers())
    };
    call.try_run_with(response, note).await.unwrap();
    let span = span(&harness).await;
    assert_eq!(&*span.name, "POST /charges/{id}");
    assert_eq!(
        text(&span, "url.full"),
        "https://REDACTED:REDACTED@pay.example/charges/17?token=REDACTED"
    );
    assert_eq!(text(&span, "url.template"), "/charges/{id}");
    assert_eq!(text(&span, "error.type"), "402");
    assert_eq!(attribute(&span, "server.port"), Some(&Value::I64(443)));
    assert_eq!(
        attribute(&span, "http.request.resend_count"),
        Some(&Value::I64(2))
    );
    let sent = headers["traceparent"].to_str().unwrap();
    assert!(sent.contains(&span.span_id.to_string()), "{sent}");
    assert!(!format!("{span:?}").contains(SECRET));

    service.quota(100, 25);
    let [pay] = &harness.dependencies()[..] else {
        panic!("one service")
    };
    assert_eq!(pay.state, DependencyState::Up);
    assert_eq!(
        (&*pay.limits[0].window, pay.limits[0].used_ratio),
        ("quota", Some(0.25))
    );
    let clumsy =
        |_: CallGuard, (): &()| -> CallGuard { std::panic::resume_unwind(Box::new("planned")) };
    let response = async { Ok::<_, io::Error>(()) };
    let called = service
        .call("GET", &url)
        .try_run_with(response, clumsy)
        .await;
    assert!(called.is_ok());
    assert_eq!(calls(&harness, Outcome::Cancelled, ""), 1.0);
    let failed = service
        .call("GET", &url)
        .try_run(async { Err::<(), _>(io::Error::other(SECRET)) });
    failed.await.unwrap_err();
    assert_eq!(
        calls(&harness, Outcome::Failed, "std::io::error::Error"),
        1.0
    );
}

#[tokio::test]
async fn without_traces_calls_are_sent_unchanged_and_counted() {
    let harness = Harness::with(|builder| builder.record_spans(false));
    let service = harness.external("a");
    let app = Router::new()
        .route(
            "/",
            get(move || async move {
                let mut headers = HeaderMap::new();
                let call = service.call("GET", "http://a.example/");
                call.inject(&mut headers);
                call.finish();
                headers["traceparent"].to_str().unwrap().to_owned()
            }),
        )
        .layer(harness.layer());
    let response = app
        .oneshot(Request::get("/").body(Body::empty()).unwrap())
        .await
        .unwrap();
    let id = response.headers()["x-trace-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let sent = response.into_body().collect().await.unwrap().to_bytes();
    let sent = std::str::from_utf8(&sent).unwrap();
    assert!(
        sent.starts_with(&format!("00-{id}-")) && sent.ends_with("-00"),
        "{sent}"
    );
}

#[tokio::test]
async fn service_names_from_outside_are_bounded() {
    let harness = harness();
    for n in 0..1000 {
        let service = harness.external(format!("service {n}"));
        service
            .call("GET", format!("http://host{n}.example/"))
            .finish();
    }
    let all = harness.dependencies();
    assert!(all.len() <= 65, "{}", all.len());
    assert_eq!(all.iter().map(|service| service.calls).sum::<u64>(), 1000);
    assert_eq!(calls(&harness, Outcome::Completed, ""), 1000.0);
}

#[tokio::test]
async fn model_calls_record_tokens_and_cost() {
    let harness = harness();
    let service = harness.external("openai");
    let app = Router::new()
        .route(
            "/write",
            get(move || async move {
                let call = service.call("POST", "https://api.openai.com/v1/responses");
                let call = call.gen_ai("chat", "gpt-5");
                let response = async { Ok::<_, io::Error>((12, 300)) };
                let note = |call: CallGuard, (input, output): &(u64, u64)| {
                    call.status(200).tokens(*input, *output).cost(0.25)
                };
                call.try_run_with(response, note).await.unwrap();
                let refused = service.call("POST", "https://api.openai.com/v1/responses");
                refused
                    .gen_ai("chat", "gpt-5")
                    .status(429)
                    .cost(f64::NAN)
                    .finish();
                "written"
            }),
        )
        .layer(harness.layer());
    let request = Request::get("/write").body(Body::empty()).unwrap();
    app.oneshot(request)
        .await
        .unwrap()
        .into_body()
        .collect()
        .await
        .unwrap();
    let span = span(&harness).await;
    assert_eq!(&*span.name, "chat gpt-5");
    assert_eq!(text(&span, "gen_ai.provider.name"), "openai");
    assert_eq!(
        attribute(&span, "gen_ai.usage.input_tokens"),
        Some(&Value::I64(12))
    );
    assert_eq!(
        attribute(&span, "gen_ai.usage.output_tokens"),
        Some(&Value::I64(300))
    );
    let page = harness.page();
    let tokens = |kind| {
        page.sum(
            "gen_ai_client_token_usage_sum",
            &[("gen_ai_token_type", kind), ("http_route", "/write")],
        )
    };
    assert_eq!((tokens("input"), tokens("output")), (12.0, 300.0));
    assert_eq!(
        page.sum(
            "gen_ai_client_operation_duration_seconds_count",
            &[("error_type", "429")]
        ),
        1.0
    );
    assert_eq!(
        page.sum(
            "watchpost_gen_ai_cost_sum",
            &[("gen_ai_request_model", "gpt-5")]
        ),
        0.25
    );
    let [used] = &harness.model_usage()[..] else {
        panic!("one row")
    };
    assert_eq!(
        (&*used.service, &*used.model, &*used.route),
        ("openai", "gpt-5", "/write")
    );
    assert_eq!(
        (
            used.calls,
            used.errors,
            used.input_tokens,
            used.output_tokens
        ),
        (2, 1, 12, 300)
    );
    let age = std::time::SystemTime::now()
        .duration_since(used.day)
        .unwrap();
    assert!(age < Duration::from_secs(86_400 + 10), "{age:?}");
}
