//! The document of one trace: its spans as a tree, its log lines and errors, and what a typical trace looks like.

use std::sync::Arc;
use std::time::SystemTime;

use super::compare::{self, Comparison};
use super::filter::SearchedId;
use super::list::{filter_of_id, find};
use super::span_tree::{PlacedSpan, placed};
use super::trace_facts::{SpanWork, label, offset_micros, shown, title};
use super::trace_signals;
use crate::clock::{Nanos, nanos};
use crate::dashboard::enabled::changes::millis;
use crate::dashboard::enabled::documents::{query_text, query_value};
use crate::dashboard::enabled::json::{self, ListWriter, ObjectWriter};
use crate::dashboard::enabled::publisher::Dashboard;
use crate::dashboard::enabled::setup::DashboardSetup;
use crate::dashboard::enabled::span_facts::{has_failed, integer, root_of, text};
use crate::model::{SpanId, TraceId};
use crate::semconv;
use crate::trace::{AttributeValue, KeptTrace, Span, SpanStatus, TraceLookup, find_trace};

/// The maximum number of spans of a document.
const MAX_SPANS: usize = 10_000;
/// The attributes, events and links of spans take about this many bytes in a document. Those of further spans are read when
/// they are asked for.
const MAX_DETAILS: usize = 512 << 10;

/// Which trace to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::dashboard::enabled) struct TraceRequest {
    id: SearchedId,
    /// The span whose attributes are needed, however many others there are.
    span: Option<SpanId>,
}

impl TraceRequest {
    /// Reads the query of a URL.
    ///
    /// # Errors
    ///
    /// Returns a sentence that names the part that is not valid.
    pub(in crate::dashboard::enabled) fn of_query(query: &str) -> Result<Self, &'static str> {
        let id = query_value(query, "id").and_then(query_text);
        let id = id.and_then(|id| SearchedId::parse(&id));
        let span = match query_value(query, "span") {
            None => None,
            Some(span) => Some(
                span.parse()
                    .map_err(|_| "The span must be 16 hexadecimal digits.")?,
            ),
        };
        Ok(Self {
            id: id.ok_or("The id must be a trace ID or a request ID of at most 256 bytes.")?,
            span,
        })
    }
}

/// What is known of the trace that was asked for.
struct LookedUpTrace {
    trace_id: Option<TraceId>,
    trace: Option<Box<KeptTrace>>,
    stored_since: Option<SystemTime>,
    failure: Option<String>,
}

/// Writes the document of a trace. `None` if the monitor has ended.
pub(in crate::dashboard::enabled) async fn trace(
    dashboard: &Arc<Dashboard>,
    request: TraceRequest,
) -> Option<String> {
    let found = match &request.id {
        SearchedId::Trace(id) => {
            let found = look_up(dashboard, *id).await?;
            let other = request.id.as_request_id();
            match other.filter(|_| found.trace.is_none()) {
                None => found,
                Some(other) => by_list(dashboard, other)
                    .await?
                    .filter(|other| other.trace.is_some())
                    .unwrap_or(found),
            }
        }
        id => {
            let found = by_list(dashboard, id.clone()).await?;
            match (found, id.as_request_id()) {
                (Some(found), _) => found,
                (None, Some(other)) => by_list(dashboard, other)
                    .await?
                    .unwrap_or(LookedUpTrace::none()),
                (None, None) => LookedUpTrace::none(),
            }
        }
    };
    let span = request.span;
    dashboard
        .document(move |setup| write(setup, &found, span))
        .await
}

impl LookedUpTrace {
    fn none() -> Self {
        Self {
            trace_id: None,
            trace: None,
            stored_since: None,
            failure: None,
        }
    }
}

/// Finds the trace with an ID. The spans are decoded on a thread of the monitor.
async fn look_up(dashboard: &Arc<Dashboard>, id: TraceId) -> Option<LookedUpTrace> {
    let search = dashboard
        .document(move |setup| find_trace(&setup.recent, setup.trace_store.as_ref(), id))
        .await?;
    let mut found = LookedUpTrace {
        trace_id: Some(id),
        ..LookedUpTrace::none()
    };
    match search.await {
        Ok(TraceLookup::Found(trace)) => found.trace = Some(trace),
        Ok(TraceLookup::NotFound { stored_since }) => found.stored_since = stored_since,
        Err(error) => found.failure = Some(error.to_string()),
    }
    Some(found)
}

/// Finds the last trace whose ID contains this one. The outer option is `None` if the monitor has ended.
async fn by_list(dashboard: &Arc<Dashboard>, id: SearchedId) -> Option<Option<LookedUpTrace>> {
    let list = find(dashboard, &filter_of_id(id)).await?;
    match list.traces.first() {
        Some(trace) => look_up(dashboard, trace.trace_id).await.map(Some),
        None => Some(list.failure.map(|failure| LookedUpTrace {
            failure: Some(failure),
            ..LookedUpTrace::none()
        })),
    }
}

fn write(setup: &DashboardSetup, found: &LookedUpTrace, wanted: Option<SpanId>) -> String {
    let trace = found.trace.as_deref();
    json::object(|it| {
        it.integer("at", setup.now());
        let id = found.trace_id.map(|id| id.to_string());
        it.optional_text("trace_id", id.as_deref());
        it.bool("is_stored", setup.trace_store.is_some());
        it.integer("stored_since", found.stored_since.map(millis));
        it.optional_text("failed", found.failure.as_deref());
        let in_flight = setup.requests.in_flight();
        let running = in_flight
            .iter()
            .find(|it| Some(it.trace_id) == found.trace_id);
        it.number(
            "running_for",
            running.map(|it| it.running_for.as_secs_f64()),
        );
        trace_signals::put_logs(it, setup, found.trace_id, trace);
        trace_signals::put_errors(it, setup, found.trace_id, trace);
        it.optional("trace", trace, |it, trace| {
            let placed = placed(trace);
            let comparison =
                root_of(trace).and_then(|root| compare::with_typical(setup, root, &placed));
            put_trace(it, trace, &placed);
            put_spans(it, &placed, comparison.as_ref(), wanted);
            it.optional("typical", comparison.as_ref(), compare::put);
        });
    })
}

fn put_trace(it: &mut ObjectWriter<'_>, trace: &KeptTrace, placed: &[PlacedSpan<'_>]) {
    let root = root_of(trace);
    let of_root = |key: &str| root.and_then(|root| text(root, key));
    let has_root = trace.spans.iter().any(|span| span.is_root);
    let name = root.map_or("", |root| root.name.as_str());
    it.text("name", name);
    it.optional_text("method", of_root(semconv::HTTP_REQUEST_METHOD));
    it.text("route", of_root(semconv::HTTP_ROUTE).unwrap_or(name));
    it.integer("start", millis(trace.start));
    it.integer("duration_us", micros(nanos(trace.duration)));
    let took = root
        .filter(|_| has_root)
        .map(|root| root.duration.as_secs_f64());
    it.number("took", took);
    let status = root.and_then(|root| integer(root, semconv::HTTP_RESPONSE_STATUS_CODE));
    it.integer(
        "status",
        status.and_then(|status| u64::try_from(status).ok()),
    );
    let is_error = root.is_some_and(|root| root.status == SpanStatus::Error);
    it.bool("failed", has_failed(is_error, trace.kept));
    it.text("kept", trace.kept.as_str());
    it.optional_text("outcome", of_root(semconv::WATCHPOST_OUTCOME));
    it.optional_text("error_type", of_root(semconv::ERROR_TYPE));
    it.optional_text("user", of_root(semconv::USER_ID));
    it.bool("has_root", has_root);
    let lost = root.and_then(|root| integer(root, semconv::WATCHPOST_LOST_SPANS));
    let lost = lost.and_then(|lost| u64::try_from(lost).ok());
    it.integer("lost_spans", lost.unwrap_or_default());
    it.integer("span_count", placed.len() as u64);
}

fn micros(nanos: Nanos) -> u64 {
    nanos / 1000
}

fn put_spans(
    it: &mut ObjectWriter<'_>,
    placed: &[PlacedSpan<'_>],
    comparison: Option<&Comparison>,
    wanted: Option<SpanId>,
) {
    let mut room = MAX_DETAILS;
    it.list("spans", |list| {
        for (position, placed) in placed.iter().take(MAX_SPANS).enumerate() {
            list.object(|it| {
                put_span(it, placed);
                let typical = comparison.and_then(|it| it.counterpart(position));
                it.optional("typical", typical, |it, (start, end)| {
                    it.integer("start_us", micros(start));
                    it.integer("end_us", micros(end));
                });
                let size = size_of(placed.span);
                let has_room = size <= room || wanted == Some(placed.span.span_id);
                room = room.saturating_sub(if has_room { size } else { 0 });
                let details = has_room.then_some(placed.span);
                it.optional("details", details, put_details);
            });
        }
    });
}

fn put_span(it: &mut ObjectWriter<'_>, placed: &PlacedSpan<'_>) {
    let span = placed.span;
    let work = SpanWork::of(span, placed.outlives_parent);
    let label = label(span, work);
    it.text("id", &span.span_id.to_string());
    it.integer("depth", placed.depth as u64);
    it.integer("below", placed.below as u64);
    it.text("work", work.as_str());
    it.text("label", label);
    it.text("title", &title(span, label));
    it.integer("start_us", micros(placed.start));
    it.integer("end_us", micros(placed.end));
    it.bool("failed", span.status == SpanStatus::Error);
    it.bool("is_orphan", placed.is_orphan);
    it.list("on_path", |list| {
        for (from, to) in &placed.on_path {
            list.raw(&format!("[{},{}]", micros(*from), micros(*to)));
        }
    });
    it.integer("events", span.events.len() as u64);
}

/// About how many bytes the details of a span take.
fn size_of(span: &Span) -> usize {
    let of = |all: &[(String, AttributeValue)]| -> usize {
        let sizes = all
            .iter()
            .map(|(key, value)| key.len() + value_size(value) + 20);
        sizes.sum()
    };
    let events = span.events.iter();
    let events: usize = events
        .map(|it| it.name.len() + of(&it.attributes) + 40)
        .sum();
    let links: usize = span.links.iter().map(|it| of(&it.attributes) + 80).sum();
    of(&span.attributes) + events + links + span.status_message.len() + 80
}

fn value_size(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::Str(text) => text.len(),
        AttributeValue::Array(items) => items.iter().map(|item| value_size(item) + 2).sum(),
        _ => 8,
    }
}

fn put_details(it: &mut ObjectWriter<'_>, span: &Span) {
    it.text("name", &span.name);
    it.long_text("status_message", &span.status_message);
    it.text("scope", &span.scope);
    it.integer("left_out", u64::from(span.left_out));
    let statement = text(span, semconv::DB_QUERY_TEXT);
    match statement {
        Some(statement) => it.long_text("statement", statement),
        None => it.raw("statement", "null"),
    }
    it.list("attributes", |list| {
        let is_shown = |(key, _): &&(String, AttributeValue)| {
            statement.is_none() || key != semconv::DB_QUERY_TEXT
        };
        put_attributes(list, span.attributes.iter().filter(is_shown));
    });
    it.list("event_list", |list| {
        for event in &span.events {
            list.object(|it| {
                it.signed("at_us", offset_micros(event.at, span.start));
                it.long_text("name", &event.name);
                it.list("attributes", |list| {
                    put_attributes(list, event.attributes.iter());
                });
            });
        }
    });
    it.list("links", |list| {
        for link in &span.links {
            list.object(|it| {
                it.text("trace_id", &link.trace_id.to_string());
                it.text("span_id", &link.span_id.to_string());
                it.list("attributes", |list| {
                    put_attributes(list, link.attributes.iter());
                });
            });
        }
    });
}

fn put_attributes<'a>(
    list: &mut ListWriter<'_>,
    all: impl Iterator<Item = &'a (String, AttributeValue)>,
) {
    for (key, value) in all {
        list.object(|it| {
            it.text("key", key);
            it.long_text("value", &shown(value));
        });
    }
}
