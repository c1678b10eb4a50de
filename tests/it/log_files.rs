//! Log records in files: their books when the disk fails, another program rotates them or the process ends.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use tracing_subscriber::prelude::*;
use watchpost::logs::LogsConfig;
use watchpost::testing::Harness;
use watchpost::{DropReason, Monitor, MonitorGuard, RecordKind, RecordTotals};

use crate::support::{get_request, on_a_small_disk, output_of_one_test, send, skip, test_command};

const PATIENCE: Duration = Duration::from_secs(20);

/// A monitor whose only sink of lines are its files.
fn monitor(directory: &Path, logs: LogsConfig) -> MonitorGuard {
    let builder = Monitor::builder("files").env(false).data_dir(directory);
    builder.logs(logs.console(false)).build().unwrap()
}

fn flush(monitor: &Monitor) {
    assert!(monitor.flush_blocking(PATIENCE).unwrap());
}

/// Runs code whose `tracing` events go to a monitor.
fn recorded<R>(monitor: &Monitor, run: impl FnOnce() -> R) -> R {
    let subscriber = tracing_subscriber::registry().with(monitor.tracing_layer());
    tracing::subscriber::with_default(subscriber, run)
}

/// The text of a file, which may be compressed; `None` if it was compressed or removed just now.
fn text(path: &Path) -> Option<String> {
    let bytes = fs::read(path).ok()?;
    if path.extension().is_none_or(|it| it != "gz") {
        return Some(String::from_utf8(bytes).unwrap());
    }
    let mut text = String::new();
    let mut decoder = flate2::read::GzDecoder::new(&*bytes);
    decoder.read_to_string(&mut text).unwrap();
    Some(text)
}

/// The texts of all files whose names begin so, whoever gave them their names.
fn texts(logs: &Path, stem: &str) -> Option<Vec<(String, String)>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(logs).into_iter().flatten() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        // Compressed just now. Files that logrotate has named so are different ones.
        let is_copied = name.starts_with("combined-") && logs.join(format!("{name}.gz")).exists();
        if name.starts_with(stem)
            && !name.contains(".files")
            && !name.contains(".new")
            && !is_copied
        {
            all.push((name, text(&path)?));
        }
    }
    Some(all)
}

/// The lines of all files whose names begin so. Each is one JSON object.
fn lines(logs: &Path, stem: &str) -> Vec<Value> {
    let begun = Instant::now();
    let texts = loop {
        if let Some(texts) = texts(logs, stem) {
            break texts;
        }
        assert!(begun.elapsed() < PATIENCE);
    };
    let mut all = Vec::new();
    for (name, text) in texts {
        assert!(text.is_empty() || text.ends_with('\n'), "{name} is torn");
        let parsed = text.lines().map(serde_json::from_str);
        all.extend(parsed.map(|it| it.unwrap_or_else(|error| panic!("{name}: {error}"))));
    }
    all
}

/// How often each number `n` is in these lines.
fn numbers(lines: &[Value]) -> BTreeMap<u64, u32> {
    let mut found = BTreeMap::new();
    for number in lines.iter().filter_map(|line| line["n"].as_u64()) {
        *found.entry(number).or_default() += 1;
    }
    found
}

/// Logs events with these numbers.
fn log(monitor: &Monitor, numbers: std::ops::Range<u64>) {
    recorded(monitor, || {
        for n in numbers {
            tracing::info!(n, text = "0123456789abcdef", "a line");
        }
    });
}

/// Asserts that the books are exact: what is delivered is in the files, each line once, and the rest is dropped.
#[track_caller]
fn assert_books(monitor: &Monitor, logs: &Path) -> RecordTotals {
    let all = lines(logs, "combined");
    let notices = all.iter().filter(|it| it["target"] == "watchpost").count() as u64;
    let totals = monitor.totals(RecordKind::Log);
    assert_eq!(totals.in_flight(), 0, "{totals:?}");
    let settled = totals.delivered() + totals.dropped_total();
    assert_eq!(totals.emitted(), settled, "{totals:?}");
    assert_eq!(all.len() as u64 - notices, totals.delivered(), "{totals:?}");
    assert_eq!(monitor.totals(RecordKind::Notice).delivered(), notices);
    let numbers = numbers(&all);
    assert_eq!(
        numbers.len() as u64,
        totals.delivered(),
        "a line is there twice"
    );
    totals
}

#[tokio::test]
async fn the_files_have_the_lines_of_the_console_and_errors_have_a_file_too() {
    let directory = tempfile::tempdir().unwrap();
    let logs = directory.path().join("logs");
    let harness = Harness::in_real_time(|builder| builder.data_dir(directory.path()));
    let app = axum::Router::new()
        .route("/ok", axum::routing::get(|| async { "ok" }))
        .route(
            "/bad",
            axum::routing::get(|| async { http::StatusCode::BAD_GATEWAY }),
        )
        .layer(harness.layer());
    recorded(&harness, || {
        tracing::info!(password = "hunter2", "password=hunter2 \n\u{1b}[31m");
        tracing::error!(elapsed_ms = 1.5, "failed");
    });
    for path in ["/ok", "/bad"] {
        send(&app, get_request(path)).await;
    }
    let console = harness.lines();
    let read = |name: &str| fs::read_to_string(logs.join(name)).unwrap();
    let combined = read("combined.log");
    assert_eq!(combined.lines().collect::<Vec<_>>(), console);
    assert!(!combined.contains("hunter2") && !combined.contains('\u{1b}'));
    let is_error = |line: &&String| line.contains(r#""level":"ERROR""#);
    let errors: Vec<_> = console.iter().filter(is_error).collect();
    assert_eq!(errors.len(), 2);
    assert_eq!(read("error.log").lines().collect::<Vec<_>>(), errors);
    // Each record counts once for each of the two sinks.
    assert_eq!(harness.totals(RecordKind::Log).delivered(), 4);
    assert_eq!(harness.totals(RecordKind::Request).delivered(), 4);
    let size = harness.page().sum("watchpost_log_files_size_bytes", &[]);
    let written = combined.len() + read("error.log").len();
    assert_eq!(size.to_string(), written.to_string());
}

#[test]
fn without_a_directory_or_when_they_are_off_there_are_no_files() {
    let directory = tempfile::tempdir().unwrap();
    let off = monitor(directory.path(), LogsConfig::default().files(false));
    log(&off, 0..3);
    flush(&off);
    assert!(!directory.path().join("logs").exists());
    let memory = Monitor::builder("files")
        .env(false)
        .console(false)
        .build()
        .unwrap();
    log(&memory, 0..3);
    flush(&memory);
    assert!(!memory.metrics().render().contains("watchpost_log_files"));
}

#[test]
fn a_directory_of_their_own_needs_no_data_directory_and_is_not_shared() {
    let directory = tempfile::tempdir().unwrap();
    let logs = directory.path().join("log");
    let open = || {
        let config = LogsConfig::default().dir(&logs).console(false);
        Monitor::builder("files")
            .env(false)
            .logs(config)
            .build()
            .unwrap()
    };
    let (one, two) = (open(), open());
    log(&one, 0..3);
    log(&two, 3..5);
    for monitor in [&one, &two] {
        flush(monitor);
    }
    assert_eq!(numbers(&lines(&logs, "combined")).len(), 3);
    assert_eq!(numbers(&lines(&logs.join("2"), "combined")).len(), 2);
    fs::write(directory.path().join("file"), "mine").unwrap();
    let config = LogsConfig::default()
        .dir(directory.path().join("file"))
        .console(false);
    let none = Monitor::builder("files")
        .env(false)
        .logs(config)
        .build()
        .unwrap();
    let notices = none.report().notices.join("\n");
    assert!(notices.contains("set `log.dir` to another"), "{notices}");
}

#[test]
fn files_are_closed_by_size_and_day_and_the_oldest_give_way() {
    let directory = tempfile::tempdir().unwrap();
    let logs = directory.path().join("logs");
    let config = LogsConfig::default()
        .max_file_bytes(64 << 10)
        .max_files(3)
        .console(false);
    let harness = Harness::with(|builder| builder.data_dir(directory.path()).logs(config));
    let closed = || {
        let names = fs::read_dir(&logs).unwrap();
        let names = names.map(|it| it.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|it| it.starts_with("combined-")).collect();
        names.sort();
        names
            .into_iter()
            .map(|it| it.replace(".gz", ""))
            .collect::<Vec<_>>()
    };
    log(&harness, 0..1);
    flush(&harness);
    harness.advance(Duration::from_secs(86_399));
    log(&harness, 1..2);
    flush(&harness);
    assert!(closed().is_empty(), "{:?}", closed());
    harness.advance(Duration::from_secs(1));
    log(&harness, 2..3);
    flush(&harness);
    assert_eq!(closed(), ["combined-2026-01-01-000001.log"]);
    // About 200 bytes a line, so 330 of them fill a file.
    for start in (3..3000).step_by(100) {
        log(&harness, start..start + 100);
        flush(&harness);
    }
    let closed = closed();
    assert_eq!(closed.len(), 3, "{closed:?}");
    assert!(
        closed
            .iter()
            .all(|it| it.starts_with("combined-2026-01-02-")),
        "{closed:?}"
    );
    let kept = numbers(&lines(&logs, "combined"));
    let (first, last) = (kept.keys().next().unwrap(), kept.keys().last().unwrap());
    assert_eq!((kept.len() as u64, *last), (last - first + 1, 3002));
}

/// Runs the logrotate of the system with this configuration for `combined.log`; `None` if there is none.
fn logrotate(directory: &Path, options: &str) -> Option<()> {
    let (config, state) = (
        directory.join("rotate.conf"),
        directory.join("rotate.state"),
    );
    let log = directory.join("logs/combined.log");
    fs::write(&config, format!("{} {{\n{options}\n}}\n", log.display())).unwrap();
    let output = Command::new("logrotate")
        .args(["--force", "--state"])
        .arg(state)
        .arg(config)
        .output();
    let output = output.ok()?;
    assert!(output.status.success(), "{output:?}");
    Some(())
}

#[test]
fn a_logrotate_that_renames_loses_nothing() {
    const TEST: &str = "log_files::a_logrotate_that_renames_loses_nothing";
    let directory = tempfile::tempdir().unwrap();
    let logs = directory.path().join("logs");
    let one = monitor(directory.path(), LogsConfig::default());
    log(&one, 0..10);
    flush(&one);
    for (round, options) in [
        "rotate 20\nnocreate",
        "rotate 20\ncreate 0640",
        "rotate 20\ncreate 0640\ncompress\ndelaycompress",
    ]
    .iter()
    .cycle()
    .take(9)
    .enumerate()
    {
        let start = 10 + round as u64 * 1000;
        // While lines are written.
        let done = std::thread::scope(|scope| {
            scope.spawn(|| {
                for part in (start..start + 1000).step_by(50) {
                    log(&one, part..part + 50);
                    std::thread::sleep(Duration::from_millis(2));
                }
            });
            std::thread::sleep(Duration::from_millis(20));
            logrotate(directory.path(), options)
        });
        if done.is_none() {
            return skip(TEST, "there is no logrotate");
        }
        flush(&one);
    }
    let totals = assert_books(&one, &logs);
    assert_eq!((totals.emitted(), totals.delivered()), (9010, 9010));
    let names = fs::read_dir(&logs).unwrap().count();
    println!("logrotate: 9 renames while lines were written, 9010 of 9010 lines in {names} files");
}

#[test]
fn a_logrotate_that_truncates_is_noticed() {
    const TEST: &str = "log_files::a_logrotate_that_truncates_is_noticed";
    let directory = tempfile::tempdir().unwrap();
    let logs = directory.path().join("logs");
    let one = monitor(directory.path(), LogsConfig::default());
    for round in 0..5 {
        // What is written between the copy and the truncation is lost by logrotate itself, so nothing is written then.
        log(&one, round * 100..round * 100 + 100);
        flush(&one);
        if logrotate(directory.path(), "rotate 20\ncopytruncate").is_none() {
            return skip(TEST, "there is no logrotate");
        }
        assert_eq!(fs::metadata(logs.join("combined.log")).unwrap().len(), 0);
    }
    log(&one, 500..510);
    flush(&one);
    assert_eq!(assert_books(&one, &logs).delivered(), 510);
    let current = fs::read_to_string(logs.join("combined.log")).unwrap();
    assert_eq!(current.lines().count(), 10);
    assert!(
        current.starts_with('{'),
        "no hole is left where the file was longer"
    );
}

#[test]
fn a_full_disk_drops_lines_that_are_counted() {
    let name = "log_files::a_full_disk_drops_lines_that_are_counted";
    on_a_small_disk(name, "full disk: ", full_disk);
}

/// 20,000 lines do not fit on a disk of 1 MiB.
fn full_disk(disk: &Path) {
    let logs = disk.join("logs");
    let one = {
        let config = LogsConfig::default()
            .dir(&logs)
            .console(false)
            .max_file_bytes(256 << 10);
        Monitor::builder("files")
            .env(false)
            .logs(config)
            .build()
            .unwrap()
    };
    let fill = |numbers: std::ops::Range<u64>| {
        // So slowly that no queue is full.
        for start in numbers.step_by(500) {
            log(&one, start..start + 500);
            flush(&one);
        }
    };
    fill(0..20_000);
    let totals = assert_books(&one, &logs);
    let lost = totals.dropped(DropReason::Io);
    assert_eq!(totals.emitted(), 20_000);
    assert!(lost > 5_000 && totals.delivered() > 500, "{totals:?}");
    assert_eq!(totals.dropped_total(), lost);
    let about: Vec<_> = one.doctor().iter().map(|it| it.about).collect();
    println!(
        "full disk: 20000 lines, {} in the files, {lost} counted as dropped; findings: {about:?}",
        totals.delivered()
    );
    // Once there is space, lines are written again.
    for entry in fs::read_dir(&logs).unwrap() {
        let path = entry.unwrap().path();
        if path.to_str().unwrap().contains("combined-") {
            fs::remove_file(path).unwrap();
        }
    }
    let before = one.totals(RecordKind::Log).delivered();
    let begun = Instant::now();
    let mut next = 20_000;
    while one.totals(RecordKind::Log).delivered() == before {
        assert!(begun.elapsed() < PATIENCE);
        fill(next..next + 1);
        next += 500;
    }
    let fresh = numbers(&lines(&logs, "combined"));
    assert!(fresh.keys().any(|it| *it >= 20_000));
}

#[test]
fn a_directory_that_cannot_be_used_drops_lines_and_comes_back() {
    let directory = tempfile::tempdir().unwrap();
    let logs = directory.path().join("logs");
    fs::write(&logs, "in the way").unwrap();
    let one = monitor(directory.path(), LogsConfig::default());
    log(&one, 0..50);
    flush(&one);
    let totals = one.totals(RecordKind::Log);
    assert_eq!((totals.emitted(), totals.dropped(DropReason::Io)), (50, 50));
    fs::remove_file(&logs).unwrap();
    log(&one, 50..60);
    flush(&one);
    // Removed while it is used, and after that.
    assert_eq!(
        lines(&logs, "combined")
            .iter()
            .filter(|it| it["n"].is_u64())
            .count(),
        10
    );
    fs::remove_dir_all(&logs).unwrap();
    log(&one, 60..65);
    flush(&one);
    assert_eq!(numbers(&lines(&logs, "combined")).len(), 5);
    let totals = one.totals(RecordKind::Log);
    assert_eq!((totals.delivered(), totals.dropped_total()), (15, 50));
}

/// A file whose `open` does not return stands for a disk that hangs.
#[test]
fn a_disk_that_hangs_stops_neither_the_console_nor_the_shutdown() {
    let directory = tempfile::tempdir().unwrap();
    let logs = directory.path().join("logs");
    fs::create_dir(&logs).unwrap();
    let made = Command::new("mkfifo")
        .arg(logs.join("combined.log"))
        .status();
    if !made.is_ok_and(|it| it.success()) {
        return skip("log_files::a_disk_that_hangs", "there is no mkfifo");
    }
    let console = directory.path().join("console");
    let one = Monitor::builder("files")
        .env(false)
        .data_dir(directory.path())
        .console_to(File::create(&console).unwrap())
        .build()
        .unwrap();
    log(&one, 0..100);
    assert!(!one.flush_blocking(Duration::from_millis(300)).unwrap());
    assert_eq!(fs::read_to_string(&console).unwrap().lines().count(), 100);
    let begun = Instant::now();
    let report = one.shutdown_blocking(Duration::from_millis(500)).unwrap();
    assert!(begun.elapsed() < PATIENCE);
    let totals = report.totals(RecordKind::Log);
    assert_eq!(totals.emitted(), 200);
    assert_eq!(totals.delivered(), 100);
    assert_eq!(totals.dropped(DropReason::Shutdown), 100);
}

#[test]
fn a_restart_continues_the_file_and_cuts_a_torn_line() {
    let directory = tempfile::tempdir().unwrap();
    let logs = directory.path().join("logs");
    for start in (0..30).step_by(10) {
        let one = monitor(directory.path(), LogsConfig::default());
        log(&one, start..start + 10);
        let report = one.shutdown_blocking(PATIENCE).unwrap();
        assert!(report.is_complete(), "{report}");
        let mut file = File::options()
            .append(true)
            .open(logs.join("combined.log"))
            .unwrap();
        file.write_all(b"{\"timestamp\":\"2026").unwrap();
    }
    let one = monitor(directory.path(), LogsConfig::default());
    log(&one, 30..31);
    flush(&one);
    let found = numbers(&lines(&logs, "combined"));
    assert_eq!(found, (0..31).map(|n| (n, 1)).collect());
    assert!(!logs.join("combined-2026").exists());
}

/// The resident memory of this process, in bytes; `None` where it is not known.
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = status.split(' ').nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

#[test]
fn a_storm_of_two_threads_leaves_room_for_errors_and_other_call_sites() {
    const NAME: &str =
        "log_files::a_storm_of_two_threads_leaves_room_for_errors_and_other_call_sites";
    const CHILD: &str = "WATCHPOST_TEST_STORM";
    // A process of its own, since its memory is looked at.
    if std::env::var_os(CHILD).is_some() {
        return storm();
    }
    let child = test_command(NAME).env(CHILD, "1").output().unwrap();
    let output = output_of_one_test(&child);
    let figures = output.lines().filter(|line| line.starts_with("storm: "));
    figures.for_each(|line| println!("{line}"));
}

fn storm() {
    let seconds = std::env::var("WATCHPOST_STORM_SECONDS").ok();
    let seconds = seconds.and_then(|it| it.parse().ok()).unwrap_or(5);
    let directory = tempfile::tempdir().unwrap();
    let logs = directory.path().join("logs");
    let config = LogsConfig::default()
        .max_bytes(64 << 20)
        .max_file_bytes(4 << 20);
    let one = monitor(directory.path(), config);
    let big = "x".repeat(100 << 20);
    log(&one, 0..1000);
    flush(&one);
    let (before, until) = (resident(), Instant::now() + Duration::from_secs(seconds));
    let (mut highest, mut errors, mut rare) = (0, 0_u64, 0_u64);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                recorded(&one, || {
                    while Instant::now() < until {
                        for n in 0..1000 {
                            tracing::info!(storm = n, "a line of the storm");
                        }
                    }
                });
            });
        }
        recorded(&one, || {
            tracing::warn!("{big}");
            while Instant::now() < until {
                tracing::error!(error_number = errors, "an error");
                errors += 1;
                tracing::info!(rare_number = rare, "a rare line");
                rare += 1;
                highest = highest.max(resident().unwrap_or_default());
                std::thread::sleep(Duration::from_millis(10));
            }
        });
    });
    flush(&one);
    let totals = one.totals(RecordKind::Log);
    let settled = totals.delivered() + totals.dropped_total();
    assert_eq!((totals.in_flight(), totals.emitted()), (0, settled));
    let size: u64 = fs::read_dir(&logs)
        .unwrap()
        .map(|it| it.unwrap().metadata().unwrap().len())
        .sum();
    assert!(size <= (64 << 20) + (1 << 20), "{size}");
    let error_file = lines(&logs, "error");
    let kept =
        |name: &str, lines: &[Value]| lines.iter().filter(|it| it[name].is_u64()).count() as u64;
    let (kept_errors, all) = (kept("error_number", &error_file), lines(&logs, "combined"));
    let growth = before.map(|before| highest.saturating_sub(before) >> 20);
    println!(
        "storm: {seconds} s, {} lines emitted, {} delivered, {} dropped; {kept_errors} of {errors} errors kept, {rare} rare lines, {} of them in the files that are left; memory + {growth:?} MiB, files {} MiB",
        totals.emitted(),
        totals.delivered(),
        totals.dropped_total(),
        kept("rare_number", &all),
        size >> 20
    );
    // Rare lines have a share of the queue, so they are dropped less often than those of the storm.
    let dropped_errors = errors - kept_errors;
    assert!(
        dropped_errors * totals.emitted() * 2 < totals.dropped_total() * errors.max(1),
        "{kept_errors} of {errors}"
    );
    assert!(
        totals.dropped_total() == totals.dropped(DropReason::QueueOverflow),
        "{totals:?}"
    );
    assert!(growth.is_none_or(|mib| mib < 64), "{growth:?}");
}

#[test]
fn a_line_is_short_whatever_is_logged() {
    let directory = tempfile::tempdir().unwrap();
    let logs = directory.path().join("logs");
    let one = monitor(directory.path(), LogsConfig::default());
    let big = "x".repeat(100 << 20);
    recorded(&one, || {
        tracing::info!(field = %big, n = 1, "{big}");
        tracing::info!(n = 2, "\u{0}\u{1b}\u{2028}\u{202e}\u{200b}");
    });
    drop(big);
    flush(&one);
    let text = fs::read_to_string(logs.join("combined.log")).unwrap();
    let all: Vec<&str> = text.lines().collect();
    assert_eq!(all.len(), 2, "{:?}", one.totals(RecordKind::Log));
    assert!(all.iter().all(|line| line.len() <= 16 << 10));
    assert!(all[0].contains(r#""truncated":true"#));
    // The number of the first had no room behind two texts of 100 MiB.
    assert_eq!(
        numbers(&lines(&logs, "combined"))
            .keys()
            .collect::<Vec<_>>(),
        [&2]
    );
}

#[cfg(unix)]
#[test]
fn the_directory_may_be_a_link() {
    let directory = tempfile::tempdir().unwrap();
    let (target, link) = (
        directory.path().join("target"),
        directory.path().join("link"),
    );
    fs::create_dir(&target).unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    let config = LogsConfig::default().dir(&link);
    let one = monitor(&directory.path().join("data"), config);
    log(&one, 0..10);
    flush(&one);
    assert_eq!(
        numbers(&lines(&target, "combined")),
        (0..10).map(|n| (n, 1)).collect()
    );
}
