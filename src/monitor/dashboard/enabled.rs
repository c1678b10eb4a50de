use std::sync::{Arc, OnceLock};

use crate::access::TokenResolver;
use crate::config::Config;
use crate::dashboard::{Dashboard, DashboardConfig, MonitorPart, PartState};
use crate::http::HttpConfig;
use crate::metrics::MetricsExporter;

/// The dashboard of a monitor, which exists once it is mounted somewhere.
pub(in crate::monitor) struct DashboardState {
    pub(in crate::monitor) config: DashboardConfig,
    pub(in crate::monitor) http: HttpConfig,
    pub(in crate::monitor) service: String,
    pub(in crate::monitor) version: Option<String>,
    pub(in crate::monitor) environment: Option<String>,
    /// The data directory of the settings.
    pub(in crate::monitor) data_dir: bool,
    pub(in crate::monitor) parts: Vec<MonitorPart>,
    pub(in crate::monitor) keys: TokenResolver,
    pub(in crate::monitor) dashboard: OnceLock<Arc<Dashboard>>,
}

impl DashboardState {
    pub(in crate::monitor) fn new(config: &Config, keys: TokenResolver) -> Self {
        let part = |name, is_on: bool| MonitorPart {
            name,
            state: if is_on { PartState::On } else { PartState::Off },
            text: String::new(),
        };
        let pushes = config.metrics.exporter == MetricsExporter::Otlp;
        Self {
            config: config.dashboard.clone(),
            http: config.http.clone(),
            service: config.service.name.clone(),
            version: config.service.version.clone(),
            environment: config.service.environment.clone(),
            data_dir: config.data_dir.is_some(),
            parts: vec![
                part("metrics", true),
                part("history", true),
                part("otlp", config.otlp.traces().is_some() || pushes),
                part("sentry", config.errors.dsn.is_some()),
            ],
            keys,
            dashboard: OnceLock::new(),
        }
    }

    /// Closes the live connections.
    pub(in crate::monitor) fn end(&self) {
        if let Some(dashboard) = self.dashboard.get() {
            dashboard.end();
        }
    }
}
