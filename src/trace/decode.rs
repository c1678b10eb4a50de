//! Decodes kept traces into public values, with secrets redacted.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::attribute_value::{AttributeValue, set};
use super::decoded_limits::limit_attributes;
use super::limits::SpanLimits;
use super::span_record::{
    EventRef, SpanKind, SpanRecord, SpanStatus, TracePart, TraceRoot, ValueRef, attributes, events,
    links, value,
};
use super::{callsites, event};
use crate::clock::{Clock, Nanos};
use crate::model::codec::Reader;
use crate::model::grpc::{Call, Status, rpc_method};
use crate::model::{KeepReason, Outcome, Sampling, SpanId, TraceId, split_host};
use crate::record::{AttributeRef, RequestRecord};
use crate::redact;
use crate::semconv;

/// An event of a span.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SpanEvent {
    /// The time of the event.
    pub at: SystemTime,
    /// The name of the event; for a `tracing` event, its message.
    pub name: String,
    /// The attributes of the event.
    pub attributes: Vec<(String, AttributeValue)>,
}

/// A link to an operation of another trace.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SpanLink {
    /// The ID of the other trace.
    pub trace_id: TraceId,
    /// The ID of the linked span in that trace.
    pub span_id: SpanId,
    /// The attributes of the link.
    pub attributes: Vec<(String, AttributeValue)>,
}

/// A span of a kept trace, with secrets redacted.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Span {
    /// The ID of the trace that the span belongs to.
    pub trace_id: TraceId,
    /// The ID of the span.
    pub span_id: SpanId,
    /// The ID of the parent span; nil for the root of a trace.
    pub parent_span_id: SpanId,
    /// Whether this span is the root of this process's part of the trace.
    pub is_root: bool,
    /// Whether the parent span is in another process.
    pub parent_is_remote: bool,
    /// The name of the span; `{method} {route}` for a request.
    pub name: String,
    /// The kind of the span.
    pub kind: SpanKind,
    /// The status of the span.
    pub status: SpanStatus,
    /// The status message of an error; empty if there is none.
    pub status_message: String,
    /// The start time of the span.
    pub start: SystemTime,
    /// The duration of the span. The span of a request ends with the last byte of the response.
    pub duration: Duration,
    /// The attributes of the span. Each key occurs once, with the value that was set last.
    pub attributes: Vec<(String, AttributeValue)>,
    /// The events of the span.
    pub events: Vec<SpanEvent>,
    /// The links of the span to other traces.
    pub links: Vec<SpanLink>,
    /// The name of the instrumentation scope; empty for spans of this crate.
    pub scope: String,
    /// The number of attributes, events and links that were dropped because they exceeded a limit.
    pub left_out: u32,
}

/// The decoded spans of one record of a kept trace.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub(crate) struct DecodedPart {
    pub(crate) kept: KeepReason,
    pub(crate) sampling: Sampling,
    pub(crate) trace_state: String,
    pub(crate) spans: Vec<Span>,
}

/// Decodes a record of kept spans, within the limits of a span. Returns `None` if the record is malformed.
pub(crate) fn read_part(
    record: &[u8],
    at: Nanos,
    clock: &Clock,
    limits: &SpanLimits,
) -> Option<DecodedPart> {
    let part = TracePart::read(record)?;
    let reading = SpanReader {
        part: &part,
        clock,
        limits,
    };
    let root = match part.root {
        TraceRoot::None => None,
        TraceRoot::Request(request) => Some(reading.request(&RequestRecord::read(request)?, at)),
        TraceRoot::Span(span) => Some(reading.root(&span)),
    };
    let others = part.spans().map(|span| reading.span(&span));
    Some(DecodedPart {
        kept: part.kept,
        sampling: part.sampling,
        trace_state: part.trace_state.to_owned(),
        spans: root
            .into_iter()
            .chain(others)
            .map(|span| reading.limited(span))
            .collect(),
    })
}

/// Decodes the request or topmost span of a record alone, like [`read_part`]. Returns `None` if there is none.
#[cfg(feature = "dashboard")]
pub(crate) fn read_root(
    record: &[u8],
    at: Nanos,
    clock: &Clock,
    limits: &SpanLimits,
) -> Option<(KeepReason, Span)> {
    let part = TracePart::read(record)?;
    let reading = SpanReader {
        part: &part,
        clock,
        limits,
    };
    let root = match part.root {
        TraceRoot::None => return None,
        TraceRoot::Request(request) => reading.request(&RequestRecord::read(request)?, at),
        TraceRoot::Span(span) => reading.root(&span),
    };
    Some((part.kept, reading.limited(root)))
}

struct SpanReader<'a> {
    part: &'a TracePart<'a>,
    clock: &'a Clock,
    limits: &'a SpanLimits,
}

impl SpanReader<'_> {
    fn time(&self, at: Nanos) -> SystemTime {
        UNIX_EPOCH + Duration::from_nanos(self.clock.wall(at))
    }

    fn span(&self, span: &SpanRecord<'_>) -> Span {
        Span {
            trace_id: self.part.trace,
            span_id: span.span,
            parent_span_id: span.parent,
            is_root: false,
            parent_is_remote: false,
            name: redact::text(span.name).into_owned(),
            kind: span.kind,
            status: span.status,
            status_message: redact::text(span.status_text).into_owned(),
            start: self.time(span.start),
            duration: Duration::from_nanos(span.end.saturating_sub(span.start)),
            attributes: read_attributes(span.attributes),
            events: self.events(span.events),
            links: links(span.links).map(read_link).collect(),
            scope: span.scope.to_owned(),
            left_out: span.left_out,
        }
    }

    /// Applies the limits to the parts of a span. All that is dropped counts at the span.
    fn limited(&self, mut span: Span) -> Span {
        let limits = self.limits;
        let mut dropped =
            limit_attributes(&mut span.attributes, limits.attributes, limits.value_length);
        dropped += drop_over(&mut span.events, limits.events);
        for event in &mut span.events {
            let max = limits.event_attributes;
            dropped += limit_attributes(&mut event.attributes, max, limits.value_length);
        }
        dropped += drop_over(&mut span.links, limits.links);
        for link in &mut span.links {
            let max = limits.link_attributes;
            dropped += limit_attributes(&mut link.attributes, max, limits.value_length);
        }
        span.left_out = span.left_out.saturating_add(dropped);
        span
    }

    fn events(&self, bytes: &[u8]) -> Vec<SpanEvent> {
        let read = |(at, event): (Nanos, EventRef<'_>)| {
            let (name, attributes) = match event {
                EventRef::Named { name, attributes } => {
                    (redact::text(name).into_owned(), read_attributes(attributes))
                }
                EventRef::Tracing { callsite, fields } => read_tracing_event(callsite, fields)?,
            };
            Some(SpanEvent {
                at: self.time(at),
                name,
                attributes,
            })
        };
        events(bytes).filter_map(read).collect()
    }

    fn root(&self, span: &SpanRecord<'_>) -> Span {
        let mut root = self.span(span);
        root.is_root = true;
        // The parent of a root is in another process.
        root.parent_is_remote = root.parent_span_id != SpanId::NIL;
        // Events of a root come from its own list, if it is a `tracing` or OpenTelemetry span, and from the buffer.
        root.events.extend(self.events(self.part.events));
        root.events.sort_by_key(|event| event.at);
        root.left_out = root.left_out.saturating_add(self.part.events_lost);
        self.add_keep_reason(&mut root.attributes);
        root
    }

    fn request(&self, request: &RequestRecord<'_>, at: Nanos) -> Span {
        let route = request.route.as_str();
        let matched = !matches!(route, "" | "_unmatched" | "_overflow");
        let method = match request.method.as_str() {
            "_OTHER" => "HTTP",
            method => method,
        };
        // If the caller's trace is not continued, the span links to it.
        let stranger = request.parent_trace != TraceId::NIL;
        let link = stranger.then(|| SpanLink {
            trace_id: request.parent_trace,
            span_id: request.parent_span,
            attributes: Vec::new(),
        });
        let parent = if stranger {
            SpanId::NIL
        } else {
            request.parent_span
        };
        let name = match rpc_method(route) {
            "_OTHER" if matched => format!("{method} {route}"),
            "_OTHER" if request.call != Call::NONE => "grpc".to_owned(),
            "_OTHER" => method.to_owned(),
            rpc_method if request.call != Call::NONE => rpc_method.to_owned(),
            _ => format!("{method} {route}"),
        };
        Span {
            trace_id: self.part.trace,
            span_id: request.span,
            parent_span_id: parent,
            is_root: true,
            parent_is_remote: parent != SpanId::NIL,
            name,
            kind: SpanKind::Server,
            status: if request.failed {
                SpanStatus::Error
            } else {
                SpanStatus::Unset
            },
            status_message: String::new(),
            start: self.time(at.saturating_sub(request.duration)),
            duration: Duration::from_nanos(request.duration),
            attributes: self.request_attributes(request, matched),
            events: self.events(self.part.events),
            links: link.into_iter().collect(),
            scope: String::new(),
            left_out: request.left_out.saturating_add(self.part.events_lost),
        }
    }

    /// Returns the attributes of the stable semantic conventions for HTTP servers. Unknown values are omitted.
    fn request_attributes(
        &self,
        request: &RequestRecord<'_>,
        matched: bool,
    ) -> Vec<(String, AttributeValue)> {
        let mut all = Vec::with_capacity(16);
        let mut text = |key: &str, text: &str| {
            if !text.is_empty() {
                all.push((key.to_owned(), AttributeValue::Str(text.to_owned())));
            }
        };
        text(semconv::HTTP_REQUEST_METHOD, request.method.as_str());
        text(
            semconv::HTTP_ROUTE,
            if matched { request.route.as_str() } else { "" },
        );
        if request.call != Call::NONE {
            text(semconv::RPC_SYSTEM_NAME, "grpc");
            let method = rpc_method(request.route.as_str());
            text(semconv::RPC_METHOD, method);
            if method == "_OTHER" {
                let path = request.path.as_str();
                let sent = path.strip_prefix('/').unwrap_or(path);
                text(semconv::RPC_METHOD_ORIGINAL, &redact::path(sent));
            }
            let status = request.call.status().map_or("", Status::name);
            text(semconv::RPC_RESPONSE_STATUS_CODE, status);
        }
        text(semconv::URL_SCHEME, request.scheme.as_str());
        text(semconv::URL_PATH, &redact::path(request.path.as_str()));
        text(semconv::URL_QUERY, &redact::query(request.query.as_str()));
        text(semconv::NETWORK_PROTOCOL_VERSION, request.version);
        text(semconv::CLIENT_ADDRESS, request.client_address.as_str());
        let peer = match request.peer_address.as_str() {
            "" => request.client_address.as_str(),
            peer => peer,
        };
        text(semconv::NETWORK_PEER_ADDRESS, peer);
        let server = split_host(request.host.as_str());
        let (server, port) = server.map_or(("", None), |(name, port)| (name, port));
        text(semconv::SERVER_ADDRESS, &redact::text(server));
        text(
            semconv::USER_AGENT_ORIGINAL,
            &redact::text(request.user_agent.as_str()),
        );
        text(semconv::USER_ID, &redact::text(request.user.as_str()));
        text(semconv::ERROR_TYPE, request.error_type.as_str());
        if request.outcome != Outcome::Completed {
            text(semconv::WATCHPOST_OUTCOME, request.outcome.as_str());
        }
        let mut number = |key: &str, number: Option<u64>| {
            if let Some(number) = number {
                let number = i64::try_from(number).unwrap_or(i64::MAX);
                all.push((key.to_owned(), AttributeValue::I64(number)));
            }
        };
        number(semconv::SERVER_PORT, port.map(u64::from));
        number(
            semconv::HTTP_RESPONSE_STATUS_CODE,
            request.status.map(u64::from),
        );
        number(semconv::HTTP_REQUEST_BODY_SIZE, request.request_bytes);
        number(semconv::HTTP_RESPONSE_BODY_SIZE, request.response_bytes);
        if let Some(time) = request.time_to_headers {
            let millis = time as f64 / 1e6;
            all.push((
                "watchpost.time_to_headers_ms".to_owned(),
                AttributeValue::F64(millis),
            ));
        }
        for (key, value) in request.attributes() {
            let key = key.as_str();
            let value = match value {
                AttributeRef::Str(text) => {
                    AttributeValue::Str(redact::value(key, text.as_str()).into_owned())
                }
                AttributeRef::I64(_) | AttributeRef::F64(_) if redact::is_sensitive_key(key) => {
                    AttributeValue::Str(redact::FILTERED.to_owned())
                }
                AttributeRef::I64(number) => AttributeValue::I64(number),
                AttributeRef::F64(number) => AttributeValue::F64(number),
                AttributeRef::Bool(truth) => AttributeValue::Bool(truth),
            };
            set(&mut all, redact::text(key).into_owned(), value);
        }
        if request.shortened {
            let mark = AttributeValue::Bool(true);
            set(&mut all, semconv::WATCHPOST_TRUNCATED.to_owned(), mark);
        }
        self.add_keep_reason(&mut all);
        all
    }

    fn add_keep_reason(&self, attributes: &mut Vec<(String, AttributeValue)>) {
        let kept = AttributeValue::Str(self.part.kept.as_str().to_owned());
        set(attributes, semconv::WATCHPOST_KEPT.to_owned(), kept);
        if self.part.lost > 0 {
            let lost = AttributeValue::I64(self.part.lost.into());
            set(attributes, semconv::WATCHPOST_LOST_SPANS.to_owned(), lost);
        }
    }
}

/// Drops the items over `max`, and returns their number.
fn drop_over<T>(items: &mut Vec<T>, max: u32) -> u32 {
    let over = items.len().saturating_sub(max as usize);
    items.truncate(max as usize);
    u32::try_from(over).unwrap_or(u32::MAX)
}

fn read_attributes(bytes: &[u8]) -> Vec<(String, AttributeValue)> {
    let mut all = Vec::new();
    for (key, value) in attributes(bytes) {
        // Two different keys can be equal after redaction.
        set(
            &mut all,
            redact::text(key).into_owned(),
            read_value(key, value),
        );
    }
    all
}

fn read_value(key: &str, of: ValueRef<'_>) -> AttributeValue {
    match of {
        ValueRef::Str(text) => AttributeValue::Str(redact::value(key, text).into_owned()),
        ValueRef::I64(_) | ValueRef::F64(_) if redact::is_sensitive_key(key) => {
            AttributeValue::Str(redact::FILTERED.to_owned())
        }
        ValueRef::I64(number) => AttributeValue::I64(number),
        ValueRef::F64(number) => AttributeValue::F64(number),
        ValueRef::Bool(truth) => AttributeValue::Bool(truth),
        ValueRef::Array(mut items) => {
            let next = || value(&mut items).filter(|item| !matches!(item, ValueRef::Array(_)));
            let items = std::iter::from_fn(next).map(|item| read_value(key, item));
            AttributeValue::Array(items.collect())
        }
    }
}

/// Decodes a `tracing` event into its name and its attributes. Returns `None` if the callsite is unknown.
fn read_tracing_event(
    callsite: u32,
    fields: &[u8],
) -> Option<(String, Vec<(String, AttributeValue)>)> {
    let mut shortened = callsite & event::SHORTENED != 0;
    let metadata = callsites::metadata(callsite & !event::SHORTENED)?;
    let string = |text: &str| AttributeValue::Str(text.to_owned());
    let mut name = None;
    let mut attributes = vec![
        ("level".to_owned(), string(metadata.level().as_str())),
        ("target".to_owned(), string(metadata.target())),
    ];
    let message = event::message_field(metadata);
    let (fields, whole) = event::scrubbed_fields(metadata, Reader::new(fields));
    shortened |= !whole;
    for (key, value) in fields {
        match value {
            AttributeValue::Str(text) if key == message => name = Some(text),
            value => set(&mut attributes, key.to_owned(), value),
        }
    }
    if shortened {
        let mark = AttributeValue::Bool(true);
        set(
            &mut attributes,
            semconv::WATCHPOST_TRUNCATED.to_owned(),
            mark,
        );
    }
    let name = name.unwrap_or_else(|| metadata.name().to_owned());
    Some((name, attributes))
}

fn read_link((trace_id, span_id, attributes): (TraceId, SpanId, &[u8])) -> SpanLink {
    SpanLink {
        trace_id,
        span_id,
        attributes: read_attributes(attributes),
    }
}
