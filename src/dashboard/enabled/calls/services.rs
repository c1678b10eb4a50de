//! The services that the host calls.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::super::documents::OverviewRange;
use super::super::json::{self, ObjectWriter};
use super::super::operations::{
    self, CurveSteps, OperationEnd, OperationFigures, OperationSource, RouteMethods, curves_by,
};
use super::super::past::{OUTCOME, STATUS, label};
use super::super::periods::{period_of, put_period, step_millis, step_of};
use super::super::setup::DashboardSetup;
use super::models;
use crate::external::{Dependency, Limit};
use crate::history::{MetricQuery, ResultSeries};

/// The maximum number of services.
const MAX_SERVICES: usize = 65;
const LIST_STEPS: u64 = 60;

const SERVICE: &str = "service_peer_name";

const CALLS: OperationSource = OperationSource {
    metric: "http_client_request_duration_seconds",
    class_labels: &[OUTCOME, STATUS],
    class: end_of,
};

/// As the state of a service counts: a 4xx but 429 says nothing of the service.
fn end_of(series: &ResultSeries) -> OperationEnd {
    match label(series, OUTCOME) {
        "failed" | "timeout" | "body_error" | "panicked" => OperationEnd::Failed,
        "cancelled" | "body_dropped" => OperationEnd::Cancelled,
        _ => match label(series, STATUS).parse::<u16>() {
            Ok(status) if status >= 500 || status == 429 => OperationEnd::Failed,
            _ => OperationEnd::Completed,
        },
    }
}

/// Writes the services and the models. It reads the history, so it belongs on the blocking pool.
pub(in crate::dashboard::enabled) fn calls(setup: &DashboardSetup, range: OverviewRange) -> String {
    let period = period_of(setup, range);
    let history = &setup.history;
    let read = operations::figures(history, &CALLS, &[SERVICE], period, &|query| query);
    let failed = read.as_ref().err().cloned();
    let figures: BTreeMap<String, OperationFigures> = read
        .unwrap_or_default()
        .into_iter()
        .filter_map(|(key, figures)| Some((key.into_iter().next()?, figures)))
        .collect();
    let length = step_of(setup, period, LIST_STEPS);
    let steps = CurveSteps::of(period, length);
    let p95 = curves_by(
        history,
        MetricQuery::quantile(0.95, CALLS.metric),
        SERVICE,
        steps,
    );
    let methods = RouteMethods::read(history, period);
    let dependencies = setup.calls.dependencies();
    let callers: BTreeMap<Arc<str>, _> = setup.calls.callers().into_iter().collect();
    let known = dependencies.iter().map(|it| &*it.service);
    let names: BTreeSet<&str> = figures.keys().map(String::as_str).chain(known).collect();
    json::object(|it| {
        put_period(it, setup, range, period);
        it.integer("start", steps.start());
        it.integer("step_ms", step_millis(length));
        it.integer("count", names.len() as u64);
        it.list("services", |list| {
            for name in names.iter().take(MAX_SERVICES) {
                list.object(|it| {
                    it.text("service", name);
                    it.bool("is_other", *name == "_other");
                    let own = figures.get(*name).copied().unwrap_or_default();
                    operations::put_figures(it, &own);
                    let mut known = dependencies.iter();
                    let known = known.find(|dependency| *dependency.service == **name);
                    put_state(it, setup, known);
                    let callers = callers.get(*name);
                    it.list("callers", |list| {
                        for (route, calls) in callers.iter().flat_map(|it| &it.routes) {
                            list.object(|it| {
                                methods.put_caller(it, route, *calls);
                            });
                        }
                    });
                    it.integer("other_callers", callers.map_or(0, |it| it.others));
                    let curve = p95.get(*name).map_or(&[][..], Vec::as_slice);
                    it.numbers("p95_curve", curve);
                });
            }
        });
        it.raw("models", &models::write(setup, period));
        it.optional_text("failed", failed.as_deref());
    })
}

/// The state of a service now. A service that this process has not called has none.
fn put_state(it: &mut ObjectWriter<'_>, setup: &DashboardSetup, known: Option<&Dependency>) {
    let seconds = |time: Duration| time.as_secs_f64();
    it.optional_text("state", known.map(|known| known.state.as_str()));
    it.text("reason", known.map_or("", |known| known.reason.as_str()));
    it.integer("calls_since_start", known.map(|known| known.calls));
    it.number("recent_rate", known.map(|known| known.rate));
    it.number("recent_error_rate", known.map(|known| known.error_rate));
    let last = known.and_then(|known| known.last_error.as_ref());
    it.optional_text("last_error", last.map(|error| error.error.as_str()));
    let age = |age: Duration| u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
    let at = last.map(|error| setup.now().saturating_sub(age(error.age)));
    it.integer("last_error_at", at);
    it.list("limits", |list| {
        for limit in known.iter().flat_map(|known| &known.limits) {
            list.object(|it| put_limit(it, limit, seconds));
        }
    });
}

fn put_limit(it: &mut ObjectWriter<'_>, limit: &Limit, seconds: fn(Duration) -> f64) {
    it.text("window", &limit.window);
    it.integer("limit", limit.limit);
    it.integer("remaining", limit.remaining);
    it.number("used", limit.used_ratio);
    it.number("reset_in", limit.reset.map(seconds));
    it.number("exhausted_in", limit.exhausted_in.map(seconds));
}

/// Writes the services that requests of a route call, since the start: those with most calls first.
pub(in crate::dashboard::enabled) fn of_route(setup: &DashboardSetup, route: &str) -> String {
    let dependencies = setup.calls.dependencies();
    let mut called: Vec<(u64, Arc<str>)> = setup
        .calls
        .callers()
        .into_iter()
        .filter_map(|(service, callers)| {
            let mut routes = callers.routes.iter();
            let (_, calls) = routes.find(|(name, _)| **name == *route)?;
            Some((*calls, service))
        })
        .collect();
    called.sort_by(|one, other| other.cmp(one));
    json::list(|list| {
        for (calls, service) in called.into_iter().take(MAX_SERVICES) {
            list.object(|it| {
                it.text("service", &service);
                it.integer("calls", calls);
                let mut known = dependencies.iter();
                let known = known.find(|known| known.service == service);
                it.integer("all_calls", known.map(|known| known.calls));
                it.optional_text("state", known.map(|known| known.state.as_str()));
                let is_used = known.filter(|known| known.rate > 0.0);
                it.number("p95", is_used.map(|known| known.p95.as_secs_f64()));
                it.number("error_rate", is_used.map(|known| known.error_rate));
            });
        }
    })
}
