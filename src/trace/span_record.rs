//! The compact encoding of an ended span, and of a kept trace on its way to the worker.

use std::ops::Range;

use crate::clock::Nanos;
use crate::model::codec::{Reader, put_bytes, put_sized, put_str};
use crate::model::{KeepReason, LOOKAHEAD, Sampling, SpanId, TraceId, cut, prefix};
use crate::semconv;

/// The maximum size of one span in bytes. Texts are truncated here; the other parts are bounded where they are built.
pub(crate) const MAX_SPAN: usize = 32 * 1024;
const MAX_NAME: usize = 1024;
const MAX_STATUS: usize = 2048;
/// The maximum length of an event's name, in bytes.
const MAX_EVENT_NAME: usize = 2048;
const MAX_SCOPE: usize = 256;

/// The kind of a span, as OpenTelemetry defines it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SpanKind {
    /// An operation inside this service.
    #[default]
    Internal,
    /// The handling of a request from another service.
    Server,
    /// An outgoing call.
    Client,
    /// The sending of a message that is processed later.
    Producer,
    /// The processing of a message.
    Consumer,
}

impl SpanKind {
    const ALL: [Self; 5] = [
        Self::Internal,
        Self::Server,
        Self::Client,
        Self::Producer,
        Self::Consumer,
    ];

    /// Returns the name in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Server => "server",
            Self::Client => "client",
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        }
    }
}

/// The status of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SpanStatus {
    /// No status was set.
    #[default]
    Unset,
    /// The code set the status to OK.
    Ok,
    /// The operation failed.
    Error,
}

impl SpanStatus {
    const ALL: [Self; 3] = [Self::Unset, Self::Ok, Self::Error];

    /// Returns the name in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unset => "unset",
            Self::Ok => "ok",
            Self::Error => "error",
        }
    }
}

/// A span in its compact encoding. Texts are not redacted: redact them before displaying or exporting them.
///
/// An attribute is a key and a value as encoded by [`put_value`]. An event is a time, a name and length-prefixed
/// attributes. A link is a trace ID, a span ID and length-prefixed attributes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SpanRecord<'a> {
    pub(crate) span: SpanId,
    pub(crate) parent: SpanId,
    pub(crate) start: Nanos,
    pub(crate) end: Nanos,
    pub(crate) kind: SpanKind,
    pub(crate) status: SpanStatus,
    pub(crate) name: &'a str,
    pub(crate) status_text: &'a str,
    /// The instrumentation scope that created the span; empty for this crate.
    pub(crate) scope: &'a str,
    pub(crate) attributes: &'a [u8],
    pub(crate) events: &'a [u8],
    pub(crate) links: &'a [u8],
    /// The number of attributes, events and links that were dropped.
    pub(crate) left_out: u32,
}

/// Appends a length-prefixed span.
pub(crate) fn put_span(out: &mut Vec<u8>, span: &SpanRecord<'_>) {
    put_sized(out, |out| {
        let mut head = [0; 38];
        let words = [
            span.span.to_u64(),
            span.parent.to_u64(),
            span.start,
            span.end,
        ];
        let (numbers, rest) = head.split_at_mut(32);
        for (place, word) in numbers.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        let (kinds, left_out) = rest.split_at_mut(2);
        kinds.copy_from_slice(&[span.kind as u8, span.status as u8]);
        left_out.copy_from_slice(&span.left_out.to_le_bytes());
        out.extend_from_slice(&head);
        put_str(out, &cut(span.name, MAX_NAME));
        put_str(out, &cut(span.status_text, MAX_STATUS));
        put_str(out, prefix(span.scope, MAX_SCOPE));
        if span.name.len() > MAX_NAME || span.status_text.len() > MAX_STATUS {
            put_marked(out, span.attributes);
        } else {
            put_bytes(out, span.attributes);
        }
        put_bytes(out, span.events);
        put_bytes(out, span.links);
    });
}

/// Appends length-prefixed attributes, including the attribute that marks a truncated text.
#[cold]
fn put_marked(out: &mut Vec<u8>, attributes: &[u8]) {
    put_sized(out, |out| {
        out.extend_from_slice(attributes);
        put_mark(out);
    });
}

/// Appends the attribute that marks a truncated text.
pub(super) fn put_mark(out: &mut Vec<u8>) {
    put_str(out, semconv::WATCHPOST_TRUNCATED);
    put_value(out, ValueRef::Bool(true));
}

impl<'a> SpanRecord<'a> {
    /// Reads a span. Returns `None` if the record is malformed.
    pub(crate) fn read(record: &'a [u8]) -> Option<Self> {
        let mut r = Reader::new(record);
        Some(Self {
            span: SpanId::from_u64(r.u64()?),
            parent: SpanId::from_u64(r.u64()?),
            start: r.u64()?,
            end: r.u64()?,
            kind: SpanKind::ALL.get(usize::from(r.u8()?)).copied()?,
            status: SpanStatus::ALL.get(usize::from(r.u8()?)).copied()?,
            left_out: r.u32()?,
            name: r.str()?,
            status_text: r.str()?,
            scope: r.str()?,
            attributes: r.bytes()?,
            events: r.bytes()?,
            links: r.bytes()?,
        })
    }
}

/// The value of an attribute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum ValueRef<'a> {
    Str(&'a str),
    I64(i64),
    F64(f64),
    Bool(bool),
    /// Values of one of the types above, in the same encoding.
    Array(Reader<'a>),
}

/// Reads attributes, up to the first malformed one. Also reads those of `record::put_attributes`, and arrays.
pub(crate) fn attributes(bytes: &[u8]) -> impl Iterator<Item = (&str, ValueRef<'_>)> {
    let mut reader = Reader::new(bytes);
    std::iter::from_fn(move || Some((reader.str()?, value(&mut reader)?)))
}

/// Iterates over the keys of encoded attributes, each with the byte range of its attribute.
pub(super) fn items(bytes: &[u8]) -> impl Iterator<Item = (&[u8], Range<usize>)> {
    let mut reader = Reader::new(bytes);
    std::iter::from_fn(move || {
        let start = bytes.len() - reader.rest().len();
        let key = reader.bytes()?;
        match reader.u8()? {
            1 | 2 => drop(reader.u64()?),
            3 => drop(reader.u8()?),
            _ => drop(reader.bytes()?),
        }
        Some((key, start..bytes.len() - reader.rest().len()))
    })
}

/// Appends one value.
pub(crate) fn put_value(out: &mut Vec<u8>, value: ValueRef<'_>) {
    match value {
        ValueRef::Str(text) => {
            out.push(0);
            put_str(out, text);
        }
        ValueRef::I64(number) => {
            out.push(1);
            out.extend_from_slice(&number.to_le_bytes());
        }
        ValueRef::F64(number) => {
            out.push(2);
            out.extend_from_slice(&number.to_le_bytes());
        }
        ValueRef::Bool(truth) => out.extend_from_slice(&[3, u8::from(truth)]),
        ValueRef::Array(items) => {
            out.push(4);
            put_bytes(out, items.rest());
        }
    }
}

/// Reads one value.
pub(crate) fn value<'a>(reader: &mut Reader<'a>) -> Option<ValueRef<'a>> {
    Some(match reader.u8()? {
        0 => ValueRef::Str(reader.str()?),
        1 => ValueRef::I64(reader.i64()?),
        2 => ValueRef::F64(reader.f64()?),
        3 => ValueRef::Bool(reader.u8()? == 1),
        _ => ValueRef::Array(Reader::new(reader.bytes()?)),
    })
}

/// The maximum size of the fields of a `tracing` event, in bytes. It includes a look-ahead, so that a secret at the
/// truncation point is still recognized and redacted.
const MAX_FIELDS: usize = 4096 + LOOKAHEAD;

/// An event of a span.
#[derive(Debug, Clone, Copy)]
pub(crate) enum EventRef<'a> {
    Named {
        name: &'a str,
        attributes: &'a [u8],
    },
    /// A `tracing` event: the number of its callsite, with [`event::SHORTENED`](super::event::SHORTENED) set if a field
    /// was truncated or dropped, and its fields as encoded by `event::put_fields`.
    Tracing {
        callsite: u32,
        fields: &'a [u8],
    },
}

/// Appends an event of a span.
pub(crate) fn put_event(out: &mut Vec<u8>, at: Nanos, name: &str, attributes: &[u8]) {
    out.extend_from_slice(&at.to_le_bytes());
    out.push(0);
    put_str(out, &cut(name, MAX_EVENT_NAME));
    if name.len() > MAX_EVENT_NAME {
        put_marked(out, attributes);
    } else {
        put_bytes(out, attributes);
    }
}

/// Appends a `tracing` event of a span.
pub(crate) fn put_tracing_event(out: &mut Vec<u8>, at: Nanos, callsite: u32, fields: &[u8]) {
    out.extend_from_slice(&at.to_le_bytes());
    out.push(1);
    out.extend_from_slice(&callsite.to_le_bytes());
    put_bytes(out, fields.get(..MAX_FIELDS).unwrap_or(fields));
}

/// Reads events, each with its time.
pub(crate) fn events(bytes: &[u8]) -> impl Iterator<Item = (Nanos, EventRef<'_>)> {
    let mut reader = Reader::new(bytes);
    std::iter::from_fn(move || {
        let at = reader.u64()?;
        let event = if reader.u8()? == 0 {
            EventRef::Named {
                name: reader.str()?,
                attributes: reader.bytes()?,
            }
        } else {
            EventRef::Tracing {
                callsite: reader.u32()?,
                fields: reader.bytes()?,
            }
        };
        Some((at, event))
    })
}

/// Appends a link to another trace.
pub(crate) fn put_link(out: &mut Vec<u8>, trace: TraceId, span: SpanId, attributes: &[u8]) {
    out.extend_from_slice(&trace.to_u128().to_le_bytes());
    out.extend_from_slice(&span.to_u64().to_le_bytes());
    put_bytes(out, attributes);
}

/// Reads links, each as trace ID, span ID and attributes.
pub(crate) fn links(bytes: &[u8]) -> impl Iterator<Item = (TraceId, SpanId, &[u8])> {
    let mut reader = Reader::new(bytes);
    std::iter::from_fn(move || {
        let trace = TraceId::from_u128(reader.u128()?);
        Some((trace, SpanId::from_u64(reader.u64()?), reader.bytes()?))
    })
}

/// The root of a part of a trace.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TraceRoot<'a> {
    /// The part has no root; it holds further spans of a trace.
    None,
    /// A request, as encoded by `record::RequestRecord`. It ended at the time of the record.
    Request(&'a [u8]),
    Span(SpanRecord<'a>),
}

/// A record with spans of one kept trace.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TracePart<'a> {
    pub(crate) trace: TraceId,
    pub(crate) kept: KeepReason,
    /// The sampling decision at the start of the trace.
    pub(crate) sampling: Sampling,
    /// The number of spans of the trace that were dropped for lack of room.
    pub(crate) lost: u32,
    /// The number of events of the root that were dropped for lack of room.
    pub(crate) events_lost: u32,
    pub(crate) trace_state: &'a str,
    /// Further events of the root, in addition to those in its record.
    pub(crate) events: &'a [u8],
    pub(crate) root: TraceRoot<'a>,
    spans: &'a [u8],
}

/// The header of a part.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PartHead<'a> {
    pub(crate) trace: TraceId,
    pub(crate) reason: KeepReason,
    /// The sampling decision at the start of the trace.
    pub(crate) sampling: Sampling,
    /// The number of spans of the trace that were dropped for lack of room.
    pub(crate) lost_spans: u32,
    /// The number of events of the root that were dropped for lack of room.
    pub(crate) lost_events: u32,
    pub(crate) trace_state: &'a str,
}

/// Appends the header of a part. The root's further events, the root and the other spans follow it.
pub(crate) fn put_head(out: &mut Vec<u8>, head: &PartHead<'_>) {
    out.extend_from_slice(&head.trace.to_u128().to_le_bytes());
    out.extend_from_slice(&[head.reason.index(), head.sampling.bits()]);
    out.extend_from_slice(&head.lost_spans.to_le_bytes());
    out.extend_from_slice(&head.lost_events.to_le_bytes());
    put_str(out, head.trace_state);
}

/// Appends the marker for a part without a root.
pub(crate) fn put_no_root(out: &mut Vec<u8>) {
    out.push(0);
}

/// Appends a request as the root; `write` appends its record.
pub(crate) fn put_request_root(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(1);
    put_sized(out, write);
}

/// Appends a span as the root.
pub(crate) fn put_span_root(out: &mut Vec<u8>, span: &SpanRecord<'_>) {
    out.push(2);
    put_span(out, span);
}

impl<'a> TracePart<'a> {
    /// Reads a part. Returns `None` if the record is malformed.
    pub(crate) fn read(record: &'a [u8]) -> Option<Self> {
        let mut r = Reader::new(record);
        let trace = TraceId::from_u128(r.u128()?);
        let kept = KeepReason::from_index(r.u8()?)?;
        let sampling = Sampling::from_bits(r.u8()?);
        let (lost, events_lost) = (r.u32()?, r.u32()?);
        let trace_state = r.str()?;
        let events = r.bytes()?;
        let root = match r.u8()? {
            0 => TraceRoot::None,
            1 => TraceRoot::Request(r.bytes()?),
            _ => TraceRoot::Span(SpanRecord::read(r.bytes()?)?),
        };
        Some(Self {
            trace,
            kept,
            sampling,
            lost,
            events_lost,
            trace_state,
            events,
            root,
            spans: r.rest(),
        })
    }

    /// Reads the spans other than the root, up to the first malformed one.
    pub(crate) fn spans(&self) -> impl Iterator<Item = SpanRecord<'a>> + use<'a> {
        let mut reader = Reader::new(self.spans);
        std::iter::from_fn(move || SpanRecord::read(reader.bytes()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Attributes;
    use crate::record::put_attributes;

    #[test]
    fn a_part_is_read_as_it_was_written_and_cut_anywhere_never_panics() {
        let mut fields = Attributes::default();
        fields.insert("n", 3);
        fields.insert("text", "grün");
        let mut attributes_ = Vec::new();
        put_attributes(&mut attributes_, &fields);
        let mut events_ = Vec::new();
        put_event(&mut events_, 7, "tick", &attributes_);
        let mut links_ = Vec::new();
        put_link(&mut links_, TraceId::from_u128(8), SpanId::from_u64(9), &[]);
        let span = SpanRecord {
            span: SpanId::from_u64(1),
            parent: SpanId::from_u64(2),
            start: 3,
            end: 4,
            kind: SpanKind::Client,
            status: SpanStatus::Error,
            name: "call",
            status_text: "it broke",
            scope: "",
            attributes: &attributes_,
            events: &events_,
            links: &links_,
            left_out: 5,
        };
        let mut record = Vec::new();
        let sampling = Sampling::of_parent(false);
        let head = PartHead {
            trace: TraceId::from_u128(6),
            reason: KeepReason::Slow,
            sampling,
            lost_spans: 2,
            lost_events: 7,
            trace_state: "a=1",
        };
        put_head(&mut record, &head);
        put_bytes(&mut record, &[]);
        put_span_root(&mut record, &span);
        put_span(&mut record, &span);
        put_span(&mut record, &span);
        let part = TracePart::read(&record).unwrap();
        assert_eq!(
            (part.trace.to_u128(), part.kept, part.trace_state),
            (6, KeepReason::Slow, "a=1")
        );
        assert_eq!(part.sampling, sampling);
        assert_eq!((part.lost, part.events_lost), (2, 7));
        let TraceRoot::Span(root) = part.root else {
            panic!("no root")
        };
        assert_eq!(format!("{root:?}"), format!("{span:?}"));
        assert_eq!(part.spans().count(), 2);
        let read: Vec<_> = attributes(root.attributes).collect();
        assert_eq!(
            read,
            [("n", ValueRef::I64(3)), ("text", ValueRef::Str("grün"))]
        );
        assert!(matches!(
            events(root.events).next(),
            Some((7, EventRef::Named { name: "tick", .. }))
        ));
        assert_eq!(
            links(root.links).next().map(|link| link.0.to_u128()),
            Some(8)
        );
        for len in 0..record.len() {
            if let Some(part) = TracePart::read(&record[..len]) {
                part.spans()
                    .for_each(|span| assert!(attributes(span.attributes).count() <= 2));
            }
        }
    }
}
