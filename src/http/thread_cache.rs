//! What each thread keeps for each layer, so that the common request takes no lock: the routes and series that it has
//! used, request states to use again, and a block of bytes for trace IDs.

use std::cell::RefCell;
use std::sync::Arc;
use std::thread::LocalKey;

use bytes::BytesMut;
use http::HeaderValue;
use rustc_hash::FxHashMap;

use super::labels::RequestLabels;
use super::series::RequestSeries;
use crate::context::{MAX_NAME, OVERFLOW, RouteId};
use crate::model::TraceId;

/// Layers whose caches a thread keeps. More than a few live ones are rare; tests make many.
const MAX_LAYERS: usize = 8;
/// Routes and series in a thread's cache; beyond them the shared tables are asked.
const MAX_CACHED: usize = 16_384;
/// States in a thread's pool.
const MAX_POOLED: usize = 256;
/// Bytes of a block, from which 128 trace IDs are cut.
const ID_BLOCK: usize = 4096;

/// One thread's caches. The one of the layer that was used last is the first.
pub(super) type ThreadCaches<T> = RefCell<Vec<Box<ThreadCache<T>>>>;

/// No caches.
pub(super) const fn empty<T>() -> ThreadCaches<T> {
    RefCell::new(Vec::new())
}

/// One thread's cache of one layer, with a pool of `T`.
#[derive(Debug)]
pub(super) struct ThreadCache<T> {
    layer: u32,
    /// The registry's epoch: the series belong to it.
    epoch: u64,
    routes: FxHashMap<Box<str>, RouteId>,
    series: FxHashMap<u64, Arc<RequestSeries>>,
    /// Boxed, so that a state moves between the pool and a request without being copied.
    pool: Vec<Box<T>>,
    ids: BytesMut,
}

/// Runs `work` with the calling thread's cache of a layer. `None` while the thread ends, and inside itself: `work` must
/// not call code of the host.
#[inline]
pub(super) fn with<T: 'static, R>(
    caches: &'static LocalKey<ThreadCaches<T>>,
    layer: u32,
    work: impl FnOnce(&mut ThreadCache<T>) -> R,
) -> Option<R> {
    let mut evicted = None;
    let done = caches.try_with(|caches| {
        let mut caches = caches.try_borrow_mut().ok()?;
        if caches.first().is_none_or(|cache| cache.layer != layer) {
            evicted = move_to_front(&mut caches, layer);
        }
        caches.first_mut().map(|cache| work(cache))
    });
    // Dropped outside the borrow: the cache may be the last owner of a layer and so of its hooks.
    if let Some(evicted) = evicted {
        free(evicted);
    }
    done.ok().flatten()
}

/// Drops a cache. Not inlined: caches are seldom evicted.
#[cold]
#[inline(never)]
fn free<T>(evicted: Box<ThreadCache<T>>) {
    drop(evicted);
}

/// Moves the layer's cache to the front, or makes one. Returns the cache that had to go for it.
#[cold]
#[inline(never)]
#[expect(clippy::vec_box, reason = "parts change places")]
fn move_to_front<T>(
    caches: &mut Vec<Box<ThreadCache<T>>>,
    layer: u32,
) -> Option<Box<ThreadCache<T>>> {
    if let Some(at) = caches.iter().position(|cache| cache.layer == layer) {
        caches.swap(0, at);
        return None;
    }
    let evicted = (caches.len() == MAX_LAYERS).then(|| caches.pop()).flatten();
    caches.insert(0, Box::new(ThreadCache::new(layer)));
    evicted
}

impl<T> ThreadCache<T> {
    fn new(layer: u32) -> Self {
        Self {
            layer,
            epoch: 0,
            routes: FxHashMap::default(),
            series: FxHashMap::default(),
            pool: Vec::new(),
            ids: BytesMut::new(),
        }
    }

    /// The ID of a route's pattern; `find` finds one that this thread has not seen.
    #[inline]
    pub(super) fn route(&mut self, name: &str, find: impl FnOnce(&str) -> RouteId) -> RouteId {
        if let Some(id) = self.routes.get(name) {
            return *id;
        }
        let id = find(name);
        // A pattern without room in the shared table may find room there later, and must not fill this one.
        if self.routes.len() < MAX_CACHED && id != OVERFLOW && name.len() <= MAX_NAME {
            self.routes.insert(name.into(), id);
        }
        id
    }

    /// The series of a label set; `make` makes one that this thread has not seen in this epoch of the registry.
    #[inline]
    pub(super) fn series(
        &mut self,
        labels: RequestLabels,
        epoch: u64,
        make: impl FnOnce() -> Arc<RequestSeries>,
    ) -> &Arc<RequestSeries> {
        if self.epoch != epoch || self.series.len() >= MAX_CACHED {
            self.series.clear();
            self.epoch = epoch;
        }
        self.series.entry(labels.packed()).or_insert_with(make)
    }

    /// Takes a state out of the pool.
    #[inline]
    pub(super) fn take_pooled(&mut self) -> Option<Box<T>> {
        self.pool.pop()
    }

    /// Puts a state into the pool; returns it where the pool is full.
    #[inline]
    pub(super) fn put_pooled(&mut self, state: Box<T>) -> Option<Box<T>> {
        if self.pool.len() == MAX_POOLED {
            return Some(state);
        }
        self.pool.push(state);
        None
    }

    /// A trace ID as a header's value. Many share one block of bytes.
    #[inline]
    pub(super) fn trace_id_header(&mut self, trace: TraceId) -> Option<HeaderValue> {
        let hex = trace.hex();
        if self.ids.capacity() < hex.len() {
            self.ids = BytesMut::with_capacity(ID_BLOCK);
        }
        self.ids.extend_from_slice(&hex);
        HeaderValue::from_maybe_shared(self.ids.split().freeze()).ok()
    }
}
