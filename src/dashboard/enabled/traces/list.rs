//! The list of kept traces, and what differs between those that a filter selects and all.

use std::sync::Arc;

use super::differences::{Difference, TraceAttributes, rank};
use super::filter::{SearchedId, TraceFilter};
use super::trace_facts::shown;
use crate::dashboard::enabled::changes::millis;
use crate::dashboard::enabled::documents::OverviewRange;
use crate::dashboard::enabled::json::{self, ObjectWriter};
use crate::dashboard::enabled::publisher::Dashboard;
use crate::dashboard::enabled::span_facts::{has_failed, text};
use crate::model::KeepReason;
use crate::semconv;
use crate::trace::{
    KeptTraceList, Span, SpanStatus, StoredTrace, TraceCursor, find_in_memory, find_roots,
    is_selected, list_traces,
};

/// The maximum number of traces that are compared: the latest ones.
const MAX_COMPARED: usize = 2000;
/// Attributes that say no more than how the trace ended, how long it took, or what it was kept for. These are what is
/// selected.
const OF_THE_END: [&str; 9] = [
    semconv::HTTP_RESPONSE_BODY_SIZE,
    semconv::DB_DURATION_MS,
    "watchpost.time_to_headers_ms",
    semconv::HTTP_RESPONSE_STATUS_CODE,
    semconv::RPC_RESPONSE_STATUS_CODE,
    semconv::ERROR_TYPE,
    semconv::WATCHPOST_OUTCOME,
    semconv::WATCHPOST_KEPT,
    semconv::WATCHPOST_LOST_SPANS,
];

/// Writes the list. `None` if the monitor has ended.
pub(in crate::dashboard::enabled) async fn list(
    dashboard: &Arc<Dashboard>,
    filter: TraceFilter,
) -> Option<String> {
    let mut found = find(dashboard, &filter).await?;
    if found.traces.is_empty()
        && let Some(request) = filter.id.as_ref().and_then(SearchedId::as_request_id)
    {
        let other = TraceFilter {
            id: Some(request),
            ..filter.clone()
        };
        found = find(dashboard, &other).await?;
    }
    let now = dashboard.setup.now();
    Some(json::object(|it| {
        put_range(it, &filter, now);
        it.bool("is_stored", dashboard.setup.trace_store.is_some());
        it.integer("stored_since", found.stored_since.map(millis));
        it.list("traces", |list| {
            for trace in &found.traces {
                list.object(|it| put_row(it, trace));
            }
        });
        let next = found.next.map(|next| next.to_string());
        it.optional_text("next", next.as_deref());
        it.optional_text("failed", found.failure.as_deref());
    }))
}

/// Finds traces in memory and on disk.
pub(super) async fn find(
    dashboard: &Arc<Dashboard>,
    filter: &TraceFilter,
) -> Option<KeptTraceList> {
    let setup = &dashboard.setup;
    let (query, cursor) = (filter.query(setup.now()), filter.cursor);
    let wanted = query.clone();
    let in_memory = dashboard
        .document(move |setup| find_in_memory(&setup.recent, &wanted, cursor))
        .await?;
    let store = setup.trace_store.clone();
    Some(list_traces(&setup.recent, in_memory, store, query, cursor).await)
}

impl SearchedId {
    /// The same text as the ID of a request, if it was taken for another ID.
    pub(super) fn as_request_id(&self) -> Option<Self> {
        match self {
            Self::Trace(id) => Some(Self::Request(id.to_string())),
            Self::LowHalf(low) => Some(Self::Request(format!("{low:016x}"))),
            Self::Request(_) => None,
        }
    }
}

/// A filter that finds the trace of an ID.
pub(super) fn filter_of_id(id: SearchedId) -> TraceFilter {
    TraceFilter {
        range: OverviewRange::Last(0),
        route: None,
        min: None,
        max: None,
        status: None,
        kept: None,
        id: Some(id),
        cursor: TraceCursor::START,
        limit: 1,
    }
}

fn put_range(it: &mut ObjectWriter<'_>, filter: &TraceFilter, now: u64) {
    it.integer("at", now);
    let (from, to) = filter.bounds(now);
    it.object("range", |it| {
        it.integer("from", from);
        it.integer("to", to);
        it.bool("live", matches!(filter.range, OverviewRange::Last(_)));
    });
}

fn put_row(it: &mut ObjectWriter<'_>, trace: &StoredTrace) {
    // The name of a request is its method and its route.
    let method = trace.name.strip_suffix(trace.route.as_str());
    let method = method.and_then(|method| method.strip_suffix(' '));
    let route = match trace.route.as_str() {
        "" => &trace.name,
        route => route,
    };
    it.text("trace_id", &trace.trace_id.to_string());
    it.integer("at", millis(trace.start));
    it.optional_text("method", method);
    it.text("route", route);
    it.number("duration", Some(trace.duration.as_secs_f64()));
    it.integer("status", trace.status_code.map(u64::from));
    it.bool("failed", has_failed(trace.is_error, trace.kept));
    it.text("kept", trace.kept.as_str());
    let request_id = Some(trace.request_id.as_str()).filter(|id| !id.is_empty());
    it.optional_text("request_id", request_id);
}

/// Writes what differs between the traces that the filter selects and all kept traces of its range and route, in memory.
/// Without a filter, those that failed or were slow are selected. `None` if the monitor has ended.
pub(in crate::dashboard::enabled) async fn differences(
    dashboard: &Arc<Dashboard>,
    filter: TraceFilter,
) -> Option<String> {
    let now = dashboard.setup.now();
    let (base, wanted, selects) = (filter.base_query(now), filter.query(now), filter.selects());
    let (rows, selected, all) = dashboard
        .document(move |setup| {
            let roots = find_roots(&setup.recent, &base, MAX_COMPARED);
            let traces: Vec<(bool, TraceAttributes)> = roots
                .into_iter()
                .map(|(kept, root)| {
                    let is_wanted = if selects {
                        is_selected(&wanted, &root, kept)
                    } else {
                        has_failed(root.status == SpanStatus::Error, kept)
                            || matches!(kept, KeepReason::Captured | KeepReason::Slow)
                    };
                    (is_wanted, attributes(&root))
                })
                .collect();
            let selected = traces
                .iter()
                .filter(|(is_selected, _)| *is_selected)
                .count();
            let all = traces.len();
            (rank(traces), selected, all)
        })
        .await?;
    Some(json::object(|it| {
        put_range(it, &filter, now);
        it.integer("selected", selected as u64);
        it.integer("all", all as u64);
        it.bool("by_filter", selects);
        it.list("rows", |list| {
            for row in &rows {
                list.object(|it| put_difference(it, row));
            }
        });
    }))
}

/// Attributes that say how a request came, and not what is special about it.
const OF_THE_WAY: [&str; 6] = [
    semconv::NETWORK_PEER_ADDRESS,
    semconv::NETWORK_PROTOCOL_VERSION,
    semconv::SERVER_ADDRESS,
    semconv::SERVER_PORT,
    semconv::URL_QUERY,
    semconv::URL_SCHEME,
];

fn attributes(root: &Span) -> TraceAttributes {
    let all = root.attributes.iter();
    let route = text(root, semconv::HTTP_ROUTE);
    let all = all.filter(|(key, _)| {
        let key = key.as_str();
        // The path of a route without parameters says the same.
        let is_path_of_route = key == semconv::URL_PATH && text(root, key) == route;
        !OF_THE_END.contains(&key) && !OF_THE_WAY.contains(&key) && !is_path_of_route
    });
    all.map(|(key, value)| (key.clone(), shown(value)))
        .collect()
}

fn put_difference(it: &mut ObjectWriter<'_>, row: &Difference) {
    it.text("key", &row.key);
    it.text("value", &row.value);
    it.integer("selected", row.selected as u64);
    it.integer("all", row.all as u64);
    it.number("share_selected", Some(row.share_selected));
    it.number("share_all", Some(row.share_all));
}
