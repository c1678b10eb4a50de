use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::catalog::{SegmentCatalog, SegmentLimits};
use super::compress::compress_closed;
use super::position::LogPosition;
use super::reader::LogReader;
use super::rolling::{RollingFile, RollingLimits};
use super::segment::SegmentPlace;
use super::{LogFileWriter, LogFiles, LogFilesSetup};
use crate::clock::Clock;

const DAY: u64 = 20_787;

/// The files of a directory, as one process has them.
struct LogProcess {
    catalog: Arc<SegmentCatalog>,
    file: RollingFile,
}

fn process(directory: &Path, max_file_bytes: u64, max_bytes: u64) -> LogProcess {
    let catalog = Arc::new(SegmentCatalog::new(directory, "combined"));
    let limits = RollingLimits {
        max_file_bytes,
        all: SegmentLimits {
            max_bytes,
            max_closed: 1000,
        },
        permissions: 0o640,
    };
    LogProcess {
        file: RollingFile::new(Arc::clone(&catalog), limits),
        catalog,
    }
}

impl LogProcess {
    /// Writes the lines with these numbers, each by itself.
    fn write(&mut self, numbers: impl IntoIterator<Item = u64>) {
        for number in numbers {
            let line = format!("line {number:06}\n");
            assert_eq!(self.file.append(line.as_bytes(), DAY).unwrap(), line.len());
        }
    }

    fn reader(&self, from: Option<LogPosition>) -> LogReader {
        self.catalog.load().unwrap();
        LogReader::new(Arc::clone(&self.catalog), from)
    }

    fn names(&self) -> Vec<String> {
        names(&self.catalog.directory)
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let names = entries.map(|it| it.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|it| !it.contains(".files")).collect();
    names.sort();
    names
}

/// Reads the numbers of lines up to the end.
fn read(reader: &mut LogReader) -> Vec<u64> {
    let (mut line, mut numbers) = (Vec::new(), Vec::new());
    while reader.next_line(&mut line).unwrap() {
        let text = std::str::from_utf8(&line).unwrap();
        numbers.push(text.strip_prefix("line ").unwrap().parse().unwrap());
    }
    numbers
}

fn numbers(range: std::ops::Range<u64>) -> Vec<u64> {
    range.collect()
}

#[test]
fn a_reader_follows_over_files_compression_and_restarts() {
    let directory = tempfile::tempdir().unwrap();
    let mut position = None;
    for start in (0..100).step_by(10) {
        // Each process begins with what the one before has left: 3 lines a file, of 12 bytes each.
        let mut process = process(directory.path(), 36, u64::MAX);
        process.write(start..start + 7);
        if start % 20 == 0 {
            compress_closed(&process.catalog, 0o640).unwrap();
        }
        let mut reader = process.reader(position);
        assert_eq!(read(&mut reader), numbers(start..start + 7));
        process.write(start + 7..start + 10);
        assert_eq!(read(&mut reader), numbers(start + 7..start + 10));
        assert_eq!(reader.missed(), 0);
        position = Some(reader.position().to_string().parse().unwrap());
    }
    let last = process(directory.path(), 36, u64::MAX);
    assert_eq!(read(&mut last.reader(None)), numbers(0..100));
    compress_closed(&last.catalog, 0o640).unwrap();
    assert_eq!(read(&mut last.reader(None)), numbers(0..100));
    assert!(read(&mut last.reader(position)).is_empty());
    let names = last.names();
    let closed = names.iter().filter(|it| it.contains(".log.gz")).count();
    assert_eq!((closed, names.len()), (33, 34), "{names:?}");
    assert_eq!(names[0], "combined-2026-11-30-000001.log.gz");
}

#[test]
fn a_position_in_any_line_continues_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let mut process = process(directory.path(), 60, u64::MAX);
    process.write(0..17);
    let (mut reader, mut line) = (process.reader(None), Vec::new());
    let mut positions = vec![reader.position()];
    while reader.next_line(&mut line).unwrap() {
        positions.push(reader.position());
    }
    for compressed in [false, true] {
        for (from, position) in positions.iter().enumerate() {
            let mut reader = process.reader(Some(*position));
            assert_eq!(read(&mut reader), numbers(from as u64..17), "{position}");
            assert_eq!(reader.missed(), 0);
        }
        if !compressed {
            compress_closed(&process.catalog, 0o640).unwrap();
        }
    }
}

#[test]
fn what_was_removed_before_it_was_read_is_counted() {
    let directory = tempfile::tempdir().unwrap();
    // 5 lines a file, and three files of them.
    let mut process = process(directory.path(), 60, 180);
    process.write(0..3);
    let mut reader = process.reader(None);
    assert_eq!(read(&mut reader), numbers(0..3));
    process.write(3..40);
    let kept = read(&mut process.reader(None));
    let mut rest = read(&mut reader);
    assert_eq!(rest, kept);
    assert_eq!(reader.missed(), rest[0] - 3);
    assert!(process.names().len() <= 4, "{:?}", process.names());
    // Files that somebody else removes are counted too.
    let mut late = process.reader(None);
    for name in process.names().iter().filter(|it| **it != "combined.log") {
        fs::remove_file(directory.path().join(name)).unwrap();
    }
    rest = read(&mut late);
    assert_eq!(late.missed() + rest.len() as u64, kept.len() as u64);
}

#[test]
fn a_file_that_was_renamed_is_read_under_its_other_name() {
    let directory = tempfile::tempdir().unwrap();
    let current = directory.path().join("combined.log");
    let mut one = process(directory.path(), 1 << 20, u64::MAX);
    one.write(0..5);
    let mut reader = one.reader(None);
    let mut line = Vec::new();
    assert!(reader.next_line(&mut line).unwrap());
    // As logrotate does it: with and without a new file at the old name.
    fs::rename(&current, directory.path().join("combined.log.1")).unwrap();
    File::create(&current).unwrap();
    one.write(5..8);
    fs::rename(&current, directory.path().join("combined.log.0")).unwrap();
    one.write(8..10);
    let stored = reader.position();
    assert_eq!(read(&mut reader), numbers(1..10));
    // Another process finds it too, also if it was renamed while none ran.
    drop(one);
    fs::rename(&current, directory.path().join("combined.log.old")).unwrap();
    let mut two = process(directory.path(), 1 << 20, u64::MAX);
    two.write(10..12);
    let mut reader = two.reader(Some(stored));
    assert_eq!((read(&mut reader), reader.missed()), (numbers(1..12), 0));
    // Once they are removed, only their lines are missing.
    for name in ["combined.log.0", "combined.log.1"] {
        fs::remove_file(directory.path().join(name)).unwrap();
    }
    let mut reader = two.reader(Some(stored));
    assert_eq!((read(&mut reader), reader.missed()), (numbers(8..12), 7));
}

#[test]
fn a_truncated_file_begins_anew_and_what_nobody_read_is_counted() {
    let directory = tempfile::tempdir().unwrap();
    let current = directory.path().join("combined.log");
    let truncate = || {
        let file = OpenOptions::new().write(true).open(&current).unwrap();
        file.set_len(0).unwrap();
    };
    let mut process = process(directory.path(), 1 << 20, u64::MAX);
    process.write(0..5);
    let mut reader = process.reader(None);
    let mut line = Vec::new();
    assert!(reader.next_line(&mut line).unwrap());
    let other = process.reader(Some(reader.position()));
    assert_eq!(read(&mut reader), numbers(1..5));
    truncate();
    // Nothing is known yet, and a reader waits.
    let (mut early, mut late) = (other, process.reader(Some(reader.position())));
    assert_eq!((read(&mut early), early.missed()), (vec![], 0));
    process.write(5..20);
    assert_eq!((read(&mut early), early.missed()), (numbers(5..20), 4));
    assert_eq!((read(&mut late), late.missed()), (numbers(5..20), 0));
    truncate();
    process.write(20..21);
    assert_eq!((read(&mut early), early.missed()), (numbers(20..21), 4));
    assert_eq!(fs::read_to_string(&current).unwrap(), "line 000020\n");
}

#[test]
fn a_file_that_was_truncated_while_no_process_ran_begins_anew() {
    let directory = tempfile::tempdir().unwrap();
    let mut one = process(directory.path(), 1 << 20, u64::MAX);
    one.write(0..10);
    let mut reader = one.reader(None);
    let mut line = Vec::new();
    assert!(reader.next_line(&mut line).unwrap());
    one.file.sync().unwrap();
    one.catalog.save().unwrap();
    drop(one);
    File::create(directory.path().join("combined.log")).unwrap();
    let mut two = process(directory.path(), 1 << 20, u64::MAX);
    two.write(10..12);
    let mut reader = two.reader(Some(reader.position()));
    assert_eq!((read(&mut reader), reader.missed()), (numbers(10..12), 9));
}

#[test]
fn lines_keep_their_numbers_if_those_that_were_not_synced_are_lost_with_the_power() {
    let directory = tempfile::tempdir().unwrap();
    let current = directory.path().join("combined.log");
    let mut one = process(directory.path(), 1 << 20, u64::MAX);
    one.write(0..6);
    one.file.sync().unwrap();
    let synced = fs::metadata(&current).unwrap().len();
    one.write(6..10);
    one.catalog.save().unwrap();
    let mut reader = one.reader(None);
    assert_eq!(read(&mut reader), numbers(0..10));
    let position = reader.position();
    drop(one);
    let file = OpenOptions::new().write(true).open(&current).unwrap();
    file.set_len(synced).unwrap();
    let mut two = process(directory.path(), 1 << 20, u64::MAX);
    two.catalog.load().unwrap();
    let found_end = two.catalog.found_end();
    assert_eq!((found_end.segment, found_end.line), (1, 6));
    // The lines of this process are read, also if they are there before the reader.
    two.write(10..20);
    let mut reader = two.reader(Some(position.min(two.catalog.found_end())));
    assert_eq!((read(&mut reader), reader.missed()), (numbers(10..20), 0));
    assert_eq!(reader.position().line, 16);
}

#[test]
fn a_torn_last_line_is_cut_off_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let current = directory.path().join("combined.log");
    let whole = "line 000000\nline 000001\n".len();
    for torn in ["l", "line 00000", "{\"a\":\"\u{e9}"] {
        drop(fs::remove_file(&current));
        let mut one = process(directory.path(), 1 << 20, u64::MAX);
        one.write(0..2);
        drop(one);
        let mut file = OpenOptions::new().append(true).open(&current).unwrap();
        file.write_all(torn.as_bytes()).unwrap();
        let mut two = process(directory.path(), 1 << 20, u64::MAX);
        two.catalog.load().unwrap();
        assert_eq!(fs::metadata(&current).unwrap().len(), whole as u64);
        let from = two.catalog.current().unwrap();
        two.write(2..4);
        let mut reader = two.reader(Some(from.start(two.catalog.list())));
        assert_eq!(read(&mut reader), numbers(0..4));
    }
}

#[test]
fn what_another_program_appends_is_not_taken_for_ours() {
    let directory = tempfile::tempdir().unwrap();
    let current = directory.path().join("combined.log");
    let mut process = process(directory.path(), 1 << 20, u64::MAX);
    process.write(0..2);
    let mut file = OpenOptions::new().append(true).open(&current).unwrap();
    file.write_all(b"not ours, and torn").unwrap();
    process.write(2..4);
    assert_eq!(read(&mut process.reader(None)), numbers(0..4));
}

#[test]
fn a_process_that_ends_while_it_closes_a_file_is_continued() {
    let directory = tempfile::tempdir().unwrap();
    let mut one = process(directory.path(), 24, u64::MAX);
    one.write(0..2);
    let stored = one.reader(None).position();
    // The list says that the file is closed, and the file has its old name still.
    let list = directory.path().join("combined.files");
    one.catalog.save().unwrap();
    let text = fs::read_to_string(&list)
        .unwrap()
        .replace("current", "closed");
    fs::write(&list, text).unwrap();
    drop(one);
    let mut two = process(directory.path(), 24, u64::MAX);
    two.write(2..3);
    assert_eq!(
        two.names(),
        ["combined-2026-11-30-000001.log", "combined.log"]
    );
    assert_eq!(read(&mut two.reader(Some(stored))), numbers(0..3));
    // The original was not removed after it had been compressed, and another file was compressed in part.
    let name = directory.path().join("combined-2026-11-30-000001.log");
    let copy = fs::read(&name).unwrap();
    compress_closed(&two.catalog, 0o640).unwrap();
    fs::write(&name, copy).unwrap();
    fs::write(
        directory
            .path()
            .join("combined-2026-11-30-000002.log.gz.new"),
        "half",
    )
    .unwrap();
    drop(two);
    let three = process(directory.path(), 24, u64::MAX);
    assert_eq!(read(&mut three.reader(Some(stored))), numbers(0..3));
    assert_eq!(
        three.names(),
        ["combined-2026-11-30-000001.log.gz", "combined.log"]
    );
}

#[test]
fn without_its_list_a_directory_is_read_from_the_beginning() {
    let directory = tempfile::tempdir().unwrap();
    let mut one = process(directory.path(), 24, u64::MAX);
    one.write(0..7);
    compress_closed(&one.catalog, 0o640).unwrap();
    let stored = one.reader(None).position();
    drop(one);
    for damaged in [None, Some("watchpost-log-files-1 00"), Some("")] {
        let list = directory.path().join("combined.files");
        fs::remove_file(&list).unwrap();
        if let Some(text) = damaged {
            fs::write(&list, text).unwrap();
        }
        let mut two = process(directory.path(), 24, u64::MAX);
        two.catalog.load().unwrap();
        two.file.append(b"", DAY).unwrap_err();
        let mut reader = two.reader(Some(stored));
        assert_eq!((read(&mut reader), reader.missed()), (numbers(0..7), 0));
        assert_ne!(reader.position().list, stored.list);
        assert_eq!(reader.position().line, 7);
    }
}

#[test]
fn a_damaged_compressed_file_costs_what_it_has() {
    let directory = tempfile::tempdir().unwrap();
    let mut process = process(directory.path(), 60, u64::MAX);
    process.write(0..12);
    compress_closed(&process.catalog, 0o640).unwrap();
    let name = directory.path().join("combined-2026-11-30-000001.log.gz");
    let whole = fs::read(&name).unwrap();
    for cut in 0..whole.len() {
        for damaged in [whole[..cut].to_vec(), {
            let mut flipped = whole.clone();
            flipped[cut] ^= 0x10;
            flipped
        }] {
            fs::write(&name, damaged).unwrap();
            let mut reader = process.reader(None);
            let mut line = Vec::new();
            let mut lines = 0;
            while reader.next_line(&mut line).unwrap() {
                lines += 1;
            }
            assert!(lines >= 7, "{cut}: {lines}");
            assert_eq!(lines + reader.missed(), 12, "{cut}");
        }
    }
}

#[test]
fn days_begin_files_and_a_clock_that_goes_back_a_little_does_not() {
    let directory = tempfile::tempdir().unwrap();
    let mut process = process(directory.path(), 1 << 20, u64::MAX);
    let mut days = Vec::new();
    for (line, day) in [
        DAY,
        DAY + 1,
        DAY,
        DAY + 1,
        DAY,
        DAY + 1,
        DAY + 2,
        DAY + 900,
        DAY + 2,
        DAY + 2,
    ]
    .into_iter()
    .enumerate()
    {
        let text = format!("line {line:06}\n");
        process.file.append(text.as_bytes(), day).unwrap();
        days.push(process.catalog.current().unwrap().day - DAY);
    }
    assert_eq!(days, [0, 1, 1, 1, 1, 1, 2, 900, 2, 2]);
    assert_eq!(read(&mut process.reader(None)), numbers(0..10));
    assert_eq!(process.catalog.segments().len(), 5);
}

#[cfg(unix)]
#[test]
fn no_link_is_followed_and_the_permissions_are_those_that_are_set() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let directory = tempfile::tempdir().unwrap();
    let (logs, secret) = (
        directory.path().join("logs"),
        directory.path().join("secret"),
    );
    fs::create_dir(&logs).unwrap();
    fs::write(&secret, "mine").unwrap();
    symlink(&secret, logs.join("combined.log")).unwrap();
    symlink(&secret, logs.join("combined.files")).unwrap();
    let mut process = process(&logs, 12, u64::MAX);
    process.write(0..3);
    compress_closed(&process.catalog, 0o600).unwrap();
    assert_eq!(fs::read(&secret).unwrap(), b"mine");
    let mode = |name: &str| fs::metadata(logs.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("combined.log"), 0o640);
    assert_eq!(mode("combined-2026-11-30-000001.log.gz"), 0o600);
    assert_eq!(read(&mut process.reader(None)), numbers(0..3));
}

#[test]
fn a_directory_that_is_removed_is_made_again() {
    let directory = tempfile::tempdir().unwrap();
    let logs = directory.path().join("logs");
    let mut process = process(&logs, 24, u64::MAX);
    process.write(0..5);
    let mut reader = process.reader(None);
    fs::remove_dir_all(&logs).unwrap();
    process.write(5..8);
    assert_eq!(read(&mut reader), numbers(5..8));
    assert_eq!(reader.missed(), 5);
    assert_eq!(process.names().len(), 2);
    compress_closed(&process.catalog, 0o640).unwrap();
    assert_eq!(read(&mut process.reader(None)), numbers(5..8));
}

#[test]
fn errors_are_copied_to_a_file_of_their_own() {
    let directory = tempfile::tempdir().unwrap();
    let files = Arc::new(LogFiles::new(LogFilesSetup {
        directory: directory.path().to_owned(),
        max_file_bytes: 1 << 20,
        max_bytes: 8 << 20,
        max_closed: 10,
        permissions: 0o640,
        clock: Clock::driven(Duration::from_secs(DAY * 86_400)),
        diagnostics: Arc::default(),
    }));
    let mut writer = LogFileWriter::new(&files);
    let line = |level: &str, message: &str| {
        format!(
            "{{\"timestamp\":\"2026-11-30T06:05:11.621101Z\",\"level\":\"{level}\",\"message\":\"{message}\"}}\n"
        )
    };
    let trick = r#"\",\"level\":\"ERROR\""#;
    let all = [
        line("INFO", trick),
        line("ERROR", "one"),
        line("WARN", "ERROR"),
        line("ERROR", "two"),
    ];
    writer.write_all(all.concat().as_bytes()).unwrap();
    writer.flush().unwrap();
    let text = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap();
    assert_eq!(text("combined.log"), all.concat());
    assert_eq!(text("error.log"), [&*all[1], &*all[3]].concat());
    let status = files.status().unwrap();
    assert_eq!(status.lost_copies, 0);
    assert_eq!(
        status.bytes as usize,
        text("combined.log").len() + text("error.log").len()
    );
    // A copy that fails loses no line.
    fs::remove_file(directory.path().join("error.log")).unwrap();
    fs::create_dir(directory.path().join("error.log")).unwrap();
    writer.write_all(all.concat().as_bytes()).unwrap();
    assert_eq!(files.status().unwrap().lost_copies, 2);
    assert_eq!(text("combined.log"), all.concat().repeat(2));
    let (start, found_end) = files.range().unwrap();
    assert_eq!((start.line, found_end.line), (0, 0));
    let mut reader = files.reader(Some(start)).unwrap();
    let mut line = Vec::new();
    for n in 0..8 {
        assert!(reader.next_line(&mut line).unwrap());
        assert_eq!(line, all[n % 4].trim_end().as_bytes());
    }
    assert!(!reader.next_line(&mut line).unwrap());
    assert!(files.finish());
    files.tick();
}

#[test]
fn the_last_segment_is_of_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let mut process = process(directory.path(), 12, u64::MAX);
    process.write(0..3);
    let places: Vec<_> = process
        .catalog
        .segments()
        .iter()
        .map(|it| it.place)
        .collect();
    let closed = SegmentPlace::Closed;
    assert_eq!(places, [closed, closed, SegmentPlace::Current]);
}

#[test]
fn a_file_that_cannot_be_compressed_keeps_back_no_other_and_is_tried_again_later() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Clock::driven(Duration::from_secs(DAY * 86_400));
    let files = LogFiles::new(LogFilesSetup {
        directory: directory.path().to_owned(),
        max_file_bytes: 24,
        max_bytes: 8 << 20,
        max_closed: 10,
        permissions: 0o640,
        clock: clock.clone(),
        diagnostics: Arc::default(),
    });
    let [mut combined, _] = files.rolling_files();
    for _ in 0..7 {
        combined.append(b"line 000000\n", DAY).unwrap();
    }
    let closed = directory.path().join("combined-2026-11-30-000001.log");
    let (away, compressed) = (
        closed.with_extension("away"),
        closed.with_extension("log.gz"),
    );
    // A directory cannot be read as a file.
    fs::rename(&closed, &away).unwrap();
    fs::create_dir(&closed).unwrap();
    files.tick();
    let second = directory.path().join("combined-2026-11-30-000002.log.gz");
    assert!(second.exists() && !compressed.exists());
    let list = fs::read_to_string(directory.path().join("combined.files")).unwrap();

    fs::remove_dir(&closed).unwrap();
    fs::rename(&away, &closed).unwrap();
    combined.append(b"line 000000\n", DAY).unwrap();
    combined.sync().unwrap();
    clock.advance(Duration::from_secs(9));
    files.tick();
    assert!(!compressed.exists(), "the pause is not over");
    let later = fs::read_to_string(directory.path().join("combined.files")).unwrap();
    assert_ne!(list, later, "the list is stored during the pause");
    clock.advance(Duration::from_secs(1));
    files.tick();
    assert!(compressed.exists());
}

#[test]
fn many_renamed_files_take_no_more_room() {
    let directory = tempfile::tempdir().unwrap();
    let mut process = process(directory.path(), 1 << 20, u64::MAX);
    for n in 0..250 {
        process.write([n]);
        let name = directory.path().join("combined.log");
        fs::rename(&name, directory.path().join(format!("{n}.moved"))).unwrap();
    }
    process.write([250]);
    let segments = process.catalog.segments();
    assert_eq!(segments.len(), 101);
    assert_eq!(segments[0].first_line, 150);
    let mut reader = process.reader(Some(LogPosition {
        line: 0,
        segment: 1,
        offset: 0,
        list: process.catalog.list(),
    }));
    assert_eq!(read(&mut reader), numbers(150..251));
    assert_eq!(reader.missed(), 150);
}

#[test]
fn a_position_in_a_compressed_file_is_found_without_what_is_before_its_block() {
    let directory = tempfile::tempdir().unwrap();
    let mut process = process(directory.path(), 1000, u64::MAX);
    let text: String = (0..60_000).map(|n| format!("line {n:06}\n")).collect();
    assert_eq!(
        process.file.append(text.as_bytes(), DAY).unwrap(),
        text.len()
    );
    process.write(60_000..60_010);
    compress_closed(&process.catalog, 0o640).unwrap();
    let (mut reader, mut line) = (process.reader(None), Vec::new());
    for _ in 0..50_000 {
        assert!(reader.next_line(&mut line).unwrap());
    }
    let position = reader.position();
    // What the first block has is damaged, and its length is not.
    let mut paths = process
        .names()
        .into_iter()
        .map(|it| directory.path().join(it));
    let is_compressed = |it: &PathBuf| it.extension() == Some("gz".as_ref());
    let path = paths.find(is_compressed).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[100..200].fill(0xff);
    fs::write(&path, bytes).unwrap();
    let mut again = process.reader(Some(position));
    assert_eq!(read(&mut again), numbers(50_000..60_010));
    assert_eq!(again.missed(), 0);
}
