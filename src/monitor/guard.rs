use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use super::globals::InstallReport;
use super::handle::Monitor;
use crate::model::lock_for_status;

/// The maximum time that dropping a guard takes.
const DROP_FLUSH: Duration = Duration::from_millis(100);

/// The handle that [`build`](crate::MonitorBuilder::build) and [`install`](crate::MonitorBuilder::install) return. It
/// dereferences to the [`Monitor`].
///
/// Keep it until the service ends: [the monitor ends with its last handle](Monitor#what-keeps-a-monitor-alive). So `let _ = builder.install()?;` drops it at once; write
/// `let _monitor` or better `let monitor`. Dropping the guard flushes what is queued and blocks the thread for it, for at
/// most 100 ms. For an orderly end, await [`Monitor::shutdown`] before, which has a deadline of your own and returns what
/// became of every record.
///
/// `Monitor::clone(&monitor)` makes a handle for the state of the application; `monitor.clone()` does the same.
#[must_use = "dropping the guard ends the monitor's work with a flush of at most 100 ms: keep it until the service ends"]
#[derive(Debug)]
pub struct MonitorGuard {
    monitor: Monitor,
}

impl MonitorGuard {
    pub(super) fn new(monitor: Monitor) -> Self {
        Self { monitor }
    }

    /// Returns which globals were installed, which were not, and all notices so far.
    pub fn report(&self) -> MonitorReport {
        let inner = &self.monitor.inner;
        let installs = lock_for_status(&inner.installs).map(|it| it.clone());
        let installs = installs.unwrap_or_default();
        let mut notices = inner.diagnostics.notices();
        notices.retain(|notice| !installs.said(notice));
        let install = installs.last;
        let not_installed = install.missing().map(|it| it.sentence.clone());
        let not_installed = not_installed.collect();
        MonitorReport {
            install,
            not_installed,
            notices,
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

/// The problems that a monitor reports about itself. `Display` prints one sentence per line, each with the fix.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MonitorReport {
    /// The result of the last call of [`Monitor::install`]. `Display` prints only its missing entries.
    pub install: InstallReport,
    /// The sentences of the [`install`](Self::install) entries whose state is missing.
    pub not_installed: Vec<String>,
    /// All other notices since the monitor was built, at most 256. Notices from `install` calls are excluded.
    pub notices: Vec<String>,
}

impl fmt::Display for MonitorReport {
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
