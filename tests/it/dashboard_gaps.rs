//! Time without data: the documents say when it was and why.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::extract::ConnectInfo;
use http::Request;
use serde_json::{Value, json};
use tower::ServiceExt;
use watchpost::Access;
use watchpost::testing::Harness;

use crate::dashboard_host::TOKEN;

const INTERVAL: Duration = Duration::from_secs(10);

fn harness(begin: SystemTime, directory: &Path) -> Harness {
    let directory = directory.to_owned();
    Harness::starting_at(begin, |builder| {
        builder.access_token(TOKEN).data_dir(directory)
    })
}

fn snapshots(harness: &Harness, count: u32) {
    for _ in 0..count {
        harness.advance(INTERVAL);
        harness.read_system();
        harness.snapshot();
    }
}

/// The gaps of the last quarter of an hour: seconds from the begin of the test, and the reason. A step has a value if there
/// was a snapshot within 15 seconds, so a gap begins up to a step late.
async fn gaps(harness: &Harness, begin: SystemTime) -> Vec<(u64, u64, String)> {
    let peer = ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 4000)));
    let request = Request::get("/monitoring/data/v1/overview?range=15m")
        .header("host", "127.0.0.1")
        .header("authorization", format!("Bearer {TOKEN}"))
        .extension(peer)
        .body(Body::empty())
        .unwrap();
    let router = harness.dashboard::<()>(Access::from_settings());
    let response = router.oneshot(request).await.unwrap();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX);
    let document: Value = serde_json::from_slice(&body.await.unwrap()).unwrap();
    let begin = u64::try_from(begin.duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let second = |time: &Value| (time.as_u64().unwrap() - begin) / 1000;
    let gap = |gap: &Value| {
        let reason = gap["reason"].as_str().unwrap().to_owned();
        (second(&gap["from"]), second(&gap["to"]), reason)
    };
    let gaps = &document["series"]["gaps"];
    assert_ne!(gaps, &json!(null), "{document:#}");
    gaps.as_array().unwrap().iter().map(gap).collect()
}

#[tokio::test]
async fn time_without_snapshots_is_a_gap_with_its_reason() {
    let directory = tempfile::tempdir().unwrap();
    let begin = UNIX_EPOCH + Duration::from_secs(1_767_225_600);
    let first = harness(begin, directory.path());
    snapshots(&first, 6);
    assert_eq!(gaps(&first, begin).await, []);
    // The process is suspended.
    first.advance(Duration::from_secs(60));
    snapshots(&first, 6);
    let suspended = || (70, 120, "suspended".to_owned());
    assert_eq!(gaps(&first, begin).await, [suspended()]);
    // It ends after 180 seconds, and another one starts two minutes later.
    first.shutdown(Duration::from_secs(10)).await;
    drop(first);
    let second = harness(begin + Duration::from_secs(300), directory.path());
    snapshots(&second, 3);
    let stopped = (190, 300, "stopped".to_owned());
    assert_eq!(gaps(&second, begin).await, [suspended(), stopped]);
}
