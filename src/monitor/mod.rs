//! The monitor: its builder, handle and guard, and the install, drain, flush and shutdown operations.

#[cfg(feature = "alerts")]
mod alert_methods;
mod alerts;
#[cfg(feature = "history")]
mod anomalies;
mod assembly;
#[cfg(feature = "axum")]
mod axum;
mod builder;
mod capture;
mod clients;
mod current;
mod dashboard;
mod dashboard_pages;
mod data_dir;
mod doctor;
mod drain;
mod error_groups;
mod export;
mod globals;
mod guard;
mod handle;
mod history;
mod install;
mod lifecycle;
mod log_files;
mod propagator;
mod self_metrics;
mod serve;
mod shipping;
mod signal;
mod snapshots;
mod state;
#[cfg(feature = "history")]
mod summary;
mod tracing;

#[cfg(feature = "axum")]
pub use self::axum::NoMonitor;
pub use self::builder::MonitorBuilder;
pub use self::doctor::Finding;
pub use self::globals::{Global, GlobalReport, GlobalState, InstallReport};
pub use self::guard::{MonitorGuard, MonitorReport};
pub use self::handle::Monitor;
pub use self::serve::Server;
pub use self::signal::shutdown_signal;
