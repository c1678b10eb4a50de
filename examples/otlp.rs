//! Traces out over OTLP: a service whose requests have child spans, sent to a Collector, Jaeger, Tempo or any other
//! receiver of OTLP over HTTP.
//!
//! `cargo run --example otlp --features otlp -- --otlp http://127.0.0.1:4318`, then
//! `curl -i http://127.0.0.1:3000/orders/7` and look for the trace of `x-trace-id`. Without the flag,
//! `OTEL_EXPORTER_OTLP_ENDPOINT` counts. Another address to serve on is the first argument.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Router, routing::get};
use tracing::Instrument;
use watchpost::Monitor;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1).peekable();
    let address = arguments.next_if(|argument| !argument.starts_with("--"));
    let mut builder = Monitor::builder("otlp-example").service_version(env!("CARGO_PKG_VERSION"));
    if arguments.next_if_eq("--otlp").is_some() {
        builder = builder.otlp_endpoint(arguments.next().ok_or("--otlp wants a URL behind it")?);
    }
    let monitor = builder.install()?;

    let app = Router::new()
        .route("/orders/{id}", get(order))
        .with_state(Monitor::clone(&monitor))
        .route_service("/metrics", monitor.prometheus())
        .layer(monitor.layer());
    let address = address.as_deref().unwrap_or("127.0.0.1:3000");
    let listener = tokio::net::TcpListener::bind(address).await?;
    eprintln!("otlp serves http://{}", listener.local_addr()?);
    match monitor.settings().value("otlp.endpoint") {
        Some(url) => eprintln!("  traces go to {url}, some seconds after they end"),
        None => eprintln!("  traces go nowhere: --otlp or OTEL_EXPORTER_OTLP_ENDPOINT says where"),
    }
    axum::serve(
        listener,
        app.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .with_graceful_shutdown(monitor.drain(watchpost::shutdown_signal()))
    .await?;
    // What is left is sent now. `delivered` is what the receiver took.
    eprintln!("{}", monitor.shutdown(Duration::from_secs(3)).await);
    Ok(())
}

/// `GET /orders/{id}` is the root; below it lie `load an order` and, within that, `SELECT orders`.
async fn order(
    State(monitor): State<Monitor>,
    Path(id): Path<u32>,
) -> Result<String, (StatusCode, String)> {
    let order = monitor
        .trace("load an order")
        .attr("order.id", id)
        .try_run(load(id))
        .await;
    // An answer of 500 keeps its trace whatever the ratio is, with all that lies below it.
    order.map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error))
}

async fn load(id: u32) -> Result<String, String> {
    let query = tracing::info_span!("SELECT orders", otel.kind = "client", order.id = id);
    tokio::time::sleep(Duration::from_millis(5))
        .instrument(query)
        .await;
    if id == 13 {
        return Err("order 13 cannot be read\n".to_owned());
    }
    Ok(format!("order {id}\n"))
}
