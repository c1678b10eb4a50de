use std::fs;
use std::io::Write as _;
use std::path::Path;

use super::*;
use crate::clock::Clock;
use crate::logs::ElasticsearchConfig;
use crate::logs::files::LogFilesSetup;
use crate::model::Diagnostics;

/// The shipping of lines in memory to a server that does not exist.
fn in_memory() -> Shipping {
    let config = ElasticsearchConfig::default().urls(["http://127.0.0.1:9"]);
    let diagnostics = Arc::new(Diagnostics::default());
    let setup = ShippingSetup {
        config: &config,
        files: None,
        diagnostics: &diagnostics,
    };
    Shipping::new(&setup).unwrap()
}

/// The shipping of the files of a directory to a server that does not exist.
fn from_files(directory: &Path, diagnostics: &Arc<Diagnostics>) -> Shipping {
    let files = LogFiles::new(LogFilesSetup {
        directory: directory.to_owned(),
        max_file_bytes: 1 << 20,
        max_bytes: 8 << 20,
        max_closed: 10,
        permissions: 0o640,
        clock: Clock::system(),
        diagnostics: Arc::clone(diagnostics),
    });
    let setup = ShippingSetup {
        config: &ElasticsearchConfig::default().urls(["http://127.0.0.1:9"]),
        files: Some(&Arc::new(files)),
        diagnostics,
    };
    Shipping::new(&setup).unwrap()
}

fn dropped(status: &ShippingStatus) -> u64 {
    status.dropped.iter().map(|(_, count)| count).sum()
}

#[test]
fn the_end_comes_after_some_rounds_in_a_row_without_lines() {
    use LastRound::{Empty, Ended, Lines};
    for (rounds, used) in [
        (vec![Empty, Empty, Empty, Lines], 3),
        (
            vec![
                Lines, Empty, Lines, Empty, Empty, Lines, Empty, Empty, Empty, Lines,
            ],
            9,
        ),
        (vec![Empty, Ended, Empty], 2),
    ] {
        let mut left = rounds.iter();
        until_quiet(|| *left.next().unwrap(), || {});
        assert_eq!(rounds.len() - left.len(), used, "{rounds:?}");
    }
}

#[test]
fn what_a_shipper_that_hangs_has_taken_is_dropped_and_counted_once() {
    let shipping = in_memory();
    let line = "{\"timestamp\":\"2026-11-30T00:00:00Z\"}\n";
    let mut writer = shipping.writer().unwrap();
    writer.write_all(line.repeat(5).as_bytes()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let _entered = runtime.enter();
    // The server refuses the connection, so the lines are in the batch.
    shipping.0.run();
    writer.write_all(line.as_bytes()).unwrap();
    let status = shipping.status().unwrap();
    assert_eq!(
        (status.emitted, status.spooled, dropped(&status)),
        (6, 6, 0)
    );
    let mut hanging = lock(&shipping.0.shipper);
    assert_eq!(hanging.batch.len(), 5);
    assert!(!shipping.0.finish(), "something is lost");
    // It goes on after all, and lines come.
    hanging.books.update(|books, _| books.delivered += 5);
    writer.write_all(line.as_bytes()).unwrap();
    let status = shipping.status().unwrap();
    assert_eq!(status.dropped[4], ("shutdown", 7));
    assert_eq!(
        status.emitted,
        status.delivered + status.spooled + dropped(&status)
    );
    hanging.batch.clear();
}

#[test]
fn an_end_without_lines_loses_nothing() {
    let shipping = in_memory();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let _entered = runtime.enter();
    assert!(shipping.0.finish());
}

#[test]
fn a_disk_that_fails_for_long_is_a_problem_until_it_works_again() {
    let directory = tempfile::tempdir().unwrap();
    let (logs, diagnostics) = (directory.path().join("logs"), Arc::default());
    // A file cannot be a directory of log files.
    fs::write(&logs, "").unwrap();
    let shipping = from_files(&logs, &diagnostics);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let _entered = runtime.enter();
    let problem = || {
        shipping.0.run();
        shipping.status().unwrap().problem
    };
    for _ in 0..3 {
        let problem = problem().unwrap();
        assert!(
            problem.starts_with("the log files cannot be read ("),
            "{problem}"
        );
    }
    fs::remove_file(&logs).unwrap();
    // Nor can a directory be the file of the position.
    let half = logs.join("elasticsearch.cursor.new");
    fs::create_dir_all(&half).unwrap();
    for _ in 0..3 {
        let problem = problem().unwrap();
        assert!(
            problem.starts_with("the position in them cannot be stored ("),
            "{problem}"
        );
    }
    fs::remove_dir(&half).unwrap();
    assert_eq!(problem(), None);
    assert_eq!(diagnostics.notices().len(), 2);
}
