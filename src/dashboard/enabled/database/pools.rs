//! Connection pools.

use std::collections::{BTreeMap, BTreeSet};

use super::super::documents::OverviewRange;
use super::super::json::{self, ObjectWriter};
use super::super::live_window::WAITS;
use super::super::operations::{CurveSteps, curves_by, values_by};
use super::super::past::whole;
use super::super::periods::{period_of, put_period, step_millis, step_of};
use super::super::sections;
use super::super::setup::DashboardSetup;
use crate::history::{Aggregation, MetricQuery};

/// The maximum number of pools.
const MAX_POOLS: usize = 32;
const MAX_STEPS: u64 = 120;
const MAX_MARKERS: usize = 200;

const POOL: &str = "db_client_connection_pool_name";
const STATE: &str = "db_client_connection_state";
const COUNT: &str = "db_client_connection_count";
const MAX: &str = "db_client_connection_max";
const PENDING: &str = "db_client_connection_pending_requests";
const TIMEOUTS: &str = "db_client_connection_timeouts_total";

/// A value or a curve of each pool.
type ByPool<T> = BTreeMap<String, T>;

struct PoolReadings {
    used: ByPool<f64>,
    idle: ByPool<f64>,
    most_used: ByPool<f64>,
    max: ByPool<f64>,
    waiting: ByPool<f64>,
    most_waiting: ByPool<f64>,
    waits: ByPool<f64>,
    wait_p50: ByPool<f64>,
    wait_p95: ByPool<f64>,
    timeouts: ByPool<f64>,
}

/// Writes the pools with their curves. It reads the history, so it belongs on the blocking pool.
pub(in crate::dashboard::enabled) fn pools(setup: &DashboardSetup, range: OverviewRange) -> String {
    let period = period_of(setup, range);
    let history = &setup.history;
    let of = |query: MetricQuery| -> ByPool<f64> {
        let found = values_by(history, query, [POOL], period);
        found
            .into_iter()
            .map(|([name], value)| (name, value))
            .collect()
    };
    let in_state = |query: MetricQuery, state: &str| query.label(STATE, state);
    let figures = PoolReadings {
        used: of(in_state(MetricQuery::last(COUNT), "used")),
        idle: of(in_state(MetricQuery::last(COUNT), "idle")),
        most_used: of(in_state(MetricQuery::max(COUNT), "used")),
        max: of(MetricQuery::last(MAX)),
        waiting: of(MetricQuery::last(PENDING)),
        most_waiting: of(MetricQuery::max(PENDING)),
        waits: of(MetricQuery::increase(WAITS)),
        wait_p50: of(MetricQuery::quantile(0.5, WAITS)),
        wait_p95: of(MetricQuery::quantile(0.95, WAITS)),
        timeouts: of(MetricQuery::increase(TIMEOUTS)),
    };
    let length = step_of(setup, period, MAX_STEPS);
    let steps = CurveSteps::of(period, length);
    let highest = |query: MetricQuery| query.aggregation(Aggregation::Max);
    let used = curves_by(
        history,
        highest(in_state(MetricQuery::max(COUNT), "used")),
        POOL,
        steps,
    );
    let waiting = curves_by(history, highest(MetricQuery::max(PENDING)), POOL, steps);
    let p95 = curves_by(history, MetricQuery::quantile(0.95, WAITS), POOL, steps);
    let names: BTreeSet<&String> = figures.used.keys().chain(figures.waits.keys()).collect();
    let markers = history.latest_markers(MAX_MARKERS);
    json::object(|it| {
        put_period(it, setup, range, period);
        it.integer("start", steps.start());
        it.integer("step_ms", step_millis(length));
        it.integer("count", names.len() as u64);
        it.list("pools", |list| {
            for name in names.iter().take(MAX_POOLS) {
                list.object(|it| {
                    it.text("name", name);
                    it.bool("is_other", *name == "_other");
                    put_figures(it, &figures, name);
                    for (key, curves) in [
                        ("used_curve", &used),
                        ("waiting_curve", &waiting),
                        ("wait_p95_curve", &p95),
                    ] {
                        let curve = curves.get(*name).map_or(&[][..], Vec::as_slice);
                        it.numbers(key, curve);
                    }
                });
            }
        });
        it.raw("markers", &sections::markers(&markers, setup.now()));
    })
}

fn put_figures(it: &mut ObjectWriter<'_>, figures: &PoolReadings, name: &str) {
    let of = |values: &ByPool<f64>| values.get(name).copied();
    it.number("used", of(&figures.used));
    it.number("idle", of(&figures.idle));
    it.number("most_used", of(&figures.most_used));
    it.number("max", of(&figures.max));
    it.number("waiting", of(&figures.waiting));
    it.number("most_waiting", of(&figures.most_waiting));
    it.integer("acquired", of(&figures.waits).map(whole));
    it.number("wait_p50", of(&figures.wait_p50));
    it.number("wait_p95", of(&figures.wait_p95));
    it.integer("timeouts", of(&figures.timeouts).map(whole));
}
