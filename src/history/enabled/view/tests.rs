//! Queries over all resolutions, against the exact answers of the recorded values.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use super::*;
use crate::clock::Clock;
use crate::history::HistoryConfig;
use crate::history::enabled::metric_query::{Aggregation, Point};
use crate::history::enabled::millis;
use crate::history::enabled::roll_up::{roll_up_runs, roll_up_times};
use crate::history::enabled::steps::{SeriesKind, StepFlags};
use crate::history::enabled::store::Step;
use crate::metrics::{HistogramValues, Metrics, MetricsConfig, SeriesValue};

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
/// A whole hour.
const BEGIN: i64 = 500_000 * HOUR;
const COUNT: usize = 2000;

/// What one snapshot recorded.
#[derive(Debug, Clone)]
enum Recorded {
    Increase(f64),
    Gauge(f64),
    /// With the bound of the histogram.
    Values(f64, Vec<f64>),
}

/// The snapshots of a service: their times, and what each recorded of each series.
struct Recording {
    times: Vec<StepTime>,
    values: Vec<Vec<(SeriesKey, Recorded)>>,
}

fn key(name: &str, label: &str) -> SeriesKey {
    SeriesKey {
        name: name.into(),
        labels: format!("n=\"{label}\"").into(),
    }
}

impl Recording {
    /// Snapshots at these wall times. `gaps` are those after time that is not covered.
    fn new(walls: &[i64], gaps: &[usize]) -> Self {
        let mut random = 7_u64;
        let mut next = move |below: u64| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (random >> 33) % below
        };
        let mut recording = Self {
            times: Vec::new(),
            values: Vec::new(),
        };
        for (n, wall) in walls.iter().enumerate() {
            recording.times.push(StepTime {
                wall: *wall,
                length: 10 * SECOND,
                at: (n as u64 + 1) * 10_000_000_000,
                has_gap: gaps.contains(&n),
                first_snapshot: n as Tick,
                snapshots: 1,
            });
            let mut values = vec![
                (key("jobs", "a"), Recorded::Increase(next(50) as f64)),
                (key("level", "a"), Recorded::Gauge(next(1000) as f64 / 8.0)),
            ];
            // Series that appear and vanish.
            if (300..1100).contains(&n) && n % 7 != 3 {
                values.push((key("jobs", "b"), Recorded::Increase(next(9) as f64)));
                values.push((key("level", "b"), Recorded::Gauge(-(next(100) as f64))));
            }
            // One that changes its kind, and one that changes its bounds.
            let number = next(20) as f64;
            values.push(match n {
                ..900 => (key("changing", "a"), Recorded::Increase(number)),
                _ => (key("changing", "a"), Recorded::Gauge(number)),
            });
            for label in ["a", "b"] {
                let bound = if label == "b" && n >= 1250 { 5.0 } else { 1.0 };
                let took = (0..next(6)).map(|_| 0.001 * 1.37_f64.powi(next(30) as i32));
                let took = Recorded::Values(bound, took.collect());
                values.push((key("took", label), took));
            }
            recording.values.push(values);
        }
        recording
    }

    /// A memory with the snapshots from one on.
    fn memory(&self, from: usize) -> MemoryStore {
        let config = HistoryConfig::default().memory_age(Duration::from_secs(86_400));
        let mut store = MemoryStore::new(&config.max_memory_bytes(1 << 28));
        let mut histograms = Histograms::new();
        for (time, values) in self.times.iter().zip(&self.values).skip(from) {
            let steps = values.iter().map(|(key, recorded)| {
                let (kind, step) = match recorded {
                    Recorded::Increase(by) => (SeriesKind::Counter, Step::Number(*by)),
                    Recorded::Gauge(value) => (SeriesKind::Gauge, Step::Number(*value)),
                    Recorded::Values(bound, values) => {
                        let values = histograms.of(*bound, values);
                        (SeriesKind::Histogram, Step::Histogram(values))
                    }
                };
                (key.clone(), kind, step)
            });
            assert!(store.restore(*time, steps));
        }
        store
    }

    /// The values in a window: those of each series, in order, with the time that its snapshots cover.
    fn window(
        &self,
        metric: &str,
        at: i64,
        length: i64,
    ) -> (BTreeMap<SeriesLabels, Vec<Recorded>>, i64) {
        let mut series: BTreeMap<_, Vec<Recorded>> = BTreeMap::new();
        let mut millis = 0;
        for (time, values) in self.times.iter().zip(&self.values) {
            if time.wall > at - length && time.wall <= at {
                millis += time.length;
                for (key, recorded) in values.iter().filter(|(key, _)| &*key.name == metric) {
                    let of_series = series.entry(key.labels.to_string()).or_default();
                    of_series.push(recorded.clone());
                }
            }
        }
        (series, millis)
    }
}

type SeriesLabels = String;

/// Makes values of histograms with a registry.
struct Histograms {
    metrics: Metrics,
}

impl Histograms {
    fn new() -> Self {
        let clock = Clock::driven(Duration::ZERO);
        Self {
            metrics: Metrics::new(MetricsConfig::default(), clock, Arc::default()),
        }
    }

    fn of(&mut self, bound: f64, values: &[f64]) -> HistogramValues {
        let name = format!("took_{bound}");
        let histogram = self.metrics.histogram(&name).bounds([bound]).build();
        let read = || {
            let snapshot = self.metrics.snapshotter().snapshot();
            let mut series = snapshot.metrics.into_iter().flat_map(|metric| {
                let is_wanted = *metric.name == *name.replace('.', "_");
                metric.series.into_iter().filter(move |_| is_wanted)
            });
            match series.next().map(|series| series.value) {
                Some(SeriesValue::Histogram(values)) => (*values).clone(),
                other => panic!("{other:?}"),
            }
        };
        histogram.record(1.0);
        let before = read();
        for value in values {
            histogram.record(*value);
        }
        read().since(&before)
    }
}

/// A segment in memory.
#[derive(Debug)]
struct TestSegment {
    resolution: Resolution,
    first: Tick,
    times: Vec<StepTime>,
    runs: Vec<SeriesRun>,
    reads: AtomicUsize,
    is_gone: AtomicBool,
    /// What replaces a list when the segment is found to be gone.
    replacement: Mutex<Option<(StoredList, Vec<Arc<dyn StoredSteps>>)>>,
}

impl StoredSteps for TestSegment {
    fn resolution(&self) -> Resolution {
        self.resolution
    }

    fn steps(&self) -> Range<Tick> {
        self.first..self.first + self.times.len() as u64
    }

    fn times(&self) -> &[StepTime] {
        &self.times
    }

    fn read(
        &self,
        metric: &str,
        steps: &Range<Tick>,
        is_wanted: &dyn Fn(&SeriesKey) -> bool,
        add: &mut dyn FnMut(SeriesRun),
    ) -> io::Result<()> {
        self.reads.fetch_add(1, Relaxed);
        if self.is_gone.load(Relaxed) {
            if let Some((list, stored)) = lock(&self.replacement).take() {
                list.replace(stored);
            }
            return Err(io::ErrorKind::NotFound.into());
        }
        let wanted = self.runs.iter().filter(|run| {
            let is_inside = run.steps().start < steps.end && run.steps().end > steps.start;
            is_inside && *run.key.name == *metric && is_wanted(&run.key)
        });
        wanted.cloned().for_each(add);
        Ok(())
    }

    fn read_flags(
        &self,
        _: &Range<Tick>,
        _: &mut u64,
        _: &mut dyn FnMut(&SeriesKey, Tick, StepFlags),
    ) -> io::Result<bool> {
        unreachable!("`flagged` has tests with real segments")
    }

    fn metrics(&self) -> io::Result<Vec<(Arc<str>, u64)>> {
        let names = self.runs.iter().map(|run| (Arc::clone(&run.key.name), 1));
        Ok(names.collect())
    }

    fn series(&self, metric: &str) -> io::Result<Vec<(SeriesKind, Arc<str>)>> {
        let runs = self.runs.iter().filter(|run| *run.key.name == *metric);
        Ok(runs
            .map(|run| (run.kind, Arc::clone(&run.key.labels)))
            .collect())
    }
}

impl TestSegment {
    fn new(
        resolution: Resolution,
        first: Tick,
        times: Vec<StepTime>,
        runs: Vec<SeriesRun>,
    ) -> Arc<Self> {
        Arc::new(Self {
            resolution,
            first,
            times,
            runs,
            reads: AtomicUsize::new(0),
            is_gone: AtomicBool::new(false),
            replacement: Mutex::default(),
        })
    }

    /// The segment of the next coarser resolution.
    fn rolled_up(&self, to: Resolution, first: Tick) -> Arc<Self> {
        let groups = roll_up_times(self.first, &self.times, to);
        let runs = roll_up_runs(&self.runs, &groups, first);
        Self::new(to, first, groups.times, runs)
    }
}

/// A recording in memory and in segments.
struct Stored {
    recording: Recording,
    memory: Mutex<MemoryStore>,
    list: StoredList,
    segments: Vec<Arc<TestSegment>>,
}

impl Stored {
    /// Snapshots before `split` are in segments: two raw ones, each with its minutes and hours. The memory has those from
    /// a hundred snapshots before `split` on.
    fn new(recording: Recording, split: usize) -> Self {
        let all = recording.memory(0);
        let mut segments = Vec::new();
        let (mut minutes, mut hours) = (0, 0);
        for part in [0..split / 2, split / 2..split] {
            let ticks = part.start as Tick..part.end as Tick;
            let runs = all.read(&ticks, |_| true);
            let runs = runs
                .iter()
                .flat_map(|data| data.runs(&ticks).collect::<Vec<_>>());
            let runs: Vec<_> = runs.filter_map(|run| cut(&run, &ticks)).collect();
            let times = recording.times[part].to_vec();
            let raw = TestSegment::new(Resolution::Raw, ticks.start, times, runs);
            let of_minutes = raw.rolled_up(Resolution::Minute, minutes);
            let of_hours = of_minutes.rolled_up(Resolution::Hour, hours);
            minutes = of_minutes.steps().end;
            hours = of_hours.steps().end;
            segments.extend([raw, of_minutes, of_hours]);
        }
        let stored = Self {
            memory: Mutex::new(recording.memory(split - 100)),
            recording,
            list: StoredList::default(),
            segments,
        };
        stored.keep(|_| true);
        stored
    }

    /// Removes the segments that are not wanted.
    fn keep(&self, is_wanted: impl Fn(&TestSegment) -> bool) {
        let kept = self.segments.iter().filter(|segment| is_wanted(segment));
        self.list.replace(
            kept.map(|it| Arc::clone(it) as Arc<dyn StoredSteps>)
                .collect(),
        );
    }

    fn reads(&self, resolution: Resolution) -> usize {
        let of = self
            .segments
            .iter()
            .filter(|it| it.resolution == resolution);
        of.map(|segment| segment.reads.swap(0, Relaxed)).sum()
    }

    fn results(&self, query: &MetricQuery, times: &[i64]) -> Vec<ResultSeries> {
        evaluate(query, times, &self.memory, &self.list)
    }

    /// Compares every function of every metric with the exact answer, in windows that end at these times.
    fn check(&self, times: &[i64], length: i64) {
        let window = Duration::from_millis(length.unsigned_abs());
        let functions: [fn(&str) -> MetricQuery; 9] = [
            |name| MetricQuery::increase(name),
            |name| MetricQuery::rate(name),
            |name| MetricQuery::sum_increase(name),
            |name| MetricQuery::mean(name),
            |name| MetricQuery::last(name),
            |name| MetricQuery::min(name),
            |name| MetricQuery::max(name),
            |name| MetricQuery::quantile(0.5, name),
            |name| MetricQuery::quantile(0.95, name),
        ];
        let mut compared = 0;
        for metric in ["jobs", "level", "changing", "took"] {
            for (number, function) in functions.iter().enumerate() {
                let query = function(metric).window(window).total();
                let results = self.results(&query, times);
                let points = results.first().map_or(&[][..], |series| &series.points);
                for at in times {
                    let (series, covered) = self.recording.window(metric, *at, length);
                    let exact = exact(number, &series, covered);
                    let point = points.iter().find(|point| millis(point.at) == *at);
                    let text = format!(
                        "{metric}, function {number}, at {}: {point:?}, not {exact:?}",
                        at - BEGIN
                    );
                    match (exact, point) {
                        (None, None) => {}
                        (Some(exact), Some(point)) => {
                            let tolerance = if number >= 7 { 0.011 } else { 2e-7 };
                            let off = (point.value - exact).abs();
                            assert!(off <= tolerance * exact.abs() + 1e-9, "{text}");
                            compared += 1;
                        }
                        _ => panic!("{text}"),
                    }
                }
            }
        }
        assert!(compared > 10, "{compared} values");
    }
}

/// The part of a run at some ticks.
fn cut(run: &SeriesRun, ticks: &Range<Tick>) -> Option<SeriesRun> {
    let inside = run.positions(ticks);
    let mut column = (*run.column).clone();
    drop(column.split_front(inside.start));
    let column = column.split_front(inside.end - inside.start);
    (column.len() > 0).then(|| SeriesRun {
        first: run.first + inside.start as Tick,
        column: Arc::new(column),
        ..run.clone()
    })
}

/// The exact answer of a function over the values of all series.
fn exact(
    function: usize,
    series: &BTreeMap<SeriesLabels, Vec<Recorded>>,
    millis: i64,
) -> Option<f64> {
    let all = || series.values().flatten();
    let mut values: Vec<f64> = all()
        .filter_map(|recorded| match recorded {
            Recorded::Values(_, values) => Some(values.clone()),
            _ => None,
        })
        .flatten()
        .collect();
    let is_histogram = all().any(|it| matches!(it, Recorded::Values(..)));
    let increases = all().filter_map(|recorded| match recorded {
        Recorded::Increase(by) => Some(*by),
        _ => None,
    });
    let increase = increases.reduce(|one, other| one + other);
    let gauges = series.values().filter_map(|values| {
        let numbers = values.iter().filter_map(|recorded| match recorded {
            Recorded::Gauge(value) => Some(*value),
            _ => None,
        });
        let numbers: Vec<f64> = numbers.collect();
        (!numbers.is_empty()).then_some(numbers)
    });
    let of_gauges = |of: fn(Vec<f64>) -> f64| gauges.map(of).reduce(|one, other| one + other);
    let seconds = millis as f64 / 1000.0;
    if is_histogram {
        values.sort_by(f64::total_cmp);
        let (count, sum) = (values.len() as f64, values.iter().sum::<f64>());
        let quantile = |rank: f64| {
            let at = values
                .iter()
                .zip(1_u32..)
                .find(|(_, n)| f64::from(*n) >= rank * count);
            at.map(|(value, _)| *value)
        };
        return match function {
            0 => Some(count),
            1 => Some(count / seconds),
            2 => Some(sum),
            3 => (count > 0.0).then(|| sum / count),
            7 => quantile(0.5),
            8 => quantile(0.95),
            _ => None,
        };
    }
    match function {
        0 => increase,
        1 => increase.map(|increase| increase / seconds),
        3 => of_gauges(|values| values.iter().sum::<f64>() / values.len() as f64),
        4 => of_gauges(|values| values[values.len() - 1]),
        5 => of_gauges(|values| values.into_iter().fold(f64::INFINITY, f64::min)),
        6 => of_gauges(|values| values.into_iter().fold(f64::NEG_INFINITY, f64::max)),
        _ => None,
    }
}

fn every_ten_seconds() -> Vec<i64> {
    (1..).take(COUNT).map(|n| BEGIN + n * 10 * SECOND).collect()
}

#[test]
fn windows_at_odd_times_are_exact() {
    let stored = Stored::new(Recording::new(&every_ten_seconds(), &[]), 1500);
    let times: Vec<i64> = (1..40).map(|n| BEGIN + n * 523_457).collect();
    for length in [61 * SECOND + 3, 17 * MINUTE, 2 * HOUR + 5 * SECOND] {
        stored.check(&times, length);
    }
    stored.check(&[BEGIN + 6 * HOUR], 24 * HOUR);
}

#[test]
fn minutes_and_hours_alone_are_exact_in_windows_of_whole_ones() {
    let stored = Stored::new(Recording::new(&every_ten_seconds(), &[]), 1500);
    stored.keep(|segment| segment.resolution != Resolution::Raw);
    let minutes: Vec<i64> = (1..60).map(|n| BEGIN + n * 5 * MINUTE).collect();
    stored.check(&minutes, 7 * MINUTE);
    assert_eq!(stored.reads(Resolution::Raw), 0);
    stored.keep(|segment| segment.resolution == Resolution::Hour);
    assert!(stored.reads(Resolution::Minute) > 0);
    let hours: Vec<i64> = (1..7).map(|n| BEGIN + n * HOUR).collect();
    for length in [1, 2, 5] {
        stored.check(&hours, length * HOUR);
    }
    assert_eq!(stored.reads(Resolution::Minute), 0);
}

#[test]
fn a_long_range_in_steps_of_hours_reads_hours_and_a_short_one_the_memory() {
    let stored = Stored::new(Recording::new(&every_ten_seconds(), &[]), 1440);
    let query = MetricQuery::increase("jobs")
        .window(Duration::from_secs(3600))
        .total();
    let hours: Vec<i64> = (1..=4).map(|n| BEGIN + n * HOUR).collect();
    let points = &stored.results(&query, &hours)[0].points;
    assert_eq!(points.len(), 4);
    let reads = [Resolution::Hour, Resolution::Minute, Resolution::Raw].map(|it| stored.reads(it));
    assert_eq!(reads, [2, 0, 0]);
    stored.results(&query, &[BEGIN + 5 * HOUR, BEGIN + 5 * HOUR + MINUTE]);
    let reads = [Resolution::Hour, Resolution::Minute, Resolution::Raw].map(|it| stored.reads(it));
    assert_eq!(reads, [0, 0, 0]);
}

#[test]
fn a_restart_and_a_clock_that_is_set_back_and_forth_lose_and_reorder_nothing() {
    // A restart after 700 snapshots, ten minutes later; the clock is set back by 40 minutes after 1,000, and forth by two
    // hours after 1,300 and after 1,700.
    let moved = |n: i64| match n {
        ..=700 => 0,
        701..=1000 => 10 * MINUTE,
        1001..=1300 => -30 * MINUTE,
        1301..=1700 => 90 * MINUTE,
        _ => 210 * MINUTE,
    };
    let walls: Vec<i64> = (1..)
        .take(COUNT)
        .map(|n| BEGIN + n * 10 * SECOND + moved(n))
        .collect();
    let stored = Stored::new(Recording::new(&walls, &[700, 1000, 1300, 1700]), 1500);
    let odd: Vec<i64> = (1..50).map(|n| BEGIN + n * 623_457).collect();
    stored.check(&odd, 23 * MINUTE + 7);
    stored.check(&odd, 3 * HOUR);
    stored.keep(|segment| segment.resolution == Resolution::Hour);
    let hours: Vec<i64> = (1..10).map(|n| BEGIN + n * HOUR).collect();
    stored.check(&hours[..4], HOUR);

    // The length of the whole recording, and the time from which there is data.
    stored.keep(|_| true);
    let view = HistoryView::of_times(&stored.memory, &stored.list);
    let all = covered(BEGIN, BEGIN + 100 * HOUR, &view);
    assert_eq!(all, Duration::from_secs(COUNT as u64 * 10));
    assert_eq!(
        crate::history::enabled::plan::begins_at(&view.sources()),
        Some(BEGIN)
    );
    let query = MetricQuery::last("level")
        .label("n", "a")
        .window(Duration::from_secs(600));
    let gap = |at: i64| -> Vec<bool> {
        let results = stored.results(&query, &[at]);
        results[0]
            .points
            .iter()
            .map(|point: &Point| point.has_gap)
            .collect()
    };
    // Snapshot 700 is the first after the restart.
    let restart = walls[700];
    assert_eq!(gap(restart), [true]);
    assert_eq!(gap(restart - 11 * MINUTE), [false]);
}

#[test]
fn each_series_and_each_group_has_its_own_result() {
    let stored = Stored::new(Recording::new(&every_ten_seconds(), &[]), 1500);
    let at = [BEGIN + 4 * HOUR];
    let each = MetricQuery::increase("jobs").window(Duration::from_secs(4 * 3600));
    let (exact, _) = stored.recording.window("jobs", at[0], 4 * HOUR);
    let labels = |series: &ResultSeries| series.labels[0].1.clone();
    let results = stored.results(&each, &at);
    assert_eq!(results.iter().map(labels).collect::<Vec<_>>(), ["a", "b"]);
    for (series, exact) in results.iter().zip(exact.values()) {
        let sum: f64 = exact
            .iter()
            .map(|it| match it {
                Recorded::Increase(by) => *by,
                _ => 0.0,
            })
            .sum();
        assert_eq!(series.points[0].value, sum);
    }
    assert_eq!(stored.results(&each.clone().by(["n"]), &at), results);
    let one = stored.results(&each.label("n", "b"), &at);
    assert_eq!(one, results[1..]);
    // The last values of two gauges. One of the gauges is gone.
    let highest = MetricQuery::last("level")
        .window(Duration::from_secs(4 * 3600))
        .aggregation(Aggregation::Min)
        .total();
    assert!(stored.results(&highest, &at)[0].points[0].value < 0.0);
}

#[test]
fn an_anomaly_is_in_the_windows_that_contain_it() {
    let recording = Recording::new(&every_ten_seconds(), &[]);
    let mut memory = recording.memory(0);
    let level = key("level", "a");
    assert!(
        memory.flag(&level, 400, StepFlags::ANOMALY),
        "its value is encoded"
    );
    assert!(memory.flag(&level, 1999, StepFlags::ANOMALY));
    assert!(
        !memory.flag(&level, 2000, StepFlags::ANOMALY),
        "it is to come"
    );
    assert!(
        !memory.flag(&key("level", "b"), 20, StepFlags::ANOMALY),
        "it has no value"
    );
    assert!(!memory.flag(&key("other", "a"), 20, StepFlags::ANOMALY));
    let anomalies = |memory: &Mutex<MemoryStore>, list: &StoredList, metric| {
        let query = MetricQuery::last(metric)
            .window(Duration::from_secs(600))
            .total();
        let times: Vec<i64> = (1..=33).map(|n| BEGIN + n * 10 * MINUTE).collect();
        let results = evaluate(&query, &times, memory, list);
        let points = results[0].points.iter().filter(|point| point.is_anomaly);
        points
            .map(|point| (millis(point.at) - BEGIN) / MINUTE)
            .collect::<Vec<_>>()
    };
    // Snapshot 400 is taken after 66 minutes and 50 seconds.
    let memory = Mutex::new(memory);
    assert_eq!(anomalies(&memory, &StoredList::default(), "level"), [70]);

    // The same from hours and minutes.
    let ticks = 0..COUNT as Tick;
    let data = lock(&memory).read(&ticks, |_| true);
    let runs = data
        .iter()
        .flat_map(|data| data.runs(&ticks).collect::<Vec<_>>());
    let raw = TestSegment::new(Resolution::Raw, 0, recording.times.clone(), runs.collect());
    let minutes = raw.rolled_up(Resolution::Minute, 0);
    let list = StoredList::default();
    list.replace(vec![minutes]);
    let empty = Mutex::new(MemoryStore::new(&HistoryConfig::default()));
    assert_eq!(anomalies(&empty, &list, "level"), [70]);
}

#[test]
fn a_segment_that_disappears_is_left_out_and_one_that_was_replaced_is_read_from_the_new_list() {
    let stored = Stored::new(Recording::new(&every_ten_seconds(), &[]), 1500);
    let query = MetricQuery::increase("jobs")
        .window(Duration::from_secs(4 * 3600))
        .total();
    let at = [BEGIN + 4 * HOUR];
    let all = stored.results(&query, &at)[0].points[0].value;
    stored.segments[2].is_gone.store(true, Relaxed);
    stored.segments[2].reads.store(0, Relaxed);
    let rest = stored.results(&query, &at)[0].points[0].value;
    let attempts = stored.segments[2].reads.load(Relaxed);
    assert!(rest < all && rest > 0.0, "{rest} of {all}");
    assert_eq!(attempts, MAX_ATTEMPTS);

    // The segment is replaced while a query reads.
    let merged = TestSegment::new(
        Resolution::Hour,
        0,
        stored.segments[2].times.clone(),
        stored.segments[2].runs.clone(),
    );
    let mut stored_now: Vec<Arc<dyn StoredSteps>> = vec![merged];
    for segment in &stored.segments[3..] {
        stored_now.push(Arc::clone(segment) as _);
    }
    *lock(&stored.segments[2].replacement) = Some((stored.list.clone(), stored_now));
    assert_eq!(stored.results(&query, &at)[0].points[0].value, all);
}
