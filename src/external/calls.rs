use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, UNIX_EPOCH};

use http::HeaderMap;
use rustc_hash::FxHashSet;

use super::dependency::Dependency;
use super::gen_ai::{ModelUsage, ModelUsageTable};
use super::limits;
use super::server::RemoteServer;
use super::service_limits::LimitGauges;
#[cfg(feature = "dashboard")]
use super::service_state::ServiceCallers;
use super::service_state::ServiceState;
use super::url::has_invalid_port;
use crate::clock::Nanos;
use crate::context::Requests;
use crate::metrics::{Histogram, Metrics, UpDownCounter};
use crate::model::grpc::rpc_method;
use crate::model::{lock, lock_for_status, prefix};
use crate::redact::RedactionRules;
use crate::semconv;
use crate::trace::{Propagators, Traces};

/// The maximum number of services of one monitor, and of servers, that have their own series.
const MAX_NAMES: usize = 64;
/// The maximum number of servers that the calls of one service add. A service that calls arbitrary addresses, such as a
/// sender of webhooks, leaves room for the others.
const MAX_SERVERS_PER_SERVICE: usize = 16;
/// The maximum number of gRPC methods that have their own series.
const MAX_METHODS: usize = 256;
/// The name of services and servers beyond these limits.
const OTHER: &str = "_other";
/// The maximum length of a name, in bytes; a longer one is cut.
const MAX_NAME: usize = 128;

/// The outgoing calls of one monitor.
#[derive(Debug)]
pub(crate) struct ExternalCalls {
    pub(super) requests: Arc<Requests>,
    pub(super) traces: Option<Arc<Traces>>,
    /// The headers that carry the trace to the other service.
    pub(super) propagators: Propagators,
    /// The rules that decide which query values a span shows.
    pub(super) rules: RedactionRules,
    instruments: OnceLock<ClientInstruments>,
    /// Created with the first gRPC call.
    grpc_duration: OnceLock<Histogram>,
    grpc_methods: Mutex<FxHashSet<Arc<str>>>,
    metrics: Metrics,
    pub(super) limit_gauges: LimitGauges,
    pub(super) model_usage: ModelUsageTable,
    services: Mutex<Vec<Arc<ServiceState>>>,
    servers: Mutex<Vec<Arc<RemoteServer>>>,
}

/// Created with the first call, so that a host without outgoing calls does not expose these metrics.
#[derive(Debug)]
struct ClientInstruments {
    duration: Histogram,
    active: UpDownCounter,
}

impl ClientInstruments {
    fn new(metrics: &Metrics) -> Self {
        Self {
            duration: metrics
                .histogram(semconv::HTTP_CLIENT_REQUEST_DURATION)
                .unit("s")
                .description("Duration of HTTP client requests, to the last byte of the body")
                .bounds(semconv::HTTP_DURATION_BOUNDS)
                .build(),
            active: metrics
                .up_down_counter(semconv::HTTP_CLIENT_ACTIVE_REQUESTS)
                .description("Number of HTTP client requests in flight")
                .build(),
        }
    }
}

impl ExternalCalls {
    pub(crate) fn new(
        metrics: &Metrics,
        requests: &Arc<Requests>,
        traces: Option<&Arc<Traces>>,
        propagators: Propagators,
    ) -> Self {
        Self {
            requests: Arc::clone(requests),
            traces: traces.cloned(),
            propagators,
            rules: RedactionRules::current(),
            instruments: OnceLock::new(),
            grpc_duration: OnceLock::new(),
            grpc_methods: Mutex::default(),
            metrics: metrics.clone(),
            limit_gauges: LimitGauges::new(metrics),
            model_usage: ModelUsageTable::new(metrics),
            services: Mutex::default(),
            servers: Mutex::default(),
        }
    }

    fn instruments(&self) -> &ClientInstruments {
        self.instruments
            .get_or_init(|| ClientInstruments::new(&self.metrics))
    }

    /// The histogram of call durations, without labels.
    pub(super) fn duration(&self) -> &Histogram {
        &self.instruments().duration
    }

    /// The histogram of gRPC call durations, without labels.
    pub(super) fn grpc_duration(&self) -> &Histogram {
        self.grpc_duration.get_or_init(|| {
            self.metrics
                .histogram(semconv::RPC_CLIENT_CALL_DURATION)
                .unit("s")
                .description("Duration of gRPC client calls, by method and status")
                .bounds(semconv::HTTP_DURATION_BOUNDS)
                .build()
        })
    }

    /// The gRPC method of a path, or `_OTHER` beyond the first 256 methods.
    pub(super) fn grpc_method(&self, path: &str) -> Arc<str> {
        let method = rpc_method(path);
        let mut methods = lock(&self.grpc_methods);
        if let Some(known) = methods.get(method) {
            return Arc::clone(known);
        }
        if methods.len() >= MAX_METHODS {
            return "_OTHER".into();
        }
        let method: Arc<str> = method.into();
        methods.insert(Arc::clone(&method));
        method
    }

    /// Reads the rate limits and the requested wait in a response's headers.
    pub(super) fn record_headers(&self, service: &ServiceState, headers: &HeaderMap, now: Nanos) {
        let limits = limits::read(headers, UNIX_EPOCH + self.wall_time(now));
        if limits.parse_errors > 0 {
            self.count_parse_errors(&service.name, limits.parse_errors);
        }
        if let Some(wait) = limits.retry_after {
            service.back_off(wait, now);
        }
        if !limits.windows.is_empty() {
            service.record_limits(&self.limit_gauges, limits.windows, now);
        }
    }

    /// Counts rate-limit values of a service that could not be parsed.
    fn count_parse_errors(&self, service: &str, count: u32) {
        let counter = self
            .metrics
            .counter("watchpost.external.rate_limit_parse_errors")
            .description("Values of rate-limit headers that could not be parsed, by service");
        let labels = [(semconv::SERVICE_PEER_NAME, service.to_owned())];
        counter.build().with(labels).add(count.into());
    }

    pub(super) fn now(&self) -> Nanos {
        self.requests.clock().now()
    }

    /// The service of a name, created if there is room; otherwise the service `_other`.
    pub(super) fn service(&self, name: &str) -> Arc<ServiceState> {
        let name = prefix(name, MAX_NAME).replace(char::is_control, " ");
        let mut services = lock(&self.services);
        let find = |name: &str| services.iter().find(|of| *of.name == *name).cloned();
        let name = match find(&name) {
            Some(service) => return service,
            // `_other` itself is beyond the limit, so that it always exists once it is needed.
            None if services.len() >= MAX_NAMES => OTHER,
            None => &*name,
        };
        find(name).unwrap_or_else(|| {
            let service = Arc::new(ServiceState::new(name));
            services.push(Arc::clone(&service));
            service
        })
    }

    /// The server at an address that a service calls, created if there is room; otherwise the server `_other`.
    pub(super) fn server(
        &self,
        service: &ServiceState,
        address: &str,
        port: Option<u16>,
    ) -> Arc<RemoteServer> {
        let address = prefix(address, MAX_NAME);
        let mut servers = lock(&self.servers);
        let find = |address: &str, port| {
            let mut servers = servers.iter();
            servers
                .find(|of| *of.address == *address && of.port == port)
                .cloned()
        };
        // A service that calls many addresses, such as a crawler, must leave room for the servers of others.
        let count_of_service = || {
            servers
                .iter()
                .filter(|of| of.added_by == service.name)
                .count()
        };
        let (address, port) = match find(address, port) {
            Some(server) => return server,
            None if servers.len() >= MAX_NAMES || count_of_service() >= MAX_SERVERS_PER_SERVICE => {
                (OTHER, None)
            }
            None => (address, port),
        };
        find(address, port).unwrap_or_else(|| {
            let server = Arc::new(RemoteServer::new(
                address,
                port,
                &service.name,
                self.instruments().active.clone(),
            ));
            servers.push(Arc::clone(&server));
            server
        })
    }

    /// The server of a URL without one. An invalid port is reported once for each service.
    #[cold]
    pub(super) fn unknown_server(&self, service: &ServiceState, url: &str) -> Arc<RemoteServer> {
        if has_invalid_port(url) && service.should_report_invalid_port() {
            self.metrics.notice(format!(
                "A URL of the service `{}` has a port that is not a number from 1 to 65535, so such calls have no \
                 server address and port in spans and metrics. Write the port in digits, such as \
                 `https://example.com:8443/`, or leave it out.",
                service.name
            ));
        }
        self.server(service, "", None)
    }

    /// The usage of models, by day.
    pub(crate) fn model_usage(&self) -> Vec<ModelUsage> {
        self.model_usage
            .snapshot(self.requests.routes(), self.wall_time(self.now()))
    }

    /// The wall-clock time of a reading of the monotonic clock, since the Unix epoch.
    pub(super) fn wall_time(&self, at: Nanos) -> Duration {
        Duration::from_nanos(self.requests.clock().wall(at))
    }

    /// Who calls each service, by its name.
    #[cfg(feature = "dashboard")]
    pub(crate) fn callers(&self) -> Vec<(Arc<str>, ServiceCallers)> {
        let services = lock_for_status(&self.services).map(|all| all.clone());
        let routes = self.requests.routes();
        let all = services
            .iter()
            .flatten()
            .map(|service| (Arc::clone(&service.name), service.callers(routes)));
        all.collect()
    }

    /// The state of each service, in the order of their names.
    pub(crate) fn dependencies(&self) -> Vec<Dependency> {
        let services = lock_for_status(&self.services).map(|all| all.clone());
        let now = self.now();
        let mut all: Vec<_> = services
            .iter()
            .flatten()
            .filter_map(|service| service.dependency(now))
            .collect();
        all.sort_by(|one, other| one.service.cmp(&other.service));
        all
    }
}
