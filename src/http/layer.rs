use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

use http::request::Parts;
use http::response::Parts as ResponseParts;
use http::{Extensions, HeaderMap, HeaderName};
use tower::Layer;

use super::cidr::Cidr;
use super::classify::Class;
use super::config::HttpConfig;
use super::connection::Connection;
use super::finished::FinishedRequest;
use super::grpc::GrpcMethods;
use super::hooks::{Hooks, OptionalHook};
use super::layer_state::{LayerState, RequestLogMode};
use super::series::HttpInstruments;
use super::service::EndpointService;
use super::unrouted::UnroutedResponses;
use crate::clock::nanos;
use crate::context::Requests;
use crate::metrics::Metrics;
use crate::model::{Attributes, Diagnostics};
use crate::trace::Traces;
use crate::worker::RecordQueue;

/// What a layer stands on; one a monitor.
#[derive(Debug, Clone)]
pub(crate) struct LayerContext {
    pub(crate) requests: Arc<Requests>,
    pub(crate) metrics: Metrics,
    pub(crate) record_queue: Arc<RecordQueue>,
    pub(crate) diagnostics: Arc<Diagnostics>,
    pub(crate) lines: RequestLogMode,
    pub(crate) config: HttpConfig,
    /// `None`: no spans are made.
    pub(crate) traces: Option<Arc<Traces>>,
    instruments: Arc<HttpInstruments>,
    unrouted: Arc<UnroutedResponses>,
    grpc: Arc<GrpcMethods>,
}

impl LayerContext {
    /// What is to be said where no route was seen although enough was answered.
    pub(crate) fn sees_no_route(&self) -> Option<&'static str> {
        let enough = self.unrouted.are_many();
        (enough && self.requests.routes().none_seen()).then(|| self.unrouted.sentence())
    }

    /// Whether a request was answered, but for those that no route wanted.
    pub(crate) fn has_answered(&self) -> bool {
        self.unrouted.is_any() || !self.requests.routes().none_seen()
    }

    pub(crate) fn new(
        requests: &Arc<Requests>,
        metrics: &Metrics,
        record_queue: &Arc<RecordQueue>,
        diagnostics: &Arc<Diagnostics>,
        lines: RequestLogMode,
        config: HttpConfig,
        traces: Option<Arc<Traces>>,
    ) -> Self {
        let listed = &config.grpc_methods;
        let grpc = if listed.is_empty() {
            GrpcMethods::default()
        } else {
            GrpcMethods::listed(listed, requests.routes())
        };
        Self {
            grpc: Arc::new(grpc),
            requests: Arc::clone(requests),
            metrics: metrics.clone(),
            record_queue: Arc::clone(record_queue),
            diagnostics: Arc::clone(diagnostics),
            lines,
            config,
            traces,
            instruments: Arc::new(HttpInstruments::new(metrics)),
            unrouted: Arc::default(),
        }
    }

    pub(crate) fn connection(&self, name: String) -> Connection {
        Connection::new(
            &self.requests,
            self.traces.as_ref(),
            &self.instruments,
            name,
        )
    }
}

/// Watches every request that passes it. Made by [`Monitor::layer`](crate::Monitor::layer); cheap to
/// clone.
///
/// See the [module](super) for what it counts and when a request ends. With axum it stands inside the
/// router, `Router::new().route(..).layer(monitor.layer())`, where it sees the routes' patterns; it
/// works over any [`tower::Service`] of `http` requests and changes neither the request's body type nor
/// the service's error.
///
/// The closures given to its setters run in place, on the request's thread: they must not block. One
/// that panics is as if it had not been asked; after ten panics it is not asked any more, and a notice
/// says so.
#[derive(Debug, Clone)]
pub struct EndpointLayer {
    shared: Arc<LayerState>,
}

impl EndpointLayer {
    pub(crate) fn new(inbound: &LayerContext) -> Self {
        let LayerContext {
            requests,
            metrics,
            record_queue,
            diagnostics,
            lines,
            config,
            traces,
            instruments,
            unrouted,
            grpc,
        } = inbound.clone();
        Self {
            shared: Arc::new(LayerState {
                number: LayerState::next_number(),
                requests,
                metrics,
                instruments,
                record_queue,
                diagnostics,
                lines,
                traces,
                long_poll: nanos(config.long_poll),
                config,
                count_request_body: false,
                looks_closer: false,
                hooks: Hooks::default(),
                unrouted,
                grpc,
            }),
        }
    }

    fn change(self, change: impl FnOnce(&mut LayerState)) -> Self {
        let mut shared = Arc::unwrap_or_clone(self.shared);
        change(&mut shared);
        shared.looks_closer = shared.count_request_body || shared.hooks.want_request();
        Self {
            shared: Arc::new(shared),
        }
    }

    fn hook<F: ?Sized>(&self, name: &'static str, call: Box<F>) -> OptionalHook<F> {
        OptionalHook::new(
            name,
            call,
            &self.shared.instruments.hook_panics,
            &self.shared.diagnostics,
        )
    }

    /// Passes over requests of which `skip` says so: no series, no line, no header.
    ///
    /// By default, every request counts but those that a monitor's own pages answer.
    #[must_use]
    pub fn skip(self, skip: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        let hook = self.hook("skip", Box::new(skip) as Box<_>);
        self.change(|shared| shared.hooks.skip = hook)
    }

    /// Names the route of requests for which the framework does not: a pattern from a small set, never a
    /// path. `None` is `_unmatched`.
    ///
    /// By default, the route is axum's matched path, and for gRPC the path of a
    /// [method that is known](Self::grpc_methods). With this hook no path is a route.
    #[must_use]
    pub fn route(
        self,
        route: impl Fn(&Parts) -> Option<Cow<'static, str>> + Send + Sync + 'static,
    ) -> Self {
        let hook = self.hook("route", Box::new(route) as Box<_>);
        self.change(|shared| shared.hooks.route = hook)
    }

    /// Lists the gRPC methods whose path is a route, such as `/grpc.health.v1.Health/Check`: the calls of all
    /// others are `_unmatched`.
    ///
    /// By default, a path is a route once a gRPC response with the status OK, or with a message, has shown that
    /// its method exists; at most 128 paths are learnt. A service that takes calls to any path, such as a proxy,
    /// lists its methods.
    #[must_use]
    pub fn grpc_methods<M: Into<String>>(self, methods: impl IntoIterator<Item = M>) -> Self {
        self.change(|shared| {
            let methods: Vec<_> = methods.into_iter().map(Into::into).collect();
            let listed = GrpcMethods::listed(&methods, shared.requests.routes());
            shared.grpc = Arc::new(listed);
        })
    }

    /// Sets a hook that finds the peer's address in a request's extensions. Use it with servers whose connection type this
    /// crate does not know. The address becomes `client.address`, and `trusted_proxies` applies to it.
    ///
    /// By default, axum's `ConnectInfo<SocketAddr>` and [`PeerAddr`](super::PeerAddr) are looked for. With tonic's server
    /// write:
    ///
    /// ```
    /// # fn example(monitor: watchpost::Monitor) {
    /// use tonic::transport::server::TcpConnectInfo;
    ///
    /// let layer = monitor
    ///     .layer()
    ///     .peer_addr(|extensions| extensions.get::<TcpConnectInfo>()?.remote_addr());
    /// # }
    /// ```
    ///
    /// With TLS, that is `TlsConnectInfo<TcpConnectInfo>`, whose `get_ref()` gives the same. A connection over a Unix
    /// socket has no address.
    #[must_use]
    pub fn peer_addr(
        self,
        peer: impl Fn(&Extensions) -> Option<SocketAddr> + Send + Sync + 'static,
    ) -> Self {
        let hook = self.hook("peer_addr", Box::new(peer) as Box<_>);
        self.change(|shared| shared.hooks.peer = hook)
    }

    /// Says who the user of a request is, for its line: an id, not a name.
    ///
    /// By default, no user is told.
    #[must_use]
    pub fn user(self, user: impl Fn(&Parts) -> Option<String> + Send + Sync + 'static) -> Self {
        let hook = self.hook("user", Box::new(user) as Box<_>);
        self.change(|shared| shared.hooks.user = hook)
    }

    /// Adds attributes to a request's line from its head.
    #[must_use]
    pub fn on_request(
        self,
        on_request: impl Fn(&Parts, &mut Attributes) + Send + Sync + 'static,
    ) -> Self {
        let hook = self.hook("on_request", Box::new(on_request) as Box<_>);
        self.change(|shared| shared.hooks.on_request = hook)
    }

    /// Adds attributes to a request's line from the head of its answer.
    #[must_use]
    pub fn on_response(
        self,
        on_response: impl Fn(&ResponseParts, &mut Attributes) + Send + Sync + 'static,
    ) -> Self {
        let hook = self.hook("on_response", Box::new(on_response) as Box<_>);
        self.change(|shared| shared.hooks.on_response = hook)
    }

    /// Is told of each request once, when it ends, and may add attributes to its line.
    #[must_use]
    pub fn on_end(
        self,
        on_end: impl Fn(&FinishedRequest<'_>, &mut Attributes) + Send + Sync + 'static,
    ) -> Self {
        let hook = self.hook("on_end", Box::new(on_end) as Box<_>);
        self.change(|shared| shared.hooks.on_end = hook)
    }

    /// Judges answers, from their head and, where the body brought some, their trailers.
    ///
    /// By default, a 5xx is a failure, and for gRPC a status that is an [error of the server](super#grpc).
    #[must_use]
    pub fn classify(
        self,
        classify: impl Fn(&ResponseParts, Option<&HeaderMap>) -> Class + Send + Sync + 'static,
    ) -> Self {
        let hook = self.hook("classify", Box::new(classify) as Box<_>);
        self.change(|shared| shared.hooks.classify = hook)
    }

    /// Statuses that mean, beside 408, that time ran out.
    ///
    /// By default, none.
    #[must_use]
    pub fn timeout_statuses(self, statuses: impl IntoIterator<Item = u16>) -> Self {
        self.change(|shared| shared.config.timeout_statuses = statuses.into_iter().collect())
    }

    /// Request headers that lines carry, as `http.request.header.<name>`. Their values are scrubbed.
    ///
    /// By default, none.
    #[must_use]
    pub fn allow_headers(self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.change(|shared| shared.config.allow_headers = names.into_iter().collect())
    }

    /// Networks whose hosts are believed when they say in `Forwarded` or `X-Forwarded-For` who the
    /// client is, and in `traceparent` whether they [sample](crate::trace#the-callers-sampling-decision) the trace.
    ///
    /// By default, nobody is: `client.address` is the peer's, and the sampled flag is ignored.
    #[must_use]
    pub fn trusted_proxies(self, networks: impl IntoIterator<Item = Cidr>) -> Self {
        self.change(|shared| shared.config.trusted_proxies = networks.into_iter().collect())
    }

    /// Records the bytes of request bodies that were read, where the body is axum's `Body`.
    ///
    /// By default, a request's size is what its `Content-Length` says, and what came where there is none or the client
    /// left before the body's end.
    #[must_use]
    pub fn count_request_body(self) -> Self {
        self.change(|shared| shared.count_request_body = true)
    }
}

impl<S> Layer<S> for EndpointLayer {
    type Service = EndpointService<S>;

    fn layer(&self, inner: S) -> EndpointService<S> {
        EndpointService {
            inner,
            shared: Arc::clone(&self.shared),
        }
    }
}
