use std::pin::Pin;
use std::task::{Context, Poll};

use http::Uri;
use http::uri::Scheme;
use tokio::time::Instant;
use tower::Service;

use super::stream::ClientStream;
use super::tcp::{TIMEOUT, TcpConnector, dial};
use crate::model::port_of;
use crate::worker::client::HttpError;

/// Connects in plain text or with TLS, depending only on the scheme of the URL.
#[derive(Clone)]
pub(super) struct Connector(TcpConnector);

impl Connector {
    pub(super) fn new(tcp: TcpConnector) -> Self {
        Self(tcp)
    }

    async fn connect(self, url: Uri) -> Result<ClientStream, HttpError> {
        let host = url
            .host()
            .ok_or_else(|| HttpError::new("the URL names no host"))?;
        let secure = url.scheme() == Some(&Scheme::HTTPS);
        let named = url.authority().map(port_of).transpose();
        let named = named.map_err(|what| HttpError::new(format!("the URL is bad: {what}")))?;
        let port = named.flatten().unwrap_or(if secure { 443 } else { 80 });
        if !secure && !self.0.allows_plain_text() {
            return Err(HttpError::new("the URL is not `https://`"));
        }
        let addresses = self.0.addresses(host, port).await?;
        let until = Instant::now() + TIMEOUT;
        let stream = dial(&addresses, until).await?;
        if !secure {
            return Ok(ClientStream::plain(stream));
        }
        let stream = self.0.secure_until(host, stream, until).await?;
        Ok(ClientStream::tls(stream))
    }
}

impl Service<Uri> for Connector {
    type Response = ClientStream;
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<ClientStream, HttpError>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), HttpError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, url: Uri) -> Self::Future {
        Box::pin(self.clone().connect(url))
    }
}
