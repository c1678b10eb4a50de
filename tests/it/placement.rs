//! Places of the endpoint layer: around nested services, twice around a route, and a wrong place.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use axum::routing::get;
use tower::Layer;
use watchpost::testing::{Harness, Page};

use crate::support::{get_request, json_lines, send};

const COUNT: &str = "http_server_request_duration_seconds_count";

/// The route, status and request count of every series.
fn counts(page: &Page) -> Vec<(String, String, f64)> {
    let mut counts: Vec<_> = page
        .samples(COUNT, &[])
        .map(|sample| {
            let label = |key: &str| sample.labels.get(key).cloned().unwrap_or_default();
            (
                label("http_route"),
                label("http_response_status_code"),
                sample.value,
            )
        })
        .collect();
    counts.sort_by(|one, other| one.partial_cmp(other).unwrap());
    counts
}

fn count(route: &str, status: &str, count: f64) -> (String, String, f64) {
    (route.to_owned(), status.to_owned(), count)
}

/// Like a file service that has one file.
async fn files(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let mut response = Response::new(Body::from("file"));
    if !request.uri().path().ends_with("/a.css") {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    Ok(response)
}

#[tokio::test]
async fn a_nested_service_has_its_pattern_as_route() {
    let harness = Harness::new();
    let service = || tower::service_fn(files);
    let inner = Router::new().nest_service("/deep", service());
    let app = Router::new()
        .route("/users/{id}", get(|| async { "user" }))
        .nest_service("/static", service())
        .nest_service("/tenants/{tenant}/files", service())
        .nest("/api", inner)
        .nest_service(
            "/routed",
            Router::new().route("/users/{id}", get(|| async { "user" })),
        )
        .layer(harness.layer());
    for path in [
        "/static/a.css",
        "/static/css/a.css",
        "/static/missing",
        "/tenants/acme/files/a.css",
        "/tenants/zenith/files/a.css",
        "/api/deep/a.css",
        "/routed/users/7",
        "/users/7",
        "/wp-login.php",
        "/static.php",
        "/",
    ] {
        send(&app, get_request(path)).await;
    }
    assert_eq!(
        counts(&harness.page()),
        [
            count("/api/deep/*", "200", 1.0),
            count("/routed/*", "200", 1.0),
            count("/static/*", "200", 2.0),
            count("/static/*", "404", 1.0),
            count("/tenants/{tenant}/files/*", "200", 2.0),
            count("/users/{id}", "200", 1.0),
            count("_unmatched", "404", 3.0),
        ]
    );
    let lines = json_lines(&harness);
    assert_eq!(lines[0]["http.route"], "/static/*");
    assert_eq!(lines[0]["url.path"], "/static/a.css");
}

#[tokio::test]
async fn a_hook_takes_precedence_for_nested_services() {
    let harness = Harness::new();
    let hook = |parts: &http::request::Parts| {
        (parts.uri.path() == "/static/a.css").then(|| "styles".into())
    };
    let app = Router::new()
        .nest_service("/static", tower::service_fn(files))
        .layer(harness.layer().route(hook));
    for path in ["/static/a.css", "/static/b/a.css", "/nowhere"] {
        send(&app, get_request(path)).await;
    }
    assert_eq!(
        counts(&harness.page()),
        [
            count("/static/*", "200", 1.0),
            count("_unmatched", "404", 1.0),
            count("styles", "200", 1.0),
        ]
    );
}

/// An extension whose `clone` panics.
#[derive(Debug)]
struct NoCopy;

impl Clone for NoCopy {
    fn clone(&self) -> Self {
        std::panic::resume_unwind(Box::new("planned"))
    }
}

#[tokio::test]
async fn an_extension_whose_clone_panics_hurts_no_request() {
    let harness = Harness::new();
    let app = Router::new()
        .nest_service("/static", tower::service_fn(files))
        .layer(harness.layer());
    let mut request = get_request("/static/a.css");
    request.extensions_mut().insert(NoCopy);
    assert_eq!(send(&app, request).await.body, "file");
    assert_eq!(counts(&harness.page()), [count("_unmatched", "200", 1.0)]);
}

#[tokio::test]
async fn a_layer_inside_of_another_does_not_record_requests() {
    let harness = Harness::new();
    let layer = || harness.layer();
    let users = || Router::new().route("/users/{id}", get(|| async { "user" }));
    let by_hand = layer().layer(tower::service_fn(files));
    // Each with the requested path.
    let cases: [(Router, &str); 5] = [
        (users().layer(layer()).layer(layer()), "/users/7"),
        (
            Router::new().merge(users().layer(layer())).layer(layer()),
            "/users/7",
        ),
        (
            Router::new()
                .nest("/api", users().layer(layer()))
                .layer(layer()),
            "/api/users/7",
        ),
        (
            Router::new()
                .nest_service("/api", users().layer(layer()))
                .layer(layer()),
            "/api/users/7",
        ),
        (
            Router::new()
                .nest_service("/static", by_hand)
                .layer(layer().user(|_| Some("u1".to_owned()))),
            "/static/a.css",
        ),
    ];
    for (app, path) in cases {
        for _ in 0..3 {
            assert_eq!(send(&app, get_request(path)).await.status, 200);
        }
    }
    let page = harness.page();
    assert_eq!(page.sum(COUNT, &[]), 15.0, "{:#?}", counts(&page));
    assert_eq!(page.sum(COUNT, &[("http_route", "/users/{id}")]), 6.0);
    assert_eq!(page.sum(COUNT, &[("http_route", "/api/users/{id}")]), 6.0);
    assert_eq!(page.sum(COUNT, &[("http_route", "/static/*")]), 3.0);
    // The notice is written as well.
    assert_eq!(json_lines(&harness).len(), 15 + 1);
    let twice = |notice: &&String| notice.contains("stands twice");
    assert_eq!(harness.notices().iter().filter(twice).count(), 1);
    let active = page.samples("http_server_active_requests", &[]);
    assert!(active.into_iter().all(|sample| sample.value == 0.0));
}

#[tokio::test]
async fn a_request_made_by_a_handler_is_recorded_separately() {
    let harness = Harness::new();
    let inner = Router::new()
        .route("/users/{id}", get(|| async { "user" }))
        .layer(harness.layer());
    let batch = move || {
        let inner = inner.clone();
        async move {
            for path in ["/users/1", "/users/2"] {
                send(&inner, get_request(path)).await;
            }
            "done"
        }
    };
    let app = Router::new()
        .route("/batch", get(batch))
        .layer(harness.layer());
    for _ in 0..3 {
        send(&app, get_request("/batch")).await;
    }
    assert_eq!(
        counts(&harness.page()),
        [
            count("/batch", "200", 3.0),
            count("/users/{id}", "200", 6.0)
        ]
    );
    assert!(harness.notices().iter().all(|it| !it.contains("twice")));
}

#[tokio::test]
async fn two_monitors_record_one_route_independently() {
    let (one, two) = (Harness::new(), Harness::new());
    let app = Router::new()
        .route("/users/{id}", get(|| async { "user" }))
        .layer(one.layer())
        .layer(two.layer())
        .layer(one.layer());
    for _ in 0..3 {
        send(&app, get_request("/users/7")).await;
    }
    for harness in [&one, &two] {
        assert_eq!(counts(&harness.page()), [count("/users/{id}", "200", 3.0)]);
    }
}

#[tokio::test]
async fn a_request_inside_of_a_span_is_recorded() {
    let harness = Harness::new();
    let app = Router::new()
        .route("/users/{id}", get(|| async { "user" }))
        .layer(harness.layer());
    harness
        .span("job")
        .run(async { send(&app, get_request("/users/7")).await })
        .await;
    assert_eq!(counts(&harness.page()), [count("/users/{id}", "200", 1.0)]);
}

#[tokio::test]
async fn a_skipped_request_can_be_recorded_by_an_inner_layer() {
    let harness = Harness::new();
    let app = Router::new()
        .route("/users/{id}", get(|| async { "user" }))
        .layer(harness.layer())
        .layer(harness.layer().skip(|_| true));
    send(&app, get_request("/users/7")).await;
    assert_eq!(counts(&harness.page()), [count("/users/{id}", "200", 1.0)]);
}
