use std::time::Duration;

use http::HeaderName;

use super::Cidr;
use crate::model::ExplicitKeys;
use crate::record::Method;

/// How inbound requests are observed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
#[expect(
    clippy::struct_excessive_bools,
    reason = "settings that have nothing to do with each other"
)]
pub struct HttpConfig {
    /// Whether the response carries `x-trace-id`.
    pub trace_header: bool,
    /// Whether clients are strangers: a new trace then starts here, and the parent's id stands on the
    /// line alone.
    pub public_endpoint: bool,
    /// Whether a caller's `traceparent` and `tracestate` are read, as `trace.propagators` says.
    pub(crate) trace_context: bool,
    /// Whether a caller's `baggage` is read, as `trace.propagators` says.
    pub(crate) baggage: bool,
    /// The proxies whose `Forwarded` and `X-Forwarded-For` are believed.
    pub trusted_proxies: Vec<Cidr>,
    /// The request headers that the line shows.
    pub allow_headers: Vec<HeaderName>,
    /// The statuses, beside 408, that say that time ran out.
    pub timeout_statuses: Vec<u16>,
    /// A poll that takes longer is counted as one that blocks its thread.
    pub long_poll: Duration,
    /// The request methods that can be labels; all others are `_OTHER`.
    pub known_methods: Vec<String>,
    /// The gRPC methods whose path is a route; empty: those that responses show.
    pub grpc_methods: Vec<String>,
    pub(crate) explicit: ExplicitKeys,
}

impl HttpConfig {
    /// The response carries `x-trace-id`.
    pub const DEFAULT_TRACE_HEADER: bool = true;
    /// Parents are believed.
    pub const DEFAULT_PUBLIC_ENDPOINT: bool = false;
    /// 100 milliseconds.
    pub const DEFAULT_LONG_POLL: Duration = Duration::from_millis(100);

    /// Sets whether the response carries `x-trace-id`.
    ///
    /// Default: [`DEFAULT_TRACE_HEADER`](Self::DEFAULT_TRACE_HEADER).
    pub fn trace_header(mut self, trace_header: bool) -> Self {
        self.explicit.add("http.trace_header");
        self.trace_header = trace_header;
        self
    }

    /// Sets whether clients are strangers, whose trace is not continued.
    ///
    /// Default: [`DEFAULT_PUBLIC_ENDPOINT`](Self::DEFAULT_PUBLIC_ENDPOINT).
    pub fn public_endpoint(mut self, public_endpoint: bool) -> Self {
        self.explicit.add("http.public_endpoint");
        self.public_endpoint = public_endpoint;
        self
    }

    /// Sets the proxies whose word about the client's address is believed.
    ///
    /// Default: none.
    pub fn trusted_proxies(mut self, trusted_proxies: impl IntoIterator<Item = Cidr>) -> Self {
        self.explicit.add("http.trusted_proxies");
        self.trusted_proxies = trusted_proxies.into_iter().collect();
        self
    }

    /// Sets the request headers that the line shows.
    ///
    /// Default: none.
    pub fn allow_headers(mut self, allow_headers: impl IntoIterator<Item = HeaderName>) -> Self {
        self.explicit.add("http.allow_headers");
        self.allow_headers = allow_headers.into_iter().collect();
        self
    }

    /// Sets the statuses, beside 408, that say that time ran out.
    ///
    /// Default: none.
    pub fn timeout_statuses(mut self, timeout_statuses: impl IntoIterator<Item = u16>) -> Self {
        self.explicit.add("http.timeout_statuses");
        self.timeout_statuses = timeout_statuses.into_iter().collect();
        self
    }

    /// Sets how long a poll may take before it is counted.
    ///
    /// Default: [`DEFAULT_LONG_POLL`](Self::DEFAULT_LONG_POLL).
    pub fn long_poll(mut self, long_poll: Duration) -> Self {
        self.explicit.add("http.long_poll");
        self.long_poll = long_poll;
        self
    }

    /// Sets the request methods that can be labels, in place of the semantic conventions' list. All others are
    /// `_OTHER`. Case matters.
    ///
    /// Default: the list of the semantic conventions, `GET` to `QUERY`.
    pub fn known_methods<M: Into<String>>(mut self, methods: impl IntoIterator<Item = M>) -> Self {
        self.explicit.add("http.known_methods");
        self.known_methods = methods.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the gRPC methods whose path is a route, such as `/grpc.health.v1.Health/Check`. With a list, no method
    /// is learnt from responses.
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
    /// Whether a peer is a proxy whose word is believed.
    pub(super) fn trusts(&self, peer: std::net::IpAddr) -> bool {
        self.trusted_proxies
            .iter()
            .any(|network| network.contains(peer))
    }

    /// Whether a status says that time ran out.
    #[inline]
    pub(super) fn is_timeout(&self, status: u16) -> bool {
        status == 408 || self.timeout_statuses.contains(&status)
    }
}
