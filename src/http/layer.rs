use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

use http::request::Parts;
use http::response::Parts as ResponseParts;
use http::{Extensions, HeaderMap, HeaderName};
use tower::Layer;

use super::cidr::Cidr;
use super::classify::Class;
use super::finished::FinishedRequest;
use super::grpc_methods::GrpcMethods;
use super::hooks::{Hooks, OptionalHook};
use super::layer_context::LayerContext;
use super::layer_state::LayerState;
use super::service::EndpointService;
use crate::clock::nanos;
use crate::model::Attributes;

/// A [`tower::Layer`] that records every request to the service inside: metrics, a log record and a trace.
///
/// Made by [`Monitor::layer`](crate::Monitor::layer); cheap to clone. It stands around any service of `http` requests and
/// changes neither the request's body type nor the service's error type. With axum it is the last call on the router:
///
/// ```
/// # #[cfg(feature = "axum")] fn example(monitor: watchpost::Monitor, routes: axum::Router) -> axum::Router {
/// axum::Router::new().merge(routes).layer(monitor.layer())
/// # }
/// ```
///
/// [`watchpost::http`](super) explains [where the layer goes](super#where-to-put-the-layer), [what it
/// records](super#metrics) and [when a request ends](super#when-a-request-ends).
///
/// # Hooks
///
/// The closures given to its methods run on the thread of the request, so they must not block.
/// [`watchpost::http`](super#hooks) shows when each one runs. A hook that panics counts as not set for this request, and
/// `watchpost_hook_panics_total{hook}` counts the panic. After ten panics the hook is switched off, and a notice says so.
///
/// A method that is called twice replaces what the first call set.
#[derive(Debug, Clone)]
pub struct EndpointLayer {
    state: Arc<LayerState>,
}

impl EndpointLayer {
    pub(crate) fn new(context: &LayerContext) -> Self {
        let LayerContext {
            requests,
            metrics,
            record_queue,
            diagnostics,
            log_mode,
            config,
            traces,
            instruments,
            unrouted,
            grpc,
            users,
        } = context.clone();
        Self {
            state: Arc::new(LayerState {
                id: LayerState::next_id(),
                requests,
                metrics,
                instruments,
                record_queue,
                diagnostics,
                log_mode,
                traces,
                long_poll: nanos(config.long_poll),
                config,
                count_request_body: false,
                has_request_hooks: false,
                has_end_hooks: false,
                hooks: Hooks::default(),
                unrouted,
                grpc,
                users,
            }),
        }
    }

    fn with(self, set: impl FnOnce(&mut LayerState)) -> Self {
        let mut state = Arc::unwrap_or_clone(self.state);
        set(&mut state);
        state.has_request_hooks = state.hooks.run_on_request();
        state.has_end_hooks = state.hooks.run_at_end();
        Self {
            state: Arc::new(state),
        }
    }

    fn hook<F: ?Sized>(&self, name: &'static str, hook: Box<F>) -> OptionalHook<F> {
        OptionalHook::new(
            name,
            hook,
            &self.state.instruments.hook_panics,
            &self.state.diagnostics,
        )
    }

    /// Sets a hook that decides which requests are not recorded: they have no metrics, no log record, no trace and no
    /// `x-trace-id`.
    ///
    /// It runs before the service is called. By default every request is recorded, except those to the monitor's own
    /// pages (`/metrics`, health).
    ///
    /// ```
    /// # fn example(monitor: watchpost::Monitor) {
    /// let layer = monitor.layer().skip(|parts| parts.uri.path() == "/favicon.ico");
    /// # }
    /// ```
    #[must_use]
    pub fn skip(self, skip: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        let hook = self.hook("skip", Box::new(skip) as Box<_>);
        self.with(|state| state.hooks.skip = hook)
    }

    /// Sets a hook that names the route of requests for which axum matched none. `None` is `_unmatched`.
    ///
    /// Return a pattern from a small set (`/users/{id}`), never a path: each name becomes a label. Names from this hook
    /// have a budget of their own; beyond it they are counted as `_overflow`.
    ///
    /// It runs before the service is called. By default the route is axum's matched path, and for gRPC the path of a
    /// [known method](Self::grpc_methods). With this hook no path of a gRPC call becomes a route by itself.
    ///
    /// ```
    /// # fn example(monitor: watchpost::Monitor) {
    /// let layer = monitor.layer().route(|parts| {
    ///     let is_user = parts.uri.path().starts_with("/users/");
    ///     is_user.then(|| "/users/{id}".into())
    /// });
    /// # }
    /// ```
    #[must_use]
    pub fn route(
        self,
        route: impl Fn(&Parts) -> Option<Cow<'static, str>> + Send + Sync + 'static,
    ) -> Self {
        let hook = self.hook("route", Box::new(route) as Box<_>);
        self.with(|state| state.hooks.route = hook)
    }

    /// Lists the gRPC methods whose path is a route, such as `/grpc.health.v1.Health/Check`. Calls of all others are
    /// `_unmatched`.
    ///
    /// By default a path becomes a route once a gRPC response with the status OK, or with a message, has shown that its
    /// method exists; at most 128 paths are learnt. A service that takes calls to any path, such as a proxy, should list
    /// its methods.
    ///
    /// ```
    /// # fn example(monitor: watchpost::Monitor) {
    /// let layer = monitor.layer().grpc_methods(["/shop.Cart/Add", "/shop.Cart/Pay"]);
    /// # }
    /// ```
    #[must_use]
    pub fn grpc_methods<M: Into<String>>(self, methods: impl IntoIterator<Item = M>) -> Self {
        self.with(|state| {
            let methods: Vec<_> = methods.into_iter().map(Into::into).collect();
            let listed = GrpcMethods::listed(&methods, state.requests.routes());
            state.grpc = Arc::new(listed);
        })
    }

    /// Sets a hook that finds the peer's address in a request's extensions, for servers whose connection type this crate
    /// does not know. The address becomes `client.address`, and [`trusted_proxies`](Self::trusted_proxies) applies to it.
    ///
    /// It runs before the service is called, and before all other hooks. By default the layer looks for axum's
    /// `ConnectInfo<SocketAddr>` and for [`PeerAddr`](super::PeerAddr). With tonic's server write:
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
    /// With TLS the type is `TlsConnectInfo<TcpConnectInfo>`, whose `get_ref()` gives the same. A connection over a Unix
    /// socket has no address.
    #[must_use]
    pub fn peer_addr(
        self,
        peer: impl Fn(&Extensions) -> Option<SocketAddr> + Send + Sync + 'static,
    ) -> Self {
        let hook = self.hook("peer_addr", Box::new(peer) as Box<_>);
        self.with(|state| state.hooks.peer = hook)
    }

    /// Sets a hook that returns the ID of the request's user. It becomes `user.id` of the log record, the span and
    /// captured errors; at most 256 bytes are kept. Return an ID, not a name or an address. Its users are counted: see
    /// [active users](super#active-users).
    ///
    /// It runs before the service is called. By default a request has no user.
    ///
    /// ```
    /// # fn example(monitor: watchpost::Monitor) {
    /// #[derive(Clone)]
    /// struct UserId(u64);
    ///
    /// let layer = monitor
    ///     .layer()
    ///     .user(|parts| Some(parts.extensions.get::<UserId>()?.0.to_string()));
    /// # }
    /// ```
    #[must_use]
    pub fn user(self, user: impl Fn(&Parts) -> Option<String> + Send + Sync + 'static) -> Self {
        let hook = self.hook("user", Box::new(user) as Box<_>);
        self.with(|state| state.hooks.user = hook)
    }

    /// Sets a hook that adds attributes to the log record and the span from the request's head.
    ///
    /// It runs before the service is called.
    ///
    /// ```
    /// # fn example(monitor: watchpost::Monitor) {
    /// let layer = monitor.layer().on_request(|parts, attributes| {
    ///     if let Some(tenant) = parts.headers.get("x-tenant").and_then(|it| it.to_str().ok()) {
    ///         attributes.insert("shop.tenant", tenant.to_owned());
    ///     }
    /// });
    /// # }
    /// ```
    #[must_use]
    pub fn on_request(
        self,
        on_request: impl Fn(&Parts, &mut Attributes) + Send + Sync + 'static,
    ) -> Self {
        let hook = self.hook("on_request", Box::new(on_request) as Box<_>);
        self.with(|state| state.hooks.on_request = hook)
    }

    /// Sets a hook that adds attributes to the log record and the span from the response's head.
    ///
    /// It runs when the service has responded, before the body is sent. It sees the head that the service made, without
    /// `x-trace-id`.
    ///
    /// ```
    /// # fn example(monitor: watchpost::Monitor) {
    /// let layer = monitor.layer().on_response(|parts, attributes| {
    ///     attributes.insert("shop.cached", parts.headers.contains_key("age"));
    /// });
    /// # }
    /// ```
    #[must_use]
    pub fn on_response(
        self,
        on_response: impl Fn(&ResponseParts, &mut Attributes) + Send + Sync + 'static,
    ) -> Self {
        let hook = self.hook("on_response", Box::new(on_response) as Box<_>);
        self.with(|state| state.hooks.on_response = hook)
    }

    /// Sets a hook that sees each request once, when it has ended, and may add the last attributes to the log record and
    /// the span.
    ///
    /// It also runs for requests that were cancelled or panicked. It may run in the `Drop` of the response's future or
    /// body, on the thread that drops it.
    ///
    /// ```
    /// # fn example(monitor: watchpost::Monitor) {
    /// let layer = monitor.layer().on_end(|request, attributes| {
    ///     if request.response_bytes > Some(1_000_000) {
    ///         attributes.insert("shop.large", true);
    ///     }
    /// });
    /// # }
    /// ```
    #[must_use]
    pub fn on_end(
        self,
        on_end: impl Fn(&FinishedRequest<'_>, &mut Attributes) + Send + Sync + 'static,
    ) -> Self {
        let hook = self.hook("on_end", Box::new(on_end) as Box<_>);
        self.with(|state| state.hooks.on_end = hook)
    }

    /// Sets a hook that decides which responses are failures, from the response's head and the trailers, if the body had
    /// some.
    ///
    /// It runs once: when the trailers have come, else when the request ends. Requests without a response are not judged
    /// by it. By default a 5xx is a failure, and for gRPC a status that is an [error of the server](super#grpc).
    ///
    /// ```
    /// use watchpost::http::Class;
    ///
    /// # fn example(monitor: watchpost::Monitor) {
    /// // A 501 says what this service is there to say.
    /// let layer = monitor.layer().classify(|parts, _trailers| match parts.status.as_u16() {
    ///     501 => Class::Success,
    ///     500.. => Class::Failure,
    ///     _ => Class::Success,
    /// });
    /// # }
    /// ```
    #[must_use]
    pub fn classify(
        self,
        classify: impl Fn(&ResponseParts, Option<&HeaderMap>) -> Class + Send + Sync + 'static,
    ) -> Self {
        let hook = self.hook("classify", Box::new(classify) as Box<_>);
        self.with(|state| state.hooks.classify = hook)
    }

    /// Sets the statuses that mean, beside 408, that time ran out: requests with them have the outcome `timeout`.
    ///
    /// Default: those of [`HttpConfig::timeout_statuses`](super::HttpConfig::timeout_statuses), which are none.
    #[must_use]
    pub fn timeout_statuses(self, statuses: impl IntoIterator<Item = u16>) -> Self {
        self.with(|state| state.config.timeout_statuses = statuses.into_iter().collect())
    }

    /// Sets the request headers that log records and spans show, as `http.request.header.<name>`. Secrets in their values
    /// are redacted.
    ///
    /// Default: those of [`HttpConfig::allow_headers`](super::HttpConfig::allow_headers), which are none.
    #[must_use]
    pub fn allow_headers(self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.with(|state| state.config.allow_headers = names.into_iter().collect())
    }

    /// Sets the networks of proxies that are trusted: `client.address` is then read from their `Forwarded` or
    /// `X-Forwarded-For`, the host from `Forwarded` or `X-Forwarded-Host`, and the [sampling
    /// decision](crate::trace#the-callers-sampling-decision) from their `traceparent`.
    ///
    /// Default: those of [`HttpConfig::trusted_proxies`](super::HttpConfig::trusted_proxies), which are none:
    /// `client.address` is the peer's address, and a caller's sampled flag is ignored.
    ///
    /// ```
    /// # fn example(monitor: watchpost::Monitor) -> Result<(), watchpost::http::CidrError> {
    /// let layer = monitor.layer().trusted_proxies(["10.0.0.0/8".parse()?]);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn trusted_proxies(self, networks: impl IntoIterator<Item = Cidr>) -> Self {
        self.with(|state| state.config.trusted_proxies = networks.into_iter().collect())
    }

    /// Records as a request's size the bytes of its body that were read, if the body is axum's `Body`.
    ///
    /// By default the size is what `Content-Length` says. Without `Content-Length`, or where the client left before the
    /// body's end, it is the bytes that came.
    #[must_use]
    pub fn count_request_body(self) -> Self {
        self.with(|state| state.count_request_body = true)
    }
}

impl<S> Layer<S> for EndpointLayer {
    type Service = EndpointService<S>;

    fn layer(&self, inner: S) -> EndpointService<S> {
        EndpointService {
            inner,
            layer: Arc::clone(&self.state),
        }
    }
}
