//! The index of log files, and searches with and without it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::LogIndex;
use crate::clock::Clock;
use crate::logs::search::budget::SearchBudget;
use crate::logs::search::collector::LineCollector;
use crate::logs::search::cursor::{CursorPlace, LogCursor};
use crate::logs::search::file_search::{SearchOutcome, SearchTerms, search_files};
use crate::logs::search::forward::read_files_from;
use crate::logs::search::found::FoundLine;
use crate::logs::search::histogram::HistogramCounter;
use crate::logs::search::line_filter::LineFilter;
use crate::logs::search::visitor::{LineVisitor, time_of};
use crate::logs::{LogFileWriter, LogFiles, LogFilesSetup, LogHistogram, LogQuery, SearchEnd};

const MIB: u64 = 1 << 20;
/// Lines of about 200 bytes: two megabytes.
const LINES: u64 = 10_000;

fn files(directory: &Path) -> Arc<LogFiles> {
    Arc::new(LogFiles::new(LogFilesSetup {
        directory: directory.to_owned(),
        max_file_bytes: MIB,
        max_bytes: 100 * MIB,
        max_closed: 100,
        permissions: 0o640,
        clock: Clock::driven(Duration::from_secs(1_000_000)),
        diagnostics: Arc::default(),
    }))
}

fn write(files: &Arc<LogFiles>, numbers: std::ops::Range<u64>) {
    let mut writer = LogFileWriter::new(files);
    for first in numbers.clone().step_by(100) {
        let mut lines = String::new();
        for n in first..(first + 100).min(numbers.end) {
            let level = ["INFO", "DEBUG", "WARN", "INFO", "ERROR"][n as usize % 5];
            let rare = if n % 1777 == 5 { "unicorn" } else { "horse" };
            lines += &format!(
                "{{\"timestamp\":\"1970-01-12T{:02}:{:02}:{:02}.000000Z\",\"level\":\"{level}\",\"message\":\"a {rare} eats {n} apples\",\"service.name\":\"farm\",\"padding\":\"{}\"}}\n",
                n / 3600 % 24,
                n / 60 % 60,
                n % 60,
                "x".repeat(100)
            );
        }
        let mut rest = lines.as_bytes();
        while !rest.is_empty() {
            let written = writer.write(rest).unwrap();
            rest = &rest[written..];
        }
    }
}

fn run(index: &LogIndex, query: &LogQuery, visitor: &mut dyn LineVisitor) -> SearchOutcome {
    let (clock, filter) = (Clock::system(), LineFilter::new(query));
    let terms = SearchTerms {
        filter: &filter,
        budget: &SearchBudget::new(&clock, Duration::from_secs(600), &|| false),
        before: query.before,
    };
    search_files(index, &terms, visitor).unwrap()
}

/// The lines that a query selects, and the bytes that it read.
fn search(index: &LogIndex, query: &LogQuery) -> (Vec<String>, u64) {
    let mut collector = LineCollector::new(LogQuery::MAX_LIMIT);
    let outcome = run(index, query, &mut collector);
    assert_eq!(outcome.progress.unreadable, 0);
    let lines = collector.lines.into_iter().map(|it| it.json);
    (lines.collect(), outcome.progress.read_bytes)
}

fn text(text: &str) -> LogQuery {
    LogQuery::default().text(text).unwrap()
}

fn queries() -> Vec<(LogQuery, usize)> {
    let seconds = |seconds: u64| time_of(950_400_000_000 + seconds * 1_000_000);
    vec![
        (text("unicorn"), 6),
        (text("unicorn OR 4711"), 7),
        (text("unicorn level:debug"), 1),
        (text("uni*"), 6),
        (text("nothing"), 0),
        (text("farm"), 0),
        (text("service.name:farm \"horse eats 17 apples\""), 1),
        (
            LogQuery::default()
                .since(seconds(9_000))
                .until(seconds(9_010)),
            10,
        ),
        (LogQuery::default().exact_level(tracing::Level::ERROR), 2000),
        (LogQuery::default().exact_level(tracing::Level::TRACE), 0),
    ]
}

#[track_caller]
fn assert_same(index: &LogIndex, files: &Arc<LogFiles>) {
    // One that never runs and finds no files.
    let elsewhere = tempfile::tempdir().unwrap();
    let without = LogIndex::at(files, elsewhere.path());
    for (query, count) in queries() {
        let (found, _) = search(index, &query);
        assert_eq!(found.len(), count, "{query:?}");
        assert_eq!(found, search(&without, &query).0, "{query:?}");
    }
}

fn indexed(files: &Arc<LogFiles>) -> LogIndex {
    let index = LogIndex::new(files, &Arc::default());
    while !index.run(MIB).unwrap() {}
    index
}

#[test]
fn an_index_changes_no_result_whatever_becomes_of_the_files() {
    let directory = tempfile::tempdir().unwrap();
    let log_files = files(directory.path());
    write(&log_files, 0..LINES);
    let index = LogIndex::new(&log_files, &Arc::default());
    assert_same(&index, &log_files);
    while !index.run(MIB).unwrap() {}
    assert_same(&index, &log_files);
    // Plain files were indexed, and are compressed.
    log_files.tick();
    assert_same(&index, &log_files);
    let rare = text("unicorn");
    // Six lines are in at most six blocks, and one is not complete.
    let read = search(&index, &rare).1;
    assert!(read < MIB * 7 / 4 + MIB / 8, "{read}");
    assert!(search(&index, &text("nowhere")).1 < MIB / 2);
    // Another process reads what this one has stored.
    drop(index);
    log_files.finish();
    let again = files(directory.path());
    let index = LogIndex::new(&again, &Arc::default());
    assert_same(&index, &again);
    assert_eq!(search(&index, &rare).1, read);
    // Made from compressed files, it is the same.
    let names = || {
        fs::read_dir(directory.path().join("index"))
            .unwrap()
            .map(|it| it.unwrap().path())
    };
    let of = || {
        let mut all: Vec<_> = names()
            .map(|it| (it.clone(), fs::read(it).unwrap()))
            .collect();
        all.sort();
        all
    };
    let before = of();
    assert!(before.len() > 1);
    fs::remove_dir_all(directory.path().join("index")).unwrap();
    let index = indexed(&again);
    assert_eq!(of(), before);
    // Further lines are found at once, and indexed once their block is complete.
    write(&again, LINES..LINES + 50);
    let (found, _) = search(&index, &text("10049"));
    assert_eq!(found.len(), 1);
    // An index of a file that is gone is removed.
    fs::write(directory.path().join("index/000999"), b"old").unwrap();
    while !index.run(MIB).unwrap() {}
    assert!(!directory.path().join("index/000999").exists());
}

#[test]
fn a_damaged_index_changes_no_result_and_is_made_again() {
    let directory = tempfile::tempdir().unwrap();
    let log_files = files(directory.path());
    write(&log_files, 0..LINES);
    log_files.tick();
    drop(indexed(&log_files));
    let names: Vec<_> = fs::read_dir(directory.path().join("index"))
        .unwrap()
        .map(|it| it.unwrap().path())
        .collect();
    let intact: Vec<_> = names.iter().map(|it| fs::read(it).unwrap()).collect();
    for at in [20, 30, 500, 9000] {
        for (name, bytes) in names.iter().zip(&intact) {
            let mut damaged = bytes.clone();
            let at = at.min(damaged.len() - 1);
            damaged[at] ^= 0xff;
            fs::write(name, damaged).unwrap();
        }
        let index = LogIndex::new(&log_files, &Arc::default());
        assert_same(&index, &log_files);
        while !index.run(MIB).unwrap() {}
        assert_same(&index, &log_files);
        for (name, bytes) in names.iter().zip(&intact) {
            // A filter that no search has read stays damaged until one does.
            let is_whole = fs::read(name).unwrap().len() == bytes.len();
            assert!(is_whole, "{at}");
        }
    }
}

#[test]
fn a_histogram_is_exact_and_reads_few_blocks() {
    let directory = tempfile::tempdir().unwrap();
    let log_files = files(directory.path());
    write(&log_files, 0..LINES);
    log_files.tick();
    let index = indexed(&log_files);
    let start = 950_400_000_000;
    let histogram = |query: &LogQuery, index: &LogIndex| -> (LogHistogram, u64) {
        let levels = LineFilter::new(query).levels();
        let mut counter = HistogramCounter::new((start, start + 12_000_000_000), 4, levels);
        let outcome = run(index, query, &mut counter);
        (
            counter.finish(&SearchOutcome::default()),
            outcome.progress.read_bytes,
        )
    };
    let all = LogQuery::default();
    let (counted, read) = histogram(&all, &index);
    let totals: Vec<_> = counted
        .counts
        .iter()
        .map(|it| (it.total(), it.error))
        .collect();
    assert_eq!(totals, [(3000, 600), (3000, 600), (3000, 600), (1000, 200)]);
    assert_eq!(counted.step, Duration::from_secs(3000));
    // Three blocks have lines of two intervals, and one is not complete.
    assert!(read < MIB * 5 / 4, "{read}");
    let elsewhere = tempfile::tempdir().unwrap();
    let without = LogIndex::at(&log_files, elsewhere.path());
    for query in [
        all,
        LogQuery::default().level(tracing::Level::WARN),
        text("unicorn"),
    ] {
        assert_eq!(histogram(&query, &index).0, histogram(&query, &without).0);
    }
}

/// The compressed files, the oldest first.
fn compressed(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    let mut paths: Vec<_> = entries.map(|it| it.unwrap().path()).collect();
    paths.retain(|it| {
        let name = it.file_name().unwrap().to_str().unwrap();
        name.starts_with("combined-") && it.extension() == Some("gz".as_ref())
    });
    paths.sort();
    paths
}

/// Puts something at the place of a file that is opened and cannot be read.
fn make_unreadable(path: &Path) {
    fs::remove_file(path).unwrap();
    fs::create_dir(path).unwrap();
}

#[test]
fn a_file_that_cannot_be_read_keeps_back_no_line_of_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let log_files = files(directory.path());
    write(&log_files, 0..2 * LINES);
    log_files.tick();
    let closed = compressed(directory.path());
    assert!(closed.len() > 2, "{closed:?}");
    make_unreadable(&closed[1]);
    let index = LogIndex::new(&log_files, &Arc::default());
    let mut collector = LineCollector::new(LogQuery::MAX_LIMIT);
    let outcome = run(&index, &text("unicorn"), &mut collector);
    assert_eq!(outcome.end, SearchEnd::Complete);
    assert_eq!(outcome.progress.unreadable, 1);
    let lines = &collector.lines;
    assert!(lines.len() < 12, "{}", lines.len());
    for (line, n) in [(lines.first(), 19_552), (lines.last(), 5)] {
        let json = &line.unwrap().json;
        assert!(json.contains(&format!("eats {n} apples")), "{json}");
    }
    // The other results say it too.
    let levels = LineFilter::new(&text("unicorn")).levels();
    let mut counter = HistogramCounter::new((0, u64::MAX), 1, levels);
    let outcome = run(&index, &text("unicorn"), &mut counter);
    assert_eq!(counter.finish(&outcome).unreadable, 1);
}

fn has_index(directory: &Path, number: u64) -> bool {
    directory.join(format!("index/{number:06}")).exists()
}

#[test]
fn a_file_that_cannot_be_indexed_keeps_back_none_of_the_others_and_is_tried_again() {
    let directory = tempfile::tempdir().unwrap();
    let log_files = files(directory.path());
    write(&log_files, 0..2 * LINES);
    log_files.tick();
    let closed = compressed(directory.path());
    let intact = fs::read(&closed[1]).unwrap();
    for is_damaged in [false, true] {
        if is_damaged {
            fs::write(&closed[1], &intact[..40]).unwrap();
        } else {
            make_unreadable(&closed[1]);
        }
        let index = indexed(&log_files);
        assert_eq!(index.unindexed(), Some(1));
        let of = |number| has_index(directory.path(), number);
        assert!(of(1) && !of(2) && of(3), "{is_damaged}");
        // Runs leave it out for a while.
        if !is_damaged {
            fs::remove_dir(&closed[1]).unwrap();
        }
        fs::write(&closed[1], &intact).unwrap();
        for _ in 0..50 {
            assert!(index.run(MIB).unwrap());
        }
        assert!(!of(2) && index.unindexed() == Some(1));
        for _ in 0..20 {
            index.run(MIB).unwrap();
        }
        assert!(of(2) && index.unindexed() == Some(0));
        fs::remove_file(directory.path().join("index/000002")).unwrap();
    }
}

#[test]
fn an_index_that_cannot_be_written_keeps_back_none_of_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let log_files = files(directory.path());
    write(&log_files, 0..2 * LINES);
    fs::create_dir_all(directory.path().join("index/000002")).unwrap();
    let index = indexed(&log_files);
    assert_eq!(index.unindexed(), Some(1));
    assert!(directory.path().join("index/000001").is_file());
    // Two are no fault of one file.
    let other = LogIndex::at(&log_files, &directory.path().join("combined.log"));
    assert!(other.run(MIB).is_err());
}

#[test]
fn an_index_whose_folder_is_removed_is_made_again() {
    let directory = tempfile::tempdir().unwrap();
    let log_files = files(directory.path());
    write(&log_files, 0..LINES + 2000);
    let index = indexed(&log_files);
    fs::remove_dir_all(directory.path().join("index")).unwrap();
    // The current file has blocks in the index that was removed, and gets another one.
    write(&log_files, LINES + 2000..LINES + 3500);
    while !index.run(MIB).unwrap() {}
    let made = all_indexes(directory.path());
    assert!(made.len() > 1);
    fs::remove_dir_all(directory.path().join("index")).unwrap();
    drop(indexed(&log_files));
    assert_eq!(made, all_indexes(directory.path()));
}

/// The indexes and what they have.
fn all_indexes(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(directory.join("index")).unwrap();
    let paths = entries.map(|it| it.unwrap().path());
    let mut all: Vec<_> = paths
        .map(|it| (it.clone(), fs::read(it).unwrap()))
        .collect();
    all.sort();
    all
}

#[test]
fn facts_that_left_the_memory_are_not_read_again_by_each_run() {
    let directory = tempfile::tempdir().unwrap();
    let log_files = files(directory.path());
    write(&log_files, 0..2 * LINES);
    log_files.tick();
    let index = LogIndex::with_room(&log_files, 1);
    while !index.run(MIB).unwrap() {}
    let intact = all_indexes(directory.path());
    // A run that read it would make it again.
    let oldest = &intact[0].0;
    fs::write(oldest, b"damaged").unwrap();
    assert!(index.run(MIB).unwrap());
    assert_eq!(fs::read(oldest).unwrap(), b"damaged");
    // A search reads it.
    let (found, _) = search(&index, &text("unicorn"));
    assert_eq!(found.len(), 12);
    while !index.run(MIB).unwrap() {}
    assert!(all_indexes(directory.path()) == intact);
}

#[test]
fn a_file_that_its_index_excludes_is_not_opened() {
    let directory = tempfile::tempdir().unwrap();
    let log_files = files(directory.path());
    write(&log_files, 0..2 * LINES);
    log_files.tick();
    let index = indexed(&log_files);
    make_unreadable(&compressed(directory.path())[0]);
    let late = time_of(950_400_000_000 + 15_000 * 1_000_000);
    let none = LogQuery::default().exact_level(tracing::Level::TRACE);
    for (query, count) in [(LogQuery::default().since(late), 5000), (none, 0)] {
        // It looks for files that could not be read.
        assert_eq!(search(&index, &query).0.len(), count);
    }
    let again = LogIndex::new(&log_files, &Arc::default());
    let (found, _) = search(&again, &LogQuery::default().since(late));
    assert_eq!(found.len(), 5000);
}

#[test]
fn a_renamed_file_that_is_gone_is_looked_for_once() {
    let directory = tempfile::tempdir().unwrap();
    let log_files = files(directory.path());
    write(&log_files, 0..100);
    let renamed = directory.path().join("rotated.log");
    fs::rename(directory.path().join("combined.log"), &renamed).unwrap();
    write(&log_files, 100..200);
    let index = LogIndex::new(&log_files, &Arc::default());
    assert_eq!(search(&index, &text("horse")).0.len(), 199);
    fs::remove_file(&renamed).unwrap();
    let mut collector = LineCollector::new(LogQuery::MAX_LIMIT);
    let outcome = run(&index, &text("horse"), &mut collector);
    assert_eq!(
        (collector.lines.len(), outcome.progress.unreadable),
        (100, 1)
    );
    assert_eq!(log_files.segments().unwrap().1.len(), 1);
    assert_eq!(search(&index, &text("horse")).0.len(), 100);
}

#[test]
fn a_block_with_a_line_that_is_longer_than_ours_is_searched() {
    let directory = tempfile::tempdir().unwrap();
    let log_files = files(directory.path());
    write(&log_files, 0..10);
    let line = "x".repeat(3 << 20) + "\n";
    let mut writer = LogFileWriter::new(&log_files);
    assert_eq!(writer.write(line.as_bytes()).unwrap(), line.len());
    write(&log_files, 10..20);
    for is_compressed in [false, true] {
        if is_compressed {
            log_files.tick();
        }
        let index = indexed(&log_files);
        assert_eq!(search(&index, &text("unicorn")).0.len(), 1);
        assert_eq!(search(&index, &text("horse")).0.len(), 19);
    }
}

#[test]
fn a_tail_passes_over_a_file_that_cannot_be_read() {
    let directory = tempfile::tempdir().unwrap();
    let log_files = files(directory.path());
    write(&log_files, 0..2 * LINES);
    log_files.tick();
    make_unreadable(&compressed(directory.path())[1]);
    let index = LogIndex::new(&log_files, &Arc::default());
    let (clock, filter) = (Clock::system(), LineFilter::new(&text("unicorn")));
    let terms = SearchTerms {
        filter: &filter,
        budget: &SearchBudget::new(&clock, Duration::from_secs(600), &|| false),
        before: None,
    };
    let (list, _, _) = log_files.end().unwrap();
    let begin = LogCursor(CursorPlace::File {
        list,
        segment: 1,
        offset: 0,
    });
    let tail = read_files_from(&index, &terms, begin, LogQuery::MAX_LIMIT).unwrap();
    assert_eq!((tail.unreadable, tail.has_more), (1, false));
    let of = |line: Option<&FoundLine>| line.unwrap().json.clone();
    assert!(of(tail.lines.first()).contains("eats 5 apples"));
    assert!(of(tail.lines.last()).contains("eats 19552 apples"));
    let rest = read_files_from(&index, &terms, tail.next, LogQuery::MAX_LIMIT).unwrap();
    assert_eq!((rest.unreadable, rest.lines.len()), (0, 0));
}
