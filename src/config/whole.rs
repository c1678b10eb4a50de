use std::path::PathBuf;
use std::time::Duration;

use crate::errors::ErrorsConfig;
use crate::health::HealthConfig;
use crate::http::HttpConfig;
use crate::logs::LogsConfig;
use crate::metrics::MetricsConfig;
use crate::model::Secret;
use crate::redact::RedactConfig;
use crate::trace::TraceConfig;
use crate::trace::otlp::OtlpConfig;
use crate::worker::WorkerConfig;

use super::{InstallConfig, Propagators, ServiceConfig};

/// Every setting, each part as its own room understands it.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) service: ServiceConfig,
    /// Where stores live; none means memory only.
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) logs: LogsConfig,
    pub(crate) install: InstallConfig,
    pub(crate) errors: ErrorsConfig,
    pub(crate) http: HttpConfig,
    pub(crate) redact: RedactConfig,
    pub(crate) metrics: MetricsConfig,
    pub(crate) worker: WorkerConfig,
    pub(crate) health: HealthConfig,
    pub(crate) propagators: Propagators,
    pub(crate) trace: TraceConfig,
    pub(crate) otlp: OtlpConfig,
    /// How long `drain` answers 503 on readyz before it passes the signal on.
    pub(crate) drain_wait: Duration,
    /// Opens what is closed to strangers.
    pub(crate) access_token: Option<Secret>,
}

impl Config {
    /// Long enough for a load balancer to notice.
    pub(crate) const DEFAULT_DRAIN_WAIT: Duration = Duration::from_secs(3);
}

impl Default for Config {
    fn default() -> Self {
        Self {
            service: ServiceConfig::default(),
            data_dir: None,
            logs: LogsConfig::default(),
            install: InstallConfig::default(),
            errors: ErrorsConfig::default(),
            http: HttpConfig::default(),
            redact: RedactConfig::default(),
            metrics: MetricsConfig::default(),
            worker: WorkerConfig::default(),
            health: HealthConfig::default(),
            propagators: Propagators::default(),
            trace: TraceConfig::default(),
            otlp: OtlpConfig::default(),
            drain_wait: Self::DEFAULT_DRAIN_WAIT,
            access_token: None,
        }
    }
}
