//! What each thread keeps for each layer, so that the common request takes no lock: routes it has seen,
//! series it has recorded to, states to use again, a block to cut trace ids from.

use std::cell::RefCell;
use std::sync::Arc;

use bytes::BytesMut;
use http::HeaderValue;
use rustc_hash::FxHashMap;

use super::in_flight::InFlightRequest;
use super::series::{RequestLabels, RequestSeries};
use crate::context::{MAX_NAME, OVERFLOW, RouteId};
use crate::model::TraceId;

/// Layers whose caches a thread keeps. More than a few live ones are rare; tests make many.
const MAX_LAYERS: usize = 8;
/// Routes and series in a thread's cache; beyond them the shared tables are asked.
const MAX_CACHED: usize = 16_384;
/// States that a thread keeps for the next requests.
const MAX_POOLED: usize = 256;
/// Bytes from which 128 trace ids are cut.
const ID_BLOCK: usize = 4096;

thread_local! {
    // The layer that was last asked for stands in front.
    #[expect(clippy::vec_box, reason = "parts change places")]
    static LOCALS: RefCell<Vec<Box<ThreadCache>>> = const { RefCell::new(Vec::new()) };
}

/// One thread's part of one layer.
#[derive(Debug)]
pub(super) struct ThreadCache {
    layer: u32,
    epoch: u64,
    routes: FxHashMap<Box<str>, RouteId>,
    series: FxHashMap<u64, Arc<RequestSeries>>,
    #[expect(
        clippy::vec_box,
        reason = "a state moves between the pool and a request as it is"
    )]
    pool: Vec<Box<InFlightRequest>>,
    ids: BytesMut,
}

/// Runs `work` with the calling thread's part of a layer. `None` while the thread ends, and inside
/// itself. `work` calls nothing foreign.
#[inline]
pub(super) fn with<R>(layer: u32, work: impl FnOnce(&mut ThreadCache) -> R) -> Option<R> {
    let mut evicted = None;
    let done = LOCALS.try_with(|locals| {
        let mut locals = locals.try_borrow_mut().ok()?;
        if locals.first().is_none_or(|local| local.layer != layer) {
            evicted = to_front(&mut locals, layer);
        }
        locals.first_mut().map(|local| work(local))
    });
    // Dropped outside the borrow: it may be the last owner of a layer and so of its hooks.
    if let Some(evicted) = evicted {
        forget(evicted);
    }
    done.ok().flatten()
}

/// A place of its own for a drop that is hardly ever due.
#[cold]
#[inline(never)]
fn forget(evicted: Box<ThreadCache>) {
    drop(evicted);
}

/// Puts the layer's part in front, made anew where this thread has none; what had to go.
#[cold]
#[inline(never)]
#[expect(clippy::vec_box, reason = "parts change places")]
fn to_front(locals: &mut Vec<Box<ThreadCache>>, layer: u32) -> Option<Box<ThreadCache>> {
    if let Some(at) = locals.iter().position(|local| local.layer == layer) {
        locals.swap(0, at);
        return None;
    }
    let evicted = (locals.len() == MAX_LAYERS).then(|| locals.pop()).flatten();
    locals.insert(0, Box::new(ThreadCache::new(layer)));
    evicted
}

impl ThreadCache {
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

    /// The number of a route's pattern, which `find` finds where this thread has not seen it.
    #[inline]
    pub(super) fn route(&mut self, name: &str, find: impl FnOnce(&str) -> RouteId) -> RouteId {
        if let Some(id) = self.routes.get(name) {
            return *id;
        }
        let id = find(name);
        // What the table has no room for would fill this one, and a pattern may find room there later.
        if self.routes.len() < MAX_CACHED && id != OVERFLOW && name.len() <= MAX_NAME {
            self.routes.insert(name.into(), id);
        }
        id
    }

    /// The series of a combination of labels, made by `make` where this thread has not seen it in this
    /// epoch of the registry.
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

    #[inline]
    pub(super) fn take_state(&mut self) -> Option<Box<InFlightRequest>> {
        self.pool.pop()
    }

    /// Keeps a state for later, or gives it back where there are enough.
    #[inline]
    pub(super) fn keep_state(
        &mut self,
        state: Box<InFlightRequest>,
    ) -> Option<Box<InFlightRequest>> {
        if self.pool.len() == MAX_POOLED {
            return Some(state);
        }
        self.pool.push(state);
        None
    }

    /// The id as a header's value, cut from a block that many share.
    #[inline]
    pub(super) fn id_value(&mut self, trace: TraceId) -> Option<HeaderValue> {
        let hex = trace.hex();
        if self.ids.capacity() < hex.len() {
            self.ids = BytesMut::with_capacity(ID_BLOCK);
        }
        self.ids.extend_from_slice(&hex);
        HeaderValue::from_maybe_shared(self.ids.split().freeze()).ok()
    }
}
