//! The methods of [`Monitor`] about anomalies.

use std::time::SystemTime;

use super::handle::Monitor;
use crate::anomaly::{Anomaly, AnomalyEpisode, OddSeries, Watch, WatchedSeries};
use crate::error::Result;
use crate::model::Subscription;

impl Monitor {
    /// Calls `hook` when an anomaly of a watched series begins, and again when it ends. See
    /// [`anomaly`](crate::anomaly#hooks).
    ///
    /// A thread of the monitor calls it, within about a second after the snapshot. Reports come one after the other, in
    /// order. A hook that takes long delays the reports, and nothing else. If 1,024 reports wait, further ones are dropped and
    /// counted. A hook that panics five times in a row is not called again.
    ///
    /// Dropping the returned value unsubscribes the hook; [`Subscription::detach`] keeps it.
    ///
    /// ```
    /// # fn main() -> watchpost::Result<()> {
    /// use watchpost::anomaly::Anomaly;
    ///
    /// let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
    /// let subscription = monitor.on_anomaly(|anomaly: &Anomaly| println!("{}", anomaly.sentence));
    /// # drop(subscription);
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_anomaly(&self, hook: impl Fn(&Anomaly) + Send + Sync + 'static) -> Subscription {
        self.inner.history.anomalies.subscribe(hook)
    }

    /// Watches the series that `selector` names, such as `orders_total{shop="north"}`, in addition to the default ones. The
    /// metric has its exposed name; a histogram that without `_bucket`, `_sum` and `_count`. Series with further labels are
    /// watched too, each by itself. Quotes around a label's value may be left out.
    ///
    /// The returned value changes how they are judged. A second call with the same selector returns the same watch. Of one
    /// monitor, at most a thousand selectors are watched; further ones have no effect.
    ///
    /// # Errors
    ///
    /// Returns an error that says what is wrong with the selector. That no such series exists is none: it may appear later.
    pub fn watch(&self, selector: impl AsRef<str>) -> Result<Watch> {
        self.inner.history.anomalies.watch(selector.as_ref())
    }

    /// Returns the last 500 anomalies, the newest first. With a data directory, also those of earlier processes.
    pub fn anomalies(&self) -> Vec<Anomaly> {
        self.inner.history.anomalies.anomalies()
    }

    /// Returns the episodes that the last 500 anomalies form, the newest first. An episode is a group of anomalies that
    /// began at about the same time.
    pub fn episodes(&self) -> Vec<AnomalyEpisode> {
        self.inner.history.anomalies.episodes()
    }

    /// Returns what was odd at a time, the oddest first. See [`odd_between`](Self::odd_between).
    pub fn odd_at(&self, time: SystemTime) -> Vec<OddSeries> {
        self.odd_between(time, time)
    }

    /// Returns what was odd at any time between two times, the oddest first: the anomalies that were under way, if they are
    /// among the last 500, and before those the series whose values have the flag of an anomaly in the
    /// [history](crate::history).
    ///
    /// For the older ones, it reads the history on the calling thread, which blocks for some milliseconds: at most 64 MiB of
    /// files, and at most 10,000 series. Their times are those of the steps that the history still has, which may be minutes
    /// or hours, and hours where the time between the two contains whole ones.
    ///
    /// ```
    /// # fn main() -> watchpost::Result<()> {
    /// use std::time::{Duration, SystemTime};
    ///
    /// let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
    /// let now = SystemTime::now();
    /// for odd in monitor.odd_between(now - Duration::from_secs(3600), now) {
    ///     println!("{} ({:.1})", odd.name, odd.score);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn odd_between(&self, start: SystemTime, end: SystemTime) -> Vec<OddSeries> {
        let history = &self.inner.history;
        history.anomalies.odd_between(start, end, &history.history)
    }

    /// Returns the series that are watched, by metric and name, each with its last value and the band of what was normal
    /// for it. A series is in it from its first value on.
    pub fn watched_series(&self) -> Vec<WatchedSeries> {
        self.inner.history.anomalies.series()
    }

    /// Restores what was learned earlier, and stores it if it is due.
    #[cfg(feature = "testing")]
    pub(crate) fn store_anomalies_for_test(&self) {
        if let Some(store) = &self.inner.history.anomaly_store {
            store.tick();
        }
    }

    /// Calls the hooks with the anomalies of the snapshots so far.
    #[cfg(feature = "testing")]
    pub(crate) fn call_anomaly_hooks_for_test(&self) {
        self.inner.history.anomalies.call_hooks_and_wait();
    }
}
