//! Propagation: which headers of a caller are read, what is sent on, and whose sampling decision applies.
//!
//! Each class of headers has cases with the expected `traceparent` and `tracestate` of a call that the handler makes.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode};
use axum::routing::get;
use http_body_util::BodyExt;
use tower::ServiceExt;
use watchpost::http::PeerAddr;
use watchpost::testing::Harness;
use watchpost::{KeepReason, MonitorBuilder, TraceId};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

/// A service whose handler makes one call and responds with the headers that it sends. `/fail` responds with 500.
fn app(harness: &Harness) -> Router {
    let service = harness.external("next");
    let handler = move |status: StatusCode| {
        let service = service.clone();
        async move {
            let mut headers = HeaderMap::new();
            let call = service.call("GET", "http://next.example/");
            call.inject(&mut headers);
            call.finish();
            (status, headers)
        }
    };
    let (fine, fails) = (handler.clone(), handler);
    Router::new()
        .route("/", get(move || fine(StatusCode::OK)))
        .route(
            "/fail",
            get(move || fails(StatusCode::INTERNAL_SERVER_ERROR)),
        )
        .layer(
            harness
                .layer()
                .trusted_proxies(["10.0.0.0/8".parse().unwrap()]),
        )
}

/// The response: the ID of the trace here and the headers of the call.
struct Sent {
    trace: String,
    headers: HeaderMap,
}

impl Sent {
    fn header(&self, name: &str) -> &str {
        let mut all = self.headers.get_all(name).iter();
        let value = all.next().map_or("", |value| value.to_str().unwrap());
        assert!(all.next().is_none(), "{name} is sent twice");
        value
    }

    fn flags(&self) -> &str {
        &self.header("traceparent")[53..]
    }
}

async fn send(app: &Router, path: &str, peer: &str, headers: &[(&'static str, &str)]) -> Sent {
    let mut request = Request::get(path).body(Body::empty()).unwrap();
    let address = PeerAddr(peer.parse().unwrap());
    request.extensions_mut().insert(address);
    for (name, value) in headers {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        request.headers_mut().append(*name, value);
    }
    let response = app.clone().oneshot(request).await.unwrap();
    let headers = response.headers().clone();
    response.into_body().collect().await.unwrap();
    let trace = headers["x-trace-id"].to_str().unwrap().to_owned();
    Sent { trace, headers }
}

fn harness(configure: impl FnOnce(MonitorBuilder) -> MonitorBuilder) -> Harness {
    Harness::with(|builder| configure(builder.max_traces_per_second(100_000)))
}

fn parent(flags: &str) -> String {
    format!("00-{TRACE}-{SPAN}-{flags}")
}

/// The values of `traceparent` in a request, and whether its trace is continued.
const PARENTS: [(&str, &[&str], bool); 39] = {
    const T: bool = true;
    const F: bool = false;
    [
        (
            "version 00",
            &["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
            T,
        ),
        (
            "version 00",
            &["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"],
            T,
        ),
        (
            "version 00",
            &["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff"],
            T,
        ),
        (
            "version 00",
            &[" 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
            T,
        ),
        (
            "version 00",
            &["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 \t"],
            T,
        ),
        (
            "version 00 is continued",
            &["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-"],
            F,
        ),
        (
            "version 00 is continued",
            &["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more"],
            F,
        ),
        (
            "version 00 is continued",
            &["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-011"],
            F,
        ),
        (
            "version 00 is continued",
            &["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01,x"],
            F,
        ),
        (
            "version 00 is continued",
            &["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 1"],
            F,
        ),
        (
            "higher version",
            &["01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
            T,
        ),
        (
            "higher version",
            &["01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-"],
            T,
        ),
        (
            "higher version",
            &["fe-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-abc"],
            T,
        ),
        (
            "higher version",
            &[
                "a0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-a-field-of-a-later-version-that-is-long",
            ],
            T,
        ),
        (
            "higher version",
            &["09-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-09--"],
            T,
        ),
        (
            "no higher version",
            &["01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.abc"],
            F,
        ),
        (
            "no higher version",
            &["01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0"],
            F,
        ),
        (
            "no higher version",
            &["ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
            F,
        ),
        (
            "no higher version",
            &["ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-abc"],
            F,
        ),
        (
            "no higher version",
            &["0F-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
            F,
        ),
        (
            "no higher version",
            &["1-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
            F,
        ),
        (
            "ids",
            &["00-00000000000000000000000000000000-00f067aa0ba902b7-01"],
            F,
        ),
        (
            "ids",
            &["00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"],
            F,
        ),
        (
            "ids",
            &["00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"],
            F,
        ),
        (
            "ids",
            &["00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01"],
            F,
        ),
        (
            "ids",
            &["00-4bf92f3577b34da6a3ce929d0e0e47361-00f067aa0ba902b7-01"],
            F,
        ),
        (
            "ids",
            &["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b-01"],
            F,
        ),
        (
            "ids",
            &["00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01"],
            F,
        ),
        ("shape", &[""], F),
        ("shape", &["-"], F),
        (
            "shape",
            &["00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01"],
            F,
        ),
        (
            "shape",
            &["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x"],
            F,
        ),
        (
            "shape",
            &["4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
            F,
        ),
        (
            "repeated",
            &[
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            ],
            F,
        ),
        (
            "repeated",
            &[
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                "junk",
            ],
            F,
        ),
        (
            "repeated",
            &[
                "junk",
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            ],
            F,
        ),
        (
            "repeated",
            &[
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                "",
            ],
            F,
        ),
        (
            "repeated",
            &[
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01,00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            ],
            F,
        ),
        (
            "repeated",
            &[
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                "00-1bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            ],
            F,
        ),
    ]
};

#[tokio::test]
async fn traceparent_is_parsed_by_its_version() {
    let harness = harness(|builder| builder);
    let app = app(&harness);
    for (class, values, goes_on) in PARENTS {
        let mut headers: Vec<_> = values.iter().map(|value| ("traceparent", *value)).collect();
        headers.push(("tracestate", "a=1"));
        let sent = send(&app, "/", "192.0.2.1", &headers).await;
        assert_eq!(sent.trace == TRACE, goes_on, "{class}: {values:?}");
        let out = sent.header("traceparent");
        assert_eq!(&out[..36], format!("00-{}-", sent.trace), "{class}");
        assert_ne!(&out[36..52], SPAN, "{class}");
        // A trace that begins here continues nothing of the caller's.
        let state = if goes_on { "a=1" } else { "" };
        assert_eq!(sent.header("tracestate"), state, "{class}: {values:?}");
    }
}

/// The values of `tracestate` in a request, and the one that is sent on.
fn states() -> Vec<(&'static str, Vec<String>, String)> {
    let of = |class, values: &[&str], sent: &str| {
        let values = values.iter().map(|value| (*value).to_owned());
        (class, values.collect(), sent.to_owned())
    };
    let list = |range: std::ops::Range<u32>| {
        let members: Vec<_> = range.map(|n| format!("m{n}={n}")).collect();
        members.join(",")
    };
    let (key, long_key) = ("k".repeat(256), "k".repeat(257));
    let tenant = format!("{}@{}", "t".repeat(250), "s".repeat(5));
    vec![
        of("one header", &["a=1"], "a=1"),
        of("one header", &["a=1,b=2"], "a=1,b=2"),
        of("one header", &["a=1 , \tb=2"], "a=1,b=2"),
        of("one header", &["a= 1"], "a= 1"),
        of("one header", &["a=1,a=2"], "a=1,a=2"),
        of("repeated", &["a=1", "b=2"], "a=1,b=2"),
        of(
            "repeated",
            &["a=1,b=2", "c=3", "d=4,e=5"],
            "a=1,b=2,c=3,d=4,e=5",
        ),
        of("repeated", &["a=1", "a=1"], "a=1,a=1"),
        of("repeated", &["", "a=1"], "a=1"),
        of("repeated", &["a=1", " \t", "b=2"], "a=1,b=2"),
        of("empty", &[""], ""),
        of("empty", &["", ""], ""),
        of("empty", &[","], ""),
        of("empty", &["a=1,,b=2,"], "a=1,b=2"),
        of("empty", &[" , a=1"], "a=1"),
        of("key", &["foo@@bar=1,b=2"], "foo@@bar=1,b=2"),
        of("key", &["foo@=1"], "foo@=1"),
        of("key", &["1a_-*/@z=1"], "1a_-*/@z=1"),
        of(
            "key",
            &[&format!("{key}=1"), "b=2"],
            &format!("{key}=1,b=2"),
        ),
        of("key", &[&format!("{tenant}=1")], &format!("{tenant}=1")),
        of("invalid key", &["A=1,b=2"], ""),
        of("invalid key", &["@a=1,b=2"], ""),
        of("invalid key", &["a =1,b=2"], ""),
        of("invalid key", &["a.b=1,b=2"], ""),
        of("invalid key", &["=1,b=2"], ""),
        of("invalid key", &["b=2", &format!("{long_key}=1")], ""),
        of("invalid value", &["a=,b=2"], ""),
        of("invalid value", &["a=1=2,b=2"], ""),
        of("invalid value", &["a,b=2"], ""),
        of("invalid value", &["b=2", "a=\u{e9}"], ""),
        of(
            "invalid value",
            &[&format!("a={}", "v".repeat(257)), "b=2"],
            "",
        ),
        of("members", &[&list(0..32)], &list(0..32)),
        of("members", &[&list(0..20), &list(20..32)], &list(0..32)),
        of("members", &[&list(0..33)], ""),
        of("members", &[&list(0..20), &list(20..33)], ""),
        of("members", &[&format!(",,{},,", list(0..32))], &list(0..32)),
        of(
            "length",
            &[&format!("a={}", "v".repeat(256))],
            &format!("a={}", "v".repeat(256)),
        ),
        of(
            "length",
            &[
                "a=1",
                &format!("b={}", "v".repeat(256)),
                &format!("c={}", "v".repeat(256)),
            ],
            &format!("a=1,b={}", "v".repeat(256)),
        ),
        of(
            "length",
            &[&format!("b={},c={},d=4", "v".repeat(256), "v".repeat(256))],
            &format!("b={},d=4", "v".repeat(256)),
        ),
        of(
            "length",
            &[&(0..16)
                .map(|n| format!("{n}={}", "v".repeat(60)))
                .collect::<Vec<_>>()
                .join(",")],
            &(0..8)
                .map(|n| format!("{n}={}", "v".repeat(60)))
                .collect::<Vec<_>>()
                .join(","),
        ),
        of(
            "length",
            &[&format!("a={},b={}", "v".repeat(250), "w".repeat(250))],
            &format!("a={},b={}", "v".repeat(250), "w".repeat(250)),
        ),
    ]
}

#[tokio::test]
async fn tracestate_is_one_list_and_is_propagated_completely_or_not_at_all() {
    for traces in [true, false] {
        let harness = harness(|builder| builder.record_spans(traces));
        let app = app(&harness);
        let parent = parent("01");
        for (class, values, expected) in states() {
            let mut headers = vec![("traceparent", parent.as_str())];
            headers.extend(values.iter().map(|value| ("tracestate", value.as_str())));
            let sent = send(&app, "/", "192.0.2.1", &headers).await;
            assert_eq!(sent.trace, TRACE, "{class}");
            assert_eq!(sent.header("tracestate"), expected, "{class}: {values:?}");
        }
    }
}

#[tokio::test]
async fn tracestate_does_not_leak_into_the_next_request() {
    let harness = harness(|builder| builder);
    let app = app(&harness);
    let parent = parent("01");
    let first = [("traceparent", parent.as_str()), ("tracestate", "a=1")];
    assert_eq!(
        send(&app, "/", "192.0.2.1", &first)
            .await
            .header("tracestate"),
        "a=1"
    );
    assert_eq!(
        send(&app, "/", "192.0.2.1", &first[..1])
            .await
            .header("tracestate"),
        ""
    );
    assert_eq!(
        send(&app, "/", "192.0.2.1", &[]).await.header("tracestate"),
        ""
    );
}

#[tokio::test]
async fn baggage_of_several_headers_is_one_list() {
    let harness = harness(|builder| builder);
    let app = app(&harness);
    let parent = parent("01");
    let large = format!("large={}", "v".repeat(8000));
    for (values, expected) in [
        (vec!["a=1"], vec!["a=1"]),
        (vec!["a=1", "b=2"], vec!["a=1", "b=2"]),
        (
            vec!["a=1,b=2", "c=3;p=4", "d=5"],
            vec!["a=1", "b=2", "c=3;p=4", "d=5"],
        ),
        (vec!["", "a=1"], vec!["a=1"]),
        (vec!["a=1", "\u{e9}=2", "c=\u{e9}"], vec!["a=1", "c=%C3%A9"]),
        (vec!["a=1", &large, &large], vec!["a=1", &large]),
    ] {
        let mut headers = vec![("traceparent", parent.as_str())];
        headers.extend(values.iter().map(|value| ("baggage", *value)));
        let sent = send(&app, "/", "192.0.2.1", &headers).await;
        let mut members: Vec<_> = sent.header("baggage").split(',').collect();
        members.sort_unstable();
        let mut expected = expected;
        expected.sort_unstable();
        assert_eq!(members, expected, "{values:?}");
    }
}

/// Baggage is propagated without a trace; a public endpoint propagates only that of trusted peers.
#[tokio::test]
async fn baggage_is_propagated_without_a_trace_context() {
    let parent = parent("01");
    let whole = [("traceparent", parent.as_str()), ("baggage", "a=1")];
    let alone = [("baggage", "a=1")];
    let bad = [("traceparent", "00-0-0-00"), ("baggage", "a=1")];
    let two = [whole[0], whole[0], whole[1]];
    for edge in [false, true] {
        let harness = harness(|builder| builder.public_endpoint(edge));
        let app = app(&harness);
        for headers in [&whole[..], &alone, &bad, &two] {
            for (peer, trusted) in [("10.0.0.1", true), ("192.0.2.1", false)] {
                let sent = send(&app, "/", peer, headers).await;
                let expected = if edge && !trusted { "" } else { "a=1" };
                assert_eq!(
                    sent.header("baggage"),
                    expected,
                    "{edge} {peer} {headers:?}"
                );
            }
        }
    }
}

/// A public endpoint begins a new trace, except for trusted peers such as a load balancer that has begun the trace.
#[tokio::test]
async fn a_public_endpoint_continues_the_trace_of_a_trusted_peer() {
    let parent = parent("01");
    let headers = [("traceparent", parent.as_str())];
    for (edge, peer, continues) in [
        (true, "10.0.0.1", true),
        (true, "192.0.2.1", false),
        (false, "10.0.0.1", true),
        (false, "192.0.2.1", true),
    ] {
        let harness = harness(|builder| builder.public_endpoint(edge));
        let sent = send(&app(&harness), "/", peer, &headers).await;
        let goes_on = sent.header("traceparent")[..35] == parent[..35];
        assert_eq!(goes_on, continues, "edge {edge}, {peer}");
    }
}

/// The names of the samplers, and whether each samples a trace without a caller, with a trusted caller that samples it, and
/// with one that does not.
const SAMPLERS: [(&str, f64, [bool; 3]); 8] = [
    ("always_on", 0.0, [true, true, true]),
    ("always_off", 1.0, [false, false, false]),
    ("traceidratio", 1.0, [true, true, true]),
    ("traceidratio", 0.0, [false, false, false]),
    ("parentbased_always_on", 0.0, [true, true, false]),
    ("parentbased_always_off", 1.0, [false, true, false]),
    ("parentbased_traceidratio", 1.0, [true, true, false]),
    ("parentbased_traceidratio", 0.0, [false, true, false]),
];

#[tokio::test]
async fn parent_based_samplers_follow_a_trusted_caller() {
    for (name, ratio, [without, sampled, unsampled]) in SAMPLERS {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = format!("[trace]\nsampler = \"{name}\"\nsampler_arg = {ratio:?}\n");
        std::fs::write(file.path(), text).unwrap();
        let harness = harness(|builder| builder.file(file.path()));
        let app = app(&harness);
        for (flags, peer, expected) in [
            (None, "10.0.0.1", without),
            (Some("01"), "10.0.0.1", sampled),
            (Some("03"), "10.0.0.1", sampled),
            (Some("00"), "10.0.0.1", unsampled),
            (Some("02"), "10.0.0.1", unsampled),
            // An untrusted caller has no influence.
            (Some("01"), "192.0.2.1", without),
            (Some("00"), "192.0.2.1", without),
        ] {
            let parent = flags.map(parent);
            let headers = parent.as_deref().map(|parent| ("traceparent", parent));
            let headers: Vec<_> = headers.into_iter().collect();
            let random = if matches!(flags, Some("02" | "03")) {
                2
            } else {
                0
            };
            let case = format!("{name} {ratio} {flags:?} {peer}");
            let sent = send(&app, "/", peer, &headers).await;
            assert_eq!(
                sent.flags(),
                format!("{:02x}", u8::from(expected) | random),
                "{case}"
            );
            assert!(harness.flush(Duration::from_secs(10)).await);
            let id: TraceId = sent.trace.parse().unwrap();
            let kept = harness.recent_trace(id).map(|trace| trace.kept);
            // Traces with the same ID are one trace, so only the first of them can be looked up.
            if flags.is_none() {
                assert_eq!(kept, expected.then_some(KeepReason::Head), "{case}");
            }
        }
    }
}

#[tokio::test]
async fn a_failure_with_an_unsampled_caller_is_kept_in_memory_only() {
    let harness = harness(|builder| builder);
    let app = app(&harness);
    let parent = parent("00");
    let headers = [("traceparent", parent.as_str())];
    let sent = send(&app, "/", "10.0.0.1", &headers).await;
    assert!(harness.flush(Duration::from_secs(10)).await);
    let id: TraceId = sent.trace.parse().unwrap();
    assert_eq!(harness.recent_trace(id), None);
    let sent = send(&app, "/fail", "10.0.0.1", &headers).await;
    assert_eq!(sent.flags(), "00");
    assert!(harness.flush(Duration::from_secs(10)).await);
    let trace = harness.recent_trace(id).unwrap();
    assert_eq!((trace.kept, trace.spans.len()), (KeepReason::Error, 2));
}

#[tokio::test]
async fn tasks_and_spans_of_a_request_propagate_its_sampling_decision() {
    use opentelemetry::trace::{TraceContextExt, Tracer, TracerProvider};
    let harness = harness(|builder| builder);
    let service = harness.external("next");
    let tracer = harness.otel().tracer_provider().tracer("plain");
    let monitor = harness.clone();
    let app = Router::new()
        .route(
            "/",
            get(async move || {
                let sent = move || {
                    let mut headers = HeaderMap::new();
                    let call = service.call("GET", "http://next.example/");
                    call.inject(&mut headers);
                    let state = headers.get("tracestate").cloned();
                    (
                        headers["traceparent"].to_str().unwrap()[53..].to_owned(),
                        state,
                    )
                };
                let mut all = vec![sent()];
                all.push(monitor.span("guard").in_scope(&sent));
                all.push(tracer.in_span("plain", |context| {
                    assert!(!context.span().span_context().is_sampled());
                    sent()
                }));
                let task = sent.clone();
                all.push(watchpost::spawn(async move { task() }).await.unwrap());
                all.push(watchpost::spawn_blocking(sent).await.unwrap());
                let same = all.iter().all(|one| *one == all[0]);
                assert!(same, "{all:?}");
                format!(
                    "{} {}",
                    all[0].0,
                    all[0].1.as_ref().unwrap().to_str().unwrap()
                )
            }),
        )
        .layer(
            harness
                .layer()
                .trusted_proxies(["10.0.0.0/8".parse().unwrap()]),
        );
    let mut request = Request::get("/")
        .header("traceparent", parent("02"))
        .header("tracestate", "foo@@bar=1,b=2")
        .body(Body::empty())
        .unwrap();
    let address = PeerAddr("10.1.1.1".parse().unwrap());
    request.extensions_mut().insert(address);
    let response = app.oneshot(request).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "02 foo@@bar=1,b=2");
}

#[tokio::test]
async fn a_plain_span_follows_the_decision_of_its_remote_parent() {
    use opentelemetry::trace::{SpanContext, TraceContextExt, TraceFlags, Tracer, TracerProvider};
    for (flags, kept, sent) in [
        (0, None, "00"),
        (1, Some(KeepReason::Parent), "01"),
        (3, Some(KeepReason::Parent), "03"),
    ] {
        let harness = harness(|builder| builder);
        let service = harness.external("next");
        let tracer = harness.otel().tracer_provider().tracer("plain");
        let state = "a=1".parse().unwrap();
        let parent = SpanContext::new(
            7_u128.into(),
            8_u64.into(),
            TraceFlags::new(flags),
            true,
            state,
        );
        let context = opentelemetry::Context::new().with_remote_span_context(parent);
        let span = tracer.start_with_context("message", &context);
        let context = context.with_span(span);
        {
            let _attached = context.attach();
            let mut headers = HeaderMap::new();
            let call = service.call("GET", "http://next.example/");
            call.inject(&mut headers);
            assert_eq!(&headers["traceparent"].to_str().unwrap()[53..], sent);
            assert_eq!(headers["tracestate"], "a=1");
        }
        assert!(harness.flush(Duration::from_secs(10)).await);
        let trace = harness.recent_trace(TraceId::from_u128(7));
        assert_eq!(trace.map(|trace| trace.kept), kept);
    }
}

#[tokio::test]
async fn without_spans_the_flags_of_a_trusted_caller_are_propagated() {
    let harness = harness(|builder| builder.record_spans(false));
    let app = app(&harness);
    for (flags, peer, sent) in [
        ("00", "10.0.0.1", "00"),
        ("01", "10.0.0.1", "01"),
        ("03", "10.0.0.1", "03"),
        ("01", "192.0.2.1", "00"),
        ("03", "192.0.2.1", "02"),
    ] {
        let parent = parent(flags);
        let headers = [("traceparent", parent.as_str())];
        assert_eq!(
            send(&app, "/", peer, &headers).await.flags(),
            sent,
            "{flags} {peer}"
        );
    }
}

#[cfg(feature = "otlp")]
mod exported {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use prost::Message;
    use watchpost::RecordKind;

    use super::*;
    use crate::peer::{Peer, Reply};

    /// The flags and `tracestate` of each exported span by its trace.
    fn spans(peer: &Peer) -> Vec<(String, u32, String)> {
        let seen = peer.seen();
        let requests = seen
            .iter()
            .map(|seen| ExportTraceServiceRequest::decode(seen.body.as_slice()).unwrap());
        let spans = requests
            .flat_map(|request| request.resource_spans)
            .flat_map(|of| of.scope_spans)
            .flat_map(|of| of.spans);
        let mut all: Vec<_> = spans
            .map(|span| {
                let id: u128 = u128::from_be_bytes(span.trace_id.try_into().unwrap());
                (format!("{id:032x}"), span.flags & 0xff, span.trace_state)
            })
            .collect();
        all.sort();
        all
    }

    #[tokio::test]
    async fn requests_of_an_unsampled_caller_are_not_exported() {
        let peer = Peer::always(Reply::Answer(200, Vec::new(), Vec::new()));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "[otlp]\ncompression = \"none\"\n").unwrap();
        let harness = harness(|builder| {
            let address = peer.address();
            builder
                .file(file.path())
                .otlp_endpoint(format!("http://{address}"))
        });
        let app = app(&harness);
        let mut expected = Vec::new();
        for (n, flags, path, exported) in [
            (1, "00", "/", false),
            (2, "00", "/fail", false),
            (3, "01", "/", true),
            (4, "03", "/fail", true),
            (5, "02", "/fail", false),
        ] {
            let trace = format!("{n:032x}");
            let parent = format!("00-{trace}-{SPAN}-{flags}");
            let headers = [("traceparent", parent.as_str()), ("tracestate", "a=1")];
            let sent = send(&app, path, "10.0.0.1", &headers).await;
            assert_eq!(sent.flags(), flags);
            let id: TraceId = trace.parse().unwrap();
            assert!(harness.flush(Duration::from_secs(10)).await);
            assert_eq!(
                harness.recent_trace(id).is_some(),
                exported || path == "/fail"
            );
            if exported {
                let flags = u32::from_str_radix(flags, 16).unwrap();
                expected.extend([
                    (trace.clone(), flags, "a=1".to_owned()),
                    (trace, flags, "a=1".to_owned()),
                ]);
            }
        }
        assert!(harness.flush(Duration::from_secs(10)).await);
        assert_eq!(spans(&peer), expected);
        let totals = harness.totals(RecordKind::Span);
        assert_eq!((totals.emitted(), totals.delivered()), (4, 4));
        // Exemplars refer only to traces that are exported.
        let page = harness.metrics().render();
        for n in [1, 2, 5] {
            assert!(!page.contains(&format!("trace_id=\"{n:032x}\"")), "{page}");
        }
        assert!(
            harness
                .shutdown(Duration::from_secs(10))
                .await
                .is_complete()
        );
    }
}
