//! The time of one evaluation of all alert rules: `cargo bench --features alerts,testing --bench alerts`.
//!
//! There are 200 rules over 10,000 series: each series is read by two rules, and half of the rules have an alert for each
//! label set. The best of several rounds counts. A round uses one thread. On Linux, the time is what that thread had of a CPU,
//! so that other processes disturb little; the elapsed time stands beside it.
//!
//! The instructions of a round, with the path of the program that `cargo bench` prints:
//!
//! ```sh
//! valgrind --tool=callgrind --collect-atstart=no --toggle-collect='*evaluate_all_rules*' target/release/deps/alerts-*
//! ```

use std::hint::black_box;
use std::time::{Duration, Instant};

use watchpost::alerts::{AlertsConfig, Bound, Rule};
use watchpost::anomaly::AnomalyConfig;
use watchpost::history::MetricQuery;
use watchpost::metrics::{Counter, Gauge, Histogram};
use watchpost::testing::Harness;

const SNAPSHOT: Duration = Duration::from_secs(10);
const WINDOW: Duration = Duration::from_secs(300);
/// A quarter of an hour: the longest window of the rules, three times.
const SNAPSHOTS: u32 = 90;
/// Metrics of each kind, and the series of each of them: 10,000 series.
const GAUGES: usize = 40;
const COUNTERS: usize = 40;
const HISTOGRAMS: usize = 20;
const SERIES: usize = 100;
const ROUNDS: u32 = 20;
/// The most milliseconds that a round may take.
const GOAL: f64 = 200.0;

/// The handles of the series of each kind.
struct AllSeries {
    gauges: Vec<Gauge>,
    counters: Vec<Counter>,
    histograms: Vec<Histogram>,
}

impl AllSeries {
    fn new(harness: &Harness) -> Self {
        let metrics = harness.metrics();
        let labels = |n: usize| [("shard", n.to_string())];
        let names = |kind: &'static str, count| (0..count).map(move |n| format!("{kind}_{n}"));
        let gauges = names("level", GAUGES).flat_map(|name| {
            let gauge = metrics.gauge(&name).build();
            (0..SERIES).map(move |n| gauge.with(labels(n)))
        });
        let counters = names("jobs", COUNTERS).flat_map(|name| {
            let counter = metrics.counter(&name).build();
            (0..SERIES).map(move |n| counter.with(labels(n)))
        });
        let histograms = names("took", HISTOGRAMS).flat_map(|name| {
            let histogram = metrics.histogram(&name).unit("s").build();
            (0..SERIES).map(move |n| histogram.with(labels(n)))
        });
        Self {
            gauges: gauges.collect(),
            counters: counters.collect(),
            histograms: histograms.collect(),
        }
    }

    /// Gives each series a new value, and takes a snapshot.
    fn go_on(&self, harness: &Harness, step: u32) {
        for (n, gauge) in self.gauges.iter().enumerate() {
            gauge.set(f64::from(step * 7 % 13) + (n % 100) as f64);
        }
        for (n, counter) in self.counters.iter().enumerate() {
            counter.add(u64::from(3 + step * 5 % 4) + n as u64 % 7);
        }
        for (n, histogram) in self.histograms.iter().enumerate() {
            for value in 1..=4 {
                histogram.record(f64::from(value + step % 5) * 0.01 + n as f64 * 1e-5);
            }
        }
        harness.advance(SNAPSHOT);
        harness.snapshot();
    }
}

/// Two rules for each metric. Some label sets of the gauges fire and end again.
fn rules() -> Vec<Rule> {
    let mut rules = Vec::new();
    for n in 0..GAUGES {
        let metric = format!("level_{n}");
        let each = MetricQuery::last(&metric).by(["shard"]);
        let mean = MetricQuery::mean(&metric).total().window(WINDOW);
        rules.push(Rule::threshold(
            format!("{metric} each"),
            each,
            Bound::above(98.5),
        ));
        rules.push(Rule::threshold(
            format!("{metric} mean"),
            mean,
            Bound::above(1e9),
        ));
    }
    for n in 0..COUNTERS {
        let metric = format!("jobs_{n}_total");
        let rate = MetricQuery::rate(&metric).by(["shard"]).window(WINDOW);
        let part = MetricQuery::increase(&metric).label("shard", "7");
        let whole = MetricQuery::increase(&metric).total().window(WINDOW);
        let share = Rule::ratio(
            format!("{metric} share"),
            part.total().window(WINDOW),
            whole,
            Bound::above(0.5),
        );
        rules.push(Rule::threshold(
            format!("{metric} rate"),
            rate,
            Bound::above(1e9),
        ));
        rules.push(share.min_samples(20));
    }
    for n in 0..HISTOGRAMS {
        let metric = format!("took_{n}_seconds");
        let slow = MetricQuery::quantile(0.95, &metric)
            .by(["shard"])
            .window(WINDOW);
        let slow = Rule::threshold(format!("{metric} each"), slow, Bound::above(1.0));
        rules.push(slow.min_samples(20));
        let name = format!("{metric} all");
        rules.push(Rule::quantile(name, 0.95, &metric, Bound::above(1.0)));
    }
    rules
}

/// How long this thread has been on a CPU. `None` where the system does not say.
fn time_on_cpu() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanos = text.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}

#[inline(never)]
fn evaluate_all_rules(harness: &Harness) {
    black_box(harness).evaluate_alerts();
}

fn main() {
    let harness = Harness::with(|builder| {
        let builder = builder.anomaly(AnomalyConfig::default().default_series(false));
        let alerts = AlertsConfig::default().default_rules(false);
        builder.alerts(alerts).console(false)
    });
    let rules = rules();
    let count = rules.len();
    for rule in rules {
        harness.alerts().add_rule(rule).expect("a valid rule");
    }
    let all = AllSeries::new(&harness);
    let series = all.gauges.len() + all.counters.len() + all.histograms.len();
    (0..SNAPSHOTS).for_each(|step| all.go_on(&harness, step));
    let (mut best, mut best_elapsed) = (f64::MAX, f64::MAX);
    for round in 0..ROUNDS {
        // Three snapshots are between two evaluations.
        (0..3).for_each(|step| all.go_on(&harness, SNAPSHOTS + round * 3 + step));
        let (begun, on_cpu) = (Instant::now(), time_on_cpu());
        evaluate_all_rules(&harness);
        let (elapsed, later) = (begun.elapsed(), time_on_cpu());
        let used = on_cpu.zip(later).map(|(from, to)| to.saturating_sub(from));
        let millis = |time: Duration| time.as_secs_f64() * 1000.0;
        best = best.min(millis(used.unwrap_or(elapsed)));
        best_elapsed = best_elapsed.min(millis(elapsed));
    }
    let alerts = harness.alerts();
    assert!(alerts.failures().is_empty(), "{:?}", alerts.failures());
    let firing = alerts.list().len();
    let verdict = if best <= GOAL { "met" } else { "missed" };
    println!("{count} rules, {series} series, {firing} alerts");
    println!(
        "a round {best:8.2} ms, its goal is {GOAL} ms: {verdict}; elapsed {best_elapsed:.2} ms"
    );
}
