//! Tests of the service that sends the page.

use std::collections::HashMap;

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::*;
use crate::access::Access;
use crate::model::OwnResponse;

async fn scrape(
    metrics: &Metrics,
    method: Method,
    headers: &[(http::HeaderName, &'static str)],
) -> Response<ExpositionBody> {
    let mut request = Request::new(());
    *request.method_mut() = method;
    for (name, value) in headers {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    metrics.prometheus().oneshot(request).await.unwrap()
}

async fn frames(mut body: ExpositionBody) -> Vec<Bytes> {
    let mut frames = Vec::new();
    while let Some(frame) = body.frame().await {
        frames.push(frame.unwrap().into_data().unwrap());
    }
    frames
}

#[tokio::test]
async fn the_service_responds_to_scrapes_and_marks_its_responses() {
    let MetricsFixture { metrics, .. } = filled();
    let response = scrape(&metrics, Method::GET, &[]).await;
    assert!(response.extensions().get::<OwnResponse>().is_some());
    assert_eq!(
        response.headers()[CONTENT_TYPE],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    let body = frames(response.into_body()).await.concat();
    assert_eq!(body, metrics.render().as_bytes());

    let openmetrics = [
        (ACCEPT, "application/openmetrics-text;version=1.0.0"),
        (ACCEPT_ENCODING, "gzip"),
    ];
    let response = scrape(&metrics, Method::GET, &openmetrics).await;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(response.headers()[CONTENT_TYPE], kind);
    assert_eq!(response.headers()[CONTENT_ENCODING], "gzip");
    let compressed = frames(response.into_body()).await.concat();
    let mut exposition = String::new();
    std::io::Read::read_to_string(
        &mut flate2::read::GzDecoder::new(&compressed[..]),
        &mut exposition,
    )
    .unwrap();
    assert_eq!(exposition, metrics.render_as(ExpositionFormat::OpenMetrics));

    let response = scrape(&metrics, Method::HEAD, &[]).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(frames(response.into_body()).await.is_empty());
    let response = scrape(&metrics, Method::POST, &[]).await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.headers()["allow"], "GET, HEAD");
    assert!(response.extensions().get::<OwnResponse>().is_some());
}

#[tokio::test]
async fn a_restricted_exposition_needs_a_valid_token() {
    let MetricsFixture { metrics, .. } = filled();
    let token = "correct-horse-battery-staple-0123456789";
    let exposition = metrics.prometheus().access(Access::token(token));
    for (shown, status) in [
        (None, StatusCode::UNAUTHORIZED),
        (Some("Bearer wrong".to_owned()), StatusCode::UNAUTHORIZED),
        (Some(format!("Bearer {token}")), StatusCode::OK),
    ] {
        let mut request = Request::new(());
        if let Some(shown) = shown {
            request
                .headers_mut()
                .insert(AUTHORIZATION, shown.parse().unwrap());
        }
        let response = exposition.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status);
        assert!(response.extensions().get::<OwnResponse>().is_some());
        let exposition = frames(response.into_body()).await.concat();
        assert_eq!(
            exposition == metrics.render().as_bytes(),
            status == StatusCode::OK
        );
    }
}

#[tokio::test]
async fn ten_thousand_series_are_sent_in_frames_of_64_kib_while_they_change() {
    let MetricsFixture { metrics, clock, .. } =
        fixture(MetricsConfig::default().max_series(30_000));
    for metric in 0..5 {
        let counter = metrics.counter(&format!("c{metric}")).build();
        let histogram = metrics.histogram(&format!("h{metric}")).build();
        for n in 0..1_000 {
            counter
                .with([("user", format!("{n}")), ("place", "ä".repeat(100))])
                .add(1);
            histogram.with([("user", format!("{n}"))]).record(0.1);
        }
    }
    for encoding in ["identity", "gzip"] {
        let response = scrape(&metrics, Method::GET, &[(ACCEPT_ENCODING, encoding)]).await;
        let all = frames(response.into_body()).await;
        assert!(all.len() > 10, "{}", all.len());
        assert!(
            all.iter()
                .all(|frame| !frame.is_empty() && frame.len() <= 64 * 1024)
        );
    }
    let mut body = scrape(&metrics, Method::GET, &[]).await.into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    metrics.expire();
    clock.advance(2 * HOUR);
    metrics.expire();
    metrics.counter("new").build().add(1);
    let mut exposition = first.to_vec();
    exposition.extend(frames(body).await.concat());
    let exposition = String::from_utf8(exposition).unwrap();
    let mut samples = HashMap::new();
    for line in exposition.lines().filter(|line| !line.starts_with('#')) {
        let (name, _) = line.rsplit_once(' ').unwrap();
        *samples.entry(name).or_insert(0) += 1;
    }
    assert!(samples.len() >= 1000 && samples.values().all(|times| *times == 1));
}

#[test]
fn a_series_larger_than_a_frame_is_split() {
    let MetricsFixture { metrics, .. } = registry();
    let bounds = (0..128).map(f64::from);
    let labels = (0..16).map(|n| (format!("label_{n}_{}", "k".repeat(100)), "\\".repeat(256)));
    let histogram = metrics.histogram("large").bounds(bounds).build();
    histogram.with(labels).record(1.0);
    let mut exposition = Exposition::new(&metrics.registry, ExpositionFormat::Text);
    let mut bytes = 0;
    while let Some(frame) = exposition.next_frame() {
        assert!(frame.len() <= 64 * 1024);
        bytes += frame.len();
    }
    assert!(bytes > 1_000_000 && exposition.is_at_end());
}
