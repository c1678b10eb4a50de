use std::sync::Arc;

use crate::history::{History, HistoryConfig};
use crate::metrics::Metrics;
use crate::model::InProgress;
use crate::summary::HostFigures;
use crate::worker::PeriodicTask;

/// The history of a monitor, and what its summary contains.
#[derive(Debug)]
pub(in crate::monitor) struct HistoryState {
    pub(in crate::monitor) history: History,
    pub(in crate::monitor) figures: HostFigures,
}

impl HistoryState {
    /// Creates an empty history, and the task that takes the snapshots.
    pub(in crate::monitor) fn new(
        config: &HistoryConfig,
        metrics: &Metrics,
    ) -> (Self, Option<PeriodicTask>) {
        let (history, task) = History::new(config, metrics);
        let figures = HostFigures::default();
        (Self { history, figures }, Some(task))
    }

    /// Begins the history, once the monitor's own metrics are registered.
    pub(in crate::monitor) fn begin(&self) {
        self.history.begin();
    }

    /// Returns what shows for how long the current snapshot has been in progress.
    #[expect(clippy::unnecessary_wraps, reason = "the other build has none")]
    pub(in crate::monitor) fn snapshot_in_progress(&self) -> Option<Arc<InProgress>> {
        Some(self.history.snapshot_in_progress())
    }
}
