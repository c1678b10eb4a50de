use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Arc, Mutex, RwLock};

use super::config::Buckets;
use super::context::RegistryContext;
use super::joined::JoinedExposition;
use super::metric::Metric;
use super::name::{InstrumentKind, MetricName, facade_name, typed_name};
use super::observable::{ObservableMetric, Observer, TotalOrigin};
use super::own_histograms::own_histograms;
use super::runtime::WatchedRuntimes;
use crate::model::{lock, prefix, read_for_status, read_lock, write_lock};

/// The maximum number of metric names of one registry.
const MAX_NAMES: usize = 2_000;
/// The maximum number of names of the host's histograms that are listed.
const MAX_LISTED: usize = 500;

/// All metrics of one monitor.
#[derive(Debug)]
pub(super) struct Registry {
    pub(super) context: Arc<RegistryContext>,
    families: RwLock<Families>,
    /// Descriptions that the facade gave before the metric was first used.
    described: Mutex<HashMap<String, Description>>,
    pub(super) joined: RwLock<Vec<JoinedExposition>>,
    /// How often a function of a joined exposition panicked.
    pub(super) join_panics: AtomicU64,
    /// Families of joined expositions that are left out and that a notice has named.
    pub(super) left_out: Mutex<HashSet<String>>,
    pub(super) runtimes: WatchedRuntimes,
}

#[derive(Debug, Default)]
struct Families {
    /// Metrics by the name that the program gives.
    by_name: HashMap<Box<str>, Arc<Metric>>,
    /// Families by the exposed name.
    all: BTreeMap<String, Family>,
    /// Every sample name that a family may use.
    taken: HashSet<String>,
}

/// The metrics that are exposed under one family name.
#[derive(Debug, Clone)]
pub(super) enum Family {
    Metric(Arc<Metric>),
    Observable(Arc<ObservableMetric>),
}

#[cfg(any(feature = "history", feature = "otlp"))]
impl Family {
    pub(super) fn name(&self) -> &MetricName {
        match self {
            Self::Metric(metric) => &metric.name,
            Self::Observable(metric) => &metric.name,
        }
    }

    pub(super) fn kind(&self) -> InstrumentKind {
        match self {
            Self::Metric(metric) => metric.kind,
            Self::Observable(metric) => metric.kind,
        }
    }

    /// Whether each series started at zero when the monitor was built or later.
    pub(super) fn begins_at_zero(&self) -> bool {
        match self {
            Self::Metric(_) => true,
            Self::Observable(metric) => metric.origin == TotalOrigin::Monitor,
        }
    }
}

#[derive(Debug, Default, Clone)]
struct Description {
    unit: &'static str,
    text: String,
}

/// The instrument that a caller requests.
#[derive(Debug, Clone, Copy)]
pub(super) struct InstrumentSpec<'a> {
    pub(super) name: &'a str,
    pub(super) kind: InstrumentKind,
    pub(super) unit: &'a str,
    pub(super) description: &'a str,
    pub(super) bounds: Option<&'a [f64]>,
}

impl<'a> InstrumentSpec<'a> {
    /// The specification of a metric whose values are read when they are needed.
    pub(super) fn observed(
        name: &'a str,
        unit: &'a str,
        description: &'a str,
        kind: InstrumentKind,
    ) -> Self {
        Self {
            name,
            kind,
            unit,
            description,
            bounds: None,
        }
    }
}

/// A metric that is about to be registered.
struct NewMetric<'a> {
    name: MetricName,
    description: String,
    bounds: Option<&'a [f64]>,
}

impl Registry {
    pub(super) fn new(context: Arc<RegistryContext>) -> Self {
        Self {
            context,
            families: RwLock::default(),
            described: Mutex::default(),
            joined: RwLock::default(),
            join_panics: AtomicU64::new(0),
            left_out: Mutex::default(),
            runtimes: WatchedRuntimes::new(),
        }
    }

    /// The metric of a typed handle.
    pub(super) fn typed<'a>(&'a self, spec: &InstrumentSpec<'a>) -> Arc<Metric> {
        let metric = self.metric(spec.name, spec.kind, || NewMetric {
            name: typed_name(spec.name, spec.kind, spec.unit),
            description: spec.description.to_owned(),
            bounds: spec.bounds,
        });
        metric.describe(spec.description);
        metric
    }

    /// The metric of a name of the facade. `bounds` returns the default bounds of a histogram of this name and unit.
    pub(super) fn facade(
        &self,
        name: &str,
        kind: InstrumentKind,
        bounds: fn(name: &str, unit: &str) -> &'static [f64],
    ) -> Arc<Metric> {
        self.metric(name, kind, || {
            let described = lock(&self.described).get(name).cloned();
            let Description { unit, text } = described.unwrap_or_default();
            NewMetric {
                name: facade_name(name, kind, unit, self.context.config.keep_counter_names),
                description: text,
                bounds: Some(bounds(name, unit)),
            }
        })
    }

    /// Stores the unit and description that the facade gives to a name.
    pub(super) fn describe(&self, name: &str, unit: &'static str, text: &str) {
        {
            let mut described = lock(&self.described);
            if described.len() < MAX_NAMES || described.contains_key(name) {
                let text = text.to_owned();
                described.insert(name.to_owned(), Description { unit, text });
            }
        }
        if let Some(metric) = read_lock(&self.families).by_name.get(name) {
            metric.describe(text);
        }
    }

    /// The metric of a name that the program gives; `new` describes it if it is not registered yet.
    fn metric<'a>(
        &'a self,
        raw: &str,
        kind: InstrumentKind,
        new: impl FnOnce() -> NewMetric<'a>,
    ) -> Arc<Metric> {
        // Step 1: the usual case under the shared lock. The metric is registered.
        if let Some(found) = read_lock(&self.families).by_name.get(raw)
            && found.kind == kind
        {
            return Arc::clone(found);
        }
        // Step 2: build the new metric without a lock. Bounds of the settings override the histogram's own.
        let mut new = new();
        let buckets = self.context.config.buckets(raw, &new.name.family);
        if let Some(Buckets::Bounds(bounds)) = buckets {
            new.bounds = Some(bounds);
        }
        // Step 3: look again under the exclusive lock, since another thread may have registered the name meanwhile.
        let mut families = write_lock(&self.families);
        if let Some(found) = families.by_name.get(raw) {
            if found.kind == kind {
                return Arc::clone(found);
            }
            let first = found.kind;
            drop(families);
            return self.refuse(raw, kind, new, &format!("is a {} already", first.label()));
        }
        // Step 4: two spellings with one exposed name are one metric. Where counters keep their names, `jobs` and
        // `jobs_total` are exposed under different names.
        if let Some(Family::Metric(found)) = families.all.get(&new.name.family)
            && found.kind == kind
            && found.name.has_total == new.name.has_total
        {
            let found = Arc::clone(found);
            if families.by_name.len() < 2 * MAX_NAMES {
                families.by_name.insert(raw.into(), Arc::clone(&found));
            }
            return found;
        }
        // Step 5: refuse a name beyond the limit, or whose samples would collide with another family's.
        if families.all.len() >= MAX_NAMES {
            drop(families);
            return self.refuse(raw, kind, new, "is one of more than 2000 names: names are for what is counted, labels for the rest");
        }
        if !families.reserve_names(&new.name, kind) {
            drop(families);
            return self.refuse(
                raw,
                kind,
                new,
                "is exposed already, or has the name of another metric's sample",
            );
        }
        // Step 6: register the metric.
        let mut metric = Metric::new(&self.context, new.name, kind, &new.description, new.bounds);
        if kind == InstrumentKind::Histogram && buckets == Some(&Buckets::Off) {
            metric.switch_off();
        }
        let metric = Arc::new(metric);
        let family = Family::Metric(Arc::clone(&metric));
        families.all.insert(metric.name.family.clone(), family);
        families.by_name.insert(raw.into(), Arc::clone(&metric));
        metric
    }

    /// Reports a metric that cannot be exposed, and returns one that records into nothing.
    #[cold]
    fn refuse(
        &self,
        raw: &str,
        kind: InstrumentKind,
        new: NewMetric<'_>,
        why: &str,
    ) -> Arc<Metric> {
        self.context.refused.fetch_add(1, Relaxed);
        self.context.diagnostics.report(format!(
            "The metric `{}` {why}: the {} of that name is not exposed. Give one of them another name.",
            prefix(raw, 256),
            kind.label(),
        ));
        Arc::new(Metric::refused(&self.context, new.name, kind, new.bounds))
    }

    /// Registers a metric whose values `observer` reports when it is scraped. The first metric of a name wins.
    pub(super) fn observe(
        &self,
        spec: &InstrumentSpec<'_>,
        origin: TotalOrigin,
        observer: Observer,
    ) {
        let name = typed_name(spec.name, spec.kind, spec.unit);
        let mut families = write_lock(&self.families);
        if families.all.len() >= MAX_NAMES || !families.reserve_names(&name, spec.kind) {
            drop(families);
            self.context.refused.fetch_add(1, Relaxed);
            self.context.diagnostics.report(format!(
                "The metric `{}` is exposed already, so its second source is not read.",
                name.family
            ));
            return;
        }
        let family = name.family.clone();
        let metric = ObservableMetric {
            context: Arc::clone(&self.context),
            name,
            kind: spec.kind,
            description: spec.description.to_owned(),
            origin,
            observer,
        };
        families
            .all
            .insert(family, Family::Observable(Arc::new(metric)));
    }

    /// All families, in the order of their names.
    pub(super) fn families(&self) -> Vec<Family> {
        let families = read_for_status(&self.families);
        families.map_or_else(Vec::new, |it| it.all.values().cloned().collect())
    }

    /// The names for which the settings define buckets, but which no histogram has yet. Names of this crate's own
    /// histograms are omitted.
    pub(super) fn unknown_histograms(&self) -> Vec<String> {
        if self.context.config.histograms.is_empty() {
            return Vec::new();
        }
        let own: Vec<_> = own_histograms().collect();
        let Some(families) = read_for_status(&self.families) else {
            return Vec::new();
        };
        let is_unknown = |name: &String| {
            let by_name = families.by_name.get(name.as_str());
            let metric = by_name.or(match families.all.get(name.as_str()) {
                Some(Family::Metric(metric)) => Some(metric),
                _ => None,
            });
            metric.is_none_or(|metric| metric.kind != InstrumentKind::Histogram)
        };
        let configured = self.context.config.histograms.iter();
        configured
            .map(|(name, _)| name)
            .filter(|name| is_unknown(name) && !own.contains(name))
            .cloned()
            .collect()
    }

    /// The names of histograms, in the program's form and the exposed one: this crate's own, then at most 500 of the
    /// host's.
    pub(super) fn histogram_names(&self) -> Vec<String> {
        let families = read_lock(&self.families);
        let host = families.by_name.iter();
        let host = host.filter(|(_, metric)| metric.kind == InstrumentKind::Histogram);
        let host = host.flat_map(|(name, metric)| [name.to_string(), metric.name.family.clone()]);
        own_histograms().chain(host.take(MAX_LISTED)).collect()
    }

    /// All metrics that are recorded here, in the order of their names.
    pub(super) fn metrics(&self) -> impl Iterator<Item = Arc<Metric>> {
        self.families()
            .into_iter()
            .filter_map(|family| match family {
                Family::Metric(metric) => Some(metric),
                Family::Observable(_) => None,
            })
    }

    /// Expires idle series.
    pub(super) fn expire(&self) {
        let mut is_stale = false;
        for metric in self.metrics() {
            is_stale |= metric.expire();
        }
        if is_stale {
            // Release pairs with the acquire in `epoch`: a thread that reads the new epoch sees the expired series.
            self.context.epoch.fetch_add(1, Release);
        }
    }

    #[inline]
    pub(super) fn epoch(&self) -> u64 {
        self.context.epoch.load(Acquire)
    }
}

impl Families {
    /// Reserves every sample name of a family. Returns `false`, and reserves none, if one is taken.
    fn reserve_names(&mut self, name: &MetricName, kind: InstrumentKind) -> bool {
        let names = kind
            .suffixes()
            .iter()
            .map(|suffix| format!("{}{suffix}", name.family));
        let names: Vec<String> = names.collect();
        let is_free = !names.iter().any(|name| self.taken.contains(name));
        if is_free {
            self.taken.extend(names);
        }
        is_free
    }
}
