use std::fmt;
use std::sync::Arc;

/// The exposition of a recorder of the host's, which is written after this registry's own.
#[derive(Clone)]
pub(super) struct JoinedExposition {
    pub(super) render: Arc<dyn Fn() -> String + Send + Sync>,
    pub(super) upkeep: Arc<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for JoinedExposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinedExposition").finish_non_exhaustive()
    }
}
