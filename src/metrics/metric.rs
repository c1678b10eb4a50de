use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed},
    fence,
};
use std::sync::{Arc, Mutex, OnceLock, RwLock};

use super::bounds::Bounds;
use super::cell::{CounterCell, GaugeCell, UpDownCell};
use super::context::RegistryContext;
use super::histogram::HistogramCell;
use super::labels::{LabelSet, OVERFLOW};
use super::name::{InstrumentKind, MetricName};
use super::series::{ByLabels, Series, SeriesAge, SeriesCell};
use crate::clock::nanos;
use crate::model::{lock, lock_for_status, read_for_status, read_lock, write_lock};

/// One metric: its name and its series, up to the limit.
#[derive(Debug)]
pub(super) struct Metric {
    pub(super) context: Arc<RegistryContext>,
    pub(super) name: MetricName,
    pub(super) kind: InstrumentKind,
    /// Set for a histogram that is not switched off.
    bounds: Option<Arc<Bounds>>,
    description: Mutex<String>,
    series: RwLock<HashSet<ByLabels>>,
    max_series: usize,
    /// The series of all label sets beyond the limit, or the only series of a histogram that is switched off.
    overflow: OnceLock<Arc<Series>>,
    /// How often a label set was requested for which there was no room.
    overflows: AtomicU64,
    /// Held while a counter is set to a total that the host keeps.
    set_total: Mutex<()>,
}

/// The usage of a metric.
#[derive(Debug, Clone, Copy)]
pub(super) struct MetricUsage {
    /// The number of series, without the overflow series.
    pub(super) series: usize,
    /// How often a label set was requested for which there was no room.
    pub(super) overflows: u64,
}

impl Metric {
    pub(super) fn new(
        context: &Arc<RegistryContext>,
        name: MetricName,
        kind: InstrumentKind,
        description: &str,
        bounds: Option<&[f64]>,
    ) -> Self {
        Self {
            name,
            kind,
            bounds: (kind == InstrumentKind::Histogram)
                .then(|| Arc::new(Bounds::new(bounds.unwrap_or_default()))),
            description: Mutex::new(description.to_owned()),
            series: RwLock::default(),
            max_series: context.config.max_series_per_metric,
            overflow: OnceLock::new(),
            overflows: AtomicU64::new(0),
            set_total: Mutex::new(()),
            context: Arc::clone(context),
        }
    }

    /// A metric whose name is taken. It is not exposed, and all its label sets share one series.
    pub(super) fn refused(
        context: &Arc<RegistryContext>,
        name: MetricName,
        kind: InstrumentKind,
        bounds: Option<&[f64]>,
    ) -> Self {
        Self {
            max_series: 0,
            ..Self::new(context, name, kind, "", bounds)
        }
    }

    /// Switches a new histogram off: it records nothing and is not exposed.
    pub(super) fn switch_off(&mut self) {
        self.bounds = None;
    }

    fn is_off(&self) -> bool {
        self.kind == InstrumentKind::Histogram && self.bounds.is_none()
    }

    /// The series of the labels `base`, which are canonical, and `more`.
    pub(super) fn series<'a>(
        &self,
        base: &str,
        more: impl IntoIterator<Item = (Cow<'a, str>, Cow<'a, str>)>,
    ) -> Arc<Series> {
        if self.is_off() {
            let off = || self.new_series(Arc::default());
            return Arc::clone(self.overflow.get_or_init(off));
        }
        // Labels added to the overflow series change nothing: its label is not a label set of the host's.
        if base == OVERFLOW {
            return self.overflow();
        }
        let reserved = (self.kind == InstrumentKind::Histogram).then_some("le");
        let labels = LabelSet::new(base, more, reserved);
        if labels.truncated > 0 {
            self.context.truncated.fetch_add(labels.truncated, Relaxed);
        }
        // The label of the overflow series is reserved: two series must not have one name.
        if labels.text == OVERFLOW {
            return self.overflow();
        }
        {
            let series = read_lock(&self.series);
            if let Some(found) = series.get(labels.text.as_str()) {
                return Arc::clone(&found.0);
            }
            // Full: no exclusive lock is taken, so label sets without end do not slow down those that have a series.
            if series.len() >= self.max_series {
                drop(series);
                return self.overflow();
            }
        }
        self.add_series(labels.text)
    }

    /// Adds a series, unless another thread has added it in the meantime or there is no room.
    #[cold]
    fn add_series(&self, labels: String) -> Arc<Series> {
        let mut all = write_lock(&self.series);
        if let Some(found) = all.get(labels.as_str()) {
            return Arc::clone(&found.0);
        }
        if all.len() >= self.max_series || !self.context.reserve_series() {
            drop(all);
            return self.overflow();
        }
        let series = self.new_series(labels.into());
        all.insert(ByLabels(Arc::clone(&series)));
        series
    }

    fn overflow(&self) -> Arc<Series> {
        if self.overflows.fetch_add(1, Relaxed) == 0 && self.max_series > 0 {
            self.context.diagnostics.report(format!(
                "The metric `{}` has more label sets than there is room for: the rest are counted together in its series {{{OVERFLOW}}}. \
                 Take out the label whose values never end, or raise `metrics.max_series_per_metric` ({}) or `metrics.max_series` ({}).",
                self.name.family, self.max_series, self.context.config.max_series,
            ));
        }
        Arc::clone(
            self.overflow
                .get_or_init(|| self.new_series(OVERFLOW.into())),
        )
    }

    fn new_series(&self, labels: Arc<str>) -> Arc<Series> {
        let shards = self.context.shards;
        let cell = match (self.kind, &self.bounds) {
            (InstrumentKind::Histogram, Some(bounds)) => {
                SeriesCell::Histogram(Box::new(HistogramCell::new(bounds, &self.context.sharding)))
            }
            (InstrumentKind::Gauge, _) => SeriesCell::Gauge(GaugeCell::default()),
            (InstrumentKind::UpDownCounter, _) => SeriesCell::UpDown(UpDownCell::new(shards)),
            (InstrumentKind::Histogram, None) => SeriesCell::Off,
            (InstrumentKind::Counter, _) => SeriesCell::Counter(CounterCell::new(shards)),
        };
        let id = self.context.next_series_id();
        let now = self.context.clock.now();
        let made_at = self.context.clock.wall(now);
        Arc::new(Series::new(id, labels, cell, now, made_at))
    }

    /// Raises a counter to a total that the host keeps; a lower total changes nothing.
    pub(super) fn set_total(&self, counter: &CounterCell, total: u64) {
        // Two threads that read the same total at the same time would both add the difference.
        let _one_at_a_time = lock(&self.set_total);
        counter.add(total.saturating_sub(counter.total()));
    }

    pub(super) fn description(&self) -> String {
        lock_for_status(&self.description).map_or_else(String::new, |text| text.clone())
    }

    /// Sets the description if there is none.
    pub(super) fn describe(&self, text: &str) {
        let mut description = lock(&self.description);
        if description.is_empty() {
            text.clone_into(&mut description);
        }
    }

    /// The series that are exposed now, in the order of their labels.
    ///
    /// The series without labels is left out if nothing was recorded in it and others exist: it is then only the base
    /// from which `with` made them.
    pub(super) fn exposed_series(&self) -> Vec<Arc<Series>> {
        if self.is_off() {
            return Vec::new();
        }
        let mut exposed: Vec<_> = {
            let Some(series) = read_for_status(&self.series) else {
                return Vec::new();
            };
            let all = series.iter().map(|series| &series.0);
            all.filter(|series| series.is_exposed()).cloned().collect()
        };
        exposed.extend(self.overflow.get().cloned());
        exposed.sort_unstable_by(|a, b| a.labels.cmp(&b.labels));
        if exposed.len() > 1
            && let Some(first) = exposed.first()
            && first.labels.is_empty()
            && first.activity() == 0
        {
            exposed.remove(0);
        }
        exposed
    }

    /// All registered series in any order, and whether each is exposed now.
    ///
    /// A series that is not exposed may return with its total, so its reader must not forget it.
    #[cfg(any(feature = "history", feature = "otlp"))]
    pub(super) fn registered_series(&self) -> Vec<(Arc<Series>, bool)> {
        if self.is_off() {
            return Vec::new();
        }
        let mut all: Vec<_> = {
            let Some(series) = read_for_status(&self.series) else {
                return Vec::new();
            };
            let all = series.iter().map(|series| &series.0);
            all.map(|series| (Arc::clone(series), series.is_exposed()))
                .collect()
        };
        all.extend(self.overflow.get().map(|series| (Arc::clone(series), true)));
        if all.len() > 1 {
            // As in the exposition, the series from which `with` made the others is left out while it is unused.
            let base = all.iter_mut().find(|(series, _)| series.labels.is_empty());
            if let Some((series, is_exposed)) = base {
                *is_exposed &= series.activity() > 0;
            }
        }
        all
    }

    /// Expires series that have been idle for `idle_after`, and frees those whose handles are all dropped. Returns
    /// whether cached handles have to be looked up again.
    pub(super) fn expire(&self) -> bool {
        let (now, idle_after) = (
            self.context.clock.now(),
            nanos(self.context.config.idle_after),
        );
        // Step 1: check every series under the shared lock, so that recording threads do not wait.
        let (mut expires_now, mut any_to_free) = (false, false);
        for ByLabels(series) in read_lock(&self.series).iter() {
            let age = series.check_age(now, idle_after);
            expires_now |= age == SeriesAge::ExpiresNow;
            any_to_free |= age != SeriesAge::Active && Arc::strong_count(series) == 1;
        }
        // Step 2: take the exclusive lock only if a series can be freed.
        let freed = any_to_free && self.free_expired() > 0;
        // A thread that caches a handle of an expired series would keep that series alive. A thread that caches the
        // overflow series must look again once there is room.
        expires_now || (freed && self.overflow.get().is_some())
    }

    /// Frees the expired series that have no handles; returns their number.
    fn free_expired(&self) -> usize {
        let mut all = write_lock(&self.series);
        let before = all.len();
        all.retain(|ByLabels(series)| {
            if Arc::strong_count(series) > 1 || series.is_exposed() {
                return true;
            }
            // The set holds the only reference, and no thread can get another one while the lock is held. The fence
            // pairs with the release of the last handle: values that were recorded through it are seen here.
            fence(Acquire);
            series.was_used_since_check()
        });
        let removed = before - all.len();
        if all.capacity() > 4 * all.len() + 64 {
            all.shrink_to_fit();
        }
        self.context.series.fetch_sub(removed, Relaxed);
        removed
    }

    pub(super) fn usage(&self) -> MetricUsage {
        MetricUsage {
            series: read_lock(&self.series).len(),
            overflows: self.overflows.load(Relaxed),
        }
    }
}
