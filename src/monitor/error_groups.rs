//! The methods of [`Monitor`] about groups of errors, and the series about them.

use std::sync::Arc;

use super::handle::Monitor;
use crate::errors::{ErrorGroupFigures, ErrorGroups, ErrorPatternEvent};
use crate::metrics::{InstrumentKind, Metrics, Observer};
use crate::model::Subscription;

impl Monitor {
    /// Returns the groups of captured errors, and their states. See [`errors`](crate::errors#which-events-form-a-group).
    pub fn errors(&self) -> &ErrorGroups {
        self.inner.errors.error_groups()
    }

    /// Calls `hook` when an error occurs that was never seen before: with the first event of a group. With a data directory,
    /// errors of earlier processes are known, and a new error that a process has not announced before it stopped or crashed is
    /// announced by the next one. After a crash, an error that was announced a moment before may be announced again.
    ///
    /// A thread of the monitor calls it, within about two seconds and when the monitor shuts down, one event after the other. A hook that takes long delays
    /// the events after it, and nothing else. If 1,024 events wait, further ones are dropped. A hook that panics five times in
    /// a row is not called again. `watchpost_error_hook_events_total` counts the events of all hooks of errors by `result`.
    ///
    /// Dropping the returned value removes the hook; [`Subscription::detach`] keeps it.
    ///
    /// ```
    /// # fn send(_: &str) {}
    /// # fn main() -> watchpost::Result<()> {
    /// let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
    /// monitor.on_new_error(|new| send(&new.sentence)).detach();
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_new_error(
        &self,
        hook: impl Fn(&ErrorPatternEvent) + Send + Sync + 'static,
    ) -> Subscription {
        self.errors().on_new(hook)
    }

    /// Calls `hook` when an error occurs again after its group was [resolved](ErrorGroups::resolve), if the resolution
    /// applies to the event. How it is called is the same as for [`on_new_error`](Self::on_new_error).
    pub fn on_regression(
        &self,
        hook: impl Fn(&ErrorPatternEvent) + Send + Sync + 'static,
    ) -> Subscription {
        self.errors().on_regression(hook)
    }

    /// Calls `hook` when a group of errors begins to have far more events than it usually has: more than ten within five
    /// minutes and five times its own rate, or more than 30 within an hour and three times its rate. It is called once for
    /// each spike. Muted groups have none. How it is called is the same as for [`on_new_error`](Self::on_new_error).
    ///
    /// ```
    /// # fn main() -> watchpost::Result<()> {
    /// let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
    /// let subscription = monitor.on_error_spike(|spike| {
    ///     println!("{} events, usually {}", spike.events, spike.usual_events);
    /// });
    /// # drop(subscription);
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_error_spike(
        &self,
        hook: impl Fn(&ErrorPatternEvent) + Send + Sync + 'static,
    ) -> Subscription {
        self.errors().on_spike(hook)
    }
}

/// Adds the values of a metric.
type ErrorGroupValue<'a> = &'a mut dyn FnMut(&[(&str, &str)], f64);
/// Name, description, kind and values of a metric.
type GroupMetric = (
    &'static str,
    &'static str,
    InstrumentKind,
    fn(&ErrorGroupFigures, ErrorGroupValue<'_>),
);

const METRICS: [GroupMetric; 8] = [
    (
        "watchpost.error_groups",
        "Groups of errors by state. Those with a spike also have another state",
        InstrumentKind::Gauge,
        |figures, record| {
            for (state, count) in figures.states {
                record(&[("state", state)], count as f64);
            }
        },
    ),
    (
        "watchpost.error_groups.events",
        "Captured errors that were added to a group",
        InstrumentKind::Counter,
        |figures, record| record(&[], figures.counts.events as f64),
    ),
    (
        "watchpost.error_groups.evicted",
        "Groups of errors that made room for others",
        InstrumentKind::Counter,
        |figures, record| record(&[], figures.counts.evicted as f64),
    ),
    (
        "watchpost.error_groups.evicted_events",
        "The events that groups had counted which made room for others",
        InstrumentKind::Counter,
        |figures, record| record(&[], figures.counts.evicted_events as f64),
    ),
    (
        "watchpost.error.patterns",
        "What was noticed about groups of errors: new ones, regressions, spikes, and the first error of a release",
        InstrumentKind::Counter,
        |figures, record| {
            let counts = figures.counts;
            record(&[("pattern", "new")], counts.new as f64);
            record(&[("pattern", "regression")], counts.regressed as f64);
            record(&[("pattern", "spike")], counts.spikes as f64);
            record(
                &[("pattern", "first_of_release")],
                counts.first_of_release as f64,
            );
        },
    ),
    (
        "watchpost.error.patterns.unannounced",
        "Patterns of groups with which no hook was called: the groups made room for others, or too many patterns waited",
        InstrumentKind::Counter,
        |figures, record| record(&[], figures.counts.unannounced as f64),
    ),
    (
        "watchpost.error.hook.events",
        "Events for the hooks of errors: delivered, dropped because the hooks are slow, or disabled, as all hooks are",
        InstrumentKind::Counter,
        |figures, record| {
            record(&[("result", "delivered")], figures.hooks.delivered as f64);
            record(&[("result", "disabled")], figures.hooks.disabled as f64);
            record(&[("result", "dropped")], figures.hooks.dropped as f64);
        },
    ),
    (
        "watchpost.error.hook.panics",
        "Calls of hooks of errors that panicked",
        InstrumentKind::Counter,
        |figures, record| record(&[], figures.hooks.panics as f64),
    ),
];

/// Adds the series about groups of errors to the metrics.
pub(super) fn observe(metrics: &Metrics, groups: &ErrorGroups) {
    for (name, description, kind, read) in METRICS {
        // The groups hold no registry, so there is no reference cycle.
        let groups = groups.clone();
        let observer: Observer = Arc::new(move |record| {
            if let Some(figures) = groups.figures() {
                read(&figures, record);
            }
        });
        metrics.observe_own(name, "", description, kind, observer);
    }
}
