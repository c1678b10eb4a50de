use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed},
    fence,
};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use super::cell::{CounterCell, GaugeCell, UpDownCell};
use super::common::Common;
use super::histogram::{Bounds, HistogramCell};
use super::labels::{Labels, OVERFLOW};
use super::name::{Kind, Name};
use super::series::{Age, ByLabels, Cell, Series};
use crate::clock::nanos;
use crate::model::{lock_for_status, read_for_status};

/// One metric: its name, and its series up to the cap.
#[derive(Debug)]
pub(super) struct Metric {
    pub(super) common: Arc<Common>,
    pub(super) name: Name,
    pub(super) kind: Kind,
    /// Of a histogram that is not off.
    bounds: Option<Arc<Bounds>>,
    description: Mutex<String>,
    series: RwLock<HashSet<ByLabels>>,
    max_series: usize,
    /// The series of all label sets that are over the cap, or the only one of a histogram that is off.
    overflow: OnceLock<Arc<Series>>,
    /// How often a label set was asked for that had no room.
    overflowed: AtomicU64,
    /// Held while a counter is set to a total that somebody else keeps.
    absolute: Mutex<()>,
}

impl Metric {
    pub(super) fn new(
        common: &Arc<Common>,
        name: Name,
        kind: Kind,
        description: &str,
        bounds: Option<&[f64]>,
    ) -> Self {
        Self {
            name,
            kind,
            bounds: (kind == Kind::Histogram)
                .then(|| Arc::new(Bounds::new(bounds.unwrap_or_default()))),
            description: Mutex::new(description.to_owned()),
            series: RwLock::default(),
            max_series: common.config.max_series_per_metric,
            overflow: OnceLock::new(),
            overflowed: AtomicU64::new(0),
            absolute: Mutex::new(()),
            common: Arc::clone(common),
        }
    }

    /// A metric whose name is taken: on no page, one series for all label sets.
    pub(super) fn refused(
        common: &Arc<Common>,
        name: Name,
        kind: Kind,
        bounds: Option<&[f64]>,
    ) -> Self {
        Self {
            max_series: 0,
            ..Self::new(common, name, kind, "", bounds)
        }
    }

    /// Makes a new histogram record nothing and leaves it off the page.
    pub(super) fn switch_off(&mut self) {
        self.bounds = None;
    }

    fn is_off(&self) -> bool {
        self.kind == Kind::Histogram && self.bounds.is_none()
    }

    /// The series of `base`, which is canonical, and `more` labels.
    pub(super) fn series<'a>(
        &self,
        base: &str,
        more: impl IntoIterator<Item = (Cow<'a, str>, Cow<'a, str>)>,
    ) -> Arc<Series> {
        if self.is_off() {
            let none = || self.new_series(Box::default());
            return Arc::clone(self.overflow.get_or_init(none));
        }
        // A handle to the overflow series stays there: its labels are not a set of its own.
        if base == OVERFLOW {
            return self.overflow();
        }
        let labels = Labels::new(base, more, (self.kind == Kind::Histogram).then_some("le"));
        if labels.truncated > 0 {
            self.common.truncated.fetch_add(labels.truncated, Relaxed);
        }
        {
            let series = self.series.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(found) = series.get(labels.text.as_str()) {
                return Arc::clone(&found.0);
            }
            if series.len() >= self.max_series {
                drop(series);
                return self.overflow();
            }
        }
        self.add(labels.text)
    }

    #[cold]
    fn add(&self, labels: String) -> Arc<Series> {
        let mut all = self.series.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = all.get(labels.as_str()) {
            return Arc::clone(&found.0);
        }
        if all.len() >= self.max_series || !self.common.take_room() {
            drop(all);
            return self.overflow();
        }
        let series = self.new_series(labels.into());
        all.insert(ByLabels(Arc::clone(&series)));
        series
    }

    fn overflow(&self) -> Arc<Series> {
        if self.overflowed.fetch_add(1, Relaxed) == 0 && self.max_series > 0 {
            self.common.diagnostics.report(format!(
                "The metric `{}` has more label sets than there is room for: the rest are counted together in its series {{{OVERFLOW}}}. \
                 Take out the label whose values never end, or raise `metrics.max_series_per_metric` ({}) or `metrics.max_series` ({}).",
                self.name.family, self.max_series, self.common.config.max_series,
            ));
        }
        Arc::clone(
            self.overflow
                .get_or_init(|| self.new_series(OVERFLOW.into())),
        )
    }

    fn new_series(&self, labels: Box<str>) -> Arc<Series> {
        let shards = self.common.shards;
        let cell = match (self.kind, &self.bounds) {
            (Kind::Histogram, Some(bounds)) => Cell::Histogram(HistogramCell::new(shards, bounds)),
            (Kind::Gauge, _) => Cell::Gauge(GaugeCell::default()),
            (Kind::UpDownCounter, _) => Cell::UpDown(UpDownCell::new(shards)),
            (Kind::Histogram, None) => Cell::Off,
            (Kind::Counter, _) => Cell::Counter(CounterCell::new(shards)),
        };
        Arc::new(Series::new(labels, cell, self.common.clock.now()))
    }

    /// Sets a counter to a total that somebody else keeps, if it is behind.
    pub(super) fn set_total(&self, counter: &CounterCell, total: u64) {
        let _one_at_a_time = self.absolute.lock().unwrap_or_else(PoisonError::into_inner);
        counter.add(total.saturating_sub(counter.total()));
    }

    pub(super) fn description(&self) -> String {
        lock_for_status(&self.description).map_or_else(String::new, |text| text.clone())
    }

    /// Takes a description, unless there is one.
    pub(super) fn describe(&self, text: &str) {
        let mut description = self
            .description
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if description.is_empty() {
            text.clone_into(&mut description);
        }
    }

    /// What the page shows now, in order of the labels. The series without labels is left out while
    /// others stand there and nothing was ever counted in it: it is then but what they were made from.
    pub(super) fn shown(&self) -> Vec<Arc<Series>> {
        if self.is_off() {
            return Vec::new();
        }
        let mut shown: Vec<_> = {
            let Some(series) = read_for_status(&self.series) else {
                return Vec::new();
            };
            let all = series.iter().map(|series| &series.0);
            all.filter(|series| series.is_shown()).cloned().collect()
        };
        shown.extend(self.overflow.get().cloned());
        shown.sort_unstable_by(|a, b| a.labels.cmp(&b.labels));
        if shown.len() > 1
            && let Some(first) = shown.first()
            && first.labels.is_empty()
            && first.activity() == 0
        {
            shown.remove(0);
        }
        shown
    }

    /// Takes series off the page that nobody has used for a while, and frees those that nobody holds.
    /// Answers whether handles that somebody caches should be looked up again.
    pub(super) fn expire(&self) -> bool {
        let (now, idle_after) = (
            self.common.clock.now(),
            nanos(self.common.config.idle_after),
        );
        let (mut left, mut freed) = (false, false);
        let mut any_to_free = false;
        {
            let series = self.series.read().unwrap_or_else(PoisonError::into_inner);
            for ByLabels(series) in series.iter() {
                let age = series.look(now, idle_after);
                left |= age == Age::LeavesNow;
                any_to_free |= age != Age::Used && Arc::strong_count(series) == 1;
            }
        }
        if any_to_free {
            let mut all = self.series.write().unwrap_or_else(PoisonError::into_inner);
            let before = all.len();
            all.retain(|ByLabels(series)| {
                // Nobody else holds it and nobody can come by it while the lock is held. The fence
                // pairs with the release of the last holder: what that one counted is seen here.
                if Arc::strong_count(series) > 1 || series.is_shown() {
                    return true;
                }
                fence(Acquire);
                series.is_used_again()
            });
            let removed = before - all.len();
            if all.capacity() > 4 * all.len() + 64 {
                all.shrink_to_fit();
            }
            self.common.series.fetch_sub(removed, Relaxed);
            freed = removed > 0;
        }
        left || (freed && self.overflow.get().is_some())
    }

    /// The series that there are, overflow apart, and how often one had no room.
    pub(super) fn room(&self) -> (usize, u64) {
        let series = self.series.read().unwrap_or_else(PoisonError::into_inner);
        (series.len(), self.overflowed.load(Relaxed))
    }
}
