use std::sync::Arc;
use std::time::Duration;

use super::config::ElasticsearchConfig;
use crate::logs::files::LogFiles;
use crate::model::Diagnostics;

/// The parts of the shipping.
pub(crate) struct ShippingSetup<'a> {
    pub(crate) config: &'a ElasticsearchConfig,
    /// The log files; without them, lines wait in memory.
    pub(crate) files: Option<&'a Arc<LogFiles>>,
    pub(crate) diagnostics: &'a Arc<Diagnostics>,
}

/// The state of the shipping, for metrics and health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShippingStatus {
    /// Log records for the server since the start of the process, and those that earlier processes left.
    pub(crate) emitted: u64,
    /// Those that the server has.
    pub(crate) delivered: u64,
    /// Those of them that it had already.
    pub(crate) repeated: u64,
    /// Those that wait.
    pub(crate) spooled: u64,
    /// Those that were dropped, by reason.
    pub(crate) dropped: [(&'static str, u64); 5],
    pub(crate) failed_requests: u64,
    /// How long there has been work without a delivery.
    pub(crate) waiting: Option<Duration>,
    pub(crate) last_delivery_age: Option<Duration>,
    /// Why nothing can be delivered now, or what is refused.
    pub(crate) problem: Option<String>,
    /// Whether what waits is in memory alone.
    pub(crate) is_best_effort: bool,
}
