use crate::dashboard::AlertSource;
use crate::monitor::state::MonitorState;

/// Where the pages read alerts.
pub(super) fn alert_source(state: &MonitorState) -> AlertSource {
    AlertSource::new(state.alerts.0.clone())
}
