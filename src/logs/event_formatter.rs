//! The line of a `tracing` event.

use std::sync::Arc;

use super::cache::RenderCache;
use super::formatter::{end_message, put_level};
use super::keys;
use super::log_line::LogLine;
use crate::context::{Requests, RouteId};
use crate::model::codec::{Reader, Text};
use crate::model::{SpanId, TraceId};
use crate::redact::{self, FILTERED};
use crate::trace::event::{self, Fields, Value};
use crate::trace::{callsites, log_event};

/// Bytes that are kept for routes.
const MAX_ROUTES: usize = 256 * 1024;

/// Writes events.
#[derive(Debug)]
pub(super) struct EventFormatter {
    requests: Arc<Requests>,
    /// By their number: as many as the source has.
    callsites: Vec<Option<Callsite>>,
    routes: RenderCache,
}

/// What all events of a callsite have in common.
#[derive(Debug)]
struct Callsite {
    /// Level and the beginning of the message.
    head: Box<[u8]>,
    target: Box<[u8]>,
    /// Whether it stands for records of the `log` crate.
    is_log: bool,
    fields: Box<[CallsiteField]>,
    /// Whether two fields have one name.
    has_twins: bool,
}

#[derive(Debug)]
struct CallsiteField {
    name: &'static str,
    /// The name as it stands on the line.
    part: Box<[u8]>,
    is_message: bool,
    is_secret: bool,
}

impl EventFormatter {
    pub(super) fn new(requests: Arc<Requests>) -> Self {
        Self {
            requests,
            callsites: Vec::new(),
            routes: RenderCache::new(MAX_ROUTES),
        }
    }

    pub(super) fn put(&mut self, mut line: LogLine<'_>, body: &[u8], service: &[u8]) -> Option<()> {
        let pretty = line.pretty();
        let mut reader = Reader::new(body);
        let number = reader.u32()?;
        let trace = TraceId::from_u128(reader.u128()?);
        let span = SpanId::from_u64(reader.u64()?);
        let route = RouteId(reader.u32()?);
        let callsite = callsite_of(&mut self.callsites, number & !event::SHORTENED, pretty)?;
        let mut fields = Fields {
            names: &callsite.fields,
            reader,
        };
        let all = fields.clone();
        line.raw(&callsite.head);
        let messages = fields.clone().filter(|(field, _)| field.is_message);
        let message = if callsite.has_twins {
            messages.last()
        } else {
            { messages }.next()
        };
        if let Some((_, Value::Str(message))) = message {
            line.scrubbed(message);
        }
        end_message(&mut line, service);
        match callsite.is_log.then(|| own_target(&fields)).flatten() {
            Some(target) => line.field(&keys::TARGET, target.as_str().into()),
            None => line.raw(&callsite.target),
        }
        if trace != TraceId::NIL {
            line.plain(&keys::TRACE_ID, &trace.hex());
            line.plain(&keys::SPAN_ID, &span.hex());
            let put = |line: &mut LogLine<'_>| {
                let name = self.requests.routes().name(route);
                line.field(&keys::ROUTE, (&*name).into());
            };
            let kept = self.routes.get(route.0.into(), &[], |out| {
                put(&mut LogLine::part(out, pretty));
                0
            });
            if !line.kept(kept.map(|(_, route)| route)) {
                put(&mut line);
            }
        }
        while let Some((field, value)) = fields.next() {
            // Of two fields with one name the last stays.
            let is_replaced = || fields.clone().any(|(later, _)| later.part == field.part);
            if field.is_message || callsite.has_twins && is_replaced() {
                continue;
            }
            if callsite.is_log && is_shown_as_target(field.name, &value, &all) {
                continue;
            }
            if line.takes(field.name.len()) {
                line.raw(&field.part);
                match value {
                    Value::Str(text) => line.scrubbed_value(field.is_secret, text),
                    Value::I64(_) | Value::U64(_) | Value::F64(_) if field.is_secret => {
                        line.value(Text::from(FILTERED));
                    }
                    Value::I64(number) => line.put_i64(number),
                    Value::U64(number) => line.put_whole(number),
                    Value::F64(number) => line.put_f64(number),
                    Value::Bool(truth) => line.put_bool(truth),
                }
            }
        }
        if number & event::SHORTENED != 0 {
            line.mark_cut();
        }
        line.end();
        Some(())
    }
}

/// The target of a record of the `log` crate.
fn own_target<'a>(fields: &Fields<'a, CallsiteField>) -> Option<Text<'a>> {
    match fields
        .clone()
        .find(|(field, _)| field.name == log_event::TARGET)?
        .1
    {
        Value::Str(target) => Some(target),
        _ => None,
    }
}

/// Whether a field of a record of the `log` crate says what its target says.
fn is_shown_as_target(name: &str, value: &Value<'_>, all: &Fields<'_, CallsiteField>) -> bool {
    let Value::Str(text) = value else {
        return false;
    };
    name == log_event::TARGET
        || name == log_event::MODULE
            && own_target(all).is_some_and(|target| target.as_str() == text.as_str())
}

fn callsite_of(known: &mut Vec<Option<Callsite>>, number: u32, pretty: bool) -> Option<&Callsite> {
    let at = number as usize;
    if known.get(at).is_none_or(Option::is_none) {
        let callsite = Callsite::of(number, pretty)?;
        known.resize_with(known.len().max(at + 1), || None);
        *known.get_mut(at)? = Some(callsite);
    }
    known.get(at)?.as_ref()
}

impl Callsite {
    #[cold]
    fn of(number: u32, pretty: bool) -> Option<Self> {
        let metadata = callsites::metadata(number)?;
        let part = |put: &dyn Fn(&mut LogLine<'_>)| -> Box<[u8]> {
            let mut out = Vec::new();
            put(&mut LogLine::part(&mut out, pretty));
            out.into()
        };
        let message = event::message_field(metadata);
        let is_log = log_event::is_log(metadata);
        let put_name = |line: &mut LogLine<'_>, name| match log_event::shown_name(name) {
            shown if is_log && shown != name => line.named("", shown),
            _ => line.foreign(name),
        };
        let fields: Box<[_]> = metadata
            .fields()
            .iter()
            .map(|field| {
                let name = field.name();
                CallsiteField {
                    name,
                    part: part(&|line| put_name(line, name)),
                    is_message: name == message,
                    is_secret: redact::is_sensitive_key(name),
                }
            })
            .collect();
        let mut parts: Vec<_> = fields.iter().map(|field| &field.part).collect();
        parts.sort_unstable();
        let count = parts.len();
        parts.dedup();
        Some(Self {
            head: part(&|line| put_level(line, *metadata.level())),
            target: part(&|line| line.field(&keys::TARGET, metadata.target().into())),
            is_log,
            has_twins: parts.len() < count,
            fields,
        })
    }
}
