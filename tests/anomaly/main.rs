//! What the default detector leaves in peace and what it finds, on series of known shapes: a small part of what
//! `tests/long/run anomaly` measures. `tests/corpus/anomaly.txt` lists the cases.

mod changes;
mod figures;
mod shapes;

use std::thread;
use std::time::Duration;

use watchpost::anomaly;

use crate::anomaly::{
    AdaptiveDetector, AnomalyChange, Detector, DetectorConfig, Measure, Observation,
};
use crate::changes::{CHANGES, Change};
use crate::figures::{Found, Watched, at, hits, median_delay, quiet};
use crate::shapes::{Generator, Injected, SHAPES, Shape};

const CASES: &str = include_str!("../corpus/anomaly.txt");
/// The state of a gauge after two days, as the first version encodes it.
const STATE: &[u8] = include_bytes!("../corpus/anomaly_state_1.bin");
const SERIES: u64 = 3;
const DAYS: u32 = 3;
const REPEATS: u64 = 5;
const HISTORY_DAYS: u32 = 2;

fn shape(name: &str) -> &'static Shape {
    let found = SHAPES.iter().find(|shape| shape.name == name);
    found.unwrap_or_else(|| panic!("no shape is named {name}"))
}

fn change(name: &str) -> &'static Change {
    let found = CHANGES.iter().find(|change| change.name == name);
    found.unwrap_or_else(|| panic!("no change is named {name}"))
}

/// The fields of the cases of one kind.
fn cases(kind: &str) -> Vec<Vec<&'static str>> {
    let lines = CASES.lines().filter(|line| !line.starts_with('#'));
    let fields = lines.map(|line| line.split_whitespace().collect::<Vec<_>>());
    fields
        .filter(|fields| fields.first() == Some(&kind))
        .map(|fields| fields[1..].to_vec())
        .collect()
}

/// Runs a check for each case on some threads, and panics with all problems.
fn check(cases: &[Vec<&'static str>], check: impl Fn(&[&'static str]) -> Option<String> + Sync) {
    assert!(!cases.is_empty());
    let problems: Vec<_> = thread::scope(|scope| {
        let check = &check;
        let threads: Vec<_> = cases
            .chunks(cases.len().div_ceil(4))
            .map(|cases| {
                scope.spawn(move || {
                    cases
                        .iter()
                        .filter_map(|case| check(case))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("the check returns"))
            .collect()
    });
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn clean_series_are_left_in_peace() {
    let cases = cases("quiet");
    assert_eq!(cases.len(), SHAPES.len());
    check(&cases, |case| {
        let [name, most] = case else {
            panic!("{case:?}");
        };
        let knob = [DetectorConfig::DEFAULT_FALSE_ALARMS];
        let alarms: u32 = (0..SERIES)
            .map(|seed| quiet(shape(name), &knob, seed, DAYS, 10)[0])
            .sum();
        let most: u32 = most.parse().expect("it is a number");
        (alarms > most).then(|| format!("quiet {name}: {alarms} alarms"))
    });
}

#[test]
fn changes_are_found() {
    // The histories of a shape are shared by its cases.
    let mut shapes: Vec<_> = cases("finds")
        .iter()
        .map(|case| vec![case[0], case[1]])
        .collect();
    shapes.dedup();
    check(&shapes, |case| {
        let (name, knob) = (case[0], case[1]);
        let watched: Vec<_> = (0..REPEATS)
            .map(|seed| {
                Watched::new(
                    shape(name),
                    knob.parse().expect("it is a number"),
                    seed,
                    HISTORY_DAYS,
                )
            })
            .collect();
        let cases = cases("finds");
        let of_shape = cases
            .iter()
            .filter(|case| case[0] == name && case[1] == knob);
        let problems: Vec<_> = of_shape
            .filter_map(|case| differs(case, &watched))
            .collect();
        (!problems.is_empty()).then(|| problems.join("\n"))
    });
}

/// What was found, if that is not what a case expects.
fn differs(case: &[&str], watched: &[Watched<'_>]) -> Option<String> {
    let [name, knob, change_name, least, longest, kind, end] = case else {
        panic!("{case:?}");
    };
    assert!(change(change_name).applies(shape(name)));
    let found: Vec<_> = watched
        .iter()
        .map(|series| series.inject(change(change_name), *end != "-"))
        .collect();
    let (hits, delay) = (hits(&found), median_delay(&found).unwrap_or(u32::MAX));
    let kinds = format!("{:?}", most_common(&found)).to_lowercase();
    let ends: Vec<_> = found.iter().filter_map(|found| found.end).collect();
    let ended =
        |expected: AnomalyChange| ends.len() == hits && ends.iter().all(|end| *end == expected);
    let right = hits >= least.parse().expect("it is a number")
        && delay <= longest.parse().expect("it is a number")
        && (*kind == "-" || kinds.contains(kind))
        && match *end {
            "back" => ended(AnomalyChange::Back),
            "settled" => ended(AnomalyChange::Settled),
            _ => true,
        };
    (!right).then(|| format!("finds {name} {knob} {change_name}: {hits} {delay} {kinds} {ends:?}"))
}

fn most_common(found: &[Found]) -> Option<anomaly::AnomalyKind> {
    let kinds: Vec<_> = found.iter().filter_map(|found| found.kind).collect();
    let count = |kind: &anomaly::AnomalyKind| kinds.iter().filter(|other| *other == kind).count();
    kinds.iter().copied().max_by_key(count)
}

#[test]
fn a_state_of_the_first_version_is_read() {
    let config = DetectorConfig::new(Measure::Gauge, Duration::from_secs(10));
    let mut detector = AdaptiveDetector::new(config);
    assert!(detector.restore(STATE));
    let mut again = Vec::new();
    detector.encode(&mut again);
    // Version 2 adds what only counts have.
    assert_eq!((STATE[0], again[0]), (1, 2));
    assert_eq!(again[1..], STATE[1..]);

    let mut generator = Generator::new(shape("diurnal"), 1, 10);
    for _ in 0..2 * 8640 {
        generator.next(&Injected::default());
    }
    for _ in 0..500 {
        let observation =
            Observation::new(at(generator.time()), generator.next(&Injected::default()));
        let assessment = detector.observe(&observation);
        assert!(!assessment.learning && !assessment.anomalous);
        assert!((assessment.expected - 50.0).abs() < 10.0, "{assessment:?}");
    }
    let assessment = detector.observe(&Observation::new(at(generator.time()), 200.0));
    assert!(matches!(assessment.change, Some(AnomalyChange::Began(_))));
}
