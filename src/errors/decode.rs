//! From the compact record to the event: texts are scrubbed here, before anybody keeps them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::capture::CaptureState;
use super::event::{Breadcrumb, Cause, ErrorEvent, EventKind};
use super::fingerprint::{GroupHash, normalise};
use crate::context::{ReadCrumb, RouteId};
use crate::model::codec::{Reader, Text};
use crate::model::{Attributes, Value};
use crate::record::{AttributeRef, ErrorKind, ErrorRecord};
use crate::redact;

/// The part of a fingerprint that stands for what it would be without.
const DEFAULT_PART: &str = "{{ default }}";

/// The event of a record of the time `at`; `None` if it cannot be read.
pub(super) fn event(
    shared: &CaptureState,
    at: u64,
    body: &[u8],
    read_crumb: ReadCrumb,
) -> Option<(ErrorEvent, bool)> {
    let record = ErrorRecord::read(body)?;
    let wall = |at| time(shared.requests.clock().wall(at));
    let request = record.request();
    let route = shared.requests.routes().name(RouteId(record.route));
    let route = route.as_ref().to_owned();
    let causes = record.chain.iter().map(|(kind, message)| Cause {
        type_name: kind.to_owned(),
        message: redact::text(message).into_owned(),
    });
    let causes = causes.collect();
    let mut event = ErrorEvent {
        id: record.event,
        at: wall(at),
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
        breadcrumbs: breadcrumbs(record.crumbs, read_crumb, wall),
        frames: Vec::new(),
        fingerprint: record
            .fingerprint()
            .map(|part| redact::text(part).into_owned())
            .collect(),
        group: 0,
        resident_bytes: None,
        truncated: record.shortened,
    };
    event.group = group(&event);
    Some((event, record.backtrace))
}

/// A wall time in nanoseconds since the epoch.
fn time(wall: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(wall)
}

/// The tags, scrubbed: two keys may be one then, and the last value stays.
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

fn attributes<'a>(all: impl Iterator<Item = (Text<'a>, AttributeRef<'a>)>) -> Attributes {
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
            AttributeRef::Bool(truth) => Value::from(truth),
        };
        out.insert(redact::text(key).into_owned(), value);
    }
    out
}

fn breadcrumbs(
    crumbs: &[u8],
    read: ReadCrumb,
    wall: impl Fn(u64) -> SystemTime,
) -> Vec<Breadcrumb> {
    let mut reader = Reader::new(crumbs);
    let all = std::iter::from_fn(|| reader.bytes());
    all.filter_map(|crumb| {
        let mut crumb = Reader::new(crumb);
        let at = crumb.u64()?;
        let crumb = read(crumb.rest())?;
        Some(Breadcrumb {
            at: wall(at),
            level: crumb.level,
            target: crumb.target.into_owned(),
            message: crumb.message,
            fields: crumb.fields,
        })
    })
    .collect()
}

fn group(event: &ErrorEvent) -> u64 {
    let default = |hash: GroupHash| {
        let hash = hash.with(match event.kind {
            EventKind::Error => "error",
            EventKind::Message => "message",
            EventKind::Panic => "panic",
        });
        let first = event.error().map_or(("", ""), |cause| {
            (cause.type_name.as_str(), cause.message.as_str())
        });
        hash.with(first.0)
            .with(&normalise(first.1))
            .with(&event.location)
            .with(&event.route)
    };
    if event.fingerprint.is_empty() {
        return default(GroupHash::new()).number();
    }
    let parts = event.fingerprint.iter();
    let hash = parts.fold(GroupHash::new(), |hash, part| match part.as_str() {
        DEFAULT_PART => default(hash),
        part => hash.with(part),
    });
    hash.number()
}
