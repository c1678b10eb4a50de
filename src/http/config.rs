use std::time::Duration;

use http::HeaderName;

use super::Cidr;
use crate::model::ExplicitKeys;
use crate::record::Method;

/// The settings of how inbound requests are recorded, `http.*`, for
/// [`MonitorBuilder::http`](crate::MonitorBuilder::http). The [table](crate::config#the-settings) of settings lists their
/// variables and ranges.
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
    /// Whether responses carry `x-trace-id`. Default: `true`.
    pub trace_header: bool,
    /// Whether callers are untrusted. Each request then starts a new trace, and only its log record and span contain
    /// the caller's trace ID. Trusted proxies are exempt. Default: `false`.
    pub public_endpoint: bool,
    /// Whether a caller's `traceparent` and `tracestate` are read. Set from `trace.propagators`.
    pub(crate) trace_context: bool,
    /// Whether a caller's `baggage` is read. Set from `trace.propagators`.
    pub(crate) baggage: bool,
    /// The networks of trusted proxies. Their `Forwarded` and `X-Forwarded-For` headers and their sampling decision are
    /// used. Default: none.
    pub trusted_proxies: Vec<Cidr>,
    /// The request headers that log records and spans include. Default: none.
    pub allow_headers: Vec<HeaderName>,
    /// The response statuses that mean a timeout, in addition to 408. Default: none.
    pub timeout_statuses: Vec<u16>,
    /// The duration of a long poll. Longer polls are counted in `watchpost_long_polls_total`, because they keep their
    /// thread from running other tasks. Default: 100 ms.
    pub long_poll: Duration,
    /// The request methods that can be labels; all others are `_OTHER`. Default: those of the semantic conventions,
    /// `GET` to `QUERY`.
    pub known_methods: Vec<String>,
    /// The gRPC methods whose path is used as the route. If empty, methods are learnt from responses.
    /// Default: none.
    pub grpc_methods: Vec<String>,
    pub(crate) explicit: ExplicitKeys,
}

impl HttpConfig {
    /// By default, responses carry `x-trace-id`.
    pub const DEFAULT_TRACE_HEADER: bool = true;
    /// By default, callers' traces are continued.
    pub const DEFAULT_PUBLIC_ENDPOINT: bool = false;
    /// The default duration of a long poll: 100 ms.
    pub const DEFAULT_LONG_POLL: Duration = Duration::from_millis(100);

    /// Sets whether responses carry `x-trace-id`.
    ///
    /// Default: `true`.
    pub fn trace_header(mut self, trace_header: bool) -> Self {
        self.explicit.add("http.trace_header");
        self.trace_header = trace_header;
        self
    }

    /// Sets whether callers are untrusted; each request then starts a new trace. Use it for a service that arbitrary
    /// clients reach directly.
    ///
    /// Default: `false`.
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

    /// Sets the request headers that log records and spans include, as `http.request.header.<name>`. Secrets in their
    /// values are redacted.
    ///
    /// Default: none.
    pub fn allow_headers(mut self, allow_headers: impl IntoIterator<Item = HeaderName>) -> Self {
        self.explicit.add("http.allow_headers");
        self.allow_headers = allow_headers.into_iter().collect();
        self
    }

    /// Sets the response statuses, from 400 to 599, that mean a timeout in addition to 408. The outcome of such a
    /// request is `timeout`.
    ///
    /// Default: none.
    pub fn timeout_statuses(mut self, timeout_statuses: impl IntoIterator<Item = u16>) -> Self {
        self.explicit.add("http.timeout_statuses");
        self.timeout_statuses = timeout_statuses.into_iter().collect();
        self
    }

    /// Sets the duration, from 1 ms to 1 minute, above which a poll is counted in `watchpost_long_polls_total`.
    ///
    /// Default: 100 ms.
    pub fn long_poll(mut self, long_poll: Duration) -> Self {
        self.explicit.add("http.long_poll");
        self.long_poll = long_poll;
        self
    }

    /// Sets the request methods that can be labels, replacing the list of the semantic conventions. All other methods
    /// are recorded as `_OTHER`. Methods are case-sensitive.
    ///
    /// Default: the list of the semantic conventions, `GET` to `QUERY`.
    pub fn known_methods<M: Into<String>>(mut self, methods: impl IntoIterator<Item = M>) -> Self {
        self.explicit.add("http.known_methods");
        self.known_methods = methods.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the gRPC methods whose path is used as the route, such as `/grpc.health.v1.Health/Check`. With a list, no
    /// methods are learnt from responses.
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
    /// Returns whether a peer is a trusted proxy.
    pub(super) fn trusts(&self, peer: std::net::IpAddr) -> bool {
        self.trusted_proxies
            .iter()
            .any(|network| network.contains(peer))
    }

    /// Returns whether a status means a timeout.
    #[inline]
    pub(super) fn is_timeout(&self, status: u16) -> bool {
        status == 408 || self.timeout_statuses.contains(&status)
    }
}
