//! Single operations as written by hand, or with another crate.

use std::hint::black_box;
use std::time::Instant;

use axum_prometheus::metrics_exporter_prometheus::PrometheusBuilder;
use opentelemetry::trace::{Span as _, SpanKind, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tower::Layer;
use tracing_subscriber::prelude::*;

use crate::outgoing::{SIX, calls, headers, response};
use crate::{facade, measured, sinks};

/// With metrics-exporter-prometheus.
fn label_sets<const KEYS: usize>(n: u64, measure: Measure<'_>) {
    let recorder = PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, || facade::label_sets(KEYS, n, measure));
}

const QUERY: &str =
    "SELECT articles.id, articles.title, articles.body FROM articles WHERE articles.author_id = ";

type Measure<'a> = &'a mut dyn FnMut(&mut dyn FnMut());
type Op = fn(u64, Measure<'_>);

pub const OPS: &[(&str, Op)] = &[
    ("nothing", |n, measure| {
        measure(&mut || (0..n).for_each(|n| _ = black_box(n)));
    }),
    ("query by hand, not kept", |n, measure| {
        query(Sampler::AlwaysOff, n, measure)
    }),
    ("query by hand, kept", |n, measure| {
        query(Sampler::AlwaysOn, n, measure)
    }),
    ("statement, sql_lexer", |n, measure| {
        let texts: Vec<_> = (0..n).map(|n| format!("{QUERY}{n}")).collect();
        measure(&mut || {
            for text in &texts {
                black_box(sql_lexer::sanitize_string(text.clone()));
            }
        });
    }),
    ("facade counter, 5 label sets", label_sets::<5>),
    ("facade counter, 50 label sets", label_sets::<50>),
    ("facade counter, 100 label sets", label_sets::<100>),
    ("facade counter, 500 label sets", label_sets::<500>),
    ("facade counter, 2000 label sets", label_sets::<2000>),
    ("client, bare", |n, measure| {
        let mut client = tower::service_fn(response);
        measure(&mut || calls(&mut client, n));
    }),
    ("client, tower-otel", |n, measure| {
        let (traces, meters) = providers(Sampler::TraceIdRatioBased(0.1));
        opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
        let spans = tracing_opentelemetry::layer().with_tracer(traces.tracer("client"));
        let _listening =
            tracing::subscriber::set_default(tracing_subscriber::registry().with(spans));
        let meter = opentelemetry::metrics::MeterProvider::meter(&meters, "client");
        let metrics = tower_otel::metrics::HttpLayer::client(&meter);
        let spans = tower_otel::trace::HttpLayer::client(tracing::Level::INFO).trace_body();
        let mut client = metrics.layer(spans.layer(tower::service_fn(response)));
        calls(&mut client, 64);
        measure(&mut || calls(&mut client, n));
    }),
    ("six limits, by hand", |n, measure| {
        let headers = headers(&SIX);
        measure(&mut || {
            for _ in 0..n {
                let number = |name: &str| {
                    let value = black_box(&headers).get(name)?;
                    value.to_str().ok()?.parse::<u64>().ok()
                };
                for name in ["limit", "remaining"] {
                    black_box(number(&format!("x-ratelimit-{name}-requests")));
                    black_box(number(&format!("x-ratelimit-{name}-tokens")));
                }
            }
        });
    }),
];

fn providers(sampler: Sampler) -> (SdkTracerProvider, SdkMeterProvider) {
    let traces = SdkTracerProvider::builder()
        .with_sampler(Sampler::ParentBased(Box::new(sampler)))
        .with_batch_exporter(sinks::Spans)
        .build();
    let meters = SdkMeterProvider::builder()
        .with_reader(PeriodicReader::builder(sinks::Measurements).build());
    (traces, meters.build())
}

/// A child span and a duration with the attributes of the semantic conventions, with the SDK only. The statement is written
/// by hand without literals.
fn query(sampler: Sampler, n: u64, measure: Measure<'_>) {
    let (traces, meters) = providers(sampler);
    let tracer = traces.tracer("queries");
    let meter = opentelemetry::metrics::MeterProvider::meter(&meters, "queries");
    let duration = meter
        .f64_histogram("db.client.operation.duration")
        .with_unit("s")
        .build();
    let root = Context::new().with_span(tracer.start("work"));
    let _in_root = root.attach();
    let attributes = || {
        [
            ("db.system.name", "postgresql"),
            ("db.namespace", "shop"),
            ("db.operation.name", "SELECT"),
            ("db.collection.name", "articles"),
            ("db.query.summary", "SELECT articles"),
        ]
        .map(|(key, value)| KeyValue::new(key, value))
    };
    measure(&mut || {
        for _ in 0..n {
            let begun = Instant::now();
            let mut span = tracer
                .span_builder("SELECT articles")
                .with_kind(SpanKind::Client)
                .with_attributes(attributes())
                .start(&tracer);
            span.set_attribute(KeyValue::new("db.query.text", QUERY));
            black_box(&span);
            duration.record(begun.elapsed().as_secs_f64(), &attributes());
            span.end();
        }
    });
}

fn find(name: &str) -> Op {
    let op = OPS.iter().find(|(have, _)| *have == name);
    op.expect("an operation of these").1
}

pub fn count(name: &str, n: u64) {
    find(name)(n, &mut |work| measured(work));
}

/// Prints nanoseconds per operation: the median of many runs.
pub fn time(name: &str) {
    let mut took = Vec::new();
    find(name)(256, &mut |work| {
        for _ in 0..100 {
            let start = Instant::now();
            work();
            took.push(start.elapsed().as_nanos() as f64 / 256.0);
        }
    });
    println!("{:.0}", crate::work::median(&mut took));
}
