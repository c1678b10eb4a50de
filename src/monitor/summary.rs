//! The methods of [`Monitor`] that read the history.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::handle::Monitor;
use crate::error::{Error, Result};
use crate::history::{History, MetricQuery};
use crate::summary::Summary;

impl Monitor {
    /// Returns the history of all metrics: their values and increases of the last hours. See
    /// [`history`](crate::history).
    pub fn history(&self) -> &History {
        &self.inner.history.history
    }

    /// Returns the figures of the period of this length that ends now, and those of the period before it. See
    /// [`summary`](crate::summary).
    ///
    /// It reads the history on the calling thread, which takes milliseconds for a service with a thousand series. Call it
    /// from a page or a timer, not for each request.
    ///
    /// # Errors
    ///
    /// Returns an error if the period is shorter than a millisecond, or if a figure of the host has an invalid query.
    ///
    /// ```
    /// # fn main() -> watchpost::Result<()> {
    /// # use std::time::Duration;
    /// let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
    /// let summary = monitor.summary(Duration::from_secs(24 * 3600))?;
    /// assert_eq!(summary.period.requests.count, 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn summary(&self, period: Duration) -> Result<Summary> {
        let clock = self.inner.requests.clock();
        let end = UNIX_EPOCH + Duration::from_nanos(clock.wall(clock.now()));
        let start = end.checked_sub(period).unwrap_or(UNIX_EPOCH);
        self.summary_between(start, end)
    }

    /// Returns the figures of the period from `start` to `end`, and those of the period of the same length before it.
    /// Active users and health are those of now.
    ///
    /// # Errors
    ///
    /// Returns an error if `end` is not after `start`, or as for [`summary`](Self::summary).
    pub fn summary_between(&self, start: SystemTime, end: SystemTime) -> Result<Summary> {
        if end <= start {
            return Err(Error::query("the end of the period is not after its start"));
        }
        let parts = &self.inner.history;
        let health = self.inner.health.verdict();
        let users = self.active_users();
        parts
            .figures
            .summarize(&parts.history, start, end, users, health)
    }

    /// Adds a figure of the host to every summary: the value of a query over the period, with all its series combined. A
    /// second figure of the same name replaces the first. A monitor has at most a hundred; it reports a further one and
    /// leaves it out.
    ///
    /// The window of the query is the period.
    pub fn summary_figure(&self, name: impl Into<String>, query: MetricQuery) {
        let name = name.into();
        let report = format!(
            "The summary has 100 figures of the host already: `{name}` is left out. Remove others."
        );
        if !self.inner.history.figures.add(name, query) {
            self.inner.diagnostics.report(report);
        }
    }
}
