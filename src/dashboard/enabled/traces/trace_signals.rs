//! The log lines and captured errors of a trace.

use super::trace_facts::{offset_micros, shown};
use crate::dashboard::enabled::changes::millis;
use crate::dashboard::enabled::json::ObjectWriter;
use crate::dashboard::enabled::last_lines;
use crate::dashboard::enabled::setup::DashboardSetup;
use crate::errors::ErrorEvent;
use crate::logs::LogQuery;
use crate::model::{SpanId, TraceId};
use crate::trace::KeptTrace;

/// The maximum number of log lines of a trace.
const MAX_LINES: usize = 500;
/// The maximum number of fields of a line, of errors, and of frames of a stack.
const MAX_FIELDS: usize = 32;
const MAX_ERRORS: usize = 10;
const MAX_FRAMES: usize = 64;

/// Writes the log lines of a trace, and whether older ones were removed from memory.
pub(super) fn put_logs(
    it: &mut ObjectWriter<'_>,
    setup: &DashboardSetup,
    trace_id: Option<TraceId>,
    trace: Option<&KeptTrace>,
) {
    let query = LogQuery::default().limit(MAX_LINES).without_requests();
    let found = trace_id.map(|id| setup.logs.read(&query.trace_id(id)));
    let found = found.unwrap_or_default();
    // A record before the trace means that none of the trace was removed.
    let is_before = |until| {
        let query = LogQuery::default().until(until).limit(1);
        !setup.logs.read(&query).records.is_empty()
    };
    let was_here = trace_id.is_some_and(|id| setup.recent.contains(id));
    let lines = match trace {
        None => "unknown",
        Some(_) if found.oldest <= 1 && was_here => "complete",
        Some(trace) if is_before(trace.start) => "complete",
        Some(trace) if is_before(trace.start + trace.duration) => "partly",
        Some(_) => "removed",
    };
    it.text("lines", lines);
    let mut records = found.records;
    records.reverse();
    it.list("logs", |list| {
        for record in &records {
            list.object(|it| {
                it.integer("at", millis(record.at));
                let offset = trace.map_or(0, |trace| offset_micros(record.at, trace.start));
                it.signed("at_us", offset);
                it.text("level", last_lines::word_of(record.level));
                it.text("target", &record.target);
                it.long_text("message", &record.message);
                let span = Some(record.span_id).filter(|id| *id != SpanId::NIL);
                it.optional_text("span_id", span.map(|id| id.to_string()).as_deref());
                it.list("fields", |list| {
                    for (key, value) in record.fields.iter().take(MAX_FIELDS) {
                        list.object(|it| {
                            it.text("key", key);
                            it.long_text("value", &shown(value));
                        });
                    }
                });
            });
        }
    });
}

/// Writes the captured errors of a trace whose events are in memory, each with its stack.
pub(super) fn put_errors(
    it: &mut ObjectWriter<'_>,
    setup: &DashboardSetup,
    trace_id: Option<TraceId>,
    trace: Option<&KeptTrace>,
) {
    let groups = trace_id.map(|_| setup.errors.groups()).unwrap_or_default();
    let events = groups.iter().filter_map(|group| group.sample.as_deref());
    let of_trace = events.filter(|event| Some(event.trace_id) == trace_id);
    it.list("errors", |list| {
        for event in of_trace.take(MAX_ERRORS) {
            list.object(|it| put_error(it, event, trace));
        }
    });
}

fn put_error(it: &mut ObjectWriter<'_>, event: &ErrorEvent, trace: Option<&KeptTrace>) {
    it.text("id", &event.group.to_string());
    it.integer("at", millis(event.at));
    let offset = trace.map_or(0, |trace| offset_micros(event.at, trace.start));
    it.signed("at_us", offset);
    it.text("span_id", &event.span_id.to_string());
    it.text("location", &event.location);
    it.list("causes", |list| {
        for cause in &event.causes {
            list.object(|it| {
                it.text("type", &cause.type_name);
                it.long_text("message", &cause.message);
            });
        }
    });
    it.list("frames", |list| {
        for frame in event.frames.iter().take(MAX_FRAMES) {
            list.object(|it| {
                it.text("function", &frame.function);
                it.text("file", &frame.file);
                it.integer("line", u64::from(frame.line));
                it.bool("in_app", frame.in_app);
            });
        }
    });
}
