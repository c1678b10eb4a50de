use std::time::Duration;

use http::HeaderName;

use super::Cidr;
use crate::model::ExplicitKeys;
use crate::record::Method;

/// How inbound requests are recorded: the settings under `http.`, for
/// [`MonitorBuilder::http`](crate::MonitorBuilder::http).
///
/// ```
/// use std::time::Duration;
/// use watchpost::http::HttpConfig;
///
/// let config = HttpConfig::default()
///     .public_endpoint(true)
///     .timeout_statuses([504])
///     .long_poll(Duration::from_millis(50));
/// let builder = watchpost::Monitor::builder("shop").http(config);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
#[expect(
    clippy::struct_excessive_bools,
    reason = "settings that have nothing to do with each other"
)]
pub struct HttpConfig {
    /// Whether responses carry `x-trace-id`.
    pub trace_header: bool,
    /// Whether callers are not trusted: each request then starts a new trace, and only its log record and span name the
    /// caller's. Trusted proxies are excepted.
    pub public_endpoint: bool,
    /// Whether a caller's `traceparent` and `tracestate` are read, as `trace.propagators` says.
    pub(crate) trace_context: bool,
    /// Whether a caller's `baggage` is read, as `trace.propagators` says.
    pub(crate) baggage: bool,
    /// The networks of proxies whose `Forwarded` and `X-Forwarded-For` are trusted, and whose sampling decision counts.
    pub trusted_proxies: Vec<Cidr>,
    /// The request headers that log records and spans show.
    pub allow_headers: Vec<HeaderName>,
    /// The statuses that mean, beside 408, that time ran out.
    pub timeout_statuses: Vec<u16>,
    /// A poll that takes longer is counted in `watchpost_long_polls_total`: it kept its thread from other tasks.
    pub long_poll: Duration,
    /// The request methods that can be labels; all others are `_OTHER`.
    pub known_methods: Vec<String>,
    /// The gRPC methods whose path is a route; empty for those that responses show to exist.
    pub grpc_methods: Vec<String>,
    pub(crate) explicit: ExplicitKeys,
}

impl HttpConfig {
    /// Responses carry `x-trace-id`.
    pub const DEFAULT_TRACE_HEADER: bool = true;
    /// Callers' traces are continued.
    pub const DEFAULT_PUBLIC_ENDPOINT: bool = false;
    /// 100 milliseconds.
    pub const DEFAULT_LONG_POLL: Duration = Duration::from_millis(100);

    /// Sets whether responses carry `x-trace-id`.
    ///
    /// Default: [`DEFAULT_TRACE_HEADER`](Self::DEFAULT_TRACE_HEADER).
    pub fn trace_header(mut self, trace_header: bool) -> Self {
        self.explicit.add("http.trace_header");
        self.trace_header = trace_header;
        self
    }

    /// Sets whether callers are not trusted: each request then starts a new trace. Use it for a service that clients of any
    /// kind reach directly.
    ///
    /// Default: [`DEFAULT_PUBLIC_ENDPOINT`](Self::DEFAULT_PUBLIC_ENDPOINT).
    pub fn public_endpoint(mut self, public_endpoint: bool) -> Self {
        self.explicit.add("http.public_endpoint");
        self.public_endpoint = public_endpoint;
        self
    }

    /// Sets the networks of trusted proxies: `client.address` is read from their `Forwarded` or `X-Forwarded-For`, and the
    /// [sampling decision](crate::trace#the-callers-sampling-decision) from their `traceparent`.
    ///
    /// Default: none.
    pub fn trusted_proxies(mut self, trusted_proxies: impl IntoIterator<Item = Cidr>) -> Self {
        self.explicit.add("http.trusted_proxies");
        self.trusted_proxies = trusted_proxies.into_iter().collect();
        self
    }

    /// Sets the request headers that log records and spans show, as `http.request.header.<name>`. Secrets in their values
    /// are redacted.
    ///
    /// Default: none.
    pub fn allow_headers(mut self, allow_headers: impl IntoIterator<Item = HeaderName>) -> Self {
        self.explicit.add("http.allow_headers");
        self.allow_headers = allow_headers.into_iter().collect();
        self
    }

    /// Sets the statuses that mean, beside 408, that time ran out: the outcome is then `timeout`. 400 to 599.
    ///
    /// Default: none.
    pub fn timeout_statuses(mut self, timeout_statuses: impl IntoIterator<Item = u16>) -> Self {
        self.explicit.add("http.timeout_statuses");
        self.timeout_statuses = timeout_statuses.into_iter().collect();
        self
    }

    /// Sets how long a poll may take before it is counted in `watchpost_long_polls_total`. 1 ms to 1 minute.
    ///
    /// Default: [`DEFAULT_LONG_POLL`](Self::DEFAULT_LONG_POLL).
    pub fn long_poll(mut self, long_poll: Duration) -> Self {
        self.explicit.add("http.long_poll");
        self.long_poll = long_poll;
        self
    }

    /// Sets the request methods that can be labels, instead of the list of the semantic conventions. All others are
    /// `_OTHER`. Case matters.
    ///
    /// Default: the list of the semantic conventions, `GET` to `QUERY`.
    pub fn known_methods<M: Into<String>>(mut self, methods: impl IntoIterator<Item = M>) -> Self {
        self.explicit.add("http.known_methods");
        self.known_methods = methods.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the gRPC methods whose path is a route, such as `/grpc.health.v1.Health/Check`. With a list, no method is learnt
    /// from responses.
    ///
    /// Default: none, and methods are learnt.
    pub fn grpc_methods<M: Into<String>>(mut self, methods: impl IntoIterator<Item = M>) -> Self {
        self.explicit.add("http.grpc_methods");
        self.grpc_methods = methods.into_iter().map(Into::into).collect();
        self
    }
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            trace_header: Self::DEFAULT_TRACE_HEADER,
            public_endpoint: Self::DEFAULT_PUBLIC_ENDPOINT,
            trace_context: true,
            baggage: true,
            trusted_proxies: Vec::new(),
            allow_headers: Vec::new(),
            timeout_statuses: Vec::new(),
            long_poll: Self::DEFAULT_LONG_POLL,
            known_methods: Method::conventional().map(str::to_owned).collect(),
            grpc_methods: Vec::new(),
            explicit: ExplicitKeys::default(),
        }
    }
}

impl HttpConfig {
    /// Whether a peer is a trusted proxy.
    pub(super) fn trusts(&self, peer: std::net::IpAddr) -> bool {
        self.trusted_proxies
            .iter()
            .any(|network| network.contains(peer))
    }

    /// Whether a status means that time ran out.
    #[inline]
    pub(super) fn is_timeout(&self, status: u16) -> bool {
        status == 408 || self.timeout_statuses.contains(&status)
    }
}
