//! Errors and panics captured in handlers, with what is known of their request; kept in a data directory, told by
//! kind, and sent to a Sentry where `SENTRY_DSN` names one.
//!
//! `cargo run --example capture_errors`, then `curl -i http://127.0.0.1:3000/orders/7` a few times and
//! `curl http://127.0.0.1:3000/errors`. Another address is the first argument.

use std::fmt::Write;
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
        .route("/panic", get(async || -> () { panic!("this is meant") }))
        .route("/errors", get(errors))
        .route_service("/metrics", monitor.prometheus())
        .layer(monitor.layer())
        .with_state(Monitor::clone(&monitor));

    let address = std::env::args().nth(1);
    let listener =
        tokio::net::TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:3000")).await?;
    eprintln!("capture_errors serves http://{}", listener.local_addr()?);
    axum::serve(
        listener,
        app.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .with_graceful_shutdown(monitor.drain(watchpost::shutdown_signal()))
    .await?;
    eprintln!("{}", monitor.shutdown(Duration::from_secs(3)).await);
    Ok(())
}

/// Every order from 1 to 9 is there; the others are not, and that is worth an event.
async fn order(
    State(monitor): State<Monitor>,
    Path(id): Path<String>,
) -> Result<String, StatusCode> {
    tracing::info!(id, "an order is looked for");
    // `capture` keeps the error for us and hands it on.
    let number: u32 = id.parse().capture().map_err(|_| StatusCode::BAD_REQUEST)?;
    if number < 10 {
        return Ok(format!("order {number}\n"));
    }
    let error = std::io::Error::other(format!("order {number} is in no file"));
    let event = monitor
        .error_capture(&error)
        .tag("store", "orders")
        .capture();
    tracing::warn!(%event, "captured");
    Err(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The kinds of errors so far.
async fn errors(State(monitor): State<Monitor>) -> String {
    let mut page = String::new();
    for group in monitor.error_groups() {
        // A string takes everything.
        let _infallible = writeln!(
            page,
            "{} x {}: {}",
            group.count, group.error_type, group.message
        );
    }
    page
}
