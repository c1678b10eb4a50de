use std::path::Path;
use std::sync::Arc;

use crate::clock::Clock;
use crate::history::{History, HistoryConfig, MarkerStore};
use crate::metrics::Metrics;
use crate::model::{Diagnostics, InProgress};
use crate::summary::HostFigures;
use crate::worker::PeriodicTask;

/// The history of a monitor, and what its summary contains.
#[derive(Debug)]
pub(in crate::monitor) struct HistoryState {
    pub(in crate::monitor) history: History,
    pub(in crate::monitor) figures: HostFigures,
}

impl HistoryState {
    /// Creates an empty history, and its tasks. `version` is that of the service, for the markers of its starts.
    pub(in crate::monitor) fn new(
        config: &HistoryConfig,
        metrics: &Metrics,
        data_dir: Option<&Path>,
        clock: &Clock,
        diagnostics: &Arc<Diagnostics>,
        version: Option<&str>,
    ) -> (Self, Vec<PeriodicTask>) {
        let mut markers = MarkerStore::new(clock, version.unwrap_or_default());
        if let Some(data_dir) = data_dir {
            markers = markers.in_directory(&data_dir.join("markers"), diagnostics);
        }
        let markers = Arc::new(markers);
        let (history, task) = History::new(config, metrics, &markers);
        let mut tasks = vec![task];
        tasks.extend(markers.tasks());
        let figures = HostFigures::default();
        (Self { history, figures }, tasks)
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
