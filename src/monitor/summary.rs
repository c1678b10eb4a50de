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

    /// Adds a mark to the history, such as `migration done`, for [`History::markers`]. The text is redacted, and cut to 256
    /// bytes.
    ///
    /// It does not wait for the disk: a task of the monitor stores the mark within five seconds, or when a disk that fails
    /// works again. Of marks and other markers, the last 10,000 are kept.
    ///
    /// ```
    /// # fn main() -> watchpost::Result<()> {
    /// use std::time::{Duration, SystemTime};
    /// use watchpost::history::MarkerKind;
    /// # let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
    /// monitor.mark("migration done");
    ///
    /// let now = SystemTime::now();
    /// let markers = monitor.history().markers(now - Duration::from_secs(60), now);
    /// assert_eq!(markers[0].kind, MarkerKind::Start);
    /// assert_eq!(markers[1].text, "migration done");
    /// # Ok(())
    /// # }
    /// ```
    pub fn mark(&self, text: impl AsRef<str>) {
        self.history().mark(text.as_ref());
    }

    /// Returns the figures of the period of this length that ends now, and those of the period before it. See
    /// [`summary`](crate::summary).
    ///
    /// It reads the history on the calling thread, which takes milliseconds for a service with a thousand series. Call it
    /// from a page or a timer, not for each request.
    ///
    /// # Errors
    ///
    /// Returns an error if the period is shorter than a millisecond.
    ///
    /// ```
    /// # fn main() -> watchpost::Result<()> {
    /// # use std::time::Duration;
    /// let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
    /// let summary = monitor.summary(Duration::from_secs(24 * 3600))?;
    /// assert_eq!(summary.period.requests, None); // nothing was recorded so far
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
    /// second figure of the same name replaces the first.
    ///
    /// The window of the query is the period.
    ///
    /// # Errors
    ///
    /// Returns an error if the query is invalid, or if there are a hundred figures already.
    pub fn summary_figure(&self, name: impl Into<String>, query: MetricQuery) -> Result<()> {
        query.check()?;
        let figures = &self.inner.history.figures;
        if figures.add(name.into(), query) {
            Ok(())
        } else {
            Err(Error::query(
                "the summary has a hundred figures of the host already: add none for each request",
            ))
        }
    }
}
