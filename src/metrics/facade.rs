use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use metrics::{CounterFn, GaugeFn, HistogramFn, Key, KeyName, Label, Metadata, SharedString, Unit};

use super::handles::record;
use super::metric::Metric;
use super::name::InstrumentKind;
use super::registry::Registry;
use super::series::{Series, SeriesCell};
use crate::model::Cache;
use crate::semconv::{DURATION_BOUNDS, SIZE_BOUNDS};

/// The number of slots of one thread's cache of one registry, of 16 bytes each. About two thousand keys fit without
/// displacing each other.
const MAX_SLOTS: usize = 4096;
/// The maximum size of the cached keys and handles, in bytes. A key of more than a sixteenth of it is not cached.
const MAX_BYTES: usize = 512 * 1024;
/// The maximum number of registries that a thread caches keys of.
const MAX_REGISTRIES: usize = 4;

/// The recorder of the `metrics` facade that records into a registry.
pub(super) struct FacadeRecorder(Arc<Registry>);

impl FacadeRecorder {
    pub(super) fn new(registry: &Arc<Registry>) -> Self {
        Self(Arc::clone(registry))
    }

    fn series(&self, key: &Key, kind: InstrumentKind) -> FacadeSeries {
        let metric = self.0.facade(key.name(), kind, facade_bounds);
        let labels = key
            .labels()
            .map(|label| (label.key().into(), label.value().into()));
        let series = metric.series("", labels);
        FacadeSeries { metric, series }
    }
}

/// The default bounds of a facade's histogram, by its name and unit.
fn facade_bounds(name: &str, unit: &str) -> &'static [f64] {
    let is_size = unit.ends_with("bytes")
        || name
            .split(['.', '_'])
            .any(|word| matches!(word, "bytes" | "size"));
    if is_size {
        &SIZE_BOUNDS
    } else {
        &DURATION_BOUNDS
    }
}

impl metrics::Recorder for FacadeRecorder {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.0.describe(key.as_str(), unit_word(unit), &description);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.0.describe(key.as_str(), unit_word(unit), &description);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.0.describe(key.as_str(), unit_word(unit), &description);
    }

    #[inline]
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> metrics::Counter {
        let make = || {
            FacadeHandle::Counter(metrics::Counter::from_arc(Arc::new(
                self.series(key, InstrumentKind::Counter),
            )))
        };
        cached_handle(&self.0, key, FacadeHandle::counter, make)
            .unwrap_or_else(metrics::Counter::noop)
    }

    #[inline]
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> metrics::Gauge {
        let make = || {
            FacadeHandle::Gauge(metrics::Gauge::from_arc(Arc::new(
                self.series(key, InstrumentKind::Gauge),
            )))
        };
        cached_handle(&self.0, key, FacadeHandle::gauge, make).unwrap_or_else(metrics::Gauge::noop)
    }

    #[inline]
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> metrics::Histogram {
        let make = || {
            FacadeHandle::Histogram(metrics::Histogram::from_arc(Arc::new(
                self.series(key, InstrumentKind::Histogram),
            )))
        };
        cached_handle(&self.0, key, FacadeHandle::histogram, make)
            .unwrap_or_else(metrics::Histogram::noop)
    }
}

impl fmt::Debug for FacadeRecorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FacadeRecorder").finish_non_exhaustive()
    }
}

/// Prometheus' word for a unit of the facade.
fn unit_word(unit: Option<Unit>) -> &'static str {
    match unit {
        None | Some(Unit::Count) => "",
        Some(Unit::Percent) => "ratio",
        Some(unit) => unit.as_str(),
    }
}

/// The handle that the facade's macros record into.
struct FacadeSeries {
    metric: Arc<Metric>,
    series: Arc<Series>,
}

impl CounterFn for FacadeSeries {
    fn increment(&self, value: u64) {
        if let SeriesCell::Counter(cell) = &self.series.cell {
            cell.add(value);
        }
    }

    fn absolute(&self, value: u64) {
        if let SeriesCell::Counter(cell) = &self.series.cell {
            self.metric.set_total(cell, value);
        }
    }
}

impl GaugeFn for FacadeSeries {
    fn increment(&self, value: f64) {
        if let SeriesCell::Gauge(cell) = &self.series.cell {
            cell.add(value);
        }
    }

    fn decrement(&self, value: f64) {
        GaugeFn::increment(self, -value);
    }

    fn set(&self, value: f64) {
        if let SeriesCell::Gauge(cell) = &self.series.cell {
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

/// A handle of the facade. Each thread has its own `Arc`: a macro clones it, and the reference count must not be shared
/// between threads.
#[derive(Clone)]
enum FacadeHandle {
    Counter(metrics::Counter),
    Gauge(metrics::Gauge),
    Histogram(metrics::Histogram),
}

impl FacadeHandle {
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

/// A cached key and its handle.
type FacadeEntry = Box<(Key, FacadeHandle)>;

/// The keys of one registry that a thread has cached.
struct KeyCache {
    /// The registry's number.
    registry: u64,
    /// The registry's epoch when the cache was last cleared.
    epoch: u64,
    keys: Cache<FacadeEntry>,
}

impl KeyCache {
    fn new(registry: u64) -> Self {
        Self {
            registry,
            epoch: 0,
            keys: Cache::new(MAX_SLOTS, MAX_BYTES),
        }
    }
}

thread_local! {
    static KEY_CACHES: RefCell<Vec<KeyCache>> = const { RefCell::new(Vec::new()) };
}

/// The handle of a key, from the thread's cache if possible. While the thread ends, and inside of the cache itself, a
/// new handle is made each time.
#[inline]
fn cached_handle<T>(
    registry: &Registry,
    key: &Key,
    of: fn(&FacadeHandle) -> Option<T>,
    make: impl Fn() -> FacadeHandle,
) -> Option<T> {
    let found = KEY_CACHES.try_with(|all| {
        let mut all = all.try_borrow_mut().ok()?;
        let keys = keys(&mut all, registry)?;
        // A name that is used for two kinds of instruments has an entry for each.
        let matches = |entry: &FacadeEntry| is_same_key(&entry.0, key) && of(&entry.1).is_some();
        let (_, entry) = keys.find(hash(key), matches)?;
        of(&entry.1)
    });
    match found {
        Ok(Some(handle)) => Some(handle),
        _ => make_handle(registry, key, of, make),
    }
}

#[cold]
#[inline(never)]
fn make_handle<T>(
    registry: &Registry,
    key: &Key,
    of: fn(&FacadeHandle) -> Option<T>,
    make: impl Fn() -> FacadeHandle,
) -> Option<T> {
    // Made outside of the borrow, since allocating may run code of the host that records a metric.
    let made = make();
    let handle = of(&made);
    let entry = Box::new((key.to_retained(), made));
    let size = size_of_entry(key);
    let _cached = KEY_CACHES.try_with(|all| {
        if let Ok(mut all) = all.try_borrow_mut()
            && let Some(keys) = keys(&mut all, registry)
        {
            keys.insert(hash(key), size, entry);
        }
    });
    handle
}

/// A hash of a key. The low bits of the facade's own hash are not well distributed.
#[inline]
fn hash(key: &Key) -> u32 {
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    let hash = key.get_hash();
    ((hash ^ hash >> 32).wrapping_mul(SPREAD) >> 32) as u32
}

/// The maximum size of an entry, in bytes. Its texts count although they may be borrowed from the program.
fn size_of_entry(key: &Key) -> usize {
    const HANDLE: usize = size_of::<FacadeSeries>() + 2 * size_of::<usize>();
    let label = |label: &Label| size_of::<Label>() + label.key().len() + label.value().len();
    let labels = key.labels().map(label).sum::<usize>();
    size_of::<(Key, FacadeHandle)>() + HANDLE + key.name().len() + labels
}

/// The cached keys of a registry. The cache is cleared first if the registry's handles have to be looked up again.
#[inline]
fn keys<'a>(all: &'a mut Vec<KeyCache>, registry: &Registry) -> Option<&'a mut Cache<FacadeEntry>> {
    let number = registry.context.number;
    if all.first().is_none_or(|cache| cache.registry != number) {
        move_to_front(all, number);
    }
    let cache = all.first_mut()?;
    let epoch = registry.epoch();
    if cache.epoch != epoch {
        cache.keys.clear();
        cache.epoch = epoch;
    }
    Some(&mut cache.keys)
}

#[cold]
fn move_to_front(all: &mut Vec<KeyCache>, number: u64) {
    if let Some(at) = all.iter().position(|cache| cache.registry == number) {
        all.swap(0, at);
    } else {
        all.truncate(MAX_REGISTRIES - 1);
        all.insert(0, KeyCache::new(number));
    }
}

/// Whether two keys are equal. Fast for keys of one macro call, which share the text of their labels.
#[inline]
fn is_same_key(known: &Key, key: &Key) -> bool {
    let (ours, theirs) = (known.labels().as_slice(), key.labels().as_slice());
    if known.get_hash() == key.get_hash() && std::ptr::eq(ours, theirs) {
        return known.name() == key.name();
    }
    known == key
}
