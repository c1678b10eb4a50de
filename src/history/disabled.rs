use super::HistoryConfig;
use crate::metrics::Metrics;
use crate::worker::PeriodicTask;

/// Stands for the history in a build without it.
#[derive(Debug, Clone, Default)]
pub(crate) struct History;

impl History {
    pub(crate) fn new(_: &HistoryConfig, _: &Metrics) -> (Self, Option<PeriodicTask>) {
        (Self, None)
    }
}
