//! Traces sent over OTLP (HTTP, protobuf) to a Collector, Jaeger, Tempo or another receiver.
//!
//! ```text
//! $ cargo run --example otlp --features otlp -- --otlp http://127.0.0.1:4318
//! otlp listens on http://127.0.0.1:3000
//!   traces go to http://127.0.0.1:4318, some seconds after they end
//! $ curl -i http://127.0.0.1:3000/orders/7
//! HTTP/1.1 200 OK
//! x-trace-id: 5b8efff798038103d269b633813fc60c
//! ..
//! ```
//!
//! The receiver shows this trace under the ID of `x-trace-id`:
//!
//! ```text
//! GET /orders/{id}
//!   load an order        order.id = 7
//!     SELECT orders      order.id = 7
//! ```
//!
//! After Ctrl-C, `delivered` counts the spans that the receiver accepted:
//!
//! ```text
//! request: 1 emitted, 1 delivered, 0 spooled
//! span: 3 emitted, 3 delivered, 0 spooled
//! ```
//!
//! With `OTEL_METRICS_EXPORTER=otlp` in the environment, metrics are pushed to the same receiver every minute, and when the
//! service ends. `metric` then counts their data points in the totals.
//!
//! Without `--otlp`, the receiver is that of `OTEL_EXPORTER_OTLP_ENDPOINT`. The first argument sets another address.

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
        builder = builder.otlp_endpoint(arguments.next().ok_or("--otlp needs a URL")?);
    }
    let monitor = builder.install()?;

    let app = Router::new()
        .route("/orders/{id}", get(order))
        .with_state(Monitor::clone(&monitor))
        .route_service("/metrics", monitor.prometheus())
        .layer(monitor.layer());
    let address = address.as_deref().unwrap_or("127.0.0.1:3000");
    let listener = tokio::net::TcpListener::bind(address).await?;
    eprintln!("otlp listens on http://{}", listener.local_addr()?);
    match monitor.settings().value("otlp.endpoint") {
        Some(url) => eprintln!("  traces go to {url}, some seconds after they end"),
        None => eprintln!("  traces are not sent: set --otlp or OTEL_EXPORTER_OTLP_ENDPOINT"),
    }
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service)
        .with_graceful_shutdown(monitor.drain(watchpost::shutdown_signal()))
        .await?;
    // Sends what is left.
    eprintln!("{}", monitor.shutdown(Duration::from_secs(3)).await);
    Ok(())
}

async fn order(
    State(monitor): State<Monitor>,
    Path(id): Path<u32>,
) -> Result<String, (StatusCode, String)> {
    let order = monitor
        .span("load an order")
        .attr("order.id", id)
        .try_run(load(id))
        .await;
    // A response with status 500 keeps its trace at any sampling ratio, with all spans below it.
    order.map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error))
}

async fn load(id: u32) -> Result<String, String> {
    // Spans of `tracing` are part of the trace as well.
    let query = tracing::info_span!("SELECT orders", otel.kind = "client", order.id = id);
    tokio::time::sleep(Duration::from_millis(5))
        .instrument(query)
        .await;
    if id == 13 {
        return Err("order 13 cannot be read\n".to_owned());
    }
    Ok(format!("order {id}\n"))
}
