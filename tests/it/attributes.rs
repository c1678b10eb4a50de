//! Attribute keys are unique and the last value wins: on spans, events and links, in memory and as sent, in log records
//! and in captured errors, whichever API makes the spans.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Read;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use flate2::read::GzDecoder;
use opentelemetry::KeyValue;
use opentelemetry::trace::{
    Span as _, SpanContext, SpanId, TraceFlags, TraceId, TraceState, Tracer, TracerProvider,
};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1 as proto;
use opentelemetry_proto::tonic::trace::v1::Span as WireSpan;
use prost::Message;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value as Json;
use tracing::field::Empty;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::prelude::*;
use watchpost::testing::Harness;
use watchpost::trace::{AttributeValue as Value, KeptTrace, Span, SpanBackend, SpanStatus};
use watchpost::{KeepReason, Level, MonitorBuilder};

use crate::peer::{Peer, Reply};
use crate::support::{get_request, send};

const PATIENCE: Duration = Duration::from_secs(10);
const MODES: [SpanBackend; 2] = [SpanBackend::Watchpost, SpanBackend::TracingOpentelemetry];

fn harness(mode: SpanBackend, configure: impl FnOnce(MonitorBuilder) -> MonitorBuilder) -> Harness {
    Harness::in_real_time(|builder| {
        let builder = builder.spans(mode).max_traces_per_second(100_000);
        configure(builder)
    })
}

/// Sets the harness' layers as this thread's subscriber.
fn listen(harness: &Harness) -> tracing::subscriber::DefaultGuard {
    let subscriber = tracing_subscriber::registry()
        .with(harness.tracing_layer())
        .with(harness.otel().tracing_layer());
    tracing::subscriber::set_default(subscriber)
}

fn named<'a>(traces: &'a [KeptTrace], name: &str) -> &'a Span {
    let mut spans = traces.iter().flat_map(|trace| &trace.spans);
    spans.find(|span| span.name == name).expect(name)
}

/// The value of a key, which must exist exactly once.
fn value<'a>(all: &'a [(String, Value)], key: &str) -> Option<&'a Value> {
    let keys: BTreeSet<_> = all.iter().map(|(key, _)| key).collect();
    assert_eq!(keys.len(), all.len(), "a key is there twice: {all:?}");
    all.iter()
        .find(|(have, _)| have == key)
        .map(|(_, value)| value)
}

fn is_unique(all: &[proto::KeyValue]) {
    let keys: BTreeSet<_> = all.iter().map(|one| &one.key).collect();
    assert_eq!(keys.len(), all.len(), "a key is there twice: {all:?}");
}

/// The spans that a receiver got, each checked for unique keys.
fn sent(peer: &Peer) -> Vec<WireSpan> {
    let mut spans = Vec::new();
    for seen in peer.seen() {
        let mut body = Vec::new();
        if seen.header("content-encoding") == Some("gzip") {
            GzDecoder::new(&*seen.body).read_to_end(&mut body).unwrap();
        } else {
            body = seen.body;
        }
        let request = ExportTraceServiceRequest::decode(&*body).unwrap();
        for resource in request.resource_spans {
            is_unique(&resource.resource.unwrap().attributes);
            let of_scopes = resource.scope_spans.into_iter();
            spans.extend(of_scopes.flat_map(|scope| scope.spans));
        }
    }
    for span in &spans {
        is_unique(&span.attributes);
        let of_events = span.events.iter().map(|event| &event.attributes);
        let of_links = span.links.iter().map(|link| &link.attributes);
        of_events.chain(of_links).for_each(|all| is_unique(all));
    }
    spans
}

/// A JSON object with all of its keys, including duplicates.
struct Object(Vec<(String, Json)>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut all = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    all.push(entry);
                }
                Ok(Object(all))
            }
        }
        deserializer.deserialize_map(All)
    }
}

/// The log records so far, each checked for unique keys.
fn records(harness: &Harness) -> Vec<Json> {
    let lines = harness.lines();
    let read = lines.iter().map(|line| {
        let Object(all) = serde_json::from_str(line).unwrap();
        let keys: BTreeSet<_> = all.iter().map(|(key, _)| key).collect();
        assert_eq!(keys.len(), all.len(), "a key is there twice: {line}");
        Json::Object(all.into_iter().collect())
    });
    read.collect()
}

#[tokio::test]
async fn the_last_value_of_a_spans_field_wins_in_both_modes() {
    for mode in MODES {
        let peer = Peer::always(Reply::status(200));
        let endpoint = format!("http://{}", peer.address());
        let harness = harness(mode, |builder| builder.otlp_endpoint(endpoint));
        let _listening = listen(&harness);
        {
            let span = tracing::info_span!("record", progress = Empty, state = "first");
            for n in 0..5000 {
                span.record("progress", n);
            }
            let _entered = span.enter();
            // While the span runs, and with another type.
            for n in 0..5000 {
                span.record("progress", n);
            }
            span.record("state", true);
        }
        tracing::info_span!("twins", a = 1, a = "two").in_scope(|| {});
        {
            let span = tracing::info_span!("set");
            // With OpenTelemetry's extension trait, which exists in one of the modes.
            for n in 0..300 {
                span.set_attribute("progress", n);
            }
            let _entered = span.enter();
            for n in 0..300 {
                span.set_attribute("progress", n);
            }
        }
        {
            // The most keys of a span, each set twice.
            let span = tracing::info_span!("two errors", error = Empty);
            for n in 0..70 {
                let error = std::io::Error::other(format!("error {n}"));
                span.record("error", tracing::field::display(&error));
            }
        }
        assert!(harness.flush(PATIENCE).await);
        let traces = harness.recent_traces();
        let spans = sent(&peer);
        assert_eq!(spans.len(), 4, "{mode:?}");
        let of = |name: &str, key: &str| value(&named(&traces, name).attributes, key).cloned();
        assert_eq!(of("record", "progress"), Some(Value::I64(4999)), "{mode:?}");
        assert_eq!(of("record", "state"), Some(Value::Bool(true)), "{mode:?}");
        assert_eq!(of("twins", "a"), Some(Value::Str("two".into())), "{mode:?}");
        let set = (mode == SpanBackend::TracingOpentelemetry).then_some(Value::I64(299));
        assert_eq!(of("set", "progress"), set);
        let last = Some(Value::Str("error 69".into()));
        assert_eq!(of("two errors", "error"), last, "{mode:?}");
        assert!(
            traces
                .iter()
                .flat_map(|trace| &trace.spans)
                .all(|span| span.left_out == 0)
        );
        let wire = spans.iter().find(|span| span.name == "record").unwrap();
        let mut wire = wire.attributes.iter();
        let wire = wire.find(|one| one.key == "progress").unwrap();
        let wire = wire.value.as_ref().unwrap().value.as_ref();
        assert_eq!(wire, Some(&proto::any_value::Value::IntValue(4999)));
    }
}

#[tokio::test]
async fn the_last_value_of_an_events_field_wins_in_both_modes() {
    for mode in MODES {
        let peer = Peer::always(Reply::status(200));
        let endpoint = format!("http://{}", peer.address());
        let harness = harness(mode, |builder| builder.otlp_endpoint(endpoint));
        let _listening = listen(&harness);
        tracing::info_span!("work").in_scope(|| {
            tracing::info!(a = 1, a = 2, "twins");
            tracing::info!(level = "mine", target = 7, "named as ours");
            tracing::info!(a = "x", b = 1, a = 0.5, b = 2, a = true, "many");
            tracing::info!(a = 1, a = Option::<u64>::None, "none");
            tracing::info!(level = "one", level = "two", "both");
        });
        // Outside of `tracing` spans they are events of the root.
        harness
            .span("root")
            .in_scope(|| tracing::info!(a = 1, a = 2, level = "mine", "in the root"));
        assert!(harness.flush(PATIENCE).await);
        let traces = harness.recent_traces();
        assert_eq!(sent(&peer).len(), 2);
        let event = |span: &str, name: &str| {
            let mut events = named(&traces, span).events.iter();
            events.find(|event| event.name == name).expect(name).clone()
        };
        for (name, key, expected) in [
            ("twins", "a", Value::I64(2)),
            ("named as ours", "level", Value::Str("mine".into())),
            ("named as ours", "target", Value::I64(7)),
            ("many", "a", Value::Bool(true)),
            ("many", "b", Value::I64(2)),
            ("none", "a", Value::I64(1)),
            ("both", "level", Value::Str("two".into())),
        ] {
            let event = event("work", name);
            let have = value(&event.attributes, key);
            assert_eq!(have, Some(&expected), "{mode:?} {name} {key}");
        }
        let event = event("root", "in the root");
        assert_eq!(value(&event.attributes, "a"), Some(&Value::I64(2)));
        let level = Value::Str("mine".into());
        assert_eq!(value(&event.attributes, "level"), Some(&level));
    }
}

#[tokio::test]
async fn the_last_value_of_an_sdk_spans_attribute_wins() {
    let peer = Peer::always(Reply::status(200));
    let endpoint = format!("http://{}", peer.address());
    let harness = harness(SpanBackend::Watchpost, |builder| {
        builder.otlp_endpoint(endpoint)
    });
    let tracer = harness.otel().tracer_provider().tracer("plain");
    let pair = |n: i64| vec![KeyValue::new("a", n), KeyValue::new("a", n + 1)];
    let builder = tracer.span_builder("built").with_attributes(pair(1));
    builder.start(&tracer).end();
    let mut span = tracer.start("set");
    for n in 0..1000_i64 {
        span.set_attribute(KeyValue::new("progress", n));
    }
    span.set_attributes(pair(5));
    span.add_event("event", pair(10));
    let elsewhere = SpanContext::new(
        TraceId::from(7),
        SpanId::from(8),
        TraceFlags::SAMPLED,
        true,
        TraceState::NONE,
    );
    span.add_link(elsewhere, pair(20));
    span.end();
    harness
        .span("guard")
        .attr("a", 1)
        .attr("error.type", "mine")
        .attr("a", "two")
        .try_run(async { Err::<(), _>("no paper") })
        .await
        .unwrap_err();
    assert!(harness.flush(PATIENCE).await);
    assert_eq!(sent(&peer).len(), 3);
    let traces = harness.recent_traces();
    let of = |name: &str, key: &str| value(&named(&traces, name).attributes, key).cloned();
    assert_eq!(of("built", "a"), Some(Value::I64(2)));
    assert_eq!(of("set", "progress"), Some(Value::I64(999)));
    assert_eq!(of("set", "a"), Some(Value::I64(6)));
    let span = named(&traces, "set");
    let (event, link) = (&span.events[0], &span.links[0]);
    assert_eq!(value(&event.attributes, "a"), Some(&Value::I64(11)));
    assert_eq!(value(&link.attributes, "a"), Some(&Value::I64(21)));
    assert_eq!(of("guard", "a"), Some(Value::Str("two".into())));
    // The values at the end come after those set by the code.
    assert_eq!(of("guard", "error.type"), Some(Value::Str("&str".into())));
}

#[tokio::test]
async fn attributes_of_hooks_replace_those_of_the_request() {
    const BUILT_IN: [&str; 8] = [
        "http.route",
        "http.request.method",
        "url.path",
        "url.query",
        "user_agent.original",
        "http.response.status_code",
        "watchpost.outcome",
        "client.address",
    ];
    let peer = Peer::always(Reply::status(200));
    let endpoint = format!("http://{}", peer.address());
    let harness = harness(SpanBackend::Watchpost, |builder| {
        builder.otlp_endpoint(endpoint)
    });
    let layer = harness.layer().on_request(|_, attributes| {
        for key in BUILT_IN {
            attributes.insert(key, "hook");
        }
        for key in ["timestamp", "level", "message", "trace_id", "truncated"] {
            attributes.insert(key, "hook");
        }
        // The name that the prefix of the one above results in.
        attributes.insert("attributes.level", "host");
        // Keys that are equal after scrubbing.
        for n in 1..5 {
            attributes.insert(format!("AKIAIOSFODNN7EXAMPL{n}"), n);
        }
    });
    let layer = layer.on_end(|_, attributes| attributes.insert("http.route", "end"));
    let app = Router::new()
        .route("/a/{id}", get(async || {}))
        .layer(layer);
    send(&app, get_request("/a/1?q=1")).await;
    assert!(harness.flush(PATIENCE).await);
    assert_eq!(sent(&peer).len(), 1);
    let traces = harness.recent_traces();
    let root = &traces[0].spans[0];
    for key in BUILT_IN {
        let expected = if key == "http.route" { "end" } else { "hook" };
        let have = value(&root.attributes, key);
        assert_eq!(have, Some(&Value::Str(expected.into())), "{key}");
    }
    let records = records(&harness);
    let record = &records[0];
    // A log record has both: its own, and the host's with a prefix.
    assert_eq!(record["http.route"], "/a/{id}");
    assert_eq!(record["attributes.http.route"], "end");
    assert_eq!(record["url.path"], "/a/1");
    assert_eq!(record["attributes.url.path"], "hook");
    assert_eq!(record["level"], "INFO");
    assert_eq!(record["attributes.level"], "host");
    assert_eq!(record["attributes.trace_id"], "hook");
    assert_eq!(record["attributes.truncated"], "hook");
    assert_eq!(record.get("truncated"), None);
}

#[tokio::test]
async fn a_log_record_has_each_key_once() {
    let harness = harness(SpanBackend::Watchpost, |builder| builder);
    let _listening = listen(&harness);
    tracing::info!(n = 0, a = 1, a = 2, "");
    tracing::info!(n = 1, a = 1, b = "x", a = "2", b = false, "");
    tracing::info!(n = 2, timestamp = 1, timestamp = 2, "");
    tracing::info!(n = 3, level = "loud", "");
    tracing::info!(n = 4, target = "mine", "");
    tracing::info!(n = 5, trace_id = "t", span_id = "s", "");
    tracing::info!(n = 6, "service.name" = "other", "");
    tracing::info!(n = 7, truncated = "maybe", "");
    tracing::info!(n = 8, event_id = 1, event_id = 2, "");
    tracing::info!(n = 9, level = 1, "attributes.level" = 2, "");
    tracing::info!(n = 10, "attributes.level" = 1, level = 2, "");
    tracing::info!(n = 11, a = 1, a = Option::<u64>::None, "");
    tracing::info!(n = 12, message = "first", message = "last");
    let records = records(&harness);
    let of = |n: u64| records.iter().find(|record| record["n"] == n).unwrap();
    for (n, key, expected) in [
        (0, "a", Json::from(2)),
        (1, "a", "2".into()),
        (1, "b", false.into()),
        (2, "attributes.timestamp", 2.into()),
        (3, "level", "INFO".into()),
        (3, "attributes.level", "loud".into()),
        (4, "target", module_path!().into()),
        (4, "attributes.target", "mine".into()),
        (5, "attributes.trace_id", "t".into()),
        (5, "attributes.span_id", "s".into()),
        (6, "service.name", "harness".into()),
        (6, "attributes.service.name", "other".into()),
        (7, "attributes.truncated", "maybe".into()),
        (8, "attributes.event_id", 2.into()),
        (9, "attributes.level", 2.into()),
        (10, "attributes.level", 2.into()),
        (11, "a", 1.into()),
        (12, "message", "last".into()),
    ] {
        assert_eq!(of(n)[key], expected, "{n} {key}");
    }
    assert!(
        records
            .iter()
            .all(|record| record.get("truncated").is_none())
    );
}

#[tokio::test]
async fn a_captured_error_has_each_tag_once() {
    let peer = Peer::always(Reply::status(200));
    let address = peer.address();
    let harness = harness(SpanBackend::Watchpost, |builder| {
        builder.sentry_dsn(format!("http://0123456789abcdef@{address}/7"))
    });
    let error = std::io::Error::other("no paper");
    let mut capture = harness
        .error_capture(&error)
        .tag("tenant", "old")
        .tag("tenant", "acme")
        .extra("attempt", 1)
        .extra("attempt", 2)
        // The same name for a tag and an extra.
        .tag("shard", "tag")
        .extra("shard", "extra")
        .extra("event_id", "mine")
        .tag("message", "mine");
    // More keys than allowed, each twice; existing keys still take new values.
    for n in 0..100 {
        capture = capture.tag(format!("key{}", n % 60), n.to_string());
    }
    let capture = capture.tag("tenant", "last");
    capture.level(Level::Error).capture();
    assert!(harness.flush(PATIENCE).await);
    let groups = harness.error_groups();
    let sample = groups[0].sample.as_ref().unwrap();
    let tags: BTreeSet<_> = sample.tags.iter().map(|(key, _)| key).collect();
    assert_eq!((tags.len(), sample.tags.len()), (50, 50));
    assert!(sample.tags.contains(&("tenant".into(), "last".into())));
    assert!(sample.tags.contains(&("key7".into(), "67".into())));
    assert!(sample.truncated, "tags were left out");
    let records = records(&harness);
    let record = &records[0];
    assert_eq!(record["tenant"], "last");
    assert_eq!(record["shard"], "extra");
    assert_eq!(record["attempt"], 2);
    assert_eq!(record["attributes.event_id"], "mine");
    assert_eq!(record["attributes.message"], "mine");
    assert_eq!(record["message"], "no paper");
    assert_eq!(record["truncated"], true);
    let body = String::from_utf8(peer.seen()[0].body.clone()).unwrap();
    let event: Json = serde_json::from_str(body.lines().nth(2).unwrap()).unwrap();
    assert_eq!(event["tags"]["shard"], "tag");
    assert_eq!(event["extra"]["shard"], "extra");
    assert_eq!(event["tags"]["tenant"], "last");
    assert_eq!(event["contexts"]["watchpost"]["truncated"], true);
}

#[tracing::instrument(err)]
fn job(fails: bool) -> Result<(), std::io::Error> {
    if fails {
        return Err(std::io::Error::other("out of paper"));
    }
    Ok(())
}

#[tracing::instrument(err, skip_all)]
async fn later(fails: bool) -> Result<(), String> {
    tokio::task::yield_now().await;
    if fails {
        return Err("too late".to_owned());
    }
    Ok(())
}

#[tokio::test]
async fn an_error_event_makes_its_spans_status_an_error_in_both_modes() {
    for mode in MODES {
        let harness = harness(mode, |builder| {
            builder.trace_ratio(0.0).slow_trace_threshold(PATIENCE)
        });
        let _listening = listen(&harness);
        job(true).unwrap_err();
        job(false).unwrap();
        later(true).await.unwrap_err();
        later(false).await.unwrap();
        tracing::info_span!("logs").in_scope(|| tracing::error!("it broke"));
        tracing::info_span!("warns").in_scope(|| tracing::warn!("it may break"));
        tracing::info_span!("is fine", "otel.status_code" = "ok")
            .in_scope(|| tracing::error!("handled"));
        tracing::info_span!("around").in_scope(|| {
            // This one is not recorded.
            tracing::debug_span!("quiet").in_scope(|| tracing::error!("inside"));
        });
        let span = tracing::info_span!("named");
        tracing::error!(parent: &span, "from outside");
        drop(span);
        let request = Router::new()
            .route(
                "/",
                get(async || {
                    job(true).unwrap_err();
                    StatusCode::INTERNAL_SERVER_ERROR
                }),
            )
            .layer(harness.layer());
        send(&request, get_request("/")).await;
        assert!(harness.flush(PATIENCE).await);
        let traces = harness.recent_traces();
        let mut roots: Vec<_> = traces
            .iter()
            .map(|trace| {
                assert_eq!(trace.kept, KeepReason::Error, "{mode:?}");
                let root = trace.spans.iter().find(|span| span.is_root).unwrap();
                assert_eq!(root.status, SpanStatus::Error, "{mode:?}");
                root.name.as_str()
            })
            .collect();
        roots.sort_unstable();
        let expected = ["GET /", "around", "job", "later", "logs", "named"];
        assert_eq!(roots, expected, "{mode:?}");
        for (name, message) in [("job", "out of paper"), ("later", "too late")] {
            assert_eq!(named(&traces, name).status_message, message, "{mode:?}");
        }
        let of_request = traces
            .iter()
            .find(|trace| trace.spans.iter().any(|span| span.name == "GET /"));
        let mut child = of_request.unwrap().spans.iter();
        let child = child.rfind(|span| span.name == "job").unwrap();
        assert_eq!(child.status, SpanStatus::Error, "{mode:?}");
    }
}

#[tokio::test]
async fn an_error_event_counts_where_events_are_no_part_of_spans() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "[trace]\nevents = false\n").unwrap();
    let harness = harness(SpanBackend::Watchpost, |builder| {
        builder
            .file(file.path())
            .trace_ratio(0.0)
            .slow_trace_threshold(PATIENCE)
    });
    let _listening = listen(&harness);
    job(true).unwrap_err();
    assert!(harness.flush(PATIENCE).await);
    let traces = harness.recent_traces();
    let span = &traces[0].spans[0];
    assert_eq!((span.status, span.events.len()), (SpanStatus::Error, 0));
    assert_eq!(span.status_message, "out of paper");
}
