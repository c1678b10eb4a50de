use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use rustc_hash::FxHashSet;

use super::dependency::Dependency;
use super::gen_ai::{ModelUsage, Usage};
use super::quota::Gauges;
use super::server::Server;
use super::url::has_bad_port;
use super::watched::Watched;
use crate::clock::Nanos;
use crate::context::Requests;
use crate::metrics::{Histogram, Metrics, UpDownCounter};
use crate::model::grpc::rpc_method;
use crate::model::{lock_for_status, prefix};
use crate::redact::RedactionRules;
use crate::semconv;
use crate::trace::{Propagation, Traces};

/// Services and servers of one monitor that are told apart, each.
const MAX_NAMES: usize = 64;
/// Servers that the calls of one service add: one that calls wherever it is asked to, such as a sender of webhooks,
/// leaves room for the others.
const MAX_SERVERS_OF_ONE: usize = 16;
/// The maximum number of gRPC methods that have their own series.
const MAX_METHODS: usize = 256;
/// The name of those beyond.
const OTHER: &str = "_other";
/// Bytes of a name.
const MAX_NAME: usize = 128;

/// The outgoing calls of one monitor.
#[derive(Debug)]
pub(crate) struct Calls {
    pub(super) requests: Arc<Requests>,
    pub(super) traces: Option<Arc<Traces>>,
    /// What of the trace goes along.
    pub(super) carried: Propagation,
    /// Which query values are shown.
    pub(super) rules: RedactionRules,
    instruments: OnceLock<Instruments>,
    /// Made with the first gRPC call.
    grpc_duration: OnceLock<Histogram>,
    grpc_methods: Mutex<FxHashSet<Arc<str>>>,
    metrics: Metrics,
    pub(super) gauges: Gauges,
    pub(super) usage: Usage,
    services: Mutex<Vec<Arc<Watched>>>,
    servers: Mutex<Vec<Arc<Server>>>,
}

/// Made with the first call, so that a service without calls has none of them on its page.
#[derive(Debug)]
struct Instruments {
    duration: Histogram,
    active: UpDownCounter,
}

impl Instruments {
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
                .description("Number of HTTP client requests under way")
                .build(),
        }
    }
}

impl Calls {
    pub(crate) fn new(
        metrics: &Metrics,
        requests: &Arc<Requests>,
        traces: Option<&Arc<Traces>>,
        carried: Propagation,
    ) -> Self {
        Self {
            requests: Arc::clone(requests),
            traces: traces.cloned(),
            carried,
            rules: RedactionRules::current(),
            instruments: OnceLock::new(),
            grpc_duration: OnceLock::new(),
            grpc_methods: Mutex::default(),
            metrics: metrics.clone(),
            gauges: Gauges::new(metrics),
            usage: Usage::new(metrics),
            services: Mutex::default(),
            servers: Mutex::default(),
        }
    }

    fn instruments(&self) -> &Instruments {
        self.instruments
            .get_or_init(|| Instruments::new(&self.metrics))
    }

    /// Durations of calls.
    pub(super) fn duration(&self) -> &Histogram {
        &self.instruments().duration
    }

    /// Durations of gRPC calls.
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

    /// The method of a gRPC call of this path, while there are few.
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

    /// Counts values of a service's rate limits that could not be read.
    pub(super) fn rubbish(&self, service: &str, count: u32) {
        let rubbish = self
            .metrics
            .counter("watchpost.external.rate_limit_rubbish")
            .description("Values of rate-limit headers that could not be read, by service");
        let service = [(semconv::SERVICE_PEER_NAME, service.to_owned())];
        rubbish.build().with(service).add(count.into());
    }

    pub(super) fn now(&self) -> Nanos {
        self.requests.clock().now()
    }

    /// The service of a name.
    pub(super) fn service(&self, name: &str) -> Arc<Watched> {
        let name = prefix(name, MAX_NAME).replace(char::is_control, " ");
        let mut services = lock(&self.services);
        let known = |name: &str| services.iter().find(|of| *of.name == *name).cloned();
        let name = match known(&name) {
            Some(service) => return service,
            None if services.len() >= MAX_NAMES => OTHER,
            None => &*name,
        };
        known(name).unwrap_or_else(|| {
            let service = Arc::new(Watched::new(name));
            services.push(Arc::clone(&service));
            service
        })
    }

    /// The server of an address, which a service calls.
    pub(super) fn server(
        &self,
        service: &Watched,
        address: &str,
        port: Option<u16>,
    ) -> Arc<Server> {
        let address = prefix(address, MAX_NAME);
        let mut servers = lock(&self.servers);
        let known = |address: &str, port| {
            let mut servers = servers.iter();
            servers
                .find(|of| *of.address == *address && of.port == port)
                .cloned()
        };
        let added_by_it = || {
            servers
                .iter()
                .filter(|of| of.added_by == service.name)
                .count()
        };
        let (address, port) = match known(address, port) {
            Some(server) => return server,
            None if servers.len() >= MAX_NAMES || added_by_it() >= MAX_SERVERS_OF_ONE => {
                (OTHER, None)
            }
            None => (address, port),
        };
        known(address, port).unwrap_or_else(|| {
            let server = Arc::new(Server::new(
                address,
                port,
                &service.name,
                self.instruments().active.clone(),
            ));
            servers.push(Arc::clone(&server));
            server
        })
    }

    /// The server of a URL that names none. A port that is none is reported, once for each service.
    #[cold]
    pub(super) fn no_server(&self, service: &Watched, url: &str) -> Arc<Server> {
        if has_bad_port(url) && service.is_first_bad_port() {
            self.metrics.notice(format!(
                "A URL of the service `{}` has a port that is no number from 1 to 65535, so such calls have no server \
                 address and port in spans and metrics. Write the port in digits, such as `https://example.com:8443/`, \
                 or leave it out.",
                service.name
            ));
        }
        self.server(service, "", None)
    }

    /// What was used of models, by day.
    pub(crate) fn model_usage(&self) -> Vec<ModelUsage> {
        self.usage
            .read(self.requests.routes(), self.wall(self.now()))
    }

    /// The wall time at a reading, since the Unix epoch.
    pub(super) fn wall(&self, at: Nanos) -> Duration {
        Duration::from_nanos(self.requests.clock().wall(at))
    }

    /// How the services do, by name.
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

pub(super) fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
