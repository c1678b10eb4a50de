//! The methods of [`Monitor`] about alerts.

use std::time::Duration;

use super::handle::Monitor;
use crate::alerts::{AlertEvent, Alerts, Job};
use crate::error::Result;
use crate::model::Subscription;

impl Monitor {
    /// Returns the rules and alerts of the monitor. See [`alerts`](crate::alerts).
    pub fn alerts(&self) -> &Alerts {
        &self.inner.alerts.0
    }

    /// Expects a background job to succeed at least `every` so often, counted from its last success or from now. The default
    /// rule `missed-job` fires if it does not. A second call with the same name changes the time.
    ///
    /// # Errors
    ///
    /// Returns an error if there are a thousand jobs.
    ///
    /// ```
    /// # async fn clean_up() -> Result<(), std::io::Error> { Ok(()) }
    /// # async fn example(monitor: watchpost::Monitor) -> watchpost::Result<()> {
    /// use std::time::Duration;
    ///
    /// let nightly = monitor.job("clean up", Duration::from_secs(25 * 3600))?;
    /// // Each night:
    /// let result = nightly.run(clean_up()).await;
    /// # let _ = result;
    /// # Ok(())
    /// # }
    /// ```
    pub fn job(&self, name: &str, every: Duration) -> Result<Job> {
        self.alerts().job(name, every)
    }

    /// Calls a function each time that an alert changes its state or is to be announced, until the [`Subscription`] is
    /// dropped.
    ///
    /// The function runs on a thread of the monitor, within about a second, one event after the other. If it panics, that is
    /// counted in `watchpost_alerts_hook_panics_total`; after five panics in a row it is not called any more. If it is slow,
    /// up to 1,024 events wait; others are dropped. `watchpost_alerts_hook_events_total` counts the events by `result`:
    /// `delivered`, `dropped`, or `disabled` if no hook is left that is called.
    ///
    /// With a data directory, the function is called at most once for an announcement: see
    /// [what is kept](crate::alerts#what-is-kept).
    ///
    /// ```
    /// # fn send(_: &str) {}
    /// # fn main() -> watchpost::Result<()> {
    /// let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
    /// monitor
    ///     .on_alert(|event| {
    ///         if let Some(reason) = event.notification {
    ///             send(&format!("{} ({reason}): {:?}", event.alert.rule, event.alert.labels));
    ///         }
    ///     })
    ///     .detach();
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_alert(&self, hook: impl Fn(&AlertEvent) + Send + Sync + 'static) -> Subscription {
        self.alerts().on_event(hook)
    }
}
