//! A host with OpenTelemetry: its layer, its provider, its middleware. Its exporter gets the same spans as without this
//! crate.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Request;
use opentelemetry::trace::{SpanId, TraceContextExt as _, Tracer as _, TracerProvider as _};
use opentelemetry::{Context, global};
use opentelemetry_sdk::trace::{InMemorySpanExporter, Sampler, SdkTracerProvider, SpanData};
use tower::ServiceExt as _;
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, reload};
use watchpost::Monitor;
use watchpost::trace::{KeptTrace, SpanBackend};

use crate::cases::Case;
use crate::support::builder;

pub(crate) const CASES: [Case; 21] = [
    Case::new("otel_layer_first", || layers(SpanBackend::Watchpost, first)),
    Case::new("otel_layer_last", || layers(SpanBackend::Watchpost, last)),
    Case::new("otel_layer_filtered", || {
        layers(SpanBackend::Watchpost, filtered)
    }),
    Case::new("otel_layer_both_first", || {
        layers(SpanBackend::TracingOpentelemetry, first)
    }),
    Case::new("otel_layer_both_last", || {
        layers(SpanBackend::TracingOpentelemetry, last)
    }),
    Case::new("otel_layer_both_boxed", || {
        layers(SpanBackend::TracingOpentelemetry, boxed)
    }),
    Case::new("otel_layer_both_in_a_vec", || {
        layers(SpanBackend::TracingOpentelemetry, in_a_vec)
    }),
    Case::new("otel_layer_both_reload", || {
        layers(SpanBackend::TracingOpentelemetry, reloaded)
    }),
    Case::new("otel_layer_both_filtered", || {
        layers(SpanBackend::TracingOpentelemetry, filtered)
    }),
    Case::new("otel_layer_joined", || joined(SpanBackend::Watchpost, last)),
    Case::new("otel_layer_joined_in_an_option", || {
        joined(SpanBackend::Watchpost, in_an_option)
    }),
    Case::new("otel_layer_joined_both", || {
        joined(SpanBackend::TracingOpentelemetry, last)
    }),
    Case::new("otel_two_monitors_in_one_subscriber", two_monitors),
    Case::new("otel_joined_plain_spans", joined_plain_spans),
    Case::new("otel_joined_sampler_decides", joined_sampler_decides),
    Case::new("otel_foreign_provider", foreign_provider),
    Case::new("otel_provider_set_after_us", provider_set_after_us),
    Case::new("otel_middleware_outside", middleware_outside),
    Case::new("otel_we_are_the_provider", we_are_the_provider),
    Case::new("otel_layer_of_the_mode_is_missing", layer_missing),
    Case::new("otel_another_version", another_version),
];

/// The host's provider and its exporter.
fn provider(sampler: Sampler) -> (SdkTracerProvider, InMemorySpanExporter) {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .with_sampler(sampler)
        .build();
    (provider, exporter)
}

fn parent_based() -> Sampler {
    Sampler::ParentBased(Box::new(Sampler::AlwaysOn))
}

/// Sends `GET /rows/7` twice and returns the trace IDs of the responses.
fn get_rows(app: &Router) -> Vec<String> {
    crate::support::block_on(async {
        let mut ids = Vec::new();
        for _ in 0..2 {
            let request = Request::get("/rows/7").body(Body::empty()).unwrap();
            let response = app.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), 200);
            ids.push(
                response.headers()["x-trace-id"]
                    .to_str()
                    .unwrap()
                    .to_owned(),
            );
            drop(axum::body::to_bytes(response.into_body(), 1024).await);
        }
        ids
    })
}

async fn handler() {
    let span = tracing::info_span!("outer", row = 7);
    span.in_scope(|| {
        tracing::info_span!("inner").in_scope(|| tracing::info!("an event"));
    });
}

fn app(monitor: &Monitor) -> Router {
    Router::new()
        .route("/rows/{id}", get(handler))
        .layer(monitor.layer())
}

/// Checks that the host's exporter has two complete traces with an outer and an inner span each.
fn complete(exporter: &InMemorySpanExporter) -> Vec<SpanData> {
    let spans = exporter.get_finished_spans().unwrap();
    let names: Vec<_> = spans.iter().map(|it| it.name.as_ref()).collect();
    assert_eq!(names, ["inner", "outer", "inner", "outer"]);
    for pair in spans.chunks(2) {
        let [inner, outer] = pair else { unreachable!() };
        assert_eq!(outer.parent_span_id, SpanId::INVALID);
        assert_eq!(inner.parent_span_id, outer.span_context.span_id());
        assert_eq!(inner.span_context.trace_id(), outer.span_context.trace_id());
        assert_eq!(inner.events.len(), 1);
    }
    spans
}

fn traces(monitor: &Monitor) -> Vec<KeptTrace> {
    assert!(monitor.flush_blocking(Duration::from_secs(10)).unwrap());
    monitor.recent_traces()
}

/// Checks that each of the monitor's traces has the request, the outer and the inner span once.
fn ours(monitor: &Monitor, ids: &[String]) -> Vec<KeptTrace> {
    let traces = traces(monitor);
    assert_eq!(traces.len(), ids.len());
    for trace in &traces {
        assert!(ids.contains(&trace.trace_id.to_string()));
        let mut names: Vec<_> = trace.spans.iter().map(|it| &*it.name).collect();
        names.sort_unstable();
        assert_eq!(names, ["GET /rows/{id}", "inner", "outer"]);
        let of = |name: &str| trace.spans.iter().find(|it| it.name == name).unwrap();
        assert_eq!(of("outer").parent_span_id, of("GET /rows/{id}").span_id);
        assert_eq!(of("inner").parent_span_id, of("outer").span_id);
    }
    traces
}

fn findings(monitor: &Monitor, words: &str) -> usize {
    let all = monitor.doctor();
    all.iter()
        .filter(|it| it.about == "opentelemetry" && it.sentence.contains(words))
        .count()
}

const NOT_JOINED: &str = "was not joined";
const STEPPED_ASIDE: &str = "stepped aside";

type Boxed = Box<dyn Layer<Registry> + Send + Sync>;

fn first(monitor: &Monitor, provider: &SdkTracerProvider) {
    tracing_subscriber::registry()
        .with(tracing_opentelemetry::layer().with_tracer(provider.tracer("host")))
        .with(monitor.tracing_layer())
        .with(monitor.otel().tracing_layer())
        .init();
}

fn last(monitor: &Monitor, provider: &SdkTracerProvider) {
    tracing_subscriber::registry()
        .with(EnvFilter::new("info"))
        .with(monitor.tracing_layer())
        .with(monitor.otel().tracing_layer())
        .with(tracing_opentelemetry::layer().with_tracer(provider.tracer("host")))
        .init();
}

fn all(monitor: &Monitor, provider: &SdkTracerProvider) -> Vec<Boxed> {
    let theirs = tracing_opentelemetry::layer().with_tracer(provider.tracer("host"));
    let mut all: Vec<Boxed> = vec![Box::new(monitor.tracing_layer())];
    all.extend(
        monitor
            .otel()
            .tracing_layer()
            .map(|it| Box::new(it) as Boxed),
    );
    all.push(Box::new(theirs));
    all
}

fn boxed(monitor: &Monitor, provider: &SdkTracerProvider) {
    let theirs = tracing_opentelemetry::layer().with_tracer(provider.tracer("host"));
    let theirs: Boxed = Box::new(theirs);
    tracing_subscriber::registry()
        .with(theirs)
        .with(monitor.tracing_layer().boxed())
        .with(monitor.otel().tracing_layer().boxed())
        .init();
}

fn in_a_vec(monitor: &Monitor, provider: &SdkTracerProvider) {
    tracing_subscriber::registry()
        .with(all(monitor, provider))
        .init();
}

fn reloaded(monitor: &Monitor, provider: &SdkTracerProvider) {
    let (layers, handle) = reload::Layer::new(all(monitor, provider));
    tracing_subscriber::registry().with(layers).init();
    handle.modify(|_| {}).unwrap();
}

fn filtered(monitor: &Monitor, provider: &SdkTracerProvider) {
    let theirs = tracing_opentelemetry::layer().with_tracer(provider.tracer("host"));
    tracing_subscriber::registry()
        .with(monitor.tracing_layer().with_filter(EnvFilter::new("info")))
        .with(monitor.otel().tracing_layer())
        .with(theirs.with_filter(EnvFilter::new("beside=info")))
        .init();
}

/// A host's layer with its own provider next to the monitor's layer, whose sampling ratio is 0.
fn layers(mode: SpanBackend, compose: fn(&Monitor, &SdkTracerProvider)) {
    let (provider, exporter) = provider(parent_based());
    let (builder, written) = builder();
    let monitor = builder
        .spans(mode)
        .trace_ratio(0.0)
        .slow_trace_threshold(Duration::from_nanos(1))
        .build()
        .unwrap();
    compose(&monitor, &provider);
    let ids = get_rows(&app(&monitor));
    complete(&exporter);
    ours(&monitor, &ids);
    let records = crate::support::records_of(&monitor, &written, "an event");
    let of: Vec<_> = records
        .iter()
        .map(|it| it["trace_id"].as_str().unwrap())
        .collect();
    assert_eq!(of, ids);
    assert_eq!(findings(&monitor, NOT_JOINED), 1);
    let stepped = usize::from(mode == SpanBackend::TracingOpentelemetry);
    assert_eq!(findings(&monitor, STEPPED_ASIDE), stepped);
}

/// The host's provider passes its spans to the monitor: both sides have the same IDs.
fn joined(mode: SpanBackend, compose: fn(&Monitor, &SdkTracerProvider)) {
    let exporter = InMemorySpanExporter::default();
    let monitor = builder().0.spans(mode).build().unwrap();
    let host = SdkTracerProvider::builder().with_simple_exporter(exporter.clone());
    let host = monitor.otel().join(host, parent_based()).build();
    global::set_tracer_provider(host.clone());
    compose(&monitor, &host);
    let ids = get_rows(&app(&monitor));
    let spans = complete(&exporter);
    for (at, span) in spans.iter().enumerate() {
        assert_eq!(span.span_context.trace_id().to_string(), ids[at / 2]);
    }
    let traces = ours(&monitor, &ids);
    for span in &spans {
        let id = span.span_context.span_id().to_string();
        let here = traces.iter().flat_map(|it| &it.spans);
        assert_eq!(here.filter(|it| it.span_id.to_string() == id).count(), 1);
    }
    assert_eq!(findings(&monitor, ""), 0, "{:?}", monitor.doctor());
}

/// An `Option` does not call the layer's `on_layer`.
fn in_an_option(monitor: &Monitor, provider: &SdkTracerProvider) {
    let theirs = tracing_opentelemetry::layer().with_tracer(provider.tracer("host"));
    tracing_subscriber::registry()
        .with(Some(monitor.tracing_layer()))
        .with(theirs)
        .init();
}

/// Both monitors look for the host's layer and find it. Nothing panics meanwhile, not even caught.
fn two_monitors() {
    let (provider, exporter) = provider(parent_based());
    let panics = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = std::sync::Arc::clone(&panics);
    std::panic::set_hook(Box::new(move |info| {
        eprintln!("{info}");
        counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }));
    let one = builder()
        .0
        .spans(SpanBackend::TracingOpentelemetry)
        .build()
        .unwrap();
    let two = builder()
        .0
        .spans(SpanBackend::TracingOpentelemetry)
        .build()
        .unwrap();
    tracing_subscriber::registry()
        .with(one.tracing_layer())
        .with(two.tracing_layer())
        .with(one.otel().tracing_layer())
        .with(tracing_opentelemetry::layer().with_tracer(provider.tracer("host")))
        .init();
    let ids = get_rows(&app(&one));
    complete(&exporter);
    ours(&one, &ids);
    assert_eq!(findings(&two, STEPPED_ASIDE), 1);
    assert_eq!(panics.load(std::sync::atomic::Ordering::Relaxed), 0);
}

fn plain_app(monitor: &Monitor) -> Router {
    let handler = async || {
        let tracer = global::tracer("host");
        tracer.in_span("outer", |_| {
            tracer.in_span("inner", |context| {
                context.span().add_event("an event", Vec::new());
            });
        });
    };
    Router::new()
        .route("/rows/{id}", get(handler))
        .layer(monitor.layer())
}

fn joined_plain_spans() {
    let exporter = InMemorySpanExporter::default();
    let monitor = builder().0.build().unwrap();
    let host = SdkTracerProvider::builder().with_simple_exporter(exporter.clone());
    let host = monitor.otel().join(host, parent_based()).build();
    global::set_tracer_provider(host);
    let ids = get_rows(&plain_app(&monitor));
    let spans = complete(&exporter);
    for (at, span) in spans.iter().enumerate() {
        assert_eq!(span.span_context.trace_id().to_string(), ids[at / 2]);
    }
    ours(&monitor, &ids);
    assert_eq!(findings(&monitor, ""), 0);
}

/// A span that the host's sampler drops is not exported by the host, and is part of the monitor's traces.
fn joined_sampler_decides() {
    let exporter = InMemorySpanExporter::default();
    let monitor = builder().0.build().unwrap();
    let host = SdkTracerProvider::builder().with_simple_exporter(exporter.clone());
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(0.0)));
    let host = monitor.otel().join(host, sampler).build();
    global::set_tracer_provider(host);
    let ids = get_rows(&plain_app(&monitor));
    assert_eq!(exporter.get_finished_spans().unwrap().len(), 0);
    ours(&monitor, &ids);
}

fn foreign_provider() {
    let (provider, exporter) = provider(parent_based());
    global::set_tracer_provider(provider);
    let guard = builder().0.trace_ratio(0.0).install().unwrap();
    get_rows(&plain_app(&guard));
    complete(&exporter);
    assert_eq!(findings(&guard, NOT_JOINED), 1);
}

fn provider_set_after_us() {
    let (provider, exporter) = provider(parent_based());
    let guard = builder().0.trace_ratio(0.0).install().unwrap();
    assert_eq!(findings(&guard, NOT_JOINED), 0);
    global::set_tracer_provider(provider);
    assert_eq!(findings(&guard, NOT_JOINED), 1);
    get_rows(&plain_app(&guard));
    complete(&exporter);
}

/// A server that checks that its request has the current span as parent.
async fn receive(request: Request<Body>) -> Result<http::Response<Body>, std::convert::Infallible> {
    let header = request.headers()["traceparent"]
        .to_str()
        .unwrap()
        .to_owned();
    let span = Context::current().span().span_context().clone();
    assert!(header.contains(&span.trace_id().to_string()), "{header}");
    assert!(header.contains(&span.span_id().to_string()), "{header}");
    Ok(http::Response::new(Body::empty()))
}

/// A middleware of the host around the endpoint layer: the request is a child of its span, and the innermost span is sent on.
fn middleware_outside() {
    let (provider, exporter) = provider(parent_based());
    global::set_tracer_provider(provider.clone());
    let monitor = builder().0.install().unwrap();
    let client = monitor.external("stock").client_layer();
    let handler = async move || {
        let service = tower::service_fn(receive);
        let call = tower::ServiceBuilder::new().layer(client).service(service);
        let request = Request::get("http://127.0.0.1/")
            .body(Body::empty())
            .unwrap();
        call.oneshot(request).await.unwrap();
        // The global propagator, which is that of this crate, does the same.
        let mut headers = std::collections::HashMap::new();
        global::get_text_map_propagator(|it| it.inject(&mut headers));
        let span = Context::current().span().span_context().clone();
        let sent = &headers["traceparent"];
        assert!(sent.contains(&span.trace_id().to_string()), "{sent}");
        assert!(sent.contains(&span.span_id().to_string()), "{sent}");
    };
    let app = Router::new()
        .route("/rows/{id}", get(handler))
        .layer(monitor.layer())
        .layer(axum::middleware::from_fn(
            async |request: axum::extract::Request, next: axum::middleware::Next| {
                use opentelemetry::trace::FutureExt as _;
                let tracer = global::tracer("host");
                let span = tracer.start("server");
                let context = Context::current_with_span(span);
                next.run(request).with_context(context).await
            },
        ));
    let ids = get_rows(&app);
    let spans = exporter.get_finished_spans().unwrap();
    assert_eq!(spans.len(), 2);
    for (span, id) in spans.iter().zip(&ids) {
        assert_eq!(span.span_context.trace_id().to_string(), *id);
        assert_eq!(span.parent_span_id, SpanId::INVALID);
    }
    let traces = traces(&monitor);
    for (span, trace) in spans.iter().zip(traces.iter().rev()) {
        let request = trace
            .spans
            .iter()
            .find(|it| it.name == "GET /rows/{id}")
            .unwrap();
        assert_eq!(
            request.parent_span_id.to_string(),
            span.span_context.span_id().to_string()
        );
    }
}

fn we_are_the_provider() {
    let guard = builder().0.install().unwrap();
    let ids = get_rows(&plain_app(&guard));
    ours(&guard, &ids);
    assert_eq!(findings(&guard, ""), 0);
}

fn layer_missing() {
    let monitor = builder()
        .0
        .spans(SpanBackend::TracingOpentelemetry)
        .build()
        .unwrap();
    tracing_subscriber::registry()
        .with(monitor.tracing_layer())
        .init();
    get_rows(&app(&monitor));
    assert_eq!(findings(&monitor, "in no subscriber"), 1);
}

fn another_version() {
    use opentelemetry_031::trace::TracerProvider as _;

    let before = opentelemetry_sdk_031::trace::SdkTracerProvider::builder().build();
    opentelemetry_031::global::set_tracer_provider(before.clone());
    let monitor = builder().0.build().unwrap();
    tracing_subscriber::registry()
        .with(tracing_opentelemetry_032::layer().with_tracer(before.tracer("host")))
        .with(monitor.tracing_layer())
        .init();
    let ids = get_rows(&app(&monitor));
    ours(&monitor, &ids);
    // The callsite was used before there was a subscriber; now it is used again.
    opentelemetry_031::global::set_tracer_provider(before);
    assert_eq!(
        findings(&monitor, "speaks in this process"),
        1,
        "{:?}",
        monitor.doctor()
    );
}
