//! Which series are watched, and how their values are calculated.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::anomaly::WatchedFigure;
use super::selector::Selector;
use crate::anomaly::{Detector, DetectorConfig, Direction, Measure};
use crate::history::SeriesKind;

/// The number of groups of a default rule that are watched: those with the most requests, queries or calls.
pub(super) const BUSIEST: usize = 50;

const ROUTE: &str = "http_route";
const METHOD: &str = "http_request_method";
const STATUS: &str = "http_response_status_code";
const OUTCOME: &str = "watchpost_outcome";
const ERROR_TYPE: &str = "error_type";
const SUMMARY: &str = "db_query_summary";
const SERVICE: &str = "service_peer_name";
const POOL: &str = "db_client_connection_pool_name";
const POOL_STATE: &str = "db_client_connection_state";
const RUNTIME: &str = "runtime";

const REQUESTS: &str = "http_server_request_duration_seconds";
const TIME_TO_HEADERS: &str = "watchpost_http_time_to_headers_seconds";
const QUERIES: &str = "db_client_operation_duration_seconds";
const CALLS: &str = "http_client_request_duration_seconds";
const CONNECTIONS: &str = "db_client_connection_count";
const MAX_CONNECTIONS: &str = "db_client_connection_max";
const PENDING: &str = "db_client_connection_pending_requests";
const RUNTIME_QUEUE: &str = "tokio_global_queue_depth";
const MEMORY: &str = "process_resident_memory_bytes";
const CPU: &str = "process_cpu_utilization_ratio";
pub(super) const LOG_ERRORS: &str = "watchpost_log_errors_total";

/// Creates the detector of one series. Its argument is the step.
pub(super) type NewDetector = Arc<dyn Fn(Duration) -> Box<dyn Detector> + Send + Sync>;

/// The labels of a series.
pub(super) type SeriesLabels<'a> = [(&'a str, String)];

/// How a value is calculated from the series of a group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Quantity {
    /// The increase of a counter, or the number of values of a histogram.
    Count,
    Quantile(f64),
    /// Events out of all events: the value of the part and that of the whole.
    Ratio,
    /// The sum of gauges.
    Gauge,
    /// A gauge by another one.
    Share,
    /// What is usual for the kind of the series: a count, a gauge, or a quantile of a histogram with this rank.
    Natural {
        rank: f64,
    },
}

/// What a series is for the value of its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SeriesRole {
    /// It is the value, or a part of a ratio that is not part of the whole.
    Part,
    /// It is a part of the whole only.
    Whole,
    Both,
}

/// Which series belong to a rule, and what they are in it.
#[derive(Clone)]
pub(super) enum Members {
    /// Those of one metric, if the function returns a role.
    Of(&'static str, fn(&SeriesLabels<'_>) -> Option<SeriesRole>),
    /// Those of two metrics: the part, if the function accepts it, and the whole.
    Shares(&'static str, fn(&SeriesLabels<'_>) -> bool, &'static str),
    /// Those that the host selects.
    Selected(Selector),
}

/// How the series of a rule are judged.
#[derive(Clone)]
pub(super) struct Judgement {
    pub(super) direction: Direction,
    /// In the unit of the reported values.
    pub(super) minimum_difference: f64,
    pub(super) minimum_share: f64,
    /// `None`: the setting.
    pub(super) false_alarms: Option<f64>,
    /// `None`: the default detector.
    pub(super) detector: Option<NewDetector>,
}

/// Series that are watched in the same way. Those with equal values of the labels `by` are one group, with one value.
#[derive(Clone)]
pub(super) struct WatchRule {
    /// It stays the same over restarts and versions: the state of detectors is stored with it.
    pub(super) name: String,
    pub(super) members: Members,
    pub(super) quantity: Quantity,
    /// `None`: each series is a group of its own.
    pub(super) by: Option<&'static [&'static str]>,
    pub(super) judgement: Judgement,
    /// The number of groups that are watched: the busiest.
    pub(super) max_groups: usize,
    /// The group in words. Its argument is the text of a label, empty if it is missing.
    pub(super) describe: fn(&dyn Fn(&str) -> String) -> String,
}

impl WatchRule {
    /// The metric that reports name.
    pub(super) fn metric(&self) -> &str {
        match &self.members {
            Members::Of(metric, _) | Members::Shares(metric, ..) => metric,
            Members::Selected(selector) => &selector.metric,
        }
    }

    /// What a series is in this rule. `None` if it does not belong to it.
    pub(super) fn role(&self, metric: &str, labels: &SeriesLabels<'_>) -> Option<SeriesRole> {
        match &self.members {
            Members::Of(name, role) => (*name == metric).then(|| role(labels))?,
            Members::Shares(part, accepts, whole) => {
                if *part == metric && accepts(labels) {
                    Some(SeriesRole::Part)
                } else {
                    (*whole == metric).then_some(SeriesRole::Whole)
                }
            }
            Members::Selected(selector) => {
                let is_it = selector.metric == metric && selector.matches(labels);
                is_it.then_some(SeriesRole::Part)
            }
        }
    }

    /// How a value is calculated from series of this kind.
    pub(super) fn quantity_of(&self, kind: SeriesKind) -> Quantity {
        match (self.quantity, kind) {
            (Quantity::Natural { .. }, SeriesKind::Gauge) => Quantity::Gauge,
            (Quantity::Natural { .. }, SeriesKind::Counter) => Quantity::Count,
            (Quantity::Natural { rank }, SeriesKind::Histogram) => Quantity::Quantile(rank),
            (quantity, _) => quantity,
        }
    }

    /// The settings of a detector for values that are calculated like this.
    pub(super) fn detector(
        &self,
        quantity: Quantity,
        step: Duration,
        false_alarms: f64,
    ) -> DetectorConfig {
        let Judgement {
            direction,
            minimum_difference,
            minimum_share,
            ..
        } = self.judgement;
        // The detector sees counts of a step.
        let difference = match quantity {
            Quantity::Count => minimum_difference * step.as_secs_f64(),
            _ => minimum_difference,
        };
        DetectorConfig::new(quantity.measure(), step)
            .false_alarms(self.judgement.false_alarms.unwrap_or(false_alarms))
            .direction(direction)
            .minimum_difference(difference)
            .minimum_share(minimum_share)
    }
}

impl Quantity {
    pub(super) fn measure(self) -> Measure {
        match self {
            Self::Count => Measure::Count,
            Self::Quantile(_) => Measure::Latency,
            Self::Ratio => Measure::Ratio,
            Self::Gauge | Self::Share | Self::Natural { .. } => Measure::Gauge,
        }
    }

    pub(super) fn figure(self) -> WatchedFigure {
        match self {
            Self::Count => WatchedFigure::Rate,
            Self::Quantile(rank) => WatchedFigure::Quantile(rank),
            Self::Ratio | Self::Share => WatchedFigure::Share,
            Self::Gauge | Self::Natural { .. } => WatchedFigure::Value,
        }
    }
}

impl Judgement {
    pub(super) fn both() -> Self {
        Self {
            direction: Direction::Both,
            minimum_difference: 0.0,
            minimum_share: 0.0,
            false_alarms: None,
            detector: None,
        }
    }

    fn up(difference: f64, share: f64) -> Self {
        Self {
            direction: Direction::Up,
            minimum_difference: difference,
            minimum_share: share,
            ..Self::both()
        }
    }
}

impl fmt::Debug for WatchRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchRule")
            .field("name", &self.name)
            .field("quantity", &self.quantity)
            .finish_non_exhaustive()
    }
}

fn text<'a>(labels: &'a SeriesLabels<'_>, wanted: &str) -> &'a str {
    let label = labels.iter().find(|(label, _)| *label == wanted);
    label.map_or("", |(_, value)| value)
}

fn is_finished(labels: &SeriesLabels<'_>) -> bool {
    text(labels, OUTCOME) != "upgraded"
}

/// Whether a request counts in the error rate. A timeout with a status is a response like any other; without one, the
/// service returned an error.
fn is_error(labels: &SeriesLabels<'_>) -> bool {
    let (outcome, status) = (text(labels, OUTCOME), text(labels, STATUS));
    status.starts_with('5')
        || matches!(outcome, "failed" | "panicked" | "body_error")
        || (outcome == "timeout" && status.is_empty())
}

fn request(labels: &SeriesLabels<'_>) -> Option<SeriesRole> {
    is_finished(labels).then_some(SeriesRole::Part)
}

fn request_error(labels: &SeriesLabels<'_>) -> Option<SeriesRole> {
    is_finished(labels).then(|| part_if(is_error(labels)))
}

#[expect(clippy::unnecessary_wraps, reason = "other series have no role")]
fn failure(labels: &SeriesLabels<'_>) -> Option<SeriesRole> {
    Some(part_if(!text(labels, ERROR_TYPE).is_empty()))
}

fn part_if(is_part: bool) -> SeriesRole {
    if is_part {
        SeriesRole::Both
    } else {
        SeriesRole::Whole
    }
}

#[expect(clippy::unnecessary_wraps, reason = "other series have no role")]
fn any(_: &SeriesLabels<'_>) -> Option<SeriesRole> {
    Some(SeriesRole::Part)
}

fn route(label: &dyn Fn(&str) -> String) -> String {
    let route = label(ROUTE);
    let route = match &*route {
        "" | "_unmatched" => "unmatched paths",
        route => route,
    };
    format!("{} {route}", label(METHOD)).trim_start().to_owned()
}

fn named(label: String, other: &str) -> String {
    if label.is_empty() {
        other.to_owned()
    } else {
        label
    }
}

/// The rules for the monitor's own series.
pub(super) fn default_rules() -> Vec<WatchRule> {
    let mut rules = request_rules();
    rules.extend(client_rules());
    rules.extend(resource_rules());
    rules
}

fn rule(
    name: &str,
    members: Members,
    quantity: Quantity,
    by: &'static [&'static str],
    judgement: Judgement,
    describe: fn(&dyn Fn(&str) -> String) -> String,
) -> WatchRule {
    WatchRule {
        name: name.to_owned(),
        members,
        quantity,
        by: Some(by),
        judgement,
        max_groups: BUSIEST,
        describe,
    }
}

fn request_rules() -> Vec<WatchRule> {
    const BY_ROUTE: &[&str] = &[METHOD, ROUTE];
    // Less than a fifth of the requests, and less than one of a hundred responses, is not worth a report.
    let rate = || Judgement {
        minimum_share: 0.2,
        ..Judgement::both()
    };
    let error_rate = || Judgement::up(0.01, 0.0);
    vec![
        rule(
            "requests",
            Members::Of(REQUESTS, request),
            Quantity::Count,
            &[],
            rate(),
            |_| "requests".to_owned(),
        ),
        rule(
            "errors",
            Members::Of(REQUESTS, request_error),
            Quantity::Ratio,
            &[],
            error_rate(),
            |_| "error rate".to_owned(),
        ),
        rule(
            "p95",
            Members::Of(REQUESTS, request),
            Quantity::Quantile(0.95),
            &[],
            Judgement::up(0.005, 0.2),
            |_| "p95".to_owned(),
        ),
        rule(
            "requests by route",
            Members::Of(REQUESTS, request),
            Quantity::Count,
            BY_ROUTE,
            rate(),
            |label| format!("requests of {}", route(label)),
        ),
        rule(
            "errors by route",
            Members::Of(REQUESTS, request_error),
            Quantity::Ratio,
            BY_ROUTE,
            error_rate(),
            |label| format!("error rate of {}", route(label)),
        ),
        rule(
            "p95 by route",
            Members::Of(TIME_TO_HEADERS, any),
            Quantity::Quantile(0.95),
            BY_ROUTE,
            Judgement::up(0.005, 0.2),
            |label| format!("p95 of {}", route(label)),
        ),
    ]
}

fn client_rules() -> Vec<WatchRule> {
    vec![
        rule(
            "p95 of queries",
            Members::Of(QUERIES, any),
            Quantity::Quantile(0.95),
            &[SUMMARY],
            Judgement::up(0.002, 0.2),
            |label| format!("p95 of {}", named(label(SUMMARY), "queries")),
        ),
        rule(
            "failures of queries",
            Members::Of(QUERIES, failure),
            Quantity::Ratio,
            &[SUMMARY],
            Judgement::up(0.01, 0.0),
            |label| format!("failure rate of {}", named(label(SUMMARY), "queries")),
        ),
        rule(
            "p95 of dependencies",
            Members::Of(CALLS, any),
            Quantity::Quantile(0.95),
            &[SERVICE],
            Judgement::up(0.005, 0.2),
            |label| format!("p95 of calls to {}", named(label(SERVICE), "services")),
        ),
        rule(
            "failures of dependencies",
            Members::Of(CALLS, failure),
            Quantity::Ratio,
            &[SERVICE],
            Judgement::up(0.01, 0.0),
            |label| {
                let service = named(label(SERVICE), "services");
                format!("failure rate of calls to {service}")
            },
        ),
    ]
}

fn resource_rules() -> Vec<WatchRule> {
    let is_used = |labels: &SeriesLabels<'_>| text(labels, POOL_STATE) == "used";
    vec![
        rule(
            "pool use",
            Members::Shares(CONNECTIONS, is_used, MAX_CONNECTIONS),
            Quantity::Share,
            &[POOL],
            Judgement::up(0.1, 0.0),
            |label| format!("use of the pool {}", label(POOL)),
        ),
        rule(
            "pool queue",
            Members::Of(PENDING, any),
            Quantity::Gauge,
            &[POOL],
            Judgement::up(2.0, 0.0),
            |label| format!("queue of the pool {}", label(POOL)),
        ),
        rule(
            "runtime queue",
            Members::Of(RUNTIME_QUEUE, any),
            Quantity::Gauge,
            &[RUNTIME],
            Judgement::up(10.0, 0.0),
            |label| format!("queue of the runtime {}", label(RUNTIME)),
        ),
        rule(
            "memory",
            Members::Of(MEMORY, any),
            Quantity::Gauge,
            &[],
            Judgement::up(0.0, 0.1),
            |_| "memory".to_owned(),
        ),
        rule(
            "cpu",
            Members::Of(CPU, any),
            Quantity::Gauge,
            &[],
            Judgement::up(0.05, 0.0),
            |_| "CPU use".to_owned(),
        ),
        rule(
            "log errors",
            Members::Of(LOG_ERRORS, any),
            Quantity::Count,
            &[],
            Judgement::up(0.0, 0.2),
            |_| "log errors".to_owned(),
        ),
    ]
}
