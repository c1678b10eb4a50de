//! The figures of the default detector: false alarms on clean series by knob, what is found of what is injected, the scores
//! of the Numenta Anomaly Benchmark, and the time a sample takes. `tests/long/run anomaly` runs it.
//!
//! All figures come from one run. Each table is printed for people, and as a line `result: {..}`. The exit code is 1 if a
//! figure is out of its bounds. The benchmark's series are read from the folder in `WATCHPOST_NAB`.

#[allow(dead_code, unused_imports, reason = "a part of the crate on its own")]
#[path = "detectors.rs"]
mod anomaly;
#[path = "../../anomaly/changes.rs"]
mod changes;
#[path = "../../anomaly/figures.rs"]
mod figures;
mod nab;
#[path = "../../anomaly/shapes.rs"]
mod shapes;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{env, hint, thread};

use crate::anomaly::{
    AdaptiveDetector, AnomalyChange, Detector, DetectorConfig, Measure, Observation, ThreeSigma,
};
use crate::changes::CHANGES;
use crate::figures::{Found, Watched, at, hits, median_delay, quiet};
use crate::nab::Score;
use crate::shapes::{Generator, Injected, SHAPES, Shape};

const KNOBS: [f64; 11] = [1.0, 2.0, 3.0, 4.0, 6.0, 9.0, 12.0, 15.0, 20.0, 25.0, 30.0];
const DEFAULT: f64 = 3.0;
/// Of each shape: 8 series of 30 days, so that all shapes together have 3,360 days for each knob.
const SERIES: u64 = 8;
const DAYS: u32 = 30;
/// At a step of five minutes.
const SLOW_SERIES: u64 = 10;
const SLOW_DAYS: u32 = 60;
const SLOW_STEP: u32 = 300;
/// Of each change.
const REPEATS: u64 = 60;
const HISTORY_DAYS: u32 = 8;
/// The knob for the benchmark.
const NAB_KNOB: f64 = 16.0;
const NAB_KNOBS: [f64; 9] = [3.0, 6.0, 9.0, 12.0, 14.0, 15.0, 16.0, 18.0, 20.0];
const THREADS: usize = 2;

fn main() -> ExitCode {
    let mut problems = Vec::new();
    false_alarms(&mut problems);
    false_alarms_of_slow_series();
    for knob in [9.0, DEFAULT] {
        changes_found(knob);
    }
    benchmark(&mut problems);
    cost();
    for problem in &problems {
        println!("out of bounds: {problem}");
    }
    ExitCode::from(u8::from(!problems.is_empty()))
}

/// Runs a function for each shape, on some threads.
fn for_shapes<T: Send>(run: impl Fn(&Shape) -> T + Sync) -> Vec<T> {
    let mut results: Vec<Option<T>> = SHAPES.iter().map(|_| None).collect();
    thread::scope(|scope| {
        let mut shares: Vec<Vec<_>> = (0..THREADS).map(|_| Vec::new()).collect();
        for (n, slot) in results.iter_mut().zip(&SHAPES).enumerate() {
            shares[n % THREADS].push(slot);
        }
        for share in shares {
            let run = &run;
            scope.spawn(move || {
                for (slot, shape) in share {
                    *slot = Some(run(shape));
                }
            });
        }
    });
    results.into_iter().flatten().collect()
}

/// The alarms of each shape a series and day, by knob.
fn rates(knobs: &[f64], series: u64, days: u32, step: u32) -> Vec<Vec<f64>> {
    for_shapes(|shape| {
        let mut sums = vec![0.0; knobs.len()];
        for seed in 0..series {
            for (sum, alarms) in sums
                .iter_mut()
                .zip(quiet(shape, knobs, 17 + seed, days, step))
            {
                *sum += f64::from(alarms);
            }
        }
        sums.iter()
            .map(|sum| sum / (series as f64 * f64::from(days)))
            .collect()
    })
}

fn false_alarms(problems: &mut Vec<String>) {
    let rates = rates(&KNOBS, SERIES, DAYS, 10);
    println!("False alarms a series and day, {SERIES} series of {DAYS} days, step 10 s");
    print_rates("quiet", &KNOBS, &rates);
    for (n, knob) in KNOBS.iter().enumerate() {
        let share = share_of_nominal(&rates, n, *knob);
        if !(0.25..=2.0).contains(&share) {
            problems.push(format!("knob {knob}: {share:.2} of the nominal rate"));
        }
        for (shape, rates) in SHAPES.iter().zip(&rates) {
            if *knob == DEFAULT && rates[n] > 0.1 {
                problems.push(format!(
                    "{}: {:.3} false alarms a day at the default",
                    shape.name, rates[n]
                ));
            }
        }
    }
}

fn false_alarms_of_slow_series() {
    let knobs = [DEFAULT, 9.0];
    println!("The same, {SLOW_SERIES} series of {SLOW_DAYS} days, step 300 s");
    print_rates(
        "quiet-300s",
        &knobs,
        &rates(&knobs, SLOW_SERIES, SLOW_DAYS, SLOW_STEP),
    );
}

fn share_of_nominal(rates: &[Vec<f64>], n: usize, knob: f64) -> f64 {
    let mean = rates.iter().map(|rates| rates[n]).sum::<f64>() / rates.len() as f64;
    mean / (knob / 30.0)
}

fn print_rates(table: &str, knobs: &[f64], rates: &[Vec<f64>]) {
    print!("{:16}", "knob");
    knobs.iter().for_each(|knob| print!("{knob:>8}"));
    println!();
    for (shape, rates) in SHAPES.iter().zip(rates) {
        print!("{:16}", shape.name);
        rates.iter().for_each(|rate| print!("{rate:8.3}"));
        println!();
    }
    print!("{:16}", "share of nominal");
    let shares: Vec<_> = knobs
        .iter()
        .enumerate()
        .map(|(n, knob)| share_of_nominal(rates, n, *knob))
        .collect();
    shares.iter().for_each(|share| print!("{share:8.2}"));
    println!("\n");
    let numbers = |numbers: &[f64]| {
        numbers
            .iter()
            .map(|n| format!("{n:.3}"))
            .collect::<Vec<_>>()
            .join(",")
    };
    let shapes: Vec<_> = SHAPES
        .iter()
        .zip(rates)
        .map(|(shape, rates)| format!("\"{}\":[{}]", shape.name, numbers(rates)))
        .collect();
    println!(
        "result: {{\"table\":\"{table}\",\"knobs\":[{}],\"share\":[{}],{}}}",
        numbers(knobs),
        numbers(&shares),
        shapes.join(",")
    );
}

fn changes_found(knob: f64) {
    let found = for_shapes(|shape| {
        let mut found = vec![Vec::new(); CHANGES.len()];
        for seed in 0..REPEATS {
            let watched = Watched::new(shape, knob, seed, HISTORY_DAYS);
            for (change, found) in CHANGES.iter().zip(&mut found) {
                if change.applies(shape) {
                    found.push(watched.inject(change, false));
                }
            }
        }
        found
    });
    println!(
        "Found of {REPEATS}, % and median delay in samples: knob {knob}, {HISTORY_DAYS} days of history, step 10 s"
    );
    print!("{:12}", "");
    SHAPES.iter().for_each(|shape| print!("{:>15}", shape.name));
    println!();
    let mut json = Vec::new();
    for (n, change) in CHANGES.iter().enumerate() {
        print!("{:12}", change.name);
        let cells: Vec<_> = found.iter().map(|of_shape| cell(&of_shape[n])).collect();
        cells.iter().for_each(|cell| print!("{cell:>15}"));
        println!();
        let cells: Vec<_> = cells.iter().map(|cell| format!("\"{cell}\"")).collect();
        json.push(format!("\"{}\":[{}]", change.name, cells.join(",")));
    }
    println!();
    println!(
        "result: {{\"table\":\"found\",\"knob\":{knob},{}}}",
        json.join(",")
    );
}

/// `100,4`: all were found, half of them within four samples.
fn cell(found: &[Found]) -> String {
    if found.is_empty() {
        return "-".to_owned();
    }
    let share = 100 * hits(found) / found.len();
    median_delay(found).map_or_else(|| share.to_string(), |delay| format!("{share},{delay}"))
}

fn benchmark(problems: &mut Vec<String>) {
    let Some(folder) = env::var_os("WATCHPOST_NAB") else {
        println!("skipped: nab, WATCHPOST_NAB is not set");
        return;
    };
    let folder = Path::new(&folder);
    let all = nab::read(folder);
    let (difference, published) = nab::check_published(folder, &all);
    println!(
        "The published scores of windowedGaussian differ by {difference:.6}; all together {:.1}",
        published.profiles()[0]
    );
    if difference > 1e-4 {
        problems.push(format!(
            "the scorer differs from the published scores by {difference}"
        ));
    }
    let mut json = Vec::new();
    for knob in NAB_KNOBS {
        let mut total = Score::default();
        for series in &all {
            total.add(series.score(&alarms(series, knob)));
        }
        let [standard, few_alarms, few_misses] = total.profiles();
        let (missed, points) = (total.missed, total.false_points);
        println!(
            "knob {knob}: {standard:.1} / {few_alarms:.1} / {few_misses:.1}, {missed} missed, {points} false"
        );
        json.push(format!(
            "\"{knob}\":[{standard:.2},{few_alarms:.2},{few_misses:.2},{missed},{points}]"
        ));
        if knob == NAB_KNOB && standard < 72.0 {
            problems.push(format!("a score of {standard:.1} at the knob {knob}"));
        }
    }
    println!(
        "\nresult: {{\"table\":\"nab\",\"series\":{},{}}}",
        all.len(),
        json.join(",")
    );
}

fn alarms(series: &nab::Series, knob: f64) -> Vec<bool> {
    let mut steps: Vec<_> = series
        .times
        .windows(2)
        .take(60)
        .map(|pair| pair[1] - pair[0])
        .collect();
    steps.sort_by(f64::total_cmp);
    let step = Duration::from_secs_f64(steps[steps.len() / 2].max(1.0));
    let mut detector =
        AdaptiveDetector::new(DetectorConfig::new(Measure::Gauge, step).false_alarms(knob));
    let mut observe = |(time, value): (&f64, &f64)| {
        let change = detector
            .observe(&Observation::new(at(*time), *value))
            .change;
        matches!(change, Some(AnomalyChange::Began(_)))
    };
    series
        .times
        .iter()
        .zip(&series.values)
        .map(&mut observe)
        .collect()
}

/// The time a sample takes, beside that of three standard deviations. Each thousand samples count with their best of
/// several runs, so that other processes on the machine disturb little.
fn cost() {
    let mut generator = Generator::new(&SHAPES[0], 1, 10);
    let observations: Vec<_> = (0..100_000)
        .map(|_| Observation::new(at(generator.time()), generator.next(&Injected::default())))
        .collect();
    let step = Duration::from_secs(10);
    let adaptive = |measure| {
        Box::new(AdaptiveDetector::new(DetectorConfig::new(measure, step))) as Box<dyn Detector>
    };
    let time = |new: &dyn Fn() -> Box<dyn Detector>| {
        let mut best = vec![f64::MAX; observations.len() / 1000];
        for _ in 0..25 {
            let mut detector = new();
            for (best, observations) in best.iter_mut().zip(observations.chunks(1000)) {
                let begun = Instant::now();
                for observation in observations {
                    hint::black_box(detector.observe(observation));
                }
                *best = best.min(begun.elapsed().as_nanos() as f64 / 1000.0);
            }
        }
        best.iter().sum::<f64>() / best.len() as f64
    };
    let figures = [
        ("gauge", time(&|| adaptive(Measure::Gauge))),
        ("latency", time(&|| adaptive(Measure::Latency))),
        ("count", time(&|| adaptive(Measure::Count))),
        ("three_sigma", time(&|| Box::new(ThreeSigma::new(step)))),
    ];
    let json: Vec<_> = figures
        .iter()
        .map(|(name, nanos)| format!("\"{name}\":{nanos:.0}"))
        .collect();
    println!("Nanoseconds a sample: {}", json.join(", "));
    println!("result: {{\"table\":\"nanoseconds\",{}}}", json.join(","));
}
