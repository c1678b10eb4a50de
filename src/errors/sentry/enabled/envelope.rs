//! An event as the protocol wants it.

use std::time::{SystemTime, UNIX_EPOCH};

use super::json::{Array, Object};
use crate::errors::event::{Breadcrumb, Cause, ErrorEvent, EventKind, Frame};
use crate::model::{Attributes, SpanId, TraceId, Value};

/// Bytes of a tag's value.
const MAX_TAG: usize = 200;
/// The whole event; what is larger goes without its breadcrumbs and extras.
const MAX_EVENT: usize = 200 * 1024;

/// Whose events they are.
#[derive(Debug, Default)]
pub(super) struct Origin {
    pub(super) environment: Option<String>,
    pub(super) release: Option<String>,
    pub(super) service: String,
}

/// The envelope of an event.
pub(super) fn envelope(event: &ErrorEvent, origin: &Origin) -> Vec<u8> {
    let mut payload = Vec::with_capacity(2048);
    put_event(&mut payload, event, origin, true);
    if payload.len() > MAX_EVENT {
        payload.clear();
        put_event(&mut payload, event, origin, false);
    }
    let mut out = Vec::with_capacity(payload.len() + 128);
    let mut head = Object::begin(&mut out);
    head.text("event_id", &event.id.to_string());
    head.end();
    out.push(b'\n');
    put_item(&mut out, "event", &payload);
    out
}

/// Appends an item to an envelope.
pub(super) fn put_item(out: &mut Vec<u8>, kind: &str, payload: &[u8]) {
    let mut head = Object::begin(out);
    head.text("type", kind);
    head.u64("length", payload.len() as u64);
    head.end();
    out.push(b'\n');
    out.extend_from_slice(payload);
    out.push(b'\n');
}

/// Seconds since the epoch.
pub(super) fn timestamp(at: SystemTime) -> f64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    // Finer than a microsecond a float of this size is not.
    since.as_micros() as f64 / 1e6
}

fn put_event(out: &mut Vec<u8>, event: &ErrorEvent, origin: &Origin, whole: bool) {
    let mut json = Object::begin(out);
    json.text("event_id", &event.id.to_string());
    json.f64("timestamp", timestamp(event.at));
    // The protocol has no word of its own for Rust.
    json.text("platform", "native");
    json.text("level", event.level.as_str());
    json.text("release", origin.release.as_deref().unwrap_or_default());
    json.text(
        "environment",
        origin.environment.as_deref().unwrap_or_default(),
    );
    let transaction = format!("{} {}", event.method, event.route);
    json.text("transaction", transaction.trim());
    json.object("sdk", |sdk| {
        sdk.text("name", "watchpost");
        sdk.text("version", env!("CARGO_PKG_VERSION"));
    });
    if !event.fingerprint.is_empty() {
        json.array("fingerprint", |list| {
            event.fingerprint.iter().for_each(|part| list.text(part));
        });
    }
    put_what(&mut json, event);
    put_request(&mut json, event);
    json.object("contexts", |contexts| put_contexts(contexts, event));
    json.object("tags", |tags| {
        tags.text("service", &origin.service);
        tags.text("thread", &event.thread);
        let own = ["service", "thread"];
        for (key, value) in event
            .tags
            .iter()
            .filter(|(key, _)| !own.contains(&key.as_str()))
        {
            tags.text(key, crate::model::prefix(value, MAX_TAG));
        }
    });
    if whole && !event.extra.is_empty() {
        json.object("extra", |extra| put_attributes(extra, &event.extra));
    }
    if whole && !event.breadcrumbs.is_empty() {
        json.object("breadcrumbs", |crumbs| {
            crumbs.array("values", |list| {
                event.breadcrumbs.iter().for_each(|it| put_crumb(list, it));
            });
        });
    }
    json.end();
}

/// The error with its sources, or the message.
fn put_what(json: &mut Object<'_>, event: &ErrorEvent) {
    if event.kind == EventKind::Message {
        let message = event.error().map_or("", |cause| &cause.message);
        json.object("logentry", |entry| entry.text("formatted", message));
        return;
    }
    json.object("exception", |exception| {
        exception.array("values", |list| {
            // The innermost cause first.
            for (at, cause) in event.causes.iter().enumerate().rev() {
                list.object(|value| put_cause(value, cause, (at == 0).then_some(event)));
            }
        });
    });
}

fn put_cause(json: &mut Object<'_>, cause: &Cause, outermost: Option<&ErrorEvent>) {
    let (module, name) = type_parts(&cause.type_name);
    json.text("type", if name.is_empty() { "Error" } else { name });
    json.text("value", &cause.message);
    json.text("module", module);
    let Some(event) = outermost else { return };
    let panic = event.kind == EventKind::Panic;
    json.object("mechanism", |mechanism| {
        mechanism.text("type", if panic { "panic" } else { "generic" });
        mechanism.bool("handled", !panic);
    });
    json.object("stacktrace", |stack| {
        stack.array("frames", |list| {
            if event.frames.is_empty() {
                put_place(list, &event.location);
            }
            // The outermost call first.
            event.frames.iter().rev().for_each(|it| put_frame(list, it));
        });
    });
}

/// The module and the name of a type's path; generic arguments stay with the name.
fn type_parts(path: &str) -> (&str, &str) {
    let plain = path.split('<').next().unwrap_or(path);
    let at = plain.rfind("::");
    at.and_then(|at| Some((path.get(..at)?, path.get(at + 2..)?)))
        .unwrap_or(("", path))
}

/// The place of the capture, where no backtrace was taken.
fn put_place(list: &mut Array<'_>, location: &str) {
    let mut parts = location.rsplitn(3, ':');
    let (column, line) = (parts.next(), parts.next());
    list.object(|frame| {
        frame.text("filename", parts.next().unwrap_or_default());
        for (key, number) in [("lineno", line), ("colno", column)] {
            if let Some(number) = number.and_then(|it| it.parse().ok()) {
                frame.u64(key, number);
            }
        }
        frame.bool("in_app", true);
    });
}

fn put_frame(list: &mut Array<'_>, frame: &Frame) {
    list.object(|json| {
        json.text("function", &frame.function);
        let name = frame.file.rsplit('/').next().unwrap_or_default();
        json.text("filename", name);
        json.text("abs_path", &frame.file);
        if frame.line > 0 {
            json.u64("lineno", frame.line.into());
        }
        json.bool("in_app", frame.in_app);
    });
}

fn put_request(json: &mut Object<'_>, event: &ErrorEvent) {
    if !event.user.is_empty() {
        json.object("user", |user| user.text("id", &event.user));
    }
    if event.path.is_empty() && event.method.is_empty() {
        return;
    }
    json.object("request", |request| {
        request.text("method", &event.method);
        request.text("url", &event.path);
        request.text("query_string", &event.query);
        request.object("headers", |headers| {
            headers.text("User-Agent", &event.user_agent);
            for (key, value) in event.attributes.iter() {
                if let (Some(name), Value::Str(value)) =
                    (key.strip_prefix("http.request.header."), value)
                {
                    headers.text(name, value);
                }
            }
        });
    });
}

fn put_contexts(contexts: &mut Object<'_>, event: &ErrorEvent) {
    if event.trace_id != TraceId::NIL {
        contexts.object("trace", |trace| {
            trace.text("trace_id", &event.trace_id.to_string());
            if event.span_id != SpanId::NIL {
                trace.text("span_id", &event.span_id.to_string());
            }
            trace.text("op", "http.server");
        });
    }
    contexts.object("watchpost", |own| {
        own.text("group", &format!("{:016x}", event.group));
        own.text("location", &event.location);
        if let Some(bytes) = event.resident_bytes {
            own.u64("resident_bytes", bytes);
        }
        own.text("http.route", &event.route);
        let headers = |key: &&str| !key.starts_with("http.request.header.");
        for (key, value) in event.attributes.iter().filter(|(key, _)| headers(key)) {
            put_value(own, key, value);
        }
    });
}

fn put_attributes(json: &mut Object<'_>, attributes: &Attributes) {
    for (key, value) in attributes.iter() {
        put_value(json, key, value);
    }
}

fn put_value(json: &mut Object<'_>, key: &str, value: &Value) {
    match value {
        Value::Str(text) => json.text(key, text),
        Value::I64(number) => json.i64(key, *number),
        Value::F64(number) => json.f64(key, *number),
        Value::Bool(truth) => json.bool(key, *truth),
    }
}

fn put_crumb(list: &mut Array<'_>, crumb: &Breadcrumb) {
    list.object(|json| {
        json.f64("timestamp", timestamp(crumb.at));
        json.text("level", crumb.level.as_str());
        json.text("category", &crumb.target);
        json.text("message", &crumb.message);
        if !crumb.fields.is_empty() {
            json.object("data", |data| {
                for (key, value) in &crumb.fields {
                    data.text(key, value);
                }
            });
        }
    });
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
