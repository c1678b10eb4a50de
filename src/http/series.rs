//! The layer's instruments, and the series of each combination of route, method, status and outcome.

use std::sync::{Arc, OnceLock};

use super::query_totals::{QuerySeries, QueryTotals};
use super::rpc_series::{self, RpcSeries};
use crate::clock::Nanos;
use crate::context::{RouteId, Routes};
use crate::metrics::{Counter, Histogram, Metrics, UpDownCounter};
use crate::model::grpc::{Call, Status};
use crate::model::{Outcome, TraceId};
use crate::record::{self, Method, Scheme};
use crate::semconv;
use crate::trace::{RouteTimes, Traces};

/// One combination of labels, packed: the key under which threads keep its series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct RequestLabels {
    pub(super) route: RouteId,
    pub(super) method: Method,
    pub(super) scheme: Scheme,
    pub(super) version: ProtocolVersion,
    pub(super) status: Option<u16>,
    pub(super) outcome: Outcome,
    pub(super) error: ErrorType,
}

/// `network.protocol.version`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ProtocolVersion(u8);

/// `error.type`, from a closed set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum ErrorType {
    Absent,
    Status,
    Outcome,
    /// A failure by judgement of the `classify` hook alone.
    Failure,
    Grpc(Status),
}

/// The series of one combination of labels.
#[derive(Debug)]
pub(super) struct RequestSeries {
    pub(super) route: Arc<str>,
    /// The durations of the route, where traces are made.
    pub(super) times: Option<Arc<RouteTimes>>,
    pub(super) error_type: Box<str>,
    duration: Histogram,
    by_route: RouteInstruments,
    /// Of the route and method, once one of its requests has a body.
    request_bytes: OnceLock<Histogram>,
    method: Method,
    scheme: Scheme,
    /// Of the route, once one of its requests asked a database.
    queried: OnceLock<QuerySeries>,
    /// Of the method, once one of its requests is a gRPC call.
    calls: OnceLock<RpcSeries>,
}

/// What has few labels: the series of a route and method, which several statuses and outcomes share.
#[derive(Debug)]
struct RouteInstruments {
    time_to_headers: Histogram,
    response_bytes: Histogram,
}

/// What is recorded of one request.
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
    /// Made with the first query of a request.
    queried: OnceLock<QuerySeries>,
    /// Made with the first gRPC call.
    calls: OnceLock<Histogram>,
    metrics: Metrics,
    pub(super) connection: Histogram,
    pub(super) connections: UpDownCounter,
    pub(super) hook_panics: Counter,
}

impl ProtocolVersion {
    #[inline]
    pub(super) fn of(version: http::Version) -> Self {
        Self(match version {
            http::Version::HTTP_09 => 0,
            http::Version::HTTP_10 => 1,
            http::Version::HTTP_2 => 3,
            http::Version::HTTP_3 => 4,
            _ => 2,
        })
    }

    /// Whether it is HTTP/1.1 or older.
    pub(super) fn is_http1(self) -> bool {
        self.0 < 3
    }

    /// Whether it is HTTP/1.1, which has `Transfer-Encoding: chunked`.
    pub(super) fn has_chunks(self) -> bool {
        self.0 == 2
    }

    pub(super) fn as_str(self) -> &'static str {
        record::VERSIONS
            .get(usize::from(self.0))
            .copied()
            .unwrap_or("1.1")
    }
}

impl ErrorType {
    /// The status for a 5xx, else the gRPC status of a failure, else the outcome where that is one.
    #[inline]
    pub(super) fn of(status: Option<u16>, call: Call, outcome: Outcome, failure: bool) -> Self {
        match status {
            Some(500..) if failure => Self::Status,
            _ if failure && call != Call::NONE => Self::of_call(call, outcome),
            _ if outcome.is_error_type() => Self::Outcome,
            _ if failure => Self::Failure,
            _ => Self::Absent,
        }
    }

    #[cold]
    fn of_call(call: Call, outcome: Outcome) -> Self {
        match call.status() {
            Some(status) if status != Status::OK => Self::Grpc(status),
            _ if outcome.is_error_type() => Self::Outcome,
            _ => Self::Failure,
        }
    }

    #[inline]
    fn packed(self) -> u64 {
        match self {
            Self::Absent => 0,
            Self::Status => 1,
            Self::Outcome => 2,
            Self::Failure => 3,
            Self::Grpc(status) => 4 + u64::from(status.code()),
        }
    }

    /// The label's text; empty for none.
    pub(super) fn text(self, status: &'static str, outcome: Outcome) -> &'static str {
        match self {
            Self::Absent => "",
            Self::Status => status,
            Self::Outcome => outcome.as_str(),
            Self::Failure => "failure",
            Self::Grpc(status) => status.name(),
        }
    }
}

impl RequestLabels {
    /// All labels in one number. Statuses have ten bits: those above 1023 cannot be made with `http`.
    #[inline]
    pub(super) fn packed(self) -> u64 {
        const { assert!(Method::COUNT <= 256 && Outcome::ALL.len() <= 16) };
        u64::from(self.route.0) << 32
            | u64::from(self.method.index()) << 24
            | u64::from(self.scheme == Scheme::Https) << 23
            | u64::from(self.version.0) << 20
            | u64::from(self.status.unwrap_or(0)) << 10
            | u64::from(self.outcome.index()) << 6
            | self.error.packed()
    }
}

impl RequestSeries {
    /// Records one request.
    #[inline]
    pub(super) fn record(
        &self,
        instruments: &HttpInstruments,
        measured: &RequestMeasurements,
        trace: TraceId,
        at: Nanos,
    ) {
        let RouteInstruments {
            time_to_headers,
            response_bytes,
        } = &self.by_route;
        let request_bytes = measured.request_bytes.map(|bytes| {
            let series = || instruments.request_bytes(&self.route, self.method, self.scheme);
            (self.request_bytes.get_or_init(series), bytes)
        });
        let response_bytes = measured.response_bytes.map(|bytes| (response_bytes, bytes));
        let seconds_of = |histogram, time: Option<Nanos>| Some((histogram, seconds(time?), trace));
        // Sizes have no buckets that an exemplar would explain.
        let size_of = |(histogram, bytes)| (histogram, bytes as f64, TraceId::NIL);
        // One loop, so that the recording is compiled in place.
        let all = [
            seconds_of(&self.duration, Some(measured.duration)),
            seconds_of(time_to_headers, measured.time_to_headers),
            request_bytes.map(size_of),
            response_bytes.map(size_of),
        ];
        for (histogram, value, trace) in all.into_iter().flatten() {
            histogram.record_traced(value, trace, at);
        }
    }
}

impl RequestSeries {
    /// Counts what a request asked of databases.
    #[cold]
    pub(super) fn queried(&self, instruments: &HttpInstruments, queried: &QueryTotals) {
        let all = || QuerySeries::new(&instruments.metrics);
        let series = || instruments.queried.get_or_init(all).of(&self.route);
        self.queried.get_or_init(series).record(queried);
    }
}

impl RequestSeries {
    /// Counts a gRPC call.
    #[cold]
    pub(super) fn called(
        &self,
        instruments: &HttpInstruments,
        call: Call,
        measured: &RequestMeasurements,
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
        series.record_traced(seconds(measured.duration), trace, at);
    }
}

impl HttpInstruments {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let time = |name, what: &'static str| metrics.histogram(name).unit("s").description(what);
        let request_time = |name, what| {
            let bounds = semconv::HTTP_DURATION_BOUNDS;
            time(name, what).bounds(bounds).build()
        };
        // A count and a sum, from which averages and rates are made.
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
                    "Time of HTTP server requests to the headers of the response, by route and method",
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
                    "Polls of a request that kept their runtime's thread too long, by route",
                )
                .build(),
            queried: OnceLock::new(),
            calls: OnceLock::new(),
            metrics: metrics.clone(),
            connection: time(
                semconv::HTTP_CONNECTION_DURATION,
                "Life of event streams and upgraded connections",
            )
            .bounds(semconv::HTTP_CONNECTION_BOUNDS)
            .build(),
            connections: metrics
                .up_down_counter("watchpost.http.connections")
                .description("Number of event streams and upgraded connections under way")
                .build(),
            hook_panics: metrics
                .counter("watchpost.hook_panics")
                .description("Panics of the closures given to the endpoint layer, by hook")
                .build(),
        }
    }

    /// Requests under way of one method and scheme.
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

    /// Counts a poll of a route that kept its thread too long.
    #[cold]
    pub(super) fn long_poll(&self, route: &str) {
        self.long_polls
            .with([(semconv::HTTP_ROUTE, route.to_owned())])
            .add(1);
    }

    /// The series of a combination of labels. Slow: threads keep what they got.
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
            queried: OnceLock::new(),
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

#[inline]
pub(super) fn seconds(time: Nanos) -> f64 {
    time as f64 / 1e9
}
