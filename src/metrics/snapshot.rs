//! The values of all series at one time, for what reads metrics inside the process.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::exemplar::Exemplar;
use super::histogram_values::HistogramValues;
use super::name::InstrumentKind;
use super::registry::{Family, Registry};
use super::series::{Series, SeriesCell, SeriesId};
use crate::clock::Nanos;
use crate::model::InProgress;

/// The values of all registered series at one time.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    /// The monotonic time.
    #[cfg_attr(
        not(feature = "history"),
        expect(dead_code, reason = "only the history reads it")
    )]
    pub(crate) at: Nanos,
    /// Nanoseconds since the Unix epoch.
    pub(crate) wall: u64,
    /// In the order of their names.
    pub(crate) metrics: Vec<MetricSnapshot>,
}

/// The series of one metric.
#[derive(Debug, Clone)]
pub(crate) struct MetricSnapshot {
    /// The exposed name: that of a counter's samples, and the family's name of a histogram.
    pub(crate) name: Arc<str>,
    /// Whether the value of a series only grows.
    #[cfg_attr(
        not(feature = "history"),
        expect(dead_code, reason = "only the history reads it")
    )]
    pub(crate) is_counter: bool,
    /// Whether the first value of an observed total is an increase.
    #[cfg_attr(
        not(feature = "history"),
        expect(dead_code, reason = "only the history reads it")
    )]
    pub(crate) begins_at_zero: bool,
    /// In any order. The overflow series is one of them.
    pub(crate) series: Vec<SeriesSnapshot>,
    #[cfg_attr(
        not(feature = "otlp"),
        expect(dead_code, reason = "only a push reads it")
    )]
    family: Family,
}

/// One series.
#[derive(Debug, Clone)]
pub(crate) struct SeriesSnapshot {
    pub(crate) id: SeriesId,
    /// Whether the exposition contains the series. One that was idle for long is not exposed, but keeps its total while a
    /// handle exists.
    pub(crate) is_exposed: bool,
    /// In canonical form: `a="b",c="d"`.
    pub(crate) labels: Arc<str>,
    /// When the series was made, in nanoseconds since the Unix epoch. 0 for an observable one.
    pub(crate) made_at: u64,
    pub(crate) value: SeriesValue,
    /// The exemplars of a histogram, if the snapshot has them.
    pub(crate) exemplars: Vec<Exemplar>,
}

impl SeriesSnapshot {
    /// Whether the value was read when it was needed, and is not counted by the registry.
    pub(crate) fn is_observed(&self) -> bool {
        self.id == SeriesId::default()
    }
}

/// The value of a series.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SeriesValue {
    /// The total of a counter since the series was made, or the current value.
    Number(f64),
    /// All values since the series was made.
    Histogram(Arc<HistogramValues>),
}

/// All values of each histogram since its series was made.
pub(crate) type HistogramTotals = FxHashMap<SeriesId, Arc<HistogramValues>>;

/// Takes snapshots of a registry.
#[derive(Debug)]
pub(crate) struct Snapshotter {
    registry: Arc<Registry>,
    /// The values of the histograms in the last snapshot.
    histograms: HistogramTotals,
    has_exemplars: bool,
    progress: Arc<InProgress>,
}

impl Snapshotter {
    /// Creates a snapshotter whose snapshots have exemplars if `has_exemplars`.
    pub(super) fn new(registry: &Arc<Registry>, has_exemplars: bool) -> Self {
        Self {
            registry: Arc::clone(registry),
            histograms: FxHashMap::default(),
            has_exemplars,
            progress: Arc::default(),
        }
    }

    /// Returns what shows for how long the current snapshot has been in progress.
    #[cfg(feature = "history")]
    pub(crate) fn progress(&self) -> Arc<InProgress> {
        Arc::clone(&self.progress)
    }

    /// Returns the current time of the snapshots' clock.
    #[cfg(feature = "history")]
    pub(crate) fn now(&self) -> Nanos {
        self.registry.context.clock.now()
    }

    /// Returns the values of the histograms in the last snapshot.
    #[cfg(feature = "dashboard")]
    pub(crate) fn last_histograms(&self) -> HistogramTotals {
        self.histograms.clone()
    }

    /// Reads the values of all registered series. Must be called neither on the thread of a request nor on the worker's:
    /// it calls functions of the host, which may hang.
    ///
    /// Each value is read once. What is recorded meanwhile is in this snapshot or in the next one. A histogram that has
    /// not changed since the last snapshot has the same values as there, without an allocation.
    pub(crate) fn snapshot(&mut self) -> Snapshot {
        self.snapshot_of(|_| true)
    }

    /// The same, of the metrics with these exposed names alone. The others are not read.
    pub(crate) fn snapshot_of(&mut self, is_wanted: impl Fn(&str) -> bool) -> Snapshot {
        let progress = Arc::clone(&self.progress);
        let now = self.registry.context.clock.now();
        progress.track(now, || self.read(is_wanted))
    }

    fn read(&mut self, is_wanted: impl Fn(&str) -> bool) -> Snapshot {
        let before = std::mem::take(&mut self.histograms);
        // The functions of observable metrics may take long. They are called before the time of the snapshot is read, so
        // that the values of all other series belong to that time.
        let families = self.registry.families().into_iter();
        let wanted = families.filter(|family| is_wanted(&family.name().sample_name(family.kind())));
        let families = wanted.map(|family| {
            let observed = match &family {
                Family::Metric(_) => Vec::new(),
                Family::Observable(metric) => metric.values().into_iter().map(observed).collect(),
            };
            (family, observed)
        });
        let families: Vec<_> = families.collect();
        let clock = &self.registry.context.clock;
        let at = clock.now();
        let metrics = families.into_iter().map(|(family, observed)| {
            let series = match &family {
                Family::Metric(metric) => {
                    let series = metric.registered_series();
                    let read = |(series, is_exposed): &(Arc<Series>, bool)| {
                        let mut read =
                            recorded(series, *is_exposed, &before, &mut self.histograms)?;
                        if self.has_exemplars && *is_exposed {
                            read.exemplars = exemplars(series);
                        }
                        Some(read)
                    };
                    series.iter().filter_map(read).collect()
                }
                Family::Observable(_) => observed,
            };
            let kind = family.kind();
            MetricSnapshot {
                name: family.name().sample_name(kind).into(),
                is_counter: kind == InstrumentKind::Counter,
                begins_at_zero: family.begins_at_zero(),
                series,
                family,
            }
        });
        let metrics = metrics.filter(|metric| !metric.series.is_empty()).collect();
        Snapshot {
            at,
            wall: clock.wall(at),
            metrics,
        }
    }
}

/// What a push needs.
#[cfg(feature = "otlp")]
mod of_pushes {
    use super::{Family, InstrumentKind, MetricSnapshot};
    use crate::metrics::name::OtelName;

    impl MetricSnapshot {
        /// The name and the unit in OpenTelemetry's form.
        pub(crate) fn otel(&self) -> &OtelName {
            &self.family.name().otel
        }

        pub(crate) fn kind(&self) -> InstrumentKind {
            self.family.kind()
        }

        /// Whether the values are read when they are needed.
        pub(crate) fn is_observable(&self) -> bool {
            matches!(self.family, Family::Observable(_))
        }

        pub(crate) fn description(&self) -> String {
            match &self.family {
                Family::Metric(metric) => metric.description(),
                Family::Observable(metric) => metric.description.clone(),
            }
        }
    }
}

/// The exemplars of a histogram series.
fn exemplars(series: &Series) -> Vec<Exemplar> {
    match &series.cell {
        SeriesCell::Histogram(cell) => cell.exemplars(),
        _ => Vec::new(),
    }
}

/// The exemplars of the series of a histogram that have these labels.
#[cfg(feature = "history")]
pub(super) fn exemplars_of(registry: &Registry, name: &str, labels: &[Arc<str>]) -> Vec<Exemplar> {
    let metric = registry
        .metrics()
        .find(|metric| metric.name.sample_name(metric.kind) == name);
    let series = metric.map(|metric| metric.registered_series());
    let series = series.into_iter().flatten();
    let wanted = series.filter(|(series, _)| labels.contains(&series.labels));
    wanted.flat_map(|(series, _)| exemplars(&series)).collect()
}

/// Reads a series, without exemplars. `None` for a histogram that is switched off.
#[expect(
    clippy::cast_precision_loss,
    reason = "numbers above 2^53 are rounded, as in Prometheus"
)]
fn recorded(
    series: &Series,
    is_exposed: bool,
    before: &FxHashMap<SeriesId, Arc<HistogramValues>>,
    histograms: &mut FxHashMap<SeriesId, Arc<HistogramValues>>,
) -> Option<SeriesSnapshot> {
    let value = match &series.cell {
        SeriesCell::Counter(cell) => SeriesValue::Number(cell.total() as f64),
        SeriesCell::Gauge(cell) => SeriesValue::Number(cell.value()),
        SeriesCell::UpDown(cell) => SeriesValue::Number(cell.value() as f64),
        SeriesCell::Histogram(cell) => {
            let (count, sum) = (cell.count(), cell.sum());
            // The sum is compared too: the last snapshot may have been taken between the two additions of a value.
            let is_same = |last: &&Arc<HistogramValues>| {
                last.count() == count && last.sum().to_bits() == sum.to_bits()
            };
            let unchanged = before.get(&series.id).filter(is_same);
            let values = unchanged.map_or_else(|| Arc::new(cell.values()), Arc::clone);
            histograms.insert(series.id, Arc::clone(&values));
            SeriesValue::Histogram(values)
        }
        SeriesCell::Off => return None,
    };
    Some(SeriesSnapshot {
        id: series.id,
        is_exposed,
        labels: Arc::clone(&series.labels),
        made_at: series.made_at,
        value,
        exemplars: Vec::new(),
    })
}

fn observed((labels, value): (String, f64)) -> SeriesSnapshot {
    SeriesSnapshot {
        id: SeriesId::default(),
        is_exposed: true,
        labels: labels.into(),
        made_at: 0,
        value: SeriesValue::Number(value),
        exemplars: Vec::new(),
    }
}

#[cfg(all(test, feature = "history"))]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Clock;
    use crate::metrics::{Metrics, MetricsConfig};

    fn metrics(config: MetricsConfig) -> (Metrics, Clock) {
        let clock = Clock::driven(Duration::from_secs(1000));
        (Metrics::new(config, clock.clone(), Arc::default()), clock)
    }

    /// The series of a metric: labels, number and value.
    fn series(metrics: &Metrics, name: &str) -> Vec<(String, u64, SeriesValue)> {
        let snapshot = metrics.snapshotter().snapshot();
        let found = snapshot.metrics.iter().find(|it| &*it.name == name);
        let all = found.into_iter().flat_map(|metric| &metric.series);
        let exposed = all.filter(|series| series.is_exposed);
        exposed
            .map(|it| (it.labels.to_string(), it.id.0, it.value.clone()))
            .collect()
    }

    #[test]
    fn a_snapshot_has_the_names_labels_and_values_of_the_exposition() {
        let (metrics, clock) = metrics(MetricsConfig::default());
        clock.advance(Duration::from_secs(5));
        metrics
            .counter("jobs")
            .build()
            .with([("b", "2"), ("a", "1")])
            .add(3);
        metrics.up_down_counter("open").build().add(-2);
        metrics
            .gauge("room.temperature")
            .unit("Cel")
            .build()
            .set(21.5);
        let took = metrics.histogram("took").unit("s").bounds([1.0]).build();
        for value in [0.5, 1.0, 4.0] {
            took.record(value);
        }
        let observer: crate::metrics::Observer = Arc::new(|observe| observe(&[("k", "v")], 7.0));
        metrics.observe("seen", "", "", InstrumentKind::Counter, observer);

        let snapshot = metrics.snapshotter().snapshot();
        assert_eq!(
            (snapshot.at, snapshot.wall),
            (5_000_000_000, 1_005_000_000_000)
        );
        let names: Vec<_> = snapshot
            .metrics
            .iter()
            .map(|it| (&*it.name, it.is_counter))
            .collect();
        let expected = [
            ("jobs_total", true),
            ("open", false),
            ("room_temperature_celsius", false),
            ("seen_total", true),
            ("took_seconds", false),
        ];
        assert_eq!(names, expected);
        let [(labels, _, value)] = &series(&metrics, "jobs_total")[..] else {
            panic!("one series");
        };
        assert_eq!(
            (&**labels, value),
            ("a=\"1\",b=\"2\"", &SeriesValue::Number(3.0))
        );
        let [(labels, 0, SeriesValue::Number(7.0))] = &series(&metrics, "seen_total")[..] else {
            panic!("one observed series");
        };
        assert_eq!(labels, "k=\"v\"");
        let [(_, _, SeriesValue::Histogram(values))] = &series(&metrics, "took_seconds")[..] else {
            panic!("one histogram");
        };
        assert_eq!((values.count(), values.buckets()), (3, vec![2, 1]));
        assert_eq!((values.bounds(), values.sum()), (&[1.0][..], 5.5));
        assert_eq!(values.distribution().count(), 3);
    }

    #[test]
    fn a_snapshot_has_the_time_at_which_the_series_were_read() {
        let (metrics, clock) = metrics(MetricsConfig::default());
        let jobs = metrics.counter("jobs").build();
        let (counted, advanced) = (jobs.clone(), clock.clone());
        let mut snapshotter = metrics.snapshotter();
        let progress = snapshotter.progress();
        let (of_observer, now) = (Arc::clone(&progress), clock.clone());
        // A function that takes a minute, in which the service goes on counting.
        let observer: crate::metrics::Observer = Arc::new(move |observe| {
            counted.add(10);
            advanced.advance(Duration::from_secs(60));
            let age = of_observer.age(now.now());
            assert_eq!(age, Some(Duration::from_secs(60)));
            observe(&[], 1.0);
        });
        metrics.observe("slow", "", "", InstrumentKind::Gauge, observer);
        let snapshot = snapshotter.snapshot();
        let counted = &snapshot.metrics[0];
        assert_eq!(&*counted.name, "jobs_total");
        assert_eq!(counted.series[0].value, SeriesValue::Number(10.0));
        assert_eq!(snapshot.metrics[1].series.len(), 1, "its assertions hold");
        assert_eq!(snapshot.at, 60_000_000_000);
        assert_eq!(progress.age(clock.now()), None);
    }

    #[test]
    fn a_histogram_that_has_not_changed_is_not_read_again() {
        let (metrics, _) = metrics(MetricsConfig::default());
        let took = metrics.histogram("took").build();
        took.record(0.5);
        let mut snapshotter = metrics.snapshotter();
        let mut read = || match &snapshotter.snapshot().metrics[0].series[0].value {
            SeriesValue::Histogram(values) => Arc::clone(values),
            SeriesValue::Number(_) => panic!("a histogram"),
        };
        let (first, second) = (read(), read());
        assert!(Arc::ptr_eq(&first, &second));
        took.record(0.5);
        let third = read();
        assert_eq!((second.count(), third.count()), (1, 2));
    }

    #[test]
    fn a_series_that_vanishes_and_returns_has_another_number() {
        let (metrics, clock) = metrics(MetricsConfig::default());
        let jobs = metrics.counter("jobs").build();
        let count = || jobs.with([("queue", "mail")]).add(5);
        count();
        let first = series(&metrics, "jobs_total").remove(0);
        // The first search notes the use, the second finds the series idle and frees it.
        for _ in 0..2 {
            metrics.expire();
            clock.advance(Duration::from_secs(2 * 3600));
            metrics.expire();
        }
        let idle = series(&metrics, "jobs_total");
        assert!(
            idle.iter().all(|(labels, ..)| labels.is_empty()),
            "{idle:?}"
        );
        count();
        let again = series(&metrics, "jobs_total").pop().unwrap();
        assert_eq!(
            (&first.0, first.2),
            (&again.0, again.2),
            "the total starts again at zero"
        );
        assert_ne!(first.1, again.1);
    }

    #[test]
    fn the_overflow_series_is_in_the_snapshot() {
        let (metrics, _) = metrics(MetricsConfig::default().max_series_per_metric(2));
        let jobs = metrics.counter("jobs").build();
        for n in 0..10 {
            jobs.with([("n", n.to_string())]).add(1);
        }
        let all = series(&metrics, "jobs_total");
        let sum: f64 = all
            .iter()
            .map(|(.., value)| match value {
                SeriesValue::Number(value) => *value,
                SeriesValue::Histogram(_) => panic!("a counter"),
            })
            .sum();
        assert!((sum - 10.0).abs() < f64::EPSILON, "{all:?}");
        assert!(
            all.iter()
                .any(|(labels, ..)| labels == "otel_metric_overflow=\"true\"")
        );
    }
}
