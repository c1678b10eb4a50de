//! What a request adds to the metrics page, and how the page's histograms are set.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use axum::routing::get;
use watchpost::Monitor;
use watchpost::testing::{Harness, Page};

use crate::support::{get_request, send};

const DURATION: &str = "http_server_request_duration_seconds";
const TO_HEADERS: &str = "watchpost_http_time_to_headers_seconds";
const RESPONSE: &str = "http_server_response_body_size_bytes";
const REQUEST: &str = "http_server_request_body_size_bytes";

fn app(harness: &Harness) -> Router {
    let failing = || async { StatusCode::INTERNAL_SERVER_ERROR };
    Router::new()
        .route(
            "/a/{id}",
            get(|| async { "12345" }).post(move |_: String| failing()),
        )
        .route("/b", get(|| async { StatusCode::NOT_FOUND }))
        .layer(harness.layer())
}

fn post_request(path: &str) -> Request<Body> {
    let request = Request::post(path).header(header::CONTENT_LENGTH, 3);
    request.body(Body::from("abc")).unwrap()
}

async fn visited(harness: &Harness) -> Page {
    let app = app(harness);
    for request in [
        get_request("/a/1"),
        get_request("/a/2"),
        post_request("/a/1"),
        get_request("/b"),
        post_request("/b"),
    ] {
        send(&app, request).await;
    }
    harness.page()
}

/// The label names of all samples of a histogram, and its bounds.
fn form(page: &Page, family: &str) -> (BTreeSet<String>, Vec<String>) {
    let name = format!("{family}_bucket");
    let mut names = BTreeSet::new();
    let mut bounds = Vec::new();
    for sample in page.samples(&name, &[]) {
        names.extend(sample.labels.keys().cloned());
        let bound = &sample.labels["le"];
        if !bounds.contains(bound) {
            bounds.push(bound.clone());
        }
    }
    names.remove("le");
    (names, bounds)
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn durations_have_the_conventions_labels_and_the_rest_has_few() {
    let harness = Harness::new();
    let page = visited(&harness).await;
    let (labels, bounds) = form(&page, DURATION);
    let conventions = [
        "error_type",
        "http_request_method",
        "http_response_status_code",
        "http_route",
        "network_protocol_version",
        "url_scheme",
        "watchpost_outcome",
    ];
    assert_eq!(labels, names(&conventions));
    assert!(bounds[0].parse::<f64>().unwrap() <= 0.001, "{bounds:?}");
    let (labels, of_headers) = form(&page, TO_HEADERS);
    assert_eq!(labels, names(&["http_request_method", "http_route"]));
    assert_eq!(of_headers, bounds);
    for sizes in [RESPONSE, REQUEST] {
        let (labels, bounds) = form(&page, sizes);
        let few = ["http_request_method", "http_route", "url_scheme"];
        assert_eq!(labels, names(&few), "{sizes}");
        assert_eq!(bounds, ["+Inf"], "{sizes}");
    }
    // Statuses of one route and method share a series, and a method without bodies has none of them.
    let of_b = [("http_route", "/b"), ("http_request_method", "GET")];
    let count = |family: &str| page.sum(&format!("{family}_count"), &of_b);
    let all = [DURATION, TO_HEADERS, RESPONSE, REQUEST];
    assert_eq!(all.map(count), [1.0, 1.0, 1.0, 0.0]);
    assert_eq!(page.sum(&format!("{REQUEST}_sum"), &[]), 6.0);
    assert_eq!(page.samples(&format!("{REQUEST}_count"), &[]).count(), 2);
}

#[tokio::test]
async fn a_histogram_is_switched_off_or_given_bounds_by_name_in_code_and_in_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("watchpost.toml");
    let text = "[metrics.histograms]\nhttp_server_response_body_size_bytes = [10, 100]\nhttp.server.request.body.size = 'off'\n";
    std::fs::write(&file, text).unwrap();
    let harness = Harness::with(|builder| {
        builder
            .file(file)
            .histogram_bounds("http.server.request.duration", [0.5, 0.25])
            .histogram_off("watchpost.http.time_to_headers")
    });
    let page = visited(&harness).await;
    let bounds = |family| form(&page, family).1;
    assert_eq!(bounds(DURATION), ["0.25", "0.5", "+Inf"]);
    assert_eq!(bounds(RESPONSE), ["10", "100", "+Inf"]);
    assert!(bounds(TO_HEADERS).is_empty() && bounds(REQUEST).is_empty());
    assert_eq!(page.sum(&format!("{DURATION}_count"), &[]), 5.0);
    let text = harness.metrics().render();
    assert!(!text.contains("time_to_headers") && !text.contains("request_body_size"));
}

#[test]
fn a_bad_bound_or_name_is_reported_with_every_other_problem() {
    let built = Monitor::builder("page")
        .env(false)
        .histogram_bounds("a", [1.0, f64::NAN])
        .histogram_bounds("b", [])
        .histogram_off("c,d")
        .trace_rule("/x", f64::NAN)
        .slow_trace(Duration::MAX)
        .build();
    let problems = built.unwrap_err().problems().to_vec();
    assert_eq!(problems.len(), 5, "{problems:?}");
}

#[test]
fn a_duration_in_code_keeps_what_is_below_a_millisecond() {
    let monitor = Monitor::builder("page").env(false);
    let monitor = monitor.slow_trace(Duration::from_micros(500)).build();
    let monitor = monitor.unwrap();
    assert_eq!(monitor.settings().value("trace.slow"), Some("\"500us\""));
}

#[tokio::test]
async fn the_doctor_names_histograms_that_are_set_and_do_not_exist() {
    let harness = Harness::with(|builder| {
        builder
            .histogram_off("http.server.request.durations")
            .histogram_off("http.server.request.duration")
            .histogram_bounds("watchpost_http_time_to_headers_seconds", [1.0])
            .histogram_off("http.server.active_requests")
    });
    visited(&harness).await;
    let findings = harness.doctor();
    let mut of_histograms = findings.iter().filter(|it| it.about == "histogram");
    let sentence = &of_histograms.next().unwrap().sentence;
    let unknown = "`http.server.request.durations`, `http.server.active_requests`";
    assert!(sentence.contains(unknown), "{sentence}");
    assert!(
        Harness::new()
            .doctor()
            .iter()
            .all(|it| it.about != "histogram")
    );
}

#[tokio::test]
async fn a_called_url_with_a_port_that_is_none_has_no_server() {
    let harness = Harness::new();
    let service = harness.external("peer");
    for url in [
        "http://example.com:65536/",
        "http://example.com:99999/",
        "http://[::1]:4294967376/",
        "http://example.com:8o/",
        "http:///",
        "http://example.com:8080/",
    ] {
        service.call("GET", url).status(200).finish();
    }
    let page = harness.page();
    let count = "http_client_request_duration_seconds_count";
    assert_eq!(page.sum(count, &[]), 6.0);
    assert_eq!(page.sum(count, &[("server_port", "8080")]), 1.0);
    let with_port = page
        .samples(count, &[])
        .filter(|it| it.labels.contains_key("server_port"));
    assert_eq!(with_port.count(), 1);
}
