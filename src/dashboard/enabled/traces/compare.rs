//! A trace beside a typical one: where their spans end, and what differs.

use super::span_tree::{PlacedSpan, placed};
use super::trace_facts::{SpanWork, label, shown, title};
use super::typical::{TypicalTrace, counterparts, typical};
use crate::clock::{Nanos, nanos, seconds};
use crate::dashboard::enabled::json::ObjectWriter;
use crate::dashboard::enabled::setup::DashboardSetup;
use crate::dashboard::enabled::span_facts::root_of;
use crate::semconv;
use crate::trace::Span;

/// The maximum number of spans, and of attributes, that are listed as different.
const MAX_SPANS: usize = 4;
const MAX_ATTRIBUTES: usize = 6;
/// Times on the critical path that differ by less are equal.
const MIN_DIFFERENCE: Nanos = 1_000_000;
/// Attributes that differ in each request, or follow from its duration.
const OF_EACH_REQUEST: [&str; 8] = [
    semconv::URL_PATH,
    semconv::URL_QUERY,
    semconv::CLIENT_ADDRESS,
    semconv::NETWORK_PEER_ADDRESS,
    semconv::USER_AGENT_ORIGINAL,
    semconv::WATCHPOST_KEPT,
    semconv::DB_DURATION_MS,
    "watchpost.time_to_headers_ms",
];

/// A trace beside a typical one.
pub(super) struct Comparison {
    typical: TypicalTrace,
    took: Nanos,
    spans: usize,
    /// For each span of this trace, where its counterpart begins and ends.
    counterparts: Vec<Option<(Nanos, Nanos)>>,
    times: Vec<SpanTime>,
    attributes: Vec<DifferentAttribute>,
}

/// The time on the critical path of a span itself, in both traces.
struct SpanTime {
    title: String,
    here: Nanos,
    /// `None` if the typical trace has no such span.
    there: Option<Nanos>,
}

struct DifferentAttribute {
    key: String,
    here: Option<String>,
    there: Option<String>,
}

impl Comparison {
    /// Where the counterpart of the span at this position begins and ends, from the start of the typical trace.
    pub(super) fn counterpart(&self, position: usize) -> Option<(Nanos, Nanos)> {
        self.counterparts.get(position).copied().flatten()
    }
}

/// Compares a trace with the typical one of its route or name. `None` if there is no other one in memory.
pub(super) fn with_typical(
    setup: &DashboardSetup,
    root: &Span,
    here: &[PlacedSpan<'_>],
) -> Option<Comparison> {
    let typical = typical(&setup.recent, root)?;
    let trace = setup.recent.trace(typical.trace_id)?;
    let there = placed(&trace);
    let other = root_of(&trace)?;
    let found = counterparts(here, &there);
    let counterparts = found.iter().map(|position| {
        let span = there.get((*position)?)?;
        Some((span.start, span.end))
    });
    let mut times: Vec<SpanTime> = here
        .iter()
        .zip(&found)
        .map(|(placed, position)| {
            let work = SpanWork::of(placed.span, placed.outlives_parent);
            let there = position.and_then(|position| there.get(position));
            SpanTime {
                title: title(placed.span, label(placed.span, work)),
                here: own_time(placed),
                there: there.map(own_time),
            }
        })
        .collect();
    let difference = |it: &SpanTime| it.here.abs_diff(it.there.unwrap_or_default());
    times.retain(|it| difference(it) >= MIN_DIFFERENCE);
    times.sort_by_key(|it| std::cmp::Reverse(difference(it)));
    times.truncate(MAX_SPANS);
    Some(Comparison {
        typical,
        took: nanos(other.duration),
        spans: there.len(),
        counterparts: counterparts.collect(),
        times,
        attributes: different(root, other),
    })
}

fn own_time(placed: &PlacedSpan<'_>) -> Nanos {
    placed.on_path.iter().map(|(from, to)| to - from).sum()
}

/// The attributes of the roots that differ, but for those that differ in each request.
fn different(here: &Span, there: &Span) -> Vec<DifferentAttribute> {
    let value = |of: &Span, key: &str| {
        let mut all = of.attributes.iter();
        all.find(|(name, _)| name == key)
            .map(|(_, value)| shown(value))
    };
    let keys = here.attributes.iter().chain(&there.attributes);
    let mut found: Vec<DifferentAttribute> = Vec::new();
    for (key, _) in keys {
        let is_new = !found.iter().any(|it| it.key == *key);
        if !is_new || OF_EACH_REQUEST.contains(&key.as_str()) {
            continue;
        }
        let (here, there) = (value(here, key), value(there, key));
        if here != there {
            found.push(DifferentAttribute {
                key: key.clone(),
                here,
                there,
            });
        }
        if found.len() == MAX_ATTRIBUTES {
            break;
        }
    }
    found
}

/// Writes the typical trace and what differs from it.
pub(super) fn put(it: &mut ObjectWriter<'_>, comparison: &Comparison) {
    it.text("trace_id", &comparison.typical.trace_id.to_string());
    it.number("took", Some(seconds(comparison.took)));
    it.integer("of", comparison.typical.of as u64);
    it.bool("is_sample", comparison.typical.is_sample);
    it.integer("span_count", comparison.spans as u64);
    it.list("times", |list| {
        for time in &comparison.times {
            list.object(|it| {
                it.text("title", &time.title);
                it.number("here", Some(seconds(time.here)));
                it.number("typical", time.there.map(seconds));
            });
        }
    });
    it.list("attributes", |list| {
        for attribute in &comparison.attributes {
            list.object(|it| {
                it.text("key", &attribute.key);
                it.optional_text("here", attribute.here.as_deref());
                it.optional_text("typical", attribute.there.as_deref());
            });
        }
    });
}
