//! Limits the number of connections, and chooses which one to close for a new one at the limit.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::progress::{ConnectionProgress, ConnectionStage};
use crate::model::Diagnostics;

/// The maximum number of open connections.
pub(super) const MAX_CONNECTIONS: usize = 64;

/// The counters of the servers of one monitor.
#[derive(Debug, Default)]
pub(crate) struct ServerCounters {
    evicted: AtomicU64,
    refused: AtomicU64,
}

impl ServerCounters {
    /// Returns the number of connections that were closed to make room for a new one.
    pub(crate) fn evicted(&self) -> u64 {
        self.evicted.load(Relaxed)
    }

    /// Returns the number of connections that were closed on arrival because every other one was being served.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }
}

/// The connections of one server.
pub(super) struct ConnectionLimiter {
    open: Mutex<Vec<OpenConnection>>,
    counters: Arc<ServerCounters>,
    diagnostics: Arc<Diagnostics>,
}

struct OpenConnection {
    progress: ConnectionProgress,
    /// Notifies the task of the connection to end.
    evict: Arc<Notify>,
}

/// The permit of a connection, which counts towards the limit until it is dropped.
pub(super) struct ConnectionPermit {
    limiter: Arc<ConnectionLimiter>,
    pub(super) progress: ConnectionProgress,
    pub(super) evict: Arc<Notify>,
}

impl ConnectionLimiter {
    pub(super) fn new(counters: Arc<ServerCounters>, diagnostics: Arc<Diagnostics>) -> Arc<Self> {
        Arc::new(Self {
            open: Mutex::default(),
            counters,
            diagnostics,
        })
    }

    /// Returns a permit for a new connection. At the limit, the connection that ranks first by
    /// [`ConnectionProgress::evictable`] is closed. Returns `None` if every connection is being served.
    pub(super) fn acquire(self: &Arc<Self>) -> Option<ConnectionPermit> {
        let mut open = self.lock();
        if open.len() >= MAX_CONNECTIONS {
            let now = Instant::now();
            let idle = open.iter().enumerate();
            let idle = idle.filter_map(|(at, one)| Some((one.progress.evictable(now)?, at)));
            let Some((_, at)) = idle.min() else {
                drop(open);
                self.counters.refused.fetch_add(1, Relaxed);
                self.diagnostics.report(REFUSED);
                return None;
            };
            open.swap_remove(at).evict.notify_one();
            self.counters.evicted.fetch_add(1, Relaxed);
            self.diagnostics.report(EVICTED);
        }
        let permit = ConnectionPermit {
            limiter: Arc::clone(self),
            progress: ConnectionProgress::new(ConnectionStage::Silent),
            evict: Arc::new(Notify::new()),
        };
        open.push(OpenConnection {
            progress: permit.progress.clone(),
            evict: Arc::clone(&permit.evict),
        });
        Some(permit)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<OpenConnection>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut open = self.limiter.lock();
        // An evicted connection is no longer in the list.
        open.retain(|one| !Arc::ptr_eq(&one.evict, &self.evict));
    }
}

const EVICTED: &str = "the port of `monitor.serve(..)` had all of its 64 connections open: the one idle for longest was closed to accept another; watchpost_serve_connections_closed_total counts them. If your scrapers and probes do not need that many connections, find out who holds them open";
const REFUSED: &str = "the port of `monitor.serve(..)` had all of its 64 connections busy and refused another; watchpost_serve_connections_closed_total{reason=\"refused\"} counts them. Find out who holds them, or bind an address that only your own network reaches";
