//! The memory that hostile names cost, as the growth of resident pages after a warm-up. Each test runs in a process of its
//! own and prints its figures.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Request;
use http_body_util::BodyExt;
use tower::ServiceExt;
use tracing_subscriber::prelude::*;
use watchpost::logs::LogQuery;
use watchpost::metrics::Metrics;
use watchpost::testing::Harness;
use watchpost::{Monitor, MonitorBuilder};

#[path = "support/child.rs"]
mod child;
#[path = "support/process.rs"]
mod process;

#[path = "support/skip.rs"]
mod skip;

use process::in_child_process;
use skip::skip;

const KIB: i64 = 1024;

/// Runs a test in a child process and prints its figures.
fn measured(name: &str, test: impl FnOnce()) {
    if resident().is_none() {
        return skip(name, "there is no /proc/self/statm");
    }
    in_child_process(name, &["memory: "], test);
}

/// Resident bytes of this process.
fn resident() -> Option<i64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: i64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    // If pages are larger than 4 KiB, the result is too small.
    Some(pages * 4 * KIB)
}

/// The growth of the process in KiB while `work` runs.
fn growth(work: impl FnOnce()) -> i64 {
    let before = resident().unwrap();
    work();
    (resident().unwrap() - before) / KIB
}

const PATHS: u64 = 100_000;
/// Warm-up: fills caches, pools and buffers as in a running service.
const WARM: u64 = 10_000;
/// Limits for kept traces and log records that the warm-up reaches, and a history without snapshots, so that the result
/// does not include them.
const RECENT: &str =
    "[trace]\nrecent_bytes = 32768\n[log]\nrecent_bytes = 65536\n[history]\ninterval = \"1h\"\n";

fn unmatched_paths(what: &str, configure: impl FnOnce(MonitorBuilder) -> MonitorBuilder) {
    let settings = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&settings, RECENT).unwrap();
    let builder = Monitor::builder("host").env(false).file(settings.path());
    let monitor = configure(builder).build().unwrap();
    let app = Router::new()
        .route("/known", get(|| async { "done" }))
        .route_service("/metrics", monitor.prometheus())
        .layer(monitor.layer());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let get_body = |path: &str| {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let body = runtime.block_on(async {
            let response = app.clone().oneshot(request).await.unwrap();
            response.into_body().collect().await.unwrap().to_bytes()
        });
        String::from_utf8(body.to_vec()).unwrap()
    };
    let visit = |from: u64, to: u64| {
        for n in from..to {
            get_body(&format!(
                "/{}/{n}/admin.php",
                n.wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ));
            if n % 1000 == 0 {
                let patience = std::time::Duration::from_secs(20);
                assert!(monitor.flush_blocking(patience).unwrap());
            }
        }
    };
    get_body("/known");
    visit(0, WARM);
    let before = get_body("/metrics");
    let grown = growth(|| visit(WARM, WARM + PATHS));
    let page = get_body("/metrics");
    let of_unmatched = |line: &&str| line.contains("_unmatched");
    // The rates of the system are on the page from its second reading on.
    let lines = |page: &str| {
        let all = page
            .lines()
            .filter(|line| !line.contains("_cpu_utilization"));
        all.count()
    };
    assert_eq!(lines(&page), lines(&before));
    assert_eq!(
        page.lines().filter(of_unmatched).count(),
        before.lines().filter(of_unmatched).count()
    );
    let count = "http_server_request_duration_seconds_count{";
    let series: Vec<_> = page
        .lines()
        .filter(|line| line.starts_with(count))
        .filter(of_unmatched)
        .collect();
    assert_eq!(series.len(), 1, "{series:?}");
    assert!(
        series[0].ends_with(&format!(" {}", WARM + PATHS)),
        "{series:?}"
    );
    assert!(!page.contains("admin.php"));
    // The values have more digits.
    assert!(
        page.len() < before.len() + before.len() / 20,
        "{} {}",
        page.len(),
        before.len()
    );
    assert!(grown <= 1024, "{grown} KiB");
    println!(
        "memory: {what}: {PATHS} distinct unmatched paths: 1 series, {grown:+} KiB resident, page of {} lines before and after ({} and {} bytes)",
        page.lines().count(),
        before.len(),
        page.len()
    );
}

#[test]
fn unmatched_paths_cost_no_memory_with_metrics_alone() {
    measured("unmatched_paths_cost_no_memory_with_metrics_alone", || {
        unmatched_paths("metrics alone", |builder| builder.console(false));
    });
}

#[test]
fn unmatched_paths_cost_no_memory_with_log_lines() {
    measured("unmatched_paths_cost_no_memory_with_log_lines", || {
        unmatched_paths("with a line a request", |builder| {
            builder.console_to(std::io::sink())
        });
    });
}

#[test]
fn a_million_label_values_of_a_counter_cost_no_memory() {
    measured("a_million_label_values_of_a_counter_cost_no_memory", || {
        let harness = Harness::new();
        let recorder = harness.metrics().recorder();
        metrics::with_local_recorder(&recorder, || {
            metrics::counter!("warm", "user" => "a").increment(1);
            drop(harness.page());
            let grown = growth(|| {
                for n in 0..1_000_000 {
                    metrics::counter!("visits", "user" => format!("user-{n}")).increment(1);
                }
            });
            assert_eq!(harness.page().sum("visits_total", &[]), 1_000_000.0);
            assert!(grown <= 4 * 1024, "{grown} KiB");
            println!(
                "memory: 1,000,000 label values of a counter: {grown:+} KiB resident, total exact"
            );
        });
    });
}

#[test]
fn ten_million_unscraped_samples_cost_no_memory() {
    measured("ten_million_unscraped_samples_cost_no_memory", || {
        let registry = Metrics::standalone();
        let recorder = registry.recorder();
        let took =
            metrics::with_local_recorder(&recorder, || metrics::histogram!("took", "route" => "/"));
        took.record(0.1);
        let grown = growth(|| {
            for n in 1..10_000_000_u32 {
                took.record(f64::from(n % 100_000) / 1_000.0);
            }
        });
        assert!(
            registry
                .render()
                .lines()
                .any(|line| line == "took_count{route=\"/\"} 10000000")
        );
        assert!(grown <= 1024, "{grown} KiB");
        println!(
            "memory: 10,000,000 samples of a histogram, unscraped: {grown:+} KiB resident, count exact"
        );
    });
}

#[test]
fn a_million_log_records_take_the_memory_of_the_setting() {
    measured(
        "a_million_log_records_take_the_memory_of_the_setting",
        || {
            let builder = Monitor::builder("host").env(false);
            let monitor = builder.console_to(std::io::sink()).build().unwrap();
            let subscriber = tracing_subscriber::registry().with(monitor.tracing_layer());
            let emit = |from: u64, to: u64| {
                for n in from..to {
                    tracing::info!(
                        n,
                        text = "a hundred bytes or so of a usual text",
                        "record {n}"
                    );
                    if n % 1000 == 999 {
                        let patience = std::time::Duration::from_secs(20);
                        assert!(monitor.flush_blocking(patience).unwrap());
                    }
                }
            };
            tracing::subscriber::with_default(subscriber, || {
                emit(0, 2000);
                let grown = growth(|| emit(2000, 1_000_000));
                let query = LogQuery::default().limit(LogQuery::MAX_LIMIT);
                let found = monitor.recent_logs(&query);
                let kept = found.newest + 1 - found.oldest;
                // The monitor's own notices are records too.
                assert!(found.newest >= 1_000_000, "{}", found.newest);
                assert_eq!(found.records.len(), 10_000);
                // 4 MiB hold at least this many of them.
                assert!(kept > 25_000, "{kept} records");
                assert!(grown <= 5 * 1024, "{grown} KiB");
                println!(
                    "memory: 1,000,000 log records: {grown:+} KiB resident, the last {kept} of them in memory"
                );
            });
        },
    );
}
