//! A service with a rule of its own, whose alerts are printed: by a hook, and as the notifications of a channel.
//!
//! ```text
//! $ cargo run --all-features --example alerts
//! alerts listens on http://127.0.0.1:3000
//! $ curl http://127.0.0.1:3000/heat/35
//! ```
//!
//! A few seconds later, and after `curl http://127.0.0.1:3000/heat/20`:
//!
//! ```text
//! too-hot is firing (first): It is 35 degrees in the oven
//! [FIRING] too-hot of alerts: 35, and the limit is > 30
//! too-hot is resolved (resolved): It is 20 degrees in the oven
//! [RESOLVED] too-hot of alerts: 20, and the limit is > 30
//! ```
//!
//! With `SLACK_WEBHOOK_URL` in the environment, they go to Slack too, and with `SMTP_CONFIG` by e-mail.
//!
//! `/alerts` lists the alerts, and `/rules` has the rules for Prometheus. The first argument sets another address.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::{Router, routing::get};
use watchpost::Monitor;
use watchpost::alerts::{
    Alert, AlertsConfig, Bound, Channel, DeliveryFuture, Notification, NotifiedAlert, Rule,
    Severity,
};
use watchpost::history::{HistoryConfig, MetricQuery};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Each second, so that one need not wait. The defaults are ten seconds for snapshots, and 30 for rules.
    let second = Duration::from_secs(1);
    let monitor = Monitor::builder("alerts")
        .history(HistoryConfig::default().interval(second))
        .alerts(
            AlertsConfig::default()
                .interval(second)
                .group_wait(second)
                .group_interval(second),
        )
        .install()?;
    let rule = Rule::threshold(
        "too-hot",
        MetricQuery::last("heat").by(["place"]),
        Bound::above(30.0),
    );
    let rule = rule
        .hold_for(second)
        .severity(Severity::Critical)
        .annotation(
            "summary",
            "It is {{ $value }} degrees in the {{ $labels.place }}",
        );
    monitor.alerts().add_rule(rule)?;
    monitor.alerts().add_channel(Terminal)?;
    monitor
        .on_alert(|event| {
            if let Some(reason) = event.notification {
                let alert = &event.alert;
                eprintln!(
                    "{} is {} ({reason}): {}",
                    alert.rule,
                    alert.state,
                    summary(alert)
                );
            }
        })
        .detach();

    let app = Router::new()
        .route("/heat/{degrees}", get(heat))
        .route("/alerts", get(alerts))
        .route(
            "/rules",
            get(async |State(monitor): State<Monitor>| monitor.alerts().prometheus_rules().yaml),
        )
        .route_service("/metrics", monitor.prometheus())
        .layer(monitor.layer())
        .with_state(Monitor::clone(&monitor));
    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:3000");
    let listener = tokio::net::TcpListener::bind(address).await?;
    eprintln!("alerts listens on http://{}", listener.local_addr()?);
    axum::serve(
        listener,
        app.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .with_graceful_shutdown(monitor.drain(watchpost::shutdown_signal()))
    .await?;
    eprintln!("{}", monitor.shutdown(Duration::from_secs(5)).await);
    Ok(())
}

/// A channel that prints its notifications.
struct Terminal;

impl Channel for Terminal {
    fn name(&self) -> &'static str {
        "terminal"
    }

    fn deliver<'a>(&'a self, notification: &'a Notification) -> DeliveryFuture<'a> {
        Box::pin(async move {
            let value = notification
                .alerts
                .first()
                .and_then(NotifiedAlert::value_text);
            eprintln!("{}: {}", notification.title(), value.unwrap_or_default());
            Ok(())
        })
    }
}

async fn heat(State(monitor): State<Monitor>, Path(degrees): Path<f64>) -> &'static str {
    let heat = monitor.metrics().gauge("heat").build();
    heat.with([("place", "oven")]).set(degrees);
    "noted\n"
}

async fn alerts(State(monitor): State<Monitor>) -> String {
    let line = |alert: &Alert| format!("{} {} {}\n", alert.rule, alert.state, summary(alert));
    monitor.alerts().list().iter().map(line).collect()
}

fn summary(alert: &Alert) -> &str {
    let summary = alert.annotations.iter().find(|(name, _)| name == "summary");
    summary.map_or("", |(_, text)| text)
}
