//! A host without a subscriber, recorder, provider or hook of its own.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Request;
use tower::ServiceExt as _;

use crate::cases::Case;
use crate::support::{block_on, builder, records};

pub(crate) const CASES: [Case; 1] = [Case::new("alone_everything_is_there_once", once)];

async fn handler() -> &'static str {
    tracing::info!("in the handler");
    "hello"
}

fn once() {
    let (builder, written) = builder();
    let monitor = builder.install().unwrap();
    assert!(
        monitor.report().not_installed.is_empty(),
        "{}",
        monitor.report()
    );
    let app = Router::new()
        .route("/hello/{name}", get(handler))
        .layer(monitor.layer());
    let response = block_on(async {
        let response = app
            .oneshot(Request::get("/hello/you").body(Body::empty()).unwrap())
            .await
            .unwrap();
        axum::body::to_bytes(response.into_body(), 100)
            .await
            .unwrap()
    });
    assert_eq!(response, "hello");
    let records = records(&monitor, &written);
    assert_eq!(records.len(), 2, "{records:?}");
    let traces = monitor.recent_traces();
    assert_eq!(traces.len(), 1);
    let trace_id = traces[0].trace_id.to_string();
    for record in records {
        assert_eq!(record["trace_id"], *trace_id, "{record}");
    }
}
