//! A service that shows its own figures: requests, response times, errors, users, CPU, memory and health of the last
//! minutes, in one JSON document.
//!
//! ```text
//! $ cargo run --all-features --example summary
//! summary listens on http://127.0.0.1:3000
//! $ for n in $(seq 200); do curl -s -H "x-user-id: user-$((n % 20))" http://127.0.0.1:3000/articles/$n; done
//! $ curl http://127.0.0.1:3000/summary/5
//! ```
//!
//! The figures of the last five minutes, some left out here:
//!
//! ```json
//! {"period":{
//!    "requests":{"count":200,"per_second":33.3,"errors":4,"error_rate":0.02,"client_errors":0,"cancelled":0,
//!      "response_time":{"mean_ms":13.07,"p50_ms":12.72,"p95_ms":21.86,"p99_ms":22.83},..},
//!    "content":{"generated":196,"failures":4,"generation_time":{"mean_ms":12.82,..}},"active_users":20,
//!    "process":{"cpu":0.021,"cpu_max":0.024,"memory":18608128,..},
//!    "pools":[],"quotas":[],"figures":[{"name":"words","value":392.0}],
//!    "start":"2026-11-29T15:02:43.167845Z","end":"2026-11-29T15:07:43.167845Z",
//!    "data_from":"2026-11-29T15:07:36.617000Z","covered_ms":6005.1},
//!  "before":null,
//!  "active_users":{"five_minutes":20,"day":20},
//!  "health":{"status":"pass","reasons":[]}}
//! ```
//!
//! `before` would be the five minutes before those; the service has not run for that long.
//!
//! Ctrl-C prints the figures of the last two hours on one line, and ends the service:
//!
//! ```text
//! 200 requests, 2.0 % errors, p95 21.9ms
//! ```
//!
//! The first argument sets another address.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Json, Router, routing::get};
use watchpost::Monitor;
use watchpost::history::{HistoryConfig, MetricQuery};
use watchpost::summary::Summary;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A snapshot each second, so that the figures are never older than that. The default is ten seconds.
    let history = HistoryConfig::default().interval(Duration::from_secs(1));
    let monitor = Monitor::builder("summary").history(history).install()?;
    // A figure of this service's own.
    monitor.summary_figure("words", MetricQuery::increase("words_total"))?;

    let user = monitor
        .layer()
        .user(|parts| Some(parts.headers.get("x-user-id")?.to_str().ok()?.to_owned()));
    let app = Router::new()
        .route("/articles/{id}", get(article))
        .route("/summary/{minutes}", get(summary))
        .route_service("/metrics", monitor.prometheus())
        .layer(user)
        .with_state((*monitor).clone());

    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:3000");
    let listener = tokio::net::TcpListener::bind(address).await?;
    eprintln!("summary listens on http://{}", listener.local_addr()?);
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service)
        .with_graceful_shutdown(monitor.drain(watchpost::shutdown_signal()))
        .await?;
    eprintln!(
        "{}",
        in_one_line(&monitor.summary(Duration::from_secs(7200))?)
    );
    eprintln!("{}", monitor.shutdown(Duration::from_secs(3)).await);
    Ok(())
}

/// Writes an article; one of fifty fails.
async fn article(
    State(monitor): State<Monitor>,
    Path(id): Path<u64>,
) -> Result<String, StatusCode> {
    let write = async {
        tokio::time::sleep(Duration::from_millis(2 + id % 20)).await;
        if id % 50 == 0 {
            Err("no idea")
        } else {
            Ok(format!("Article {id}\n"))
        }
    };
    let article = monitor.content("article").try_run(write).await;
    let article = article.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    monitor.metrics().counter("words").build().add(2);
    Ok(article)
}

/// The figures of the last minutes.
async fn summary(
    State(monitor): State<Monitor>,
    Path(minutes): Path<u32>,
) -> Result<Json<Summary>, (StatusCode, String)> {
    let period = Duration::from_secs(60 * u64::from(minutes));
    // It reads the history, which may take some milliseconds.
    let summary = tokio::task::spawn_blocking(move || monitor.summary(period));
    match summary.await {
        Ok(Ok(summary)) => Ok(Json(summary)),
        Ok(Err(error)) => Err((StatusCode::BAD_REQUEST, error.to_string())),
        Err(error) => Err((StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
    }
}

fn in_one_line(summary: &Summary) -> String {
    let Some(requests) = &summary.period.requests else {
        return "no requests so far".to_owned();
    };
    let p95 = requests
        .response_time
        .map_or(Duration::ZERO, |time| time.p95);
    let errors = 100.0 * requests.error_rate.unwrap_or(0.0);
    format!(
        "{} requests, {errors:.1} % errors, p95 {p95:.1?}",
        requests.count
    )
}
