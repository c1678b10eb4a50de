//! What hostile names may cost in memory, as the system counts it: each figure in a process of its own, of
//! resident pages after a first part that warms everything up. Each test prints its figure.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Request;
use http_body_util::BodyExt;
use tower::ServiceExt;
use watchpost::metrics::Metrics;
use watchpost::testing::Harness;
use watchpost::{Monitor, MonitorBuilder};

#[path = "own_process.rs"]
mod own_process;

use own_process::in_a_process_of_its_own;

const KIB: i64 = 1024;

/// Runs a test in a child, and prints the figure that it tells.
fn measured(name: &str, test: impl FnOnce()) {
    if resident().is_none() {
        return println!("skipped: {name}: there is no /proc/self/statm here");
    }
    in_a_process_of_its_own(name, &["M8: ", "M9: "], test);
}

/// Resident bytes of this process.
fn resident() -> Option<i64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: i64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    // Of 4 KiB, or larger: then the figure told is smaller than it should be.
    Some(pages * 4 * KIB)
}

/// How many KiB the process grows by while `work` runs.
fn growth(work: impl FnOnce()) -> i64 {
    let before = resident().unwrap();
    work();
    (resident().unwrap() - before) / KIB
}

const PATHS: u64 = 100_000;
/// Before the figure: caches, pools and buffers as they are in a service that runs.
const WARM: u64 = 10_000;
/// Kept traces stay in memory up to a bound: one that the first part reaches, or the figure shows how it fills.
const RECENT_TRACES: &str = "[trace]\nrecent_bytes = 32768\n";

fn unmatched_paths(what: &str, configure: impl FnOnce(MonitorBuilder) -> MonitorBuilder) {
    let settings = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&settings, RECENT_TRACES).unwrap();
    let builder = Monitor::builder("host").env(false).file(settings.path());
    let monitor = configure(builder).build().unwrap();
    let app = Router::new()
        .route("/known", get(|| async { "done" }))
        .route_service("/metrics", monitor.prometheus())
        .layer(monitor.layer());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let ask = |path: &str| {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let body = runtime.block_on(async {
            let answer = app.clone().oneshot(request).await.unwrap();
            answer.into_body().collect().await.unwrap().to_bytes()
        });
        String::from_utf8(body.to_vec()).unwrap()
    };
    let visit = |from: u64, to: u64| {
        for n in from..to {
            ask(&format!(
                "/{}/{n}/admin.php",
                n.wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ));
            if n % 1000 == 0 {
                let patience = std::time::Duration::from_secs(20);
                assert!(monitor.flush_blocking(patience).unwrap());
            }
        }
    };
    ask("/known");
    visit(0, WARM);
    let before = ask("/metrics");
    let grown = growth(|| visit(WARM, WARM + PATHS));
    let page = ask("/metrics");
    let of_unmatched = |line: &&str| line.contains("_unmatched");
    assert_eq!(page.lines().count(), before.lines().count());
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
    // The figures have more digits.
    assert!(
        page.len() < before.len() + before.len() / 20,
        "{} {}",
        page.len(),
        before.len()
    );
    assert!(grown <= 1024, "{grown} KiB");
    println!(
        "M8: {what}: {PATHS} distinct unmatched paths: 1 series, {grown:+} KiB resident, page of {} lines before and after ({} and {} bytes)",
        page.lines().count(),
        before.len(),
        page.len()
    );
}

#[test]
fn m8_unmatched_paths_with_metrics_alone() {
    measured("m8_unmatched_paths_with_metrics_alone", || {
        unmatched_paths("metrics alone", |builder| builder.console(false));
    });
}

#[test]
fn m8_unmatched_paths_with_lines() {
    measured("m8_unmatched_paths_with_lines", || {
        unmatched_paths("with a line a request", |builder| {
            builder.console_to(std::io::sink())
        });
    });
}

#[test]
fn m9_a_million_label_values_of_a_counter() {
    measured("m9_a_million_label_values_of_a_counter", || {
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
                "M9: 1,000,000 label values of a counter: {grown:+} KiB resident, total exact"
            );
        });
    });
}

#[test]
fn m9_ten_million_samples_that_nobody_scrapes() {
    measured("m9_ten_million_samples_that_nobody_scrapes", || {
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
            "M9: 10,000,000 samples of a histogram, unscraped: {grown:+} KiB resident, count exact"
        );
    });
}
