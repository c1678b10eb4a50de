//! Errors and panics captured in handlers, with the request they happened in. Errors of one kind form a group.
//!
//! ```text
//! $ cargo run --example capture_errors
//! capture_errors listens on http://127.0.0.1:3000
//! $ curl http://127.0.0.1:3000/orders/7
//! order 7
//! $ curl http://127.0.0.1:3000/orders/12       # responds with 500
//! $ curl http://127.0.0.1:3000/orders/seven    # responds with 400
//! $ curl http://127.0.0.1:3000/panic           # closes the connection
//! $ curl http://127.0.0.1:3000/errors
//! 1 x panic: a planned panic
//! 1 x core::num::error::ParseIntError: invalid digit found in string
//! 1 x std::io::error::Error: order 12 is missing
//! ```
//!
//! Each captured error is also a log line, with the trace ID and the route of its request (shortened here):
//!
//! ```json
//! {"level":"ERROR","message":"order 12 is missing",..,"event_id":"6d5e7d21d03f418a83c93603b46d81c2",
//!  "trace_id":"4a07383392da906340d255d2ae0d3c6f",..,"http.route":"/orders/{id}","exception.type":"std::io::error::Error",..,
//!  "code.file.path":"examples/capture_errors.rs","code.line.number":76,"store":"orders"}
//! ```
//!
//! With `WATCHPOST_DATA_DIR` captured errors survive a crash of the process. With `SENTRY_DSN` and the feature `sentry`
//! they are sent to a Sentry. The first argument sets another address.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Router, routing::get};
use watchpost::Monitor;
use watchpost::errors::ResultExt;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let monitor = Monitor::builder("capture_errors").install()?;
    let app = Router::new()
        .route("/orders/{id}", get(order))
        .route("/panic", get(async || -> () { panic!("a planned panic") }))
        .route("/errors", get(errors))
        .route_service("/metrics", monitor.prometheus())
        .layer(monitor.layer())
        .with_state(Monitor::clone(&monitor));

    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:3000");
    let listener = tokio::net::TcpListener::bind(address).await?;
    eprintln!(
        "capture_errors listens on http://{}",
        listener.local_addr()?
    );
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service)
        .with_graceful_shutdown(monitor.drain(watchpost::shutdown_signal()))
        .await?;
    eprintln!("{}", monitor.shutdown(Duration::from_secs(3)).await);
    Ok(())
}

/// Orders 1 to 9 exist.
async fn order(
    State(monitor): State<Monitor>,
    Path(id): Path<String>,
) -> Result<String, StatusCode> {
    // `capture` records the error and passes it on.
    let number: u32 = id.parse().capture().map_err(|_| StatusCode::BAD_REQUEST)?;
    if number < 10 {
        return Ok(format!("order {number}\n"));
    }
    let error = std::io::Error::other(format!("order {number} is missing"));
    // With tags of its own, and an event ID that a user can quote.
    let event = monitor
        .error_capture(&error)
        .tag("store", "orders")
        .capture();
    tracing::warn!(%event, "the order is not there");
    Err(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The groups of errors, most recent first.
async fn errors(State(monitor): State<Monitor>) -> String {
    let mut page = String::new();
    for group in monitor.error_groups() {
        let (count, kind, message) = (group.count, &group.error_type, &group.message);
        page += &format!("{count} x {kind}: {message}\n");
    }
    page
}
