//! The number of live connections, in all and from each address.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use rustc_hash::FxHashMap;

use super::attempts::key;
use crate::model::lock;

/// The open live connections.
#[derive(Debug, Default)]
pub(super) struct LiveClients(Mutex<ClientCounts>);

#[derive(Debug, Default)]
struct ClientCounts {
    total: usize,
    by_address: FxHashMap<IpAddr, usize>,
}

/// Counts as one connection until it is dropped.
#[derive(Debug)]
pub(super) struct LivePermit {
    clients: Arc<LiveClients>,
    address: IpAddr,
}

impl LiveClients {
    /// Returns a permit for one more connection from an address; `None` at a limit.
    pub(super) fn acquire(
        self: &Arc<Self>,
        address: Option<IpAddr>,
        max: usize,
        max_per_address: usize,
    ) -> Option<LivePermit> {
        let address = key(address);
        let mut counts = lock(&self.0);
        let of_address = counts.by_address.get(&address).copied().unwrap_or(0);
        if counts.total >= max || of_address >= max_per_address {
            return None;
        }
        counts.total += 1;
        counts.by_address.insert(address, of_address + 1);
        Some(LivePermit {
            clients: Arc::clone(self),
            address,
        })
    }

    pub(super) fn count(&self) -> usize {
        lock(&self.0).total
    }
}

impl Drop for LivePermit {
    fn drop(&mut self) {
        let mut counts = lock(&self.clients.0);
        counts.total = counts.total.saturating_sub(1);
        if let Some(count) = counts.by_address.get_mut(&self.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_limited_in_all_and_for_each_address() {
        let clients = Arc::<LiveClients>::default();
        let acquire = |address: &str| clients.acquire(Some(address.parse().unwrap()), 3, 2);
        let (one, two) = (acquire("192.0.2.1").unwrap(), acquire("192.0.2.1").unwrap());
        assert!(acquire("192.0.2.1").is_none());
        assert!(acquire("::ffff:192.0.2.1").is_none(), "the same address");
        let other = acquire("192.0.2.2").unwrap();
        assert!(acquire("192.0.2.3").is_none());
        drop(one);
        assert!(acquire("192.0.2.1").is_some());
        drop((two, other));
        assert_eq!(clients.count(), 0);
        assert!(clients.0.lock().unwrap().by_address.is_empty());
    }
}
