//! The dashboard with its feature enabled.

mod alert_figures;
#[cfg_attr(
    not(feature = "alerts"),
    expect(dead_code, reason = "only alerts can be changed")
)]
mod alert_requests;
mod alert_source;
mod anomaly_figures;
mod api;
mod assets;
mod attempts;
mod audit;
mod calls;
mod cards;
mod change_fields;
mod changes;
mod clients;
mod data_gaps;
mod database;
mod documents;
mod error_groups;
mod figures;
mod flat_json;
mod guard;
mod heat;
mod host_facts;
mod json;
mod last_lines;
mod live_state;
mod live_window;
mod log_level;
mod log_requests;
mod operations;
mod page_server;
mod past;
mod periods;
mod publisher;
mod route_documents;
mod route_figures;
mod routes;
mod sections;
mod service;
mod services;
mod sessions;
mod setup;
mod severity;
mod socket;
mod span_facts;
mod status_page;
mod times;
mod traces;
mod verdict;
mod websocket;

pub use self::service::DashboardService;

pub(crate) use self::alert_source::AlertSource;
pub(crate) use self::publisher::Dashboard;
pub(crate) use self::setup::{DashboardSetup, MonitorPart, PartState, TestOutcome};
