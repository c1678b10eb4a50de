//! A service that says what is unusual about itself: a hook prints each anomaly, when it begins and when it ends.
//!
//! The service has visitors of its own. After ten seconds, one route becomes slow for half a minute.
//!
//! ```text
//! $ cargo run --all-features --example anomaly_hooks
//! anomaly_hooks listens on http://127.0.0.1:3000
//! /api/content takes 20 to 40 ms
//! /api/content takes 400 ms from now on
//! anomaly 1 began: p95 of GET /api/content is 0.41 s, usually 0.004 to 0.33 s
//!   for example the trace a5eb7a04ab6017f08fdc5df5166b7e21
//! /api/content takes 20 to 40 ms again
//! ```
//!
//! So that this takes a minute and not a day, there is a snapshot every 100 ms instead of ten seconds. The number of false
//! alarms in a month is then that of a hundred times as many samples: the setting is higher accordingly. After so few samples
//! the band of normal values is wide.
//!
//! Ctrl-C lists the episodes, and ends the service. The first argument sets another address.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use axum::{Router, routing::get};
use tower::ServiceExt;
use watchpost::Monitor;
use watchpost::anomaly::{Anomaly, AnomalyConfig};
use watchpost::history::HistoryConfig;

/// The additional latency of the route.
type Delay = Arc<AtomicU64>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let monitor = Monitor::builder("anomaly_hooks")
        .history(HistoryConfig::default().interval(Duration::from_millis(100)))
        .anomaly(AnomalyConfig::default().false_alarms(1000.0))
        .install()?;
    // Dropping what it returns would unsubscribe the hook.
    let hook = monitor.on_anomaly(print);

    let delay = Delay::default();
    let of_route = Arc::clone(&delay);
    let app = Router::new()
        .route("/api/content", get(move || content(Arc::clone(&of_route))))
        .route_service("/metrics", monitor.prometheus())
        .layer(monitor.layer());
    for visitor in 0..5 {
        tokio::spawn(visit(app.clone(), visitor));
    }
    tokio::spawn(misbehave(delay));

    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:3000");
    let listener = tokio::net::TcpListener::bind(address).await?;
    eprintln!("anomaly_hooks listens on http://{}", listener.local_addr()?);
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service)
        .with_graceful_shutdown(monitor.drain(watchpost::shutdown_signal()))
        .await?;
    for episode in monitor.episodes() {
        let members = episode.members.iter().map(|it| &*it.name);
        let members: Vec<_> = members.collect();
        eprintln!("episode {}: {}", episode.number, members.join(", "));
    }
    let report = monitor.shutdown(Duration::from_secs(3)).await;
    drop(hook);
    eprintln!("{report}");
    Ok(())
}

/// The hook. Other hooks would write to a chat, or mark a chart.
fn print(anomaly: &Anomaly) {
    let Anomaly {
        number,
        state,
        sentence,
        ..
    } = anomaly;
    eprintln!("anomaly {number} {}: {sentence}", state.as_str());
    if let Some(trace) = anomaly.traces.first() {
        eprintln!("  for example the trace {trace}");
    }
}

/// Takes 20 to 40 ms, and the additional latency.
async fn content(delay: Delay) -> &'static str {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let usual = 20 + CALLS.fetch_add(1, Relaxed) * 7 % 21;
    tokio::time::sleep(Duration::from_millis(usual + delay.load(Relaxed))).await;
    "content\n"
}

async fn visit(app: Router, visitor: u64) {
    loop {
        let request = Request::get("/api/content").body(Body::empty());
        if let Ok(request) = request
            && let Ok(response) = app.clone().oneshot(request).await
        {
            // A request is recorded when its body has been read.
            let _body = axum::body::to_bytes(response.into_body(), 1024).await;
        }
        tokio::time::sleep(Duration::from_millis(10 + visitor)).await;
    }
}

async fn misbehave(delay: Delay) {
    eprintln!("/api/content takes 20 to 40 ms");
    tokio::time::sleep(Duration::from_secs(10)).await;
    eprintln!("/api/content takes 400 ms from now on");
    delay.store(370, Relaxed);
    tokio::time::sleep(Duration::from_secs(30)).await;
    eprintln!("/api/content takes 20 to 40 ms again");
    delay.store(0, Relaxed);
}
