//! The time that a detector takes for a sample, and that a snapshot takes to be judged: `cargo bench --features
//! history,testing --bench anomaly`.
//!
//! Beside the default detector stands the rule of three standard deviations. Each thousand samples count with their best of
//! several runs, so that other processes disturb little.

use std::hint::black_box;
use std::time::{Duration, Instant, SystemTime};

use watchpost::anomaly::{
    AdaptiveDetector, AnomalyConfig, Detector, DetectorConfig, Measure, Observation, ThreeSigma,
};
use watchpost::testing::Harness;

const STEP: Duration = Duration::from_secs(10);
const SAMPLES: usize = 100_000;
const PART: usize = 1000;
const RUNS: u32 = 25;
/// Detectors that take turns, as the series of a large service do: they do not fit into the fastest cache.
const SERIES: usize = 2000;

/// Noise around 100.
fn observations() -> Vec<Observation> {
    let (mut random, mut time) = (1_u64, SystemTime::UNIX_EPOCH);
    let mut unit = move || {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (random >> 40) as f64 / (1_u64 << 24) as f64
    };
    let mut next = || {
        time += STEP;
        let noise: f64 = (0..4).map(|_| unit() - 0.5).sum();
        Observation::new(time, (100.0 + 10.0 * noise).round())
    };
    (0..SAMPLES).map(|_| next()).collect()
}

fn measure(name: &str, observations: &[Observation], new: impl Fn() -> Box<dyn Detector>) {
    let mut best = vec![f64::MAX; SAMPLES / PART];
    for _ in 0..RUNS {
        let mut detector = new();
        for (best, part) in best.iter_mut().zip(observations.chunks(PART)) {
            let begun = Instant::now();
            for observation in part {
                black_box(detector.observe(observation));
            }
            *best = best.min(begun.elapsed().as_nanos() as f64 / PART as f64);
        }
    }
    println!(
        "{name:20} {:6.0} ns",
        best.iter().sum::<f64>() / best.len() as f64
    );
}

fn main() {
    let observations = observations();
    let adaptive = |measure| -> Box<dyn Detector> {
        Box::new(AdaptiveDetector::new(DetectorConfig::new(measure, STEP)))
    };
    measure("gauge", &observations, || adaptive(Measure::Gauge));
    measure("latency", &observations, || adaptive(Measure::Latency));
    measure("count", &observations, || adaptive(Measure::Count));
    measure("three standard dev.", &observations, || {
        Box::new(ThreeSigma::new(STEP))
    });

    let mut series: Vec<_> = (0..SERIES)
        .map(|_| AdaptiveDetector::new(DetectorConfig::new(Measure::Gauge, STEP)))
        .collect();
    let mut best = f64::MAX;
    for observation in observations.iter().take(300) {
        let begun = Instant::now();
        for detector in &mut series {
            black_box(detector.observe(observation));
        }
        best = best.min(begun.elapsed().as_secs_f64() * 1000.0);
    }
    println!("{:20} {best:6.2} ms a step", format!("{SERIES} series"));
    println!(
        "{:20} {:6} bytes",
        "a detector",
        size_of::<AdaptiveDetector>()
    );

    let (alone, watched) = (snapshot(0), snapshot(SERIES));
    println!(
        "{:20} {:6.2} ms of {watched:.2} ms",
        "a judged snapshot",
        watched - alone
    );
}

/// Measures how many milliseconds a snapshot of `SERIES` series takes, the best of several. Half of the series are gauges, half
/// are counters. `watched` of them are watched.
fn snapshot(watched: usize) -> f64 {
    let config = AnomalyConfig::default().default_series(false);
    let harness = Harness::with(|builder| builder.anomaly(config).console(false));
    let gauge = harness.metrics().gauge("level").build();
    let counter = harness.metrics().counter("jobs").build();
    let series: Vec<_> = (0..SERIES / 2)
        .map(|n| {
            let labels = [("series", n.to_string())];
            (gauge.with(labels.clone()), counter.with(labels))
        })
        .collect();
    for (gauge, counter) in series.iter().take(watched / 2) {
        gauge.watch();
        counter.watch();
    }
    let mut best = f64::MAX;
    for n in 0..200_u32 {
        for (gauge, counter) in &series {
            gauge.set(f64::from(100 + n * 7 % 13));
            counter.add(u64::from(3 + n * 5 % 4));
        }
        harness.advance(STEP);
        let begun = Instant::now();
        harness.snapshot();
        best = best.min(begun.elapsed().as_secs_f64() * 1000.0);
    }
    best
}
