//! The line of a request.

use tracing::Level;

use super::cache::RenderCache;
use super::field_names::FieldNames;
use super::formatter::{end_message, put_attributes, put_level};
use super::keys;
use super::log_line::LogLine;
use crate::model::codec::Text;
use crate::model::grpc::{Call, rpc_method};
use crate::model::{Outcome, SpanId, TraceId};
use crate::record::RequestRecord;
use crate::redact;

/// Bytes that are kept for requests of the same kind, and for user agents.
const MAX_KINDS: usize = 512 * 1024;
const MAX_AGENTS: usize = 128 * 1024;

/// Writes requests.
#[derive(Debug)]
pub(super) struct RequestFormatter {
    /// What the requests of one route, method and end have in common: level and message as far as the
    /// milliseconds, and the fields that repeat it. There are hundreds.
    kinds: RenderCache,
    /// User agents as fields, scrubbed: visitors have few, and each is long.
    agents: RenderCache,
    query: String,
    names: FieldNames,
}

impl Default for RequestFormatter {
    fn default() -> Self {
        Self {
            kinds: RenderCache::new(MAX_KINDS),
            agents: RenderCache::new(MAX_AGENTS),
            query: String::new(),
            names: FieldNames::default(),
        }
    }
}

impl RequestFormatter {
    pub(super) fn put(
        &mut self,
        mut line: LogLine<'_>,
        record: &RequestRecord<'_>,
        service: &[u8],
    ) {
        let pretty = line.pretty();
        let kind = self
            .kinds
            .get(number_of(record), record.route.as_bytes(), |out| {
                let mut part = LogLine::part(out, pretty);
                put_head(&mut part, record);
                let split = part.len();
                put_kind(&mut part, record);
                split
            });
        let (head, kind) = kind.unzip();
        if !line.kept(head) {
            put_head(&mut line, record);
        }
        line.put_millis(record.duration);
        line.raw(b" ms");
        end_message(&mut line, service);
        line.plain(&keys::TRACE_ID, &record.trace.hex());
        line.plain(&keys::SPAN_ID, &record.span.hex());
        if record.parent_span != SpanId::NIL {
            line.plain(&keys::PARENT_SPAN_ID, &record.parent_span.hex());
        }
        if record.parent_trace != TraceId::NIL {
            line.plain(&keys::PARENT_TRACE_ID, &record.parent_trace.hex());
        }
        if !line.kept(kind) {
            put_kind(&mut line, record);
        }
        line.field(&keys::ERROR_TYPE, record.error_type);
        if let Some(time) = record.time_to_headers {
            line.millis(&keys::TIME_TO_HEADERS, time);
        }
        line.millis(&keys::DURATION, record.duration);
        if let Some(bytes) = record.request_bytes {
            line.whole(&keys::REQUEST_BYTES, bytes);
        }
        if let Some(bytes) = record.response_bytes {
            line.whole(&keys::RESPONSE_BYTES, bytes);
        }
        if record.path == record.route {
            // The host's own text, which the record shows anyway.
            line.field(&keys::PATH, record.path);
        } else {
            line.path(&keys::PATH, record.path);
        }
        if !record.query.is_empty() {
            self.query.clear();
            redact::put_query(&mut self.query, record.query.as_str());
            line.field(&keys::QUERY, (&*self.query).into());
        }
        line.field(&keys::CLIENT, record.client_address);
        self.put_agent(&mut line, record.user_agent);
        put_scrubbed_field(&mut line, record.user);
        self.names.clear();
        put_attributes(&mut line, &mut self.names, record.attributes());
        if record.shortened {
            line.mark_cut();
        }
        line.end();
    }

    #[inline]
    fn put_agent(&mut self, line: &mut LogLine<'_>, agent: Text<'_>) {
        if agent.is_empty() {
            return;
        }
        let pretty = line.pretty();
        let put = |line: &mut LogLine<'_>| {
            line.field(&keys::AGENT, Text::from(&*redact::text(agent.as_str())));
        };
        let kept = self.agents.get(0, agent.as_bytes(), |out| {
            put(&mut LogLine::part(out, pretty));
            0
        });
        if !line.kept(kept.map(|(_, agent)| agent)) {
            put(line);
        }
    }
}

/// A number that requests of one kind share, as far as their route is the same.
#[inline]
fn number_of(record: &RequestRecord<'_>) -> u64 {
    u64::from(record.status.unwrap_or(0))
        | u64::from(record.call.byte()) << 16
        | u64::from(record.method.index()) << 24
        | u64::from(record.outcome.index()) << 32
        | u64::from(record.failed) << 40
        | u64::from(record.stream) << 41
}

/// As far as the milliseconds in the message.
#[cold]
fn put_head(line: &mut LogLine<'_>, record: &RequestRecord<'_>) {
    let level = if record.failed {
        Level::ERROR
    } else {
        Level::INFO
    };
    put_level(line, level);
    line.raw(record.method.as_str().as_bytes());
    line.raw(b" ");
    line.text(record.route);
    line.raw(b" ");
    if record.stream {
        line.raw(b"stream ");
    }
    let completed = !record.stream && record.outcome == Outcome::Completed;
    match (record.status, record.call.status()) {
        (Some(_), Some(status)) if completed => line.raw(status.name().as_bytes()),
        (Some(status), None) if completed => line.put_whole(status.into()),
        _ => line.raw(record.outcome.as_str().as_bytes()),
    }
    line.raw(b" ");
}

/// The fields that all requests of a kind share.
#[cold]
fn put_kind(line: &mut LogLine<'_>, record: &RequestRecord<'_>) {
    line.plain(&keys::METHOD, record.method.as_str().as_bytes());
    line.field(&keys::ROUTE, record.route);
    if let Some(status) = record.status {
        line.whole(&keys::STATUS, status.into());
    }
    if record.call != Call::NONE {
        line.plain(&keys::RPC_SYSTEM, b"grpc");
        line.field(&keys::RPC_METHOD, rpc_method(record.route.as_str()).into());
        if let Some(status) = record.call.status() {
            line.plain(&keys::RPC_STATUS, status.name().as_bytes());
        }
    }
    line.plain(&keys::OUTCOME, record.outcome.as_str().as_bytes());
    if record.stream {
        line.plain(&keys::RECORD, b"stream_end");
    }
}

#[inline]
fn put_scrubbed_field(line: &mut LogLine<'_>, user: Text<'_>) {
    if !user.is_empty() {
        line.field(&keys::USER, Text::from(&*redact::text(user.as_str())));
    }
}
