use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::rules::{Judgement, Members, Quantity, SeriesLabels, WatchRule};
use super::selector::Selector;
use crate::anomaly::{Detector, Direction};
use crate::metrics::{Counter, Gauge, HandleSeries, Histogram, UpDownCounter, label_pairs};
use crate::model::lock;

/// The maximum number of watches of the host.
const MAX_WATCHES: usize = 1000;
/// The rank of the quantile that is watched of a histogram.
const RANK: f64 = 0.95;

/// The rules of the host.
#[derive(Debug, Default)]
pub(super) struct WatchList(Mutex<WatchedRules>);

#[derive(Debug, Default)]
struct WatchedRules {
    /// Changes with each change of the rules.
    version: u64,
    rules: Vec<Arc<WatchRule>>,
}

/// Watches the series that [`Monitor::watch`](crate::Monitor::watch) or the method `watch` of an instrument names. It
/// changes how they are judged; they are watched until the monitor ends or [`stop`](Self::stop) is called, also if this
/// value is dropped.
///
/// | metric | what is watched |
/// |---|---|
/// | counter | the increase |
/// | gauge | the value |
/// | histogram | the 95th percentile of what was recorded since the snapshot before |
///
/// Each series is judged by itself. A change of how it is judged begins anew with what is normal if the detector changes. An
/// anomaly that is under way ends by it as [`Rejudged`](crate::anomaly::AnomalyState::Rejudged).
///
/// ```
/// # fn main() -> watchpost::Result<()> {
/// use watchpost::anomaly::Direction;
///
/// let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
/// monitor.watch("orders_total{shop=\"north\"}")?.direction(Direction::Down).minimum_share(0.5);
///
/// let wait = monitor.metrics().histogram("job.wait").unit("s").build();
/// wait.watch().quantile(0.99).false_alarms(10.0);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Watch {
    /// `None` if nothing is watched: the instrument belongs to no monitor, or there are too many watches.
    list: Option<Arc<WatchList>>,
    name: String,
}

impl WatchList {
    /// Adds a rule for a selector, or returns the one that there is.
    pub(super) fn watch(self: &Arc<Self>, selector: Selector) -> Watch {
        let name = name_of(&selector);
        let mut all = lock(&self.0);
        let is_known = all.rules.iter().any(|rule| rule.name == name);
        let has_room = is_known || all.rules.len() < MAX_WATCHES;
        if has_room && !is_known {
            all.version += 1;
            all.rules.push(Arc::new(WatchRule {
                name: name.clone(),
                members: Members::Selected(selector),
                quantity: Quantity::Natural { rank: RANK },
                by: None,
                judgement: Judgement::both(),
                max_groups: usize::MAX,
                describe: |_| String::new(),
            }));
        }
        drop(all);
        Watch {
            list: has_room.then(|| Arc::clone(self)),
            name,
        }
    }

    pub(super) fn all(&self) -> Vec<Arc<WatchRule>> {
        lock(&self.0).rules.clone()
    }

    /// The rules, if they have changed since `version`.
    pub(super) fn since(&self, version: u64) -> Option<(u64, Vec<Arc<WatchRule>>)> {
        let all = lock(&self.0);
        (all.version != version).then(|| (all.version, all.rules.clone()))
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut WatchRule)) {
        let mut all = lock(&self.0);
        if let Some(rule) = all.rules.iter_mut().find(|rule| rule.name == name) {
            let mut changed = WatchRule::clone(rule);
            change(&mut changed);
            let replaced = std::mem::replace(rule, Arc::new(changed));
            all.version += 1;
            drop(all);
            // It may be the last owner of a closure of the host.
            drop(replaced);
        }
    }

    fn remove(&self, name: &str) {
        let mut all = lock(&self.0);
        if let Some(place) = all.rules.iter().position(|rule| rule.name == name) {
            let removed = all.rules.remove(place);
            all.version += 1;
            drop(all);
            drop(removed);
        }
    }
}

impl Watch {
    /// Sets which deviations are reported. Default: [`Direction::Both`].
    #[expect(
        clippy::return_self_not_must_use,
        reason = "the series is watched anyway"
    )]
    pub fn direction(self, direction: Direction) -> Self {
        self.change(|rule| rule.judgement.direction = direction)
    }

    /// Sets the least difference from the expected value that is reported, in the unit of the values; of a counter,
    /// per second. Default: 0.
    #[expect(
        clippy::return_self_not_must_use,
        reason = "the series is watched anyway"
    )]
    pub fn minimum_difference(self, difference: f64) -> Self {
        self.change(|rule| rule.judgement.minimum_difference = difference)
    }

    /// Sets the least difference from the expected value that is reported, as a share of that value: 0.5 reports values
    /// that are half as large again. Default: 0.
    #[expect(
        clippy::return_self_not_must_use,
        reason = "the series is watched anyway"
    )]
    pub fn minimum_share(self, share: f64) -> Self {
        self.change(|rule| rule.judgement.minimum_share = share)
    }

    /// Sets how sensitive the detector is: the number of false alarms that are expected of one series in 30 days, from 0.01
    /// to 1000. Default: the setting `anomaly.false_alarms`.
    #[expect(
        clippy::return_self_not_must_use,
        reason = "the series is watched anyway"
    )]
    pub fn false_alarms(self, in_30_days: f64) -> Self {
        self.change(|rule| rule.judgement.false_alarms = Some(in_30_days))
    }

    /// Sets the rank of the quantile that is watched of a histogram, from 0 to 1. Default: 0.95.
    #[expect(
        clippy::return_self_not_must_use,
        reason = "the series is watched anyway"
    )]
    pub fn quantile(self, rank: f64) -> Self {
        let rank = if rank.is_finite() {
            rank.clamp(0.0, 1.0)
        } else {
            RANK
        };
        self.change(|rule| rule.quantity = Quantity::Natural { rank })
    }

    /// Sets the detector. `new` is called for each series, with the time between two snapshots. Default:
    /// [`AdaptiveDetector`](crate::anomaly::AdaptiveDetector).
    ///
    /// The detector gets the increase of a counter in one step, not per second. If it panics, its series is not watched any
    /// more. It decides alone: the direction, the least differences and the false alarms are those of the default
    /// detector.
    ///
    /// ```
    /// # fn main() -> watchpost::Result<()> {
    /// use watchpost::anomaly::ThreeSigma;
    ///
    /// let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
    /// monitor.watch("room_temperature_celsius")?.detector(|step| ThreeSigma::new(step).sigmas(5.0));
    /// # Ok(())
    /// # }
    /// ```
    #[expect(
        clippy::return_self_not_must_use,
        reason = "the series is watched anyway"
    )]
    pub fn detector<D: Detector + 'static>(
        self,
        new: impl Fn(Duration) -> D + Send + Sync + 'static,
    ) -> Self {
        self.change(|rule| {
            rule.judgement.detector = Some(Arc::new(move |step| Box::new(new(step))));
        })
    }

    /// Stops watching. An anomaly that is under way ends as [`Gone`](crate::anomaly::AnomalyState::Gone).
    pub fn stop(self) {
        if let Some(list) = &self.list {
            list.remove(&self.name);
        }
    }

    fn change(self, change: impl FnOnce(&mut WatchRule)) -> Self {
        if let Some(list) = &self.list {
            list.change(&self.name, change);
        }
        self
    }

    /// Watches exactly the series of a handle.
    fn of_handle(series: &HandleSeries) -> Self {
        let labels = label_pairs(&series.labels);
        let selector = Selector {
            metric: series.name.clone(),
            labels: labels
                .map(|(label, value)| (label.to_owned(), value))
                .collect(),
        };
        let watches = series.watches.clone();
        match watches.and_then(|watches| watches.downcast::<WatchList>().ok()) {
            Some(list) => list.watch(selector),
            None => Self {
                list: None,
                name: name_of(&selector),
            },
        }
    }
}

macro_rules! watched {
    ($($handle:ident),*) => {
        $(impl $handle {
            /// Watches the series of this handle, and those with further labels, for
            /// [anomalies](crate::anomaly#watching-series). It has no effect on an instrument that belongs to no monitor.
            pub fn watch(&self) -> Watch {
                Watch::of_handle(&self.described())
            }
        })*
    };
}

watched!(Counter, Gauge, UpDownCounter, Histogram);

/// The name of a rule. State on the disk refers to it.
fn name_of(selector: &Selector) -> String {
    use fmt::Write as _;

    let mut name = format!("watch {}", selector.metric);
    let mut labels: Vec<_> = selector.labels.iter().collect();
    labels.sort();
    for (label, value) in labels {
        let _infallible = write!(name, " {label}={value:?}");
    }
    name
}

/// A watched series of the host in words: the metric and its labels.
pub(super) fn describe(metric: &str, labels: &SeriesLabels<'_>) -> String {
    if labels.is_empty() {
        return metric.to_owned();
    }
    let labels: Vec<_> = labels
        .iter()
        .map(|(label, value)| format!("{label}={value}"))
        .collect();
    format!("{metric}{{{}}}", labels.join(","))
}
