use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::*;

use super::super::config::Direction;
use super::super::course::CALM;
use super::state::{ENCODED, State};
use super::*;

const STEP: Duration = Duration::from_secs(10);
/// A Monday, 00:00.
const START: Duration = Duration::from_secs(1_767_571_200);

/// A series of samples with a step of ten seconds, and its detector.
struct Series {
    detector: AdaptiveDetector,
    time: SystemTime,
    random: u64,
}

impl Series {
    fn new(config: DetectorConfig) -> Self {
        Self {
            detector: AdaptiveDetector::new(config),
            time: UNIX_EPOCH + START,
            random: 1,
        }
    }

    fn of(measure: Measure) -> Self {
        Self::new(DetectorConfig::new(measure, STEP))
    }

    /// A number from -1 to 1 that is nearly normally distributed.
    fn noise(&mut self) -> f64 {
        let mut sum = 0.0;
        for _ in 0..4 {
            self.random = self
                .random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            sum += (self.random >> 40) as f64 / (1_u64 << 24) as f64 - 0.5;
        }
        sum / 2.0
    }

    fn observe(&mut self, value: f64) -> Assessment {
        self.time += STEP;
        self.detector.observe(&Observation::new(self.time, value))
    }

    /// Observes values around `level`, and returns the changes with the number of the sample.
    fn run(&mut self, samples: usize, level: f64, spread: f64) -> Vec<(usize, AnomalyChange)> {
        (0..samples)
            .filter_map(|n| {
                let value = level + spread * self.noise();
                self.observe(value).change.map(|change| (n, change))
            })
            .collect()
    }

    /// A series that has been around 100 for some hours.
    fn steady() -> Self {
        let mut series = Self::of(Measure::Gauge);
        assert_eq!(series.run(8000, 100.0, 10.0), []);
        series
    }
}

fn began(changes: &[(usize, AnomalyChange)]) -> (usize, Onset) {
    match changes.first() {
        Some((n, AnomalyChange::Began(onset))) => (*n, *onset),
        other => panic!("no anomaly began: {other:?}"),
    }
}

#[test]
fn a_detector_has_less_than_a_kibibyte_and_owns_no_memory() {
    assert!(
        size_of::<AdaptiveDetector>() <= 1024,
        "{}",
        size_of::<AdaptiveDetector>()
    );
    assert!(!std::mem::needs_drop::<AdaptiveDetector>());
    assert_eq!(ENCODED, 854);
}

#[test]
fn a_spike_is_reported_and_ends() {
    let mut series = Series::steady();
    let assessment = series.observe(200.0);
    let Some(AnomalyChange::Began(onset)) = assessment.change else {
        panic!("{assessment:?}");
    };
    assert_eq!(
        (onset.kind, onset.upward, onset.since),
        (AnomalyKind::Spike, true, series.time)
    );
    assert!(assessment.anomalous && assessment.score > 1.0);
    assert!(assessment.lower < 100.0 && 100.0 < assessment.upper && assessment.upper < 200.0);
    let changes = series.run(500, 100.0, 10.0);
    assert!(
        matches!(changes[..], [(n, AnomalyChange::Back)] if n + 1 >= usize::from(CALM)),
        "{changes:?}"
    );
}

#[test]
fn a_shift_is_reported_once_and_settles() {
    let mut series = Series::steady();
    let before = series.time;
    let changes = series.run(5000, 112.0, 10.0);
    let (n, onset) = began(&changes);
    assert!(n < 20, "{n}");
    assert_eq!((onset.kind, onset.upward), (AnomalyKind::Shift, true));
    let since = onset.since.duration_since(before - 10 * STEP).unwrap();
    assert!(since <= 20 * STEP, "{since:?}");
    assert!(
        matches!(changes[1..], [(_, AnomalyChange::Settled)]),
        "{changes:?}"
    );
}

#[test]
fn a_level_that_returns_is_back() {
    let mut series = Series::steady();
    let mut changes = series.run(60, 130.0, 10.0);
    changes.extend(series.run(3000, 100.0, 10.0));
    assert!(
        matches!(
            changes[..],
            [(_, AnomalyChange::Began(_)), (_, AnomalyChange::Back)]
        ),
        "{changes:?}"
    );
}

#[test]
fn zeros_are_silence() {
    let mut series = Series::of(Measure::Count);
    for _ in 0..3000 {
        let value = (20.0 + 10.0 * series.noise()).round();
        series.observe(value);
    }
    let changes = series.run(100, 0.0, 0.0);
    let (n, onset) = began(&changes);
    assert_eq!((onset.kind, onset.upward), (AnomalyKind::Silence, false));
    assert!(n < 20, "{n}");
}

#[test]
fn values_that_vary_more_or_less_are_anomalies() {
    let mut series = Series::steady();
    series.run(20_000, 100.0, 10.0);
    let mut other = Series {
        detector: series.detector.clone(),
        ..series
    };
    assert!(began(&series.run(100, 100.0, 45.0)).0 < 50);
    let (_, onset) = began(&other.run(500, 100.0, 0.5));
    assert_eq!((onset.kind, onset.upward), (AnomalyKind::Variance, false));
}

#[test]
fn only_selected_deviations_are_reported() {
    let config = DetectorConfig::new(Measure::Gauge, STEP);
    for (config, high, low) in [
        (config.direction(Direction::Up), true, false),
        (config.direction(Direction::Down), false, true),
        (config.minimum_difference(80.0), true, false),
        (config.minimum_share(0.8), true, false),
        (config.minimum_difference(f64::NAN), true, true),
    ] {
        for (value, expected) in [(200.0, high), (30.0, low)] {
            let mut series = Series::new(config);
            series.run(8000, 100.0, 10.0);
            assert_eq!(
                series.observe(value).change.is_some(),
                expected,
                "{config:?} {value}"
            );
        }
    }
}

#[test]
fn latencies_are_compared_by_factors() {
    let mut series =
        Series::new(DetectorConfig::new(Measure::Latency, STEP).minimum_difference(0.5));
    for _ in 0..8000 {
        let value = 0.2 * series.noise().exp();
        series.observe(value);
    }
    let assessment = series.observe(0.6);
    assert!(
        assessment.change.is_none(),
        "less than the minimum: {assessment:?}"
    );
    assert!((0.1..0.3).contains(&assessment.expected));
    assert!(
        assessment.lower > 0.0 && assessment.upper < 3.0,
        "{assessment:?}"
    );
    assert!(series.observe(8.0).anomalous);
}

#[test]
fn a_ratio_of_few_events_says_little() {
    let mut series = Series::of(Measure::Ratio);
    let mut observe = |events: f64, all: f64| {
        series.time += STEP;
        series
            .detector
            .observe(&Observation::ratio(series.time, events, all))
    };
    for n in 0..5000 {
        let assessment = observe(f64::from(u8::from(n % 4 == 0)), 25.0);
        assert!(!assessment.anomalous);
    }
    let one = observe(1.0, 2.0);
    assert!(
        one.score < 1.0 && (0.005..0.02).contains(&one.expected),
        "{one:?}"
    );
    let learned = observe(0.0, 0.0);
    assert!(
        learned.expected.is_nan(),
        "a step without events says nothing"
    );
    assert!(observe(20.0, 40.0).anomalous);
}

#[test]
fn rubbish_changes_nothing() {
    let mut series = Series::steady();
    let before = series.detector.state;
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let assessment = series.observe(value);
        assert!(
            assessment.change.is_none() && !assessment.learning && assessment.expected.is_nan()
        );
    }
    assert_eq!(series.detector.state, before);
    let mut counts = Series::of(Measure::Count);
    counts.run(100, 5.0, 0.0);
    let before = counts.detector.state;
    counts.observe(-1.0);
    assert_eq!(counts.detector.state, before);
}

#[test]
fn a_gap_is_survived_and_a_long_one_is_not() {
    let mut series = Series::steady();
    series.time += Duration::from_secs(6 * 86_400);
    assert!(!series.observe(100.0).learning);
    assert!(series.observe(200.0).anomalous);
    series.time += Duration::from_secs(8 * 86_400);
    assert!(
        !series.observe(100.0).learning,
        "a single sample may have a wrong time"
    );
    let assessment = series.observe(100.0);
    assert!(assessment.learning && !assessment.anomalous);
    assert_eq!(
        assessment.change,
        Some(AnomalyChange::Settled),
        "each anomaly ends"
    );
    assert_eq!(series.run(2000, 500.0, 10.0), []);
}

#[test]
fn a_wrong_time_and_a_clock_that_is_set_back_change_nothing() {
    let mut series = Series::steady();
    let right = series.time;
    for wrong in [UNIX_EPOCH, UNIX_EPOCH - START, UNIX_EPOCH + 40 * START] {
        series.time = wrong;
        series.observe(100.0);
        series.time = right;
        assert_eq!(series.run(50, 100.0, 10.0), []);
    }
    series.time -= Duration::from_secs(3600);
    assert_eq!(series.run(500, 100.0, 10.0), []);
    assert!(series.observe(200.0).anomalous);
}

#[test]
fn a_series_with_many_alarms_gets_higher_limits() {
    let mut series = Series::steady();
    let limit = |series: &Series| series.detector.state.tails[RESIDUAL][0].limit;
    let before = limit(&series);
    for _ in 0..20 {
        series.observe(1000.0);
        series.run(60, 100.0, 10.0);
    }
    series.run(300, 100.0, 10.0);
    assert!(limit(&series) > before);
    assert!(series.detector.state.credit >= -MAX_DEBT);
}

#[test]
fn a_state_is_restored() {
    let mut series = Series::steady();
    series.run(30_000, 100.0, 10.0);
    let mut bytes = Vec::new();
    series.detector.encode(&mut bytes);
    assert_eq!(bytes.len(), ENCODED);
    let mut restored = AdaptiveDetector::new(DetectorConfig::new(Measure::Gauge, STEP));
    assert!(restored.restore(&bytes));
    let mut again = Vec::new();
    restored.encode(&mut again);
    assert_eq!(bytes, again);
    series.time += STEP;
    let observation = Observation::new(series.time, 150.0);
    let (left, right) = (
        series.detector.observe(&observation),
        restored.observe(&observation),
    );
    assert_eq!(left.expected, right.expected);
    assert!(left.anomalous && right.anomalous);
    // States of another measure, version or length are refused.
    assert!(!AdaptiveDetector::new(DetectorConfig::new(Measure::Count, STEP)).restore(&bytes));
    for wrong in [
        &bytes[1..],
        &bytes[..ENCODED - 1],
        &[],
        &[bytes.clone(), vec![0]].concat(),
    ] {
        assert!(!restored.restore(wrong));
    }
    bytes[0] = 3;
    assert!(!restored.restore(&bytes));
}

#[test]
fn the_state_of_counts_is_restored_also_from_the_first_version() {
    let mut series = Series::of(Measure::Count);
    for n in 0..5000_u32 {
        // Less variation than by chance: the excess is negative.
        series.observe(f64::from(4 + n % 2));
    }
    let mut bytes = Vec::new();
    series.detector.encode(&mut bytes);
    for version in [2, 1] {
        bytes[0] = version;
        let mut restored = AdaptiveDetector::new(DetectorConfig::new(Measure::Count, STEP));
        assert!(restored.restore(&bytes), "version {version}");
        let mut time = series.time;
        // After a gap too, the usual variation is none.
        for step in [1, 300] {
            time += STEP * step;
            for n in 0..200_u32 {
                time += STEP;
                let observation = Observation::new(time, f64::from(4 + n % 2));
                assert!(
                    !restored.observe(&observation).anomalous,
                    "version {version}"
                );
            }
        }
    }
}

#[test]
fn an_anomaly_goes_on_after_a_restart() {
    let mut series = Series::steady();
    assert!(series.observe(300.0).change.is_some());
    let mut bytes = Vec::new();
    series.detector.encode(&mut bytes);
    series.detector = AdaptiveDetector::new(DetectorConfig::new(Measure::Gauge, STEP));
    assert!(series.detector.restore(&bytes));
    let changes = series.run(200, 100.0, 10.0);
    assert!(
        matches!(changes[..], [(_, AnomalyChange::Back)]),
        "{changes:?}"
    );
}

fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => -1e3..1e3,
        2 => Just(0.0),
        2 => any::<f64>(),
        1 => Just(1e300),
        1 => Just(5e-324),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_samples_are_survived(
        measure in prop_oneof![
            Just(Measure::Gauge), Just(Measure::Latency), Just(Measure::Count), Just(Measure::Ratio)
        ],
        samples in prop::collection::vec((any_value(), any_value(), 0_u64..100_000), 0..400),
    ) {
        let mut detector = AdaptiveDetector::new(DetectorConfig::new(measure, STEP).minimum_share(0.1));
        let mut time = UNIX_EPOCH + START;
        for (value, of, seconds) in samples {
            time += Duration::from_secs(seconds);
            let assessment = detector.observe(&Observation::ratio(time, value, of));
            prop_assert!(assessment.score >= 0.0);
            if !assessment.expected.is_nan() {
                prop_assert!(assessment.expected.is_finite());
                prop_assert!(assessment.lower <= assessment.upper, "{:?}", assessment);
            }
        }
        let mut bytes = Vec::new();
        detector.encode(&mut bytes);
        prop_assert!(State::decode(detector.code(), &bytes).is_some() || detector.state.n == 0);
    }

    #[test]
    fn any_state_is_survived(mut bytes in prop::collection::vec(any::<u8>(), ENCODED), whole in any::<bool>()) {
        bytes[..6].copy_from_slice(&[1, 0, 7, 1, 9, 0]);
        if !whole {
            // Numbers of usual size, so that more states are accepted.
            for scalar in bytes[26..].chunks_exact_mut(4) {
                scalar[3] = 0x40;
            }
        }
        let mut detector = AdaptiveDetector::new(DetectorConfig::new(Measure::Gauge, STEP));
        detector.restore(&bytes);
        let mut time = UNIX_EPOCH + START;
        for n in 0..300_u32 {
            time += STEP;
            detector.observe(&Observation::new(time, f64::from(n % 7)));
        }
    }
}
