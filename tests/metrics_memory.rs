//! The memory of the registry and the table of queries, measured by an allocator in this binary.

use std::alloc::System;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metrics::{counter, histogram};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use watchpost::Monitor;
use watchpost::db::DbSystem;
use watchpost::history::HistoryConfig;
use watchpost::logs::LogsConfig;
use watchpost::metrics::Metrics;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Lets one test run at a time, since all share the allocator's counts.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

const MIB: isize = 1024 * 1024;

/// The allocated bytes, minus those at the beginning of the region.
fn live(region: &Region<'_, System>) -> isize {
    let change = region.change();
    change.bytes_allocated.cast_signed() - change.bytes_deallocated.cast_signed()
}

/// The history keeps a series for as long as its snapshots: it has limits and tests of its own.
fn without_snapshots() -> HistoryConfig {
    HistoryConfig::default()
        .interval(Duration::from_secs(3600))
        .memory_age(Duration::from_secs(3600))
}

/// The growth of allocated bytes during `work`.
fn growth(work: impl FnOnce()) -> isize {
    let region = Region::new(ALLOCATOR);
    work();
    live(&region)
}

/// The number of allocations of `work`: the minimum of several rounds, since the test harness allocates as well.
fn allocations(work: impl Fn()) -> usize {
    let rounds = (0..10).map(|_| {
        let region = Region::new(ALLOCATOR);
        work();
        region.change().allocations
    });
    rounds.min().unwrap()
}

/// Sums every sample of a name.
fn sum(page: &str, name: &str) -> u64 {
    let samples = page.lines().filter(|line| {
        let rest = line.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
    });
    samples
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum()
}

#[test]
fn a_million_label_values_of_a_counter() {
    let _alone = alone();
    let metrics = Metrics::standalone();
    let typed = metrics.counter("typed").build();
    let grown = growth(|| {
        for n in 0..1_000_000 {
            typed.with([("user", format!("user-{n}"))]).add(1);
        }
    });
    assert_eq!(sum(&metrics.render(), "typed_total"), 1_000_000);
    assert!(grown <= 4 * MIB, "{grown} bytes");

    let recorder = metrics.recorder();
    let grown = growth(|| {
        metrics::with_local_recorder(&recorder, || {
            for n in 0..1_000_000 {
                counter!("facade", "user" => format!("user-{n}")).increment(1);
            }
        });
    });
    assert_eq!(sum(&metrics.render(), "facade_total"), 1_000_000);
    assert!(grown <= 4 * MIB, "{grown} bytes");
    assert_eq!(metrics.capped().len(), 2);
}

#[test]
fn a_million_label_values_of_a_histogram() {
    let _alone = alone();
    let metrics = Metrics::standalone();
    let recorder = metrics.recorder();
    let grown = growth(|| {
        metrics::with_local_recorder(&recorder, || {
            for n in 0..1_000_000 {
                histogram!("took", "user" => format!("user-{n}")).record(0.1);
            }
        });
    });
    let page = metrics.render();
    assert_eq!(sum(&page, "took_count"), 1_000_000);
    assert!(grown <= 16 * MIB, "{grown} bytes");
}

#[test]
fn ten_million_samples_that_nobody_scrapes() {
    let _alone = alone();
    let metrics = Metrics::standalone();
    let recorder = metrics.recorder();
    let grown = growth(|| {
        let took = metrics::with_local_recorder(&recorder, || histogram!("took", "route" => "/"));
        for n in 0..10_000_000_u32 {
            took.record(f64::from(n % 100) / 10.0);
        }
    });
    assert_eq!(sum(&metrics.render(), "took_count"), 10_000_000);
    assert!(grown <= MIB, "{grown} bytes");
}

#[test]
fn a_handle_allocates_nothing() {
    let _alone = alone();
    let metrics = Metrics::standalone();
    let counter = metrics.counter("c").build().with([("a", "b")]);
    let gauge = metrics.gauge("g").build();
    let level = metrics.up_down_counter("l").build();
    let histogram = metrics.histogram("h").build();
    let recorder = metrics.recorder();
    let work = || {
        counter.add(1);
        gauge.set(1.0);
        gauge.add(1.0);
        level.add(-1);
        histogram.record(0.1);
        metrics::with_local_recorder(&recorder, || {
            counter!("f", "a" => "b", "c" => "d", "e" => "f").increment(1);
        });
    };
    work();
    let allocated = allocations(|| (0..1000).for_each(|_| work()));
    assert_eq!(allocated, 0);
    assert_eq!(sum(&metrics.render(), "c_total"), 10_001);
}

#[test]
fn a_million_different_statements() {
    let _alone = alone();
    let monitor = Monitor::builder("memory")
        .env(false)
        .console(false)
        .history(without_snapshots())
        .trace_ratio(0.0);
    let monitor = monitor.build().unwrap();
    let db = monitor.db(DbSystem::Postgresql).namespace("shop");
    db.query("SELECT 1").finish();
    let grown = growth(|| {
        for n in 0..1_000_000 {
            db.query(format!(
                "SELECT c{n}, c{n} + 1 FROM t{n} WHERE mail = 'a{n}'"
            ))
            .finish();
        }
    });
    let rows = monitor.queries();
    assert_eq!(rows.iter().map(|row| row.calls).sum::<u64>(), 1_000_001);
    println!("a million statements: {} KiB", grown / 1024);
    assert!(grown <= 4 * MIB, "{grown} bytes");
}

#[test]
fn many_different_long_statements() {
    let _alone = alone();
    let monitor = Monitor::builder("memory")
        .env(false)
        .console(false)
        .history(without_snapshots())
        .trace_ratio(0.0);
    let monitor = monitor.build().unwrap();
    let db = monitor.db(DbSystem::Postgresql).namespace("shop");
    db.query("SELECT 1").finish();
    let columns = ["a_column_with_a_long_name"; 200].join(", ");
    let grown = growth(|| {
        for n in 0..5000 {
            db.query(format!("SELECT c{n}, {columns} FROM t{n}"))
                .finish();
        }
    });
    println!("5,000 statements of 5.4 KB: {} KiB", grown / 1024);
    assert!(grown <= 4 * MIB, "{grown} bytes");
}

/// A statement that runs twice in a row replaces another one in the full table.
#[test]
fn statements_that_replace_each_other_are_freed() {
    let _alone = alone();
    let monitor = Monitor::builder("memory")
        .env(false)
        .console(false)
        .history(without_snapshots())
        .trace_ratio(0.0);
    let monitor = monitor.build().unwrap();
    let db = monitor.db(DbSystem::Postgresql).namespace("shop");
    let run = |from: u32, to: u32| {
        for n in from..to {
            let statement = format!("SELECT c{n}, c{n} + 1 FROM t{n} WHERE mail = 'a{n}'");
            db.query(&statement).finish();
            db.query(&statement).finish();
        }
    };
    // A statement in the table has one call, and gives way to one that was seen twice.
    for n in 0..1000 {
        db.query(format!("SELECT a{n} FROM first{n}")).finish();
    }
    // The table, the thread's cache and the retired templates are full.
    run(0, 2000);
    let has = |n: u32| {
        let rows = monitor.queries();
        let summary = format!("SELECT t{n}");
        rows.iter().any(|row| *row.summary == summary)
    };
    assert!(has(1999));
    let grown = growth(|| run(2000, 6000));
    assert!(has(5999) && !has(1999));
    println!("4,000 replaced statements: {} KiB", grown / 1024);
    assert!(grown <= MIB / 2, "{grown} bytes");
}

#[test]
fn a_known_query_in_a_request_allocates_nothing() {
    let _alone = alone();
    let monitor = Monitor::builder("memory")
        .env(false)
        .console(false)
        .history(without_snapshots())
        .trace_ratio(0.0);
    let monitor = monitor.build().unwrap();
    let db = monitor.db(DbSystem::Postgresql).namespace("shop");
    let work = || (0..100).for_each(|_| db.query("SELECT * FROM orders WHERE id = 17").finish());
    monitor.span("work").in_scope(|| {
        work();
        // The trace's buffer doubles occasionally.
        let allocated = allocations(work);
        assert!(allocated <= 1, "{allocated}");
    });
}

#[test]
fn a_page_is_written_in_little_memory() {
    let _alone = alone();
    let metrics = Metrics::standalone();
    let histogram = metrics.histogram("h").build();
    for n in 0..1999 {
        histogram.with([("n", n.to_string())]).record(0.1);
    }
    let mut body = body(&metrics);
    let mut bytes = 0;
    let mut most = 0;
    let region = Region::new(ALLOCATOR);
    while let Some(frame) = next(&mut body) {
        bytes += frame.len();
        most = most.max(live(&region));
    }
    assert!(bytes > 500_000, "{bytes}");
    assert!(most <= MIB / 2, "{most} bytes for a page of {bytes}");
}

fn body(metrics: &Metrics) -> watchpost::metrics::ExpositionBody {
    let response = tower::Service::call(&mut metrics.prometheus(), http::Request::new(()));
    response.into_inner().unwrap().into_body()
}

fn next(body: &mut watchpost::metrics::ExpositionBody) -> Option<bytes::Bytes> {
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    match http_body::Body::poll_frame(std::pin::Pin::new(body), &mut cx) {
        std::task::Poll::Ready(frame) => frame.map(|frame| frame.unwrap().into_data().unwrap()),
        std::task::Poll::Pending => panic!("a page never waits"),
    }
}

/// A service whose requests have the user of their path, if it has one.
fn users_service(harness: &watchpost::testing::Harness) -> impl Fn(String) + use<> {
    use tower::{Layer as _, Service as _};

    let layer = harness.layer().user(|parts| {
        let user = parts.uri.path().trim_start_matches('/');
        (!user.is_empty()).then(|| user.to_owned())
    });
    let service = layer.layer(tower::service_fn(async |_: http::Request<()>| {
        Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
    }));
    move |path| {
        let request = http::Request::get(path).body(()).unwrap();
        let response = futures_util::FutureExt::now_or_never(service.clone().call(request));
        drop(response.unwrap());
    }
}

/// Users of a day and of five minutes, so many that each slot has registers.
const USERS_A_SLOT: u32 = 2_500;

#[test]
fn the_sketches_of_active_users_have_512_kib_in_all() {
    let _alone = alone();
    let harness = watchpost::testing::Harness::with(|builder| {
        // Log records, snapshots and kept traces would be counted too, and series that expire.
        let idle_after = Duration::from_secs(30 * 24 * 3600);
        let builder = builder.console(false).record_spans(false);
        let builder = builder
            .history(without_snapshots())
            .logs(LogsConfig::default().recent_bytes(0));
        builder.idle_after(idle_after)
    });
    let serve = users_service(&harness);
    (0..100).for_each(|_| serve("/".to_owned()));
    let seconds = Duration::from_secs;
    let visits = |slot: u32| {
        for user in 0..USERS_A_SLOT {
            serve(format!("/user-{}", slot * 500 + user));
        }
    };
    let grown = growth(|| {
        for hour in 0..25 {
            visits(hour);
            harness.advance(seconds(3600));
        }
        for minute in 25..31 {
            visits(minute);
            harness.advance(seconds(60));
        }
    });
    println!("active users: {grown} bytes");
    // All slots have registers. A count needs two sketches more, and one more while a list becomes registers.
    assert!(
        (440_000..=512 * 1024 - 3 * 16 * 1024).contains(&grown),
        "{grown} bytes"
    );
    let active = harness.active_users();
    let expected = f64::from(24 * 500 + 6 * 500 + 2_000);
    let day = active.day.unwrap() as f64;
    assert!((day / expected - 1.0).abs() <= 0.02, "{day} of {expected}");
}

#[test]
fn a_user_allocates_nothing_beyond_the_hooks_text() {
    let _alone = alone();
    let harness = watchpost::testing::Harness::with(|builder| builder.console(false));
    let serve = users_service(&harness);
    (0..100).for_each(|_| serve("/".to_owned()));
    serve("/ada".to_owned());
    let without = allocations(|| serve("/".to_owned()));
    let with = allocations(|| serve("/ada".to_owned()));
    // The text that the hook returns, and the path of the request.
    assert!(with <= without + 2, "{with} and {without}");
}
