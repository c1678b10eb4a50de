use std::ops::Range;
use std::sync::Arc;

use proptest::prelude::*;

use super::super::super::column::{Column, GaugeSteps};
use super::super::super::numbers::MISSING;
use super::super::super::steps::{
    Resolution, SeriesKey, SeriesKind, SeriesRun, StepFlags, StepTime,
};
use super::super::files::StoreFiles;
use super::super::segment::Segment;
use super::super::segment_writer::SegmentWriter;
use super::fake::{Contents, FakeFiles};
use crate::metrics::HistogramValues;

const FIRST: u64 = 1000;

fn times(count: usize) -> Vec<StepTime> {
    (0..count)
        .map(|n| StepTime {
            // The clock is set back once.
            wall: 1_700_000_000_000 + i64::try_from(n).unwrap() * 10_000
                - if n > 5 { 3_600_000 } else { 0 },
            length: 10_000 + i64::try_from(n % 3).unwrap(),
            at: 5_000_000_000 + n as u64 * 10_000_000_000,
            has_gap: n % 7 == 0,
            first_snapshot: FIRST + n as u64,
            snapshots: 1,
        })
        .collect()
}

fn run(name: &str, labels: &str, kind: SeriesKind, first: u64, column: Column) -> SeriesRun {
    SeriesRun {
        key: SeriesKey {
            name: name.into(),
            labels: labels.into(),
        },
        kind,
        first: FIRST + first,
        flags: (0..column.len() as u32)
            .step_by(3)
            .map(|step| (step, StepFlags::ANOMALY))
            .collect(),
        column: Arc::new(column),
    }
}

/// Runs of each kind, for `steps` steps.
fn all_kinds(steps: usize) -> Vec<SeriesRun> {
    let numbers = |factor: f64| -> Vec<f64> {
        (0..steps)
            .map(|n| {
                if n % 5 == 3 {
                    MISSING
                } else {
                    n as f64 * factor
                }
            })
            .collect()
    };
    let empty = HistogramValues::empty(&[0.1, 1.0]);
    let histogram = (0..steps)
        .map(|n| (n % 4 != 0).then(|| empty.with(vec![(7, 1), (90 + n as u16, 2)], n as f64)));
    let histogram = Column::Histograms {
        empty: Box::new(empty.clone()),
        steps: histogram.collect(),
    };
    let gauges = Column::Gauges(GaugeSteps {
        count: numbers(1.0),
        sum: numbers(2.5),
        min: numbers(0.1),
        max: numbers(3.0),
        last: numbers(0.7),
    });
    let of_half = Column::Numbers(numbers(0.3).split_off(steps / 2));
    vec![
        run(
            "a_total",
            r#"q="1""#,
            SeriesKind::Counter,
            0,
            Column::Numbers(numbers(1.0)),
        ),
        run(
            "a_total",
            r#"q="2""#,
            SeriesKind::Counter,
            0,
            Column::Numbers(numbers(7.0)),
        ),
        run("b", "", SeriesKind::Gauge, steps as u64 / 2, of_half),
        run("c_seconds", "", SeriesKind::Histogram, 0, histogram),
        run("d", r#"x="y""#, SeriesKind::Gauge, 0, gauges),
    ]
}

fn write(files: &FakeFiles, steps: usize, runs: &[SeriesRun]) -> Segment {
    let files: Arc<dyn StoreFiles> = Arc::new(files.clone());
    let mut writer = SegmentWriter::create(&files, Resolution::Raw, FIRST, times(steps)).unwrap();
    for metric in runs.chunk_by(|one, other| one.key.name == other.key.name) {
        writer.add_runs(metric);
        writer.end_metric(&metric[0].key.name).unwrap();
    }
    writer.finish().unwrap()
}

fn bits(column: &Column) -> String {
    let bits = |values: &[f64]| values.iter().map(|it| it.to_bits()).collect::<Vec<_>>();
    match column {
        Column::Numbers(values) => format!("{:?}", bits(values)),
        Column::Gauges(it) => {
            let all = [&it.count, &it.sum, &it.min, &it.max, &it.last];
            format!("{:?}", all.map(|it| bits(it)))
        }
        Column::Histograms { empty, steps } => {
            let steps = steps.iter().map(|it| {
                it.as_ref()
                    .map(|it| (it.cells().to_vec(), it.sum().to_bits()))
            });
            format!("{:?} {:?}", bits(empty.bounds()), steps.collect::<Vec<_>>())
        }
    }
}

fn text(run: &SeriesRun) -> String {
    let column = bits(&run.column);
    format!(
        "{:?} {:?} {} {column} {:?}",
        run.key, run.kind, run.first, run.flags
    )
}

/// Everything that a segment contains at some steps, and the number of damaged series.
fn read_at(segment: &Segment, steps: &Range<u64>) -> std::io::Result<(Vec<String>, u64)> {
    let (mut all, mut damaged) = (Vec::new(), 0);
    for (metric, _) in segment.sizes()? {
        let (runs, lost) = segment.read(&metric, steps, &|_| true)?;
        all.extend(runs.iter().map(text));
        damaged += lost;
    }
    Ok((all, damaged))
}

fn open(contents: Contents) -> std::io::Result<Segment> {
    let name = contents.keys().next().unwrap().clone();
    let files: Arc<dyn StoreFiles> = Arc::new(FakeFiles::of(contents));
    Segment::open(&files, &name)
}

#[test]
fn a_segment_is_read_as_it_was_written() {
    let files = FakeFiles::default();
    let runs = all_kinds(40);
    let written = write(&files, 40, &runs);
    let contents = files.contents();
    assert_eq!(
        contents.keys().collect::<Vec<_>>(),
        ["raw-00000000000000001000-40.seg"]
    );
    let opened = open(contents).unwrap();
    for segment in [written, opened] {
        assert_eq!(segment.times(), times(40));
        assert_eq!(segment.steps(), FIRST..FIRST + 40);
        assert_eq!(segment.resolution(), Resolution::Raw);
        let (all, damaged) = read_at(&segment, &(0..u64::MAX)).unwrap();
        assert_eq!(all, runs.iter().map(text).collect::<Vec<_>>());
        assert_eq!((damaged, segment.damaged()), (0, 0));
        assert_eq!(read_at(&segment, &(0..FIRST)).unwrap().0.len(), 0);
        let (wanted, _) = segment
            .read("a_total", &segment.steps(), &|key| {
                &*key.labels == r#"q="2""#
            })
            .unwrap();
        assert_eq!(
            wanted.iter().map(text).collect::<Vec<_>>(),
            [text(&runs[1])]
        );
        assert_eq!(
            segment
                .read("none", &segment.steps(), &|_| true)
                .unwrap()
                .0
                .len(),
            0
        );
    }
}

#[test]
fn a_part_of_the_steps_is_read_with_its_flags() {
    let files = FakeFiles::default();
    let segment = write(&files, 40, &all_kinds(40));
    let (runs, _) = segment
        .read("a_total", &(FIRST + 4..FIRST + 10), &|_| true)
        .unwrap();
    assert_eq!(runs.len(), 2);
    assert_eq!((runs[0].first, runs[0].column.len()), (FIRST + 4, 6));
    assert_eq!(
        runs[0].flags,
        [(2, StepFlags::ANOMALY), (5, StepFlags::ANOMALY)]
    );
    assert_eq!(
        bits(&runs[0].column),
        bits(&Column::Numbers(vec![4.0, 5.0, 6.0, 7.0, MISSING, 9.0]))
    );
    // The series begins at step 20.
    let (runs, _) = segment
        .read("b", &(FIRST + 10..FIRST + 22), &|_| true)
        .unwrap();
    assert_eq!((runs[0].first, runs[0].column.len()), (FIRST + 20, 2));
}

#[test]
fn each_flipped_byte_costs_some_series_or_the_file_and_is_found() {
    let files = FakeFiles::default();
    let runs = all_kinds(12);
    write(&files, 12, &runs);
    let expected: Vec<_> = runs.iter().map(text).collect();
    let contents = files.contents();
    let (name, bytes) = contents.first_key_value().unwrap();
    for at in 0..bytes.len() {
        for flip in [1, 0x10, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            let Ok(segment) = open([(name.clone(), damaged)].into()) else {
                continue;
            };
            assert_eq!(segment.times(), times(12), "byte {at}");
            let Ok((all, lost)) = read_at(&segment, &(0..u64::MAX)) else {
                assert_eq!(segment.damaged(), 1);
                continue;
            };
            assert!(lost > 0, "byte {at} is not noticed");
            assert_eq!(all.len() as u64 + lost, 5, "byte {at}");
            assert!(all.iter().all(|it| expected.contains(it)), "byte {at}");
            assert!(segment.damaged() > 0);
        }
    }
}

#[test]
fn a_file_cut_or_extended_anywhere_is_refused() {
    let files = FakeFiles::default();
    write(&files, 12, &all_kinds(12));
    let contents = files.contents();
    let (name, bytes) = contents.first_key_value().unwrap();
    for len in 0..bytes.len() {
        let cut = [(name.clone(), bytes[..len].to_vec())];
        assert!(open(cut.into()).is_err(), "{len} bytes");
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert!(open([(name.clone(), longer)].into()).is_err());
    // A complete file under another name would be taken for other steps.
    let renamed = name.replace("1000", "1001");
    assert!(open([(renamed, bytes.clone())].into()).is_err());
}

#[test]
fn opening_reads_no_series_and_a_query_only_what_it_wants() {
    let files = FakeFiles::default();
    let column = || Column::Numbers((0..700).map(|n| f64::from(n).sin()).collect());
    let runs: Vec<_> = (0..400)
        .map(|n| run("a", &format!(r#"n="{n}""#), SeriesKind::Gauge, 0, column()))
        .collect();
    write(&files, 700, &runs);
    let contents = files.contents();
    let (name, bytes) = contents.first_key_value().unwrap();
    assert!(bytes.len() > 1 << 20);
    let shared: Arc<dyn StoreFiles> = Arc::new(files.clone());
    files.state().bytes_read = 0;
    let segment = Segment::open(&shared, name).unwrap();
    let opening = std::mem::take(&mut files.state().bytes_read);
    assert!(opening <= (16 << 10) + 28, "{opening}");
    let one = |key: &SeriesKey| &*key.labels == r#"n="77""#;
    assert_eq!(
        segment.read("a", &segment.steps(), &one).unwrap().0.len(),
        1
    );
    let reading = files.state().bytes_read;
    assert!(reading < 20_000, "{reading} of {}", bytes.len());
}

#[test]
fn a_segment_that_was_removed_is_not_found() {
    let files = FakeFiles::default();
    let segment = write(&files, 12, &all_kinds(12));
    files.remove(segment.name()).unwrap();
    let error = segment.read("b", &(0..u64::MAX), &|_| true).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
}

fn any_column(steps: usize) -> impl Strategy<Value = (SeriesKind, Column)> {
    let value = prop_oneof![
        Just(MISSING),
        any::<f64>(),
        (0_i32..1000).prop_map(f64::from)
    ];
    let numbers = proptest::collection::vec(value, 0..=steps);
    let cells = proptest::collection::btree_map(0_u16..2100, 1_u64..1000, 0..5);
    let step = proptest::option::of((cells, 0_f32..1e6));
    let steps = proptest::collection::vec(step, 0..=steps);
    (
        numbers,
        steps,
        proptest::collection::vec(-5.0..5.0, 0..4),
        0..3,
    )
        .prop_map(|(numbers, steps, bounds, kind)| match kind {
            0 => (SeriesKind::Gauge, Column::Numbers(numbers)),
            1 => (SeriesKind::Counter, Column::Numbers(numbers)),
            _ => {
                let empty = HistogramValues::empty(&bounds);
                let steps = steps.into_iter().map(|step| {
                    step.map(|(cells, sum)| empty.with(cells.into_iter().collect(), f64::from(sum)))
                });
                let steps = steps.collect();
                let empty = Box::new(empty);
                (SeriesKind::Histogram, Column::Histograms { empty, steps })
            }
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_segment_is_restored(all in proptest::collection::vec(
        ("[a-d]", "[ -~äß]{0,8}", any_column(20), 0_u64..5), 0..12)) {
        let runs = all.into_iter().map(|(name, labels, (kind, column), first)| {
            let first = first.min(20 - column.len() as u64);
            run(&name, &labels, kind, first, column)
        });
        let mut runs: Vec<_> = runs.filter(|run| run.column.len() > 0).collect();
        runs.sort_by(|one, other| one.key.name.cmp(&other.key.name));
        let files = FakeFiles::default();
        write(&files, 20, &runs);
        let segment = open(files.contents()).unwrap();
        let (read, damaged) = read_at(&segment, &(0..u64::MAX)).unwrap();
        prop_assert_eq!(read, runs.iter().map(text).collect::<Vec<_>>());
        prop_assert_eq!(damaged, 0);
    }

    #[test]
    fn any_bytes_are_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(open([("raw-00000000000000001000-40.seg".to_owned(), bytes)].into()).is_err());
    }
}
