use std::time::SystemTime;

use tracing::Level;

use super::record_facts::RecordFacts;
use crate::model::{RecordKind, SpanId, TraceId};
use crate::trace::AttributeValue;

/// Which of the log records in memory to read, for [`Monitor::recent_logs`](crate::Monitor::recent_logs).
///
/// ```
/// use tracing::Level;
/// use watchpost::logs::LogQuery;
///
/// // The last ten warnings and errors of one module.
/// let query = LogQuery::default().level(Level::WARN).target("shop::orders").limit(10);
/// # let _ = query;
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct LogQuery {
    pub(super) limit: usize,
    pub(super) after: u64,
    pub(super) level: Level,
    pub(super) trace_id: Option<TraceId>,
    pub(super) target: Option<String>,
    pub(super) since: Option<SystemTime>,
    pub(super) until: Option<SystemTime>,
    pub(super) without_requests: bool,
}

impl LogQuery {
    /// The default limit: 100 records.
    pub const DEFAULT_LIMIT: usize = 100;
    /// The highest limit: 10,000 records. A higher one counts as this.
    pub const MAX_LIMIT: usize = 10_000;

    /// Sets the maximum number of records, up to [`MAX_LIMIT`](Self::MAX_LIMIT). The newest ones are read. Default: 100.
    pub fn limit(mut self, records: usize) -> Self {
        self.limit = records.min(Self::MAX_LIMIT);
        self
    }

    /// Reads only records with a higher [`sequence`](LogRecord::sequence). Default: 0, which every record has.
    pub fn after(mut self, sequence: u64) -> Self {
        self.after = sequence;
        self
    }

    /// Reads only records of this level and of more severe ones. Default: [`Level::TRACE`], all records.
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Reads only records of this trace. Default: records of all traces and those outside of traces.
    pub fn trace_id(mut self, trace_id: TraceId) -> Self {
        self.trace_id = Some(trace_id);
        self
    }

    /// Reads only records of this target and of the modules below it: `shop` selects `shop` and `shop::orders`, but not
    /// `shopping`. Records of requests and captured errors have no target. Default: all records.
    pub fn target(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// Reads only records of this time or later. Default: no limit.
    pub fn since(mut self, time: SystemTime) -> Self {
        self.since = Some(time);
        self
    }

    /// Reads only records before this time. Default: no limit.
    pub fn until(mut self, time: SystemTime) -> Self {
        self.until = Some(time);
        self
    }

    /// Leaves out the records of requests, which are most of the records of a busy service. Default: reads them.
    pub fn without_requests(mut self) -> Self {
        self.without_requests = true;
        self
    }

    /// Whether records of this kind match.
    pub(super) fn has_kind(&self, kind: RecordKind) -> bool {
        !(self.without_requests && kind == RecordKind::Request)
    }

    /// Whether a record may match, by what is known of it before it is formatted.
    pub(super) fn may_match(&self, facts: &RecordFacts, at: SystemTime) -> bool {
        facts.level <= self.level
            && self.trace_id.is_none_or(|id| facts.trace_id == id)
            && self.since.is_none_or(|since| at >= since)
            && self.until.is_none_or(|until| at < until)
            && facts.target.is_none_or(|target| self.has_target(target))
    }

    /// Whether records with this target match.
    pub(super) fn has_target(&self, target: &str) -> bool {
        let Some(wanted) = self.target.as_deref() else {
            return true;
        };
        let below = target.strip_prefix(wanted);
        below.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    }
}

impl Default for LogQuery {
    fn default() -> Self {
        Self {
            limit: Self::DEFAULT_LIMIT,
            after: 0,
            level: Level::TRACE,
            trace_id: None,
            target: None,
            since: None,
            until: None,
            without_requests: false,
        }
    }
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
