//! Hosts with Sentry: its events keep the link to its own transactions and get the monitor's trace ID.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Request;
use sentry::protocol::{Context, EnvelopeItem, Event, Transaction};
use sentry::test::TestTransport;
use tower::ServiceExt as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use watchpost::Monitor;

use crate::cases::Case;
use crate::support::{block_on, builder};

pub(crate) const CASES: [Case; 5] = [
    Case::new("sentry_without_a_transaction", without_a_transaction),
    Case::new("sentry_tower_transaction", tower_transaction),
    Case::new("sentry_tower_below_ours", tower_below_ours),
    Case::new("sentry_tracing_span", tracing_span),
    Case::new("sentry_panic_once_each", panic_once_each),
];

fn init(monitor: &Monitor) -> (Arc<TestTransport>, sentry::ClientInitGuard) {
    let transport = TestTransport::new();
    let options = sentry::ClientOptions::new()
        .dsn("https://public@sentry.invalid/1")
        .traces_sample_rate(1.0)
        .transport(transport.clone())
        .add_integration(monitor.sentry_integration());
    let guard = sentry::init(options);
    (transport, guard)
}

fn sent(transport: &TestTransport) -> (Vec<Event<'static>>, Vec<Transaction<'static>>) {
    let (mut events, mut transactions) = (Vec::new(), Vec::new());
    for envelope in transport.fetch_and_clear_envelopes() {
        for item in envelope.items() {
            match item {
                EnvelopeItem::Event(event) => events.push((**event).clone()),
                EnvelopeItem::Transaction(it) => transactions.push((**it).clone()),
                _ => {}
            }
        }
    }
    (events, transactions)
}

fn trace_of(contexts: &sentry::protocol::Map<String, Context>) -> (String, String) {
    let Some(Context::Trace(trace)) = contexts.get("trace") else {
        panic!("no trace context");
    };
    (trace.trace_id.to_string(), trace.span_id.to_string())
}

/// Sends `GET /rows/7` and returns the trace ID of the response.
fn get_rows(app: Router) -> String {
    let response = block_on(async {
        let request = Request::get("/rows/7").body(Body::empty()).unwrap();
        let response = app.oneshot(request).await.unwrap();
        let id = response.headers()["x-trace-id"]
            .to_str()
            .unwrap()
            .to_owned();
        drop(axum::body::to_bytes(response.into_body(), 1024).await);
        id
    });
    response
}

fn capture() {
    sentry::capture_message("the disk is slow", sentry::Level::Warning);
}

/// Checks that the event is linked to the transaction, and that its tag and context have the monitor's trace ID.
fn linked(monitor: &Monitor, event: &Event<'_>, transaction: &Transaction<'_>, id: &str) {
    assert_eq!(
        trace_of(&event.contexts).0,
        trace_of(&transaction.contexts).0
    );
    assert_eq!(event.tags["watchpost.trace_id"], id);
    let Some(Context::Other(own)) = event.contexts.get("watchpost") else {
        panic!("no context of ours: {:?}", event.contexts);
    };
    assert_eq!(own["trace_id"], id);
    assert!(monitor.flush_blocking(Duration::from_secs(10)).unwrap());
    let traces = monitor.recent_traces();
    assert_eq!(traces.len(), 1);
    assert_eq!(traces[0].trace_id.to_string(), id);
}

fn without_a_transaction() {
    let monitor = builder().0.build().unwrap();
    let (transport, _guard) = init(&monitor);
    let app = Router::new()
        .route("/rows/{id}", get(async || capture()))
        .layer(monitor.layer());
    let id = get_rows(app);
    let (events, _) = sent(&transport);
    assert_eq!(events.len(), 1);
    assert_eq!(trace_of(&events[0].contexts).0, id);
    assert!(!events[0].tags.contains_key("watchpost.trace_id"));
    assert!(!events[0].contexts.contains_key("watchpost"));
}

fn tower_transaction() {
    let monitor = builder().0.build().unwrap();
    let (transport, _guard) = init(&monitor);
    let app = Router::new()
        .route("/rows/{id}", get(async || capture()))
        .layer(monitor.layer())
        .layer(sentry::integrations::tower::SentryHttpLayer::new().enable_transaction())
        .layer(sentry::integrations::tower::NewSentryLayer::new_from_top());
    let id = get_rows(app);
    let (events, transactions) = sent(&transport);
    assert_eq!((events.len(), transactions.len()), (1, 1));
    linked(&monitor, &events[0], &transactions[0], &id);
    // The event has the span of the transaction itself.
    assert_eq!(
        trace_of(&events[0].contexts).1,
        trace_of(&transactions[0].contexts).1
    );
}

fn tower_below_ours() {
    let monitor = builder().0.build().unwrap();
    let (transport, _guard) = init(&monitor);
    let app = Router::new()
        .route("/rows/{id}", get(async || capture()))
        .layer(sentry::integrations::tower::SentryHttpLayer::new().enable_transaction())
        .layer(sentry::integrations::tower::NewSentryLayer::new_from_top())
        .layer(monitor.layer());
    let id = get_rows(app);
    let (events, transactions) = sent(&transport);
    assert_eq!((events.len(), transactions.len()), (1, 1));
    linked(&monitor, &events[0], &transactions[0], &id);
}

fn tracing_span() {
    let monitor = builder().0.build().unwrap();
    let (transport, _guard) = init(&monitor);
    tracing_subscriber::registry()
        .with(sentry::integrations::tracing::SpanLayer::new())
        .with(monitor.tracing_layer())
        .init();
    let app = Router::new()
        .route(
            "/rows/{id}",
            get(async || {
                tracing::info_span!("outer").in_scope(|| {
                    tracing::info_span!("inner").in_scope(capture);
                })
            }),
        )
        .layer(monitor.layer());
    let id = get_rows(app);
    let (events, transactions) = sent(&transport);
    assert_eq!((events.len(), transactions.len()), (1, 1));
    linked(&monitor, &events[0], &transactions[0], &id);
    // The inner span belongs to the transaction; the event has its span ID and nothing else of it.
    let inner = &transactions[0].spans[0];
    assert_eq!(trace_of(&events[0].contexts).1, inner.span_id.to_string());
}

fn panic_once_each() {
    let guard = builder().0.install().unwrap();
    let (transport, _guard) = init(&guard);
    let app = Router::new()
        .route("/rows/{id}", get(async || -> () { panic!("no paper") }))
        .layer(tower_http::catch_panic::CatchPanicLayer::new())
        .layer(guard.layer())
        .layer(sentry::integrations::tower::SentryHttpLayer::new().enable_transaction())
        .layer(sentry::integrations::tower::NewSentryLayer::new_from_top());
    let id = get_rows(app);
    let (events, transactions) = sent(&transport);
    assert_eq!((events.len(), transactions.len()), (1, 1));
    assert!(events[0].exception.values[0].value.as_deref() == Some("no paper"));
    linked(&guard, &events[0], &transactions[0], &id);
    let errors = guard.error_groups();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].count, 1);
}
