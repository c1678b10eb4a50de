//! Calls of another service: a span and metrics for each, the rate limits that its responses state, and whether it is up.
//!
//! The other service runs in this process. It allows 100 calls a minute and responds with 503 to every third one.
//!
//! ```text
//! $ cargo run --example external_calls
//! external_calls listens on http://127.0.0.1:3000
//! $ curl http://127.0.0.1:3000/weather
//! rain
//! $ curl http://127.0.0.1:3000/weather
//! rain
//! $ curl http://127.0.0.1:3000/weather
//! the weather service responded with 503 Service Unavailable
//! $ curl http://127.0.0.1:3000/dependencies
//! weather: up, 3 calls, 1 errors, p95 7.2ms
//!   limit minute: 97 left for 60s
//! ```
//!
//! The URL template becomes the name of the span (`GET /today/{city}`). In metrics, calls are distinguished by service, method,
//! status and outcome (labels shortened here):
//!
//! ```text
//! http_client_request_duration_seconds_count{service_peer_name="weather",http_response_status_code="503",..} 1
//! http_client_request_duration_seconds_count{service_peer_name="weather",http_response_status_code="200",..} 2
//! watchpost_external_rate_limit_remaining{service_peer_name="weather",watchpost_rate_limit_window="minute"} 97
//! ```
//!
//! The first argument sets another address.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, StatusCode};
use axum::response::IntoResponse;
use axum::{Router, routing::get};
use http_body_util::BodyExt;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tower::{Layer, Service};
use watchpost::Monitor;
use watchpost::external::{ClientService, UrlTemplate};

type AnyError = Box<dyn std::error::Error + Send + Sync>;

#[derive(Clone)]
struct App {
    monitor: Monitor,
    client: ClientService<Client<HttpConnector, Body>>,
    weather: SocketAddr,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let monitor = Monitor::builder("external_calls").install()?;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let state = App {
        monitor: Monitor::clone(&monitor),
        client: monitor.external("weather").client_layer().layer(client),
        weather: start_weather().await?,
    };
    let app = Router::new()
        .route("/weather", get(weather))
        .route("/dependencies", get(dependencies))
        .route_service("/metrics", monitor.prometheus())
        .layer(monitor.layer())
        .with_state(state);

    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:3000");
    let listener = TcpListener::bind(address).await?;
    eprintln!(
        "external_calls listens on http://{}",
        listener.local_addr()?
    );
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service)
        .with_graceful_shutdown(monitor.drain(watchpost::shutdown_signal()))
        .await?;
    eprintln!("{}", monitor.shutdown(Duration::from_secs(3)).await);
    Ok(())
}

async fn weather(State(app): State<App>) -> Result<String, (StatusCode, String)> {
    let weather = app.get_weather("Oslo").await;
    weather.map_err(|error| (StatusCode::BAD_GATEWAY, format!("{error}\n")))
}

impl App {
    /// The call ends with the last byte of the response's body, so it is read here.
    async fn get_weather(mut self, city: &str) -> Result<String, AnyError> {
        let request = Request::get(format!("http://{}/today/{city}", self.weather))
            .extension(UrlTemplate("/today/{city}".into()))
            .body(Body::empty())?;
        let response = self.client.call(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        if !status.is_success() {
            return Err(format!("the weather service responded with {status}").into());
        }
        Ok(String::from_utf8(body.to_vec())?)
    }
}

/// The state of each service that is called, and its limits.
async fn dependencies(State(app): State<App>) -> String {
    let mut page = String::new();
    for it in app.monitor.dependencies() {
        let (service, state, calls, errors) = (&it.service, it.state.as_str(), it.calls, it.errors);
        page += &format!(
            "{service}: {state}, {calls} calls, {errors} errors, p95 {:.1?}{}{}\n",
            it.p95,
            if it.reason.is_empty() { "" } else { ": " },
            it.reason
        );
        for limit in it.limits {
            let (left, reset) = (
                limit.remaining.unwrap_or(0),
                limit.reset.unwrap_or_default(),
            );
            page += &format!("  limit {}: {left} left for {reset:.0?}\n", limit.window);
        }
    }
    page
}

/// Starts the other service.
async fn start_weather() -> std::io::Result<SocketAddr> {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let today = async || {
        let calls = CALLS.fetch_add(1, Relaxed) + 1;
        let left = 100_u64.saturating_sub(calls);
        let limit = [("RateLimit", format!("\"minute\";r={left};t=60"))];
        if calls.is_multiple_of(3) {
            return (StatusCode::SERVICE_UNAVAILABLE, limit).into_response();
        }
        (limit, "rain\n").into_response()
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let app = Router::new().route("/today/{city}", get(today));
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(address)
}
