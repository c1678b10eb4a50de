use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::Request;
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::{Instant, timeout_at};

use self::connect::Connector;
use self::full_body::Once;
use super::{HttpError, HttpResponse, TlsRoots};

mod connect;
mod full_body;
mod resolver;
mod stream;
#[cfg(test)]
mod tests;
mod tls;

/// The most that is read of an answer's body, and of its head.
const MAX_ANSWER: usize = 64 * 1024;
/// A connection that rests for so long is closed.
const IDLE: Duration = Duration::from_secs(30);
/// Resting connections to one receiver.
const MAX_IDLE: usize = 2;

/// Turns a name and a port into addresses. It may block, and is called on the blocking pool.
pub(crate) type Names = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// The HTTP client. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub(crate) struct HttpClient(Arc<legacy::Client<Connector, Once>>);

impl HttpClient {
    /// A client that believes whom `trust` says. Reads the file that `trust` names.
    ///
    /// # Errors
    ///
    /// What is wrong with that file, in plain text.
    pub(crate) fn new(trust: &TlsRoots) -> Result<Self, String> {
        Ok(Self::with_names(
            tls::connector(trust)?,
            Arc::new(resolver::system),
        ))
    }

    fn with_names(tls: tokio_rustls::TlsConnector, names: Arc<Names>) -> Self {
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(MAX_IDLE)
            .http1_max_buf_size(MAX_ANSWER)
            .build(Connector::new(tls, names));
        Self(Arc::new(client))
    }

    /// Sends a request and reads its answer, both within `timeout`. Once the head of the answer is there,
    /// it is an answer: a body that comes too slowly or breaks off is cut there.
    ///
    /// Has to be awaited on the worker's runtime.
    ///
    /// # Errors
    ///
    /// Where there is no answer: whether the receiver took the request is then not known.
    ///
    /// # Cancel safety
    ///
    /// A request whose future is dropped may have reached the receiver.
    pub(crate) async fn send(
        &self,
        request: Request<Bytes>,
        timeout: Duration,
    ) -> Result<HttpResponse, HttpError> {
        let until = Instant::now() + timeout;
        let sent = self.0.request(request.map(Once::new));
        let (head, body) = match timeout_at(until, sent).await {
            Ok(Ok(answer)) => answer.into_parts(),
            Ok(Err(error)) => return Err(cause(&error)),
            Err(_) => {
                let seconds = timeout.as_secs_f64();
                return Err(HttpError::new(format!("no answer within {seconds} s")));
            }
        };
        let mut answer = HttpResponse {
            status: head.status,
            headers: head.headers,
            ..HttpResponse::default()
        };
        let mut read = BytesMut::new();
        answer.whole = timeout_at(until, take(body, &mut read))
            .await
            .unwrap_or_default();
        answer.body = read.freeze();
        Ok(answer)
    }
}

/// Reads a body up to the limit; whether that was all.
async fn take(mut body: Incoming, into: &mut BytesMut) -> bool {
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let Ok(frame) = frame else { return false };
        let Some(data) = frame.data_ref() else {
            continue;
        };
        let room = MAX_ANSWER - into.len();
        into.extend_from_slice(data.get(..room).unwrap_or(data));
        if data.len() > room {
            return false;
        }
    }
    true
}

/// The cause that lies deepest: what is above it says where it was met.
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
        Some(()) => "the answer is not HTTP",
        None => "the connection broke off before the answer",
    })
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpClient")
    }
}
