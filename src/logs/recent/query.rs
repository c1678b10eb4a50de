use std::time::SystemTime;

use tracing::Level;

use super::record_facts::RecordFacts;
use crate::logs::log_query::LogQuery;
use crate::model::{RecordKind, SpanId, TraceId};
use crate::trace::AttributeValue;

/// Whether a record may match, by what is known of it before it is formatted.
pub(super) fn may_match(query: &LogQuery, facts: &RecordFacts, at: SystemTime) -> bool {
    query.has_level(facts.level)
        && query.trace_id.is_none_or(|id| facts.trace_id == id)
        && query.since.is_none_or(|since| at >= since)
        && query.until.is_none_or(|until| at < until)
        && facts.target.is_none_or(|target| query.has_target(target))
}

/// A log record in memory, as it is written to the console, with secrets redacted.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LogRecord {
    /// The position of the record among all records since the start, from 1 on.
    pub sequence: u64,
    /// The kind of the record: [`Request`](RecordKind::Request), [`Log`](RecordKind::Log) for an event,
    /// [`Error`](RecordKind::Error) for a captured error, or [`Notice`](RecordKind::Notice).
    pub kind: RecordKind,
    /// The time of the record.
    pub at: SystemTime,
    /// The level, as in the log record.
    pub level: Level,
    /// The target of an event; empty for requests and captured errors.
    pub target: String,
    /// The message.
    pub message: String,
    /// The ID of the trace; nil outside of traces.
    pub trace_id: TraceId,
    /// The ID of the span; nil outside of traces.
    pub span_id: SpanId,
    /// The route of the request; empty outside of requests.
    pub route: String,
    /// The other fields in the order of the log record, without those of the service. Each key occurs once.
    pub fields: Vec<(String, AttributeValue)>,
}

/// The log records that a query found.
///
/// For a live tail, pass [`newest`](Self::newest) to the next query as [`LogQuery::after`]. If
/// [`oldest`](Self::oldest) is then more than one higher, the records between were removed before they were read.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct RecentLogs {
    /// The records, newest first.
    pub records: Vec<LogRecord>,
    /// The sequence of the oldest record in memory, whether it matches or not; 0 if there is none.
    pub oldest: u64,
    /// The sequence of the newest record so far, whether it matches or not; 0 if there is none.
    pub newest: u64,
}
