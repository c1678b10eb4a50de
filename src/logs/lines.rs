//! Records as lines.

use std::borrow::Cow;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use tracing::Level;

use super::callsites;
use super::config::Service;
use super::layer::{BOOL, F64, I64, STR, U64};
use super::line::{Line, put_millis};
use super::stamp::Stamp;
use crate::clock::Nanos;
use crate::model::wire::Reader;
use crate::model::{Level as ErrorLevel, Outcome, Signal, SpanId, TraceId};
use crate::redact;
use crate::request::{AttributeRef, ErrorKind, ErrorRecord, RequestRecord, Requests, RouteId};
use crate::semconv;
use crate::worker::{Format, Record};

/// Writes each record as one line.
#[derive(Debug)]
pub(crate) struct Lines {
    pretty: bool,
    requests: Arc<Requests>,
    stamp: Stamp,
    /// What every line says of the service, ready to be copied.
    service: Vec<u8>,
    agents: Agents,
}

/// User agents scrubbed before: visitors have few, and each is long.
#[derive(Debug, Default)]
struct Agents(FxHashMap<Box<str>, Box<str>>);

impl Agents {
    /// User agents that are remembered, of at most so many bytes each.
    const KEPT: usize = 256;
    const KEPT_BYTES: usize = 512;

    fn scrubbed<'a>(&'a mut self, agent: &'a str) -> Cow<'a, str> {
        if agent.len() < 16 || agent.len() > Self::KEPT_BYTES {
            return redact::text(agent);
        }
        if self.0.len() >= Self::KEPT && !self.0.contains_key(agent) {
            self.0.clear();
        }
        if !self.0.contains_key(agent) {
            self.0.insert(agent.into(), redact::text(agent).into());
        }
        Cow::Borrowed(self.0.get(agent).map_or("", |agent| agent))
    }
}

impl Lines {
    pub(crate) fn new(pretty: bool, service: &Service, requests: Arc<Requests>) -> Self {
        let mut constant = Vec::new();
        if !pretty {
            let mut line = Line::begin(&mut constant, false);
            line.field(semconv::SERVICE_NAME, &service.name);
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            line.field(semconv::SERVICE_VERSION, &text(&service.version));
            line.field(semconv::SERVICE_INSTANCE_ID, &text(&service.instance));
            line.field(
                semconv::DEPLOYMENT_ENVIRONMENT_NAME,
                &text(&service.environment),
            );
            // The opening brace.
            constant.remove(0);
        }
        Self {
            pretty,
            requests,
            stamp: Stamp::default(),
            service: constant,
            agents: Agents::default(),
        }
    }

    /// Time, level and the beginning of the message, which the caller writes and [`Self::head_ends`].
    fn head<'a>(&mut self, out: &'a mut Vec<u8>, at: Nanos, level: Level) -> Line<'a> {
        let wall = self.requests.clock().wall(at);
        let mut line = Line::begin(out, self.pretty);
        if self.pretty {
            self.stamp.put(line.out(), wall);
            line.raw(match level {
                Level::ERROR => b" ERROR ",
                Level::WARN => b"  WARN ",
                Level::INFO => b"  INFO ",
                Level::DEBUG => b" DEBUG ",
                Level::TRACE => b" TRACE ",
            });
        } else {
            line.raw(b"\"timestamp\":\"");
            self.stamp.put(line.out(), wall);
            line.raw(b"\",\"level\":\"");
            line.raw(level.as_str().as_bytes());
            line.raw(b"\",\"message\":\"");
        }
        line
    }

    fn head_ends(&self, line: &mut Line<'_>) {
        if !self.pretty {
            line.raw(b"\"");
            line.raw(&self.service);
        }
    }

    fn request(&mut self, at: Nanos, record: &RequestRecord<'_>, out: &mut Vec<u8>) {
        let level = if record.failed {
            Level::ERROR
        } else {
            Level::INFO
        };
        let mut line = self.head(out, at, level);
        line.raw(record.method.as_str().as_bytes());
        line.raw(b" ");
        line.text(record.route);
        line.raw(b" ");
        match record.status {
            Some(status) if record.outcome == Outcome::Completed => {
                line.raw(itoa::Buffer::new().format(status).as_bytes());
            }
            _ => line.raw(record.outcome.as_str().as_bytes()),
        }
        line.raw(b" ");
        put_millis(line.out(), record.duration);
        line.raw(b" ms");
        self.head_ends(&mut line);
        put_ids(&mut line, record.trace, record.span);
        if record.parent_span != SpanId::NIL {
            line.plain("parent_span_id", &record.parent_span.hex());
        }
        if record.parent_trace != TraceId::NIL {
            line.plain("watchpost.parent.trace_id", &record.parent_trace.hex());
        }
        line.plain(
            semconv::HTTP_REQUEST_METHOD,
            record.method.as_str().as_bytes(),
        );
        line.field(semconv::HTTP_ROUTE, record.route);
        if let Some(status) = record.status {
            line.whole(semconv::HTTP_RESPONSE_STATUS_CODE, status.into());
        }
        if let Some(status) = record.grpc_status {
            line.whole(semconv::RPC_GRPC_STATUS_CODE, status.into());
        }
        line.plain(
            semconv::WATCHPOST_OUTCOME,
            record.outcome.as_str().as_bytes(),
        );
        line.field(semconv::ERROR_TYPE, record.error_type);
        if let Some(time) = record.time_to_headers {
            line.millis("time_to_headers_ms", time);
        }
        line.millis("duration_ms", record.duration);
        if let Some(bytes) = record.request_bytes {
            line.whole(semconv::HTTP_REQUEST_BODY_SIZE, bytes);
        }
        if let Some(bytes) = record.response_bytes {
            line.whole(semconv::HTTP_RESPONSE_BODY_SIZE, bytes);
        }
        line.field(semconv::URL_PATH, &redact::path(record.path));
        if !record.query.is_empty() {
            line.field(semconv::URL_QUERY, &redact::query(record.query, NO_NAMES));
        }
        line.field(semconv::CLIENT_ADDRESS, record.client_address);
        let agent = self.agents.scrubbed(record.user_agent);
        line.field(semconv::USER_AGENT_ORIGINAL, &agent);
        line.field(semconv::USER_ID, &redact::text(record.user));
        put_attributes(&mut line, record.attributes());
        line.end();
    }

    fn error(&mut self, at: Nanos, record: &ErrorRecord<'_>, out: &mut Vec<u8>) {
        let level = match record.level {
            ErrorLevel::Fatal | ErrorLevel::Error => Level::ERROR,
            ErrorLevel::Warning => Level::WARN,
            ErrorLevel::Info => Level::INFO,
            ErrorLevel::Debug => Level::DEBUG,
        };
        let mut line = self.head(out, at, level);
        let (kind, message) = record.first();
        let message = redact::text(message);
        line.text(&message);
        self.head_ends(&mut line);
        line.plain("event_id", &record.event.hex());
        if record.trace != TraceId::NIL {
            put_ids(&mut line, record.trace, record.span);
            let route = self.requests.routes().name(RouteId(record.route));
            line.field(semconv::HTTP_ROUTE, &route);
        }
        if record.kind != ErrorKind::Message {
            line.field(semconv::EXCEPTION_TYPE, kind);
            line.field(semconv::EXCEPTION_MESSAGE, &message);
        }
        let causes = record.chain.iter().skip(1).map(|(_, message)| message);
        let causes = causes.collect::<Vec<_>>().join(": ");
        line.field("exception.causes", &redact::text(&causes));
        line.field("code.file.path", record.file);
        line.whole("code.line.number", record.line.into());
        line.field(semconv::USER_ID, &redact::text(record.user()));
        for (key, value) in record.tags.iter() {
            if line.foreign(&redact::text(key)) {
                line.value(&redact::value(key, value));
            }
        }
        put_attributes(&mut line, record.extra());
        line.end();
    }

    fn event(&mut self, at: Nanos, body: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let mut reader = Reader::new(body);
        let metadata = callsites::metadata(reader.u32()?)?;
        let trace = TraceId::from_u128(reader.u128()?);
        let span = SpanId::from_u64(reader.u64()?);
        let route = RouteId(reader.u32()?);
        let names: Vec<&str> = metadata.fields().iter().map(|field| field.name()).collect();
        let fields = Fields {
            names: &names,
            reader,
        };
        let mut line = self.head(out, at, *metadata.level());
        let message = fields.clone().find(|(name, _)| *name == "message");
        if let Some((_, FieldRef::Str(message))) = message {
            line.text(&redact::text(message));
        }
        self.head_ends(&mut line);
        line.field("target", metadata.target());
        if trace != TraceId::NIL {
            put_ids(&mut line, trace, span);
            line.field(semconv::HTTP_ROUTE, &self.requests.routes().name(route));
        }
        for (name, value) in fields.filter(|(name, _)| *name != "message") {
            if line.foreign(name) {
                match value {
                    FieldRef::Str(text) => line.value(&redact::value(name, text)),
                    FieldRef::I64(number) => put_i64(&mut line, number),
                    FieldRef::U64(number) => {
                        line.raw(itoa::Buffer::new().format(number).as_bytes());
                    }
                    FieldRef::F64(number) => put_f64(&mut line, number),
                    FieldRef::Bool(truth) => put_bool(&mut line, truth),
                }
            }
        }
        line.end();
        Some(())
    }
}

/// No value of a query is told.
const NO_NAMES: &[&str] = &[];

impl Format for Lines {
    fn format(&mut self, record: &Record<'_>, out: &mut Vec<u8>) -> bool {
        match record.signal {
            Signal::Request => match RequestRecord::read(record.body) {
                Some(request) => {
                    self.request(record.at, &request, out);
                    true
                }
                None => false,
            },
            Signal::Error => match ErrorRecord::read(record.body) {
                Some(error) => {
                    self.error(record.at, &error, out);
                    true
                }
                None => false,
            },
            _ => self.event(record.at, record.body, out).is_some(),
        }
    }

    fn notice(&mut self, at: Nanos, sentence: &str, out: &mut Vec<u8>) {
        let mut line = self.head(out, at, Level::WARN);
        line.text(sentence);
        self.head_ends(&mut line);
        line.field("target", "watchpost");
        line.end();
    }
}

/// The fields of an event, up to the first that cannot be read.
#[derive(Clone)]
pub(super) struct Fields<'a> {
    pub(super) names: &'a [&'static str],
    pub(super) reader: Reader<'a>,
}

pub(super) enum FieldRef<'a> {
    Str(&'a str),
    I64(i64),
    U64(u64),
    F64(f64),
    Bool(bool),
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'static str, FieldRef<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let name = *self.names.get(usize::from(self.reader.u8()?))?;
        let value = match self.reader.u8()? {
            STR => FieldRef::Str(self.reader.str()?),
            I64 => FieldRef::I64(self.reader.i64()?),
            U64 => FieldRef::U64(self.reader.u64()?),
            F64 => FieldRef::F64(self.reader.f64()?),
            BOOL => FieldRef::Bool(self.reader.u8()? == 1),
            _ => return None,
        };
        Some((name, value))
    }
}

fn put_attributes<'a>(
    line: &mut Line<'_>,
    attributes: impl Iterator<Item = (&'a str, AttributeRef<'a>)>,
) {
    for (key, value) in attributes {
        if line.foreign(&redact::text(key)) {
            match value {
                AttributeRef::Str(text) => line.value(&redact::value(key, text)),
                AttributeRef::I64(number) => put_i64(line, number),
                AttributeRef::F64(number) => put_f64(line, number),
                AttributeRef::Bool(truth) => put_bool(line, truth),
            }
        }
    }
}

fn put_ids(line: &mut Line<'_>, trace: TraceId, span: SpanId) {
    line.plain("trace_id", &trace.hex());
    line.plain("span_id", &span.hex());
}

fn put_i64(line: &mut Line<'_>, number: i64) {
    line.raw(itoa::Buffer::new().format(number).as_bytes());
}

fn put_bool(line: &mut Line<'_>, truth: bool) {
    line.raw(if truth { b"true" } else { b"false" });
}

/// JSON has no word for what is not finite.
fn put_f64(line: &mut Line<'_>, number: f64) {
    if number.is_finite() {
        line.raw(number.to_string().as_bytes());
    } else {
        line.value(&number.to_string());
    }
}
