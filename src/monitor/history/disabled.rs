use crate::history::HistoryConfig;
use crate::metrics::Metrics;
use crate::worker::PeriodicTask;

/// Stands for the history in a build without it.
#[derive(Debug)]
pub(in crate::monitor) struct HistoryState;

impl HistoryState {
    pub(in crate::monitor) fn new(_: &HistoryConfig, _: &Metrics) -> (Self, Option<PeriodicTask>) {
        (Self, None)
    }
}
