//! Shared budgets: one source leaves room for the others. The tests use the driven clock.

use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use watchpost::testing::Harness;
use watchpost::trace::KeptTrace;
use watchpost::{KeepReason, MonitorBuilder};

use crate::support::{get_request, send};

fn app(harness: &Harness) -> Router {
    let fails = || get(async || (StatusCode::INTERNAL_SERVER_ERROR, "failed"));
    Router::new()
        .route("/hot", get(async || "hot"))
        .route("/rare", get(async || "rare"))
        .route("/hot/fails", fails())
        .route("/rare/fails", fails())
        .layer(harness.layer())
}

fn harness(configure: impl FnOnce(MonitorBuilder) -> MonitorBuilder) -> Harness {
    Harness::with(|builder| configure(builder.console(false)))
}

/// The number of kept traces with a root of this name, and of all kept traces.
async fn count_kept(harness: &Harness, name: &str) -> (usize, usize) {
    assert!(harness.flush(Duration::from_secs(10)).await);
    let traces = harness.recent_traces();
    let named = |trace: &&KeptTrace| {
        trace
            .spans
            .iter()
            .any(|span| span.is_root && span.name == name)
    };
    (traces.iter().filter(named).count(), traces.len())
}

#[tokio::test]
async fn a_rare_route_gets_its_traces_beside_one_asked_ten_thousand_times_a_second() {
    let harness = harness(|builder| builder);
    let app = app(&harness);
    for ms in 0..4000 {
        for _ in 0..10 {
            send(&app, get_request("/hot")).await;
            harness.advance(Duration::from_micros(100));
        }
        if ms % 1000 == 900 {
            send(&app, get_request("/rare")).await;
        }
    }
    let (rare, all) = count_kept(&harness, "GET /rare").await;
    assert_eq!(rare, 4);
    // The burst, then 100 per second.
    assert!((450..=505).contains(&all), "{all}");
}

#[tokio::test]
async fn a_batch_job_does_not_hide_requests_nor_other_jobs() {
    let harness = harness(|builder| builder);
    let app = app(&harness);
    let database = harness.db(watchpost::db::DbSystem::Postgresql);
    for ms in 0..4000 {
        for n in 0..5 {
            database
                .query("INSERT INTO orders (id) VALUES ($1)")
                .finish();
            harness.span(format!("row {ms}{n}")).in_scope(|| {});
        }
        harness.advance(Duration::from_millis(1));
        if ms % 1000 == 900 {
            send(&app, get_request("/rare")).await;
            harness.span("nightly report").in_scope(|| {});
        }
    }
    let (rare, all) = count_kept(&harness, "GET /rare").await;
    assert_eq!(rare, 4);
    // Several sources together get more at first than a single one, and the same in the long run.
    assert!((450..=541).contains(&all), "{all}");
    assert_eq!(count_kept(&harness, "nightly report").await.0, 4);
}

#[tokio::test]
async fn a_route_that_always_fails_leaves_room_for_the_failures_of_others() {
    let harness = harness(|builder| builder.trace_ratio(0.0).max_traces_per_second(0));
    let app = app(&harness);
    // More than the burst of the budget for failed traces.
    for _ in 0..30_000 {
        send(&app, get_request("/hot/fails")).await;
    }
    for _ in 0..10 {
        send(&app, get_request("/rare/fails")).await;
    }
    assert!(harness.flush(Duration::from_secs(10)).await);
    let traces = harness.recent_traces();
    let rare = |trace: &&KeptTrace| trace.spans[0].name == "GET /rare/fails";
    assert_eq!(traces.iter().filter(rare).count(), 10);
    assert!(traces.iter().all(|trace| trace.kept == KeepReason::Error));
    let page = harness.page();
    assert!(page.sum("watchpost_traces_over_budget_total", &[]) > 0.0);
}

#[tokio::test]
async fn the_recent_traces_of_a_rare_route_stay_in_memory() {
    let harness = harness(|builder| builder.max_traces_per_second(1_000_000));
    let app = app(&harness);
    for n in 0..20_000 {
        send(&app, get_request("/hot")).await;
        if n % 4000 == 0 {
            send(&app, get_request("/rare")).await;
        }
    }
    let (rare, all) = count_kept(&harness, "GET /rare").await;
    assert_eq!(rare, 5);
    assert!(all < 20_000, "{all} fit");
}
