//! Decodes a record of the queue to an event. Texts are redacted here, before anything stores them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::event::{Breadcrumb, Cause, ErrorEvent, EventKind};
use super::shared::CaptureState;
use crate::clock::Nanos;
use crate::context::{DecodeBreadcrumb, RouteId};
use crate::model::codec::{Reader, RecordText};
use crate::model::{Attributes, Value};
use crate::record::{AttributeRef, ErrorKind, ErrorRecord};
use crate::redact;

/// A decoded event.
pub(super) struct DecodedEvent {
    pub(super) event: ErrorEvent,
    /// Whether a backtrace was captured, which has yet to be resolved.
    pub(super) has_backtrace: bool,
}

/// Decodes the record of an event that was captured `at`; `None` if it is damaged.
pub(super) fn event(
    shared: &CaptureState,
    at: Nanos,
    body: &[u8],
    decode_breadcrumb: DecodeBreadcrumb,
) -> Option<DecodedEvent> {
    let record = ErrorRecord::read(body)?;
    let wall_time = |at| system_time(shared.requests.clock().wall(at));
    let request = record.request();
    // A record has the number of its route instead of the name. No name is ever removed from the table of routes.
    let route = shared.requests.routes().name(RouteId(record.route));
    let route = route.as_ref().to_owned();
    let causes = record.chain.iter().map(|(type_name, message)| Cause {
        type_name: type_name.to_owned(),
        message: redact::text(message).into_owned(),
    });
    let causes = causes.collect();
    let event = ErrorEvent {
        id: record.event,
        at: wall_time(at),
        level: record.level,
        kind: match record.kind {
            ErrorKind::Error => EventKind::Error,
            ErrorKind::Message => EventKind::Message,
            ErrorKind::Panic => EventKind::Panic,
        },
        causes,
        location: format!("{}:{}:{}", record.file, record.line, record.column),
        thread: record.thread.to_owned(),
        trace_id: record.trace,
        span_id: record.span,
        method: record.method.to_owned(),
        route,
        path: redact::path(request.path).into_owned(),
        query: match request.query {
            "" => String::new(),
            query => redact::query(query).into_owned(),
        },
        user_agent: redact::text(request.user_agent).into_owned(),
        client_address: request.client_address.to_owned(),
        user: redact::text(record.user()).into_owned(),
        attributes: attributes(record.attributes()),
        tags: tags(&record),
        extra: attributes(record.extra()),
        breadcrumbs: breadcrumbs(record.breadcrumbs, decode_breadcrumb, wall_time),
        frames: Vec::new(),
        // The parts are redacted like all texts, and the placeholder of the default grouping passes unchanged.
        fingerprint: record
            .fingerprint()
            .map(|part| redact::text(part).into_owned())
            .collect(),
        // It is that of the redacted texts, which `groups` determines: a token in a message makes no separate group.
        group: 0,
        resident_bytes: None,
        truncated: record.shortened,
    };
    Some(DecodedEvent {
        event,
        has_backtrace: record.backtrace,
    })
}

/// The time of `wall` nanoseconds since the Unix epoch.
fn system_time(wall: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(wall)
}

/// The redacted tags. Redaction can make two keys equal; the last value is kept.
fn tags(record: &ErrorRecord<'_>) -> Vec<(String, String)> {
    let mut tags: Vec<(String, String)> = Vec::new();
    for (key, value) in record.tags.iter() {
        let value = redact::value(key, value).into_owned();
        let key = redact::text(key);
        match tags.iter_mut().find(|(have, _)| *have == key) {
            Some((_, old)) => *old = value,
            None => tags.push((key.into_owned(), value)),
        }
    }
    tags
}

fn attributes<'a>(all: impl Iterator<Item = (RecordText<'a>, AttributeRef<'a>)>) -> Attributes {
    let mut out = Attributes::default();
    for (key, value) in all {
        let key = key.as_str();
        let value = match value {
            AttributeRef::Str(text) => Value::from(redact::value(key, text.as_str()).into_owned()),
            AttributeRef::I64(_) | AttributeRef::F64(_) if redact::is_sensitive_key(key) => {
                Value::from(redact::FILTERED)
            }
            AttributeRef::I64(number) => Value::from(number),
            AttributeRef::F64(number) => Value::from(number),
            AttributeRef::Bool(value) => Value::from(value),
        };
        out.insert(redact::text(key).into_owned(), value);
    }
    out
}

fn breadcrumbs(
    breadcrumbs: &[u8],
    read: DecodeBreadcrumb,
    wall_time: impl Fn(Nanos) -> SystemTime,
) -> Vec<Breadcrumb> {
    let mut reader = Reader::new(breadcrumbs);
    let all = std::iter::from_fn(|| reader.bytes());
    all.filter_map(|crumb| {
        let mut crumb = Reader::new(crumb);
        let at = crumb.u64()?;
        let crumb = read(crumb.rest())?;
        Some(Breadcrumb {
            at: wall_time(at),
            level: crumb.level,
            target: crumb.target.into_owned(),
            message: crumb.message,
            fields: crumb.fields,
        })
    })
    .collect()
}
