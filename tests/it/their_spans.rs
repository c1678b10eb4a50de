//! `tracing` spans of tracing-opentelemetry's layer in the monitor's traces.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use opentelemetry::trace::{TraceContextExt, Tracer, TracerProvider};
use tokio::sync::Semaphore;
use tracing::Instrument;
use tracing::instrument::WithSubscriber;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::prelude::*;
use watchpost::testing::Harness;
use watchpost::trace::{
    AttributeValue as Value, KeptTrace, Span, SpanBackend, SpanKind, SpanStatus,
};
use watchpost::{KeepReason, MonitorBuilder};

use crate::support::{TestResponse, get_request, json_lines, send, tree};

const PATIENCE: Duration = Duration::from_secs(10);

fn harness(configure: impl FnOnce(MonitorBuilder) -> MonitorBuilder) -> Harness {
    Harness::in_real_time(|builder| {
        configure(
            builder
                .spans(SpanBackend::TracingOpentelemetry)
                .max_traces_per_second(100_000),
        )
    })
}

fn subscriber(harness: &Harness) -> tracing::Dispatch {
    tracing_subscriber::registry()
        .with(harness.tracing_layer())
        .with(harness.otel().tracing_layer())
        .into()
}

fn trace_of(harness: &Harness, response: &TestResponse) -> Option<KeptTrace> {
    harness.recent_trace(response.trace_id())
}

fn named<'a>(trace: &'a KeptTrace, name: &str) -> &'a Span {
    trace.spans.iter().find(|span| span.name == name).unwrap()
}

#[tokio::test]
async fn spans_of_tracing_opentelemetry_have_the_right_parent_among_all_kinds() {
    let harness = harness(|builder| builder);
    let subscriber = subscriber(&harness);
    let _default = tracing::dispatcher::set_default(&subscriber);
    let tracer = harness.otel().tracer_provider().tracer("plain");
    let monitor = (*harness).clone();
    let app = Router::new()
        .route(
            "/all",
            get(async move || {
                let inner = async {
                    tracing::info!(word = "hello", "inside");
                    monitor
                        .span("guard")
                        .run(async {
                            let work = async {
                                tokio::task::yield_now().await;
                                tracer.in_span("plain", |_| {
                                    tracing::info_span!("in plain").in_scope(|| {});
                                });
                            };
                            work.instrument(tracing::info_span!("in guard")).await;
                        })
                        .await;
                    tracing::info_span!("nested", n = 7).in_scope(|| tracing::warn!("deep"));
                };
                inner
                    .instrument(tracing::info_span!("outer", "otel.kind" = "client"))
                    .await;
                tracing::debug_span!("not wanted").in_scope(|| tracing::info!("at the root"));
            }),
        )
        .layer(harness.layer());
    let response = send(&app, get_request("/all")).await;
    assert!(harness.flush(PATIENCE).await);
    let trace = trace_of(&harness, &response).unwrap();
    assert_eq!(
        tree(&trace),
        [
            "guard<outer",
            "in guard<guard",
            "in plain<plain",
            "nested<outer",
            "outer<GET /all",
            "plain<in guard",
        ]
    );
    let (outer, nested) = (named(&trace, "outer"), named(&trace, "nested"));
    assert_eq!(outer.kind, SpanKind::Client);
    assert!(nested.attributes.contains(&("n".into(), Value::I64(7))));
    let events =
        |span: &Span| -> Vec<String> { span.events.iter().map(|it| it.name.clone()).collect() };
    assert_eq!(events(outer), ["inside"]);
    assert_eq!(events(nested), ["deep"]);
    assert_eq!(events(named(&trace, "GET /all")), ["at the root"]);
    // Log lines have the ID of the span that they were written in.
    let lines = json_lines(&harness);
    for (message, span) in [("inside", outer), ("deep", nested)] {
        let line = lines
            .iter()
            .find(|line| line["message"] == message)
            .unwrap();
        assert_eq!(line["span_id"], span.span_id.to_string(), "{message}");
        assert_eq!(line["trace_id"], trace.trace_id.to_string());
    }
}

#[tokio::test]
async fn spans_of_tracing_opentelemetry_may_end_anywhere_and_after_their_root() {
    let harness = harness(|builder| builder.trace_ratio(0.0).slow_trace_threshold(PATIENCE));
    let subscriber = subscriber(&harness);
    let _default = tracing::dispatcher::set_default(&subscriber);
    let of = subscriber.clone();
    let (end_late, late_may_end) = tokio::sync::watch::channel(false);
    let late_ended = Arc::new(Semaphore::new(0));
    let late_ends = Arc::clone(&late_ended);
    let app = Router::new()
        .route(
            "/work/{fails}",
            get(
                async move |axum::extract::Path(fails): axum::extract::Path<bool>| {
                    let (mut may_end, ends) = (late_may_end.clone(), Arc::clone(&late_ends));
                    let late = async move {
                        may_end.wait_for(|may| *may).await.map(drop).unwrap();
                        tracing::info_span!("late child").in_scope(|| {});
                    };
                    let late = late.instrument(tracing::info_span!("late"));
                    let task = async move {
                        late.await;
                        ends.add_permits(1);
                    };
                    tokio::spawn(task.with_current_subscriber());
                    let span = tracing::info_span!("thread");
                    let of = of.clone();
                    std::thread::scope(|scope| {
                        scope.spawn(move || {
                            tracing::dispatcher::with_default(&of, || span.in_scope(|| {}));
                        });
                    });
                    async { tokio::task::yield_now().await }
                        .instrument(tracing::info_span!("task"))
                        .await;
                    if fails {
                        StatusCode::INTERNAL_SERVER_ERROR
                    } else {
                        StatusCode::OK
                    }
                },
            ),
        )
        .layer(harness.layer());
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..64 {
        let app = app.clone();
        let ask = async move { send(&app, get_request(&format!("/work/{}", n % 2 == 0))).await };
        tasks.spawn(ask.with_current_subscriber());
    }
    let responses = tasks.join_all().await;
    end_late.send(true).unwrap();
    drop(late_ended.acquire_many(64).await);
    assert!(harness.flush(PATIENCE).await);
    assert_eq!(harness.recent_traces().len(), 32);
    let root = "GET /work/{fails}";
    for response in responses {
        let trace = trace_of(&harness, &response);
        assert_eq!(trace.is_some(), response.status.is_server_error());
        let Some(trace) = trace else { continue };
        assert_eq!(trace.kept, KeepReason::Error);
        let mut expected = ["late", "task", "thread"]
            .map(|name| format!("{name}<{root}"))
            .to_vec();
        expected.insert(0, "late child<late".to_owned());
        assert_eq!(tree(&trace), expected);
        let (root, late) = (named(&trace, root), named(&trace, "late"));
        let end = |span: &Span| span.start + span.duration;
        assert!(end(late) > end(root));
    }
}

#[tokio::test]
async fn the_extension_trait_works_and_a_span_without_a_request_is_a_root() {
    let harness = harness(|builder| builder);
    let subscriber = subscriber(&harness);
    let _default = tracing::dispatcher::set_default(&subscriber);
    let app = Router::new()
        .route(
            "/",
            get(async || {
                let span = tracing::info_span!("call");
                span.set_attribute("set.later", 3);
                span.set_status(opentelemetry::trace::Status::error("no paper"));
                let context = span.context();
                context.span().span_context().trace_id().to_string()
            }),
        )
        .layer(harness.layer());
    let response = send(&app, get_request("/")).await;
    assert_eq!(
        response.headers["x-trace-id"].to_str().unwrap(),
        response.body
    );
    let mut event = None;
    tracing::info_span!("alone").in_scope(|| {
        tracing::info!("by itself");
        tracing::info_span!("below").in_scope(|| {
            event = Some(harness.capture_error(&std::io::Error::other("no paper")));
        });
    });
    assert!(harness.flush(PATIENCE).await);
    let trace = trace_of(&harness, &response).unwrap();
    let call = named(&trace, "call");
    assert!(
        call.attributes
            .contains(&("set.later".into(), Value::I64(3)))
    );
    assert_eq!(call.status, SpanStatus::Error);
    let traces = harness.recent_traces();
    let alone = traces
        .iter()
        .find(|it| it.spans[0].name == "alone")
        .unwrap();
    assert!(alone.spans[0].is_root);
    let lines = json_lines(&harness);
    let line = lines
        .iter()
        .find(|line| line["message"] == "by itself")
        .unwrap();
    assert_eq!(line["trace_id"], alone.trace_id.to_string());
    let errors = harness.error_groups();
    let sample = errors[0].sample.as_ref().unwrap();
    assert_eq!(Some(sample.id), event);
    assert_eq!(sample.trace_id, alone.trace_id);
    assert_eq!(alone.kept, KeepReason::Captured);
    let below = named(alone, "below");
    assert_eq!(below.parent_span_id, alone.spans[0].span_id);
    assert_eq!(sample.span_id, below.span_id);
    // Without the setting there is no such span.
    let none = Harness::new();
    assert!(
        none.otel()
            .tracing_layer::<tracing_subscriber::Registry>()
            .is_none()
    );
}
