//! The metrics of generated content.

use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Router, response::IntoResponse};
use http::Request;
use tower::ServiceExt;
use watchpost::content::Content;
use watchpost::testing::Harness;

const GENERATED: &str = "content_generated_total";
const COUNT: &str = "content_generation_duration_seconds_count";
const SUM: &str = "content_generation_duration_seconds_sum";
const FAILURES: &str = "content_generation_failures_total";

fn failures(harness: &Harness, outcome: &str) -> f64 {
    let labels = [("content_kind", "article"), ("watchpost_outcome", outcome)];
    harness.page().sum(FAILURES, &labels)
}

#[test]
fn a_service_that_generates_nothing_exposes_nothing() {
    let harness = Harness::new();
    assert!(!harness.metrics().render().contains("content_"));
    drop(harness.content("article"));
    let page = harness.page();
    let article = [("content_kind", "article")];
    assert_eq!(page.samples(GENERATED, &article).count(), 1);
    assert_eq!(page.sum(GENERATED, &[]), 0.0);
}

#[test]
fn items_and_durations_are_recorded_by_kind() {
    let harness = Harness::new();
    let articles = harness.content("article");
    articles.generated(Duration::from_millis(250));
    articles.clone().generated(Duration::from_secs(2));
    harness.content("article").generated(Duration::from_secs(1));
    harness.content("image").generated(Duration::from_secs(40));
    let page = harness.page();
    let article = [("content_kind", "article")];
    assert_eq!(page.sum(GENERATED, &article), 3.0);
    assert_eq!(page.sum(COUNT, &article), 3.0);
    assert_eq!(page.sum(SUM, &article), 3.25);
    assert_eq!(page.sum(GENERATED, &[]), 4.0);
    let bucket = |le| {
        let labels = [("content_kind", "article"), ("le", le)];
        page.sum("content_generation_duration_seconds_bucket", &labels)
    };
    assert_eq!(["0.1", "0.5", "1", "2.5"].map(bucket), [0.0, 1.0, 2.0, 3.0]);
    assert!(!harness.metrics().render().contains(FAILURES));
}

#[test]
fn a_guard_measures_and_records_its_end_once() {
    let harness = Harness::new();
    let articles = harness.content("article");
    let generation = articles.begin();
    harness.advance(Duration::from_millis(1500));
    generation.finish();
    articles.begin().fail();
    drop(articles.begin());
    let panicking = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _generation = articles.begin();
        std::panic::resume_unwind(Box::new(()));
    }));
    assert!(panicking.is_err());
    let page = harness.page();
    assert_eq!((page.sum(GENERATED, &[]), page.sum(SUM, &[])), (1.0, 1.5));
    let outcomes = ["failed", "cancelled", "panicked"];
    assert_eq!(outcomes.map(|it| failures(&harness, it)), [1.0; 3]);
    assert_eq!(page.sum(FAILURES, &[]), 3.0);
}

async fn generate(State(articles): State<Content>, body: String) -> impl IntoResponse {
    let article = articles.try_run(async {
        match &*body {
            "hang" => std::future::pending().await,
            "fail" => Err("no article"),
            _ => Ok("an article"),
        }
    });
    match article.await {
        Ok(article) => (StatusCode::CREATED, article),
        Err(error) => (StatusCode::BAD_GATEWAY, error),
    }
}

#[tokio::test]
async fn a_handler_runs_a_future_in_it() {
    let harness = Harness::new();
    let app = Router::new()
        .route("/", post(generate))
        .with_state(harness.content("article"))
        .layer(harness.layer());
    let call = |body: &'static str| {
        let request = Request::post("/").body(Body::from(body)).unwrap();
        app.clone().oneshot(request)
    };
    assert_eq!(call("write").await.unwrap().status(), StatusCode::CREATED);
    assert_eq!(
        call("fail").await.unwrap().status(),
        StatusCode::BAD_GATEWAY
    );
    assert!(futures_util::poll!(Box::pin(call("hang"))).is_pending());
    let page = harness.page();
    assert_eq!((page.sum(GENERATED, &[]), page.sum(COUNT, &[])), (1.0, 1.0));
    assert_eq!(
        (
            failures(&harness, "failed"),
            failures(&harness, "cancelled")
        ),
        (1.0, 1.0)
    );
}

#[test]
fn kinds_without_end_go_to_the_overflow_series() {
    let harness = Harness::with(|builder| builder.max_series_per_metric(10));
    for kind in 0..100 {
        let content = harness.content(format!("kind-{kind}"));
        content.generated(Duration::from_secs(1));
        content.begin().fail();
    }
    let page = harness.page();
    let overflow = [("otel_metric_overflow", "true")];
    assert_eq!(page.sum(GENERATED, &[]), 100.0);
    assert!(page.sum(GENERATED, &overflow) >= 90.0);
    assert_eq!(
        (page.sum(COUNT, &[]), page.sum(FAILURES, &[])),
        (100.0, 100.0)
    );
    assert!(harness.metrics().capped().len() == 3);
}
