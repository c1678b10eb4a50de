use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use metrics::{CounterFn, GaugeFn, HistogramFn, Key, KeyName, Metadata, SharedString, Unit};

use super::handles::record;
use super::metric::Metric;
use super::name::Kind;
use super::registry::Registry;
use super::series::{Cell, Series};
use crate::semconv::{DURATION_BOUNDS, SIZE_BOUNDS};

/// Keys that a thread remembers of one registry; a power of two.
const SLOTS: usize = 512;
/// Registries that a thread remembers.
const CACHES: usize = 4;

/// The recorder of the `metrics` facade over the registry.
pub(super) struct Recorder(Arc<Registry>);

impl Recorder {
    pub(super) fn new(registry: &Arc<Registry>) -> Self {
        Self(Arc::clone(registry))
    }

    fn series(&self, key: &Key, kind: Kind) -> FacadeSeries {
        let metric = self.0.of_facade(key.name(), kind, facade_bounds);
        let labels = key
            .labels()
            .map(|label| (label.key().into(), label.value().into()));
        let series = metric.series("", labels);
        FacadeSeries { metric, series }
    }
}

fn facade_bounds(name: &str, unit: &str) -> &'static [f64] {
    let bytes = unit.ends_with("bytes")
        || name
            .split(['.', '_'])
            .any(|word| matches!(word, "bytes" | "size"));
    if bytes {
        &SIZE_BOUNDS
    } else {
        &DURATION_BOUNDS
    }
}

impl metrics::Recorder for Recorder {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.0.describe(key.as_str(), word(unit), &description);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.0.describe(key.as_str(), word(unit), &description);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.0.describe(key.as_str(), word(unit), &description);
    }

    #[inline]
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> metrics::Counter {
        let make = || {
            Known::Counter(metrics::Counter::from_arc(Arc::new(
                self.series(key, Kind::Counter),
            )))
        };
        known(&self.0, key, Known::counter, make).unwrap_or_else(metrics::Counter::noop)
    }

    #[inline]
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> metrics::Gauge {
        let make = || {
            Known::Gauge(metrics::Gauge::from_arc(Arc::new(
                self.series(key, Kind::Gauge),
            )))
        };
        known(&self.0, key, Known::gauge, make).unwrap_or_else(metrics::Gauge::noop)
    }

    #[inline]
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> metrics::Histogram {
        let make = || {
            Known::Histogram(metrics::Histogram::from_arc(Arc::new(
                self.series(key, Kind::Histogram),
            )))
        };
        known(&self.0, key, Known::histogram, make).unwrap_or_else(metrics::Histogram::noop)
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}

fn word(unit: Option<Unit>) -> &'static str {
    match unit {
        None | Some(Unit::Count) => "",
        Some(Unit::Percent) => "ratio",
        Some(unit) => unit.as_str(),
    }
}

struct FacadeSeries {
    metric: Arc<Metric>,
    series: Arc<Series>,
}

impl CounterFn for FacadeSeries {
    fn increment(&self, value: u64) {
        if let Cell::Counter(cell) = &self.series.cell {
            cell.add(value);
        }
    }

    fn absolute(&self, value: u64) {
        if let Cell::Counter(cell) = &self.series.cell {
            self.metric.set_total(cell, value);
        }
    }
}

impl GaugeFn for FacadeSeries {
    fn increment(&self, value: f64) {
        if let Cell::Gauge(cell) = &self.series.cell {
            cell.add(value);
        }
    }

    fn decrement(&self, value: f64) {
        GaugeFn::increment(self, -value);
    }

    fn set(&self, value: f64) {
        if let Cell::Gauge(cell) = &self.series.cell {
            cell.set(value);
        }
    }
}

impl HistogramFn for FacadeSeries {
    fn record(&self, value: f64) {
        record(&self.metric, &self.series, value, 1);
    }

    fn record_many(&self, value: f64, count: usize) {
        record(
            &self.metric,
            &self.series,
            value,
            u64::try_from(count).unwrap_or(u64::MAX),
        );
    }
}

/// A handle as the facade's macros want it. Each thread has an `Arc` of its own, so that the clone
/// that a macro makes touches no line of another thread.
#[derive(Clone)]
enum Known {
    Counter(metrics::Counter),
    Gauge(metrics::Gauge),
    Histogram(metrics::Histogram),
}

impl Known {
    fn counter(&self) -> Option<metrics::Counter> {
        match self {
            Self::Counter(handle) => Some(handle.clone()),
            _ => None,
        }
    }

    fn gauge(&self) -> Option<metrics::Gauge> {
        match self {
            Self::Gauge(handle) => Some(handle.clone()),
            _ => None,
        }
    }

    fn histogram(&self) -> Option<metrics::Histogram> {
        match self {
            Self::Histogram(handle) => Some(handle.clone()),
            _ => None,
        }
    }
}

/// A key and its handle, boxed: most slots are empty.
type Slot = Option<Box<(Key, Known)>>;

/// What a thread remembers of one registry: a slot a key, by its hash; a later key takes the slot.
struct Cache {
    registry: u64,
    epoch: u64,
    slots: Box<[Slot]>,
}

impl Cache {
    fn new(registry: u64) -> Self {
        Self {
            registry,
            epoch: 0,
            slots: std::iter::repeat_with(|| None).take(SLOTS).collect(),
        }
    }
}

thread_local! {
    static CACHED: RefCell<Vec<Cache>> = const { RefCell::new(Vec::new()) };
}

/// The handle of a key: from the thread's cache, else made and put there. While the thread ends, or
/// inside the cache itself, it is made each time.
#[inline]
fn known<T>(
    registry: &Registry,
    key: &Key,
    of: fn(&Known) -> Option<T>,
    make: impl Fn() -> Known,
) -> Option<T> {
    let cached = CACHED.try_with(|caches| {
        let mut caches = caches.try_borrow_mut().ok()?;
        let slot = slot(&mut caches, registry, key)?;
        slot.as_ref()
            .filter(|known| same(&known.0, key))
            .and_then(|known| of(&known.1))
    });
    match cached {
        Ok(Some(handle)) => Some(handle),
        _ => learn(registry, key, of, make),
    }
}

#[cold]
#[inline(never)]
fn learn<T>(
    registry: &Registry,
    key: &Key,
    of: fn(&Known) -> Option<T>,
    make: impl Fn() -> Known,
) -> Option<T> {
    // Made outside the borrow: what it drops and allocates may come back here.
    let known = make();
    let handle = of(&known);
    let new = Box::new((key.to_retained(), known));
    let old = CACHED.try_with(|caches| {
        let mut caches = caches.try_borrow_mut().ok()?;
        slot(&mut caches, registry, key)?.replace(new)
    });
    drop(old);
    handle
}

#[inline]
fn slot<'a>(caches: &'a mut Vec<Cache>, registry: &Registry, key: &Key) -> Option<&'a mut Slot> {
    let number = registry.common.number;
    if caches.first().is_none_or(|cache| cache.registry != number) {
        to_front(caches, number);
    }
    let cache = caches.first_mut()?;
    let epoch = registry.epoch();
    if cache.epoch != epoch {
        cache.slots.fill_with(|| None);
        cache.epoch = epoch;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the low bits choose the slot"
    )]
    let at = key.get_hash() as usize % SLOTS;
    cache.slots.get_mut(at)
}

#[cold]
fn to_front(caches: &mut Vec<Cache>, number: u64) {
    if let Some(at) = caches.iter().position(|cache| cache.registry == number) {
        caches.swap(0, at);
    } else {
        caches.truncate(CACHES - 1);
        caches.insert(0, Cache::new(number));
    }
}

/// `==`, quicker where both keys are of one macro call: those share the text of their labels.
#[inline]
fn same(known: &Key, key: &Key) -> bool {
    let (ours, theirs) = (known.labels().as_slice(), key.labels().as_slice());
    if known.get_hash() == key.get_hash() && std::ptr::eq(ours, theirs) {
        return known.name() == key.name();
    }
    known == key
}
