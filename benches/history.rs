//! The cost of the history: `cargo bench --all-features --bench history`, and with a history of 30 days, which takes half an
//! hour to write, `cargo bench --all-features --bench history -- 30`.
//!
//! The load is that of a large service, with 2,000 series: 1,500 numbers and 500 histograms. 50 of the histograms are busy (30
//! populated buckets in ten seconds), 150 have some values and 300 have few. Times of queries are the best of several runs.

#![expect(clippy::cast_sign_loss, reason = "the numbers are not negative")]

use std::collections::BTreeSet;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use watchpost::history::{HistoryConfig, MetricQuery, ResultSeries};
use watchpost::metrics::{Counter, Gauge, Histogram};
use watchpost::testing::Harness;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// The time between two snapshots.
const TICK: Duration = Duration::from_secs(10);
const RUNS: u32 = 5;
/// The snapshots of an hour.
const TICKS: u32 = 360;

/// The series of a service, and what happens to them.
#[derive(Default)]
struct Load {
    counters: Vec<Counter>,
    gauges: Vec<Gauge>,
    levels: Vec<f64>,
    histograms: Vec<Histogram>,
    /// How many values each histogram has in ten seconds.
    per_tick: Vec<f64>,
    random: u64,
    /// The number of histograms with new values, and of their populated buckets, over all passes.
    populated: u64,
    is_counted: bool,
}

impl Load {
    fn service(harness: &Harness) -> Self {
        let mut load = Self::numbers(harness);
        let (histograms, _) = Self::histograms(harness, |n| match n {
            0..50 => 100.0,
            50..200 => 3.0,
            _ => 0.05,
        });
        load.per_tick = histograms.per_tick;
        load.histograms = histograms.histograms;
        load
    }

    fn numbers(harness: &Harness) -> Self {
        let metrics = harness.metrics();
        let counter = metrics.counter("jobs").build();
        let gauge = metrics.gauge("level").build();
        Self {
            counters: (0..1000).map(|n| counter.with(label(n))).collect(),
            gauges: (0..500).map(|n| gauge.with(label(n))).collect(),
            levels: (0..500).map(|n| f64::from(n % 50) * 1e6).collect(),
            random: 1,
            ..Self::default()
        }
    }

    fn histograms(harness: &Harness, per_tick: impl Fn(usize) -> f64) -> (Self, usize) {
        // A half of them are those of a summary.
        let metrics = harness.metrics();
        let histogram = metrics.histogram("took").unit("s").build();
        let requests = metrics.histogram("http.server.request.duration");
        let requests = requests.unit("s").build();
        let one = |n: usize| match n % 2 {
            0 => requests.with([
                ("http_route", format!("/{n}")),
                ("http_response_status_code", "200".to_owned()),
                ("watchpost_outcome", "completed".to_owned()),
            ]),
            _ => histogram.with(label(n)),
        };
        let load = Self {
            histograms: (0..500).map(one).collect(),
            per_tick: (0..500).map(per_tick).collect(),
            random: 1,
            ..Self::default()
        };
        (load, 500)
    }

    fn next(&mut self) -> u64 {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.random >> 33
    }

    /// A number from 0 to 1.
    fn random(&mut self) -> f64 {
        self.next() as f64 / (1_u64 << 31) as f64
    }

    /// A number around 0, with a deviation of 1.
    fn noise(&mut self) -> f64 {
        let sum: f64 = (0..4).map(|_| self.random() - 0.5).sum();
        sum * 3.0_f64.sqrt()
    }

    /// What happens in a time.
    fn pass(&mut self, time: Duration) {
        let ticks = time.as_secs_f64() / TICK.as_secs_f64();
        for n in 0..self.counters.len() {
            // A tenth of the counters count thousands, four tenths some, and the others seldom one.
            let by = match n % 10 {
                0 => (3000.0 + 200.0 * self.noise()) * ticks,
                1..5 => (20.0 + 5.0 * self.noise()) * ticks,
                _ if self.random() < 0.05 * ticks => 1.0,
                _ => 0.0,
            };
            self.counters[n].add(by.max(0.0) as u64);
        }
        for n in 0..self.gauges.len() {
            let level = self.levels[n];
            let value = match n % 5 {
                // A limit, a number of connections, bytes of memory, a share, and a level that seldom changes.
                0 => level,
                1 => (8.0 + 3.0 * self.noise()).round().max(0.0),
                2 => level + 4096.0 * (20.0 * self.noise()).round(),
                3 => (0.3 + 0.05 * self.noise()).abs(),
                _ if self.random() < 0.02 => level + (10.0 * self.random()).round(),
                _ => level,
            };
            if n % 5 == 2 {
                self.levels[n] = value.max(0.0);
            }
            self.gauges[n].set(value.max(0.0));
        }
        let mut buckets = BTreeSet::new();
        for n in 0..self.histograms.len() {
            let expected = self.per_tick[n] * ticks;
            let count = expected.floor() as u64 + u64::from(self.random() < expected.fract());
            // Each route has its own times: around 20 ms or more, with a tail.
            let typical = 0.02 * (1.0 + n as f64 / 100.0);
            buckets.clear();
            for _ in 0..count {
                let value = typical * (0.25 * self.noise()).exp();
                self.histograms[n].record(value);
                if self.is_counted {
                    buckets.insert((value.log2() * 32.0).ceil() as i64);
                }
            }
            self.populated += buckets.len() as u64;
        }
    }
}

fn label(n: usize) -> [(&'static str, String); 1] {
    [("n", n.to_string())]
}

/// The monitor takes a snapshot of its own each 40 minutes only; the others are taken by hand. The memory keeps what two
/// intervals more than its age cover: 2 h.
fn config() -> HistoryConfig {
    HistoryConfig::default()
        .interval(40 * MINUTE)
        .memory_age(40 * MINUTE)
}

fn stored(dir: &Path) -> Harness {
    let dir = dir.to_owned();
    Harness::with(move |builder| builder.history(config()).data_dir(dir))
}

/// Runs a service for a time. Returns how long each snapshot took.
fn run(harness: &Harness, load: &mut Load, time: Duration, every: Duration) -> Vec<Duration> {
    let mut took = Vec::new();
    for _ in 0..time.as_nanos() / every.as_nanos() {
        load.pass(every);
        harness.advance(every);
        let start = Instant::now();
        harness.snapshot();
        took.push(start.elapsed());
    }
    took
}

/// The bytes of the files whose names begin so.
fn bytes(dir: &Path, begin: &str) -> u64 {
    let entries = fs::read_dir(dir.join("history")).expect("the directory");
    let entries = entries.filter_map(Result::ok);
    let wanted = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(begin));
    wanted
        .filter_map(|entry| Some(entry.metadata().ok()?.len()))
        .sum()
}

fn resident() -> f64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|it| it.parse::<f64>().ok());
    pages.unwrap_or_default() * 4096.0 / f64::from(1 << 20)
}

fn temporary() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

fn show(name: &str, figure: impl std::fmt::Display) {
    println!("{name:<60} {figure:>12}");
}

fn time(name: &str, took: Duration) {
    show(name, format!("{:.1} ms", took.as_secs_f64() * 1000.0));
}

fn mean(took: &[Duration]) -> Duration {
    took.iter().sum::<Duration>() / u32::try_from(took.len()).unwrap_or(1)
}

fn main() {
    let days: Option<u32> = std::env::args().find_map(|argument| argument.parse().ok());
    memory();
    hour_on_disk();
    sizes();
    if let Some(days) = days {
        month(days);
    }
}

fn memory() {
    let harness = Harness::with(|builder| builder.history(config()));
    let before = resident();
    let mut load = Load::service(&harness);
    let took = run(&harness, &mut load, 2 * HOUR, TICK);
    time("a snapshot of 2,000 series", mean(&took));
    let slowest = took.iter().max().copied().unwrap_or_default();
    time("the slowest of 720", slowest);
    println!("{:?}", harness.history());
    show(
        "resident memory of the series and 2 h of their history",
        format!("{:.1} MiB", resident() - before),
    );
    let begins = harness.history().begins_at().expect("a snapshot");
    let kept = harness.now().duration_since(begins).unwrap_or_default();
    show("kept in memory", format!("{kept:?}"));
    let at = |name: &str, query: &MetricQuery| {
        best(name, || harness.history().at(query, harness.now()));
    };
    let rate = || MetricQuery::rate("jobs_total").window(HOUR);
    let p95 = || MetricQuery::quantile(0.95, "took_seconds").window(HOUR);
    at(
        "memory: 1,000 counters by label, total over 1 h",
        &rate().total(),
    );
    at("memory: 250 histograms merged, p95 of 1 h", &p95().total());
    at("memory: one histogram, p95 of 1 h", &p95().label("n", "7"));
    series_over_an_hour("memory", &harness, harness.now());
    best("memory: a summary of 1 h", || harness.summary(HOUR));
}

/// 1,000 series with 60 points each, and their total with 240.
fn series_over_an_hour(place: &str, harness: &Harness, now: SystemTime) {
    let rate = MetricQuery::rate("jobs_total").window(HOUR);
    best(&format!("{place}: 1,000 counters, rate over 1 h"), || {
        harness.history().at(&rate, now)
    });
    let p95 = MetricQuery::quantile(0.95, "took_seconds").window(HOUR);
    best(&format!("{place}: 250 histograms, p95 of 1 h each"), || {
        harness.history().at(&p95, now)
    });
    let each = MetricQuery::rate("jobs_total").window(MINUTE);
    best(
        &format!("{place}: 1,000 counters, 60 rates of 1 min each"),
        || {
            harness
                .history()
                .range(&each, now - HOUR + MINUTE, now, MINUTE)
        },
    );
    let total = each.total();
    best(&format!("{place}: their total, 240 rates of 1 min"), || {
        harness
            .history()
            .range(&total, now - HOUR, now, 15 * SECOND)
    });
}

fn best<T>(name: &str, read: impl Fn() -> watchpost::Result<T>) {
    let best = (0..RUNS).map(|_| {
        let start = Instant::now();
        black_box(read().expect("a valid query"));
        start.elapsed()
    });
    time(name, best.min().unwrap_or_default());
}

fn hour_on_disk() {
    let dir = temporary();
    let harness = stored(dir.path());
    let mut load = Load::service(&harness);
    let took = run(&harness, &mut load, HOUR, TICK);
    time(
        "a snapshot of 2,000 series and its record, synced",
        mean(&took),
    );
    let per_snapshot = bytes(dir.path(), "journal") / u64::from(TICKS);
    show("a record of the journal", format!("{per_snapshot} B"));
    let took = run(&harness, &mut load, TICK, TICK);
    time(
        "the segment of an hour, rolled up into minutes and an hour",
        mean(&took),
    );
    show("the segment", format!("{} B", bytes(dir.path(), "raw")));
    show("its minutes", format!("{} B", bytes(dir.path(), "minute")));
    drop(harness);
}

/// The bytes of a number, and of a populated bucket, in a segment of an hour.
fn sizes() {
    let hour = |make: &dyn Fn(&Harness) -> Load| {
        let dir = temporary();
        let harness = stored(dir.path());
        let mut load = make(&harness);
        load.is_counted = true;
        run(&harness, &mut load, HOUR, TICK);
        let journal = bytes(dir.path(), "journal") as f64;
        let populated = load.populated as f64;
        run(&harness, &mut load, TICK, TICK);
        let coarse = bytes(dir.path(), "minute") as f64;
        (bytes(dir.path(), "raw") as f64, journal, populated, coarse)
    };
    let own = hour(&|_| Load::default());
    let numbers = hour(&Load::numbers);
    let samples = 1500.0 * f64::from(TICKS);
    show(
        "a float sample in a segment",
        format!("{:.2} B", (numbers.0 - own.0) / samples),
    );
    show(
        "a float sample in the journal",
        format!("{:.2} B", (numbers.1 - own.1) / samples),
    );
    show(
        "a float series in a minute",
        format!("{:.2} B", (numbers.3 - own.3) / 1500.0 / 60.0),
    );
    for (name, per_tick) in [
        ("busy histograms", 100.0),
        ("histograms with 3 values", 3.0),
    ] {
        let busy = hour(&|harness| Load::histograms(harness, |_| per_tick).0);
        let buckets = busy.2 / 500.0 / f64::from(TICKS);
        show(
            &format!("{name}: populated buckets in 10 s"),
            format!("{buckets:.1}"),
        );
        show(
            "a populated bucket in a segment",
            format!("{:.2} B", (busy.0 - own.0) / busy.2),
        );
    }
}

/// A history of many days: snapshots every ten seconds for two days, every minute for the 13 days before, and every five
/// minutes before them. What is on the disk is as if all were taken every ten seconds: older ones are rolled up.
fn month(days: u32) {
    let dir = temporary();
    let hours = DAY * days.saturating_sub(15);
    let minutes = DAY * days.min(15).saturating_sub(2);
    let begun = Instant::now();
    let harness = stored(dir.path());
    let mut load = Load::service(&harness);
    run(&harness, &mut load, hours, 5 * MINUTE);
    run(&harness, &mut load, minutes, MINUTE);
    let took = run(&harness, &mut load, DAY * days.min(2), TICK);
    // A half of an hour is in the journal.
    run(&harness, &mut load, 30 * MINUTE, TICK);
    show("days written", days);
    show("in", format!("{:.0} s", begun.elapsed().as_secs_f64()));
    time("a snapshot and its record, at the end", mean(&took));
    let slowest = took.iter().max().copied().unwrap_or_default();
    time(
        "the slowest of two days, with segments and roll-ups",
        slowest,
    );
    for kind in ["raw", "minute", "hour", ""] {
        let size = bytes(dir.path(), kind) as f64 / f64::from(1 << 20);
        let name = if kind.is_empty() { "all" } else { kind };
        show(&format!("files: {name}"), format!("{size:.1} MiB"));
    }
    let (now, history) = (harness.now(), harness.history());
    // The memory has the last two hours.
    series_over_an_hour("files", &harness, now - 5 * HOUR);
    let month = DAY * days;
    let numbers = MetricQuery::rate("jobs_total").label("n", "1");
    let busy = MetricQuery::quantile(0.95, "took_seconds").label("n", "7");
    let gauge = MetricQuery::max("level").label("n", "3");
    for (name, query) in [
        ("counter", numbers),
        ("busy histogram", busy),
        ("gauge", gauge),
    ] {
        let points = query.clone().window(2 * HOUR);
        best(
            &format!("one {name} over {days} d, a point each 2 h"),
            || {
                let found = history.range(&points, now - month + 2 * HOUR, now, 2 * HOUR)?;
                assert!(
                    found[0].points.len() > 300 || days < 30,
                    "{}",
                    found[0].points.len()
                );
                Ok::<Vec<ResultSeries>, watchpost::Error>(found)
            },
        );
        let whole = query.window(month);
        best(&format!("one {name} over {days} d, one value"), || {
            history.at(&whole, now)
        });
    }
    let summary = || harness.summary(month);
    let requests = summary().expect("a summary").period.requests;
    assert!(requests.is_some_and(|requests| requests.count > 1_000_000));
    best(&format!("a summary of {days} d"), summary);
    best("a summary of 24 h", || harness.summary(DAY));
    drop(harness);
    reopening(dir.path(), now);
}

fn reopening(dir: &Path, end: SystemTime) {
    for _ in 0..3 {
        let harness = stored(dir);
        let since = end.duration_since(harness.now()).unwrap_or_default();
        let start = Instant::now();
        harness.advance(since + TICK);
        harness.snapshot();
        time("reopening, with a first snapshot", start.elapsed());
        let begins = harness.history().begins_at().expect("a snapshot");
        assert!(begins + HOUR < end, "another history is open");
    }
}
