//! The documents of the routes: the list of all, and one route.

use std::cmp::Reverse;
use std::time::Duration;

use super::calls;
use super::changes::millis;
use super::documents::OverviewRange;
use super::heat;
use super::json::{self, ListWriter, ObjectWriter};
use super::last_lines;
use super::live_window::REQUESTS;
use super::operations::values_by;
use super::past::{finished, time};
use super::periods::{end_of_traces, period_of, put_period, share, step_millis, step_of, steps_of};
use super::route_figures::{
    self, ANSWERS, RouteCurves, RouteFigures, RouteName, RoutePeriod, StatusCount,
};
use super::sections;
use super::setup::DashboardSetup;
use super::span_facts::text;
use crate::db::summary_label;
use crate::history::{Marker, MarkerKind, MetricQuery};
use crate::logs::LogQuery;
use crate::model::TraceId;
use crate::semconv;
use crate::trace::{StoredTraceQuery, find_roots};

/// The maximum number of routes in the list: those with most requests.
const MAX_ROUTES: usize = 500;
/// The maximum number of kept traces of a route that are looked at, the latest ones.
const MAX_TRACES: usize = 2000;
/// The number of steps of a curve in the list.
const LIST_STEPS: usize = 30;
/// The maximum number of steps of a curve of one route.
const MAX_STEPS: u64 = 180;
/// How many log records are looked at for those of one route.
const MAX_LINES: usize = 2000;
/// The longest time before and after a deploy that is compared, in milliseconds.
const MAX_COMPARED: u64 = 3_600_000;
/// How many markers are looked at for the last deploy.
const MAX_MARKERS: usize = 200;
/// The maximum number of queries, and of statuses.
const MAX_ROWS: usize = 12;

/// Writes the list of all routes. It reads the history, so it belongs on the blocking pool.
pub(super) fn list(setup: &DashboardSetup, range: OverviewRange) -> String {
    let period = period_of(setup, range);
    let now = route_figures::figures(&setup.history, None, period);
    let earlier = route_figures::before(&setup.history, period);
    let before = earlier.and_then(|it| route_figures::figures(&setup.history, None, it).ok());
    let step = step_of(setup, period, LIST_STEPS as u64);
    let steps = steps_of(period, step);
    let curves = route_figures::p95_curves(&setup.history, period.to, step, steps);
    let curves = curves.unwrap_or_default();
    let failed = now.as_ref().err().cloned();
    let mut routes: Vec<_> = now.unwrap_or_default().into_iter().collect();
    let count = routes.len();
    routes.sort_by_key(|(_, figures)| Reverse(figures.counts.count));
    let seconds: f64 = routes.iter().map(|(_, figures)| figures.seconds).sum();
    let errors: u64 = routes.iter().map(|(_, it)| it.counts.errors).sum();
    json::object(|it| {
        put_period(it, setup, range, period);
        it.integer("count", count as u64);
        it.integer("start", route_figures::start(period.to, step, steps));
        it.integer("step_ms", step_millis(step));
        it.list("routes", |list| {
            for (name, figures) in routes.iter().take(MAX_ROUTES) {
                list.object(|it| {
                    put_name(it, name);
                    put_figures(it, figures);
                    it.number("time_share", share(figures.seconds, seconds));
                    let of_errors = share(figures.counts.errors as f64, errors as f64);
                    it.number("error_share", of_errors);
                    let before = before.as_ref().and_then(|before| before.get(name));
                    it.optional("before", before, put_figures);
                    match curves.get(name) {
                        Some(curve) => it.numbers("p95_curve", curve),
                        None => it.raw("p95_curve", "[]"),
                    }
                });
            }
        });
        it.optional_text("failed", failed.as_deref());
    })
}

/// Writes what is known of one route. It reads the history, so it belongs on the blocking pool.
pub(super) fn route(setup: &DashboardSetup, name: &RouteName, range: OverviewRange) -> String {
    let period = period_of(setup, range);
    let history = &setup.history;
    let own = route_figures::figures(history, Some(name), period);
    let failed = own.as_ref().err().cloned();
    let own = own.ok().and_then(|mut all| all.remove(name));
    let own = own.unwrap_or_default();
    let seconds = finished(MetricQuery::sum_increase(REQUESTS));
    let seconds: f64 = values_by(history, seconds, [], period).into_values().sum();
    let before = route_figures::before(history, period).map(|it| of_route(setup, name, it));
    let step = step_of(setup, period, MAX_STEPS);
    let steps = steps_of(period, step);
    let curves = route_figures::curves(history, name, period.to, step, steps).unwrap_or_default();
    let heat_step = step_of(setup, period, heat::MAX_COLUMNS);
    let columns = steps_of(period, heat_step);
    let requests = route_figures::of(MetricQuery::increase(REQUESTS), Some(name));
    let map = heat::read(history, requests, period.to, heat_step, columns).unwrap_or_default();
    let heat_start = route_figures::start(period.to, heat_step, columns);
    let statuses = route_figures::statuses(history, name, period).unwrap_or_default();
    let markers = history.latest_markers(MAX_MARKERS);
    json::object(|it| {
        put_period(it, setup, range, period);
        put_name(it, name);
        it.object("figures", |it| put_figures(it, &own));
        it.number("time_share", share(own.seconds, seconds));
        it.optional("before", before.as_ref(), put_figures);
        it.integer("start", route_figures::start(period.to, step, steps));
        it.integer("step_ms", step_millis(step));
        put_curves(it, &curves);
        it.object("heat", |it| {
            heat::put(it, &map, heat_start, step_millis(heat_step));
        });
        it.list("statuses", |list| put_statuses(list, &statuses));
        put_deploy(it, setup, name, &markers);
        it.list("queries", |list| put_queries(list, setup, name));
        it.raw("calls", &calls::of_route(setup, &name.route));
        it.raw("errors", &errors(setup, name));
        let end = end_of_traces(setup, range, period);
        it.raw("traces", &traces(setup, name, (period.from, end)));
        it.raw("logs", &lines(setup, name));
        it.raw("markers", &sections::markers(&markers, setup.now()));
        it.optional_text("failed", failed.as_deref());
    })
}

fn of_route(setup: &DashboardSetup, name: &RouteName, period: RoutePeriod) -> RouteFigures {
    let figures = route_figures::figures(&setup.history, Some(name), period);
    let figures = figures.ok().and_then(|mut all| all.remove(name));
    figures.unwrap_or_default()
}

fn put_name(it: &mut ObjectWriter<'_>, name: &RouteName) {
    it.text("route", &name.route);
    it.text("method", &name.method);
}

fn put_figures(it: &mut ObjectWriter<'_>, figures: &RouteFigures) {
    let counts = &figures.counts;
    it.integer("count", counts.count);
    it.number("rate", figures.rate);
    it.integer("errors", counts.errors);
    it.number("error_rate", counts.share(counts.errors));
    it.number("client_errors", counts.share(counts.client_errors));
    it.number("cancelled", counts.share(counts.cancelled));
    it.number("p50", figures.p50);
    it.number("p95", figures.p95);
    it.number("p99", figures.p99);
}

fn put_curves(it: &mut ObjectWriter<'_>, curves: &RouteCurves) {
    it.numbers("p50", &curves.p50);
    it.numbers("p95", &curves.p95);
    it.numbers("p99", &curves.p99);
    it.object("answers", |it| {
        for (name, curve) in ANSWERS.iter().zip(&curves.answers) {
            it.numbers(name, curve);
        }
    });
}

fn put_statuses(list: &mut ListWriter<'_>, statuses: &[StatusCount]) {
    for status in statuses.iter().take(MAX_ROWS) {
        list.object(|it| {
            it.text("status", &status.status);
            it.text("outcome", &status.outcome);
            it.integer("count", status.count);
        });
    }
}

/// The figures after the last deploy, beside those of as much time before it.
fn put_deploy(
    it: &mut ObjectWriter<'_>,
    setup: &DashboardSetup,
    name: &RouteName,
    markers: &[Marker],
) {
    let is_deploy = |it: &&Marker| it.kind == MarkerKind::Start && it.is_new_version;
    let deploy = markers.iter().rev().find(is_deploy);
    let compared = deploy.map(|deploy| {
        let at = millis(deploy.time);
        let length = setup.now().saturating_sub(at).min(MAX_COMPARED);
        let (from, to) = (at.saturating_sub(length), at.saturating_add(length));
        let after = of_route(setup, name, RoutePeriod { from: at, to });
        let before = of_route(setup, name, RoutePeriod { from, to: at });
        (deploy, length, before, after)
    });
    it.optional("deploy", compared.as_ref(), |it, compared| {
        let (deploy, length, before, after) = compared;
        it.integer("at", millis(deploy.time));
        it.text("text", &deploy.text);
        it.integer("length_ms", *length);
        it.object("before", |it| put_figures(it, before));
        it.object("after", |it| put_figures(it, after));
    });
}

/// The statements that requests of the route have run since the start, those with most calls first.
fn put_queries(list: &mut ListWriter<'_>, setup: &DashboardSetup, name: &RouteName) {
    let stats = setup.queries.stats();
    let mut called: Vec<_> = stats
        .iter()
        .filter_map(|query| {
            let caller = query.callers.iter().find(|it| *it.route == *name.route)?;
            Some((caller.calls, query))
        })
        .collect();
    called.sort_by_key(|(calls, _)| Reverse(*calls));
    for (calls, query) in called.into_iter().take(MAX_ROWS) {
        list.object(|it| {
            it.text("system", query.system.as_str());
            it.text("namespace", query.namespace.as_deref().unwrap_or_default());
            // As the page of the statement has it.
            it.text("summary", &summary_label(&query.summary));
            it.text("text", &query.text);
            it.integer("calls", calls);
            it.integer("all_calls", query.calls);
            it.integer("errors", query.errors);
            it.number("p95", Some(query.p95.as_secs_f64()));
            it.number("total", Some(query.total.as_secs_f64()));
        });
    }
}

fn errors(setup: &DashboardSetup, name: &RouteName) -> String {
    let mut groups = setup.errors.groups();
    groups.retain(|group| group.route == name.route);
    sections::errors(&groups, setup.now())
}

/// The slowest kept traces of the route in a time.
fn traces(setup: &DashboardSetup, name: &RouteName, (from, to): (u64, u64)) -> String {
    let query = StoredTraceQuery::default().route(&name.route);
    let query = query.since(time(from)).until(time(to.saturating_add(1)));
    let roots = find_roots(&setup.recent, &query, MAX_TRACES).into_iter();
    let mut found: Vec<(Duration, TraceId)> = roots
        .filter(|(_, root)| text(root, semconv::HTTP_REQUEST_METHOD) == Some(&name.method))
        .map(|(_, root)| (root.duration, root.trace_id))
        .collect();
    found.sort_by_key(|(duration, _)| Reverse(*duration));
    let ids: Vec<TraceId> = found.into_iter().map(|(_, id)| id).collect();
    sections::traces(setup, &ids)
}

fn lines(setup: &DashboardSetup, name: &RouteName) -> String {
    let query = LogQuery::default().limit(MAX_LINES).without_requests();
    let found = setup.logs.read(&query);
    let of_route = found.records.iter().filter(|it| it.route == name.route);
    last_lines::write(of_route.take(sections::MAX_ROWS))
}
