//! A Sentry client that the host has set up itself, next to the monitor.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use sentry::ClientOptions;
use sentry::protocol::{Context, Event};
use watchpost::KeepReason;
use watchpost::testing::Harness;

use crate::support::{get_request, send};

fn trace_of(event: &Event<'_>) -> Option<(String, String)> {
    match event.contexts.get("trace") {
        Some(Context::Trace(trace)) => {
            Some((trace.trace_id.to_string(), trace.span_id.to_string()))
        }
        _ => None,
    }
}

/// The events that the host's Sentry client sends during `run`.
fn captured(options: ClientOptions, run: impl Future<Output = ()>) -> Vec<Event<'static>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    sentry::test::with_captured_events_options(|| runtime.block_on(run), options)
}

#[test]
fn events_of_the_hosts_sentry_have_the_ids_of_their_request() {
    let harness = Harness::in_real_time(|builder| builder.trace_ratio(0.0));
    let options = ClientOptions::new().add_integration(harness.sentry_integration());
    let app = Router::new()
        .route(
            "/rows/{id}",
            get(async || {
                sentry::capture_message("the disk is slow", sentry::Level::Warning);
            }),
        )
        .layer(harness.layer());
    let mut ids = Vec::new();
    let events = captured(options, async {
        sentry::capture_message("at the start", sentry::Level::Info);
        for n in 0..3 {
            let response = send(&app, get_request(&format!("/rows/{n}"))).await;
            ids.push(response.headers["x-trace-id"].to_str().unwrap().to_owned());
        }
        assert!(harness.flush(Duration::from_secs(5)).await);
    });
    assert_eq!(events.len(), 4);
    assert!(trace_of(&events[0]).is_none_or(|(trace, _)| !ids.contains(&trace)));
    assert_eq!(events[0].transaction, None);
    let traces = harness.recent_traces();
    for (event, id) in events[1..].iter().zip(&ids) {
        let (trace, span) = trace_of(event).unwrap();
        assert_eq!(&trace, id);
        assert_eq!(event.transaction.as_deref(), Some("GET /rows/{id}"));

        let kept = traces
            .iter()
            .find(|kept| kept.trace_id.to_string() == trace)
            .unwrap();
        assert_eq!(kept.kept, KeepReason::Captured);
        assert_eq!(kept.spans[0].span_id.to_string(), span);
    }
    // The event is the host's, so the monitor captures none.
    assert!(harness.error_groups().is_empty());
}

#[test]
fn the_integration_keeps_the_hosts_trace_context_and_other_monitors_requests() {
    let (ours, other) = (Harness::new(), Harness::new());
    let options = ClientOptions::new().add_integration(ours.sentry_integration());
    let handler = async || {
        sentry::with_scope(
            |scope| scope.set_transaction(Some("mine")),
            || sentry::capture_message("slow", sentry::Level::Info),
        );
    };
    let route = |harness: &Harness| {
        Router::new()
            .route("/", get(handler))
            .layer(harness.layer())
    };
    let mut ids = Vec::new();
    let events = captured(options, async {
        for app in [route(&ours), route(&other)] {
            let response = send(&app, get_request("/")).await;
            ids.push(response.headers["x-trace-id"].to_str().unwrap().to_owned());
        }
    });
    assert!(
        events
            .iter()
            .all(|it| it.transaction.as_deref() == Some("mine"))
    );
    assert_eq!(trace_of(&events[0]).unwrap().0, ids[0]);
    assert!(trace_of(&events[1]).is_none_or(|(trace, _)| trace != ids[1]));
}

#[test]
fn the_integration_finds_plain_spans_and_ignores_a_monitor_that_is_gone() {
    use opentelemetry::trace::{Tracer, TracerProvider};

    let harness = Harness::in_real_time(|builder| builder.trace_ratio(0.0));
    let options = ClientOptions::new().add_integration(harness.sentry_integration());
    let tracer = harness.otel().tracer_provider().tracer("jobs");
    let mut harness = Some(harness);
    let mut kept = None;
    let events = captured(options, async {
        tracer.in_span("a job", |_| {
            sentry::capture_message("slow", sentry::Level::Info);
        });
        let harness = harness.take().unwrap();
        assert!(harness.flush(Duration::from_secs(5)).await);
        kept = harness.recent_traces().pop();
        drop(harness);
        sentry::capture_message("later", sentry::Level::Info);
    });
    let kept = kept.unwrap();
    assert_eq!(kept.kept, KeepReason::Captured);
    let (trace, span) = trace_of(&events[0]).unwrap();
    assert_eq!(trace, kept.trace_id.to_string());
    assert_eq!(span, kept.spans[0].span_id.to_string());
    assert!(trace_of(&events[1]).is_none_or(|(other, _)| other != trace));
}
