//! The limits of a span act the same for every source, in memory and in what is exported.

use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use opentelemetry::trace::{Span as _, SpanContext, SpanId, TraceFlags, TraceId, TraceState};
use opentelemetry::trace::{Tracer, TracerProvider};
use opentelemetry::{Array, KeyValue, StringValue, Value as OtelValue};
use tracing_subscriber::prelude::*;
use watchpost::testing::Harness;
use watchpost::trace::{AttributeValue as Value, KeptTrace, Span, TraceConfig};

use crate::support::{attribute, get_request, send};

const MARKS: [&str; 3] = [
    "watchpost.kept",
    "watchpost.truncated",
    "watchpost.lost_spans",
];

fn harness(config: TraceConfig) -> Harness {
    Harness::in_real_time(|builder| builder.trace(config.sampler_arg(1.0)))
}

fn listen(harness: &Harness) -> tracing::subscriber::DefaultGuard {
    let subscriber = tracing_subscriber::registry().with(harness.tracing_layer());
    tracing::subscriber::set_default(subscriber)
}

async fn newest(harness: &Harness) -> KeptTrace {
    assert!(harness.flush(Duration::from_secs(10)).await);
    harness.recent_traces().swap_remove(0)
}

fn root(trace: &KeptTrace) -> &Span {
    trace.spans.iter().find(|span| span.is_root).unwrap()
}

/// The keys without the monitor's own marks.
fn keys(attributes: &[(String, Value)]) -> Vec<&str> {
    let keys = attributes.iter().map(|(key, _)| &**key);
    keys.filter(|key| !MARKS.contains(key)).collect()
}

fn text(text: &str) -> Value {
    Value::Str(text.to_owned())
}

#[tokio::test]
async fn a_request_and_the_events_in_it_have_the_limits_of_a_span() {
    let config = TraceConfig::default()
        .max_attributes(20)
        .max_value_length(10)
        .max_event_attributes(3);
    let harness = harness(config);
    let _listening = listen(&harness);
    let app = Router::new()
        .route(
            "/orders",
            get(async || {
                tracing::info!(a = "a text of many characters", b = 1, c = 2, "an event");
                StatusCode::OK
            }),
        )
        .layer(harness.layer().on_request(|_, attributes| {
            attributes.insert("first", "äöüß and many more characters");
            for n in 0..30 {
                attributes.insert(format!("key{n}"), n);
            }
        }));
    send(&app, get_request("/orders")).await;
    let trace = newest(&harness).await;
    let span = root(&trace);
    assert_eq!(keys(&span.attributes).len(), 20, "{span:?}");
    assert_eq!(attribute(span, "first"), Some(&text("äöüß and m")));
    assert_eq!(
        attribute(span, "watchpost.truncated"),
        Some(&Value::Bool(true))
    );
    assert_eq!(attribute(span, "watchpost.kept"), Some(&text("head")));
    let event = &span.events[0];
    assert_eq!(event.name, "an event");
    assert_eq!(keys(&event.attributes), ["level", "target", "a"]);
    assert_eq!(event.attributes[2].1, text("a text of "));
    assert_eq!(event.attributes[3].0, "watchpost.truncated");
    // All attributes that were set, minus those that are there.
    let set = keys(&span.attributes).len() as u32 + span.left_out;
    assert!(set > 20 + 13, "{span:?}");
    // The log record has limits of its own.
    let line = harness.lines().pop().unwrap();
    assert!(line.contains("many more characters"), "{line}");
    assert!(line.contains("\"key29\":29"), "{line}");
}

#[tokio::test]
async fn marks_push_no_attribute_out() {
    let config = TraceConfig::default().max_attributes(2).max_value_length(3);
    let harness = harness(config);
    let span = harness.span("work").attr("long", "12345").attr("other", 1);
    span.in_scope(|| {});
    let trace = newest(&harness).await;
    let span = root(&trace);
    assert_eq!(keys(&span.attributes), ["long", "other"]);
    assert_eq!((span.attributes.len(), span.left_out), (4, 0), "{span:?}");
}

#[tokio::test]
async fn more_events_than_the_default_fit() {
    let harness = harness(TraceConfig::default().max_events(200));
    let _listening = listen(&harness);
    let tick = || (0..210).for_each(|_| tracing::info!("tick"));
    // The events of a root, of a span of `Monitor::span`, and of a `tracing` span.
    harness.span("root").in_scope(|| {
        tick();
        harness.span("manual").in_scope(tick);
        tracing::info_span!("tracing").in_scope(tick);
    });
    let trace = newest(&harness).await;
    assert_eq!(trace.spans.len(), 3);
    for span in &trace.spans {
        assert_eq!(
            (span.events.len(), span.left_out),
            (200, 10),
            "{}",
            span.name
        );
    }
}

#[tokio::test]
async fn fewer_events_than_the_default_are_kept() {
    let harness = harness(TraceConfig::default().max_events(3));
    let _listening = listen(&harness);
    let tick = || (0..5).for_each(|_| tracing::info!("tick"));
    harness.span("root").in_scope(|| {
        tick();
        harness.span("manual").in_scope(tick);
    });
    for span in newest(&harness).await.spans {
        assert_eq!((span.events.len(), span.left_out), (3, 2), "{}", span.name);
    }
}

#[tokio::test]
async fn plain_spans_have_the_limits_of_the_settings() {
    let config = TraceConfig::default()
        .max_events(200)
        .max_links(150)
        .max_event_attributes(140)
        .max_link_attributes(2)
        .max_value_length(5);
    let harness = harness(config);
    let tracer = harness.otel().tracer_provider().tracer("plain");
    let mut span = tracer.start("plain");
    let array = ["1234567", "äöüßé and more", "12345"].map(StringValue::from);
    let array = OtelValue::Array(Array::String(array.to_vec()));
    span.set_attribute(KeyValue::new("array", array));
    for n in 0..205 {
        span.add_event("e", vec![]);
        let to = SpanContext::new(
            TraceId::from(n + 1),
            SpanId::from(1),
            TraceFlags::default(),
            true,
            TraceState::NONE,
        );
        if n < 4 {
            let all = (0..3).map(|n| KeyValue::new(format!("{n}"), n)).collect();
            span.add_link(to, all);
        }
    }
    span.end();
    let mut span = tracer.start("attributes");
    let all = (0..150).map(|n| KeyValue::new(format!("{n}"), true));
    span.add_event("e", all.collect());
    span.end();
    assert!(harness.flush(Duration::from_secs(10)).await);
    let traces = harness.recent_traces();
    let named = |name: &str| {
        let mut spans = traces.iter().flat_map(|trace| &trace.spans);
        spans.find(|span| span.name == name).unwrap()
    };
    let span = named("plain");
    let items = ["12345", "äöüßé", "12345"].map(text).to_vec();
    assert_eq!(attribute(span, "array"), Some(&Value::Array(items)));
    assert_eq!(
        attribute(span, "watchpost.truncated"),
        Some(&Value::Bool(true))
    );
    assert_eq!((span.events.len(), span.links.len()), (200, 4));
    assert!(span.links.iter().all(|link| link.attributes.len() == 2));
    // Five events, and one attribute of each link.
    assert_eq!(span.left_out, 5 + 4);
    let span = named("attributes");
    assert_eq!(span.events[0].attributes.len(), 140);
    assert_eq!(span.left_out, 10);
}
