//! The layer's instruments, and the series of each label set.

use std::sync::{Arc, OnceLock};

use super::labels::{ErrorType, RequestLabels};
use super::query_totals::{QuerySeries, QueryTotals};
use super::rpc_series::{self, RpcSeries};
use crate::clock::{Nanos, seconds};
use crate::context::Routes;
use crate::metrics::{Counter, Histogram, Metrics, UpDownCounter};
use crate::model::TraceId;
use crate::model::grpc::Call;
use crate::record::{Method, Scheme};
use crate::semconv;
use crate::trace::{RouteLatency, Traces};

/// The series of one label set.
#[derive(Debug)]
pub(super) struct RequestSeries {
    pub(super) route: Arc<str>,
    /// The route's recent durations, with traces: they decide what is slow.
    pub(super) times: Option<Arc<RouteLatency>>,
    pub(super) error_type: Box<str>,
    duration: Histogram,
    by_route: RouteInstruments,
    /// The series of the route and method; made with the first request that has a body.
    request_bytes: OnceLock<Histogram>,
    method: Method,
    scheme: Scheme,
    /// The series of the route; made with the first request that queries a database.
    queries: OnceLock<QuerySeries>,
    /// The series of the method; made with the first gRPC call.
    calls: OnceLock<RpcSeries>,
}

/// The series of a route and method, which several statuses and outcomes share.
#[derive(Debug)]
struct RouteInstruments {
    time_to_headers: Histogram,
    response_bytes: Histogram,
}

/// The values that are recorded of one request: times in nanoseconds, sizes in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct RequestMeasurements {
    pub(super) duration: Nanos,
    pub(super) time_to_headers: Option<Nanos>,
    pub(super) request_bytes: Option<u64>,
    pub(super) response_bytes: Option<u64>,
}

/// The instruments of one monitor's layers.
#[derive(Debug)]
pub(super) struct HttpInstruments {
    duration: Histogram,
    by_route: RouteInstruments,
    request_bytes: Histogram,
    active: UpDownCounter,
    /// By method and scheme.
    actives: [OnceLock<UpDownCounter>; Method::COUNT * 2],
    long_polls: Counter,
    /// Made with the first query.
    queries: OnceLock<QuerySeries>,
    /// Made with the first gRPC call.
    calls: OnceLock<Histogram>,
    metrics: Metrics,
    pub(super) connection_duration: Histogram,
    pub(super) connections: UpDownCounter,
    pub(super) hook_panics: Counter,
}

impl RequestSeries {
    /// Records one request.
    #[inline]
    pub(super) fn record(
        &self,
        instruments: &HttpInstruments,
        measurements: &RequestMeasurements,
        trace: TraceId,
        at: Nanos,
    ) {
        let RouteInstruments {
            time_to_headers,
            response_bytes,
        } = &self.by_route;
        self.duration
            .record_traced(seconds(measurements.duration), trace, at);
        if let Some(nanos) = measurements.time_to_headers {
            time_to_headers.record_traced(seconds(nanos), trace, at);
        }
        // The page shows no buckets of sizes, so that there is no place for an exemplar.
        if let Some(bytes) = measurements.response_bytes {
            response_bytes.record_untraced(bytes as f64);
        }
        if let Some(bytes) = measurements.request_bytes {
            let series = || instruments.request_bytes(&self.route, self.method, self.scheme);
            let request_bytes = self.request_bytes.get_or_init(series);
            request_bytes.record_untraced(bytes as f64);
        }
    }

    /// Records the totals of a request's queries.
    #[cold]
    pub(super) fn record_queries(&self, instruments: &HttpInstruments, queries: &QueryTotals) {
        let all = || QuerySeries::new(&instruments.metrics);
        let series = || instruments.queries.get_or_init(all).of(&self.route);
        self.queries.get_or_init(series).record(queries);
    }

    /// Records a gRPC call.
    #[cold]
    pub(super) fn record_call(
        &self,
        instruments: &HttpInstruments,
        call: Call,
        measurements: &RequestMeasurements,
        trace: TraceId,
        at: Nanos,
    ) {
        let all = || {
            instruments
                .calls
                .get_or_init(|| rpc_series::duration(&instruments.metrics))
        };
        let calls = self.calls.get_or_init(RpcSeries::default);
        let series = calls.of(call, all, &self.route, &self.error_type);
        series.record_traced(seconds(measurements.duration), trace, at);
    }
}

impl HttpInstruments {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let time = |name, what: &'static str| metrics.histogram(name).unit("s").description(what);
        let request_time = |name, what| {
            let bounds = semconv::HTTP_DURATION_BOUNDS;
            time(name, what).bounds(bounds).build()
        };
        // Count and sum alone: they give averages and rates.
        let bytes = |name, what: &'static str| {
            let bytes = metrics.histogram(name).unit("By").description(what);
            bytes.bounds([f64::INFINITY]).build()
        };
        Self {
            duration: request_time(
                semconv::HTTP_SERVER_REQUEST_DURATION,
                "Duration of HTTP server requests, to the last byte of the body",
            ),
            by_route: RouteInstruments {
                time_to_headers: request_time(
                    semconv::HTTP_TIME_TO_HEADERS,
                    "Time from the start of HTTP server requests to the response headers, by route and method",
                ),
                response_bytes: bytes(
                    semconv::HTTP_SERVER_RESPONSE_BODY_SIZE,
                    "Size of HTTP server response bodies, by route and method",
                ),
            },
            request_bytes: bytes(
                semconv::HTTP_SERVER_REQUEST_BODY_SIZE,
                "Size of HTTP server request bodies, by route and method",
            ),
            active: metrics
                .up_down_counter(semconv::HTTP_SERVER_ACTIVE_REQUESTS)
                .description("Number of HTTP server requests under way")
                .build(),
            actives: std::array::from_fn(|_| OnceLock::new()),
            long_polls: metrics
                .counter("watchpost.long_polls")
                .description(
                    "Polls of HTTP server requests that blocked their thread for longer than http.long_poll, by route",
                )
                .build(),
            queries: OnceLock::new(),
            calls: OnceLock::new(),
            metrics: metrics.clone(),
            connection_duration: time(
                semconv::HTTP_CONNECTION_DURATION,
                "Duration of event streams and upgraded connections, by route and outcome",
            )
            .bounds(semconv::HTTP_CONNECTION_BOUNDS)
            .build(),
            connections: metrics
                .up_down_counter("watchpost.http.connections")
                .description("Number of event streams and upgraded connections under way")
                .build(),
            hook_panics: metrics
                .counter("watchpost.hook_panics")
                .description("Panics of hooks of the endpoint layer, by hook")
                .build(),
        }
    }

    /// The number of requests under way of one method and scheme.
    #[inline]
    pub(super) fn active(&self, method: Method, scheme: Scheme) -> &UpDownCounter {
        let index = usize::from(method.index()) * 2 + usize::from(scheme == Scheme::Https);
        let labelled = || {
            self.active.with([
                (semconv::HTTP_REQUEST_METHOD, method.as_str()),
                (semconv::URL_SCHEME, scheme.as_str()),
            ])
        };
        self.actives
            .get(index)
            .map_or(&self.active, |active| active.get_or_init(labelled))
    }

    /// Counts a poll that kept its thread for longer than `http.long_poll`.
    #[cold]
    pub(super) fn count_long_poll(&self, route: &str) {
        self.long_polls
            .with([(semconv::HTTP_ROUTE, route.to_owned())])
            .add(1);
    }

    /// The series of a label set. Slow: threads cache the result.
    #[cold]
    pub(super) fn series(
        &self,
        labels: RequestLabels,
        routes: &Routes,
        traces: Option<&Traces>,
    ) -> Arc<RequestSeries> {
        let times = traces.map(|traces| traces.times(labels.route));
        let route = routes.name(labels.route);
        let status = labels.status.map(|status| status.to_string());
        let error = match labels.error {
            ErrorType::Status => status.clone().unwrap_or_default(),
            other => other.text("", labels.outcome).to_owned(),
        };
        let mut all = vec![
            (
                semconv::HTTP_REQUEST_METHOD,
                labels.method.as_str().to_owned(),
            ),
            (semconv::URL_SCHEME, labels.scheme.as_str().to_owned()),
            (semconv::HTTP_ROUTE, route.to_string()),
            (
                semconv::NETWORK_PROTOCOL_VERSION,
                labels.version.as_str().to_owned(),
            ),
            (
                semconv::WATCHPOST_OUTCOME,
                labels.outcome.as_str().to_owned(),
            ),
        ];
        all.extend(status.map(|status| (semconv::HTTP_RESPONSE_STATUS_CODE, status)));
        if !error.is_empty() {
            all.push((semconv::ERROR_TYPE, error.clone()));
        }
        let of_route = [
            (
                semconv::HTTP_REQUEST_METHOD,
                labels.method.as_str().to_owned(),
            ),
            (semconv::HTTP_ROUTE, route.to_string()),
        ];
        // These have fewer labels, so that the label sets of status and outcome do not multiply their buckets.
        let by_route = RouteInstruments {
            time_to_headers: self.by_route.time_to_headers.with(of_route),
            response_bytes: self.by_route.response_bytes.with(of_body(
                &route,
                labels.method,
                labels.scheme,
            )),
        };
        Arc::new(RequestSeries {
            route,
            times,
            error_type: error.into(),
            duration: self.duration.with(all),
            by_route,
            request_bytes: OnceLock::new(),
            method: labels.method,
            scheme: labels.scheme,
            queries: OnceLock::new(),
            calls: OnceLock::new(),
        })
    }

    #[cold]
    fn request_bytes(&self, route: &str, method: Method, scheme: Scheme) -> Histogram {
        self.request_bytes.with(of_body(route, method, scheme))
    }
}

/// The labels of a body's size: those that the conventions require, and the route.
fn of_body(route: &str, method: Method, scheme: Scheme) -> [(&'static str, String); 3] {
    [
        (semconv::HTTP_REQUEST_METHOD, method.as_str().to_owned()),
        (semconv::URL_SCHEME, scheme.as_str().to_owned()),
        (semconv::HTTP_ROUTE, route.to_owned()),
    ]
}
