use std::path::Path;
use std::sync::Arc;

use crate::alerts::AlertsConfig;
use crate::clock::Clock;
use crate::context::Requests;
use crate::metrics::Metrics;
use crate::model::{Diagnostics, LevelDirectives};
use crate::monitor::history::HistoryState;
use crate::worker::{PeriodicTask, RecordQueue};

/// Stands for the alerts in a build without them.
#[derive(Debug)]
pub(in crate::monitor) struct AlertsHandle;

impl AlertsHandle {
    pub(in crate::monitor) fn new(
        _: &AlertsConfig,
        _: (&str, Option<&str>),
        _: &HistoryState,
        _: Option<&Path>,
        _: &Clock,
        _: &Arc<Diagnostics>,
        _: (&Arc<LevelDirectives>, &Arc<RecordQueue>, &Arc<Requests>),
    ) -> (Self, Vec<PeriodicTask>) {
        (Self, Vec::new())
    }

    /// There are no figures.
    #[expect(clippy::unused_self, reason = "the other build needs it")]
    pub(in crate::monitor) fn observe(&self, _: &Metrics) {}
}
