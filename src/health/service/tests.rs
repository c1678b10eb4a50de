use std::collections::HashSet;
use std::time::Duration;

use http::header::AUTHORIZATION;

use super::super::ComponentStatus;
use super::super::test_support::{Fixture, get, send};
use super::*;
use http::HeaderMap;

const TOKEN: &str = "9f86d081884c7d659a2feaa0c55ad015";

fn with_token(token: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
    headers
}

#[test]
fn every_endpoint_responds_to_every_method() {
    let fixture = Fixture::new();
    let health = &fixture.health;
    let details = || health.details(Access::token(TOKEN));
    for (page, status, kind, text) in [
        (health.livez(), 200, &TEXT, "ok"),
        (health.readyz(), 200, &TEXT, "ok"),
        (details(), 200, &JSON, r#"{"status":"pass"}"#),
    ] {
        for method in [
            "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "BREW",
        ] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let (response, body) = send(&page, &method, &HeaderMap::new());
            let headers = response.headers();
            let header = |name| headers.get(name).map(|value| value.to_str().unwrap());
            let read = method == Method::GET || method == Method::HEAD;
            assert_eq!(
                response.status(),
                if read { status } else { 405 },
                "{method}"
            );
            assert_eq!(header("allow"), (!read).then_some("GET, HEAD"));
            assert_eq!(header("cache-control"), Some("no-store"));
            assert_eq!(header("x-content-type-options"), Some("nosniff"));
            assert!(response.extensions().get::<OwnResponse>().is_some());
            if read {
                assert_eq!(headers.get(CONTENT_TYPE), Some(kind));
                assert_eq!(header("content-length"), Some(&*text.len().to_string()));
                assert_eq!(body, if method == Method::GET { text } else { "" });
            }
        }
    }
}

#[test]
fn details_are_for_clients_with_access() {
    let fixture = Fixture::new();
    fixture
        .health
        .check("a \"b\"\n", || async {
            Err::<(), _>("line\nbreak \u{2028} \"quoted\"")
        })
        .component_type("datastore");
    fixture.health.set_components(|each| {
        each(
            "worker",
            ComponentStatus::worker(true, Duration::from_millis(500)),
        );
        each(
            "sink console",
            ComponentStatus::sink(Some(Duration::from_secs(400)), None, None),
        );
    });
    fixture.wait_ready("not ready");
    let page = fixture.health.details(Access::token(TOKEN));
    for headers in [
        HeaderMap::new(),
        with_token("wrong"),
        with_token(&TOKEN[..31]),
    ] {
        let (response, body) = send(&page, &Method::GET, &headers);
        assert_eq!(
            (response.status().as_u16(), &*body),
            (503, r#"{"status":"fail"}"#)
        );
    }
    let (response, body) = send(&page, &Method::GET, &with_token(TOKEN));
    assert_eq!(response.status(), 503);
    assert!(!body.contains('\n'));
    let json: serde_json::Value = serde_json::from_str(&body).unwrap();
    for (key, value) in [
        ("status", "fail"),
        ("version", "1"),
        ("releaseId", "1.4.2"),
        ("serviceId", "shop"),
        ("output", "not ready"),
    ] {
        assert_eq!(json[key], value, "{body}");
    }
    let check = &json["checks"]["a \"b\"\n"][0];
    assert_eq!(check["componentType"], "datastore");
    assert_eq!(check["status"], "fail");
    assert_eq!(check["output"], "line\nbreak \u{2028} \"quoted\"");
    assert_eq!(check["observedUnit"], "ms");
    assert!(check["observedValue"].as_f64().unwrap() >= 0.0);
    let time = check["time"].as_str().unwrap();
    assert!(
        time.starts_with("20") && time.ends_with('Z') && time.len() == 24,
        "{time}"
    );
    let worker = &json["checks"]["worker"][0];
    assert_eq!(
        (&worker["status"], &worker["observedValue"]),
        (&"pass".into(), &0.5.into())
    );
    assert!(worker.get("output").is_none());
    let sink = &json["checks"]["sink console"][0];
    assert_eq!(
        (&sink["status"], &sink["componentType"]),
        (&"warn".into(), &"system".into())
    );
    let keys: HashSet<&str> = check
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let known = [
        "componentType",
        "status",
        "output",
        "time",
        "observedValue",
        "observedUnit",
    ];
    assert_eq!(keys, HashSet::from(known));
}

#[test]
fn a_faulty_component_is_a_warning_and_leaves_the_service_ready() {
    let fixture = Fixture::new();
    fixture
        .health
        .set_components(|each| each("worker", ComponentStatus::worker(false, Duration::ZERO)));
    assert_eq!(fixture.ready(), "ok");
    let page = fixture.health.details(Access::open_to_anyone());
    assert!(
        get(&page)
            .1
            .starts_with(r#"{"status":"warn","version":"1","#)
    );
    assert_eq!(get(&page).0, 200);
}

#[test]
fn a_draining_service_is_not_ready_and_alive() {
    let fixture = Fixture::new();
    fixture.health.set_draining(true);
    assert_eq!(get(&fixture.health.readyz()), (503, "draining".to_owned()));
    assert_eq!(get(&fixture.health.livez()), (200, "ok".to_owned()));
    let page = fixture.health.details(Access::token(TOKEN));
    assert_eq!(get(&page), (503, r#"{"status":"fail"}"#.to_owned()));
    fixture.health.set_draining(false);
    assert_eq!(get(&fixture.health.readyz()), (200, "ok".to_owned()));
}

#[test]
fn a_missing_token_is_generated_and_announced() {
    let fixture = Fixture::new();
    let page = fixture.health.details(Access::token_env("WATCHPOST_TOKEN"));
    let announced = fixture.announced.lock().unwrap();
    let (_, rest) = announced[0].split_once("the token is ").unwrap();
    let token = rest.trim_end();
    assert!(!fixture.diagnostics.notices()[0].contains(token));
    let (_, body) = send(&page, &Method::GET, &with_token(token));
    assert!(body.contains("serviceId"), "{body}");
    assert_eq!(get(&page).1, r#"{"status":"pass"}"#);
}

#[test]
fn the_check_of_the_disk_is_in_the_document() {
    let fixture = Fixture::new();
    let directory = tempfile::tempdir().unwrap();
    fixture.health.check_disk(
        directory.path().to_owned(),
        &std::sync::Arc::new(crate::system::SystemReader::new(
            crate::clock::Clock::system(),
            None,
        )),
    );
    let page = fixture.health.details(Access::open_to_anyone());
    let disk = || -> serde_json::Value {
        let json: serde_json::Value = serde_json::from_str(&get(&page).1).unwrap();
        json["checks"]["disk"][0].clone()
    };
    super::super::test_support::until("the disk is checked", || disk()["time"].is_string());
    assert_ne!(disk()["status"], "fail", "{}", disk());
    assert_eq!(fixture.ready(), "ok");
}
