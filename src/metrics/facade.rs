use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use metrics::{CounterFn, GaugeFn, HistogramFn, Key, KeyName, Label, Metadata, SharedString, Unit};

use super::handles::record;
use super::metric::Metric;
use super::name::Kind;
use super::registry::Registry;
use super::series::{Cell, Series};
use crate::model::Cache;
use crate::semconv::{DURATION_BOUNDS, SIZE_BOUNDS};

/// Places for the keys that a thread remembers of one registry, of 16 bytes each; some two thousand keys are all found
/// again.
const MAX_PLACES: usize = 4096;
/// Bytes of these keys and their handles. A key of more than a sixteenth of it is looked up each time.
const MAX_BYTES: usize = 512 * 1024;
/// Registries that a thread remembers.
const REGISTRIES: usize = 4;

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

/// A key and its handle.
type Entry = Box<(Key, Known)>;

/// What a thread remembers of one registry.
struct Remembered {
    registry: u64,
    epoch: u64,
    keys: Cache<Entry>,
}

impl Remembered {
    fn new(registry: u64) -> Self {
        Self {
            registry,
            epoch: 0,
            keys: Cache::new(MAX_PLACES, MAX_BYTES),
        }
    }
}

thread_local! {
    static REMEMBERED: RefCell<Vec<Remembered>> = const { RefCell::new(Vec::new()) };
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
    let found = REMEMBERED.try_with(|all| {
        let mut all = all.try_borrow_mut().ok()?;
        let keys = keys(&mut all, registry)?;
        // One name of two types has an entry for each.
        let is = |entry: &Entry| same(&entry.0, key) && of(&entry.1).is_some();
        let (_, entry) = keys.find(hash(key), is)?;
        of(&entry.1)
    });
    match found {
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
    let size = size_of_entry(key);
    let _kept = REMEMBERED.try_with(|all| {
        if let Ok(mut all) = all.try_borrow_mut()
            && let Some(keys) = keys(&mut all, registry)
        {
            keys.insert(hash(key), size, new);
        }
    });
    handle
}

/// A key's hash, whose low bits alone are poor.
#[inline]
fn hash(key: &Key) -> u32 {
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    let hash = key.get_hash();
    ((hash ^ hash >> 32).wrapping_mul(SPREAD) >> 32) as u32
}

/// What an entry takes at most: its texts may be borrowed from the program.
fn size_of_entry(key: &Key) -> usize {
    const HANDLE: usize = size_of::<FacadeSeries>() + 2 * size_of::<usize>();
    let label = |label: &Label| size_of::<Label>() + label.key().len() + label.value().len();
    let labels = key.labels().map(label).sum::<usize>();
    size_of::<(Key, Known)>() + HANDLE + key.name().len() + labels
}

/// The keys of a registry. What was remembered before its handles were to be looked up again is forgotten.
#[inline]
fn keys<'a>(all: &'a mut Vec<Remembered>, registry: &Registry) -> Option<&'a mut Cache<Entry>> {
    let number = registry.common.number;
    if all.first().is_none_or(|of| of.registry != number) {
        to_front(all, number);
    }
    let of = all.first_mut()?;
    let epoch = registry.epoch();
    if of.epoch != epoch {
        of.keys.clear();
        of.epoch = epoch;
    }
    Some(&mut of.keys)
}

#[cold]
fn to_front(all: &mut Vec<Remembered>, number: u64) {
    if let Some(at) = all.iter().position(|of| of.registry == number) {
        all.swap(0, at);
    } else {
        all.truncate(REGISTRIES - 1);
        all.insert(0, Remembered::new(number));
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
