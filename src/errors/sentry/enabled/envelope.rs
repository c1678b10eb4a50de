//! Encodes an event as an envelope, with the protocol types of the `sentry` crate.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use sentry::protocol;
use sentry::protocol::{ClientSdkInfo, Context, Event, Exception, LogEntry, Mechanism, Request};
use sentry::protocol::{Stacktrace, TraceContext, User};
use sentry::types::Uuid;
use serde_json::json;

use crate::errors::event::{Breadcrumb, Cause, ErrorEvent, EventKind, Frame};
use crate::model::{Level, SpanId, TraceId, Value, prefix};

/// The maximum number of bytes of a tag's value.
const MAX_TAG: usize = 200;
/// The maximum number of bytes of an event. A larger one is sent without breadcrumbs and extra attributes, and marked.
const MAX_EVENT: usize = 200 * 1024;
/// The prefix of the attributes that are request headers.
const HEADER_PREFIX: &str = "http.request.header.";

/// The service that sends the events.
#[derive(Debug, Default)]
pub(super) struct EventOrigin {
    pub(super) environment: Option<String>,
    pub(super) release: Option<String>,
    pub(super) service: String,
}

/// The envelope with one event.
pub(super) fn envelope(event: &ErrorEvent, origin: &EventOrigin) -> Vec<u8> {
    let mut sent = protocol_event(event, origin);
    let mut payload = payload(&sent, &event.path);
    if payload.len() > MAX_EVENT {
        sent.extra.clear();
        sent.breadcrumbs.values.clear();
        if let Some(Context::Other(own)) = sent.contexts.get_mut("watchpost") {
            own.insert("truncated".to_owned(), true.into());
        }
        payload = self::payload(&sent, &event.path);
    }
    let mut out = Vec::with_capacity(payload.len() + 128);
    put_line(&mut out, &json!({ "event_id": event.id.to_string() }));
    put_item(&mut out, "event", payload.as_bytes());
    out
}

/// Appends an item to an envelope.
pub(super) fn put_item(out: &mut Vec<u8>, kind: &str, payload: &[u8]) {
    put_line(out, &json!({ "type": kind, "length": payload.len() }));
    out.extend_from_slice(payload);
    out.push(b'\n');
}

fn put_line(out: &mut Vec<u8>, head: &serde_json::Value) {
    out.extend_from_slice(head.to_string().as_bytes());
    out.push(b'\n');
}

/// Seconds since the Unix epoch.
pub(super) fn timestamp(at: SystemTime) -> f64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    // A float of this size is no finer than a microsecond.
    since.as_micros() as f64 / 1e6
}

fn payload(event: &Event<'_>, path: &str) -> String {
    let mut json = serde_json::to_value(event).unwrap_or_default();
    // The crate's type requires a complete URL; only the path is known.
    if let Some(request) = json.get_mut("request").and_then(|it| it.as_object_mut())
        && !path.is_empty()
    {
        request.insert("url".to_owned(), path.into());
    }
    json.to_string()
}

/// The event in the protocol's form.
fn protocol_event(event: &ErrorEvent, origin: &EventOrigin) -> Event<'static> {
    let transaction = format!("{} {}", event.method, event.route);
    let mut out = Event {
        event_id: Uuid::from_u128(event.id.to_u128()),
        timestamp: event.at,
        // The protocol has no platform for Rust.
        platform: "native".into(),
        level: level(event.level),
        release: origin.release.clone().map(Into::into),
        environment: origin.environment.clone().map(Into::into),
        transaction: non_empty(transaction.trim()),
        user: non_empty(&event.user).map(|id| User {
            id: Some(id),
            ..User::default()
        }),
        request: request(event),
        contexts: contexts(event),
        tags: tags(event, origin),
        extra: values(event.extra.iter()),
        sdk: Some(std::borrow::Cow::Owned(ClientSdkInfo {
            name: "watchpost".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            integrations: Vec::new(),
            packages: Vec::new(),
        })),
        ..Event::default()
    };
    if !event.fingerprint.is_empty() {
        let parts = event.fingerprint.iter().cloned().map(Into::into);
        out.fingerprint = parts.collect::<Vec<_>>().into();
    }
    if event.kind == EventKind::Message {
        out.logentry = event.error().map(|cause| LogEntry {
            message: cause.message.clone(),
            params: Vec::new(),
        });
    } else {
        let causes = event.causes.iter().enumerate();
        // The protocol lists the innermost cause first.
        let causes = causes
            .rev()
            .map(|(at, cause)| exception(cause, (at == 0).then_some(event)));
        out.exception = causes.collect::<Vec<_>>().into();
    }
    let breadcrumbs = event.breadcrumbs.iter().map(breadcrumb);
    out.breadcrumbs = breadcrumbs.collect::<Vec<_>>().into();
    out
}

/// The text, unless it is empty.
pub(super) fn non_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn level(level: Level) -> protocol::Level {
    match level {
        Level::Debug => protocol::Level::Debug,
        Level::Info => protocol::Level::Info,
        Level::Warning => protocol::Level::Warning,
        Level::Error => protocol::Level::Error,
        Level::Fatal => protocol::Level::Fatal,
    }
}

fn exception(cause: &Cause, outermost: Option<&ErrorEvent>) -> Exception {
    let (module, name) = type_parts(&cause.type_name);
    let mut out = Exception {
        ty: non_empty(name).unwrap_or_else(|| "Error".to_owned()),
        value: non_empty(&cause.message),
        module: non_empty(module),
        ..Exception::default()
    };
    if let Some(event) = outermost {
        let panic = event.kind == EventKind::Panic;
        out.mechanism = Some(Mechanism {
            ty: if panic { "panic" } else { "generic" }.to_owned(),
            handled: Some(!panic),
            ..Mechanism::default()
        });
        out.stacktrace = Some(Stacktrace {
            frames: match event.frames.as_slice() {
                [] => vec![location_frame(&event.location)],
                // The protocol lists the outermost frame first.
                frames => frames.iter().rev().map(frame).collect(),
            },
            ..Stacktrace::default()
        });
    }
    out
}

/// Module and name of a type's path. Generic arguments belong to the name.
fn type_parts(path: &str) -> (&str, &str) {
    let plain = path.split('<').next().unwrap_or(path);
    let at = plain.rfind("::");
    at.and_then(|at| Some((path.get(..at)?, path.get(at + 2..)?)))
        .unwrap_or(("", path))
}

/// The location of the capture as a frame, for an event without a backtrace.
fn location_frame(location: &str) -> protocol::Frame {
    let mut parts = location.rsplitn(3, ':');
    let (column, line) = (parts.next(), parts.next());
    let number = |part: Option<&str>| part.and_then(|it| it.parse().ok());
    protocol::Frame {
        filename: parts.next().and_then(non_empty),
        lineno: number(line),
        colno: number(column),
        in_app: Some(true),
        ..protocol::Frame::default()
    }
}

fn frame(frame: &Frame) -> protocol::Frame {
    protocol::Frame {
        function: non_empty(&frame.function),
        filename: frame.file.rsplit('/').next().and_then(non_empty),
        abs_path: non_empty(&frame.file),
        lineno: (frame.line > 0).then_some(frame.line.into()),
        in_app: Some(frame.in_app),
        ..protocol::Frame::default()
    }
}

fn request(event: &ErrorEvent) -> Option<Request> {
    if event.path.is_empty() && event.method.is_empty() {
        return None;
    }
    let mut headers = BTreeMap::new();
    if let Some(agent) = non_empty(&event.user_agent) {
        headers.insert("User-Agent".to_owned(), agent);
    }
    for (key, value) in event.attributes.iter() {
        if let (Some(name), Value::Str(value)) = (key.strip_prefix(HEADER_PREFIX), value) {
            headers.insert(name.to_owned(), value.to_string());
        }
    }
    Some(Request {
        method: non_empty(&event.method),
        query_string: non_empty(&event.query),
        headers,
        ..Request::default()
    })
}

/// The trace context of the protocol, if there is a trace.
pub(super) fn trace_context(trace: TraceId, span: SpanId) -> Option<TraceContext> {
    (trace != TraceId::NIL && span != SpanId::NIL).then(|| TraceContext {
        trace_id: trace.to_u128().to_be_bytes().into(),
        span_id: span.to_u64().to_be_bytes().into(),
        ..TraceContext::default()
    })
}

fn contexts(event: &ErrorEvent) -> BTreeMap<String, Context> {
    let mut out = BTreeMap::new();
    if let Some(mut trace) = trace_context(event.trace_id, event.span_id) {
        trace.op = Some("http.server".to_owned());
        out.insert("trace".to_owned(), trace.into());
    }
    let headers = |key: &&str| !key.starts_with(HEADER_PREFIX);
    let mut own = values(event.attributes.iter().filter(|(key, _)| headers(key)));
    let mut put = |key: &str, value| own.insert(key.to_owned(), value);
    put("group", format!("{:016x}", event.group).into());
    put("location", event.location.as_str().into());
    if event.truncated {
        put("truncated", true.into());
    }
    if let Some(bytes) = event.resident_bytes {
        put("resident_bytes", bytes.into());
    }
    if let Some(route) = non_empty(&event.route) {
        put("http.route", route.into());
    }
    out.insert("watchpost".to_owned(), Context::Other(own));
    out
}

fn tags(event: &ErrorEvent, origin: &EventOrigin) -> BTreeMap<String, String> {
    let of_event = event.tags.iter();
    let of_event = of_event.map(|(key, value)| (key.as_str(), prefix(value, MAX_TAG)));
    let own = [
        ("service", origin.service.as_str()),
        ("thread", &event.thread),
    ];
    let all = of_event.chain(own).filter(|(_, value)| !value.is_empty());
    all.map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

fn values<'a>(
    all: impl Iterator<Item = (&'a str, &'a Value)>,
) -> BTreeMap<String, protocol::Value> {
    let value = |value: &Value| match value {
        Value::Str(text) => text.as_ref().into(),
        Value::I64(number) => (*number).into(),
        // JSON has no such numbers.
        Value::F64(number) if !number.is_finite() => number.to_string().into(),
        Value::F64(number) => (*number).into(),
        Value::Bool(value) => (*value).into(),
    };
    all.map(|(key, it)| (key.to_owned(), value(it))).collect()
}

fn breadcrumb(crumb: &Breadcrumb) -> protocol::Breadcrumb {
    let fields = crumb.fields.iter();
    protocol::Breadcrumb {
        timestamp: crumb.at,
        level: level(crumb.level),
        category: non_empty(&crumb.target),
        message: non_empty(&crumb.message),
        data: fields
            .map(|(key, value)| (key.clone(), value.as_str().into()))
            .collect(),
        ..protocol::Breadcrumb::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_type_is_split_before_the_name() {
        assert_eq!(type_parts("a::b::C"), ("a::b", "C"));
        assert_eq!(type_parts("a::C<x::Y>"), ("a", "C<x::Y>"));
        assert_eq!(type_parts("Os"), ("", "Os"));
        assert_eq!(type_parts(""), ("", ""));
    }
}
