use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use super::handle::Monitor;

/// How long dropping a guard may take.
const DROP_FLUSH: Duration = Duration::from_millis(100);

/// Owns a monitor's end: dropping it flushes for at most 100 ms. Derefs to the [`Monitor`].
///
/// For an end in order, await [`Monitor::shutdown`] before.
#[must_use = "dropping the guard ends the monitor's work with a flush of at most 100 ms: keep it until the service ends"]
#[derive(Debug)]
pub struct MonitorGuard {
    monitor: Monitor,
    not_installed: Vec<String>,
}

impl MonitorGuard {
    pub(super) fn new(monitor: Monitor, not_installed: Vec<String>) -> Self {
        Self {
            monitor,
            not_installed,
        }
    }

    /// What could not be installed, and all notices so far.
    pub fn report(&self) -> Report {
        Report {
            not_installed: self.not_installed.clone(),
            notices: self.monitor.inner.notices.said(),
        }
    }
}

impl Deref for MonitorGuard {
    type Target = Monitor;

    fn deref(&self) -> &Monitor {
        &self.monitor
    }
}

impl Drop for MonitorGuard {
    fn drop(&mut self) {
        self.monitor.inner.worker.flush_blocking(DROP_FLUSH);
    }
}

/// What a monitor has to say about itself: one sentence a line, each with what to write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The globals that `install` left alone because somebody else had set them.
    pub not_installed: Vec<String>,
    /// All notices since the monitor was built, at most 256.
    pub notices: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = self.not_installed.iter().chain(&self.notices);
        match all.next() {
            None => f.write_str("nothing to report"),
            Some(first) => {
                f.write_str(first)?;
                all.try_for_each(|sentence| write!(f, "\n{sentence}"))
            }
        }
    }
}
