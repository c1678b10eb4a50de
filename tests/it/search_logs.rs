//! Searches of the log files, and of the last log records where there are none.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use tracing::Level;
use tracing_subscriber::prelude::*;
use watchpost::logs::{
    FoundLine, FoundLogs, LogCursor, LogQuery, LogSource, LogTail, LogsConfig, SearchEnd,
};
use watchpost::trace::AttributeValue;
use watchpost::{Monitor, MonitorGuard};

const PATIENCE: Duration = Duration::from_secs(60);

/// A monitor with small log files, or with none.
fn monitor(directory: Option<&Path>) -> MonitorGuard {
    let logs = LogsConfig::default().console(false).level("trace");
    let builder = Monitor::builder("search").env(false);
    match directory {
        Some(path) => builder
            .data_dir(path)
            .logs(logs.max_file_bytes(64 << 10))
            .build()
            .unwrap(),
        None => builder.logs(logs).build().unwrap(),
    }
}

async fn log(monitor: &Monitor, numbers: std::ops::Range<u64>) {
    let subscriber = tracing_subscriber::registry().with(monitor.tracing_layer());
    tracing::subscriber::with_default(subscriber, || {
        for n in numbers {
            match n % 10 {
                0 => {
                    tracing::error!(target: "shop::pay", n, customer = "O'Reilly Media", "payment refused");
                }
                1..=3 => tracing::warn!(target: "shop::pay", n, "payment timed out"),
                _ => tracing::debug!(target: "shop::pay", n, padding = "0123456789", "cache_hit"),
            }
        }
    });
    assert!(monitor.flush(PATIENCE).await);
}

/// The lines with a number: not those of the monitor itself.
fn query() -> LogQuery {
    text("n:*")
}

fn text(text: &str) -> LogQuery {
    let query = LogQuery::default().time_limit(LogQuery::MAX_TIME_LIMIT);
    query.text(&format!("n:* ({text})")).unwrap()
}

async fn search(monitor: &Monitor, query: LogQuery) -> FoundLogs {
    monitor.search_logs(&query).await.unwrap()
}

fn numbers(found: &FoundLogs) -> Vec<i64> {
    numbers_of(&found.lines)
}

fn numbers_of(lines: &[FoundLine]) -> Vec<i64> {
    let of = lines.iter().filter_map(|line| match line.field("n")? {
        AttributeValue::I64(n) => Some(n),
        other => panic!("{other:?}: {}", line.json),
    });
    of.collect()
}

/// All numbers of a query, page by page.
async fn pages(monitor: &Monitor, query: LogQuery) -> Vec<i64> {
    let (mut all, mut next) = (Vec::new(), None::<LogCursor>);
    loop {
        let page = match next {
            // In its text form, as a client returns it.
            Some(cursor) => query.clone().before(cursor.to_string().parse().unwrap()),
            None => query.clone(),
        };
        let found = search(monitor, page).await;
        all.extend(numbers(&found));
        next = found.next;
        if next.is_none() {
            assert_eq!(found.end, SearchEnd::Complete);
            return all;
        }
        assert_eq!(found.end, SearchEnd::Rows);
    }
}

fn descending(numbers: impl DoubleEndedIterator<Item = i64>) -> Vec<i64> {
    numbers.rev().collect()
}

fn files(directory: &Path, suffix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory.join("logs")).unwrap();
    let mut paths: Vec<_> = entries.map(|it| it.unwrap().path()).collect();
    paths.retain(|it| {
        let name = it.file_name().unwrap().to_str().unwrap();
        name.starts_with("combined-") && name.ends_with(suffix)
    });
    paths.sort();
    paths
}

/// Waits until all closed files are compressed.
fn wait_for_compression(directory: &Path) {
    let begun = Instant::now();
    while !files(directory, ".log").is_empty() || files(directory, ".log.gz").is_empty() {
        assert!(begun.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[tokio::test]
async fn lines_are_found_newest_first_over_files_compression_and_restarts() {
    let directory = tempfile::tempdir().unwrap();
    let first = monitor(Some(directory.path()));
    log(&first, 0..1500).await;
    wait_for_compression(directory.path());
    assert!(first.shutdown(PATIENCE).await.is_complete());
    // The next one gets the lock of the directory.
    drop(first);
    let monitor = monitor(Some(directory.path()));
    log(&monitor, 1500..3000).await;

    let found = search(&monitor, text("payment").limit(5)).await;
    assert_eq!(numbers(&found), [2993, 2992, 2991, 2990, 2983]);
    assert_eq!(
        (found.source, found.end),
        (LogSource::Files, SearchEnd::Rows)
    );
    let wanted = |of: fn(&i64) -> bool| descending((0..3000).filter(of));
    for limit in [7, 100, 10_000] {
        let of = async |query: LogQuery| pages(&monitor, query.limit(limit)).await;
        assert_eq!(of(text("payment refused")).await, wanted(|n| n % 10 == 0));
        assert_eq!(of(query().level(Level::WARN)).await, wanted(|n| n % 10 < 4));
    }
    let of = async |query: LogQuery| pages(&monitor, query.limit(1000)).await;
    assert_eq!(
        of(query().exact_level(Level::WARN)).await,
        wanted(|n| (1..4).contains(&(n % 10)))
    );
    assert_eq!(of(query().field("n", "17")).await, [17]);
    assert_eq!(of(text("n:[17 TO 19} OR n:2999")).await, [2999, 18, 17]);
    assert_eq!(of(text("customer:reilly")).await, [0; 0]);
    assert_eq!(of(text("customer:\"o'reilly media\" n:<20")).await, [10, 0]);
    assert_eq!(
        of(query().field("customer", "O'Reilly Media")).await.len(),
        300
    );
    assert_eq!(of(query().target("shop")).await.len(), 3000);
    assert_eq!(of(query().target("sho")).await, [0; 0]);
    assert_eq!(of(query().since(SystemTime::now())).await, [0; 0]);
    assert_eq!(of(query().until(SystemTime::now())).await.len(), 3000);
    let complete = search(&monitor, text("nowhere")).await;
    assert_eq!(
        (complete.end, complete.next, complete.unreadable),
        (SearchEnd::Complete, None, 0)
    );
    // Everything was looked at: up to the first line.
    let all = search(&monitor, text("n:0")).await;
    assert_eq!(complete.reached.unwrap(), all.lines[0].at);
}

#[tokio::test]
async fn without_files_the_records_in_memory_are_searched_and_give_the_same_lines() {
    let directory = tempfile::tempdir().unwrap();
    let (with_files, without) = (monitor(Some(directory.path())), monitor(None));
    for monitor in [&with_files, &without] {
        log(monitor, 0..500).await;
    }
    for query in [
        text("payment -refused"),
        text("time* OR customer:media"),
        text("level:>=warn n:[100 TO 200]"),
        text("service.name:search n:<5"),
        query().exact_level(Level::ERROR),
        query(),
    ] {
        let a = pages(&with_files, query.clone().limit(9)).await;
        let b = pages(&without, query.limit(9)).await;
        assert!(!a.is_empty());
        assert_eq!(a, b);
    }
    let found = search(&without, text("n:499")).await;
    assert_eq!(found.source, LogSource::Memory);
    // As in a file, but for its time.
    let line = &found.lines[0];
    let in_file = &search(&with_files, text("n:499")).await.lines[0];
    assert_eq!(line.json[41..], in_file.json[41..]);
    assert!(line.json.starts_with("{\"timestamp\":\"20") && line.message() == "cache_hit");
    let age = SystemTime::now().duration_since(line.at).unwrap();
    assert!(age < PATIENCE);
    // The same conditions for the records as values.
    let recent = without.recent_logs(&text("payment n:[100 TO 110]"));
    assert_eq!(recent.records.len(), 5);
    assert!(
        without
            .recent_logs(&query().route("/nowhere"))
            .records
            .is_empty()
    );
}

#[tokio::test]
async fn a_cursor_of_elsewhere_is_an_invalid_query() {
    let directory = tempfile::tempdir().unwrap();
    let (with_files, without) = (monitor(Some(directory.path())), monitor(None));
    for monitor in [&with_files, &without] {
        log(monitor, 0..100).await;
    }
    let of_memory = search(&without, query().limit(1)).await.next.unwrap();
    let of_files = search(&with_files, query().limit(1)).await.next.unwrap();
    for (monitor, cursor) in [(&with_files, of_memory), (&without, of_files)] {
        let error = monitor
            .search_logs(&query().before(cursor))
            .await
            .unwrap_err();
        assert!(error.is_query(), "{error}");
    }
    let error: watchpost::Error = LogQuery::default().text("a AND").unwrap_err().into();
    assert!(error.is_query());
    assert!(error.to_string().contains("at byte 5"), "{error}");
}

#[tokio::test]
async fn files_that_others_remove_truncate_or_damage_do_not_end_a_search() {
    let directory = tempfile::tempdir().unwrap();
    let monitor = monitor(Some(directory.path()));
    log(&monitor, 0..3000).await;
    wait_for_compression(directory.path());
    let closed = files(directory.path(), ".log.gz");
    assert!(closed.len() > 2, "{closed:?}");
    let all = pages(&monitor, query().limit(10_000)).await;
    assert_eq!(all, descending(0..3000));

    // One is gone, and one has lost its end.
    fs::remove_file(&closed[0]).unwrap();
    let damaged = OpenOptions::new().write(true).open(&closed[1]).unwrap();
    let length = damaged.metadata().unwrap().len();
    damaged.set_len(length / 2).unwrap();
    let found = search(&monitor, query().limit(10_000)).await;
    assert_eq!((found.end, found.unreadable), (SearchEnd::Complete, 2));
    let left = numbers(&found);
    assert!(!left.is_empty() && left.len() < 3000, "{}", left.len());
    // The newest lines are there.
    assert!(all.starts_with(&left[..100]) && left.is_sorted_by(|a, b| a > b));

    // A cursor in a file that is gone goes on with what is older.
    let page = search(&monitor, query().limit(100)).await;
    let cursor = page.next.unwrap();
    let current = directory.path().join("logs/combined.log");
    fs::remove_file(&current).unwrap();
    let older = search(&monitor, query().limit(1).before(cursor)).await;
    assert!(older.lines.is_empty() || numbers(&older)[0] < numbers(&page)[99]);

    // Another program has left half a line and one that is none of ours.
    log(&monitor, 3000..3010).await;
    let mut file = OpenOptions::new().append(true).open(&current).unwrap();
    file.write_all(b"not JSON\n{\"timestamp\":\"2026-11-30T00:00:00.000000Z\",\"lev")
        .unwrap();
    let found = search(&monitor, query().limit(10)).await;
    assert_eq!(numbers(&found), descending(3000..3010));
    log(&monitor, 3010..3020).await;
    let found = search(&monitor, query().limit(20)).await;
    assert_eq!(numbers(&found), descending(3000..3020));
    // It is truncated, and goes on.
    fs::write(&current, b"").unwrap();
    let after = search(&monitor, query().limit(20)).await;
    assert!(after.unreadable > 0);
    log(&monitor, 3020..3030).await;
    let found = search(&monitor, query().limit(10)).await;
    assert_eq!(numbers(&found), descending(3020..3030));
}

#[tokio::test]
async fn searches_are_bounded_in_number_and_end_with_the_monitor() {
    let monitor = monitor(None);
    log(&monitor, 0..10).await;
    // More than run and wait at once. Whatever is refused says so, and dropping the others makes room.
    let many: Vec<_> = (0..200).map(|_| monitor.search_logs(&query())).collect();
    let mut answers = Vec::new();
    for search in many {
        answers.push(search.await);
    }
    assert!(answers[0].is_ok());
    for refused in answers.iter().filter_map(|it| it.as_ref().err()) {
        assert!(refused.is_reader(), "{refused}");
    }
    drop(
        (0..200)
            .map(|_| monitor.search_logs(&query()))
            .collect::<Vec<_>>(),
    );
    let begun = Instant::now();
    while monitor.search_logs(&query()).await.is_err() {
        assert!(begun.elapsed() < PATIENCE);
    }
    monitor.shutdown(PATIENCE).await;
    // The threads of the monitor end in the background.
    let begun = Instant::now();
    let error = loop {
        match monitor.search_logs(&query()).await {
            Err(error) => break error,
            Ok(_) => assert!(begun.elapsed() < PATIENCE),
        }
    };
    assert!(error.is_reader(), "{error}");
}

#[tokio::test]
async fn a_time_limit_ends_a_search_with_a_place_to_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let monitor = monitor(Some(directory.path()));
    log(&monitor, 0..1000).await;
    let found = search(&monitor, query().time_limit(Duration::ZERO)).await;
    assert_eq!((found.end, found.lines.len()), (SearchEnd::Time, 0));
    let rest = search(&monitor, query().limit(3).before(found.next.unwrap())).await;
    assert_eq!(numbers(&rest), [999, 998, 997]);
}

#[tokio::test]
async fn a_tail_begins_with_history_and_follows_over_files_without_a_gap() {
    let directory = tempfile::tempdir().unwrap();
    for monitor in [monitor(Some(directory.path())), monitor(None)] {
        log(&monitor, 0..1000).await;
        let query = text("payment").limit(30);
        let mut tail = monitor.tail_logs(&query, None).await.unwrap();
        let of = |tail: &LogTail| numbers_of(&tail.lines);
        let mut seen = of(&tail);
        assert_eq!((seen.len(), seen.last()), (30, Some(&993)));
        assert!(!tail.has_more);
        log(&monitor, 1000..2000).await;
        loop {
            tail = monitor.tail_logs(&query, Some(tail.next)).await.unwrap();
            assert!(tail.lines.len() <= 30);
            seen.extend(of(&tail));
            if !tail.has_more {
                break;
            }
        }
        let expected: Vec<_> = (0..2000).filter(|n| n % 10 < 4).collect();
        assert_eq!(seen[..], expected[expected.len() - seen.len()..]);
        assert_eq!(seen.len(), 30 + 400);
        let none = monitor.tail_logs(&query, Some(tail.next)).await.unwrap();
        assert!(none.lines.is_empty() && none.next == tail.next);
    }
}

#[tokio::test]
async fn a_line_is_shown_with_those_around_it() {
    let directory = tempfile::tempdir().unwrap();
    for monitor in [monitor(Some(directory.path())), monitor(None)] {
        log(&monitor, 0..1000).await;
        if monitor.search_logs(&query()).await.unwrap().source == LogSource::Files {
            wait_for_compression(directory.path());
        }
        for (n, before, after) in [(500_i64, 3_u8, 3_u8), (0, 5, 2), (999, 2, 5), (700, 0, 0)] {
            let found = search(&monitor, text(&format!("n:{n}"))).await;
            let around = monitor
                .log_context(found.lines[0].cursor, before.into(), after.into())
                .await
                .unwrap();
            let first = (n - i64::from(before)).max(0);
            let last = (n + i64::from(after)).min(999);
            assert_eq!(numbers_of(&around), (first..=last).collect::<Vec<_>>());
        }
    }
}

#[tokio::test]
async fn records_are_counted_by_time_value_and_template() {
    let directory = tempfile::tempdir().unwrap();
    for monitor in [monitor(Some(directory.path())), monitor(None)] {
        log(&monitor, 0..1000).await;
        let histogram = monitor.log_histogram(&query(), 60).await.unwrap();
        assert_eq!(
            (histogram.counts.len(), histogram.end),
            (60, SearchEnd::Complete)
        );
        let sum = |of: fn(&watchpost::logs::LevelCounts) -> u64| {
            histogram.counts.iter().map(of).sum::<u64>()
        };
        assert_eq!(
            (
                sum(watchpost::logs::LevelCounts::total),
                sum(|it| it.error),
                sum(|it| it.warn)
            ),
            (1000, 100, 300)
        );
        let refused = monitor.log_histogram(&text("refused"), 10).await.unwrap();
        assert_eq!(
            refused
                .counts
                .iter()
                .map(watchpost::logs::LevelCounts::total)
                .sum::<u64>(),
            100
        );

        let facet = monitor
            .log_facet(&query().limit(2), "log.level")
            .await
            .unwrap();
        assert_eq!(
            facet.values,
            [("DEBUG".to_owned(), 600), ("WARN".to_owned(), 300)]
        );
        assert_eq!((facet.others, facet.missing), (100, 0));
        let facet = monitor
            .log_facet(&text("payment"), "customer")
            .await
            .unwrap();
        assert_eq!(facet.values, [("O'Reilly Media".to_owned(), 100)]);
        assert_eq!(facet.missing, 300);

        let patterns = monitor.log_patterns(&query()).await.unwrap();
        let rows: Vec<_> = patterns
            .patterns
            .iter()
            .map(|it| (&*it.template, it.count))
            .collect();
        assert_eq!(
            rows,
            [
                ("cache_hit", 600),
                ("payment timed out", 300),
                ("payment refused", 100)
            ]
        );
        assert_eq!(patterns.patterns[2].level, Level::ERROR);
    }
}
