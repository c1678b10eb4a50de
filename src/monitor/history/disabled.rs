use std::sync::Arc;

use crate::history::HistoryConfig;
use crate::metrics::Metrics;
use crate::model::InProgress;
use crate::worker::PeriodicTask;

/// Stands for the history in a build without it.
#[derive(Debug)]
pub(in crate::monitor) struct HistoryState;

impl HistoryState {
    pub(in crate::monitor) fn new(_: &HistoryConfig, _: &Metrics) -> (Self, Option<PeriodicTask>) {
        (Self, None)
    }

    /// Does nothing.
    #[expect(clippy::unused_self, reason = "the other build needs it")]
    pub(in crate::monitor) fn begin(&self) {}

    /// There are no snapshots.
    #[expect(clippy::unused_self, reason = "the other build needs it")]
    pub(in crate::monitor) fn snapshot_in_progress(&self) -> Option<Arc<InProgress>> {
        None
    }
}
