//! Metrics that are pushed to a receiver on loopback, which decodes them.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Metric, number_data_point};
use prost::Message;
use watchpost::db::{ConnectionPool, PoolState};
use watchpost::metrics::{MetricsConfig, MetricsExporter, MetricsTemporality};
use watchpost::{DropReason, Monitor, MonitorBuilder, RecordKind, RecordTotals};

use crate::peer::{Peer, Reply, Seen};
use crate::support::{get_request, send};

const PATIENCE: Duration = Duration::from_secs(20);

fn config() -> MetricsConfig {
    MetricsConfig::default().exporter(MetricsExporter::Otlp)
}

fn builder(peer: &Peer, metrics: MetricsConfig) -> MonitorBuilder {
    Monitor::builder("shop")
        .env(false)
        .console(false)
        .otlp_endpoint(peer.url(""))
        .metrics(metrics)
}

fn plain(seen: &Seen) -> Vec<u8> {
    let mut plain = Vec::new();
    match seen.header("content-encoding") {
        Some("gzip") => drop(GzDecoder::new(&seen.body[..]).read_to_end(&mut plain)),
        _ => plain.clone_from(&seen.body),
    }
    plain
}

fn pushes(seen: &[Seen]) -> impl Iterator<Item = ExportMetricsServiceRequest> {
    let pushes = seen.iter().filter(|it| it.target == "/v1/metrics");
    pushes.map(|it| ExportMetricsServiceRequest::decode(&plain(it)[..]).unwrap())
}

fn metrics(seen: &[Seen]) -> impl Iterator<Item = Metric> {
    let resources = pushes(seen).flat_map(|it| it.resource_metrics);
    let scopes = resources.flat_map(|it| it.scope_metrics);
    scopes.flat_map(|it| it.metrics)
}

fn points(metric: &Metric) -> u64 {
    let points = match metric.data.as_ref().unwrap() {
        Data::Gauge(data) => data.data_points.len(),
        Data::Sum(data) => data.data_points.len(),
        Data::ExponentialHistogram(data) => data.data_points.len(),
        other => panic!("{other:?}"),
    };
    points as u64
}

fn received(seen: &[Seen]) -> u64 {
    metrics(seen).map(|metric| points(&metric)).sum()
}

/// The whole numbers of a counter's points, in the order of their arrival.
fn numbers(seen: &[Seen], name: &str) -> Vec<i64> {
    let metrics = metrics(seen).filter(|metric| metric.name == name);
    let points = metrics.flat_map(|metric| match metric.data {
        Some(Data::Sum(sum)) => sum.data_points,
        other => panic!("{other:?}"),
    });
    let values = points.map(|point| match point.value {
        Some(number_data_point::Value::AsInt(value)) => value,
        other => panic!("{other:?}"),
    });
    values.collect()
}

fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let texts = attributes.iter().map(|it| {
        let value = match it.value.clone().and_then(|it| it.value).unwrap() {
            Value::StringValue(text) => text,
            Value::IntValue(number) => format!("int {number}"),
            other => panic!("{other:?}"),
        };
        (it.key.clone(), value)
    });
    texts.collect()
}

/// The totals of data points. Each is delivered or dropped.
fn balance(monitor: &Monitor) -> RecordTotals {
    let totals = monitor.totals(RecordKind::Metric);
    let settled = totals.delivered() + totals.dropped_total();
    assert_eq!(totals.emitted(), settled, "{totals:?}");
    totals
}

async fn flush(monitor: &Monitor) {
    assert!(monitor.flush(PATIENCE).await);
}

#[tokio::test]
async fn requests_arrive_with_the_names_and_counts_of_opentelemetry() {
    let peer = Peer::always(Reply::status(200));
    let monitor = builder(&peer, config()).build().unwrap();
    let app = Router::new()
        .route("/orders/{id}", get(async || "an order"))
        .route("/broken", get(async || StatusCode::INTERNAL_SERVER_ERROR))
        .layer(monitor.layer());
    for n in 0..40 {
        send(&app, get_request(&format!("/orders/{n}"))).await;
    }
    for _ in 0..3 {
        send(&app, get_request("/broken")).await;
    }
    flush(&monitor).await;
    let seen = peer.seen();
    let durations = metrics(&seen).find(|metric| metric.name == "http.server.request.duration");
    let durations = durations.unwrap();
    assert_eq!(durations.unit, "s");
    let Some(Data::ExponentialHistogram(data)) = durations.data else {
        panic!("{durations:?}");
    };
    let mut counts: Vec<_> = data
        .data_points
        .iter()
        .map(|point| {
            let buckets = point.positive.as_ref().unwrap();
            assert_eq!(buckets.bucket_counts.iter().sum::<u64>(), point.count);
            assert!(point.start_time_unix_nano < point.time_unix_nano);
            let mut attributes = texts(&point.attributes);
            assert_eq!(attributes.remove("http.request.method").unwrap(), "GET");
            let mut take = |key: &str| attributes.remove(key).unwrap_or_default();
            let route = take("http.route");
            let status = take("http.response.status_code");
            let error = take("error.type");
            assert!(
                attributes.keys().all(|key| !key.contains('_')),
                "{attributes:?}"
            );
            (route, status, error, point.count)
        })
        .collect();
    counts.sort();
    let expected = [
        ("/broken", "int 500", "500", 3),
        ("/orders/{id}", "int 200", "", 40),
    ];
    assert_eq!(
        counts,
        expected.map(|(a, b, c, n)| (a.to_owned(), b.to_owned(), c.to_owned(), n))
    );
    // The figures of the process are pushed as well.
    assert!(metrics(&seen).any(|metric| metric.name.contains("process")));
    assert_eq!(balance(&monitor).delivered(), received(&seen));
}

#[tokio::test]
async fn nothing_is_pushed_unless_it_is_asked_for() {
    let peer = Peer::always(Reply::status(200));
    let monitor = builder(&peer, MetricsConfig::default()).build().unwrap();
    monitor.metrics().counter("jobs").build().add(1);
    monitor.span("work").in_scope(|| {});
    flush(&monitor).await;
    monitor.shutdown(PATIENCE).await;
    let targets: Vec<_> = peer.seen().into_iter().map(|it| it.target).collect();
    assert_eq!(targets, ["/v1/traces"]);
    assert_eq!(balance(&monitor).emitted(), 0);
    // Without a receiver, a notice says why nothing arrives.
    let monitor = Monitor::builder("shop").env(false).console(false);
    let monitor = monitor.metrics(config()).build().unwrap();
    let notices = monitor.report().notices;
    let is_reported = |it: &String| it.contains("set `otlp.endpoint`");
    assert!(notices.iter().any(is_reported), "{notices:?}");
}

#[tokio::test]
async fn traces_and_metrics_have_the_same_resource() {
    let peer = Peer::always(Reply::status(200));
    let monitor = builder(&peer, config()).build().unwrap();
    monitor.span("work").in_scope(|| {});
    flush(&monitor).await;
    let seen = peer.seen();
    let traces = seen.iter().find(|it| it.target == "/v1/traces").unwrap();
    let traces = ExportTraceServiceRequest::decode(&plain(traces)[..]).unwrap();
    let traces = traces.resource_spans[0].resource.clone().unwrap();
    let metrics = pushes(&seen).next().unwrap();
    let metrics = metrics.resource_metrics[0].resource.clone().unwrap();
    let (traces, metrics) = (texts(&traces.attributes), texts(&metrics.attributes));
    assert_eq!(traces, metrics);
    // Among it is the instance, whose name is random here.
    assert!(metrics["service.instance.id"].len() == 36, "{metrics:?}");
}

#[tokio::test]
async fn increases_that_arrive_add_up() {
    let peer = Peer::always(Reply::status(200));
    let delta = config().temporality(MetricsTemporality::Delta);
    let monitor = builder(&peer, delta).build().unwrap();
    let jobs = monitor.metrics().counter("jobs").build();
    for n in [3, 4, 0, 5] {
        jobs.add(n);
        flush(&monitor).await;
    }
    assert_eq!(numbers(&peer.seen(), "jobs"), [3, 4, 5]);
    jobs.add(6);
    // The shutdown pushes what was recorded since the last push.
    let report = monitor.shutdown(PATIENCE).await;
    assert!(report.is_complete(), "{report}");
    let seen = peer.seen();
    assert_eq!(numbers(&seen, "jobs"), [3, 4, 5, 6]);
    assert_eq!(balance(&monitor).delivered(), received(&seen));
}

#[tokio::test]
async fn pushes_during_an_outage_arrive_after_it() {
    let peer = Peer::always(Reply::status(503));
    let monitor = builder(&peer, config()).build().unwrap();
    let jobs = monitor.metrics().counter("jobs").build();
    for _ in 0..3 {
        jobs.add(1);
        let before = monitor.totals(RecordKind::Metric).emitted();
        // It cannot end while the receiver refuses, so only its push is awaited.
        let flush = tokio::spawn(monitor.flush(PATIENCE));
        while monitor.totals(RecordKind::Metric).emitted() == before {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        flush.abort();
    }
    assert_eq!(monitor.totals(RecordKind::Metric).delivered(), 0);
    let before = peer.seen().len();
    peer.script(|_| Reply::status(200));
    let report = monitor.shutdown(PATIENCE).await;
    assert!(report.is_complete(), "{report}");
    let arrived = &peer.seen()[before..];
    // One push of each flush, and one of the shutdown.
    assert_eq!(numbers(arrived, "jobs"), [1, 2, 3, 3]);
    let totals = balance(&monitor);
    assert_eq!(
        (totals.delivered(), totals.dropped_total()),
        (received(arrived), 0)
    );
}

#[tokio::test]
async fn what_the_receiver_refuses_is_counted() {
    let peer = Peer::always(Reply::status(400));
    let monitor = builder(&peer, config()).build().unwrap();
    let jobs = monitor.metrics().counter("jobs").build();
    jobs.add(1);
    flush(&monitor).await;
    let refused = received(&peer.seen());
    let totals = balance(&monitor);
    assert_eq!(totals.dropped(DropReason::SendError), refused);
    // Two points are rejected of a push that is accepted.
    let partial_success = Some(ExportMetricsPartialSuccess {
        rejected_data_points: 2,
        error_message: "too old".to_owned(),
    });
    let body = ExportMetricsServiceResponse { partial_success }.encode_to_vec();
    peer.script(move |_| Reply::Answer(200, Vec::new(), body.clone()));
    flush(&monitor).await;
    let all = received(&peer.seen());
    let totals = balance(&monitor);
    assert_eq!(totals.delivered(), all - refused - 2);
    assert_eq!(totals.dropped(DropReason::SendError), refused + 2);
    let notices = monitor.report().notices;
    assert!(
        notices.iter().any(|it| it.contains("too old")),
        "{notices:?}"
    );
}

#[tokio::test]
async fn a_push_that_is_too_large_arrives_in_parts() {
    const MOST: usize = 2000;
    let peer = Peer::start(|seen| {
        let too_large = seen.body.len() > MOST;
        Reply::status(if too_large { 413 } else { 200 })
    });
    let monitor = builder(&peer, config()).build().unwrap();
    let jobs = monitor.metrics().counter("jobs").build();
    for n in 0..500 {
        jobs.with([("queue", format!("queue-{}", n * 7919))]).add(n);
    }
    flush(&monitor).await;
    let seen = peer.seen();
    let taken: Vec<_> = seen
        .into_iter()
        .filter(|it| it.target == "/v1/metrics" && it.body.len() <= MOST)
        .collect();
    assert!(taken.len() > 1);
    let mut all = numbers(&taken, "jobs");
    all.sort_unstable();
    assert_eq!(all, (0..500).collect::<Vec<_>>());
    let totals = balance(&monitor);
    assert_eq!(
        (totals.delivered(), totals.dropped_total()),
        (received(&taken), 0)
    );
}

#[tokio::test]
async fn a_shutdown_ends_in_time_while_the_receiver_hangs() {
    let peer = Peer::always(Reply::Hang);
    let monitor = builder(&peer, config()).build().unwrap();
    monitor.metrics().counter("jobs").build().add(1);
    let report = monitor.shutdown(Duration::from_millis(200)).await;
    let totals = report.totals(RecordKind::Metric);
    assert!(totals.emitted() > 0, "{report}");
    assert_eq!(totals.dropped(DropReason::Shutdown), totals.emitted());
    assert_eq!(totals.in_flight(), 0, "{report}");
}

#[tokio::test]
async fn a_push_follows_each_interval_without_a_flush() {
    let peer = Peer::always(Reply::status(200));
    let often = config().export_interval(Duration::from_millis(100));
    let monitor = builder(&peer, often).build().unwrap();
    monitor.metrics().counter("jobs").build().add(7);
    let seen = tokio::task::spawn_blocking(move || {
        let seen = peer.await_seen(3, PATIENCE);
        drop(peer);
        seen
    });
    let seen = seen.await.unwrap();
    assert!(numbers(&seen, "jobs").len() >= 3);
    drop(monitor);
}

/// A pool whose `state` hangs until the sender is dropped.
struct HangingPool(Mutex<Receiver<()>>);

impl ConnectionPool for HangingPool {
    fn state(&self) -> Option<PoolState> {
        self.0.lock().unwrap().recv().unwrap_or(());
        Some(PoolState::new(3, 7))
    }
}

#[tokio::test]
async fn a_pool_that_hangs_stops_pushes_alone_until_it_returns() {
    const SHORT: Duration = Duration::from_millis(50);
    let peer = Peer::always(Reply::status(200));
    let monitor = builder(&peer, config()).build().unwrap();
    let (release, released) = channel::<()>();
    monitor.watch_pool("orders", &Arc::new(HangingPool(Mutex::new(released))));
    monitor.metrics().counter("jobs").build().add(3);
    assert!(!monitor.flush(SHORT).await, "its push is not complete");
    // The worker goes on: it sends spans meanwhile.
    monitor.span("work").in_scope(|| {});
    assert!(!monitor.flush(SHORT).await);
    peer.await_seen(1, PATIENCE);
    assert_eq!(peer.seen()[0].target, "/v1/traces");
    drop(release);
    flush(&monitor).await;
    let seen = peer.seen();
    assert_eq!(numbers(&seen, "jobs").last(), Some(&3));
    let used = metrics(&seen).find(|metric| metric.name == "db.client.connection.count");
    assert!(used.is_some());
    balance(&monitor);

    // A shutdown keeps its deadline, and its report says that something is missing.
    let monitor = builder(&peer, config()).build().unwrap();
    let (release, released) = channel::<()>();
    monitor.watch_pool("orders", &Arc::new(HangingPool(Mutex::new(released))));
    let begun = Instant::now();
    let report = monitor.shutdown(SHORT).await;
    assert!(
        begun.elapsed() < PATIENCE && !report.is_complete(),
        "{report}"
    );
    balance(&monitor);
    drop(release);
}
