use std::sync::{Arc, Mutex};

use super::search::{FoundTraces, Wanted};
use crate::error::{Error, Result};
use crate::model::lock;
use crate::worker::{Completion, CompletionFuture, Pending};

/// A search that a caller waits for.
pub(super) struct PendingSearch {
    wanted: Wanted,
    found: Mutex<Option<FoundTraces>>,
    /// An error has its sentence.
    done: Arc<Completion<std::result::Result<(), Arc<str>>>>,
}

impl PendingSearch {
    pub(super) fn new(wanted: Wanted) -> Self {
        Self {
            wanted,
            found: Mutex::default(),
            done: Arc::default(),
        }
    }

    pub(super) fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// Whether it has ended, or nobody waits for it any more.
    pub(super) fn is_done(&self) -> bool {
        self.done.value().is_some()
    }

    pub(super) fn succeed(&self, found: FoundTraces) {
        if !self.is_done() {
            *lock(&self.found) = Some(found);
        }
        self.done.complete(Ok(()));
    }

    pub(super) fn fail(&self, sentence: &str) {
        self.done.complete(Err(sentence.into()));
    }

    /// Waits for the result. If the future is dropped, the search ends.
    pub(super) fn wait(
        search: Arc<Self>,
    ) -> impl Future<Output = Result<FoundTraces>> + Send + use<> + 'static {
        // Also if the future is dropped before it is polled.
        let search = EndOnDrop(search);
        async move {
            let done = CompletionFuture(Arc::clone(&search.0.done)).await;
            done.map_err(|sentence| Error::reader(&*sentence))?;
            Ok(lock(&search.0.found).take().unwrap_or_default())
        }
    }
}

/// Ends a search that nobody waits for any more.
struct EndOnDrop(Arc<PendingSearch>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.fail("nobody waits for the result");
    }
}

impl Pending for PendingSearch {
    fn is_settled(&self) -> bool {
        self.is_done()
    }

    fn expire(&self) {
        self.fail("the stored traces cannot be read: the data directory does not respond");
    }
}
