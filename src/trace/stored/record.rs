//! The encoding of a kept trace on disk. A later process reads it, so it has no numbers of callsites and no times of
//! this process's clock, and its texts are redacted.
//!
//! A later release reads the records of an earlier one, so a form never changes: a new form gets a new number.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::id_filter::{hash_request_id, hash_trace_id};
use crate::clock::{Clock, Nanos, nanos, wall_nanos};
use crate::model::codec::{Reader, put_bytes, put_str};
use crate::model::{KeepReason, Sampling, SpanId, TraceId, prefix};
use crate::semconv;
use crate::trace::attribute_value::AttributeValue;
use crate::trace::decode::{Span, SpanEvent, SpanLink, read_part};
use crate::trace::limits::SpanLimits;
use crate::trace::span_record::{
    EventRef, PartHead, SpanRecord, SpanStatus, TracePart, TraceRoot, ValueRef, attributes, events,
    links, put_head, put_link, put_no_root, put_span, put_span_root, put_value, value,
};

/// The form of a record: what a search needs, then the spans with all texts redacted.
const FORM: u8 = 1;
const HAS_ROOT: u8 = 1;
const IS_ERROR: u8 = 2;
/// The maximum number of bytes of a request ID.
const MAX_REQUEST_ID: usize = 256;
/// The attributes that have the request ID, in order of preference.
const REQUEST_IDS: [&str; 3] = [
    "http.request.header.x-request-id",
    "request.id",
    "request_id",
];

/// What a search needs of a stored record, and its spans.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct StoredFacts<'a> {
    pub(super) trace_id: TraceId,
    pub(super) kept: KeepReason,
    /// Whether the record has the request or topmost span, which the following fields describe.
    pub(super) has_root: bool,
    pub(super) is_error: bool,
    pub(super) status_code: Option<u16>,
    /// The start in nanoseconds since the Unix epoch; without a root, that of the first span.
    pub(super) start: u64,
    /// In nanoseconds.
    pub(super) duration: Nanos,
    pub(super) route: &'a str,
    pub(super) name: &'a str,
    pub(super) request_id: &'a str,
    part: &'a [u8],
}

/// Encodes a record of kept spans for the disk, redacted by the rules of the thread. Returns `None` if it is malformed
/// or has no spans.
pub(super) fn encode(
    record: &[u8],
    at: Nanos,
    clock: &Clock,
    limits: &SpanLimits,
) -> Option<Vec<u8>> {
    let trace_id = TracePart::read(record)?.trace;
    let part = read_part(record, at, clock, limits)?;
    let root = part.spans.first().filter(|first| first.is_root);
    let start = match root {
        Some(root) => root.start,
        None => part.spans.iter().map(|span| span.start).min()?,
    };
    let is_error = root.is_some_and(|root| root.status == SpanStatus::Error);
    let mut out = vec![FORM];
    out.extend_from_slice(&trace_id.to_u128().to_le_bytes());
    let flags = if root.is_some() { HAS_ROOT } else { 0 } | if is_error { IS_ERROR } else { 0 };
    out.extend_from_slice(&[part.kept.index(), flags]);
    let code = root.and_then(status_code).map_or(0, u32::from);
    out.extend_from_slice(&code.to_le_bytes());
    out.extend_from_slice(&wall_nanos(start).to_le_bytes());
    let duration = root.map_or(Duration::ZERO, |root| root.duration);
    out.extend_from_slice(&nanos(duration).to_le_bytes());
    put_str(
        &mut out,
        root.map_or("", |root| text_of(root, semconv::HTTP_ROUTE)),
    );
    put_str(&mut out, root.map_or("", |root| &root.name));
    put_str(&mut out, root.map_or("", request_id));
    // What was lost is in the attributes and the count of the root already, and nothing is sampled again.
    let head = PartHead {
        trace: trace_id,
        reason: part.kept,
        sampling: Sampling::own(true),
        lost_spans: 0,
        lost_events: 0,
        trace_state: "",
    };
    put_head(&mut out, &head);
    put_bytes(&mut out, &[]);
    match root {
        Some(root) => with_record(root, |record| put_span_root(&mut out, record)),
        None => put_no_root(&mut out),
    }
    for span in part.spans.iter().skip(usize::from(root.is_some())) {
        with_record(span, |record| put_span(&mut out, record));
    }
    Some(out)
}

fn status_code(root: &Span) -> Option<u16> {
    let all = root.attributes.iter();
    let code = all
        .filter(|(key, _)| key == semconv::HTTP_RESPONSE_STATUS_CODE)
        .find_map(|(_, value)| match value {
            AttributeValue::I64(code) => u16::try_from(*code).ok(),
            _ => None,
        });
    // Zero is written for none.
    code.filter(|code| *code > 0)
}

fn text_of<'a>(root: &'a Span, wanted: &str) -> &'a str {
    let all = root.attributes.iter();
    let mut texts = all.filter(|(key, _)| key == wanted);
    match texts.next() {
        Some((_, AttributeValue::Str(text))) => text,
        _ => "",
    }
}

fn request_id(root: &Span) -> &str {
    let ids = REQUEST_IDS.iter().map(|key| text_of(root, key));
    let id = ids.into_iter().find(|id| !id.is_empty());
    prefix(id.unwrap_or_default(), MAX_REQUEST_ID)
}

/// Calls `put` with the encoding of a span.
fn with_record(span: &Span, put: impl FnOnce(&SpanRecord<'_>)) {
    let attributes = encode_attributes(&span.attributes);
    let (mut events, mut links) = (Vec::new(), Vec::new());
    for event in &span.events {
        events.extend_from_slice(&wall_nanos(event.at).to_le_bytes());
        events.push(0);
        put_str(&mut events, &event.name);
        put_bytes(&mut events, &encode_attributes(&event.attributes));
    }
    for link in &span.links {
        let attributes = encode_attributes(&link.attributes);
        put_link(&mut links, link.trace_id, link.span_id, &attributes);
    }
    let end = span.start + span.duration;
    put(&SpanRecord {
        span: span.span_id,
        parent: span.parent_span_id,
        start: wall_nanos(span.start),
        end: wall_nanos(end),
        kind: span.kind,
        status: span.status,
        name: &span.name,
        status_text: &span.status_message,
        scope: &span.scope,
        attributes: &attributes,
        events: &events,
        links: &links,
        left_out: span.left_out,
    });
}

fn encode_attributes(all: &[(String, AttributeValue)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (key, value) in all {
        put_str(&mut out, key);
        encode_value(&mut out, value);
    }
    out
}

fn encode_value(out: &mut Vec<u8>, value: &AttributeValue) {
    match value {
        AttributeValue::Str(text) => put_value(out, ValueRef::Str(text)),
        AttributeValue::I64(number) => put_value(out, ValueRef::I64(*number)),
        AttributeValue::F64(number) => put_value(out, ValueRef::F64(*number)),
        AttributeValue::Bool(truth) => put_value(out, ValueRef::Bool(*truth)),
        AttributeValue::Array(items) => {
            let mut encoded = Vec::new();
            for item in items {
                encode_value(&mut encoded, item);
            }
            put_value(out, ValueRef::Array(Reader::new(&encoded)));
        }
    }
}

impl<'a> StoredFacts<'a> {
    /// What a search needs of the request or topmost span of a trace.
    #[cfg(feature = "dashboard")]
    pub(super) fn of_root(root: &'a Span, kept: KeepReason) -> Self {
        Self {
            trace_id: root.trace_id,
            kept,
            has_root: true,
            is_error: root.status == SpanStatus::Error,
            status_code: status_code(root),
            start: wall_nanos(root.start),
            duration: nanos(root.duration),
            route: text_of(root, semconv::HTTP_ROUTE),
            name: &root.name,
            request_id: request_id(root),
            part: &[],
        }
    }

    /// Reads a stored record; `None` if it has another form or is damaged.
    pub(super) fn read(body: &'a [u8]) -> Option<Self> {
        let mut r = Reader::new(body);
        if r.u8()? != FORM {
            return None;
        }
        let trace_id = TraceId::from_u128(r.u128()?);
        let kept = KeepReason::from_index(r.u8()?)?;
        let flags = r.u8()?;
        Some(Self {
            trace_id,
            kept,
            has_root: flags & HAS_ROOT != 0,
            is_error: flags & IS_ERROR != 0,
            status_code: u16::try_from(r.u32()?).ok().filter(|code| *code > 0),
            start: r.u64()?,
            duration: r.u64()?,
            route: r.str()?,
            name: r.str()?,
            request_id: r.str()?,
            part: r.rest(),
        })
    }

    /// The hashes of its IDs.
    pub(super) fn ids(&self) -> impl Iterator<Item = u64> + use<> {
        let request = self.request_id;
        let request = (!request.is_empty()).then(|| hash_request_id(request));
        [hash_trace_id(self.trace_id.to_u128())]
            .into_iter()
            .chain(request)
    }

    /// Decodes the spans. Their texts were redacted before they were stored.
    pub(super) fn spans(&self) -> Option<Vec<Span>> {
        let part = TracePart::read(self.part)?;
        let root = match part.root {
            TraceRoot::Span(span) => Some(read_span(part.trace, &span, true)),
            _ => None,
        };
        let others = part.spans();
        let others = others.map(|span| read_span(part.trace, &span, false));
        Some(root.into_iter().chain(others).collect())
    }
}

/// The time that a record has.
pub(super) fn time(wall: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(wall)
}

fn read_span(trace_id: TraceId, span: &SpanRecord<'_>, is_root: bool) -> Span {
    let event = |(at, event): (Nanos, EventRef<'_>)| match event {
        EventRef::Named { name, attributes } => Some(SpanEvent {
            at: time(at),
            name: name.to_owned(),
            attributes: read_attributes(attributes),
        }),
        // Its callsite would be a number of another process.
        EventRef::Tracing { .. } => None,
    };
    let link = |(trace_id, span_id, attributes): (TraceId, SpanId, &[u8])| SpanLink {
        trace_id,
        span_id,
        attributes: read_attributes(attributes),
    };
    Span {
        trace_id,
        span_id: span.span,
        parent_span_id: span.parent,
        is_root,
        parent_is_remote: is_root && span.parent != SpanId::NIL,
        name: span.name.to_owned(),
        kind: span.kind,
        status: span.status,
        status_message: span.status_text.to_owned(),
        start: time(span.start),
        duration: Duration::from_nanos(span.end.saturating_sub(span.start)),
        attributes: read_attributes(span.attributes),
        events: events(span.events).filter_map(event).collect(),
        links: links(span.links).map(link).collect(),
        scope: span.scope.to_owned(),
        left_out: span.left_out,
    }
}

fn read_attributes(bytes: &[u8]) -> Vec<(String, AttributeValue)> {
    attributes(bytes)
        .map(|(key, value)| (key.to_owned(), read_value(value)))
        .collect()
}

fn read_value(of: ValueRef<'_>) -> AttributeValue {
    match of {
        ValueRef::Str(text) => AttributeValue::Str(text.to_owned()),
        ValueRef::I64(number) => AttributeValue::I64(number),
        ValueRef::F64(number) => AttributeValue::F64(number),
        ValueRef::Bool(truth) => AttributeValue::Bool(truth),
        // The items of an array are no arrays, so this does not go deeper.
        ValueRef::Array(mut items) => {
            let item = || match value(&mut items)? {
                ValueRef::Array(_) => None,
                item => Some(read_value(item)),
            };
            AttributeValue::Array(std::iter::from_fn(item).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::span_record::{SpanKind, put_event};

    fn record(root: bool) -> Vec<u8> {
        let text = |out: &mut Vec<u8>, key: &str, value: ValueRef<'_>| {
            put_str(out, key);
            put_value(out, value);
        };
        let mut attributes = Vec::new();
        let mut items = Vec::new();
        put_value(&mut items, ValueRef::I64(1));
        put_value(&mut items, ValueRef::I64(2));
        text(&mut attributes, "tenant", ValueRef::Str("acme"));
        text(&mut attributes, "request_id", ValueRef::Str("r-17"));
        text(&mut attributes, "password", ValueRef::Str("hunter2"));
        text(
            &mut attributes,
            "url.query",
            ValueRef::Str("token=hunter2&page=2"),
        );
        text(&mut attributes, "share", ValueRef::F64(0.5));
        text(&mut attributes, "paid", ValueRef::Bool(true));
        text(
            &mut attributes,
            "sizes",
            ValueRef::Array(Reader::new(&items)),
        );
        let mut events = Vec::new();
        put_event(&mut events, 7, "tick token=hunter2", &attributes);
        let mut links = Vec::new();
        put_link(
            &mut links,
            TraceId::from_u128(8),
            SpanId::from_u64(9),
            &attributes,
        );
        let span = SpanRecord {
            span: SpanId::from_u64(1),
            parent: SpanId::from_u64(2),
            start: 3,
            end: 40,
            kind: SpanKind::Client,
            status: SpanStatus::Error,
            name: "call of /reset/4f9c61a0b2d84e7f9c61a0b2d84e7f11",
            status_text: "it broke: password=hunter2",
            scope: "theirs",
            attributes: &attributes,
            events: &events,
            links: &links,
            left_out: 5,
        };
        let mut out = Vec::new();
        let head = PartHead {
            trace: TraceId::from_u128(77),
            reason: KeepReason::Head,
            sampling: Sampling::own(true),
            lost_spans: 3,
            lost_events: 2,
            trace_state: "a=b",
        };
        put_head(&mut out, &head);
        put_bytes(&mut out, &events);
        if root {
            put_span_root(&mut out, &span);
        } else {
            put_no_root(&mut out);
        }
        put_span(&mut out, &span);
        out
    }

    #[test]
    fn a_record_reads_back_as_memory_shows_it_and_has_no_secret() {
        let clock = Clock::driven(Duration::from_secs(1_000_000_000));
        let limits = SpanLimits::default();
        for root in [true, false] {
            let record = record(root);
            let body = encode(&record, 50, &clock, &limits).unwrap();
            assert!(!body.windows(7).any(|part| part == b"hunter2"));
            let in_memory = read_part(&record, 50, &clock, &limits).unwrap();
            let facts = StoredFacts::read(&body).unwrap();
            assert_eq!(facts.spans().unwrap(), in_memory.spans);
            assert_eq!(
                (facts.kept, facts.trace_id, facts.has_root, facts.is_error),
                (KeepReason::Head, TraceId::from_u128(77), root, root)
            );
            assert_eq!(time(facts.start), in_memory.spans[0].start);
            if root {
                assert_eq!(facts.name, in_memory.spans[0].name);
                assert_eq!((facts.duration, facts.status_code), (37, None));
                assert_eq!(facts.request_id, "r-17");
            }
            // Another form, and a part that is cut anywhere, is no panic.
            for end in 0..body.len() {
                let _cut = StoredFacts::read(&body[..end]).map(|facts| facts.spans());
            }
            let mut other = body.clone();
            other[0] = 2;
            assert_eq!(StoredFacts::read(&other), None);
        }
        assert_eq!(encode(b"none", 50, &clock, &limits), None);
    }

    /// A record that an earlier release wrote. If this fails, the form has changed: give it a new number, and go on to
    /// read this one.
    #[test]
    fn a_record_of_an_earlier_release_is_read() {
        let clock = Clock::driven(Duration::from_secs(1_000_000_000));
        let body = encode(&record(true), 50, &clock, &SpanLimits::default()).unwrap();
        assert_eq!((body.len(), crc32fast::hash(&body)), (1781, 1_383_411_992));
    }
}
