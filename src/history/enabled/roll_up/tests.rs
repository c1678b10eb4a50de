use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::history::enabled::numbers::MISSING;
use crate::history::enabled::steps::SeriesKey;

const SECOND: i64 = 1000;
const HOUR: i64 = 3_600_000;

/// The time of a snapshot.
fn snapshot(number: Tick, wall: i64) -> StepTime {
    StepTime {
        wall,
        length: 10_000,
        at: number * 10_000_000_000,
        has_gap: number.is_multiple_of(7),
        first_snapshot: number,
        snapshots: 1,
    }
}

fn snapshots(first: Tick, walls: &[i64]) -> Vec<StepTime> {
    (first..)
        .zip(walls)
        .map(|(number, wall)| snapshot(number, *wall))
        .collect()
}

fn run(name: &str, kind: SeriesKind, first: Tick, column: Column) -> SeriesRun {
    let key = SeriesKey {
        name: name.into(),
        labels: "".into(),
    };
    let column = Arc::new(column);
    SeriesRun {
        key,
        kind,
        first,
        column,
        flags: Vec::new(),
    }
}

fn numbers(values: &[Option<f64>]) -> Column {
    Column::Numbers(
        values
            .iter()
            .map(|value| value.unwrap_or(MISSING))
            .collect(),
    )
}

#[test]
fn consecutive_snapshots_of_a_minute_make_a_step() {
    let walls = [50, 60, 70, 120, 121, 60, 61, 7000].map(|wall| wall * SECOND);
    let groups = roll_up_times(100, &snapshots(100, &walls), Resolution::Minute);
    let steps: Vec<_> = (0..groups.times.len())
        .map(|group| (groups.times[group].wall / SECOND, groups.steps(group)))
        .collect();
    assert_eq!(
        steps,
        [
            (60, 100..102),
            (120, 102..104),
            (180, 104..105),
            (60, 105..106),
            (120, 106..107),
            (7020, 107..108)
        ],
        "a clock that was set back begins a new step"
    );
    let second = groups.times[1];
    assert_eq!((second.first_snapshot, second.snapshots), (102, 2));
    assert_eq!((second.length, second.at), (20_000, 103 * 10_000_000_000));
    let gaps: Vec<_> = groups.times.iter().map(|time| time.has_gap).collect();
    // 105 is a multiple of 7.
    assert_eq!(gaps, [false, false, false, true, false, false]);
    assert_eq!(roll_up_times(5, &[], Resolution::Hour).times, []);
}

#[test]
fn gauges_keep_their_extremes_and_flags_are_united() {
    let walls: Vec<i64> = (1..=12).map(|n| n * 10 * SECOND).collect();
    let groups = roll_up_times(0, &snapshots(0, &walls), Resolution::Minute);
    let mut gauge = run(
        "level",
        SeriesKind::Gauge,
        1,
        numbers(&[Some(5.0), None, Some(-1.0), Some(3.0), None]),
    );
    gauge.flags = vec![(2, StepFlags::ANOMALY), (3, StepFlags(2))];
    let rolled = roll_up_runs(&[gauge], &groups, 40);
    let [minutes] = rolled.as_slice() else {
        panic!("{rolled:?}");
    };
    assert_eq!((minutes.first, minutes.column.len()), (40, 1));
    assert_eq!(minutes.flags, [(0, StepFlags(3))]);
    let Column::Gauges(gauges) = &*minutes.column else {
        panic!("{minutes:?}");
    };
    let expected = GaugeValues {
        count: 3.0,
        sum: 7.0,
        min: -1.0,
        max: 5.0,
        last: 3.0,
    };
    assert_eq!((gauges.at(0), gauges.at(1)), (Some(expected), None));
}

#[test]
fn runs_that_follow_each_other_within_a_minute_are_joined_and_those_of_another_kind_are_not() {
    let walls: Vec<i64> = (1..=18).map(|n| n * 10 * SECOND).collect();
    let groups = roll_up_times(0, &snapshots(0, &walls), Resolution::Minute);
    let counter =
        |first, values: &[Option<f64>]| run("jobs", SeriesKind::Counter, first, numbers(values));
    let histogram = |first, bounds: &[f64]| {
        let empty = HistogramValues::empty(bounds);
        let steps = vec![Some(empty.with(vec![(7, 2)], 1.5)); 3];
        let empty = Box::new(empty);
        run(
            "took",
            SeriesKind::Histogram,
            first,
            Column::Histograms { empty, steps },
        )
    };
    let rolled = roll_up_runs(
        &[
            counter(9, &[Some(1.0); 3]),
            counter(0, &[Some(2.0); 9]),
            run("jobs", SeriesKind::Gauge, 12, numbers(&[Some(9.0)])),
            counter(13, &[Some(4.0)]),
            histogram(0, &[1.0]),
            histogram(3, &[2.0]),
        ],
        &groups,
        0,
    );
    let found: Vec<_> = rolled
        .iter()
        .map(|run| (&*run.key.name, run.kind, run.steps()))
        .collect();
    assert_eq!(
        found,
        [
            ("jobs", SeriesKind::Counter, 0..3),
            ("jobs", SeriesKind::Gauge, 2..3),
            ("took", SeriesKind::Histogram, 0..1),
            ("took", SeriesKind::Histogram, 0..1),
        ]
    );
    assert_eq!(*rolled[0].column, Column::Numbers(vec![12.0, 9.0, 4.0]));
    for took in &rolled[2..] {
        let Column::Histograms { steps, .. } = &*took.column else {
            panic!("{took:?}");
        };
        assert_eq!(steps[0].as_ref().unwrap().cells(), [(7, 6)]);
    }
}

#[test]
fn a_series_that_was_away_for_long_has_two_runs_and_no_values_between() {
    let walls: Vec<i64> = (1..=200).map(|n| n * 60 * SECOND).collect();
    let groups = roll_up_times(0, &snapshots(0, &walls), Resolution::Minute);
    let mut values = vec![None; 200];
    values[3] = Some(1.0);
    values[190] = Some(2.0);
    let rolled = roll_up_runs(
        &[run("jobs", SeriesKind::Counter, 0, numbers(&values))],
        &groups,
        0,
    );
    let steps: Vec<_> = rolled.iter().map(SeriesRun::steps).collect();
    assert_eq!(steps, [3..4, 190..191]);
    let none = run("jobs", SeriesKind::Counter, 0, numbers(&[None; 9]));
    assert!(roll_up_runs(&[none], &groups, 0).is_empty());
}

/// All values of a run in steps of hours, by name, kind and bounds.
fn by_hour(runs: &[SeriesRun]) -> BTreeMap<String, BTreeMap<Tick, String>> {
    let mut all: BTreeMap<_, BTreeMap<Tick, String>> = BTreeMap::new();
    for run in runs {
        let steps = run.steps();
        for (index, step) in steps.enumerate() {
            let (bounds, value) = match &*run.column {
                Column::Numbers(values) => (Vec::new(), format!("{:?}", values[index])),
                Column::Gauges(gauges) => (Vec::new(), format!("{:?}", gauges.at(index))),
                Column::Histograms { empty, steps } => {
                    let value = steps[index].as_ref().map(|step| (step.cells(), step.sum()));
                    (empty.bounds().to_vec(), format!("{value:?}"))
                }
            };
            let flags = run.flags_at(&(index..index + 1));
            let key = format!("{} {:?} {bounds:?}", run.key.name, run.kind);
            let before = all
                .entry(key)
                .or_default()
                .insert(step, format!("{value} {flags:?}"));
            assert_eq!(before, None, "a value is in one run");
        }
    }
    for values in all.values_mut() {
        values.retain(|_, value| !value.starts_with("None") && !value.starts_with("NaN"));
    }
    all
}

#[derive(Debug, Clone)]
struct Part {
    kind: u8,
    values: Vec<Option<u8>>,
    flag: Option<u8>,
    away: u8,
}

/// Runs of one series that follow each other.
fn runs_of(name: &str, parts: Vec<Part>, first: Tick) -> Vec<SeriesRun> {
    let mut at = first;
    let mut runs = Vec::new();
    for part in parts {
        at += u64::from(part.away);
        let value = |value: &Option<u8>| value.map(f64::from);
        let plain: Vec<_> = part.values.iter().map(value).collect();
        let (kind, column) = match part.kind {
            0 => (SeriesKind::Counter, numbers(&plain)),
            1 => (SeriesKind::Gauge, numbers(&plain)),
            other => {
                let empty = HistogramValues::empty(&[f64::from(other)]);
                let step = |value: &u8| {
                    let code = u16::from(*value % 5);
                    empty.with(vec![(code, 2), (code + 3, 1)], f64::from(*value))
                };
                let steps = part
                    .values
                    .iter()
                    .map(|value| value.as_ref().map(step))
                    .collect();
                let empty = Box::new(empty.clone());
                (SeriesKind::Histogram, Column::Histograms { empty, steps })
            }
        };
        let mut run = run(name, kind, at, column);
        let flag = part.flag.map(|at| (u32::from(at), StepFlags(1 + at % 3)));
        run.flags.extend(
            flag.filter(|(at, _)| part.values.get(*at as usize).is_some_and(Option::is_some)),
        );
        at += part.values.len() as u64;
        runs.push(run);
    }
    runs
}

prop_compose! {
    fn part()(
        kind in 0_u8..4,
        values in proptest::collection::vec(proptest::option::weighted(0.8, any::<u8>()), 1..150),
        flag in proptest::option::of(0_u8..150),
        away in 0_u8..200,
    ) -> Part {
        Part { kind, values, flag, away }
    }
}

fn total(runs: &[SeriesRun]) -> f64 {
    let sum = |run: &SeriesRun| match &*run.column {
        Column::Numbers(values) => values.iter().filter(|value| !is_missing(**value)).sum(),
        Column::Gauges(gauges) => (0..gauges.count.len())
            .filter_map(|at| Some(gauges.at(at)?.sum))
            .sum(),
        Column::Histograms { steps, .. } => steps
            .iter()
            .flatten()
            .map(|step| step.sum() + step.count() as f64)
            .sum::<f64>(),
    };
    runs.iter().map(sum).sum()
}

proptest! {
    #[test]
    fn hours_of_minutes_equal_hours_of_snapshots(
        first in 0_u64..1000,
        jumps in proptest::collection::vec((1_i64..30, 0_u8..100), 1..900),
        one in proptest::collection::vec(part(), 1..6),
        other in proptest::collection::vec(part(), 1..6),
    ) {
        let mut wall = 0;
        let walls: Vec<i64> = jumps.iter().map(|(step, kind)| {
            wall += step * SECOND + match kind { 0 => -2 * HOUR, 1 => 3 * HOUR, 2 => -30 * SECOND, _ => 0 };
            wall
        }).collect();
        let times = snapshots(first, &walls);
        let mut runs = runs_of("one", one, first);
        runs.extend(runs_of("other", other, first));
        // What is in no snapshot is left out.
        let end = first + times.len() as u64;
        runs.retain(|run| run.steps().end <= end);

        let minutes = roll_up_times(first, &times, Resolution::Minute);
        let hours = roll_up_times(50, &minutes.times, Resolution::Hour);
        let direct = roll_up_times(first, &times, Resolution::Hour);
        prop_assert_eq!(&hours.times, &direct.times);
        for group in 1..minutes.times.len() {
            prop_assert_eq!(minutes.steps(group - 1).end, minutes.steps(group).start);
        }
        let covered: u32 = direct.times.iter().map(|time| time.snapshots).sum();
        prop_assert_eq!(covered as usize, times.len());

        let in_minutes = roll_up_runs(&runs, &minutes, 50);
        let in_hours = roll_up_runs(&in_minutes, &hours, 7);
        let directly = roll_up_runs(&runs, &direct, 7);
        prop_assert_eq!(by_hour(&in_hours), by_hour(&directly));
        prop_assert_eq!(total(&in_hours), total(&runs));
        for run in in_minutes.iter().chain(&in_hours) {
            let Column::Gauges(gauges) = &*run.column else { continue };
            for at in (0..gauges.count.len()).filter_map(|at| gauges.at(at)) {
                prop_assert!(at.min <= at.last && at.last <= at.max && at.sum <= at.max * at.count);
            }
        }
    }
}
