//! The summary of a known load: exact counts, bounded percentiles, and nothing that was not recorded.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use axum::routing::get;
use futures_util::FutureExt;
use http::{Request, StatusCode};
use tower::ServiceExt;
use watchpost::health::HealthStatus;
use watchpost::history::MetricQuery;
use watchpost::summary::TimeFigures;
use watchpost::testing::Harness;

use crate::support::{get_request, send};

const TICK: Duration = Duration::from_secs(10);
const HOUR: Duration = Duration::from_secs(3600);

/// A service in which a request takes as many milliseconds as its path says.
fn app(harness: &Arc<Harness>) -> Router {
    let layer = harness
        .layer()
        .skip(|parts| parts.uri.path() == "/skipped")
        .user(|parts| Some(parts.headers.get("x-user")?.to_str().ok()?.to_owned()));
    let takes = async |State(harness): State<Arc<Harness>>,
                       Path((status, ms)): Path<(u16, u64)>| {
        harness.advance(Duration::from_millis(ms));
        StatusCode::from_u16(status).unwrap().into_response()
    };
    Router::new()
        .route("/takes/{status}/{ms}", get(takes))
        .route(
            "/panics",
            get(async || -> &'static str { panic!("on purpose") }),
        )
        .route("/hangs", get(std::future::pending::<&str>))
        .route("/skipped", get(async || "done"))
        .route_service("/metrics", harness.prometheus())
        .layer(layer)
        .with_state(Arc::clone(harness))
}

fn near(duration: Duration, expected: Duration) {
    let ratio = duration.as_secs_f64() / expected.as_secs_f64();
    assert!((ratio - 1.0).abs() < 0.02, "{duration:?} for {expected:?}");
}

#[tokio::test]
async fn the_figures_of_a_known_load_are_exact() {
    let harness = Arc::new(Harness::new());
    let app = app(&harness);
    harness.advance(TICK);
    harness.snapshot();
    let get = async |path: &str| send(&app, get_request(path)).await;
    // 1 to 1000 ms.
    let mut total = Duration::ZERO;
    for ms in 1..=1000 {
        get(&format!("/takes/200/{ms}")).await;
        total += Duration::from_millis(ms);
        if ms % 20 == 0 {
            harness.snapshot();
        }
    }
    for (path, count) in [
        ("/takes/404/1", 30),
        ("/takes/503/1", 15),
        ("/skipped", 9),
        ("/metrics", 4),
    ] {
        for _ in 0..count {
            get(path).await;
        }
    }
    for _ in 0..5 {
        let panicking = std::panic::AssertUnwindSafe(get("/panics"))
            .catch_unwind()
            .await;
        assert!(panicking.is_err());
    }
    for _ in 0..7 {
        // Dropped after its first poll.
        let mut hanging = Box::pin(get("/hangs"));
        assert!(hanging.as_mut().now_or_never().is_none());
    }
    harness.advance(TICK);
    harness.snapshot();

    let summary = harness.summary(HOUR).unwrap();
    let requests = summary.period.requests.as_ref().unwrap();
    assert_eq!(requests.count, 1000 + 30 + 15 + 5 + 7);
    assert_eq!(
        (requests.errors, requests.client_errors, requests.cancelled),
        (20, 30, 7)
    );
    let rate = requests.error_rate.unwrap();
    assert!((rate - 20.0 / 1057.0).abs() < 1e-9, "{rate}");
    let seconds = (total + 2 * TICK + Duration::from_millis(45)).as_secs_f64();
    let per_second = requests.per_second.unwrap();
    assert!((per_second - 1057.0 / seconds).abs() < 1e-6, "{per_second}");

    let TimeFigures {
        mean,
        p50,
        p95,
        p99,
        ..
    } = requests.response_time.unwrap();
    let all = Duration::from_secs_f64(total.as_secs_f64() + 0.045) / 1057;
    near(mean, all);
    // 57 requests took at most 1 ms.
    near(p50, Duration::from_millis(529 - 57));
    near(p95, Duration::from_millis(1005 - 57));
    near(p99, Duration::from_millis(1047 - 57));
    // Without those that had no headers.
    let headers = requests.time_to_headers.unwrap();
    near(headers.p99, Duration::from_millis(990));

    let data_from = summary.period.data_from;
    assert!(data_from > Some(summary.period.start), "{data_from:?}");
    assert_eq!(summary.before, None);
    assert_eq!(summary.health.status, HealthStatus::Pass);
    assert!(summary.period.pools.is_empty() && summary.period.quotas.is_empty());
}

#[tokio::test]
async fn a_period_is_compared_with_the_one_before() {
    let harness = Arc::new(Harness::new());
    let app = app(&harness);
    for tick in 0..66 {
        let requests = if tick < 36 { 2 } else { 3 };
        for _ in 0..requests {
            send(&app, get_request("/takes/200/0")).await;
        }
        harness.advance(TICK);
        harness.snapshot();
    }
    let summary = harness.summary(Duration::from_secs(300)).unwrap();
    assert_eq!(summary.period.requests.as_ref().unwrap().count, 90);
    assert_eq!(summary.period.data_from, None);
    let before = summary.before.as_ref().unwrap();
    assert_eq!(before.requests.as_ref().unwrap().count, 60);
    let change = summary
        .change(|figures| figures.requests.as_ref()?.per_second)
        .unwrap();
    assert!((change - 0.5).abs() < 1e-9, "{change}");
    // Without data, as there are no pools.
    let used = summary.change(|figures| figures.pools.first().map(|pool| pool.used));
    assert_eq!(used, None);
    // Ten minutes have data, twenty have not.
    assert_eq!(
        harness.summary(Duration::from_secs(600)).unwrap().before,
        None
    );
    // A period of the past.
    let end = harness.now() - Duration::from_secs(300);
    let past = harness
        .summary_between(end - Duration::from_secs(60), end)
        .unwrap();
    assert_eq!(past.period.requests.unwrap().count, 12);
}

#[tokio::test]
async fn content_users_and_figures_of_the_host_are_in_the_summary() {
    let harness = Arc::new(Harness::new());
    let app = app(&harness);
    harness
        .summary_figure("orders", MetricQuery::increase("orders_total"))
        .unwrap();
    harness
        .summary_figure("nothing", MetricQuery::last("nothing"))
        .unwrap();
    let orders = harness.metrics().counter("orders").build();
    for n in 0..12 {
        let request = Request::get("/takes/200/1").header("x-user", format!("user-{n}"));
        app.clone()
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap();
        harness
            .content("article")
            .generated(Duration::from_millis(250));
        orders.with([("kind", format!("{}", n % 3))]).add(2);
    }
    let articles = harness.content("article");
    let failed = articles.try_run(async { Err::<(), _>("no") }).await;
    failed.unwrap_err();
    harness.advance(TICK);
    harness.snapshot();
    let summary = harness.summary(HOUR).unwrap();
    let content = summary.period.content.as_ref().unwrap();
    assert_eq!((content.generated, content.failures), (12, 1));
    near(
        content.generation_time.unwrap().p95,
        Duration::from_millis(250),
    );
    assert_eq!(summary.active_users.five_minutes, Some(12));
    assert_eq!(summary.period.active_users, Some(12));
    let figures: Vec<_> = summary
        .period
        .figures
        .iter()
        .map(|figure| (figure.name.as_str(), figure.value))
        .collect();
    assert_eq!(figures, [("orders", Some(24.0)), ("nothing", None)]);
}

#[tokio::test]
async fn what_has_no_data_is_absent_and_not_zero() {
    let harness = Harness::new();
    let summary = harness.summary(HOUR).unwrap();
    assert_eq!(summary.period.requests, None);
    assert_eq!(summary.period.content, None);
    assert_eq!(summary.period.covered, Duration::ZERO);
    assert_eq!(summary.period.process.cpu, None);
    assert_eq!(summary.period.data_from, Some(summary.period.end));
    assert_eq!(summary.active_users.five_minutes, None);
    for period in [Duration::ZERO, Duration::from_micros(1)] {
        let error = harness.summary(period).unwrap_err();
        assert!(error.is_query(), "{error}");
    }
    let error = harness.summary_figure("p95", MetricQuery::quantile(95.0, "took"));
    assert!(error.unwrap_err().is_query());
    // Longer than since 1970.
    harness.summary(Duration::MAX).unwrap();
    harness
        .health()
        .check("disk", async || Err::<(), _>("it is full"));
}

#[tokio::test]
async fn a_summary_is_json() {
    let harness = Arc::new(Harness::new());
    let app = app(&harness);
    send(&app, get_request("/takes/200/100")).await;
    harness.advance(TICK);
    harness.snapshot();
    let json = serde_json::to_value(harness.summary(HOUR).unwrap()).unwrap();
    assert_eq!(json["period"]["requests"]["count"], 1);
    assert!(
        json["period"]["requests"]["response_time"]["p95_ms"]
            .as_f64()
            .unwrap()
            > 98.0
    );
    assert_eq!(json["health"]["status"], "pass");
    assert_eq!(json["before"], serde_json::Value::Null);
    assert!(json["period"]["end"].as_str().unwrap().ends_with('Z'));
}

#[tokio::test]
async fn the_verdict_names_what_does_not_pass() {
    let harness = Harness::new();
    let check = harness
        .health()
        .check("search", async || Err::<(), _>("connection refused"));
    drop(check);
    let verdict = loop {
        let verdict = harness.health().verdict();
        if !verdict
            .reasons
            .contains(&"search: no result yet".to_owned())
            && verdict.status != HealthStatus::Pass
        {
            break verdict;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert!(
        verdict
            .reasons
            .iter()
            .any(|reason| reason == "search: connection refused"),
        "{verdict:?}"
    );
}
