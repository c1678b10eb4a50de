//! The shortest start: an axum service with metrics, request lines and health.
//!
//! `cargo run --example quickstart`, then `curl -i http://127.0.0.1:3000/hello/you` and
//! `curl http://127.0.0.1:3000/metrics`. Another address is the first argument.

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
    let listener =
        tokio::net::TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:3000")).await?;
    eprintln!("quickstart serves http://{}", listener.local_addr()?);
    axum::serve(
        listener,
        app.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .with_graceful_shutdown(monitor.drain(watchpost::shutdown_signal()))
    .await?;
    eprintln!("{}", monitor.shutdown(Duration::from_secs(3)).await);
    Ok(())
}

async fn hello(Path(name): Path<String>) -> String {
    tracing::info!(name, "greeting");
    format!("hello {name}\n")
}
