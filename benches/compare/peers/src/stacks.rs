//! The stacks: traces, a tenth of them kept, request metrics, errors to Sentry, and a log line per request.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum_prometheus::PrometheusMetricLayer;
use opentelemetry::trace::TracerProvider;
use opentelemetry_instrumentation_tower::http::server::Layer as OtelLayer;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use sentry::integrations::tower::{NewSentryLayer, SentryHttpLayer};
use sentry::integrations::tracing::{BreadcrumbLayer, ErrorLayer};
use tower_http::trace::TraceLayer;
use tracing::level_filters::LevelFilter;
use tracing::{Span, field::Empty, info, info_span};
use tracing_subscriber::prelude::*;
use tracing_subscriber::{EnvFilter, fmt};

use crate::sinks;

/// A router, and a function for the end of the run that takes the number of requests.
pub struct Stack {
    pub router: Router,
    pub end: Box<dyn FnOnce(u64)>,
}

type Build = fn(Router) -> Stack;

pub const STACKS: &[(&str, Build)] = &[
    ("bare", |router| Stack {
        router,
        end: Box::new(|_| {}),
    }),
    ("full, by hand", full),
    ("lean, by hand", lean),
];

/// The metrics page of axum-prometheus after the mixed requests.
pub fn page() -> String {
    let runtime = crate::work::runtime();
    let (metrics, page) = {
        let _entered = runtime.enter();
        PrometheusMetricLayer::pair()
    };
    crate::work::send_mixed(&crate::app::router().layer(metrics));
    page.render()
}

pub fn build(name: &str) -> Stack {
    let (_, build) = STACKS
        .iter()
        .find(|(have, _)| *have == name)
        .expect("a stack that `list` names");
    let mut stack = build(crate::app::router());
    stack.router = stack.router.with_state(());
    stack
}

fn traces() -> SdkTracerProvider {
    let ratio = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(0.1)));
    let traces = SdkTracerProvider::builder()
        .with_sampler(ratio)
        .with_batch_exporter(sinks::Spans)
        .build();
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    opentelemetry::global::set_tracer_provider(traces.clone());
    traces
}

/// `tower_http`'s `TraceLayer` with spans of tracing-opentelemetry, axum-prometheus, Sentry's layers, and
/// `tracing-subscriber`'s JSON with a writer on a thread of its own.
fn full(router: Router) -> Stack {
    let (sentry, traces) = (sinks::sentry(), traces());
    let (writer, written) = tracing_appender::non_blocking(sinks::Lines);
    // It spawns its upkeep task on this runtime; nothing drives it here.
    let runtime = crate::work::runtime();
    let (metrics, page) = {
        let _entered = runtime.enter();
        PrometheusMetricLayer::pair()
    };
    tracing_subscriber::registry()
        .with(EnvFilter::new("info"))
        .with(fmt::layer().json().with_writer(writer))
        .with(tracing_opentelemetry::layer().with_tracer(traces.tracer("service")))
        .with(ErrorLayer::new().with_filter(LevelFilter::ERROR))
        .with(BreadcrumbLayer::new().with_filter(LevelFilter::INFO))
        .init();
    let trace = TraceLayer::new_for_http().make_span_with(span).on_response(
        |response: &Response, took: Duration, span: &Span| {
            let status = response.status().as_u16();
            span.record("http.response.status_code", status);
            info!(status, ms = took.as_secs_f64() * 1e3, "request completed");
        },
    );
    let router = router
        .layer(metrics)
        .layer(trace)
        .layer(SentryHttpLayer::new())
        .layer(NewSentryLayer::<Request>::new_from_top());
    let end = move |requests: u64| {
        let flushed = traces.force_flush();
        drop((written, sentry, runtime));
        let page = page.render();
        let counted: u64 = page
            .lines()
            .filter(|line| line.starts_with("axum_http_requests_total"))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
            .sum();
        let (lines, spans) = (sinks::LINES.load(Relaxed), sinks::SPANS.load(Relaxed));
        eprintln!(
            "{requests} requests: {counted} counted, {lines} lines, {spans} spans ({flushed:?})"
        );
        assert!(counted == requests && lines == requests && spans > 0);
    };
    Stack {
        router,
        end: Box::new(end),
    }
}

fn span(request: &Request) -> Span {
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or("", MatchedPath::as_str);
    info_span!(
        "request",
        otel.name = format!("{} {route}", request.method()),
        otel.kind = "server",
        http.request.method = %request.method(),
        http.route = route,
        url.path = request.uri().path(),
        http.response.status_code = Empty,
    )
}

/// The leanest stack of such crates: opentelemetry-instrumentation-tower for spans and metrics, Sentry's layers, and one
/// event per request with the same JSON writer.
fn lean(router: Router) -> Stack {
    let (sentry, traces) = (sinks::sentry(), traces());
    let meters = SdkMeterProvider::builder()
        .with_reader(PeriodicReader::builder(sinks::Measurements).build())
        .build();
    opentelemetry::global::set_meter_provider(meters.clone());
    let (writer, written) = tracing_appender::non_blocking(sinks::Lines);
    tracing_subscriber::registry()
        .with(EnvFilter::new("info"))
        .with(fmt::layer().json().with_writer(writer))
        .with(ErrorLayer::new().with_filter(LevelFilter::ERROR))
        .with(BreadcrumbLayer::new().with_filter(LevelFilter::INFO))
        .init();
    let router = router
        .layer(from_fn(line))
        .layer(OtelLayer::new())
        .layer(SentryHttpLayer::new())
        .layer(NewSentryLayer::<Request>::new_from_top());
    let end = move |requests: u64| {
        let flushed = (traces.force_flush(), meters.force_flush());
        drop((written, sentry));
        let [lines, spans, counted] =
            [&sinks::LINES, &sinks::SPANS, &sinks::MEASURED].map(|it| it.load(Relaxed));
        eprintln!(
            "{requests} requests: {counted} counted, {lines} lines, {spans} spans ({flushed:?})"
        );
        assert!(counted == requests && lines == requests && spans > 0);
    };
    Stack {
        router,
        end: Box::new(end),
    }
}

async fn line(request: Request, next: Next) -> Response {
    let start = Instant::now();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let response = next.run(request).await;
    let route = route.as_ref().map_or("", MatchedPath::as_str);
    let status = response.status().as_u16();
    let ms = start.elapsed().as_secs_f64() * 1e3;
    info!(%method, route, path = uri.path(), status, ms, "request completed");
    response
}

/// Emits `n` events to `tracing-subscriber`'s JSON with a writer on a thread of its own.
pub fn events(n: u64) {
    let (writer, written) = tracing_appender::non_blocking(sinks::Lines);
    tracing_subscriber::registry()
        .with(LevelFilter::INFO)
        .with(fmt::layer().json().with_writer(writer))
        .init();
    crate::work::emit_events(0..n);
    drop(written);
    let lines: &AtomicU64 = &sinks::LINES;
    assert_eq!(lines.load(Relaxed), n);
}
