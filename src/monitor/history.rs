use super::handle::Monitor;
use crate::history::History;

impl Monitor {
    /// Returns the history of all metrics: their values and increases of the last hours. See
    /// [`history`](crate::history).
    pub fn history(&self) -> &History {
        &self.inner.history
    }
}
