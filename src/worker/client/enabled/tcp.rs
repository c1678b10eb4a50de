use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::addresses::AllowedAddresses;
use super::resolver::{HostResolver, Resolve};
use super::tls;
use crate::worker::client::HttpError;

/// A connection with TLS.
pub(crate) type TlsTcpStream = TlsStream<TcpStream>;

/// The time limit for a connection, including TLS.
pub(super) const TIMEOUT: Duration = Duration::from_secs(3);

/// Connects to addresses that are allowed, and adds TLS. The HTTP client uses it, and other protocols do.
#[derive(Clone)]
pub(crate) struct TcpConnector {
    resolver: HostResolver,
    tls: TlsConnector,
    allowed: AllowedAddresses,
}

impl TcpConnector {
    pub(super) fn with_resolver(
        tls: TlsConnector,
        resolve: Arc<Resolve>,
        allowed: AllowedAddresses,
    ) -> Self {
        Self {
            resolver: HostResolver::new(resolve),
            tls,
            allowed,
        }
    }

    /// Limits the lookups to what one host needs: there may be many such connectors, and each lookup that hangs holds a thread.
    #[cfg(feature = "alerts")]
    pub(super) fn for_one_host(mut self) -> Self {
        self.resolver = self.resolver.for_one_host();
        self
    }

    pub(super) fn allows_plain_text(&self) -> bool {
        self.allowed.allows_plain_text()
    }

    /// The addresses of a host. Fails unless all of them are allowed.
    pub(super) async fn addresses(
        &self,
        host: &str,
        port: u16,
    ) -> Result<Vec<SocketAddr>, HttpError> {
        let addresses = self.resolver.addresses(host, port).await?;
        // If one is refused, all are: a name that resolves to both is a trap.
        if !addresses.iter().all(|it| self.allowed.allows(it.ip())) {
            return Err(HttpError::new(format!(
                "`{host}` has an address that is not allowed"
            )));
        }
        Ok(addresses)
    }

    /// Adds TLS to a connection to this host.
    pub(super) async fn secure_until(
        &self,
        host: &str,
        stream: TcpStream,
        until: Instant,
    ) -> Result<TlsTcpStream, HttpError> {
        let name = tls::name(host)?;
        match timeout_at(until, self.tls.connect(name, stream)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(tls::cause(&error)),
            Err(_) => Err(HttpError::new(format!(
                "the TLS handshake was not over within {} s",
                TIMEOUT.as_secs()
            ))),
        }
    }
}

#[cfg(feature = "email")]
impl TcpConnector {
    /// Connects to these addresses, and trusts these authorities. Reads the file that `roots` names.
    ///
    /// # Errors
    ///
    /// Returns a description of the problem with that file, in plain text.
    pub(crate) fn new(roots: &super::TlsRoots, allowed: AllowedAddresses) -> Result<Self, String> {
        let resolve = Arc::new(super::resolver::system);
        Ok(Self::with_resolver(
            tls::connector(roots)?,
            resolve,
            allowed,
        ))
    }

    /// Connects to a host, within 3 seconds after its name is resolved.
    ///
    /// # Errors
    ///
    /// Fails if no address is allowed, or none accepts.
    pub(crate) async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, HttpError> {
        let addresses = self.addresses(host, port).await?;
        dial(&addresses, Instant::now() + TIMEOUT).await
    }

    /// Adds TLS to a connection to this host, within 3 seconds.
    ///
    /// # Errors
    ///
    /// Fails if the handshake does, or if the certificate is not valid for the host.
    pub(crate) async fn secure(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> Result<TlsTcpStream, HttpError> {
        self.secure_until(host, stream, Instant::now() + TIMEOUT)
            .await
    }
}

/// Connects to the first address that accepts. Each attempt gets its share of the time that is left.
pub(super) async fn dial(addresses: &[SocketAddr], until: Instant) -> Result<TcpStream, HttpError> {
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
