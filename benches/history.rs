//! The cost of the history: `cargo bench --all-features --bench history`.
//!
//! 2,000 series, as a large service has them: 1,500 numbers and 500 histograms. Times are the best of several runs.

use std::hint::black_box;
use std::time::{Duration, Instant, SystemTime};

use watchpost::history::{HistoryConfig, MetricQuery};
use watchpost::metrics::{Counter, Gauge, Histogram};
use watchpost::testing::Harness;

const HOUR: Duration = Duration::from_secs(3600);
const TICK: Duration = Duration::from_secs(10);
const RUNS: u32 = 5;
const TICKS: u32 = 720;

struct Load {
    counters: Vec<Counter>,
    gauges: Vec<Gauge>,
    histograms: Vec<Histogram>,
    random: u64,
}

impl Load {
    fn new(harness: &Harness) -> Self {
        let metrics = harness.metrics();
        let counter = metrics.counter("jobs").build();
        let gauge = metrics.gauge("level").build();
        let histogram = metrics.histogram("took").unit("s").build();
        let label = |n: usize| [("n", n.to_string())];
        Self {
            counters: (0..1000).map(|n| counter.with(label(n))).collect(),
            gauges: (0..500).map(|n| gauge.with(label(n))).collect(),
            histograms: (0..500).map(|n| histogram.with(label(n))).collect(),
            random: 1,
        }
    }

    fn next(&mut self) -> u64 {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.random >> 40
    }

    /// A number from 0 to 1.
    fn random(&mut self) -> f64 {
        self.next() as f64 / (1_u64 << 24) as f64
    }

    /// What happens in ten seconds.
    fn pass(&mut self) {
        for n in 0..self.counters.len() {
            let by = self.next() % 50;
            // Half of the counters seldom change.
            if n % 2 == 0 || by > 45 {
                self.counters[n].add(by);
            }
        }
        for n in 0..self.gauges.len() {
            let value = (self.random() * 1000.0).round() / 10.0;
            self.gauges[n].set(value);
        }
        for n in 0..self.histograms.len() {
            for _ in 0..10 {
                let value = 0.005 * (1.0 + self.random() * 2.0).powi(2);
                self.histograms[n].record(value);
            }
        }
    }
}

fn main() {
    // The worker takes no snapshots of its own here, and the clock is moved by hand.
    let config = HistoryConfig::default()
        .interval(HOUR)
        .max_memory_bytes(1 << 30);
    let harness = Harness::with(|builder| builder.history(config));
    let mut load = Load::new(&harness);
    let (mut slowest, mut sum) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..TICKS {
        load.pass();
        harness.advance(TICK);
        let start = Instant::now();
        harness.snapshot();
        let took = start.elapsed();
        slowest = slowest.max(took);
        sum += took;
    }
    println!(
        "a snapshot of 2,000 series: {:?} on average, {slowest:?} at most",
        sum / TICKS
    );
    println!("{:?}", harness.history());
    let now = harness.now();
    row(
        &harness,
        now,
        "1,000 counters, rate over 1 h",
        &MetricQuery::rate("jobs_total").window(HOUR),
    );
    row(
        &harness,
        now,
        "1,000 counters by label, total",
        &MetricQuery::rate("jobs_total").window(HOUR).total(),
    );
    row(
        &harness,
        now,
        "500 histograms merged, p95 of 1 h",
        &MetricQuery::quantile(0.95, "took_seconds")
            .window(HOUR)
            .total(),
    );
    row(
        &harness,
        now,
        "one histogram, p95 of 1 h",
        &MetricQuery::quantile(0.95, "took_seconds")
            .label("n", "7")
            .window(HOUR),
    );
    let start = Instant::now();
    let query = MetricQuery::rate("jobs_total")
        .window(Duration::from_secs(60))
        .total();
    let range = harness
        .history()
        .range(&query, now - HOUR, now, Duration::from_secs(15));
    println!(
        "{:<40} {:>10.1?}",
        "1,000 counters, 240 rates of 1 min",
        start.elapsed()
    );
    black_box(range.is_ok());
    let start = Instant::now();
    black_box(harness.summary(HOUR).is_ok());
    println!("{:<40} {:>10.1?}", "a summary of 1 h", start.elapsed());
}

fn row(harness: &Harness, now: SystemTime, name: &str, query: &MetricQuery) {
    let best = (0..RUNS).map(|_| {
        let start = Instant::now();
        black_box(harness.history().at(query, now).is_ok());
        start.elapsed()
    });
    println!("{name:<40} {:>10.1?}", best.min().unwrap_or_default());
}
