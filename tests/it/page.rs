//! The metrics of a request on the page, and the settings of histograms.

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

/// The label names and bounds of a histogram.
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
async fn durations_have_the_labels_of_the_conventions_and_sizes_fewer() {
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
    // The statuses of one route and method share a series, and a method without bodies has no series of sizes.
    let of_b = [("http_route", "/b"), ("http_request_method", "GET")];
    let count = |family: &str| page.sum(&format!("{family}_count"), &of_b);
    let all = [DURATION, TO_HEADERS, RESPONSE, REQUEST];
    assert_eq!(all.map(count), [1.0, 1.0, 1.0, 0.0]);
    assert_eq!(page.sum(&format!("{REQUEST}_sum"), &[]), 6.0);
    assert_eq!(page.samples(&format!("{REQUEST}_count"), &[]).count(), 2);
}

#[tokio::test]
async fn histograms_are_configured_by_name_in_code_and_in_a_file() {
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
        .slow_trace_threshold(Duration::MAX)
        .build();
    let problems = built.unwrap_err().problems().to_vec();
    assert_eq!(problems.len(), 5, "{problems:?}");
}

#[test]
fn a_duration_set_in_code_keeps_microseconds() {
    let monitor = Monitor::builder("page").env(false);
    let monitor = monitor
        .slow_trace_threshold(Duration::from_micros(500))
        .build();
    let monitor = monitor.unwrap();
    assert_eq!(monitor.settings().value("trace.slow"), Some("\"500us\""));
}

#[tokio::test]
async fn the_doctor_reports_settings_of_unknown_histograms() {
    let harness = Harness::with(|builder| {
        builder
            .histogram_off("http.server.request.durations")
            .histogram_off("http.server.request.duration")
            .histogram_bounds("watchpost_http_time_to_headers_seconds", [1.0])
            .histogram_off("http.server.active_requests")
    });
    visited(&harness).await;
    let sentences = about_histograms(&harness);
    let [sentence] = &sentences[..] else {
        panic!("{sentences:?}");
    };
    let unknown = "`http.server.request.durations` (the nearest is `http.server.request.duration`), `http.server.active_requests`";
    assert!(sentence.contains(unknown), "{sentence}");
    assert!(about_histograms(&Harness::new()).is_empty());
}

fn about_histograms(harness: &Harness) -> Vec<String> {
    let findings = harness.doctor().into_iter();
    let findings = findings.filter(|it| it.about == "histogram");
    findings.map(|it| it.sentence).collect()
}

#[test]
fn an_unknown_histogram_name_of_this_crate_is_reported_at_once() {
    for (name, near) in [
        (
            "http.server.request.duratoin",
            "http.server.request.duration",
        ),
        (
            "http_server_request_duration",
            "http.server.request.duration",
        ),
        (
            "http_server_request_duration_second",
            "http_server_request_duration_seconds",
        ),
        (
            "db.client.operations.duration",
            "db.client.operation.duration",
        ),
        (
            "watchpost.http.time_to_header",
            "watchpost.http.time_to_headers",
        ),
        (
            "watchpost_request_db_duration",
            "watchpost.request.db_duration",
        ),
        (
            "Http.Server.Request.Duration",
            "http.server.request.duration",
        ),
        ("gen_ai.client.token.usages", "gen_ai.client.token.usage"),
    ] {
        let harness = Harness::with(|builder| builder.histogram_off(name));
        let sentences = about_histograms(&harness);
        let expected = format!("`{name}` (the nearest is `{near}`)");
        assert_eq!(sentences.len(), 1, "{name}: {sentences:?}");
        assert!(sentences[0].contains(&expected), "{name}: {sentences:?}");
    }
}

#[test]
fn a_histogram_that_is_created_later_is_not_reported() {
    for name in [
        "http.server.request.duration",
        "http_client_request_duration_seconds",
        "db.client.operation.duration",
        "db_client_connection_wait_time_seconds",
        "watchpost_request_db_duration_seconds",
        "watchpost.http.connection.duration",
        "gen_ai.client.token.usage",
    ] {
        let harness = Harness::with(|builder| builder.histogram_off(name));
        harness.advance(Duration::from_secs(3600));
        assert!(about_histograms(&harness).is_empty(), "{name}");
    }
}

#[test]
fn an_unknown_histogram_name_of_the_host_is_reported_when_asked() {
    for (name, expected) in [
        ("my_h", "names `my_h` (the nearest is `my.h`), and"),
        (
            "my_h_second",
            "names `my_h_second` (the nearest is `my_h_seconds`), and",
        ),
        ("MY.H", "names `MY.H` (the nearest is `my.h`), and"),
        ("orders", "names `orders`, and"),
        ("a_counter", "names `a_counter`, and"),
    ] {
        let harness = Harness::with(|builder| builder.histogram_off(name));
        harness.metrics().histogram("my.h").unit("s").build();
        harness.metrics().counter("a_counter").build();
        let sentences = about_histograms(&harness);
        assert_eq!(sentences.len(), 1, "{name}: {sentences:?}");
        assert!(sentences[0].contains(expected), "{name}: {sentences:?}");
        // Once such a histogram exists, the finding is gone.
        harness.metrics().histogram("orders").build();
        assert_eq!(about_histograms(&harness).is_empty(), name == "orders");
    }
    let many = Harness::with(|builder| {
        (0..30).fold(builder, |builder, n| {
            builder.histogram_off(format!("watchpost.x{n}"))
        })
    });
    let sentences = about_histograms(&many);
    assert!(
        sentences[0].contains("`watchpost.x7` and 22 more"),
        "{sentences:?}"
    );
}

/// The histogram `my.h` (unit s) on the page for each pair of settings.
#[test]
fn a_later_source_wins_under_either_name_of_a_histogram() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("watchpost.toml");
    let mut wrong = Vec::new();
    let names = ["my.h", "my_h_seconds"];
    for (first, second) in [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(a, b)| (names[a], names[b])) {
        let values = ["\"off\"", "[0.3]", "\"default\""];
        for (early, late) in [(0, 1), (1, 0), (1, 2), (0, 2)] {
            let expected = ["off", "0.3", "default"][late];
            // Code cannot set the default.
            let call = |builder: watchpost::MonitorBuilder, name: &str, value: usize| match value {
                0 => builder.histogram_off(name),
                _ => builder.histogram_bounds(name, [0.3]),
            };
            let code_after_file = || {
                let toml = format!("[metrics.histograms]\n\"{first}\" = {}\n", values[early]);
                std::fs::write(&path, toml).unwrap();
                Harness::with(|builder| call(builder.file(&path), second, late))
            };
            let code_after_code =
                || Harness::with(|builder| call(call(builder, first, early), second, late));
            let twice_in_file = || {
                let toml = format!(
                    "[metrics.histograms]\n\"{first}\" = {}\n\"{second}\" = {}\n",
                    values[early], values[late]
                );
                std::fs::write(&path, toml).unwrap();
                Harness::with(|builder| builder.file(&path))
            };
            let mut check = |source: &str, harness: Harness| {
                let got = shown_as(&harness);
                if got != expected {
                    wrong.push(format!(
                        "{source}: {first} = {early}, {second} = {late}: {got}"
                    ));
                }
            };
            if late != 2 {
                check("file, code", code_after_file());
                check("code, code", code_after_code());
            }
            // TOML rejects duplicate keys.
            if first != second {
                check("file twice", twice_in_file());
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn shown_as(harness: &Harness) -> &'static str {
    let histogram = harness.metrics().histogram("my.h").unit("s").build();
    histogram.record(0.2);
    let page = harness.page();
    match page.samples("my_h_seconds_bucket", &[]).count() {
        0 => "off",
        2 => "0.3",
        _ => "default",
    }
}

#[tokio::test]
async fn a_call_to_an_invalid_port_has_no_server_address() {
    let harness = Harness::new();
    let service = harness.external("peer");
    for url in [
        "http://example.com:65536/",
        "http://example.com:99999/",
        "http://[::1]:4294967376/",
        "http://example.com:8o/",
        "http://example.com:0/",
        "http://[::1]:0/",
        "http://example.com:00000",
        "http://[::1]:99999/",
        "http://example.com:-1/",
        "http:///",
        "http://example.com:8080/",
    ] {
        service.call("GET", url).status(200).finish();
    }
    let page = harness.page();
    let count = "http_client_request_duration_seconds_count";
    assert_eq!(page.sum(count, &[]), 11.0);
    assert_eq!(page.sum(count, &[("server_port", "8080")]), 1.0);
    let with_port = page
        .samples(count, &[])
        .filter(|it| it.labels.contains_key("server_port"));
    assert_eq!(with_port.count(), 1);
}

#[tokio::test]
async fn a_call_to_an_invalid_port_is_reported_once_per_service() {
    for (url, is_reported) in [
        ("http://example.com:0/x", true),
        ("http://example.com:000", true),
        ("http://example.com:65536/x", true),
        ("http://u:p@example.com:70000?q", true),
        ("http://[::1]:99999/x", true),
        ("http://[::1]:0", true),
        ("http://example.com:8a/x", true),
        ("http://example.com:80:80/x", true),
        ("http://example.com:+80/x", true),
        ("http://example.com:\u{664}/x", true),
        ("http://example.com:/x", false),
        ("http://example.com:65535/x", false),
        ("http://[::1]/x", false),
        ("http://[::1]:8080/x", false),
        ("http://u:70000@example.com/x", false),
        ("http://example.com/x:99999", false),
        ("http://example.com?x=http://b:0/", false),
        ("/x", false),
        ("/x:0", false),
        ("example.com:0", false),
        ("http:///", false),
        ("", false),
    ] {
        let harness = Harness::new();
        for service in ["pay", "mail"] {
            for _ in 0..3 {
                harness.external(service).call("GET", url).finish();
            }
        }
        let notices = harness.notices();
        let about = |service: &str| {
            let start = format!(
                "A URL of the service `{service}` has a port that is not a number from 1 to 65535"
            );
            notices.iter().filter(|it| it.starts_with(&start)).count()
        };
        let expected = usize::from(is_reported);
        assert_eq!(
            (about("pay"), about("mail")),
            (expected, expected),
            "{url}: {notices:?}"
        );
        let page = harness.page();
        let count = "http_client_request_duration_seconds_count";
        assert_eq!(page.sum(count, &[("server_port", "0")]), 0.0, "{url}");
        if is_reported {
            assert_eq!(page.sum(count, &[("server_port", "80")]), 0.0, "{url}");
        }
    }
    // Services are bounded, and so are the notices.
    let harness = Harness::new();
    for n in 0..1000 {
        harness
            .external(format!("s{n}"))
            .call("GET", "http://a:0/")
            .finish();
    }
    let notices = harness.notices();
    let ports = notices.iter().filter(|it| it.contains("has a port"));
    assert_eq!(ports.count(), 65, "64 services and `_other`");
}
