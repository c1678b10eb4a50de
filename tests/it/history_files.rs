//! The history's files in the data directory of a monitor.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use watchpost::history::MetricQuery;
use watchpost::testing::Harness;
use watchpost::{Monitor, MonitorGuard};

fn monitor(directory: &Path) -> MonitorGuard {
    Monitor::builder("files")
        .env(false)
        .data_dir(directory)
        .console_to(std::io::sink())
        .build()
        .unwrap()
}

/// The names and lengths of the history's files.
fn files(directory: &Path) -> Vec<(String, u64)> {
    let entries = fs::read_dir(directory.join("history"));
    let entries = entries.into_iter().flatten().map(|entry| entry.unwrap());
    let mut files: Vec<_> = entries
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, entry.metadata().unwrap().len())
        })
        .collect();
    files.sort();
    files
}

fn journals(directory: &Path) -> Vec<String> {
    let names = files(directory).into_iter().map(|(name, _)| name);
    names.filter(|name| name.starts_with("journal-")).collect()
}

#[test]
fn a_shutdown_stores_a_last_snapshot_and_the_next_process_continues() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    for n in 0..3 {
        let one = monitor(root);
        one.metrics().counter("jobs").build().add(n);
        assert!(
            one.shutdown_blocking(Duration::from_secs(20))
                .unwrap()
                .is_complete()
        );
    }
    // Each process took one snapshot, at its end. The last one began a journal of its own.
    let last = format!("journal-{:020}", 2);
    assert_eq!(journals(root).last(), Some(&last));
    assert!(files(root).iter().all(|(_, bytes)| *bytes > 0));
}

#[test]
fn two_monitors_with_one_directory_have_a_history_each() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let (one, two) = (monitor(root), monitor(root));
    for monitor in [&two, &one] {
        monitor.shutdown_blocking(Duration::from_secs(20)).unwrap();
    }
    let first = ["journal-00000000000000000000"];
    assert_eq!(journals(root), first);
    assert_eq!(journals(&root.join("2")), first);
    let format = |path: &Path| fs::read_to_string(path.join("history/format")).unwrap();
    assert!(format(root).starts_with("1\n"));
    assert_ne!(format(root), format(&root.join("2")), "each has an ID");
}

#[test]
fn the_metrics_and_the_health_page_have_the_state_of_the_files() {
    let directory = tempfile::tempdir().unwrap();
    let one = monitor(directory.path());
    one.shutdown_blocking(Duration::from_secs(20)).unwrap();
    let page = one.metrics().render();
    for line in [
        r#"watchpost_history_dropped_total{reason="disk"} 0"#,
        r#"watchpost_history_segments{resolution="hour"} 0"#,
        r#"watchpost_history_stored_bytes{resolution="raw"} 0"#,
        "watchpost_history_damaged_files_total 0",
        "watchpost_history_last_write_age_seconds ",
    ] {
        assert!(page.contains(line), "{line} is not in {page}");
    }
    assert!(
        !page.contains("watchpost_history_journal_bytes 0"),
        "{page}"
    );
}

#[test]
fn files_of_a_newer_version_are_reported_and_left() {
    let directory = tempfile::tempdir().unwrap();
    let history = directory.path().join("history");
    fs::create_dir(&history).unwrap();
    fs::write(history.join("format"), "7\nx\n").unwrap();
    let harness = Harness::in_real_time(|builder| builder.data_dir(directory.path()));
    harness.snapshot();
    assert_eq!(files(directory.path()), [("format".to_owned(), 4)]);
    let notices = harness.notices().join("\n");
    assert!(
        notices.contains("format 7") && notices.contains("run the newer version"),
        "{notices}"
    );
}

#[test]
fn a_query_reads_what_earlier_processes_have_stored() {
    let directory = tempfile::tempdir().unwrap();
    for _ in 0..3 {
        let one = monitor(directory.path());
        one.metrics().counter("jobs").build().add(10);
        one.shutdown_blocking(Duration::from_secs(20)).unwrap();
    }
    let harness = Harness::in_real_time(|builder| builder.data_dir(directory.path()));
    harness.metrics().counter("jobs").build().add(5);
    harness.snapshot();
    let query = MetricQuery::increase("jobs_total")
        .total()
        .window(Duration::from_secs(3600));
    let results = harness.history().at(&query, SystemTime::now()).unwrap();
    assert_eq!(results[0].points[0].value, 35.0);
    assert!(
        results[0].points[0].has_gap,
        "the monitor did not run all the time"
    );
}
