use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::Request;
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::rt::TokioTimer;
use tokio::time::{Instant, timeout_at};

use self::connect::Connector;
use self::executor::SuppressedExecutor;
use self::full_body::FullBody;
use self::resolver::Resolve;
use super::{HttpError, HttpResponse, TlsRoots};

mod addresses;
mod connect;
mod executor;
mod full_body;
mod resolver;
mod stream;
mod tcp;
#[cfg(test)]
mod tests;
mod tls;

pub(crate) use self::addresses::AllowedAddresses;
pub(crate) use self::tcp::TcpConnector;
#[cfg(feature = "email")]
pub(crate) use self::tcp::TlsTcpStream;

/// The maximum number of bytes that are read of a response's body, and of its head.
const MAX_RESPONSE: usize = 64 * 1024;
/// An idle connection is closed after this time.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// The maximum number of idle connections to one receiver.
const MAX_IDLE: usize = 2;

/// The HTTP client. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub(crate) struct HttpClient(Arc<legacy::Client<Connector, FullBody>>);

impl HttpClient {
    /// A client that trusts these authorities. Reads the file that `roots` names.
    ///
    /// # Errors
    ///
    /// Returns a description of the problem with that file, in plain text.
    #[cfg_attr(
        not(any(feature = "elasticsearch", feature = "otlp", feature = "sentry", test)),
        expect(dead_code, reason = "no feature with a remote sink is on")
    )]
    pub(crate) fn new(roots: &TlsRoots) -> Result<Self, String> {
        Ok(Self::with_resolver(
            tls::connector(roots)?,
            Arc::new(resolver::system),
            MAX_IDLE,
            AllowedAddresses::Any,
        ))
    }

    /// As [`new`](Self::new), for requests on any runtime: it keeps no connection after a response. A connection belongs
    /// to the runtime on which it was made, which may have ended or may not be polled.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    #[cfg(feature = "prometheus-reader")]
    pub(crate) fn without_idle_connections(roots: &TlsRoots) -> Result<Self, String> {
        Ok(Self::with_resolver(
            tls::connector(roots)?,
            Arc::new(resolver::system),
            0,
            AllowedAddresses::Any,
        ))
    }

    /// As [`new`](Self::new), for requests to one receiver on any runtime, and only to certain addresses. It trusts the public
    /// authorities, and shares nothing but these with other clients: the lookups of one receiver delay no other.
    ///
    /// # Errors
    ///
    /// Fails if TLS cannot be set up.
    #[cfg(feature = "alerts")]
    pub(crate) fn guarded(allowed: AllowedAddresses) -> Result<Self, String> {
        let resolve = Arc::new(resolver::system);
        let connector = TcpConnector::with_resolver(tls::public()?, resolve, allowed);
        Ok(Self::with_connector(connector.for_one_host(), 0))
    }

    fn with_resolver(
        tls: tokio_rustls::TlsConnector,
        resolve: Arc<Resolve>,
        max_idle: usize,
        allowed: AllowedAddresses,
    ) -> Self {
        Self::with_connector(TcpConnector::with_resolver(tls, resolve, allowed), max_idle)
    }

    fn with_connector(connector: TcpConnector, max_idle: usize) -> Self {
        let client = legacy::Client::builder(SuppressedExecutor)
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(max_idle)
            .http1_max_buf_size(MAX_RESPONSE)
            .build(Connector::new(connector));
        Self(Arc::new(client))
    }

    /// Sends a request and reads at most 64 KiB of the response, both within `timeout`. Must be awaited on the worker's
    /// runtime, unless the client keeps no idle connections.
    ///
    /// Once the head has arrived, the call succeeds: a body that is too slow or breaks off is incomplete.
    ///
    /// # Errors
    ///
    /// Fails if there is no response. The receiver may still have processed the request.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: a request whose future is dropped may have reached the receiver.
    pub(crate) async fn send(
        &self,
        request: Request<Bytes>,
        timeout: Duration,
    ) -> Result<HttpResponse, HttpError> {
        self.send_within(request, timeout, MAX_RESPONSE).await
    }

    /// As [`send`](Self::send), and reads at most `max_body` bytes of the response's body.
    pub(crate) async fn send_within(
        &self,
        request: Request<Bytes>,
        timeout: Duration,
        max_body: usize,
    ) -> Result<HttpResponse, HttpError> {
        let until = Instant::now() + timeout;
        let sent = self.0.request(request.map(FullBody::new));
        let (head, body) = match timeout_at(until, sent).await {
            Ok(Ok(response)) => response.into_parts(),
            Ok(Err(error)) => return Err(cause(&error)),
            Err(_) => {
                let seconds = timeout.as_secs_f64();
                return Err(HttpError::new(format!("no response within {seconds} s")));
            }
        };
        let mut response = HttpResponse {
            status: head.status,
            headers: head.headers,
            ..HttpResponse::default()
        };
        let mut read = BytesMut::new();
        response.complete = timeout_at(until, read_body(body, max_body, &mut read))
            .await
            .unwrap_or_default();
        response.body = read.freeze();
        Ok(response)
    }
}

/// Reads a body up to the limit. Returns whether the body is complete.
async fn read_body(mut body: Incoming, max: usize, into: &mut BytesMut) -> bool {
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let Ok(frame) = frame else { return false };
        let Some(data) = frame.data_ref() else {
            continue;
        };
        let room = max.saturating_sub(into.len());
        into.extend_from_slice(data.get(..room).unwrap_or(data));
        if data.len() > room {
            return false;
        }
    }
    true
}

/// Describes the innermost cause. The errors around it only name where it occurred.
fn cause(error: &legacy::Error) -> HttpError {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    let mut parse = None;
    while let Some(error) = next {
        if let Some(failure) = error.downcast_ref::<HttpError>() {
            return failure.clone();
        }
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            parse = (error.is_parse() || error.is_parse_status()).then_some(());
        }
        next = error.source();
    }
    HttpError::new(match parse {
        Some(()) => "the response is not HTTP",
        None => "the connection broke off before the response",
    })
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpClient")
    }
}
