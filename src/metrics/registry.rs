use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::common::Common;
use super::config::Buckets;
use super::known::own_histograms;
use super::metric::Metric;
use super::name::{Kind, Name, as_written, typed};
use super::observed::{Observed, Observer};
use super::page::join::Joined;
use super::runtime::Runtimes;
use crate::model::read_for_status;

/// Metric names of one registry.
const MAX_NAMES: usize = 2_000;
/// Names of the host's histograms that are listed.
const MAX_LISTED: usize = 500;

/// All metrics of one monitor.
#[derive(Debug)]
pub(super) struct Registry {
    pub(super) common: Arc<Common>,
    families: RwLock<Families>,
    /// What the facade described before it used it.
    described: Mutex<HashMap<String, Described>>,
    pub(super) joined: RwLock<Vec<Joined>>,
    /// How often a host's own page failed to come.
    pub(super) join_panics: AtomicU64,
    /// Families of joined pages that are left out, as far as notices have named them.
    pub(super) left_out: Mutex<HashSet<String>>,
    pub(super) runtimes: Runtimes,
}

#[derive(Debug, Default)]
struct Families {
    /// By the name that the program wrote.
    by_name: HashMap<Box<str>, Arc<Metric>>,
    /// By the name on the page.
    all: BTreeMap<String, Family>,
    /// Every name that a sample of some family may have.
    taken: HashSet<String>,
}

/// What stands on the page under one name.
#[derive(Debug, Clone)]
pub(super) enum Family {
    Metric(Arc<Metric>),
    Observed(Arc<Observed>),
}

#[derive(Debug, Default, Clone)]
struct Described {
    unit: &'static str,
    text: String,
}

/// What is asked of the registry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) name: &'a str,
    pub(super) kind: Kind,
    pub(super) unit: &'a str,
    pub(super) description: &'a str,
    pub(super) bounds: Option<&'a [f64]>,
}

/// A metric that is new: the name on the page, and what else is known of it.
struct New<'a> {
    name: Name,
    description: String,
    bounds: Option<&'a [f64]>,
}

impl Registry {
    pub(super) fn new(common: Arc<Common>) -> Self {
        Self {
            common,
            families: RwLock::default(),
            described: Mutex::default(),
            joined: RwLock::default(),
            join_panics: AtomicU64::new(0),
            left_out: Mutex::default(),
            runtimes: Runtimes::default(),
        }
    }

    /// The metric of a typed handle.
    pub(super) fn typed<'a>(&'a self, wanted: &Wanted<'a>) -> Arc<Metric> {
        let metric = self.metric(wanted.name, wanted.kind, || New {
            name: typed(wanted.name, wanted.kind, wanted.unit),
            description: wanted.description.to_owned(),
            bounds: wanted.bounds,
        });
        metric.describe(wanted.description);
        metric
    }

    /// The metric of a name of the facade; `bounds` are those of its histogram, given its unit.
    pub(super) fn of_facade(
        &self,
        name: &str,
        kind: Kind,
        bounds: fn(name: &str, unit: &str) -> &'static [f64],
    ) -> Arc<Metric> {
        self.metric(name, kind, || {
            let described = self
                .described
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let Described { unit, text } = described.get(name).cloned().unwrap_or_default();
            New {
                name: as_written(name, kind, unit, self.common.config.keep_counter_names),
                description: text,
                bounds: Some(bounds(name, unit)),
            }
        })
    }

    /// Keeps what the facade says of a name.
    pub(super) fn describe(&self, name: &str, unit: &'static str, text: &str) {
        {
            let mut described = self
                .described
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if described.len() < MAX_NAMES || described.contains_key(name) {
                let text = text.to_owned();
                described.insert(name.to_owned(), Described { unit, text });
            }
        }
        let families = self.families.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(metric) = families.by_name.get(name) {
            metric.describe(text);
        }
    }

    fn metric<'a>(&'a self, raw: &str, kind: Kind, new: impl FnOnce() -> New<'a>) -> Arc<Metric> {
        {
            let families = self.families.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(found) = families.by_name.get(raw)
                && found.kind == kind
            {
                return Arc::clone(found);
            }
        }
        let mut new = new();
        // Bounds that are set go before the histogram's own.
        let buckets = self.common.config.buckets(raw, &new.name.family);
        if let Some(Buckets::Bounds(bounds)) = buckets {
            new.bounds = Some(bounds);
        }
        let mut families = self
            .families
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = families.by_name.get(raw) {
            if found.kind == kind {
                return Arc::clone(found);
            }
            let first = found.kind;
            drop(families);
            return self.refuse(raw, kind, new, &format!("is a {} already", first.word()));
        }
        // Two spellings of one name on the page are one metric.
        if let Some(Family::Metric(found)) = families.all.get(&new.name.family)
            && found.kind == kind
            // `jobs` and `jobs_total` are two where names are kept.
            && found.name.total == new.name.total
        {
            let found = Arc::clone(found);
            if families.by_name.len() < 2 * MAX_NAMES {
                families.by_name.insert(raw.into(), Arc::clone(&found));
            }
            return found;
        }
        if families.all.len() >= MAX_NAMES {
            drop(families);
            return self.refuse(raw, kind, new, "is one of more than 2000 names: names are for what is counted, labels for the rest");
        }
        if !families.take(&new.name, kind) {
            drop(families);
            return self.refuse(
                raw,
                kind,
                new,
                "is on the page already, or a line of another metric",
            );
        }
        let mut metric = Metric::new(&self.common, new.name, kind, &new.description, new.bounds);
        if kind == Kind::Histogram && buckets == Some(&Buckets::Off) {
            metric.switch_off();
        }
        let metric = Arc::new(metric);
        let family = Family::Metric(Arc::clone(&metric));
        families.all.insert(metric.name.family.clone(), family);
        families.by_name.insert(raw.into(), Arc::clone(&metric));
        metric
    }

    #[cold]
    fn refuse(&self, raw: &str, kind: Kind, new: New<'_>, why: &str) -> Arc<Metric> {
        self.common.refused.fetch_add(1, Relaxed);
        self.common.diagnostics.report(format!(
            "The metric `{}` {why}: the {} of that name is not shown. Give one of them another name.",
            crate::model::prefix(raw, 256),
            kind.word(),
        ));
        Arc::new(Metric::refused(&self.common, new.name, kind, new.bounds))
    }

    /// Puts values on the page that are read when it is asked for. The first of a name stays.
    pub(super) fn observe(&self, wanted: &Wanted<'_>, read: Observer) {
        let name = typed(wanted.name, wanted.kind, wanted.unit);
        let mut families = self
            .families
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if families.all.len() >= MAX_NAMES || !families.take(&name, wanted.kind) {
            drop(families);
            self.common.refused.fetch_add(1, Relaxed);
            self.common.diagnostics.report(format!(
                "The metric `{}` is on the page already: its second source is not read.",
                name.family
            ));
            return;
        }
        let family = name.family.clone();
        let observed = Observed {
            common: Arc::clone(&self.common),
            name,
            kind: wanted.kind,
            description: wanted.description.to_owned(),
            read,
        };
        families
            .all
            .insert(family, Family::Observed(Arc::new(observed)));
    }

    /// All families, by name.
    pub(super) fn families(&self) -> Vec<Family> {
        let families = read_for_status(&self.families);
        families.map_or_else(Vec::new, |it| it.all.values().cloned().collect())
    }

    /// Names that the settings have buckets for and no histogram has so far, besides this crate's own.
    pub(super) fn unknown_histograms(&self) -> Vec<String> {
        if self.common.config.histograms.is_empty() {
            return Vec::new();
        }
        let own: Vec<_> = own_histograms().collect();
        let Some(families) = read_for_status(&self.families) else {
            return Vec::new();
        };
        let is_unknown = |name: &String| {
            let by_program = families.by_name.get(name.as_str());
            let metric = by_program.or(match families.all.get(name.as_str()) {
                Some(Family::Metric(metric)) => Some(metric),
                _ => None,
            });
            metric.is_none_or(|metric| metric.kind != Kind::Histogram)
        };
        let set = self.common.config.histograms.iter();
        set.map(|(name, _)| name)
            .filter(|name| is_unknown(name) && !own.contains(name))
            .cloned()
            .collect()
    }

    /// The names that histograms have, in the program and on the page: this crate's own, then some of the host's.
    pub(super) fn histogram_names(&self) -> Vec<String> {
        let families = self.families.read().unwrap_or_else(PoisonError::into_inner);
        let made = families.by_name.iter();
        let made = made.filter(|(_, metric)| metric.kind == Kind::Histogram);
        let made = made.flat_map(|(name, metric)| [name.to_string(), metric.name.family.clone()]);
        own_histograms().chain(made.take(MAX_LISTED)).collect()
    }

    /// All metrics that are counted here, by name.
    pub(super) fn metrics(&self) -> impl Iterator<Item = Arc<Metric>> {
        self.families()
            .into_iter()
            .filter_map(|family| match family {
                Family::Metric(metric) => Some(metric),
                Family::Observed(_) => None,
            })
    }

    /// Takes idle series off the page and lets the hosts' own recorders tidy up.
    pub(super) fn expire(&self) {
        let mut moved = false;
        for metric in self.metrics() {
            moved |= metric.expire();
        }
        if moved {
            // Release: who sees the new epoch sees what led to it.
            self.common.epoch.fetch_add(1, Release);
        }
        let joined = self
            .joined
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for page in joined {
            page.upkeep(self);
        }
    }

    #[inline]
    pub(super) fn epoch(&self) -> u64 {
        self.common.epoch.load(Acquire)
    }
}

impl Families {
    /// Takes all names that a family may write; `false` if one is another family's.
    fn take(&mut self, name: &Name, kind: Kind) -> bool {
        let names = kind
            .suffixes()
            .iter()
            .map(|suffix| format!("{}{suffix}", name.family));
        let names: Vec<String> = names.collect();
        let free = !names.iter().any(|name| self.taken.contains(name));
        if free {
            self.taken.extend(names);
        }
        free
    }
}
