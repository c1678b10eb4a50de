use std::path::Path;
use std::sync::Arc;

use crate::clock::Clock;
use crate::config::Config;
use crate::health::ComponentStatus;
use crate::metrics::Metrics;
use crate::model::{Diagnostics, InProgress};
use crate::worker::PeriodicTask;

/// Stands for the history in a build without it.
#[derive(Debug)]
pub(in crate::monitor) struct HistoryState;

impl HistoryState {
    pub(in crate::monitor) fn new(
        _: &Config,
        _: &Metrics,
        _: Option<&Path>,
        _: &Clock,
        _: &Arc<Diagnostics>,
    ) -> (Self, Vec<PeriodicTask>) {
        (Self, Vec::new())
    }

    /// There are no files.
    #[expect(clippy::unused_self, reason = "the other build needs it")]
    pub(in crate::monitor) fn observe(&self, _: &Metrics) {}

    /// There are no files.
    #[expect(clippy::unused_self, reason = "the other build needs it")]
    pub(in crate::monitor) fn component(
        &self,
    ) -> impl Fn() -> Option<ComponentStatus> + Send + Sync + use<> {
        || None
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
