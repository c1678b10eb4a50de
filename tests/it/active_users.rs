//! The number of active users: from the layer's hook `user`, or from the host.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, StatusCode};
use tower::ServiceExt;
use watchpost::logs::RequestLogs;
use watchpost::testing::Harness;
use watchpost::{ActiveUsers, MonitorBuilder};

const METRIC: &str = "watchpost_users_active";
const MINUTE: Duration = Duration::from_secs(60);

/// A service whose layer takes the user from a header.
fn app(harness: &Harness) -> Router {
    let layer = harness
        .layer()
        .skip(|parts| parts.uri.path() == "/skipped")
        .user(|parts| Some(parts.headers.get("x-user")?.to_str().ok()?.to_owned()));
    Router::new()
        .route("/", get(|| async { "done" }))
        .route("/skipped", get(|| async { "done" }))
        .route(
            "/fails",
            get(|| async { StatusCode::INTERNAL_SERVER_ERROR }),
        )
        .route("/panics", get(panics))
        .route("/hangs", get(std::future::pending::<&str>))
        .route_service("/metrics", harness.prometheus())
        .layer(layer)
}

async fn panics() -> &'static str {
    panic!("on purpose")
}

async fn visit(app: &Router, path: &str, user: &str) {
    let request = Request::get(path).header("x-user", user);
    let request = request.body(Body::empty()).unwrap();
    app.clone().oneshot(request).await.unwrap();
}

/// The gauge for five minutes and for a day; `None` if it is not exposed.
fn shown(harness: &Harness) -> [Option<f64>; 2] {
    let page = harness.page();
    ["5m", "24h"].map(|window| {
        let labels = [("window", window)];
        let mut samples = page.samples(METRIC, &labels);
        samples.next().map(|sample| sample.value)
    })
}

fn active(harness: &Harness) -> [Option<u64>; 2] {
    let ActiveUsers {
        five_minutes, day, ..
    } = harness.active_users();
    assert_eq!(
        shown(harness),
        [five_minutes, day].map(|users| users.map(|users| users as f64))
    );
    [five_minutes, day]
}

#[tokio::test]
async fn distinct_users_are_counted_in_both_windows() {
    let harness = Harness::new();
    let app = app(&harness);
    // Absent, not 0, until there is a user.
    assert_eq!(active(&harness), [None, None]);
    visit(&app, "/", "").await;
    app.clone()
        .oneshot(Request::get("/").body(Body::empty()).unwrap())
        .await
        .unwrap();
    assert_eq!(active(&harness), [None, None]);
    for user in ["ada", "bob", "ada", "eve", "bob"] {
        visit(&app, "/", user).await;
    }
    assert_eq!(active(&harness), [Some(3); 2]);
    harness.advance(3 * MINUTE);
    visit(&app, "/", "zoe").await;
    assert_eq!(active(&harness), [Some(4); 2]);
    harness.advance(3 * MINUTE);
    assert_eq!(active(&harness), [Some(1), Some(4)]);
    harness.advance(3 * MINUTE);
    assert_eq!(active(&harness), [Some(0), Some(4)]);
    harness.advance(25 * 60 * MINUTE);
    assert_eq!(active(&harness), [Some(0), Some(0)]);
}

#[tokio::test]
async fn every_recorded_request_counts_and_no_other() {
    let harness = Harness::new();
    let app = app(&harness);
    visit(&app, "/skipped", "skipped").await;
    visit(&app, "/metrics", "prometheus").await;
    assert_eq!(active(&harness), [None, None]);
    visit(&app, "/fails", "fails").await;
    visit(&app, "/no-such-route", "lost").await;
    let panicking = tokio::spawn({
        let app = app.clone();
        async move { visit(&app, "/panics", "panics").await }
    });
    assert!(panicking.await.unwrap_err().is_panic());
    {
        let hanging = visit(&app, "/hangs", "leaves");
        assert!(futures_util::poll!(Box::pin(hanging)).is_pending());
    }
    assert_eq!(active(&harness), [Some(4); 2]);
}

#[tokio::test]
async fn the_count_needs_no_log_record_and_no_trace() {
    let configured: [(&str, fn(MonitorBuilder) -> MonitorBuilder); 3] = [
        ("no console", |builder| builder.console(false)),
        ("no request logs", |builder| {
            builder.request_logs(RequestLogs::Off)
        }),
        ("errors only", |builder| {
            builder.request_logs(RequestLogs::ErrorsAndSlow)
        }),
    ];
    for (what, configure) in configured {
        let harness = Harness::with(configure);
        let app = app(&harness);
        for user in 0..50 {
            visit(&app, "/", &format!("user-{user}")).await;
        }
        assert_eq!(active(&harness), [Some(50); 2], "{what}");
    }
}

#[tokio::test]
async fn long_ids_with_one_beginning_are_different_users() {
    let harness = Harness::new();
    let app = app(&harness);
    let beginning = "u".repeat(400);
    for user in 0..5 {
        visit(&app, "/", &format!("{beginning}{user}")).await;
    }
    assert_eq!(active(&harness), [Some(5); 2]);
}

#[tokio::test]
async fn a_request_after_one_with_a_user_has_none() {
    let harness = Harness::new();
    let app = app(&harness);
    visit(&app, "/", "ada").await;
    harness.advance(10 * MINUTE);
    for _ in 0..5 {
        let request = Request::get("/").body(Body::empty()).unwrap();
        app.clone().oneshot(request).await.unwrap();
    }
    assert_eq!(active(&harness), [Some(0), Some(1)]);
}

#[tokio::test]
async fn the_hosts_number_is_shown_instead() {
    let harness = Harness::new();
    harness.set_active_users(ActiveUsers::default().five_minutes(120));
    assert_eq!(active(&harness), [Some(120), None]);
    visit(&app(&harness), "/", "ada").await;
    assert_eq!(active(&harness), [Some(120), Some(1)]);
    harness.set_active_users(ActiveUsers::default());
    assert_eq!(active(&harness), [Some(1), Some(1)]);
}

#[test]
fn a_data_directory_keeps_the_key_of_the_hashes() {
    let dir = tempfile::tempdir().unwrap();
    let key = || {
        drop(Harness::with(|builder| builder.data_dir(dir.path())));
        std::fs::read(dir.path().join("users.key")).unwrap()
    };
    let first = key();
    assert_eq!((first.len(), key()), (16, first));
}

#[cfg(feature = "serde")]
#[test]
fn the_numbers_are_serializable() {
    let users = ActiveUsers::default().day(7);
    let json = serde_json::to_value(users).unwrap();
    assert_eq!(json, serde_json::json!({"five_minutes": null, "day": 7}));
}

#[tokio::test]
async fn a_restart_keeps_the_count_of_the_day() {
    let directory = tempfile::tempdir().unwrap();
    for (users, expected) in [(["ada", "bob"], 2), (["bob", "eve"], 3)] {
        let harness = Harness::in_real_time(|builder| builder.data_dir(directory.path()));
        let app = app(&harness);
        for user in users {
            visit(&app, "/", user).await;
        }
        // It restores the users of earlier processes, if that is not done yet, and stores all.
        let report = harness.shutdown(Duration::from_secs(20)).await;
        assert!(report.is_complete());
        assert_eq!(harness.active_users().day, Some(expected));
        assert!(harness.notices().is_empty(), "{:?}", harness.notices());
    }
}
