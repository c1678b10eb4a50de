//! Behaviour through the public API, in one binary.

mod active_users;
#[cfg(feature = "alerts")]
mod alert_rules;
#[cfg(feature = "history")]
mod anomalies;
#[cfg(all(feature = "otlp", feature = "sentry"))]
mod attributes;
#[cfg(feature = "_client")]
mod calls;
mod console_faults;
mod content;
mod conventions;
#[cfg(feature = "dashboard")]
mod dashboard_access;
#[cfg(all(feature = "alerts", feature = "dashboard"))]
mod dashboard_alerts;
#[cfg(feature = "dashboard")]
mod dashboard_anomalies;
#[cfg(feature = "dashboard")]
mod dashboard_calls;
#[cfg(feature = "dashboard")]
mod dashboard_database;
#[cfg(feature = "dashboard")]
mod dashboard_errors;
#[cfg(feature = "dashboard")]
mod dashboard_gaps;
#[cfg(feature = "dashboard")]
mod dashboard_host;
#[cfg(feature = "dashboard")]
mod dashboard_live;
#[cfg(feature = "dashboard")]
mod dashboard_logs;
mod dashboard_routes;
#[cfg(feature = "dashboard")]
mod dashboard_traces;
#[cfg(feature = "sqlx-sqlite")]
mod database_errors;
#[cfg(all(feature = "deadpool-postgres", feature = "sqlx"))]
mod database_health;
#[cfg(feature = "alerts")]
mod default_rules;
#[cfg(feature = "elasticsearch")]
mod elasticsearch;
#[cfg(feature = "email")]
mod email;
mod errors;
mod floods;
mod grpc_calls;
mod grpc_routes;
mod health;
#[cfg(feature = "history")]
mod history_files;
#[cfg(feature = "sentry")]
mod host_sentry;
mod http_axum;
mod http_others;
mod life_cycle;
mod lines;
mod log_files;
#[cfg(feature = "history")]
mod markers;
mod never_hurt;
#[cfg(feature = "alerts")]
mod notification_faults;
#[cfg(feature = "alerts")]
mod notifications;
mod outcomes;
mod page;
#[cfg(feature = "_client")]
mod peer;
mod placement;
mod pools;
#[cfg(feature = "_client")]
mod propagation;
#[cfg(feature = "otlp")]
mod push;
mod queries;
mod recent_logs;
#[cfg(all(feature = "otlp", feature = "sentry"))]
mod remote_faults;
#[cfg(all(feature = "_client", feature = "reqwest"))]
mod reqwest;
mod search_logs;
mod secrets;
#[cfg(feature = "sentry")]
mod sentry;
#[cfg(feature = "serde")]
mod serialize;
mod shares;
#[cfg(feature = "email")]
mod smtp_peer;
mod span_limits;
mod spans;
#[cfg(feature = "sqlx")]
mod sqlx;
mod stored_traces;
#[cfg(feature = "history")]
mod summary;
mod support;
#[cfg(target_os = "linux")]
mod system;
mod their_spans;
mod too_large;
