use std::time::UNIX_EPOCH;

use super::*;
use crate::clock::Clock;
use crate::metrics::{InstrumentKind, MetricsConfig, Observer};

const NAME: &str = "took_seconds";

/// A registry with a history and a driven clock.
struct Fixture {
    metrics: Metrics,
    history: History,
    clock: Clock,
}

impl Fixture {
    fn with(config: &HistoryConfig) -> Self {
        let clock = Clock::driven(Duration::from_secs(1_000_000));
        let metrics = Metrics::new(MetricsConfig::default(), clock.clone(), Arc::default());
        let history = History::in_memory(config, &metrics);
        Self {
            metrics,
            history,
            clock,
        }
    }

    fn new() -> Self {
        Self::with(&HistoryConfig::default())
    }

    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_nanos(self.clock.wall(self.clock.now()))
    }

    /// Lets ten seconds pass and takes a snapshot.
    fn tick(&self) {
        self.clock.advance(Duration::from_secs(10));
        self.history.record();
    }

    fn results(&self, query: &MetricQuery) -> Vec<ResultSeries> {
        self.history.at(query, self.now()).unwrap()
    }

    /// The only value of a query that combines all series.
    fn value(&self, query: MetricQuery) -> Option<f64> {
        let results = self.results(&query.total());
        assert!(results.len() <= 1, "{results:?}");
        results.first().map(|series| series.points[0].value)
    }
}

fn close(value: Option<f64>, expected: f64) {
    let value = value.unwrap();
    assert!(
        (value - expected).abs() <= 1e-6 * expected.abs(),
        "{value}, not {expected}"
    );
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn increases_and_rates_of_a_counter() {
    let fixture = Fixture::new();
    let jobs = fixture.metrics.counter("jobs").build();
    for queue in ["mail", "post"] {
        jobs.with([("queue", queue)]).add(100);
    }
    fixture.tick();
    for n in 1..=12 {
        jobs.with([("queue", "mail")]).add(n);
        fixture.tick();
    }
    let jobs = |function: fn(&'static str) -> MetricQuery| function("jobs_total").window(MINUTE);
    close(
        fixture.value(jobs(MetricQuery::increase)),
        f64::from(7 + 8 + 9 + 10 + 11 + 12),
    );
    close(fixture.value(jobs(MetricQuery::rate)), 57.0 / 60.0);
    // The first snapshot contains what happened before it.
    let all = MetricQuery::increase("jobs_total").window(Duration::from_secs(3600));
    close(fixture.value(all.clone()), 278.0);
    close(fixture.value(all.clone().label("queue", "post")), 100.0);
    close(
        fixture.value(all.clone().label_not_in("queue", ["post", "x"])),
        178.0,
    );
    assert_eq!(fixture.value(all.clone().label("queue", "x")), None);
    let each = fixture.results(&all.clone());
    let labels: Vec<_> = each
        .iter()
        .map(|series| series.labels[0].1.as_str())
        .collect();
    assert_eq!(labels, ["mail", "post"]);
    assert_eq!(fixture.results(&all.by(["queue"])), each);
    // The rate of a window that begins before the start is that of the time since the start.
    let rate = MetricQuery::rate("jobs_total").window(Duration::from_secs(3600));
    close(fixture.value(rate), 278.0 / 130.0);
}

#[test]
fn gauges_have_a_last_value_a_mean_and_extremes() {
    let fixture = Fixture::new();
    let rooms = fixture.metrics.gauge("room").build();
    for n in 0..10 {
        rooms.with([("room", "a")]).set(f64::from(n));
        rooms.with([("room", "b")]).set(f64::from(n) * 10.0);
        fixture.tick();
    }
    let query = |function: fn(&'static str) -> MetricQuery| function("room").window(MINUTE);
    let one = |function| fixture.value(query(function).label("room", "a"));
    let all = [
        MetricQuery::last,
        MetricQuery::mean,
        MetricQuery::min,
        MetricQuery::max,
    ]
    .map(one);
    assert_eq!(all, [Some(9.0), Some(6.5), Some(4.0), Some(9.0)]);
    let combined = [
        Aggregation::Sum,
        Aggregation::Mean,
        Aggregation::Min,
        Aggregation::Max,
    ]
    .map(|by| fixture.value(query(MetricQuery::last).aggregation(by)));
    assert_eq!(combined, [Some(99.0), Some(49.5), Some(9.0), Some(90.0)]);
    assert_eq!(
        fixture.value(query(MetricQuery::increase)),
        None,
        "a gauge has no increase"
    );
}

#[test]
fn quantiles_of_merged_histograms_are_within_two_percent() {
    let fixture = Fixture::new();
    let took = fixture.metrics.histogram("took").unit("s").build();
    let mut recorded = Vec::new();
    let mut random = 12345_u64;
    for route in ["/a", "/b", "/c"].into_iter().cycle().take(600) {
        for _ in 0..20 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            // From 1 ms to 30 s, evenly on a logarithmic scale.
            let value = 0.001 * 30_000_f64.powf((random >> 40) as f64 / (1_u64 << 24) as f64);
            took.with([("route", route)]).record(value);
            recorded.push(value);
        }
        fixture.tick();
    }
    recorded.sort_by(f64::total_cmp);
    let day = Duration::from_secs(24 * 3600);
    for percent in [50, 95, 99] {
        let rank = f64::from(u32::try_from(percent).unwrap()) / 100.0;
        let exact = recorded[recorded.len() * percent / 100 - 1];
        let read = fixture
            .value(MetricQuery::quantile(rank, NAME).window(day))
            .unwrap();
        assert!(
            (read / exact - 1.0).abs() < 0.02,
            "p{rank}: {read} for {exact}"
        );
    }
    close(
        fixture.value(MetricQuery::increase(NAME).window(day)),
        12_000.0,
    );
    close(
        fixture.value(MetricQuery::sum_increase(NAME).window(day)),
        recorded.iter().sum(),
    );
    let mean = recorded.iter().sum::<f64>() / 12_000.0;
    close(fixture.value(MetricQuery::mean(NAME).window(day)), mean);
    let by_route = fixture.results(&MetricQuery::increase(NAME).by(["route"]).window(day));
    let counts: Vec<_> = by_route
        .iter()
        .map(|series| series.points[0].value)
        .collect();
    assert_eq!(counts, [4000.0; 3]);
}

#[test]
fn a_range_has_a_point_for_each_step_with_data() {
    let fixture = Fixture::new();
    let jobs = fixture.metrics.counter("jobs").build();
    let begin = fixture.now();
    for _ in 0..30 {
        jobs.add(5);
        fixture.tick();
    }
    let query = MetricQuery::increase("jobs_total").window(MINUTE).total();
    let end = fixture.now() + Duration::from_secs(600);
    let results = fixture.history.range(&query, begin, end, MINUTE).unwrap();
    let points: Vec<_> = results[0]
        .points
        .iter()
        .map(|point| {
            (
                point.at.duration_since(begin).unwrap().as_secs(),
                point.value,
            )
        })
        .collect();
    assert_eq!(points, [60, 120, 180, 240, 300].map(|at| (at, 30.0)));
}

#[test]
fn a_series_that_vanishes_and_a_total_that_is_reset_lose_and_invent_nothing() {
    let fixture = Fixture::new();
    let total = Arc::new(std::sync::atomic::AtomicU64::new(1000));
    let read = Arc::clone(&total);
    let observer: Observer = Arc::new(move |observe| {
        observe(&[], read.load(std::sync::atomic::Ordering::Relaxed) as f64);
    });
    fixture
        .metrics
        .observe("seen", "", "", InstrumentKind::Counter, observer);
    let jobs = fixture.metrics.counter("jobs").build();
    jobs.with([("queue", "mail")]).add(40);
    fixture.tick();
    for value in [1010, 1020, 5, 15] {
        total.store(value, std::sync::atomic::Ordering::Relaxed);
        fixture.tick();
    }
    let all = Duration::from_secs(24 * 3600);
    // The age of an observed total is not known, so its first reading is no increase.
    close(
        fixture.value(MetricQuery::increase("seen_total").window(all)),
        10.0 + 10.0 + 5.0 + 10.0,
    );

    // Idle series are freed; the series that is made afterwards starts at zero.
    for _ in 0..2 {
        fixture.metrics.expire();
        fixture.clock.advance(Duration::from_secs(2 * 3600 - 60));
        fixture.metrics.expire();
    }
    fixture.tick();
    jobs.with([("queue", "mail")]).add(2);
    fixture.tick();
    close(
        fixture.value(MetricQuery::increase("jobs_total").window(MINUTE)),
        2.0,
    );
}

#[test]
fn the_first_snapshot_has_the_increases_since_the_start() {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    let fixture = Fixture::new();
    let total = Arc::new(AtomicU64::new(1000));
    let observer = || -> Observer {
        let read = Arc::clone(&total);
        Arc::new(move |observe| observe(&[], read.load(Relaxed) as f64))
    };
    let kind = InstrumentKind::Counter;
    fixture.metrics.observe("older", "", "", kind, observer());
    fixture.metrics.observe_own("own", "", "", kind, observer());
    fixture.metrics.counter("jobs").build().add(3);
    fixture.history.begin();
    fixture.metrics.observe("later", "", "", kind, observer());
    total.store(1007, Relaxed);
    for _ in 0..2 {
        fixture.tick();
        let increase = |name| fixture.value(MetricQuery::increase(name).window(MINUTE));
        close(increase("older_total"), 7.0);
        close(increase("own_total"), 1007.0);
        close(increase("jobs_total"), 3.0);
        assert_eq!(increase("later_total"), Some(0.0));
    }
}

#[test]
fn what_is_too_old_or_does_not_fit_is_removed() {
    let config = HistoryConfig::default().memory_age(Duration::from_secs(600));
    let fixture = Fixture::with(&config);
    let jobs = fixture.metrics.counter("jobs").build();
    for _ in 0..200 {
        jobs.add(1);
        fixture.tick();
    }
    close(
        fixture.value(MetricQuery::increase("jobs_total").window(Duration::from_secs(86_400))),
        63.0,
    );
    let begins = fixture.history.begins_at().unwrap();
    assert_eq!(
        fixture.now().duration_since(begins).unwrap(),
        Duration::from_secs(630)
    );

    let config = HistoryConfig::default().max_memory_bytes(100_000);
    let fixture = Fixture::with(&config);
    let gauge = fixture.metrics.gauge("noise").build();
    for n in 0..600_u32 {
        for series in 0..50 {
            let value = f64::from(n).mul_add(0.37, f64::from(series)).sin();
            gauge.with([("n", series.to_string())]).set(value);
        }
        fixture.tick();
    }
    assert!(lock(&fixture.history.store).bytes() <= 100_000);
    let begins = fixture.history.begins_at().unwrap();
    let kept = fixture.now().duration_since(begins).unwrap();
    assert!(kept >= Duration::from_secs(600), "{kept:?}");
}

#[test]
fn a_query_that_makes_no_sense_is_refused_with_the_reason() {
    let fixture = Fixture::new();
    let at = |query: MetricQuery| fixture.history.at(&query, fixture.now()).unwrap_err();
    for rank in [-0.1, 1.1, f64::NAN, 95.0] {
        let error = at(MetricQuery::quantile(rank, NAME));
        assert!(
            error.is_query() && error.to_string().contains("from 0 to 1"),
            "{error}"
        );
    }
    assert!(at(MetricQuery::last(NAME).window(Duration::ZERO)).is_query());
    let range = |step| {
        let end = fixture.now() + Duration::from_secs(20_000);
        fixture
            .history
            .range(&MetricQuery::last(NAME), fixture.now(), end, step)
    };
    assert!(range(Duration::ZERO).unwrap_err().is_query());
    let error = range(Duration::from_secs(1)).unwrap_err().to_string();
    assert!(error.contains("20001 points"), "{error}");
    assert_eq!(range(MINUTE).unwrap(), []);
}

#[test]
fn a_snapshot_without_time_since_the_last_loses_nothing() {
    let fixture = Fixture::new();
    let jobs = fixture.metrics.counter("jobs").build();
    let took = fixture.metrics.histogram("took").unit("s").build();
    jobs.add(1);
    fixture.tick();
    for _ in 0..3 {
        jobs.add(5);
        took.record(0.5);
        fixture.history.record();
    }
    fixture.tick();
    close(fixture.value(MetricQuery::increase("jobs_total")), 16.0);
    close(fixture.value(MetricQuery::increase(NAME)), 3.0);
}

#[test]
fn a_series_that_was_idle_and_whose_handle_is_held_goes_on_where_it_was() {
    let fixture = Fixture::new();
    let mail = fixture
        .metrics
        .counter("jobs")
        .build()
        .with([("queue", "mail")]);
    let took = fixture
        .metrics
        .histogram("took")
        .unit("s")
        .build()
        .with([("route", "/a")]);
    mail.add(1_000_000);
    (0..100).for_each(|_| took.record(9.0));
    fixture.tick();
    for _ in 0..3 {
        fixture.metrics.expire();
        fixture.clock.advance(Duration::from_secs(3600));
        fixture.metrics.expire();
        fixture.tick();
    }
    assert_eq!(
        fixture.value(MetricQuery::increase("jobs_total")),
        None,
        "it is idle"
    );
    mail.add(1);
    took.record(0.5);
    fixture.tick();
    close(
        fixture.value(MetricQuery::increase("jobs_total").window(MINUTE)),
        1.0,
    );
    close(
        fixture.value(MetricQuery::increase(NAME).window(MINUTE)),
        1.0,
    );
    let p99 = fixture
        .value(MetricQuery::quantile(0.99, NAME).window(MINUTE))
        .unwrap();
    assert!((p99 / 0.5 - 1.0).abs() < 0.02, "{p99}");
}

#[test]
fn many_short_lived_series_do_not_empty_the_history() {
    let config = HistoryConfig::default().max_memory_bytes(1 << 20);
    let fixture = Fixture::with(&config);
    let jobs = fixture.metrics.counter("jobs").build();
    let short = fixture.metrics.counter("short").build();
    for n in 0..200 {
        jobs.add(1);
        for k in 0..20 {
            short.with([("n", format!("{n}-{k}"))]).add(1);
        }
        fixture.tick();
        assert!(lock(&fixture.history.store).bytes() <= 1 << 20);
    }
    // The registry's own limit is 2,000 series; the store has room for half as many.
    assert!(lock(&fixture.history.store).series() <= 1024);
    let kept = fixture.value(MetricQuery::increase("jobs_total").window(Duration::from_secs(7200)));
    assert!(kept.unwrap() >= 10.0, "{kept:?}");
}

#[test]
fn two_hours_are_covered_at_any_moment() {
    let fixture = Fixture::new();
    fixture.metrics.counter("jobs").build().add(1);
    // Snapshots are never exactly ten seconds apart.
    for _ in 0..1000 {
        fixture.clock.advance(Duration::from_millis(17));
        fixture.tick();
    }
    fixture.clock.advance(Duration::from_secs(9));
    let start = fixture.now() - Duration::from_secs(7200);
    assert!(fixture.history.begins_at().unwrap() <= start);
    let covered = fixture.history.covered(start, fixture.now());
    assert!(covered > Duration::from_secs(7180), "{covered:?}");
}

#[test]
fn a_range_that_ends_before_it_starts_is_refused() {
    let fixture = Fixture::new();
    let (now, earlier) = (fixture.now(), fixture.now() - MINUTE);
    let query = MetricQuery::last(NAME);
    assert!(
        fixture
            .history
            .range(&query, now, earlier, MINUTE)
            .unwrap_err()
            .is_query()
    );
    assert_eq!(fixture.history.range(&query, now, now, MINUTE).unwrap(), []);
}

#[test]
fn an_observed_total_that_is_absent_for_a_moment_loses_nothing() {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    let fixture = Fixture::new();
    let total = Arc::new(AtomicU64::new(100));
    let read = Arc::clone(&total);
    let observer: Observer = Arc::new(move |observe| match read.load(Relaxed) {
        0 => {}
        total => observe(&[], total as f64),
    });
    fixture
        .metrics
        .observe("seen", "", "", InstrumentKind::Counter, observer);
    for value in [100, 0, 0, 130, 140] {
        total.store(value, Relaxed);
        fixture.tick();
    }
    close(fixture.value(MetricQuery::increase("seen_total")), 40.0);
}

#[test]
fn a_series_that_returns_from_idleness_adds_only_what_is_new() {
    let fixture = Fixture::new();
    let jobs = fixture.metrics.counter("jobs").build();
    let took = fixture.metrics.histogram("took").unit("s").build();
    jobs.add(100);
    took.record(1.0);
    fixture.tick();
    for _ in 0..2 {
        fixture.metrics.expire();
        fixture.clock.advance(Duration::from_secs(2 * 3600));
        fixture.metrics.expire();
    }
    fixture.tick();
    fixture.tick();
    // The handles were held all the time, so the series return with their totals.
    jobs.add(3);
    took.record(1.0);
    fixture.tick();
    close(
        fixture.value(MetricQuery::increase("jobs_total").window(MINUTE)),
        3.0,
    );
    close(
        fixture.value(MetricQuery::increase(NAME).window(MINUTE)),
        1.0,
    );
}
