use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use std::{io, net::SocketAddr};

use http::Uri;
use http::uri::Scheme;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tower::Service;

use super::addresses::AllowedAddresses;
use super::resolver::{HostResolver, Resolve};
use super::stream::ClientStream;
use super::tls;
use crate::model::port_of;
use crate::worker::client::HttpError;

/// The time limit for a connection, including TLS.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Connects in plain text or with TLS, depending only on the scheme of the URL.
#[derive(Clone)]
pub(super) struct Connector {
    resolver: HostResolver,
    tls: TlsConnector,
    allowed: AllowedAddresses,
}

impl Connector {
    pub(super) fn new(tls: TlsConnector, resolve: Arc<Resolve>, allowed: AllowedAddresses) -> Self {
        Self {
            resolver: HostResolver::new(resolve),
            tls,
            allowed,
        }
    }

    async fn connect(self, url: Uri) -> Result<ClientStream, HttpError> {
        let host = url
            .host()
            .ok_or_else(|| HttpError::new("the URL names no host"))?;
        let secure = url.scheme() == Some(&Scheme::HTTPS);
        let named = url.authority().map(port_of).transpose();
        let named = named.map_err(|what| HttpError::new(format!("the URL is bad: {what}")))?;
        let port = named.flatten().unwrap_or(if secure { 443 } else { 80 });
        if !secure && !self.allowed.allows_plain_text() {
            return Err(HttpError::new("the URL is not `https://`"));
        }
        let addresses = self.resolver.addresses(host, port).await?;
        // If one is refused, all are: a name that resolves to both is a trap.
        if !addresses.iter().all(|it| self.allowed.allows(it.ip())) {
            return Err(HttpError::new(format!(
                "`{host}` has an address that is not allowed"
            )));
        }
        let until = Instant::now() + TIMEOUT;
        let stream = dial(&addresses, until).await?;
        if !secure {
            return Ok(ClientStream::plain(stream));
        }
        let name = tls::name(host)?;
        match timeout_at(until, self.tls.connect(name, stream)).await {
            Ok(Ok(stream)) => Ok(ClientStream::tls(stream)),
            Ok(Err(error)) => Err(tls::cause(&error)),
            Err(_) => Err(HttpError::new(format!(
                "the TLS handshake was not over within {} s",
                TIMEOUT.as_secs()
            ))),
        }
    }
}

/// Connects to the first address that accepts. Each attempt gets its share of the time that is left.
async fn dial(addresses: &[SocketAddr], until: Instant) -> Result<TcpStream, HttpError> {
    let mut last = None;
    for (n, address) in addresses.iter().enumerate() {
        let left = u32::try_from(addresses.len() - n).unwrap_or(u32::MAX);
        let now = Instant::now();
        let share = now + until.saturating_duration_since(now) / left.max(1);
        last = Some(match timeout_at(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Small requests are sent immediately.
                drop(stream.set_nodelay(true));
                return Ok(stream);
            }
            Ok(Err(error)) => Some(error),
            Err(_) => None,
        });
    }
    Err(match last.flatten() {
        Some(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            HttpError::new("the connection was refused")
        }
        Some(error) => HttpError::new(format!("no connection ({})", error.kind())),
        None => HttpError::new(format!("no connection within {} s", TIMEOUT.as_secs())),
    })
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
