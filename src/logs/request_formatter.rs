//! The log line of a request.

use tracing::Level;

use super::attributes::put_attributes;
use super::cache::RenderCache;
use super::field_names::FieldNames;
use super::keys;
use super::log_line::LogLine;
use crate::model::codec::RecordText;
use crate::model::grpc::{Call, rpc_method};
use crate::model::{Outcome, SpanId, TraceId};
use crate::record::RequestRecord;
use crate::redact;

/// The maximum number of bytes of the caches of request kinds and of user agents.
const MAX_KINDS: usize = 512 * 1024;
const MAX_AGENTS: usize = 128 * 1024;

/// Formats requests.
#[derive(Debug)]
pub(super) struct RequestFormatter {
    /// By kind of request: level and message up to the milliseconds, and the fields that repeat them. Requests of one
    /// route with equal method, status and outcome are one kind; a service has hundreds.
    kinds: RenderCache,
    /// Scrubbed user agents as fields. A service sees few of them, and each is long.
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
    /// Appends the rest of a line that has its time.
    pub(super) fn put(
        &mut self,
        mut line: LogLine<'_>,
        record: &RequestRecord<'_>,
        service: &[u8],
    ) {
        let pretty = line.is_pretty();
        // 1. The part that requests of this kind share comes from the cache, or is formatted if the cache does not have
        //    it.
        let kind = self
            .kinds
            .get(kind_number(record), record.route.as_bytes(), |out| {
                let mut fragment = LogLine::fragment(out, pretty);
                put_head(&mut fragment, record);
                let split = fragment.len();
                put_kind(&mut fragment, record);
                split
            });
        let (head, kind) = kind.unzip();
        if !line.put_cached(head) {
            put_head(&mut line, record);
        }
        // 2. The duration ends the message; the service's fields follow every message.
        line.put_millis(record.duration);
        line.put_raw(b" ms");
        line.end_message(service);
        // 3. The fields in the order of the guide.
        line.put_plain_field(&keys::TRACE_ID, &record.trace.hex());
        line.put_plain_field(&keys::SPAN_ID, &record.span.hex());
        if record.parent_span != SpanId::NIL {
            line.put_plain_field(&keys::PARENT_SPAN_ID, &record.parent_span.hex());
        }
        if record.parent_trace != TraceId::NIL {
            line.put_plain_field(&keys::PARENT_TRACE_ID, &record.parent_trace.hex());
        }
        if !line.put_cached(kind) {
            put_kind(&mut line, record);
        }
        line.put_field(&keys::ERROR_TYPE, record.error_type);
        if let Some(time) = record.time_to_headers {
            line.put_millis_field(&keys::TIME_TO_HEADERS, time);
        }
        line.put_millis_field(&keys::DURATION, record.duration);
        if let Some(bytes) = record.request_bytes {
            line.put_u64_field(&keys::REQUEST_BYTES, bytes);
        }
        if let Some(bytes) = record.response_bytes {
            line.put_u64_field(&keys::RESPONSE_BYTES, bytes);
        }
        if record.path == record.route {
            // A text from the host's code, which the line already shows as the route, so it is not searched for
            // secrets.
            line.put_field(&keys::PATH, record.path);
        } else {
            line.put_path(&keys::PATH, record.path);
        }
        if !record.query.is_empty() {
            self.query.clear();
            redact::put_query(&mut self.query, record.query.as_str());
            line.put_field(&keys::QUERY, (&*self.query).into());
        }
        line.put_field(&keys::CLIENT, record.client_address);
        self.put_agent(&mut line, record.user_agent);
        put_user(&mut line, record.user);
        // 4. The host's attributes come last, so that a full line loses them first.
        self.names.clear();
        put_attributes(&mut line, &mut self.names, record.attributes());
        if record.shortened {
            line.mark_truncated();
        }
        line.finish();
    }

    #[inline]
    fn put_agent(&mut self, line: &mut LogLine<'_>, agent: RecordText<'_>) {
        if agent.is_empty() {
            return;
        }
        let pretty = line.is_pretty();
        let put = |line: &mut LogLine<'_>| {
            line.put_field(
                &keys::AGENT,
                RecordText::from(&*redact::text(agent.as_str())),
            );
        };
        let cached = self.agents.get(0, agent.as_bytes(), |out| {
            put(&mut LogLine::fragment(out, pretty));
            0
        });
        if !line.put_cached(cached.map(|(_, agent)| agent)) {
            put(line);
        }
    }
}

/// A number that is equal for requests of one kind, regardless of their route.
#[inline]
fn kind_number(record: &RequestRecord<'_>) -> u64 {
    u64::from(record.status.unwrap_or(0))
        | u64::from(record.call.byte()) << 16
        | u64::from(record.method.index()) << 24
        | u64::from(record.outcome.index()) << 32
        | u64::from(record.failed) << 40
        | u64::from(record.stream) << 41
}

/// Appends level and message up to the milliseconds.
#[cold]
fn put_head(line: &mut LogLine<'_>, record: &RequestRecord<'_>) {
    let level = if record.failed {
        Level::ERROR
    } else {
        Level::INFO
    };
    line.begin_message(level);
    line.put_raw(record.method.as_str().as_bytes());
    line.put_raw(b" ");
    line.put_text(record.route);
    line.put_raw(b" ");
    if record.stream {
        line.put_raw(b"stream ");
    }
    let completed = !record.stream && record.outcome == Outcome::Completed;
    match (record.status, record.call.status()) {
        (Some(_), Some(status)) if completed => line.put_raw(status.name().as_bytes()),
        (Some(status), None) if completed => line.put_u64(status.into()),
        _ => line.put_raw(record.outcome.as_str().as_bytes()),
    }
    line.put_raw(b" ");
}

/// Appends the fields that all requests of a kind share.
#[cold]
fn put_kind(line: &mut LogLine<'_>, record: &RequestRecord<'_>) {
    line.put_plain_field(&keys::METHOD, record.method.as_str().as_bytes());
    line.put_field(&keys::ROUTE, record.route);
    if let Some(status) = record.status {
        line.put_u64_field(&keys::STATUS, status.into());
    }
    if record.call != Call::NONE {
        line.put_plain_field(&keys::RPC_SYSTEM, b"grpc");
        line.put_field(&keys::RPC_METHOD, rpc_method(record.route.as_str()).into());
        if let Some(status) = record.call.status() {
            line.put_plain_field(&keys::RPC_STATUS, status.name().as_bytes());
        }
    }
    line.put_plain_field(&keys::OUTCOME, record.outcome.as_str().as_bytes());
    if record.stream {
        line.put_plain_field(&keys::RECORD, b"stream_end");
    }
}

#[inline]
fn put_user(line: &mut LogLine<'_>, user: RecordText<'_>) {
    if !user.is_empty() {
        line.put_field(&keys::USER, RecordText::from(&*redact::text(user.as_str())));
    }
}
