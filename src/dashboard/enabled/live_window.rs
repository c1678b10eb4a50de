//! The last minute of requests, waits for connections and queries, in steps of a second.
//!
//! The history takes a snapshot every ten seconds, which is too slow for what is on the screen. While somebody looks, this
//! reads three histograms each second and keeps what they grew by. Nothing of it is kept for each series.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::figures::SignalFigures;
use crate::clock::{Nanos, nanos};
use crate::history::History;
use crate::http::class_of_labels;
use crate::metrics::{
    HistogramSum, HistogramTotals, HistogramValues, MetricSnapshot, Metrics, SeriesValue, Snapshot,
    Snapshotter, label_pairs,
};

pub(super) const REQUESTS: &str = "http_server_request_duration_seconds";
pub(super) const WAITS: &str = "db_client_connection_wait_time_seconds";
pub(super) const QUERIES: &str = "db_client_operation_duration_seconds";
/// The histograms that are read.
const HISTOGRAMS: [&str; 3] = [REQUESTS, WAITS, QUERIES];
/// How much is kept.
const LENGTH: Duration = Duration::from_secs(60);
/// The time over which the rate of requests is calculated.
const RATE_LENGTH: Duration = Duration::from_secs(10);
/// The maximum number of pools, and of databases, with figures of their own.
const MAX_GROUPS: usize = 32;

/// The growth of the histograms in the last minute.
pub(super) struct LiveWindow {
    snapshotter: Snapshotter,
    last: Option<LastTotals>,
    steps: VecDeque<WindowStep>,
    has_requests: bool,
}

struct LastTotals {
    at: Nanos,
    histograms: HistogramTotals,
}

/// The growth in one step.
struct WindowStep {
    at: Nanos,
    length: Nanos,
    /// In the order of [`HISTOGRAMS`]; by pool, and by database.
    groups: [BTreeMap<Arc<str>, GroupStep>; 3],
}

/// The growth of some series in one step. Only cells with values take memory: a window has up to 60 steps of 65 groups.
struct GroupStep {
    classes: ClassCounts,
    values: HistogramValues,
}

/// The growth of some series in the step that is read. Its memory is that of all cells.
struct GroupSum {
    classes: ClassCounts,
    values: HistogramSum,
}

/// How many requests or queries ended, and how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ClassCounts {
    pub(super) count: u64,
    pub(super) errors: u64,
    pub(super) client_errors: u64,
    pub(super) cancelled: u64,
}

impl ClassCounts {
    pub(super) fn add(&mut self, other: Self) {
        self.count += other.count;
        self.errors += other.errors;
        self.client_errors += other.client_errors;
        self.cancelled += other.cancelled;
    }

    /// A part of all; `None` if there were none.
    pub(super) fn share(&self, part: u64) -> Option<f64> {
        (self.count > 0).then(|| part as f64 / self.count as f64)
    }
}

/// The figures of a pool or a database.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct GroupFigures {
    pub(super) rate: Option<f64>,
    pub(super) p95: Option<f64>,
    pub(super) error_rate: Option<f64>,
}

impl LiveWindow {
    pub(super) fn new(metrics: &Metrics) -> Self {
        Self {
            snapshotter: metrics.snapshotter(),
            last: None,
            steps: VecDeque::new(),
            has_requests: false,
        }
    }

    /// Reads the histograms and adds what they have grown by.
    pub(super) fn read(&mut self, history: &History) {
        let snapshot = self
            .snapshotter
            .snapshot_of(|name| HISTOGRAMS.contains(&name));
        let at = snapshot.at;
        self.has_requests |= snapshot.metrics.iter().any(has_requests);
        // After a pause, what happened meanwhile is not of the last minute.
        let last = self.last.take();
        let last = last.filter(|last| at.saturating_sub(last.at) < nanos(LENGTH));
        let last = last.or_else(|| {
            self.steps.clear();
            of_history(history)
        });
        if let Some(last) = last
            && at > last.at
        {
            self.steps.push_back(step(snapshot, &last));
        }
        let is_old = |step: &WindowStep| at.saturating_sub(step.at) >= nanos(LENGTH);
        while self.steps.front().is_some_and(is_old) {
            self.steps.pop_front();
        }
        self.last = Some(LastTotals {
            at,
            histograms: self.snapshotter.last_histograms(),
        });
    }

    /// Whether a request was ever recorded in this process.
    pub(super) fn has_requests(&self) -> bool {
        self.has_requests
    }

    /// Whether the window is too short for figures. It is at the first look after a snapshot of the history. If it has
    /// requests already, they are shown a second later.
    pub(super) fn is_short(&self) -> bool {
        let has_requests = || self.sum(0, LENGTH, |_| true).0.count > 0;
        match self.seconds(LENGTH) {
            seconds if seconds < 0.5 => true,
            seconds => seconds < 1.5 && !has_requests(),
        }
    }

    /// Sets the figures of requests and of waits for connections.
    pub(super) fn put_figures(&self, figures: &mut SignalFigures) {
        let (classes, values) = self.sum(0, LENGTH, |_| true);
        let recent = self.sum(0, RATE_LENGTH, |_| true).0;
        figures.requests = per_second(recent.count, self.seconds(RATE_LENGTH));
        let quantile = |rank| values.as_ref()?.values().distribution().quantile(rank);
        figures.p50 = quantile(0.5);
        figures.p95 = quantile(0.95);
        figures.p99 = quantile(0.99);
        figures.error_rate = classes.share(classes.errors);
        figures.client_errors = classes.share(classes.client_errors);
        figures.cancelled = classes.share(classes.cancelled);
        let (_, waits) = self.sum(1, LENGTH, |_| true);
        figures.acquire_p95 = waits.and_then(|it| it.values().distribution().quantile(0.95));
    }

    /// The figures of all requests, as of a service.
    pub(super) fn of_requests(&self) -> GroupFigures {
        self.group(0, |_| true)
    }

    /// The figures of one pool.
    pub(super) fn of_pool(&self, pool: &str) -> GroupFigures {
        self.group(1, |name| name == pool)
    }

    /// The names of the databases that were queried in the window.
    pub(super) fn databases(&self) -> Vec<Arc<str>> {
        let mut names: Vec<Arc<str>> = self
            .steps
            .iter()
            .filter_map(|step| step.groups.get(2))
            .flat_map(|groups| groups.keys().cloned())
            .collect();
        names.sort();
        names.dedup();
        names
    }

    pub(super) fn of_database(&self, database: &str) -> GroupFigures {
        self.group(2, |name| name == database)
    }

    fn group(&self, place: usize, is_wanted: impl Fn(&str) -> bool) -> GroupFigures {
        let (classes, values) = self.sum(place, LENGTH, &is_wanted);
        let (recent, _) = self.sum(place, RATE_LENGTH, &is_wanted);
        GroupFigures {
            rate: per_second(recent.count, self.seconds(RATE_LENGTH)),
            p95: values.and_then(|it| it.values().distribution().quantile(0.95)),
            error_rate: classes.share(classes.errors),
        }
    }

    fn sum(
        &self,
        place: usize,
        length: Duration,
        is_wanted: impl Fn(&str) -> bool,
    ) -> (ClassCounts, Option<HistogramSum>) {
        let mut classes = ClassCounts::default();
        let mut sum: Option<HistogramSum> = None;
        for step in self.last_steps(length) {
            let groups = step.groups.get(place).into_iter().flatten();
            for (_, group) in groups.filter(|(name, _)| is_wanted(name)) {
                classes.add(group.classes);
                sum.get_or_insert_with(|| HistogramSum::with_bounds_of(&group.values))
                    .add(&group.values);
            }
        }
        (classes, sum)
    }

    fn seconds(&self, length: Duration) -> f64 {
        let covered: Nanos = self.last_steps(length).map(|step| step.length).sum();
        Duration::from_nanos(covered).as_secs_f64()
    }

    /// The steps of the last part of the window, the newest first. At least one, if there is one.
    fn last_steps(&self, length: Duration) -> impl Iterator<Item = &WindowStep> {
        let newest = self.steps.back().map_or(0, |step| step.at);
        let begin = newest.saturating_sub(nanos(length));
        let steps = self.steps.iter().rev();
        steps.take_while(move |step| step.at > begin || step.at == newest)
    }
}

/// Whether a metric has recorded a request. The series exist before the first one.
fn has_requests(metric: &MetricSnapshot) -> bool {
    let mut series = metric.series.iter();
    let is_used = |value: &SeriesValue| match value {
        SeriesValue::Histogram(values) => values.count() > 0,
        SeriesValue::Number(_) => false,
    };
    *metric.name == *REQUESTS && series.any(|series| is_used(&series.value))
}

/// The totals at the last snapshot of the history.
fn of_history(history: &History) -> Option<LastTotals> {
    let (at, histograms) = history.last_histograms()?;
    Some(LastTotals { at, histograms })
}

fn step(snapshot: Snapshot, last: &LastTotals) -> WindowStep {
    let mut groups: [BTreeMap<Arc<str>, GroupSum>; 3] = Default::default();
    for metric in snapshot.metrics {
        let place = HISTOGRAMS.iter().position(|name| *name == &*metric.name);
        let Some((place, groups)) = place.and_then(|at| Some((at, groups.get_mut(at)?))) else {
            continue;
        };
        for series in metric.series {
            let SeriesValue::Histogram(values) = series.value else {
                continue;
            };
            let grown = match last.histograms.get(&series.id) {
                Some(before) if Arc::ptr_eq(before, &values) => continue,
                Some(before) => values.since(before),
                // A series that was made since began at zero.
                None => (*values).clone(),
            };
            if grown.count() > 0 {
                let (name, classes) = group_of(place, &series.labels, grown.count());
                put(groups, name, classes, &grown);
            }
        }
    }
    WindowStep {
        at: snapshot.at,
        length: snapshot.at.saturating_sub(last.at),
        groups: groups.map(|groups| {
            let steps = groups.into_iter().map(|(name, sum)| (name, sum.step()));
            steps.collect()
        }),
    }
}

impl GroupSum {
    fn step(&self) -> GroupStep {
        GroupStep {
            classes: self.classes,
            values: self.values.values(),
        }
    }
}

fn put(
    groups: &mut BTreeMap<Arc<str>, GroupSum>,
    name: Option<String>,
    classes: ClassCounts,
    values: &HistogramValues,
) {
    let Some(name) = name else { return };
    if groups.len() >= MAX_GROUPS && !groups.contains_key(&*name) {
        return;
    }
    let group = groups.entry(name.into()).or_insert_with(|| GroupSum {
        classes: ClassCounts::default(),
        values: HistogramSum::with_bounds_of(values),
    });
    group.classes.add(classes);
    group.values.add(values);
}

/// The group of a series, and what its labels say about `count` values. `None` for what is left out.
fn group_of(place: usize, labels: &str, count: u64) -> (Option<String>, ClassCounts) {
    let mut classes = ClassCounts {
        count,
        ..ClassCounts::default()
    };
    let (mut outcome, mut status, mut group) = (String::new(), String::new(), None);
    for (label, value) in label_pairs(labels) {
        match label {
            "watchpost_outcome" => outcome = value,
            "http_response_status_code" => status = value,
            "error_type" if place == 2 => classes.errors = count,
            "db_client_connection_pool_name" | "db_system_name" => group = Some(value),
            _ => {}
        }
    }
    if place > 0 {
        return (group, classes);
    }
    // An upgraded request ends at its headers.
    if outcome == "upgraded" {
        return (None, classes);
    }
    let class = class_of_labels(&outcome, &status);
    let counted = |is: bool| if is { count } else { 0 };
    classes.errors = counted(class.is_error);
    classes.client_errors = counted(class.is_client_error);
    classes.cancelled = counted(class.is_cancelled);
    (Some(String::new()), classes)
}

fn per_second(count: u64, seconds: f64) -> Option<f64> {
    (seconds > 0.0).then(|| count as f64 / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::history::{HistoryConfig, HistorySetup, MarkerStore};
    use crate::metrics::MetricsConfig;

    /// The memory that the cells of a window take.
    fn bytes(window: &LiveWindow) -> usize {
        let groups = window.steps.iter().flat_map(|step| &step.groups).flatten();
        groups
            .map(|(_, group)| size_of::<GroupStep>() + group.values.bytes())
            .sum()
    }

    #[test]
    fn a_full_window_takes_memory_for_cells_with_values_alone() {
        let clock = Clock::driven(Duration::from_secs(1_000_000));
        let metrics = Metrics::new(MetricsConfig::default(), clock.clone(), Arc::default());
        let setup = HistorySetup {
            config: &HistoryConfig::default(),
            metrics: &metrics,
            directory: None,
            clock: &clock,
            diagnostics: &Arc::default(),
            markers: &Arc::new(MarkerStore::new(&clock, "")),
            observer: None,
        };
        let (history, _tasks) = History::new(setup);
        let waits = metrics
            .histogram("db_client_connection_wait_time")
            .unit("s")
            .build();
        let pools = (0..MAX_GROUPS).map(|n| {
            let name = format!("pool {n}");
            waits.with([("db_client_connection_pool_name", name)])
        });
        let pools: Vec<_> = pools.collect();
        let record = || pools.iter().for_each(|pool| pool.record(0.025));
        record();
        history.record();
        let mut window = LiveWindow::new(&metrics);
        for _ in 0..100 {
            clock.advance(Duration::from_secs(1));
            record();
            window.read(&history);
        }
        assert_eq!(window.steps.len(), 60);
        let figures = window.of_pool("pool 7");
        assert_eq!(figures.rate, Some(1.0));
        let p95 = figures.p95.unwrap();
        assert!((p95 - 0.025).abs() < 0.001, "{p95}");
        let of_group = bytes(&window) / (60 * MAX_GROUPS);
        assert!(of_group <= 128, "{of_group} bytes for a group and a second");
    }
}
