//! Anomalies and bands of normal values on the dashboard.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::json;
use tower::ServiceExt;
use watchpost::testing::Harness;

use crate::dashboard_host::{Host, TOKEN, shop};

/// A step of ten seconds with so many requests.
async fn step(harness: &Harness, app: &Router, requests: u32) {
    for _ in 0..requests {
        let request = Request::get("/orders/7").body(Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        // The request ends with its body.
        axum::body::to_bytes(response.into_body(), 100)
            .await
            .unwrap();
    }
    harness.advance(Duration::from_secs(10));
    harness.snapshot();
}

#[test]
fn what_is_odd_is_shown_with_the_band_of_what_was_normal() {
    let host = Host::of(Harness::with(|builder| builder.access_token(TOKEN)), shop);
    let app = shop(&host.harness).layer(host.harness.layer());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        for n in 0..400 {
            step(&host.harness, &app, 4 + n % 3).await;
        }
        for _ in 0..30 {
            step(&host.harness, &app, 40).await;
        }
    });
    let token = format!("Bearer {TOKEN}");
    let answer = host.get("data/v1/overview?range=1h", &[("authorization", &token)]);
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let overview = answer.json();
    let sections = &overview["sections"];
    let anomalies = sections["anomalies"].as_array().unwrap();
    let requests = anomalies
        .iter()
        .find(|it| it["signal"] == "requests")
        .unwrap();
    assert_eq!(requests["to"], json!(null));
    assert!(
        requests["text"]
            .as_str()
            .unwrap()
            .starts_with("requests stays at 4 a second, usually around "),
        "{requests}"
    );
    // 40 in ten seconds.
    assert_eq!(requests["value"], 4.0, "{requests}");
    let normal = &requests["normal"];
    assert!(
        normal["low"].as_f64() < normal["high"].as_f64(),
        "{requests}"
    );
    // Those of the route belong to the same episode.
    let of_route = anomalies
        .iter()
        .find(|it| it["route"]["route"] == "/orders/{id}")
        .unwrap();
    assert_eq!(of_route["episode"], requests["episode"]);
    assert!(
        requests["also"]
            .as_array()
            .unwrap()
            .contains(&of_route["signal"])
    );
    let card = &sections["cards"]["requests"];
    assert_eq!(card["state"], "odd");
    assert!(card["normal"]["high"].as_f64() > Some(0.5));
    let changes = sections["changes"].as_array().unwrap();
    assert!(changes.iter().any(|it| it["kind"] == "anomaly"));
    // Odd is not wrong.
    assert_eq!(sections["verdict"]["state"], "healthy");
    // The band is known for each step since the detector knew enough.
    let band = &overview["series"]["normal"]["requests"];
    let known = band["high"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| !it.is_null());
    assert!(known.count() > 300, "{band}");
    assert_eq!(band["low"].as_array().unwrap().len(), 360);
}
