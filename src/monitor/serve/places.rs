//! The places of connections: a fixed number, and which connection gives its place up when all are taken.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::stage::{Progress, Stage};
use crate::model::Diagnostics;

/// Connections at one time.
pub(super) const MAX_CONNECTIONS: usize = 64;

/// What the servers of one monitor count.
#[derive(Debug, Default)]
pub(crate) struct ServerCounters {
    evicted: AtomicU64,
    refused: AtomicU64,
}

impl ServerCounters {
    /// Connections that were closed to make room for a new one.
    pub(crate) fn evicted(&self) -> u64 {
        self.evicted.load(Relaxed)
    }

    /// Connections that were closed at once, because every other one was being served.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }
}

/// The connections of one server.
pub(super) struct Places {
    taken: Mutex<Vec<Place>>,
    counters: Arc<ServerCounters>,
    diagnostics: Arc<Diagnostics>,
}

struct Place {
    progress: Progress,
    /// Tells the connection's task to end.
    evict: Arc<Notify>,
}

/// A connection's place; dropping it frees the place.
pub(super) struct Held {
    places: Arc<Places>,
    pub(super) progress: Progress,
    pub(super) evict: Arc<Notify>,
}

impl Places {
    pub(super) fn new(counters: Arc<ServerCounters>, diagnostics: Arc<Diagnostics>) -> Arc<Self> {
        Arc::new(Self {
            taken: Mutex::default(),
            counters,
            diagnostics,
        })
    }

    /// A place for a new connection. If all are taken, the connection that has done nothing for longest is
    /// closed for it. `None` if every connection is being served.
    pub(super) fn take(self: &Arc<Self>) -> Option<Held> {
        let mut taken = self.lock();
        if taken.len() >= MAX_CONNECTIONS {
            let now = Instant::now();
            let idle = taken.iter().enumerate();
            let idle = idle.filter_map(|(at, place)| Some((place.progress.evictable(now)?, at)));
            let Some((_, at)) = idle.min() else {
                drop(taken);
                self.counters.refused.fetch_add(1, Relaxed);
                self.diagnostics.report(REFUSED);
                return None;
            };
            taken.swap_remove(at).evict.notify_one();
            self.counters.evicted.fetch_add(1, Relaxed);
            self.diagnostics.report(EVICTED);
        }
        let held = Held {
            places: Arc::clone(self),
            progress: Progress::new(Stage::Silent),
            evict: Arc::new(Notify::new()),
        };
        taken.push(Place {
            progress: held.progress.clone(),
            evict: Arc::clone(&held.evict),
        });
        Some(held)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Place>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        // An evicted connection is no longer in the list.
        taken.retain(|place| !Arc::ptr_eq(&place.evict, &self.evict));
    }
}

const EVICTED: &str = "the port of `monitor.serve(..)` had all of its 64 connections open: the one idle for longest was closed to accept another; watchpost_serve_connections_closed_total counts them. If your scrapers and probes do not need that many connections, find out who holds them open";
const REFUSED: &str = "the port of `monitor.serve(..)` had all of its 64 connections busy and refused another; watchpost_serve_connections_closed_total{reason=\"refused\"} counts them. Find out who holds them, or bind an address that only your own network reaches";
