use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::timeout;

use crate::model::catch_panic;
use crate::worker::client::HttpError;

/// The time limit for a lookup.
const TIMEOUT: Duration = Duration::from_secs(3);
/// The maximum number of lookups that may hang at the same time. Each holds a thread until the operating system gives
/// up.
const MAX_LOOKUPS: usize = 4;
/// The same for a resolver of one host: a delivery and a test of a channel may run at the same time.
#[cfg(feature = "alerts")]
const MAX_LOOKUPS_OF_ONE: usize = 2;

/// Resolves a host name and a port to addresses. It may block: it is called on the blocking pool.
pub(super) type Resolve = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// Resolves as the operating system does.
#[cfg(not(test))]
pub(super) fn system(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    (host, port).to_socket_addrs().map(Iterator::collect)
}

/// As in the library, with a name whose lookup hangs.
#[cfg(test)]
pub(super) fn system(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if host == "hangs.test" {
        std::thread::sleep(Duration::from_secs(20));
    }
    (host, port).to_socket_addrs().map(Iterator::collect)
}

/// Resolves host names on the blocking pool, so that a slow name server delays nothing else.
#[derive(Clone)]
pub(super) struct HostResolver {
    resolve: Arc<Resolve>,
    running: Arc<AtomicUsize>,
    max_lookups: usize,
}

/// Permission for one lookup, given back on drop.
struct LookupPermit(Arc<AtomicUsize>);

impl Drop for LookupPermit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl HostResolver {
    pub(super) fn new(resolve: Arc<Resolve>) -> Self {
        Self {
            resolve,
            running: Arc::default(),
            max_lookups: MAX_LOOKUPS,
        }
    }

    /// Allows as many lookups as one host needs.
    #[cfg(feature = "alerts")]
    pub(super) fn for_one_host(mut self) -> Self {
        self.max_lookups = MAX_LOOKUPS_OF_ONE;
        self
    }

    pub(super) async fn addresses(
        &self,
        host: &str,
        port: u16,
    ) -> Result<Vec<SocketAddr>, HttpError> {
        // An IPv6 address is in brackets.
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let permit = self.acquire()?;
        let (resolve, name) = (Arc::clone(&self.resolve), host.to_owned());
        // Tokio panics if it cannot start a thread.
        let task = catch_panic(|| {
            tokio::task::spawn_blocking(move || {
                let _permit = permit;
                resolve(&name, port)
            })
        });
        let task =
            task.ok_or_else(|| HttpError::new("no thread is available to look the name up"))?;
        match timeout(TIMEOUT, task).await {
            Ok(Ok(Ok(addresses))) if !addresses.is_empty() => Ok(addresses),
            Ok(_) => Err(HttpError::new(format!(
                "the name `{host}` cannot be resolved"
            ))),
            Err(_) => Err(HttpError::new(format!(
                "the name `{host}` was not resolved within {} s",
                TIMEOUT.as_secs()
            ))),
        }
    }

    fn acquire(&self) -> Result<LookupPermit, HttpError> {
        let permit = LookupPermit(Arc::clone(&self.running));
        if self.running.fetch_add(1, Relaxed) < self.max_lookups {
            Ok(permit)
        } else {
            Err(HttpError::new("earlier lookups of names still hang"))
        }
    }
}
