//! An event as the protocol wants it, by the `sentry` crate's types.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use sentry::protocol;
use sentry::protocol::{ClientSdkInfo, Context, Event, Exception, LogEntry, Mechanism, Request};
use sentry::protocol::{Stacktrace, TraceContext, User};
use sentry::types::Uuid;
use serde_json::json;

use crate::errors::event::{Breadcrumb, Cause, ErrorEvent, EventKind, Frame};
use crate::model::{Level, SpanId, TraceId, Value, prefix};

/// Bytes of a tag's value.
const MAX_TAG: usize = 200;
/// The whole event; a larger one goes without its breadcrumbs and extras, and is marked.
const MAX_EVENT: usize = 200 * 1024;
/// What attributes are called that are request headers.
const HEADER: &str = "http.request.header.";

/// Whose events they are.
#[derive(Debug, Default)]
pub(super) struct EventOrigin {
    pub(super) environment: Option<String>,
    pub(super) release: Option<String>,
    pub(super) service: String,
}

/// The envelope of an event.
pub(super) fn envelope(event: &ErrorEvent, origin: &EventOrigin) -> Vec<u8> {
    let mut whole = translated(event, origin);
    let mut payload = payload(&whole, &event.path);
    if payload.len() > MAX_EVENT {
        whole.extra.clear();
        whole.breadcrumbs.values.clear();
        if let Some(Context::Other(own)) = whole.contexts.get_mut("watchpost") {
            own.insert("truncated".to_owned(), true.into());
        }
        payload = self::payload(&whole, &event.path);
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

/// Seconds since the epoch.
pub(super) fn timestamp(at: SystemTime) -> f64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    // Finer than a microsecond a float of this size is not.
    since.as_micros() as f64 / 1e6
}

fn payload(event: &Event<'_>, path: &str) -> String {
    let mut json = serde_json::to_value(event).unwrap_or_default();
    // The crate's type wants a whole URL, and of ours the path is what is known.
    if let Some(request) = json.get_mut("request").and_then(|it| it.as_object_mut())
        && !path.is_empty()
    {
        request.insert("url".to_owned(), path.into());
    }
    json.to_string()
}

fn translated(event: &ErrorEvent, origin: &EventOrigin) -> Event<'static> {
    let transaction = format!("{} {}", event.method, event.route);
    let mut out = Event {
        event_id: Uuid::from_u128(event.id.to_u128()),
        timestamp: event.at,
        // The protocol has no word of its own for Rust.
        platform: "native".into(),
        level: level(event.level),
        release: origin.release.clone().map(Into::into),
        environment: origin.environment.clone().map(Into::into),
        transaction: some(transaction.trim()),
        user: some(&event.user).map(|id| User {
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
        // The innermost cause first.
        let causes = causes
            .rev()
            .map(|(at, cause)| exception(cause, (at == 0).then_some(event)));
        out.exception = causes.collect::<Vec<_>>().into();
    }
    let crumbs = event.breadcrumbs.iter().map(breadcrumb);
    out.breadcrumbs = crumbs.collect::<Vec<_>>().into();
    out
}

/// A text, unless it is empty.
pub(super) fn some(text: &str) -> Option<String> {
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
        ty: some(name).unwrap_or_else(|| "Error".to_owned()),
        value: some(&cause.message),
        module: some(module),
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
                [] => vec![place(&event.location)],
                // The outermost call first.
                frames => frames.iter().rev().map(frame).collect(),
            },
            ..Stacktrace::default()
        });
    }
    out
}

/// The module and the name of a type's path; generic arguments stay with the name.
fn type_parts(path: &str) -> (&str, &str) {
    let plain = path.split('<').next().unwrap_or(path);
    let at = plain.rfind("::");
    at.and_then(|at| Some((path.get(..at)?, path.get(at + 2..)?)))
        .unwrap_or(("", path))
}

/// The place of the capture, where no backtrace was taken.
fn place(location: &str) -> protocol::Frame {
    let mut parts = location.rsplitn(3, ':');
    let (column, line) = (parts.next(), parts.next());
    let number = |part: Option<&str>| part.and_then(|it| it.parse().ok());
    protocol::Frame {
        filename: parts.next().and_then(some),
        lineno: number(line),
        colno: number(column),
        in_app: Some(true),
        ..protocol::Frame::default()
    }
}

fn frame(frame: &Frame) -> protocol::Frame {
    protocol::Frame {
        function: some(&frame.function),
        filename: frame.file.rsplit('/').next().and_then(some),
        abs_path: some(&frame.file),
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
    if let Some(agent) = some(&event.user_agent) {
        headers.insert("User-Agent".to_owned(), agent);
    }
    for (key, value) in event.attributes.iter() {
        if let (Some(name), Value::Str(value)) = (key.strip_prefix(HEADER), value) {
            headers.insert(name.to_owned(), value.to_string());
        }
    }
    Some(Request {
        method: some(&event.method),
        query_string: some(&event.query),
        headers,
        ..Request::default()
    })
}

/// The trace as the protocol has it, if there is one.
pub(super) fn trace(trace: TraceId, span: SpanId) -> Option<TraceContext> {
    (trace != TraceId::NIL && span != SpanId::NIL).then(|| TraceContext {
        trace_id: trace.to_u128().to_be_bytes().into(),
        span_id: span.to_u64().to_be_bytes().into(),
        ..TraceContext::default()
    })
}

fn contexts(event: &ErrorEvent) -> BTreeMap<String, Context> {
    let mut out = BTreeMap::new();
    if let Some(mut trace) = trace(event.trace_id, event.span_id) {
        trace.op = Some("http.server".to_owned());
        out.insert("trace".to_owned(), trace.into());
    }
    let headers = |key: &&str| !key.starts_with(HEADER);
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
    if let Some(route) = some(&event.route) {
        put("http.route", route.into());
    }
    out.insert("watchpost".to_owned(), Context::Other(own));
    out
}

fn tags(event: &ErrorEvent, origin: &EventOrigin) -> BTreeMap<String, String> {
    let theirs = event.tags.iter();
    let theirs = theirs.map(|(key, value)| (key.as_str(), prefix(value, MAX_TAG)));
    let ours = [
        ("service", origin.service.as_str()),
        ("thread", &event.thread),
    ];
    let all = theirs.chain(ours).filter(|(_, value)| !value.is_empty());
    all.map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

fn values<'a>(
    all: impl Iterator<Item = (&'a str, &'a Value)>,
) -> BTreeMap<String, protocol::Value> {
    let value = |value: &Value| match value {
        Value::Str(text) => text.as_ref().into(),
        Value::I64(number) => (*number).into(),
        // As a text where JSON has no word for it.
        Value::F64(number) if !number.is_finite() => number.to_string().into(),
        Value::F64(number) => (*number).into(),
        Value::Bool(truth) => (*truth).into(),
    };
    all.map(|(key, it)| (key.to_owned(), value(it))).collect()
}

fn breadcrumb(crumb: &Breadcrumb) -> protocol::Breadcrumb {
    let fields = crumb.fields.iter();
    protocol::Breadcrumb {
        timestamp: crumb.at,
        level: level(crumb.level),
        category: some(&crumb.target),
        message: some(&crumb.message),
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
    fn paths_of_types_are_parted_at_the_name() {
        assert_eq!(type_parts("a::b::C"), ("a::b", "C"));
        assert_eq!(type_parts("a::C<x::Y>"), ("a", "C<x::Y>"));
        assert_eq!(type_parts("Os"), ("", "Os"));
        assert_eq!(type_parts(""), ("", ""));
    }
}
