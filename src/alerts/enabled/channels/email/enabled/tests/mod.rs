//! `tests/it/email.rs` has those of a whole monitor.

use std::time::{Duration, UNIX_EPOCH};

use super::address::mailbox;
use crate::alerts::enabled::alert::{Alert, AlertState, Severity};
use crate::alerts::enabled::notify::{
    Notification, NotificationCause, NotificationStatus, NotifiedAlert,
};

mod channel;
mod mail;
mod session;
/// A mail server that follows a script.
#[path = "../../../../../../../tests/it/smtp_peer.rs"]
mod smtp_peer;

fn notification(texts: &[&str]) -> Notification {
    let text = |at: usize| texts[at % texts.len()].to_owned();
    let time = |seconds: u64| UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds);
    let alerts = (0..texts.len()).map(|at| NotifiedAlert {
        alert: Alert {
            rule: text(at),
            labels: vec![("alertname".to_owned(), text(at)), (text(at + 1), text(at))],
            annotations: vec![("summary".to_owned(), text(at))],
            severity: Severity::Critical,
            state: AlertState::Firing,
            fingerprint: at as u64,
            value: Some(0.5),
            bound: text(at),
            since: time(0),
            fired_at: Some(time(1)),
            resolved_at: None,
            has_no_data: false,
            has_failed: false,
            acknowledged: None,
            silenced_by: Vec::new(),
            inhibited_by: None,
            runbook: Some(text(at)),
        },
        status: NotificationStatus::Firing,
        is_new: true,
        top_routes: vec![text(at), text(at + 1)],
        values: vec![1.0, 2.0],
    });
    Notification {
        id: "0123456789abcdef-7".to_owned(),
        group_key: format!("{}/{}", text(0), text(1)),
        group_labels: Vec::new(),
        status: NotificationStatus::Firing,
        cause: NotificationCause::First,
        severity: Severity::Critical,
        alerts: alerts.collect(),
        truncated: 0,
        service: text(1),
        environment: Some(text(0)),
        at: time(60),
        valid_for: Duration::from_secs(120),
        dashboard_url: Some(text(1)),
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let value = runtime.block_on(future);
    runtime.shutdown_background();
    value
}
