//! Outgoing calls under the monitor's eyes: a span and a series each, the limits that the service tells, and whether it
//! can be relied on. The service stands on loopback here; it answers two of three times.
//!
//! `cargo run --example external_calls`, then `curl http://127.0.0.1:3000/ask` some times and
//! `curl http://127.0.0.1:3000/dependencies`. Another address is the first argument.

use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, StatusCode};
use axum::response::IntoResponse;
use axum::{Router, routing::get};
use http_body_util::BodyExt;
use hyper_util::client::legacy::{Client as Hyper, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tower::{Layer, Service};
use watchpost::Monitor;
use watchpost::external::{Client, UrlTemplate};

#[derive(Clone)]
struct Shop {
    monitor: Monitor,
    client: Client<Hyper<HttpConnector, Body>>,
    weather: SocketAddr,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let monitor = Monitor::builder("external_calls").install()?;
    let client = Hyper::builder(TokioExecutor::new()).build_http();
    let shop = Shop {
        monitor: Monitor::clone(&monitor),
        client: monitor.external("weather").client_layer().layer(client),
        weather: weather().await?,
    };
    let app = Router::new()
        .route("/ask", get(ask))
        .route("/dependencies", get(dependencies))
        .route_service("/metrics", monitor.prometheus())
        .layer(monitor.layer())
        .with_state(shop);

    let address = std::env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:3000")).await?;
    eprintln!("external_calls serves http://{}", listener.local_addr()?);
    axum::serve(
        listener,
        app.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .with_graceful_shutdown(monitor.drain(watchpost::shutdown_signal()))
    .await?;
    eprintln!("{}", monitor.shutdown(Duration::from_secs(3)).await);
    Ok(())
}

/// Asks the service; its answer is read to the end, which is the end of the call.
async fn ask(State(mut shop): State<Shop>) -> Result<Vec<u8>, StatusCode> {
    let request = Request::get(format!("http://{}/today/Oslo?key=secret", shop.weather))
        .extension(UrlTemplate("/today/{city}".into()))
        .body(Body::empty());
    let request = request.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let answer = shop.client.call(request).await;
    let answer = answer.map_err(|_| StatusCode::BAD_GATEWAY)?;
    let body = answer.into_body().collect().await;
    let body = body.map_err(|_| StatusCode::BAD_GATEWAY)?;
    Ok(body.to_bytes().to_vec())
}

/// How the services do.
async fn dependencies(State(shop): State<Shop>) -> String {
    let mut table = String::new();
    for service in shop.monitor.dependencies() {
        let _written = writeln!(
            table,
            "{}: {}, {} calls, {} errors, {:.1?} at p95. {}\n{:#?}",
            service.service,
            service.state.as_str(),
            service.calls,
            service.errors,
            service.p95,
            service.reason,
            service.limits,
        );
    }
    table
}

/// A service as there are many: it allows a hundred calls a minute, says so, and is sometimes out of order.
async fn weather() -> std::io::Result<SocketAddr> {
    static ASKED: AtomicU64 = AtomicU64::new(0);
    let answer = async || {
        let asked = ASKED.fetch_add(1, Relaxed);
        let left = 100_u64.saturating_sub(asked);
        let limit = [("RateLimit", format!("\"minute\";r={left};t=60"))];
        if asked % 3 == 2 {
            return (StatusCode::SERVICE_UNAVAILABLE, limit, "out of order\n").into_response();
        }
        (limit, "rain\n").into_response()
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let app = Router::new().route("/today/{city}", get(answer));
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(address)
}
