//! Alert rules with short windows: an incident of a minute fires them. The windows of the default rules are five minutes, which
//! is right for a service, and too long for a first look.

use std::time::Duration;

use watchpost::Monitor;
use watchpost::alerts::{AlertsConfig, Bound, MissingData, Rule, Severity};
use watchpost::history::MetricQuery;

/// The window of the rules.
const WINDOW: Duration = Duration::from_secs(30);
/// A window with fewer requests or queries than this fires nothing.
const LEAST: u64 = 10;

/// An alert fires so long after its condition has ended, for somebody to look at it.
const LOOK: Duration = Duration::from_secs(30);

/// Rules are evaluated more often than every 30 s, which is the default.
pub(crate) fn config() -> AlertsConfig {
    AlertsConfig::default().interval(Duration::from_secs(5))
}

/// Adds the rules. A rule of the file in `alerts.file` replaces one of the same name.
pub(crate) fn add(monitor: &Monitor) -> watchpost::Result<()> {
    monitor.alerts().add_rule(failing_route())?;
    monitor.alerts().add_rule(slow_statement())
}

/// Most requests of a route fail. Each route has an alert of its own.
fn failing_route() -> Rule {
    let all = MetricQuery::increase("http_server_request_duration_seconds")
        .label_not_in("watchpost_outcome", ["upgraded"])
        .by(["http_request_method", "http_route"])
        .window(WINDOW);
    let failed = all.clone().label_not_in("error_type", [""]);
    Rule::ratio("failing-route", failed, all, Bound::above(0.5))
        .min_samples(LEAST)
        .keep_firing_for(LOOK)
        .missing_data(MissingData::Resolve)
        .severity(Severity::Critical)
        .annotation(
            "summary",
            "{{ $value | humanizePercentage }} of the requests of {{ $labels.http_route }} failed within half a minute",
        )
}

/// A statement takes long. `SQLite` answers all others of this service within some milliseconds.
fn slow_statement() -> Rule {
    let slow = MetricQuery::quantile(0.95, "db_client_operation_duration_seconds")
        .by(["db_system_name", "db_namespace", "db_query_summary"])
        .window(WINDOW);
    Rule::threshold("slow-statement", slow, Bound::above(0.1))
        .min_samples(LEAST)
        .keep_firing_for(LOOK)
        .missing_data(MissingData::Resolve)
        .annotation(
            "summary",
            "The slowest 5 % of {{ $labels.db_query_summary }} take more than {{ $value | humanizeDuration }}",
        )
}
