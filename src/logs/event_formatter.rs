//! The log line of a `tracing` event.

use std::sync::Arc;

use super::cache::RenderCache;
use super::keys;
use super::log_line::LogLine;
use crate::context::{Requests, RouteId};
use crate::model::codec::{Reader, RecordText};
use crate::model::{SpanId, TraceId};
use crate::redact::{self, FILTERED};
use crate::trace::event::{self, EventFields, EventValue};
use crate::trace::{callsites, log_event};

/// The maximum number of bytes of the cache of routes.
const MAX_ROUTES: usize = 256 * 1024;

/// Formats events.
#[derive(Debug)]
pub(super) struct EventFormatter {
    requests: Arc<Requests>,
    /// Indexed by the number of the callsite, so the length is bounded by the callsites of the program.
    callsites: Vec<Option<Callsite>>,
    /// Routes as fields.
    routes: RenderCache,
}

/// The parts that all events of a callsite share.
#[derive(Debug)]
struct Callsite {
    /// Level and the beginning of the message, rendered.
    head: Box<[u8]>,
    /// The field `target`, rendered.
    target: Box<[u8]>,
    /// Whether its events are records of the `log` crate.
    is_log: bool,
    fields: Box<[CallsiteField]>,
    /// Whether two fields have the same name.
    has_duplicates: bool,
}

#[derive(Debug)]
struct CallsiteField {
    name: &'static str,
    /// The name as written on a line.
    rendered_name: Box<[u8]>,
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

    /// Appends the rest of a line that has its time; `None` if the record is damaged.
    pub(super) fn put(&mut self, mut line: LogLine<'_>, body: &[u8], service: &[u8]) -> Option<()> {
        let pretty = line.is_pretty();
        // 1. The fixed part of the record: the callsite, the IDs that were current at the event, and the route of its
        // request.
        let mut reader = Reader::new(body);
        let number = reader.u32()?;
        let trace = TraceId::from_u128(reader.u128()?);
        let span = SpanId::from_u64(reader.u64()?);
        let route = RouteId(reader.u32()?);
        let callsite = callsite_of(&mut self.callsites, number & !event::SHORTENED, pretty)?;
        let mut fields = EventFields {
            names: &callsite.fields,
            reader,
        };
        let all_fields = fields.clone();
        // 2. The message. It must follow the level directly, so the fields are searched for it before they are written.
        line.put_raw(&callsite.head);
        let messages = fields.clone().filter(|(field, _)| field.is_message);
        let message = if callsite.has_duplicates {
            messages.last()
        } else {
            { messages }.next()
        };
        if let Some((_, EventValue::Str(message))) = message {
            line.put_scrubbed(message);
        }
        line.end_message(service);
        // 3. The target. Records of the `log` crate share a few callsites, so the target of each is a field.
        match callsite.is_log.then(|| log_target(&fields)).flatten() {
            Some(target) => line.put_field(&keys::TARGET, target.as_str().into()),
            None => line.put_raw(&callsite.target),
        }
        // 4. The IDs. An event outside a request or span has none, and no route either.
        if trace != TraceId::NIL {
            line.put_plain_field(&keys::TRACE_ID, &trace.hex());
            line.put_plain_field(&keys::SPAN_ID, &span.hex());
            let put = |line: &mut LogLine<'_>| {
                let name = self.requests.routes().name(route);
                line.put_field(&keys::ROUTE, (&*name).into());
            };
            let cached = self.routes.get(route.0.into(), &[], |out| {
                put(&mut LogLine::fragment(out, pretty));
                0
            });
            if !line.put_cached(cached.map(|(_, route)| route)) {
                put(&mut line);
            }
        }
        // 5. The event's own fields, in the order of its callsite, until the line is full.
        while let Some((field, value)) = fields.next() {
            // If fields share a name, the last one is kept.
            let is_replaced = || {
                fields
                    .clone()
                    .any(|(later, _)| later.rendered_name == field.rendered_name)
            };
            if field.is_message || callsite.has_duplicates && is_replaced() {
                continue;
            }
            if callsite.is_log && repeats_target(field.name, &value, &all_fields) {
                continue;
            }
            if line.has_room_for(field.name.len()) {
                line.put_raw(&field.rendered_name);
                match value {
                    EventValue::Str(text) => line.put_scrubbed_value(field.is_secret, text),
                    // A number under a sensitive key may be a PIN or a card number. A boolean reveals nothing.
                    EventValue::I64(_) | EventValue::U64(_) | EventValue::F64(_)
                        if field.is_secret =>
                    {
                        line.put_value(RecordText::from(FILTERED));
                    }
                    EventValue::I64(number) => line.put_i64(number),
                    EventValue::U64(number) => line.put_u64(number),
                    EventValue::F64(number) => line.put_f64(number),
                    EventValue::Bool(value) => line.put_bool(value),
                }
            }
        }
        if number & event::SHORTENED != 0 {
            line.mark_truncated();
        }
        line.finish();
        Some(())
    }
}

/// The target that a record of the `log` crate has itself.
fn log_target<'a>(fields: &EventFields<'a, CallsiteField>) -> Option<RecordText<'a>> {
    match fields
        .clone()
        .find(|(field, _)| field.name == log_event::TARGET)?
        .1
    {
        EventValue::Str(target) => Some(target),
        _ => None,
    }
}

/// Whether a field of a record of the `log` crate repeats its target.
fn repeats_target(
    name: &str,
    value: &EventValue<'_>,
    all: &EventFields<'_, CallsiteField>,
) -> bool {
    let EventValue::Str(text) = value else {
        return false;
    };
    name == log_event::TARGET
        || name == log_event::MODULE
            && log_target(all).is_some_and(|target| target.as_str() == text.as_str())
}

/// The callsite with this number, made at its first event.
fn callsite_of(
    callsites: &mut Vec<Option<Callsite>>,
    number: u32,
    pretty: bool,
) -> Option<&Callsite> {
    let at = number as usize;
    if callsites.get(at).is_none_or(Option::is_none) {
        let callsite = Callsite::new(number, pretty)?;
        callsites.resize_with(callsites.len().max(at + 1), || None);
        *callsites.get_mut(at)? = Some(callsite);
    }
    callsites.get(at)?.as_ref()
}

impl Callsite {
    #[cold]
    fn new(number: u32, pretty: bool) -> Option<Self> {
        let metadata = callsites::metadata(number)?;
        let render = |put: &dyn Fn(&mut LogLine<'_>)| -> Box<[u8]> {
            let mut out = Vec::new();
            put(&mut LogLine::fragment(&mut out, pretty));
            out.into()
        };
        let message = event::message_field(metadata);
        let is_log = log_event::is_log(metadata);
        let put_name = |line: &mut LogLine<'_>, name| match log_event::shown_name(name) {
            shown if is_log && shown != name => line.put_key("", shown),
            _ => line.put_host_key(name),
        };
        let fields: Box<[_]> = metadata
            .fields()
            .iter()
            .map(|field| {
                let name = field.name();
                CallsiteField {
                    name,
                    rendered_name: render(&|line| put_name(line, name)),
                    is_message: name == message,
                    is_secret: redact::is_sensitive_key(name),
                }
            })
            .collect();
        // `tracing` accepts two fields with one name. Only callsites with such fields pay for the search for later
        // ones.
        let mut names: Vec<_> = fields.iter().map(|field| &field.rendered_name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        Some(Self {
            head: render(&|line| line.begin_message(*metadata.level())),
            target: render(&|line| line.put_field(&keys::TARGET, metadata.target().into())),
            is_log,
            has_duplicates: names.len() < count,
            fields,
        })
    }
}
