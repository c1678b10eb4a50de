//! Reads figures and curves from the history.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::data_gaps::{CardCurves, DataGap, data_gaps};
use super::figures::{EarlierFigures, FailingRoute, SignalFigures};
use super::live_window::{ClassCounts, REQUESTS, WAITS};
use crate::dashboard::DashboardCard;
use crate::history::{History, MetricQuery, ResultSeries};
use crate::http::class_of_labels;

pub(super) const OUTCOME: &str = "watchpost_outcome";
pub(super) const STATUS: &str = "http_response_status_code";
pub(super) const ROUTE: &str = "http_route";
pub(super) const METHOD: &str = "http_request_method";
const POOLS: &str = "db_client_connection_count";

/// The curves of the cards: a value for each step, in the order of the cards.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Curves {
    /// Milliseconds since the Unix epoch.
    pub(super) start: u64,
    pub(super) step_ms: u64,
    pub(super) values: CardCurves,
    pub(super) gaps: Vec<DataGap>,
}

pub(super) fn time(millis: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(millis)
}

/// Without upgrades, which end at the headers.
pub(super) fn finished(query: MetricQuery) -> MetricQuery {
    query.label_not_in(OUTCOME, ["upgraded"])
}

/// The window of a value in a curve. It is a little longer than the step: snapshots are not taken to the millisecond, and
/// a step of their interval may contain none.
pub(super) fn window(history: &History, step: Duration) -> Duration {
    step + history.interval() / 2
}

/// The query of a card, but for the error rate, which is made of two.
fn query(card: DashboardCard) -> Option<MetricQuery> {
    let query = match card {
        DashboardCard::Requests => finished(MetricQuery::rate(REQUESTS)),
        DashboardCard::ResponseTime => finished(MetricQuery::quantile(0.95, REQUESTS)),
        DashboardCard::ErrorRate => return None,
        DashboardCard::Users => MetricQuery::last("watchpost_users_active").label("window", "5m"),
        DashboardCard::Cpu => MetricQuery::mean("process_cpu_utilization_ratio"),
        DashboardCard::Memory => MetricQuery::mean("system_memory_utilization_ratio"),
        DashboardCard::Connections => {
            MetricQuery::mean(POOLS).label("db_client_connection_state", "used")
        }
    };
    Some(query.total())
}

/// The figures of the period from `from` to `to`, in milliseconds since the Unix epoch.
pub(super) fn figures(history: &History, from: u64, to: u64) -> SignalFigures {
    let window = Duration::from_millis(to.saturating_sub(from).max(1));
    let read = |query: MetricQuery| {
        let series = history.at(&query.total().window(window), time(to)).ok()?;
        Some(series.first()?.points.first()?.value)
    };
    let of_card = |card| query(card).and_then(read);
    let quantile = |rank| read(finished(MetricQuery::quantile(rank, REQUESTS)));
    let classes = classes(history, window, to);
    SignalFigures {
        requests: of_card(DashboardCard::Requests),
        p50: quantile(0.5),
        p95: of_card(DashboardCard::ResponseTime),
        p99: quantile(0.99),
        error_rate: classes.share(classes.errors),
        client_errors: classes.share(classes.client_errors),
        cancelled: classes.share(classes.cancelled),
        users: of_card(DashboardCard::Users),
        users_of_day: read(MetricQuery::last("watchpost_users_active").label("window", "24h")),
        cpu: of_card(DashboardCard::Cpu),
        cores: None,
        memory: of_card(DashboardCard::Memory),
        memory_used: None,
        memory_limit: None,
        connections: of_card(DashboardCard::Connections),
        max_connections: read(MetricQuery::last("db_client_connection_max")),
        waiting: read(MetricQuery::last("db_client_connection_pending_requests")),
        acquire_p95: read(MetricQuery::quantile(0.95, WAITS)),
    }
}

/// The maximum number of connections of the pool at a time, in milliseconds since the Unix epoch. `None` unless there is
/// one pool.
pub(super) fn only_pool_max(history: &History, at: u64) -> Option<f64> {
    let query =
        MetricQuery::last("db_client_connection_max").by(["db_client_connection_pool_name"]);
    let series = history.at(&query, time(at)).ok()?;
    match series.as_slice() {
        [pool] => Some(pool.points.first()?.value),
        _ => None,
    }
}

fn classes(history: &History, window: Duration, to: u64) -> ClassCounts {
    let by_class = finished(MetricQuery::increase(REQUESTS)).by([OUTCOME, STATUS]);
    let series = history.at(&by_class.window(window), time(to));
    let mut classes = ClassCounts::default();
    for series in series.unwrap_or_default() {
        let value = series.points.first().map_or(0.0, |point| point.value);
        classes.add(counts_of(&series, value));
    }
    classes
}

/// What the labels of a result say about this many requests.
pub(super) fn counts_of(series: &ResultSeries, value: f64) -> ClassCounts {
    let count = whole(value);
    let class = class_of_labels(label(series, OUTCOME), label(series, STATUS));
    let counted = |is: bool| if is { count } else { 0 };
    ClassCounts {
        count,
        errors: counted(class.is_error),
        client_errors: counted(class.is_client_error),
        cancelled: counted(class.is_cancelled),
    }
}

/// The same time a week ago, or yesterday, or an hour ago, or the time just before, whichever the history has first.
pub(super) fn earlier(history: &History, now: u64) -> Option<EarlierFigures> {
    const LENGTH: u64 = 10 * 60_000;
    const HOUR: u64 = 3_600_000;
    let ends = [7 * 24 * HOUR, 24 * HOUR, HOUR, LENGTH];
    ends.into_iter().find_map(|ago| {
        let to = now.checked_sub(ago)?;
        let from = to.checked_sub(LENGTH)?;
        let covered = history.covered(time(from), time(to));
        // Two snapshots may be missing at the edges.
        let is_covered = covered + history.interval() * 2 >= Duration::from_millis(LENGTH);
        is_covered.then(|| EarlierFigures {
            figures: figures(history, from, to),
            from,
            to,
        })
    })
}

/// The figures of the period of the same length before another one, if the history has it.
pub(super) fn before(history: &History, from: u64, to: u64) -> Option<EarlierFigures> {
    let length = to.checked_sub(from)?;
    let begin = from.checked_sub(length)?;
    let covered = history.covered(time(begin), time(from)) + history.interval() * 2;
    (covered >= Duration::from_millis(length)).then(|| EarlierFigures {
        figures: figures(history, begin, from),
        from: begin,
        to: from,
    })
}

/// The curves of the `steps` steps that end at `end`.
pub(super) fn curves(
    history: &History,
    end: u64,
    step: Duration,
    steps: usize,
) -> Result<Curves, String> {
    let step_ms = u64::try_from(step.as_millis()).unwrap_or(u64::MAX);
    let length = step_ms.saturating_mul(steps as u64);
    let start = end.saturating_sub(length);
    let mut values = CardCurves::default();
    for (card, values) in DashboardCard::ALL.into_iter().zip(&mut values) {
        *values = match query(card) {
            Some(query) => {
                let mut curve = vec![None; steps];
                let read = history.range(
                    &query.window(window(history, step)),
                    time(start.saturating_add(step_ms)),
                    time(end),
                    step,
                );
                for series in read.map_err(|error| error.to_string())? {
                    put_points(&mut curve, &series, start, step_ms, |_, value| Some(value));
                }
                curve
            }
            None => error_rates(history, start, end, step, steps)?,
        };
    }
    let markers = history.markers(time(start), time(end));
    Ok(Curves {
        gaps: data_gaps(&values, start, step_ms, &markers),
        start,
        step_ms,
        values,
    })
}

fn error_rates(
    history: &History,
    start: u64,
    end: u64,
    step: Duration,
    steps: usize,
) -> Result<Vec<Option<f64>>, String> {
    let step_ms = u64::try_from(step.as_millis()).unwrap_or(u64::MAX);
    let by_class = finished(MetricQuery::increase(REQUESTS)).by([OUTCOME, STATUS]);
    let first = time(start.saturating_add(step_ms));
    let read = history.range(
        &by_class.window(window(history, step)),
        first,
        time(end),
        step,
    );
    let mut counts = vec![None; steps];
    for series in read.map_err(|error| error.to_string())? {
        put_points(
            &mut counts,
            &series,
            start,
            step_ms,
            |before: Option<ClassCounts>, value| {
                let mut all = before.unwrap_or_default();
                all.add(counts_of(&series, value));
                Some(all)
            },
        );
    }
    let rate = |counts: Option<ClassCounts>| counts.and_then(|it| it.share(it.errors));
    Ok(counts.into_iter().map(rate).collect())
}

/// Combines the values of a result with those of each step.
pub(super) fn put_points<T: Copy>(
    curve: &mut [Option<T>],
    series: &ResultSeries,
    start: u64,
    step_ms: u64,
    combine: impl Fn(Option<T>, f64) -> Option<T>,
) {
    for point in &series.points {
        let at = point.at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let at = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
        let steps = at.saturating_sub(start).checked_div(step_ms).unwrap_or(0);
        let index = usize::try_from(steps)
            .ok()
            .and_then(|steps| steps.checked_sub(1));
        if let Some(value) = index.and_then(|index| curve.get_mut(index)) {
            *value = combine(*value, point.value);
        }
    }
}

/// The load in requests per second, for each of the `steps` steps that end at `end`.
pub(super) fn load(history: &History, end: u64, step: Duration, steps: usize) -> Vec<Option<f64>> {
    let step_ms = u64::try_from(step.as_millis()).unwrap_or(u64::MAX);
    let start = end.saturating_sub(step_ms.saturating_mul(steps as u64));
    let mut curve = vec![None; steps];
    let query = query(DashboardCard::Requests).map(|query| query.window(window(history, step)));
    let first = time(start.saturating_add(step_ms));
    let read = query.and_then(|query| history.range(&query, first, time(end), step).ok());
    for series in read.unwrap_or_default() {
        put_points(&mut curve, &series, start, step_ms, |_, value| Some(value));
    }
    curve
}

/// The route with most of the failures of the last five minutes, or of two snapshots.
pub(super) fn failing_route(history: &History, now: u64) -> Option<FailingRoute> {
    let by_route = finished(MetricQuery::increase(REQUESTS)).by([ROUTE, METHOD, OUTCOME, STATUS]);
    let length = Duration::from_secs(300).max(history.interval() * 2);
    let series = history.at(&by_route.window(length), time(now));
    let mut by_route = std::collections::BTreeMap::<(String, String), u64>::new();
    for series in series.ok()? {
        let value = series.points.first().map_or(0.0, |point| point.value);
        let errors = counts_of(&series, value).errors;
        if errors > 0 {
            let route = (
                label(&series, METHOD).to_owned(),
                label(&series, ROUTE).to_owned(),
            );
            *by_route.entry(route).or_default() += errors;
        }
    }
    let all: u64 = by_route.values().sum();
    let ((method, route), errors) = by_route.into_iter().max_by_key(|(_, errors)| *errors)?;
    Some(FailingRoute {
        method: (!method.is_empty()).then_some(method),
        route,
        share: errors as f64 / all as f64,
    })
}

pub(super) fn label<'a>(series: &'a ResultSeries, label: &str) -> &'a str {
    let found = series.labels.iter().find(|(name, _)| name == label);
    found.map_or("", |(_, value)| value)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "increases are whole numbers and not negative"
)]
pub(super) fn whole(count: f64) -> u64 {
    count.round() as u64
}
