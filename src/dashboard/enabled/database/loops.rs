//! Requests that ran one statement in a loop ("N+1 queries"), by route.

use std::collections::BTreeMap;

use super::super::json::{self, ObjectWriter};
use super::super::live_window::REQUESTS;
use super::super::operations::values_by;
use super::super::past::{ROUTE, finished, whole};
use super::super::route_figures::RoutePeriod;
use super::super::setup::DashboardSetup;
use super::super::span_facts::text;
use crate::db::summary_label;
use crate::history::MetricQuery;
use crate::model::TraceId;
use crate::semconv;
use crate::trace::{StoredTraceQuery, find_roots};

/// The maximum number of kept traces that are looked at, the latest ones.
const MAX_TRACES: usize = 2000;
/// The maximum number of routes in the list.
const MAX_ROUTES: usize = 50;

const LOOPS: &str = "watchpost_request_n_plus_one_total";
const QUERIES: &str = "watchpost_request_db_queries_total";

/// The requests of a route that ran a statement in a loop.
pub(super) struct StatementLoop {
    route: String,
    /// Requests with such a loop, of all requests of the route.
    count: u64,
    requests: u64,
    queries_per_request: Option<f64>,
    /// From the latest kept trace with such a loop.
    sample: Option<LoopSample>,
}

#[derive(Clone)]
struct LoopSample {
    /// The statement of the loop.
    summary: String,
    method: String,
    trace_id: TraceId,
}

/// Reads the loops of a period, the most frequent first.
pub(super) fn read(setup: &DashboardSetup, period: RoutePeriod) -> Vec<StatementLoop> {
    let history = &setup.history;
    let of = |query| values_by(history, query, [ROUTE], period);
    let requests = of(finished(MetricQuery::increase(REQUESTS)));
    let queries = of(MetricQuery::increase(QUERIES));
    let mut found = of(MetricQuery::increase(LOOPS));
    found.retain(|_, count| whole(*count) > 0);
    if found.is_empty() {
        return Vec::new();
    }
    let samples = samples(setup);
    let mut loops: Vec<StatementLoop> = found
        .into_iter()
        .map(|(key, count)| {
            let [route] = &key;
            let all = requests.get(&key).copied().unwrap_or_default();
            let queries = queries.get(&key).filter(|_| all > 0.0);
            StatementLoop {
                route: route.clone(),
                count: whole(count),
                requests: whole(all),
                queries_per_request: queries.map(|queries| queries / all),
                sample: samples.get(route).cloned(),
            }
        })
        .collect();
    loops.sort_by_key(|it| std::cmp::Reverse(it.count));
    loops.truncate(MAX_ROUTES);
    loops
}

/// The latest kept trace with a loop of each route.
fn samples(setup: &DashboardSetup) -> BTreeMap<String, LoopSample> {
    let mut samples = BTreeMap::new();
    // Those that ended last come first.
    for (_, root) in find_roots(&setup.recent, &StoredTraceQuery::default(), MAX_TRACES) {
        let text = |key| text(&root, key).map(str::to_owned);
        let summary = text(semconv::DB_N_PLUS_ONE);
        let Some((summary, route)) = summary.zip(text(semconv::HTTP_ROUTE)) else {
            continue;
        };
        samples.entry(route).or_insert_with(|| LoopSample {
            summary,
            method: text(semconv::HTTP_REQUEST_METHOD).unwrap_or_default(),
            trace_id: root.trace_id,
        });
    }
    samples
}

impl StatementLoop {
    /// Whether the loop is known to run the statement whose summary has this label.
    pub(super) fn runs(&self, label: &str) -> bool {
        let sample = self.sample.as_ref();
        sample.is_some_and(|sample| summary_label(&sample.summary) == label)
    }
}

pub(super) fn write(loops: &[StatementLoop]) -> String {
    json::list(|list| {
        for it in loops {
            list.object(|out| put(out, it));
        }
    })
}

fn put(out: &mut ObjectWriter<'_>, it: &StatementLoop) {
    out.text("route", &it.route);
    let sample = it.sample.as_ref();
    out.optional_text("method", sample.map(|sample| sample.method.as_str()));
    out.integer("count", it.count);
    out.integer("requests", it.requests);
    out.number("queries_per_request", it.queries_per_request);
    let summary = sample.map(|sample| summary_label(&sample.summary));
    out.optional_text("summary", summary.as_deref());
    let trace = sample.map(|sample| sample.trace_id.to_string());
    out.optional_text("trace_id", trace.as_deref());
}
