use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::super::super::column::Column;
use super::super::super::steps::{Resolution, SeriesKey, SeriesKind};
use super::super::super::store::{MemoryStore, Step};
use super::super::super::view::StoredList;
use super::super::files::StoreFiles;
use super::super::status::DiskStatus;
use super::super::store::{DiskStore, DiskStoreSetup};
use super::fake::{Contents, FakeFiles};
use crate::clock::Clock;
use crate::history::HistoryConfig;
use crate::metrics::HistogramValues;
use crate::model::{Diagnostics, lock};

/// An hour of the wall clock begins 100 s after it.
const BEGIN: i64 = 1_700_006_300_000;
const HOUR: i64 = 3_600_000;
const SECOND: u64 = 1_000_000_000;

/// A store with a driven clock.
pub(super) struct Fixture {
    pub(super) store: DiskStore,
    memory: Arc<Mutex<MemoryStore>>,
    clock: Clock,
    diagnostics: Arc<Diagnostics>,
}

/// The snapshots that a store has: the wall time and the counter's increase of each, by their numbers.
type Snapshots = BTreeMap<u64, (i64, f64)>;

impl Fixture {
    fn with(files: Arc<dyn StoreFiles>, config: HistoryConfig) -> Self {
        let clock = Clock::driven(Duration::from_secs(1_000_000));
        let memory = Arc::new(Mutex::new(MemoryStore::new(&config)));
        let diagnostics = Arc::<Diagnostics>::default();
        let setup = DiskStoreSetup {
            config,
            memory: Arc::clone(&memory),
            stored: StoredList::default(),
            path: "/data/history".to_owned(),
            clock: clock.clone(),
            diagnostics: Arc::clone(&diagnostics),
        };
        Self {
            store: DiskStore::new(setup, files),
            memory,
            clock,
            diagnostics,
        }
    }

    pub(super) fn on(files: &FakeFiles) -> Self {
        Self::with(Arc::new(files.clone()), HistoryConfig::default())
    }

    /// Adds a snapshot at a wall time, after some time. `value` is in each of its series.
    fn add(&self, wall: i64, value: u32, after: Duration) {
        self.clock.advance(after);
        let key = |name: &str| SeriesKey {
            name: name.into(),
            labels: r#"a="b""#.into(),
        };
        let number = Step::Number(f64::from(value));
        let values = HistogramValues::empty(&[1.0]);
        let values = values.with(vec![(40, u64::from(value))], f64::from(value));
        let all = [
            (key("jobs_total"), SeriesKind::Counter, number.clone()),
            (key("room"), SeriesKind::Gauge, number),
            (key("took"), SeriesKind::Histogram, Step::Histogram(values)),
        ];
        lock(&self.memory).add(wall, self.clock.now(), all);
    }

    /// Adds snapshots every ten seconds, and persists each.
    fn run(&self, from: i64, values: std::ops::Range<u32>) {
        for (n, value) in (1..).zip(values) {
            self.add(from + n * 10_000, value, Duration::from_secs(10));
            self.store.persist();
        }
    }

    fn status(&self) -> DiskStatus {
        self.store.status().unwrap()
    }

    fn notices(&self) -> String {
        self.diagnostics.notices().join("\n")
    }

    /// The snapshots in segments and in memory. Asserts that no segment has a snapshot twice, that all series of a snapshot
    /// agree, and that the memory has the same values as the segments.
    pub(super) fn snapshots(&self) -> Snapshots {
        let mut all = Snapshots::new();
        for segment in &self.store.segments() {
            if segment.resolution() != Resolution::Raw {
                continue;
            }
            let steps = segment.steps();
            let mut columns = Vec::new();
            for metric in ["jobs_total", "room", "took"] {
                let (runs, damaged) = segment.read(metric, &steps, &|_| true).unwrap();
                assert_eq!((runs.len(), damaged), (1, 0));
                assert_eq!(runs[0].first, steps.start);
                columns.push(numbers(&runs[0].column));
            }
            assert!(columns.iter().all(|column| *column == columns[0]));
            for ((tick, time), value) in steps.zip(segment.times()).zip(&columns[0]) {
                let before = all.insert(tick, (time.wall, *value));
                assert_eq!(before, None, "snapshot {tick} is in two segments");
            }
        }
        let memory = lock(&self.memory);
        for tick in memory.timeline().ticks() {
            let (time, values) = memory.snapshot_at(tick).unwrap();
            for value in values {
                let value = match value.step {
                    Step::Number(value) => value,
                    Step::Histogram(values) => values.sum(),
                };
                let snapshot = (time.wall, value);
                assert_eq!(*all.entry(tick).or_insert(snapshot), snapshot, "{tick}");
            }
        }
        all
    }

    /// Asserts that the coarser steps are the sums of the snapshots, and that each snapshot is in one of them at most.
    fn check_coarse(&self, all: &Snapshots) {
        for resolution in [Resolution::Minute, Resolution::Hour] {
            let mut end = 0;
            for segment in &self.store.segments() {
                if segment.resolution() != resolution {
                    continue;
                }
                let (runs, _) = segment
                    .read("jobs_total", &segment.steps(), &|_| true)
                    .unwrap();
                assert_eq!(runs.len(), 1);
                for (time, sum) in segment.times().iter().zip(numbers(&runs[0].column)) {
                    assert!(time.first_snapshot >= end, "{resolution:?}");
                    end = time.end();
                    let of_step: Vec<_> = all.range(time.first_snapshot..end).collect();
                    if of_step.len() == time.snapshots as usize {
                        let expected: f64 = of_step.iter().map(|(_, (_, value))| value).sum();
                        assert_eq!(sum, expected, "{resolution:?} {time:?}");
                        let length = resolution.millis().unwrap();
                        let inside = |wall: i64| wall > time.wall - length && wall <= time.wall;
                        assert!(of_step.iter().all(|(_, (wall, _))| inside(*wall)));
                    }
                }
            }
        }
    }
}

fn numbers(column: &Column) -> Vec<f64> {
    match column {
        Column::Numbers(values) => values.clone(),
        Column::Histograms { steps, .. } => steps
            .iter()
            .map(|step| step.as_ref().unwrap().sum())
            .collect(),
        Column::Gauges(gauges) => gauges.last.clone(),
    }
}

fn names(files: &FakeFiles, begin: &str) -> Vec<String> {
    let names = files.contents().into_keys();
    names.filter(|name| name.starts_with(begin)).collect()
}

fn values(all: &Snapshots) -> Vec<f64> {
    all.values().map(|(_, value)| *value).collect()
}

#[test]
fn each_snapshot_is_in_the_journal_and_an_hour_is_a_segment() {
    let files = FakeFiles::default();
    let fixture = Fixture::on(&files);
    fixture.run(BEGIN, 0..10);
    assert_eq!(names(&files, "journal").len(), 1);
    assert_eq!(names(&files, "raw").len(), 0);
    let bytes = files.contents()["journal-00000000000000000000"].len() as u64;
    assert_eq!(fixture.status().journal_bytes, bytes);
    // The snapshot at the hour belongs to the one before.
    fixture.run(BEGIN + 100_000, 10..15);
    assert_eq!(names(&files, "raw"), ["raw-00000000000000000000-10.seg"]);
    assert_eq!(names(&files, "journal"), ["journal-00000000000000000010"]);
    assert_eq!(
        names(&files, "minute"),
        ["minute-00000000000000000000-2.seg"]
    );
    assert_eq!(names(&files, "hour"), ["hour-00000000000000000000-1.seg"]);
    let all = fixture.snapshots();
    assert_eq!(values(&all), (0..15).map(f64::from).collect::<Vec<_>>());
    fixture.check_coarse(&all);
    let status = fixture.status();
    assert_eq!(status.segments.map(|(count, _)| count), [1, 1, 1]);
    assert!(status.saved_at == Some(fixture.clock.now()) && status.failure.is_none());

    // A new process goes on with the numbers, also if it takes a snapshot before it opens the files.
    let next = Fixture::on(&FakeFiles::of(files.contents()));
    next.add(BEGIN + 200_000, 15, Duration::from_secs(10));
    next.run(BEGIN + 200_000, 16..20);
    let all = next.snapshots();
    assert_eq!(values(&all), (0..20).map(f64::from).collect::<Vec<_>>());
    assert_eq!(
        all.keys().copied().collect::<Vec<_>>(),
        (0..20).collect::<Vec<_>>()
    );
    let memory = lock(&next.memory);
    let ticks = memory.timeline().ticks();
    assert_eq!(ticks, 10..20, "the journal is in memory");
    let time = |tick| memory.timeline().get(tick).unwrap();
    let gaps: Vec<_> = ticks.filter(|tick| time(*tick).has_gap).collect();
    assert_eq!(gaps, [15]);
    assert_eq!(
        time(15).at,
        time(14).at + 10 * SECOND,
        "the time without a process does not count"
    );
}

#[test]
fn a_crash_at_any_moment_loses_nothing_that_was_synced() {
    let files = FakeFiles::default();
    files.state().crashes = Some(Vec::new());
    let fixture = Fixture::on(&files);
    let mut added: Vec<(i64, f64)> = Vec::new();
    let mut add = |wall: i64| {
        let value = added.len() as u32;
        fixture.add(wall, value, Duration::from_secs(10));
        added.push((wall, f64::from(value)));
        fixture.store.persist();
        assert_eq!(fixture.status().failure, None);
        files.state().mark = added.len() as u64;
    };
    // Three hours, and the next day, so that everything is written, rolled up and merged.
    for (hour, snapshots) in [(0, 4), (1, 3), (2, 2), (30, 3), (31, 2)] {
        for n in 0..snapshots {
            add(BEGIN + hour * HOUR + n * 10_000);
        }
    }
    files.record_crashes();
    let crashes = files.state().crashes.take().unwrap();
    assert!(crashes.len() > 150, "{}", crashes.len());
    for (synced, left) in crashes {
        let next = Fixture::on(&FakeFiles::of(left.clone()));
        next.store.persist();
        let names: Vec<_> = left.keys().collect();
        assert_eq!(next.status().failure, None, "{names:?}");
        let value = added.len() as u32;
        next.add(BEGIN + 40 * HOUR, value, Duration::from_secs(10));
        next.store.persist();
        let all = next.snapshots();
        let found: Vec<_> = all.values().copied().collect();
        let (last, before) = found.split_last().unwrap();
        assert_eq!(*last, (BEGIN + 40 * HOUR, f64::from(value)));
        assert!(
            before.len() as u64 >= synced,
            "{} of {synced}: {names:?}",
            before.len()
        );
        assert_eq!(before, &added[..before.len()], "{names:?}");
        next.check_coarse(&all);
        assert_eq!(next.status().damaged_files, 0, "{names:?}");
    }
}

#[test]
fn a_disk_that_fails_is_reported_and_what_was_missed_is_saved_when_it_works_again() {
    for error in [
        ErrorKind::StorageFull,
        ErrorKind::ReadOnlyFilesystem,
        ErrorKind::Other,
    ] {
        let files = FakeFiles::default();
        let fixture = Fixture::on(&files);
        fixture.run(BEGIN, 0..3);
        files.state().error = Some(error);
        fixture.run(BEGIN + 30_000, 3..5);
        let (text, since) = fixture.status().failure.unwrap();
        assert!(
            text.contains("/data/history") && text.contains("every 30 s"),
            "{text}"
        );
        assert!(fixture.notices().contains(&text));
        assert_eq!(since, fixture.clock.now() - 10 * SECOND);
        files.state().error = None;
        fixture.store.persist();
        assert!(fixture.status().failure.is_some(), "not before 30 s");
        fixture.run(BEGIN + 50_000, 5..9);
        assert_eq!(fixture.status().failure, None);
        assert!(fixture.notices().contains("on disk again"));
        let all = fixture.snapshots();
        assert_eq!(values(&all), (0..9).map(f64::from).collect::<Vec<_>>());
        let next = Fixture::on(&FakeFiles::of(files.contents()));
        next.store.persist();
        assert_eq!(next.snapshots(), all);
        assert_eq!(fixture.status().unsaved, 0);
    }
}

#[test]
fn what_does_not_fit_in_memory_while_the_disk_fails_is_counted() {
    let files = FakeFiles::default();
    let config = HistoryConfig::default().max_memory_bytes(20_000);
    let fixture = Fixture::with(Arc::new(files.clone()), config);
    fixture.run(BEGIN, 0..3);
    files.state().error = Some(ErrorKind::StorageFull);
    fixture.run(BEGIN + 30_000, 3..1000);
    let unsaved = fixture.status().unsaved;
    assert!(unsaved > 0 && lock(&fixture.memory).bytes() <= 20_000);
    files.state().error = None;
    fixture.run(BEGIN + 20_000_000, 1000..1005);
    assert_eq!(fixture.status().failure, None);
    let saved = fixture.snapshots().len() as u64;
    let unsaved = fixture.status().unsaved;
    assert_eq!(saved + unsaved, 1005, "{saved} and {unsaved}");
}

#[test]
fn memory_without_room_is_written_before_it_is_dropped() {
    let files = FakeFiles::default();
    let config = HistoryConfig::default().max_memory_bytes(20_000);
    let fixture = Fixture::with(Arc::new(files.clone()), config);
    // Within one hour, with values that do not shrink.
    for n in 0..300_u32 {
        let wall = BEGIN + 100_000 + i64::from(n) * 10_000;
        fixture.add(wall, n * n * 7919 % 65_521, Duration::from_secs(10));
        fixture.store.persist();
    }
    assert!(names(&files, "raw").len() > 1);
    assert_eq!(fixture.status().unsaved, 0);
    assert_eq!(fixture.snapshots().len(), 300);
}

#[test]
fn files_of_a_newer_version_are_not_touched() {
    let files = FakeFiles::default();
    let fixture = Fixture::on(&files);
    fixture.run(BEGIN, 0..12);
    let mut contents = files.contents();
    contents.insert("format".to_owned(), b"2\nabc\n".to_vec());
    contents.insert("raw-00000000000000000010-1.seg.tmp".to_owned(), vec![1]);
    let files = FakeFiles::of(contents.clone());
    let newer = Fixture::on(&files);
    newer.run(BEGIN, 0..12);
    newer.store.persist_last();
    let (text, _) = newer.status().failure.unwrap();
    for part in ["/data/history", "format 2", "format 1", "newer version"] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(files.contents(), contents);
    assert_eq!(values(&newer.snapshots()).len(), 12, "in memory");
}

#[test]
fn damaged_files_are_set_aside_and_the_rest_is_read() {
    let files = FakeFiles::default();
    let fixture = Fixture::on(&files);
    for hour in 0..9 {
        fixture.run(BEGIN + i64::from(hour) * HOUR, hour * 3..hour * 3 + 3);
    }
    let mut contents = files.contents();
    let raw: Vec<_> = names(&files, "raw");
    assert_eq!(raw.len(), 8);
    for name in &raw[..6] {
        contents.get_mut(name).unwrap()[20] ^= 1;
    }
    let journal = names(&files, "journal")[0].clone();
    contents.get_mut(&journal).unwrap()[10] ^= 1;
    let files = FakeFiles::of(contents);
    let next = Fixture::on(&files);
    next.run(BEGIN + 20 * HOUR, 100..102);
    let status = next.status();
    assert_eq!((status.damaged_files, status.kept), (7, 5));
    assert_eq!(status.failure, None);
    let corrupt = files
        .contents()
        .into_keys()
        .filter(|name| name.contains(".corrupt-"));
    assert_eq!(corrupt.count(), 5, "four segments and one journal");
    assert_eq!(
        values(&next.snapshots()),
        [18.0, 19.0, 20.0, 21.0, 22.0, 23.0, 100.0, 101.0]
    );
    assert!(next.notices().contains("*.corrupt-N"));
    // The minutes of the segments that were set aside are still there.
    assert!(names(&files, "minute").len() + names(&files, "hour").len() >= 2);
}

#[test]
fn a_damaged_record_costs_its_snapshot_alone() {
    let files = FakeFiles::default();
    let fixture = Fixture::on(&files);
    fixture.run(BEGIN + 100_000, 0..9);
    let mut contents = files.contents();
    let bytes = contents.get_mut("journal-00000000000000000000").unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let next = Fixture::on(&FakeFiles::of(contents));
    next.run(BEGIN + 300_000, 9..11);
    let status = next.status();
    assert_eq!(
        (status.lost, status.failure, status.damaged_files),
        (1, None, 0)
    );
    assert_eq!(next.snapshots().len(), 10);
    assert!(next.notices().contains("snapshots are missing"));
    next.check_coarse(&next.snapshots());
}

#[test]
fn a_wall_clock_that_jumps_removes_and_reorders_nothing() {
    let files = FakeFiles::default();
    let fixture = Fixture::on(&files);
    let ten_years = 10 * 365 * 24 * HOUR;
    let mut expected = Vec::new();
    for (n, jump) in [0, -HOUR, ten_years, 0, -ten_years, 5 * HOUR]
        .into_iter()
        .enumerate()
    {
        let first = n as u32 * 20;
        fixture.run(BEGIN + jump, first..first + 20);
        expected.extend((first..first + 20).map(f64::from));
    }
    let all = fixture.snapshots();
    assert_eq!(values(&all), expected);
    fixture.check_coarse(&all);
    let status = fixture.status();
    assert_eq!((status.evicted, status.unsaved, status.lost), (0, 0, 0));
    let next = Fixture::on(&FakeFiles::of(files.contents()));
    next.run(BEGIN, 900..901);
    assert_eq!(values(&next.snapshots()).len(), 121);
}

#[test]
fn a_directory_that_was_removed_or_replaced_is_written_again() {
    let files = FakeFiles::default();
    let fixture = Fixture::on(&files);
    fixture.run(BEGIN, 0..14);
    for name in files.contents().into_keys() {
        files.remove(&name).unwrap();
    }
    fixture.run(BEGIN + 140_000, 14..16);
    let (text, _) = fixture.status().failure.unwrap();
    assert!(text.contains("memory alone"), "{text}");
    fixture.run(BEGIN + 160_000, 16..20);
    assert_eq!(fixture.status().failure, None);
    let next = Fixture::on(&FakeFiles::of(files.contents()));
    next.store.persist();
    assert_eq!(
        values(&next.snapshots()),
        (0..20).map(f64::from).collect::<Vec<_>>()
    );

    // Another history in its place goes before the snapshots of this process.
    let other = FakeFiles::default();
    let earlier = Fixture::on(&other);
    earlier.run(BEGIN - HOUR, 500..530);
    let contents = other.contents();
    for name in files.contents().into_keys() {
        files.remove(&name).unwrap();
    }
    for (name, bytes) in contents {
        let mut file = files.create(&name).unwrap();
        file.append(&bytes).unwrap();
    }
    fixture.run(BEGIN + 200_000, 20..24);
    fixture.run(BEGIN + 240_000, 24..28);
    assert_eq!(fixture.status().failure, None);
    let all = fixture.snapshots();
    assert!(values(&all).starts_with(&[500.0, 501.0]), "{all:?}");
    assert!(values(&all).ends_with(&[26.0, 27.0]), "{all:?}");
}

#[test]
fn a_disk_that_hangs_stops_no_snapshot() {
    let files = FakeFiles::default();
    let gate = Arc::clone(&files.state().gate);
    let fixture = Fixture::on(&files);
    let held = gate.lock().unwrap();
    std::thread::scope(|scope| {
        let hanging = scope.spawn(|| fixture.store.persist());
        while fixture.status().busy_since.is_none() {
            std::thread::yield_now();
        }
        // Neither a snapshot nor another attempt waits.
        fixture.run(BEGIN, 0..200);
        assert_eq!(lock(&fixture.memory).timeline().len(), 200);
        assert!(fixture.status().busy_since.is_some());
        drop(held);
        hanging.join().unwrap();
    });
    fixture.store.persist();
    assert_eq!(fixture.status().busy_since, None);
    let next = Fixture::on(&FakeFiles::of(files.contents()));
    next.store.persist();
    assert_eq!(next.snapshots().len(), 200);
}

#[test]
fn fourteen_months_are_kept_by_resolution_and_the_rest_is_removed() {
    let files = FakeFiles::default();
    let fixture = Fixture::on(&files);
    // Two snapshots a day, so that it takes little time. Whole segments are removed: up to one of them is kept for longer.
    let days = 425_u32;
    for n in 0..days * 2 {
        let wall = BEGIN + i64::from(n) * 12 * HOUR;
        fixture.add(wall, 1, Duration::from_secs(12 * 3600));
        fixture.store.persist();
    }
    let status = fixture.status();
    assert_eq!((status.failure, status.evicted), (None, 0));
    let covered = |resolution: Resolution| {
        let segments = fixture.store.segments();
        let of = segments.iter().filter(|it| it.resolution() == resolution);
        of.map(|it| it.times().len()).sum::<usize>()
    };
    let raw = covered(Resolution::Raw);
    assert!((4..=5).contains(&raw), "{raw}");
    let minutes = covered(Resolution::Minute);
    assert!((15 * 2..=16 * 2 + 1).contains(&minutes), "{minutes}");
    let hours = covered(Resolution::Hour);
    assert!((395 * 2..=425 * 2).contains(&hours), "{hours}");
    let [raw, minutes, hours] = status.segments.map(|(count, _)| count);
    assert!(
        raw <= 5 && minutes <= 15 + 1 + 2 && hours <= 14 + 31 + 2,
        "{:?}",
        status.segments
    );
    fixture.check_coarse(&fixture.snapshots());

    // Reopening reads the heads and the journal alone.
    let stored: u64 = status.segments.iter().map(|(_, bytes)| bytes).sum();
    let again = FakeFiles::of(files.contents());
    let next = Fixture::on(&again);
    next.store.persist();
    let read = again.state().bytes_read;
    assert!(read < stored, "{read} of {stored}");
}

#[test]
fn the_oldest_snapshots_make_room_then_minutes_then_hours() {
    let files = FakeFiles::default();
    let config = HistoryConfig::default().max_bytes(12_000);
    let fixture = Fixture::with(Arc::new(files.clone()), config.clone());
    let mut had_removed = [false; 2];
    let mut before = [None, None];
    for n in 0..400_u32 {
        for _ in 0..3 {
            fixture.add(BEGIN + i64::from(n) * HOUR, 1, Duration::from_secs(10));
        }
        fixture.store.persist();
        let status = fixture.status();
        let bytes: u64 = status.segments.iter().map(|(_, bytes)| bytes).sum();
        assert!(bytes + status.journal_bytes <= 12_000 + 2_000, "{status:?}");
        let segments = fixture.store.segments();
        let first = |resolution: Resolution| {
            let mut of = segments.iter().filter(|it| it.resolution() == resolution);
            of.next().map(|segment| segment.times()[0].first_snapshot)
        };
        let now = [first(Resolution::Minute), first(Resolution::Hour)];
        let finer = [first(Resolution::Raw), first(Resolution::Minute)];
        for at in 0..2 {
            if before[at].is_some() && now[at] != before[at] {
                assert_eq!(finer[at], None, "finer steps are removed first");
                had_removed[at] = true;
            }
        }
        before = now;
    }
    assert!(had_removed[0], "minutes");
    assert!(fixture.status().evicted > 100);
    // Snapshots go on to be numbered, although none is left.
    let mut contents = files.contents();
    contents.retain(|name, _| !name.starts_with("journal") && !name.starts_with("raw"));
    let next = Fixture::with(Arc::new(FakeFiles::of(contents)), config);
    next.run(BEGIN + 500 * HOUR, 0..1);
    assert_eq!(next.snapshots().into_keys().collect::<Vec<_>>(), [399 * 3]);
}

#[test]
fn room_is_made_without_what_is_not_rolled_up_and_step_numbers_are_not_used_again() {
    let files = FakeFiles::default();
    let config = |bytes| HistoryConfig::default().max_bytes(bytes);
    let fixture = Fixture::with(Arc::new(files.clone()), config(6_000));
    let mut minutes_seen: BTreeMap<u64, i64> = BTreeMap::new();
    let mut total = 0.0;
    for hour in 0..40_u32 {
        fixture.run(BEGIN + i64::from(hour) * HOUR, hour * 20..hour * 20 + 20);
        // A part of the hour becomes a segment, as after a disk that failed. Its last minute is not complete.
        files.state().error = Some(ErrorKind::StorageFull);
        fixture.run(BEGIN + i64::from(hour) * HOUR + 200_000, 900..901);
        files.state().error = None;
        fixture.clock.advance(Duration::from_secs(60));
        fixture.store.persist();
        assert_eq!(fixture.status().failure, None);
        total += (0..20).map(|n| f64::from(hour * 20 + n)).sum::<f64>() + 900.0;
        for segment in fixture.store.segments() {
            let times = (segment.steps().start..).zip(segment.times());
            for (step, time) in times.filter(|_| segment.resolution() == Resolution::Minute) {
                let known = minutes_seen.entry(step).or_insert(time.wall);
                assert_eq!(*known, time.wall, "minute {step} is two minutes");
            }
        }
    }
    assert!(fixture.status().evicted > 100, "{:?}", fixture.status());
    // The hours have all that was ever counted, but for the last ones, whose minutes are still there.
    let mut counted = 0.0;
    let mut end = 0;
    for resolution in [Resolution::Hour, Resolution::Minute, Resolution::Raw] {
        for segment in &fixture.store.segments() {
            if segment.resolution() != resolution {
                continue;
            }
            let (runs, _) = segment
                .read("jobs_total", &segment.steps(), &|_| true)
                .unwrap();
            for (time, sum) in segment.times().iter().zip(numbers(&runs[0].column)) {
                if time.first_snapshot >= end {
                    counted += sum;
                    end = time.end();
                }
            }
        }
    }
    assert_eq!(counted, total);
}

/// The same on a real directory.
#[test]
#[cfg(unix)]
fn a_real_directory_is_private_follows_no_link_and_survives_its_removal() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("data/history");
    let open = || {
        let files: Arc<dyn StoreFiles> =
            Arc::new(super::super::directory::StoreDirectory::new(&path));
        Fixture::with(files, HistoryConfig::default())
    };
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let fixture = open();
    fixture.run(BEGIN, 0..14);
    assert_eq!(fixture.status().failure, None);
    assert_eq!(mode(&path), 0o700);
    for entry in std::fs::read_dir(&path).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
    std::fs::remove_dir_all(&path).unwrap();
    fixture.run(BEGIN + 140_000, 14..15);
    assert!(fixture.status().failure.is_some());
    fixture.run(BEGIN + 150_000, 15..19);
    assert_eq!(fixture.status().failure, None);
    let next = open();
    next.run(BEGIN + 300_000, 19..20);
    assert_eq!(
        values(&next.snapshots()),
        (0..20).map(f64::from).collect::<Vec<_>>()
    );

    std::fs::remove_dir_all(&path).unwrap();
    let elsewhere = root.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, &path).unwrap();
    let linked = open();
    linked.run(BEGIN, 0..2);
    assert!(linked.status().failure.unwrap().0.contains("symbolic link"));
    assert_eq!(std::fs::read_dir(&elsewhere).unwrap().count(), 0);
}

#[test]
fn a_format_file_that_is_damaged_is_written_again() {
    let files = FakeFiles::default();
    Fixture::on(&files).run(BEGIN, 0..3);
    let mut contents: Contents = files.contents();
    contents.insert("format".to_owned(), b"\xff\xfe".to_vec());
    let files = FakeFiles::of(contents);
    let next = Fixture::on(&files);
    next.run(BEGIN + 30_000, 3..5);
    assert_eq!(next.status().failure, None);
    assert_eq!(values(&next.snapshots()), [0.0, 1.0, 2.0, 3.0, 4.0]);
    assert!(files.contents()["format"].starts_with(b"1\n"));
}
