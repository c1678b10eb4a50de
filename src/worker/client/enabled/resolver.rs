use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::timeout;

use super::{HttpError, Names};
use crate::model::catch_panic;

/// How long a name may take.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Look-ups that may hang at once: each holds a thread until the system gives it up.
const MAX_LOOK_UPS: usize = 4;

/// The system's own way.
pub(super) fn system(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    (host, port).to_socket_addrs().map(Iterator::collect)
}

/// Looks names up on the blocking pool, so that a slow name server holds up nothing else.
#[derive(Clone)]
pub(super) struct LookUp {
    names: Arc<Names>,
    under_way: Arc<AtomicUsize>,
}

/// A look-up that has a place.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl LookUp {
    pub(super) fn new(names: Arc<Names>) -> Self {
        Self {
            names,
            under_way: Arc::default(),
        }
    }

    pub(super) async fn addresses(
        &self,
        host: &str,
        port: u16,
    ) -> Result<Vec<SocketAddr>, HttpError> {
        // An IPv6 address stands in brackets.
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let place = self.place()?;
        let (names, name) = (Arc::clone(&self.names), host.to_owned());
        // The pool panics where no thread can be had.
        let task = catch_panic(|| {
            tokio::task::spawn_blocking(move || {
                let _place = place;
                names(&name, port)
            })
        });
        let task =
            task.ok_or_else(|| HttpError::new("no thread can be had to look the name up"))?;
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

    fn place(&self) -> Result<Place, HttpError> {
        let place = Place(Arc::clone(&self.under_way));
        if self.under_way.fetch_add(1, Relaxed) < MAX_LOOK_UPS {
            Ok(place)
        } else {
            Err(HttpError::new("earlier look-ups of names still hang"))
        }
    }
}
