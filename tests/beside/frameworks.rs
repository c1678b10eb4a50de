//! The endpoint layer around services of other frameworks.

use axum_07::Router;
use axum_07::body::Body;
use axum_07::extract::MatchedPath;
use axum_07::routing::get;
use http::Request;
use tower::ServiceExt as _;
use watchpost::Monitor;

use crate::cases::Case;
use crate::support::{block_on, builder};

pub(crate) const CASES: [Case; 2] = [
    Case::new("frameworks_axum_07_alone", axum_07_alone),
    Case::new(
        "frameworks_axum_07_with_a_route_hook",
        axum_07_with_a_route_hook,
    ),
];

fn visit(app: &Router, times: usize) {
    block_on(async {
        for n in 0..times {
            let request = Request::get(format!("/users/{n}"));
            let response = app
                .clone()
                .oneshot(request.body(Body::empty()).unwrap())
                .await
                .unwrap();
            assert!(response.headers().contains_key("x-trace-id"));
            axum_07::body::to_bytes(response.into_body(), 100)
                .await
                .unwrap();
        }
    });
}

fn routes() -> Router {
    Router::new().route("/users/:id", get(|| async { "a user" }))
}

fn findings(monitor: &Monitor) -> Vec<String> {
    let all = monitor.doctor().into_iter();
    all.filter(|finding| finding.about == "route")
        .map(|finding| finding.sentence)
        .collect()
}

fn count(monitor: &Monitor, route: &str) -> usize {
    let page = monitor.metrics().render();
    let name = "http_server_request_duration_seconds_count{";
    let route = format!("http_route=\"{route}\"");
    let mut lines = page
        .lines()
        .filter(|line| line.starts_with(name) && line.contains(&route));
    lines
        .next()
        .map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

/// The `MatchedPath` of axum 0.7 is unknown to this crate: a finding reports that, with the code to add.
fn axum_07_alone() {
    let (builder, _written) = builder();
    let monitor = builder.build().unwrap();
    let app = routes().layer(monitor.layer());
    visit(&app, 100);
    assert_eq!(count(&monitor, "_unmatched"), 100);
    let found = findings(&monitor);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("another version of axum"), "{found:?}");
    assert!(
        found[0].contains("MatchedPath") && found[0].contains(".route("),
        "{found:?}"
    );
}

/// The code that the finding recommends.
fn axum_07_with_a_route_hook() {
    let (builder, _written) = builder();
    let monitor = builder.build().unwrap();
    let layer = monitor.layer().route(|parts| {
        let path = parts.extensions.get::<MatchedPath>();
        path.map(|path| path.as_str().to_owned().into())
    });
    let app = routes().layer(layer);
    visit(&app, 100);
    assert_eq!(count(&monitor, "/users/:id"), 100);
    assert_eq!(findings(&monitor), Vec::<String>::new());
}
