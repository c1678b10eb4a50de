//! The shortest start: an axum service with metrics, log lines, traces and health pages.
//!
//! ```text
//! $ cargo run --example quickstart
//! quickstart listens on http://127.0.0.1:3000
//! $ curl http://127.0.0.1:3000/hello/you
//! hello you
//! ```
//!
//! Standard output gets a log line for each request, and one for each event of its handler (shortened here). Both have the
//! trace ID of the request, which the response has as `x-trace-id`:
//!
//! ```json
//! {"level":"INFO","message":"greeting",..,"trace_id":"103f94d384129dff9958808bc80d6d7f",..,"name":"you"}
//! {"level":"INFO","message":"GET /hello/{name} 200 0.839 ms",..,"trace_id":"103f94d384129dff9958808bc80d6d7f",
//!  "http.request.method":"GET","http.route":"/hello/{name}","http.response.status_code":200,
//!  "watchpost.outcome":"completed","duration_ms":0.839,..,"client.address":"127.0.0.1"}
//! ```
//!
//! `curl http://127.0.0.1:3000/metrics` returns the same request as metrics:
//!
//! ```text
//! http_server_request_duration_seconds_count{http_request_method="GET",http_response_status_code="200",
//!   http_route="/hello/{name}",network_protocol_version="1.1",url_scheme="http",watchpost_outcome="completed"} 1
//! ```
//!
//! Ctrl-C or SIGTERM drains the service: `/readyz` responds with 503, requests under way complete, and the last log lines
//! are written. The totals of the shutdown show that none was lost:
//!
//! ```text
//! request: 1 emitted, 1 delivered, 0 spooled
//! log: 1 emitted, 1 delivered, 0 spooled
//! ```
//!
//! The first argument sets another address.

use std::net::SocketAddr;
use std::time::Duration;

use axum::{Router, extract::Path, routing::get};
use watchpost::Monitor;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let monitor = Monitor::builder("quickstart").install()?;
    let app = Router::new()
        .route("/hello/{name}", get(hello))
        .route_service("/metrics", monitor.prometheus())
        .route_service("/livez", monitor.health().livez())
        .route_service("/readyz", monitor.health().readyz())
        .layer(monitor.layer());

    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:3000");
    let listener = tokio::net::TcpListener::bind(address).await?;
    eprintln!("quickstart listens on http://{}", listener.local_addr()?);
    // With connect info, log lines have the client's address.
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service)
        .with_graceful_shutdown(monitor.drain(watchpost::shutdown_signal()))
        .await?;
    eprintln!("{}", monitor.shutdown(Duration::from_secs(3)).await);
    Ok(())
}

async fn hello(Path(name): Path<String>) -> String {
    tracing::info!(name, "greeting");
    format!("hello {name}\n")
}
