//! The HTTP client that all remote sinks use, and that reads from a Prometheus server.
//!
//! For sinks it runs on the worker's runtime, so that no thread of the host waits for it. No log event of its libraries is
//! recorded. It supports HTTP/1.1 with keep-alive, and TLS with rustls and ring. It follows no redirects, uses no
//! proxy, and reads at most 64 KiB of a response body unless the caller sets another limit.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

#[cfg(not(feature = "_client"))]
mod disabled;
#[cfg(feature = "_client")]
mod enabled;

#[cfg(not(feature = "_client"))]
pub(crate) use self::disabled::HttpClient;
#[cfg(feature = "alerts")]
pub(crate) use self::enabled::AllowedAddresses;
#[cfg(feature = "_client")]
pub(crate) use self::enabled::HttpClient;
#[cfg(feature = "email")]
pub(crate) use self::enabled::{TcpConnector, TlsTcpStream};

/// The certificate authorities that are trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct TlsRoots {
    /// A PEM file with the certificates of authorities that are trusted in place of the public ones.
    pub(crate) authorities: Option<PathBuf>,
}

/// The response of a receiver.
#[derive(Debug, Clone, Default)]
pub(crate) struct HttpResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// At most 64 KiB, or the limit that the caller set.
    pub(crate) body: Bytes,
    /// Whether `body` is complete. It may have been longer than the limit, too slow, or interrupted.
    pub(crate) complete: bool,
    /// The wait that the receiver requests, at most an hour. The sink sets it.
    pub(crate) retry_after: Option<Duration>,
}

/// Why there is no response: the cause in a few words. It contains the host of the URL and no other part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HttpError(String);

impl HttpError {
    pub(crate) fn new(cause: impl Into<String>) -> Self {
        Self(cause.into())
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for HttpError {}
