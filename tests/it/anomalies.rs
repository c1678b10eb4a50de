//! Anomalies of watched series: hooks, episodes, the history's flags, and what is kept over a restart.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::routing::get;
use watchpost::Subscription;
use watchpost::anomaly::{
    Anomaly, AnomalyChange, AnomalyConfig, AnomalyKind, AnomalyState, Assessment, Detector,
    Direction, Observation, OddSeries, Onset, ThreeSigma, WatchedFigure, WatchedSeries,
};
use watchpost::db::{ConnectionPool, DbSystem, PoolState};
use watchpost::history::MetricQuery;
use watchpost::metrics::Gauge;
use watchpost::testing::Harness;
use watchpost::trace::{SamplerKind, TraceConfig};

use crate::support::{get_request, send};

const STEP: Duration = Duration::from_secs(10);
const TEMPERATURE: &str = "room_temperature_celsius";

/// A harness that watches only what the test watches.
fn harness() -> Harness {
    Harness::with(|builder| builder.anomaly(AnomalyConfig::default().default_series(false)))
}

fn stored(directory: &Path) -> Harness {
    Harness::with(|builder| {
        let anomaly = AnomalyConfig::default().default_series(false);
        builder.anomaly(anomaly).data_dir(directory)
    })
}

fn temperature(harness: &Harness) -> Gauge {
    let gauge = harness.metrics().gauge("room.temperature");
    gauge.unit("Cel").build()
}

/// Takes snapshots with usual values.
fn steady(harness: &Harness, gauge: &Gauge, steps: u32) {
    for n in 0..steps {
        gauge.set(f64::from(20 + n % 3));
        next(harness);
    }
}

fn next(harness: &Harness) {
    harness.advance(STEP);
    harness.snapshot();
}

/// Takes a snapshot with this value.
fn odd(harness: &Harness, gauge: &Gauge, value: f64) {
    gauge.set(value);
    next(harness);
}

type Reports = Arc<Mutex<Vec<Anomaly>>>;

fn listen(harness: &Harness) -> (Reports, Subscription) {
    let reports = Reports::default();
    let seen = Arc::clone(&reports);
    let subscription =
        harness.on_anomaly(move |anomaly| seen.lock().unwrap().push(anomaly.clone()));
    (reports, subscription)
}

fn take(reports: &Reports) -> Vec<Anomaly> {
    std::mem::take(&mut reports.lock().unwrap())
}

fn count(harness: &Harness, name: &str) -> f64 {
    harness
        .page()
        .sum(&format!("watchpost_anomaly_{name}_total"), &[])
}

fn watched(harness: &Harness) -> WatchedSeries {
    let mut all = harness.watched_series();
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

#[test]
fn a_hook_is_called_at_the_begin_and_the_end_until_it_is_unsubscribed() {
    let harness = harness();
    let gauge = temperature(&harness);
    gauge.watch();
    let (reports, subscription) = listen(&harness);
    steady(&harness, &gauge, 100);
    assert_eq!(take(&reports), []);
    let series = watched(&harness);
    assert!(!series.learning && !series.anomalous);
    assert!(series.lower < 20.0 && series.upper > 22.0 && series.upper < 400.0);
    // One band in 90 snapshots.
    let [band] = &series.bands[..] else {
        panic!("{:?}", series.bands);
    };
    assert_eq!(band.at, harness.now() - STEP * 10);
    assert!(band.lower < 20.0 && band.upper > 22.0 && band.expected.round() == 21.0);

    odd(&harness, &gauge, 500.0);
    let [begun] = &take(&reports)[..] else {
        panic!("one report");
    };
    assert_eq!(
        (begun.state, begun.kind),
        (AnomalyState::Began, AnomalyKind::Spike)
    );
    assert_eq!(
        (&*begun.metric, begun.figure),
        (TEMPERATURE, WatchedFigure::Value)
    );
    assert_eq!((begun.value, begun.expected.round()), (500.0, 21.0));
    assert!(begun.upward && begun.score > 1.0 && begun.until.is_none());
    assert_eq!(begun.since, harness.now());
    let sentence = format!("{TEMPERATURE} is 500, usually ");
    assert!(begun.sentence.starts_with(&sentence), "{}", begun.sentence);
    assert!(!begun.sentence.contains("hour"), "{}", begun.sentence);
    assert_eq!(harness.page().sum("watchpost_anomalies_open", &[]), 1.0);

    steady(&harness, &gauge, 60);
    let [ended] = &take(&reports)[..] else {
        panic!("one report");
    };
    assert_eq!(
        (ended.number, ended.state),
        (begun.number, AnomalyState::Back)
    );
    assert_eq!(ended.since, begun.since);
    assert!(ended.until.is_some_and(|until| until > begun.since));
    assert!(
        ended.sentence.contains(" is back to 2"),
        "{}",
        ended.sentence
    );
    assert_eq!(harness.page().sum("watchpost_anomalies_open", &[]), 0.0);
    assert_eq!(harness.page().sum("watchpost_anomalies_total", &[]), 1.0);

    steady(&harness, &gauge, 1000);
    let bands = watched(&harness).bands;
    assert_eq!(bands.len(), 8);
    assert!(
        bands
            .windows(2)
            .all(|two| two[0].at + STEP * 90 == two[1].at)
    );

    drop(subscription);
    odd(&harness, &gauge, 5000.0);
    assert_eq!(harness.anomalies().len(), 2);
    assert_eq!(take(&reports), []);
    assert_eq!(count(&harness, "reports"), 2.0);
    assert_eq!(count(&harness, "reports_delivered"), 2.0);
}

#[test]
fn a_hook_that_panics_is_counted_and_stops_no_other() {
    let harness = harness();
    let gauge = temperature(&harness);
    gauge.watch().false_alarms(1000.0);
    let panics = harness.on_anomaly(|_| panic!("a hook of the test"));
    let (reports, _subscription) = listen(&harness);
    // What was seen before is less odd, so each is much higher than the one before.
    for value in [1e3, 1e5, 1e7, 1e9, 1e11, 1e13] {
        steady(&harness, &gauge, 100);
        odd(&harness, &gauge, value);
    }
    steady(&harness, &gauge, 60);
    let reported = take(&reports).len();
    assert!(reported >= 10, "{reported}");
    // After five panics, the hook is not called any more.
    assert_eq!(count(&harness, "hook_panics"), 5.0);
    assert_eq!(count(&harness, "reports"), reported as f64);
    assert_eq!(count(&harness, "reports_delivered"), reported as f64);
    assert_eq!(count(&harness, "reports_dropped"), 0.0);
    panics.detach();
}

#[test]
fn simultaneous_anomalies_are_one_episode_with_ranked_members() {
    let harness = harness();
    harness.watch(TEMPERATURE).unwrap();
    let all = temperature(&harness);
    let rooms = ["a", "b", "c"].map(|room| all.with([("room", room)]));
    let steady = |steps: u32| {
        for n in 0..steps {
            for room in &rooms {
                room.set(f64::from(20 + n % 3));
            }
            next(&harness);
        }
    };
    steady(100);
    rooms[0].set(500.0);
    rooms[1].set(900.0);
    next(&harness);
    let during = harness.now();
    rooms[2].set(700.0);
    next(&harness);
    steady(120);
    rooms[2].set(9000.0);
    next(&harness);

    let episodes = harness.episodes();
    let members: Vec<Vec<_>> = episodes
        .iter()
        .map(|episode| {
            let members = episode.members.iter();
            members.map(|member| &*member.labels[0].1).collect()
        })
        .collect();
    assert_eq!(members, [vec!["c"], vec!["b", "c", "a"]]);
    assert!(episodes[0].until.is_none() && episodes[1].until.is_some());
    assert_eq!(episodes[1].since, during);

    let rooms_of = |odd: Vec<OddSeries>| -> Vec<String> {
        let labels = odd.into_iter().map(|it| it.labels[0].1.clone());
        labels.collect()
    };
    assert_eq!(rooms_of(harness.odd_at(during)), ["b", "a"]);
    assert_eq!(rooms_of(harness.odd_at(during + STEP)), ["b", "c", "a"]);
    assert_eq!(
        rooms_of(harness.odd_between(during - STEP * 50, during - STEP)),
        [""; 0]
    );
    let whole = rooms_of(harness.odd_between(during, harness.now()));
    assert_eq!(whole, ["c", "b", "c", "a"]);
}

#[test]
fn the_history_has_a_flag_beside_the_odd_value() {
    let harness = harness();
    let gauge = temperature(&harness);
    gauge.watch();
    steady(&harness, &gauge, 100);
    odd(&harness, &gauge, 500.0);
    let at = harness.now();
    steady(&harness, &gauge, 3);
    let query = MetricQuery::last(TEMPERATURE).window(STEP);
    let series = harness
        .history()
        .range(&query, at - STEP * 3, at + STEP * 3, STEP);
    let points = &series.unwrap()[0].points;
    let flags: Vec<_> = points.iter().map(|point| point.is_anomaly).collect();
    let odd: Vec<_> = points.iter().map(|point| point.value == 500.0).collect();
    assert_eq!(flags, odd);
    assert_eq!(flags.iter().filter(|flag| **flag).count(), 1);
}

/// The labels, the score and whether the anomaly is known, of what was odd at a time.
fn odd_at(harness: &Harness, time: SystemTime) -> Vec<(String, f64, bool)> {
    let odd = harness.odd_at(time).into_iter();
    odd.map(|it| {
        assert_eq!(it.metric, TEMPERATURE);
        (it.name, it.score, it.anomaly.is_some())
    })
    .collect()
}

#[test]
fn what_was_odd_before_the_last_anomalies_is_read_from_the_history() {
    let directory = tempfile::tempdir().unwrap();
    let harness = stored(directory.path());
    let above = |_| Above {
        limit: 100.0,
        is_open: false,
    };
    harness.watch(TEMPERATURE).unwrap().detector(above);
    let gauge = temperature(&harness);
    let rooms: Vec<_> = (0..502)
        .map(|n| gauge.with([("room", n.to_string())]))
        .collect();
    let set = |values: &dyn Fn(usize) -> f64| {
        for (n, room) in rooms.iter().enumerate() {
            room.set(values(n));
        }
        next(&harness);
        harness.now()
    };
    set(&|_| 20.0);
    let first = set(&|n| match n {
        7 => 500.0,
        8 => 1900.0,
        _ => 20.0,
    });
    let known =
        |n: u32, score: f64, known: bool| (format!("{TEMPERATURE}{{room={n}}}"), score, known);
    let odd = odd_at(&harness, first);
    assert_eq!(odd, [known(8, 19.0, true), known(7, 5.0, true)]);
    set(&|_| 20.0);
    harness.advance(Duration::from_secs(600));
    // All others at once: there is no room for the first two in the list.
    let last = set(&|n| if n == 7 || n == 8 { 20.0 } else { 200.0 });
    assert_eq!(harness.anomalies().len(), 500);
    let before = [known(8, 16.0, false), known(7, 4.0, false)];
    assert_eq!(odd_at(&harness, first), before);
    let odd = harness.odd_at(first).remove(0);
    assert_eq!((odd.since, odd.until), (first, Some(first)));
    assert_eq!(odd.labels, [("room".to_owned(), "8".to_owned())]);
    assert_eq!(odd_at(&harness, last).len(), 500);
    let all = harness.odd_between(first, last);
    assert_eq!(all.len(), 502);
    assert!(all.is_sorted_by(|one, other| one.score >= other.score));
    assert_eq!(odd_at(&harness, first - STEP), []);

    // The list is lost, and what the history has is on the disk.
    harness.shutdown_blocking(Duration::from_secs(20)).unwrap();
    drop(harness);
    std::fs::remove_file(directory.path().join("anomalies")).unwrap();
    let two = stored(directory.path());
    two.advance(Duration::from_secs(3000));
    next(&two);
    assert_eq!(two.anomalies(), []);
    assert_eq!(odd_at(&two, first), before);
    assert_eq!(odd_at(&two, last).len(), 500);
}

#[test]
fn a_restored_anomaly_of_a_series_that_does_not_return_ends() {
    let directory = tempfile::tempdir().unwrap();
    {
        let one = stored(directory.path());
        let gauge = temperature(&one);
        gauge.watch();
        steady(&one, &gauge, 100);
        odd(&one, &gauge, 500.0);
        one.shutdown_blocking(Duration::from_secs(20)).unwrap();
    }
    let open = |harness: &Harness| harness.page().sum("watchpost_anomalies_open", &[]);
    let begun = {
        let two = stored(directory.path());
        let (reports, _subscription) = listen(&two);
        // It is under way for as long as the series may return, also over another restart.
        for _ in 0..300 {
            next(&two);
        }
        assert_eq!((open(&two), take(&reports)), (1.0, vec![]));
        two.shutdown_blocking(Duration::from_secs(20)).unwrap();
        two.anomalies().remove(0)
    };
    let three = stored(directory.path());
    let (reports, _subscription) = listen(&three);
    for _ in 0..420 {
        next(&three);
    }
    let [gone] = &take(&reports)[..] else {
        panic!("one report");
    };
    assert_eq!(
        (gone.number, gone.state),
        (begun.number, AnomalyState::Gone)
    );
    assert!(gone.until.is_some());
    let sentence = format!("{TEMPERATURE} is not watched any more, after ");
    assert!(gone.sentence.starts_with(&sentence), "{}", gone.sentence);
    assert_eq!(open(&three), 0.0);
    // What is normal is still known.
    let gauge = temperature(&three);
    gauge.watch();
    steady(&three, &gauge, 2);
    assert!(!watched(&three).learning);
}

/// Reports values above a limit.
struct Above {
    limit: f64,
    is_open: bool,
}

impl Detector for Above {
    fn observe(&mut self, observation: &Observation) -> Assessment {
        let is_above = observation.value > self.limit;
        assert!(observation.value < 1e6, "a detector of the test panics");
        let mut assessment = Assessment::unknown();
        assessment.learning = false;
        assessment.score = observation.value / self.limit;
        assessment.anomalous = is_above;
        if is_above && !self.is_open {
            let onset = Onset::new(AnomalyKind::Spike, true, observation.time);
            assessment.change = Some(AnomalyChange::Began(onset));
        } else if self.is_open && !is_above {
            assessment.change = Some(AnomalyChange::Back);
        }
        self.is_open = is_above;
        assessment
    }
}

#[test]
fn a_detector_of_the_host_drives_the_hooks() {
    let harness = harness();
    let jobs = harness.metrics().counter("jobs").build();
    let mails = jobs.with([("queue", "mail")]);
    let above = |_| Above {
        limit: 100.0,
        is_open: false,
    };
    harness
        .watch("jobs_total{queue=mail}")
        .unwrap()
        .detector(above);
    let (reports, _subscription) = listen(&harness);
    let add = |n| {
        mails.add(n);
        jobs.add(1_000);
        next(&harness);
        take(&reports)
    };
    assert_eq!(
        add(5000),
        [],
        "the time of the first snapshot is not a step"
    );
    assert_eq!(add(50), []);
    let begun = add(300);
    assert_eq!((begun.len(), begun[0].state), (1, AnomalyState::Began));
    // Rates are per second.
    assert_eq!(
        (begun[0].value, begun[0].figure),
        (30.0, WatchedFigure::Rate)
    );
    assert_eq!(begun[0].name, "jobs_total{queue=mail}");
    let ended = add(70);
    assert_eq!((ended.len(), ended[0].state), (1, AnomalyState::Back));
    // A detector that flaps reports no more than once in fifty steps.
    assert_eq!(add(300), []);
    assert_eq!(harness.watched_series().len(), 1);

    for _ in 0..50 {
        add(50);
    }
    assert_eq!(add(300).len(), 1);
    let reports = add(2_000_000);
    assert_eq!((reports.len(), reports[0].state), (1, AnomalyState::Gone));
    let notices = harness.notices().join("\n");
    assert!(
        notices.contains("the detector of jobs_total{queue=mail} panicked"),
        "{notices}"
    );
    assert_eq!(add(300), []);
}

#[test]
fn how_a_series_is_judged_can_be_set_and_a_watch_be_stopped() {
    let harness = harness();
    let gauge = temperature(&harness);
    let (reports, _subscription) = listen(&harness);
    let watch = gauge.watch().direction(Direction::Down);
    steady(&harness, &gauge, 100);
    odd(&harness, &gauge, 500.0);
    assert_eq!(take(&reports), []);
    // What was learned stays.
    let watch = watch.direction(Direction::Both).minimum_difference(2_000.0);
    steady(&harness, &gauge, 100);
    assert!(!watched(&harness).learning);
    odd(&harness, &gauge, 1_900.0);
    assert_eq!(take(&reports), []);
    odd(&harness, &gauge, 9_000.0);
    assert_eq!(take(&reports).len(), 1);
    let watch = watch.minimum_difference(4_000.0);
    next(&harness);
    let [rejudged] = &take(&reports)[..] else {
        panic!("one report");
    };
    assert_eq!(rejudged.state, AnomalyState::Rejudged);
    let sentence = format!("{TEMPERATURE} is judged by other settings from now on, after ");
    assert!(
        rejudged.sentence.starts_with(&sentence),
        "{}",
        rejudged.sentence
    );
    steady(&harness, &gauge, 100);
    odd(&harness, &gauge, 90_000.0);
    assert_eq!(take(&reports).len(), 1);
    watch.stop();
    next(&harness);
    let [gone] = &take(&reports)[..] else {
        panic!("one report");
    };
    assert_eq!(gone.state, AnomalyState::Gone);
    assert!(harness.watched_series().is_empty());
    let error = harness.watch("not a series").unwrap_err().to_string();
    assert!(error.contains("`not a series` names no series"), "{error}");
}

#[test]
fn more_series_than_there_is_room_for_are_counted() {
    let harness = Harness::with(|builder| {
        builder.anomaly(AnomalyConfig::default().default_series(false).max_series(2))
    });
    harness.watch(TEMPERATURE).unwrap();
    let gauge = temperature(&harness);
    for room in ["a", "b", "c", "d", "e"] {
        gauge.with([("room", room)]).set(1.0);
    }
    next(&harness);
    let count = |state| {
        harness
            .page()
            .sum("watchpost_anomaly_series", &[("state", state)])
    };
    assert_eq!((count("watched"), count("left_out")), (2.0, 3.0));
    assert!(
        harness
            .notices()
            .join("\n")
            .contains("`anomaly.max_series`")
    );
}

/// Latencies of a route, by the clock of the harness.
#[tokio::test]
async fn a_slow_route_is_reported_in_a_sentence_with_its_traces() {
    let harness = Arc::new(Harness::with(|builder| {
        let anomaly = AnomalyConfig::default().false_alarms(1000.0);
        let trace = TraceConfig::default().sampler(SamplerKind::AlwaysOn);
        builder.trace(trace).anomaly(anomaly)
    }));
    harness.read_system();
    let millis = Arc::new(AtomicU64::new(0));
    let (of_handler, clock) = (Arc::clone(&millis), Arc::clone(&harness));
    let handler = move || {
        clock.advance(Duration::from_millis(of_handler.load(Relaxed)));
        async { "content" }
    };
    let app = Router::new()
        .route("/api/content", get(handler))
        .layer(harness.layer());
    let (reports, _subscription) = listen(&harness);
    let step = async |latencies: [u64; 4]| {
        let mut ids = Vec::new();
        for latency in latencies {
            millis.store(latency, Relaxed);
            let response = send(&app, get_request("/api/content")).await;
            ids.push(response.trace_id());
        }
        let used = Duration::from_millis(latencies.iter().sum());
        harness.advance(STEP.saturating_sub(used));
        harness.snapshot();
        ids
    };
    for n in 0..100 {
        step([200 + n % 7 * 10, 250, 200, 300 + n % 5 * 20]).await;
    }
    let of_route = || -> Vec<_> {
        let mut reports = take(&reports);
        reports.retain(|it| it.metric == "watchpost_http_time_to_headers_seconds");
        reports
    };
    assert_eq!(of_route(), []);
    let ids = step([1_900; 4]).await;
    let begun = of_route();
    let [slow] = &begun[..] else {
        panic!("one report: {begun:?}");
    };
    assert_eq!(slow.name, "p95 of GET /api/content");
    let sentence = "p95 of GET /api/content is 1.9 s, usually ";
    assert!(slow.sentence.starts_with(sentence), "{}", slow.sentence);
    assert_eq!(slow.figure, WatchedFigure::Quantile(0.95));
    assert!(!slow.traces.is_empty());
    assert!(
        slow.traces.iter().all(|trace| ids.contains(trace)),
        "{slow:?}"
    );
    let names: Vec<_> = harness
        .watched_series()
        .into_iter()
        .map(|it| it.name)
        .collect();
    for name in [
        "requests",
        "error rate",
        "memory",
        "log errors",
        "requests of GET /api/content",
    ] {
        assert!(names.iter().any(|known| known == name), "{name}: {names:?}");
    }
}

/// A pool of ten connections, three of them in use, for which two requests wait.
struct Pool;

impl ConnectionPool for Pool {
    fn state(&self) -> Option<PoolState> {
        Some(PoolState::new(3, 7).max(10).pending(2))
    }
}

#[tokio::test]
async fn each_default_series_is_watched() {
    let harness = Harness::new();
    // The CPU use is measured between two readings that are at least 100 ms of real time apart.
    while harness.read_system().cpu_utilization.is_none() {
        std::thread::sleep(Duration::from_millis(10));
    }
    let pool = Arc::new(Pool);
    harness.watch_pool("orders", &pool);
    harness
        .metrics()
        .watch_runtime("main", &tokio::runtime::Handle::current());
    let app = Router::new()
        .route("/api/content", get(async || "content"))
        .layer(harness.layer());
    let db = harness.db(DbSystem::Postgresql).namespace("shop");
    for _ in 0..3 {
        send(&app, get_request("/api/content")).await;
        db.query("SELECT * FROM orders WHERE id = 17").finish();
        harness
            .external("pay")
            .call("GET", "https://pay.example/charges")
            .status(200)
            .finish();
        harness.advance(STEP);
        harness.read_system();
        harness.snapshot();
    }
    let all = harness.watched_series();
    let names: Vec<_> = all.iter().map(|it| &*it.name).collect();
    for name in [
        "requests",
        "requests of GET /api/content",
        "error rate",
        "error rate of GET /api/content",
        "p95 of GET /api/content",
        "p95",
        "p95 of SELECT orders",
        "failure rate of SELECT orders",
        "p95 of calls to pay",
        "failure rate of calls to pay",
        "use of the pool orders",
        "queue of the pool orders",
        "queue of the runtime main",
        "memory",
        "CPU use",
        "log errors",
    ] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    let value = |name: &str| all.iter().find(|it| it.name == name).unwrap().value;
    assert_eq!(value("use of the pool orders"), 0.3);
    assert_eq!(value("queue of the pool orders"), 2.0);
    assert_eq!(value("error rate"), 0.0);
    assert!(value("CPU use") >= 0.0);
}

#[test]
fn handles_of_all_kinds_are_watched_and_three_sigma_reports() {
    let harness = harness();
    let jobs = harness
        .metrics()
        .counter("jobs")
        .build()
        .with([("queue", "mail")]);
    let level = harness.metrics().up_down_counter("level").build();
    let took = harness.metrics().histogram("took").unit("s").build();
    let gauge = temperature(&harness);
    jobs.watch().minimum_share(0.5);
    level.watch();
    took.watch().quantile(0.5);
    gauge
        .watch()
        .detector(|step| ThreeSigma::new(step).sigmas(5.0));
    let (reports, _subscription) = listen(&harness);
    let step = |temperature: f64| {
        jobs.add(20);
        level.add(1);
        took.record(0.1);
        odd(&harness, &gauge, temperature);
    };
    for n in 0..100 {
        step(f64::from(20 + n % 3));
    }
    let all = harness.watched_series();
    let figures: Vec<_> = all
        .iter()
        .map(|it| (&*it.name, it.figure.to_string()))
        .collect();
    for (name, figure) in [
        ("jobs_total{queue=mail}", "rate"),
        ("level", "value"),
        ("p50 of took_seconds", "p50"),
        (TEMPERATURE, "value"),
    ] {
        assert!(
            figures.contains(&(name, figure.to_owned())),
            "{name}: {figures:?}"
        );
    }
    assert_eq!(take(&reports), []);
    // Five standard deviations of the rule are not the limits of the default detector.
    step(27.0);
    let [begun] = &take(&reports)[..] else {
        panic!("one report");
    };
    assert_eq!(
        (&*begun.metric, begun.state),
        (TEMPERATURE, AnomalyState::Began)
    );
    assert!((begun.upper - 21.0 - 5.0 * 0.816).abs() < 0.3, "{begun:?}");
}

#[test]
fn what_was_learned_survives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let begun = {
        let one = stored(directory.path());
        let gauge = temperature(&one);
        gauge.watch();
        steady(&one, &gauge, 100);
        odd(&one, &gauge, 500.0);
        let report = one.shutdown_blocking(Duration::from_secs(20)).unwrap();
        assert!(report.is_complete());
        one.anomalies().remove(0)
    };
    let two = stored(directory.path());
    let gauge = temperature(&two);
    gauge.watch();
    let (reports, _subscription) = listen(&two);
    // The harness begins at the same time again: the process was away for about half an hour.
    two.advance(Duration::from_secs(3000));
    steady(&two, &gauge, 1);
    let series = watched(&two);
    assert!(!series.learning && series.anomalous, "{series:?}");
    assert_eq!(two.anomalies(), std::slice::from_ref(&begun));
    steady(&two, &gauge, 60);
    let [ended] = &take(&reports)[..] else {
        panic!("one report");
    };
    assert_eq!(
        (ended.number, ended.state),
        (begun.number, AnomalyState::Back)
    );
    assert_eq!(two.notices(), [""; 0]);
    odd(&two, &gauge, 5_000.0);
    assert_eq!(take(&reports)[0].number, begun.number + 1);
    two.shutdown_blocking(Duration::from_secs(20)).unwrap();
    drop(two);

    // After more than a week, what is normal is learned again.
    let three = stored(directory.path());
    let gauge = temperature(&three);
    gauge.watch();
    three.advance(Duration::from_secs(9 * 86_400));
    steady(&three, &gauge, 2);
    assert!(watched(&three).learning);
    assert_eq!(three.anomalies().len(), 2);
}

#[test]
fn a_state_that_cannot_be_used_is_reported_and_learned_again() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("anomalies");
    {
        let one = stored(directory.path());
        let gauge = temperature(&one);
        gauge.watch();
        steady(&one, &gauge, 100);
        one.shutdown_blocking(Duration::from_secs(20)).unwrap();
    }
    let good = std::fs::read(&file).unwrap();
    let mut flipped = good.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    for (bytes, learning, notice) in [
        (good, false, ""),
        (flipped, true, "is damaged"),
        (Vec::new(), true, "is damaged"),
    ] {
        std::fs::write(&file, bytes).unwrap();
        let two = stored(directory.path());
        let gauge = temperature(&two);
        gauge.watch();
        two.advance(Duration::from_secs(3000));
        steady(&two, &gauge, 1);
        assert_eq!(watched(&two).learning, learning, "{notice}");
        let notices = two.notices().join("\n");
        assert!(notices.contains(notice), "{notice}: {notices}");
        // It stores its own state.
        two.shutdown_blocking(Duration::from_secs(20)).unwrap();
    }
}
