//! The calling thread's caches, with the request states that it uses again.

use super::state::InFlightRequest;
use crate::http::thread_cache::{self, ThreadCache, ThreadCaches};

thread_local! {
    static CACHES: ThreadCaches<InFlightRequest> = const { thread_cache::empty() };
}

/// Runs `work` with the calling thread's cache of a layer. `None` while the thread ends, and inside itself: `work` must
/// not call code of the host.
#[inline]
pub(in crate::http) fn with_cache<R>(
    layer: u32,
    work: impl FnOnce(&mut ThreadCache<InFlightRequest>) -> R,
) -> Option<R> {
    thread_cache::with(&CACHES, layer, work)
}

impl InFlightRequest {
    /// Resets the state and puts it into the thread's pool.
    #[inline]
    pub(in crate::http) fn recycle(mut self: Box<Self>) {
        self.reset();
        let layer = self.layer.id;
        let mut state = Some(self);
        let surplus = with_cache(layer, |cache| {
            state.take().and_then(|state| cache.put_pooled(state))
        });
        drop(surplus);
    }
}
