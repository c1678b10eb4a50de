//! The one HTTP client that all sinks share.
//!
//! It runs on the worker's runtime, so that no thread of the host's waits for it and nothing that its
//! libraries say is recorded. HTTP/1.1 with connections kept alive, TLS by rustls and ring. Redirects
//! are not followed, no proxy is taken from anywhere, of an answer at most 64 KiB are read.

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
#[cfg(feature = "_client")]
pub(crate) use self::enabled::HttpClient;

/// Whose certificates are believed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct TlsRoots {
    /// PEM certificates of authorities, believed in place of the public ones.
    pub(crate) authorities: Option<PathBuf>,
}

/// What a receiver answered.
#[derive(Debug, Clone, Default)]
pub(crate) struct HttpResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// At most 64 KiB.
    pub(crate) body: Bytes,
    /// Whether `body` is all of it: it may have been longer, or have broken off.
    pub(crate) whole: bool,
    /// How long the receiver asks to be left alone, at most an hour; filled in by the sink.
    pub(crate) retry_after: Option<Duration>,
}

/// Why there is no answer: the cause in a few words, without anything of the URL but its host.
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
