//! Which metrics and which values of labels the history has.

use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex};

use super::steps::SeriesKind;
use super::store::MemoryStore;
use super::view::{StoredList, StoredSteps};
use crate::metrics::label_value;
use crate::model::lock_for_status;

/// The maximum length of a list.
pub(super) const MAX_LISTED: usize = 10_000;
/// How often a list begins anew, since a segment was replaced meanwhile.
const MAX_ATTEMPTS: usize = 3;

/// A metric that queries can read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MetricInfo {
    /// The name by which a [`MetricQuery`](super::MetricQuery) reads it.
    pub name: String,
    /// Its kind. If it changed, the latest one.
    pub kind: MetricKind,
    /// The largest number of series that the metric has in the memory or in one file. `None` from a Prometheus server.
    pub series: Option<u64>,
}

/// The kind of a metric: which functions of a [`MetricQuery`](super::MetricQuery) apply to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MetricKind {
    /// A total that only grows.
    Counter,
    /// A value that rises and falls.
    Gauge,
    /// A distribution of values.
    Histogram,
}

impl MetricInfo {
    /// Creates the entry of a metric, for a [`MetricReader`](super::MetricReader) of your own.
    pub fn new(name: impl Into<String>, kind: MetricKind) -> Self {
        Self {
            name: name.into(),
            kind,
            series: None,
        }
    }
}

impl MetricKind {
    /// Returns the name in lower case: `counter`, `gauge` or `histogram`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

impl From<SeriesKind> for MetricKind {
    fn from(kind: SeriesKind) -> Self {
        match kind {
            SeriesKind::Counter => Self::Counter,
            SeriesKind::Gauge => Self::Gauge,
            SeriesKind::Histogram => Self::Histogram,
        }
    }
}

/// The metrics in memory and in segments, by name.
pub(super) fn metrics(memory: &Mutex<MemoryStore>, stored: &StoredList) -> Vec<MetricInfo> {
    let mut found: BTreeMap<Arc<str>, (SeriesKind, u64)> = lock_for_status(memory)
        .map(|memory| memory.metrics())
        .unwrap_or_default();
    each(stored, &mut |segment| {
        for (name, series) in segment.metrics()? {
            match found.entry(name) {
                Entry::Occupied(mut known) => {
                    let most = &mut known.get_mut().1;
                    *most = series.max(*most);
                }
                Entry::Vacant(place) => {
                    // Newer segments come first.
                    if let Some((kind, _)) = segment.series(place.key())?.into_iter().next() {
                        place.insert((kind, series));
                    }
                }
            }
        }
        Ok(())
    });
    let found = found.into_iter().take(MAX_LISTED);
    found
        .map(|(name, (kind, series))| MetricInfo {
            series: Some(series),
            ..MetricInfo::new(&*name, kind.into())
        })
        .collect()
}

/// The values that a label of a metric has in memory and in segments.
pub(super) fn label_values(
    memory: &Mutex<MemoryStore>,
    stored: &StoredList,
    metric: &str,
    label: &str,
) -> Vec<String> {
    let mut values: BTreeSet<String> = BTreeSet::new();
    let mut add = |labels: &str| {
        let value = label_value(labels, label);
        if let Some(value) = value.filter(|value| !values.contains(&**value)) {
            values.insert(value.into_owned());
            if values.len() > MAX_LISTED {
                values.pop_last();
            }
        }
    };
    // Copied, so that the lock is not held while values are compared.
    let in_memory = lock_for_status(memory).map(|memory| memory.labels_of(metric));
    for labels in in_memory.unwrap_or_default() {
        add(&labels);
    }
    each(stored, &mut |segment| {
        for (_, labels) in segment.series(metric)? {
            add(&labels);
        }
        Ok(())
    });
    values.into_iter().collect()
}

/// Calls a function with each segment, the newest first. Segments that cannot be read are left out; if one was replaced
/// meanwhile, all are read anew.
fn each(stored: &StoredList, read: &mut dyn FnMut(&dyn StoredSteps) -> io::Result<()>) {
    for _ in 0..MAX_ATTEMPTS {
        let mut segments: Vec<_> = stored.get().iter().cloned().collect();
        segments.sort_by_key(|segment| Reverse(segment.times().last().map(|time| time.at)));
        let is_gone =
            |done: io::Result<()>| done.is_err_and(|error| error.kind() == ErrorKind::NotFound);
        let gone = segments.iter().filter(|segment| is_gone(read(&***segment)));
        if gone.count() == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::clock::Clock;
    use crate::history::enabled::{HistorySetup, MarkerStore};
    use crate::history::{History, HistoryConfig};
    use crate::metrics::{Metrics, MetricsConfig};
    use crate::model::lock;

    fn process(directory: &Path, clock: &Clock) -> (Metrics, History) {
        let metrics = Metrics::new(MetricsConfig::default(), clock.clone(), Arc::default());
        let (history, _) = History::new(HistorySetup {
            config: &HistoryConfig::default().memory_age(Duration::from_secs(60)),
            metrics: &metrics,
            directory: Some(directory.to_owned()),
            clock,
            diagnostics: &Arc::default(),
            markers: &Arc::new(MarkerStore::new(clock, "")),
            observer: None,
        });
        (metrics, history)
    }

    #[test]
    fn metrics_and_values_of_memory_and_files_are_listed() {
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::driven(Duration::from_secs(1_000_000));
        let snapshot = |history: &History, after: u64| {
            clock.advance(Duration::from_secs(after));
            history.record();
            history.persist();
        };
        let (metrics, history) = process(directory.path(), &clock);
        assert_eq!(history.metrics(), []);
        let jobs = metrics.counter("jobs").build();
        jobs.with([("queue", "a \"quoted\" one"), ("other", "x")])
            .add(1);
        jobs.with([("queue", "z")]).add(1);
        jobs.with([("other", "y")]).add(1);
        metrics.counter("old").build().add(1);
        metrics.histogram("took").build().record(1.0);
        snapshot(&history, 10);

        let (metrics, history) = process(directory.path(), &clock);
        metrics.gauge("level").build().set(1.0);
        let jobs = metrics.counter("jobs").build();
        jobs.with([("queue", "b")]).add(1);
        snapshot(&history, 3600);
        snapshot(&history, 3600);
        assert!(!lock(&history.store).metrics().contains_key("old_total"));
        let found: Vec<_> = history.metrics();
        let found = found.iter();
        let found: Vec<_> = found
            .map(|it| (it.name.as_str(), it.kind, it.series))
            .collect();
        let expected = [
            // In the hours, which were merged, are the series of both processes.
            ("jobs_total", MetricKind::Counter, Some(4)),
            ("level", MetricKind::Gauge, Some(1)),
            ("old_total", MetricKind::Counter, Some(1)),
            ("took", MetricKind::Histogram, Some(1)),
        ];
        assert_eq!(found, expected);
        let values = |metric, label| history.label_values(metric, label);
        assert_eq!(
            values("jobs_total", "queue"),
            ["a \"quoted\" one", "b", "z"]
        );
        assert_eq!(values("jobs_total", "other"), ["x", "y"]);
        assert_eq!(values("jobs_total", "none"), [""; 0]);
        assert_eq!(values("none", "queue"), [""; 0]);
    }

    #[test]
    fn lists_have_a_maximum_length() {
        let clock = Clock::driven(Duration::from_secs(1_000_000));
        let config = MetricsConfig::default().max_series(20_000);
        let config = config.max_series_per_metric(20_000);
        let metrics = Metrics::new(config, clock.clone(), Arc::default());
        let history = History::in_memory(&HistoryConfig::default(), &metrics);
        let jobs = metrics.counter("jobs").build();
        for n in 0..MAX_LISTED + 5 {
            jobs.with([("n", format!("{n:05}"))]).add(1);
        }
        clock.advance(Duration::from_secs(10));
        history.record();
        assert_eq!(history.metrics()[0].series, Some(MAX_LISTED as u64 + 5));
        let values = history.label_values("jobs_total", "n");
        assert_eq!(values.len(), MAX_LISTED);
        assert_eq!(values.last().map(String::as_str), Some("09999"));
    }
}
