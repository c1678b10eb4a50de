use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::super::config::ServiceFields;
use super::super::formatter::LogFormatter;
use super::super::line_fields::fields;
use super::super::log_query::LogQuery;
use super::super::search::LineFilter;
use super::super::timestamp::TimestampWriter;
use super::blocks::{HeldBlocks, LogBlocks, LogEntry};
use super::query::{LogRecord, RecentLogs, may_match};
use super::record_facts::RecordFacts;
use crate::clock::{Clock, Nanos};
use crate::context::Requests;
use crate::model::{RecordKind, SpanId, lock, lock_for_status, prefix};
use crate::record::ErrorRecord;
use crate::redact::RedactionRules;
use crate::semconv;
use crate::trace::AttributeValue;
use crate::worker::{Format, LineObserver, Record};

/// Under one lock at most this many records are added, so that a reader waits for a small part of a burst.
const MAX_ADDED: usize = 256;
/// The maximum number of bytes of a notice.
const MAX_NOTICE: usize = 8 * 1024;

/// The last log records in their compact encoding, bounded in bytes.
#[derive(Debug)]
pub(crate) struct RecentLogStore {
    requests: Arc<Requests>,
    /// The monitor's redaction rules. They are stored here because any thread may read a record.
    rules: RedactionRules,
    /// The fields of the service, which every line has.
    service: ServiceFields,
    blocks: Mutex<LogBlocks>,
    /// The number of events and captured errors with the level `ERROR`.
    errors: AtomicU64,
    keeps_records: bool,
    /// When it was made: tells its sequences from those of another process.
    run: u64,
}

/// Whether more lines are visited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::logs) enum LineVisit {
    Continue,
    Stop,
}

impl RecentLogStore {
    pub(crate) fn new(max_bytes: usize, requests: Arc<Requests>, service: ServiceFields) -> Self {
        let clock = requests.clock();
        let run = clock.wall(clock.now());
        Self {
            run,
            requests,
            rules: RedactionRules::current(),
            service,
            blocks: Mutex::new(LogBlocks::new(max_bytes)),
            errors: AtomicU64::new(0),
            keeps_records: max_bytes > 0,
        }
    }

    /// Whether there is room for records.
    pub(crate) fn keeps_records(&self) -> bool {
        self.keeps_records
    }

    /// Returns the number of events and captured errors with the level `ERROR` so far.
    pub(crate) fn errors(&self) -> u64 {
        self.errors.load(Relaxed)
    }

    /// Returns the records that a query selects, the newest first.
    pub(crate) fn read(&self, query: &LogQuery) -> RecentLogs {
        let held = lock_for_status(&self.blocks).map(|blocks| blocks.hold(query.after));
        let held = held.unwrap_or_default();
        RecentLogs {
            records: self.records(&held, query),
            oldest: held.oldest,
            newest: held.newest,
        }
    }

    /// The clock of the records.
    pub(in crate::logs) fn clock(&self) -> &Clock {
        self.requests.clock()
    }

    /// The sequence of the newest record; 0 if there is none.
    pub(in crate::logs) fn newest(&self) -> u64 {
        let held = lock_for_status(&self.blocks).map(|blocks| blocks.hold(u64::MAX));
        held.unwrap_or_default().newest
    }

    /// The number of this store, by its start.
    pub(in crate::logs) fn run(&self) -> u64 {
        self.run
    }

    /// Visits the JSON lines of the records before a sequence, the newest first, as they are written to files.
    pub(in crate::logs) fn visit_lines(
        &self,
        before: u64,
        visit: &mut dyn FnMut(u64, &str) -> LineVisit,
    ) {
        let held = lock_for_status(&self.blocks).map(|blocks| blocks.hold(0));
        let _entered = self.rules.enter();
        let mut formatter = LogFormatter::new(false, &self.service, Arc::clone(&self.requests));
        let (mut line, mut timestamps) = (Vec::new(), TimestampWriter::default());
        for block in held.unwrap_or_default().blocks.iter().rev() {
            let entries: Vec<_> = block.entries().collect();
            for entry in entries.iter().rev().filter(|it| it.sequence < before) {
                if !format_entry(entry, &mut formatter, &mut timestamps, &mut line) {
                    continue;
                }
                let text = std::str::from_utf8(&line).unwrap_or_default();
                if visit(entry.sequence, text.trim_end()) == LineVisit::Stop {
                    return;
                }
            }
        }
    }

    fn records(&self, held: &HeldBlocks, query: &LogQuery) -> Vec<LogRecord> {
        let filter = LineFilter::new(query);
        let _entered = self.rules.enter();
        let mut formatter = LogFormatter::new(false, &self.service, Arc::clone(&self.requests));
        let mut timestamps = TimestampWriter::default();
        let (mut records, mut line) = (Vec::new(), Vec::new());
        for block in held.blocks.iter().rev() {
            let entries: Vec<_> = block.entries().collect();
            for entry in entries.iter().rev() {
                if entry.sequence <= query.after || records.len() == query.limit {
                    return records;
                }
                let Some(facts) = facts_of(entry, query) else {
                    continue;
                };
                if format_entry(entry, &mut formatter, &mut timestamps, &mut line)
                    && filter.matches_fields(std::str::from_utf8(&line).unwrap_or_default())
                {
                    records.push(record_of_line(entry, &facts, &line));
                }
            }
        }
        records
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        lock(&self.blocks).bytes()
    }
}

/// The facts of an entry, if by them the query may select it.
fn facts_of(entry: &LogEntry<'_>, query: &LogQuery) -> Option<RecordFacts> {
    if query.without_requests && entry.kind == RecordKind::Request {
        return None;
    }
    let facts = RecordFacts::read(entry.kind, entry.body)?;
    may_match(query, &facts, time_of(entry)).then_some(facts)
}

fn time_of(entry: &LogEntry<'_>) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(entry.wall)
}

/// Formats an entry as a line. Returns false if the entry is malformed.
fn format_entry(
    entry: &LogEntry<'_>,
    formatter: &mut LogFormatter,
    timestamps: &mut TimestampWriter,
    line: &mut Vec<u8>,
) -> bool {
    line.clear();
    if entry.kind == RecordKind::Notice {
        let notice = std::str::from_utf8(entry.body).unwrap_or_default();
        formatter.notice(0, notice, line);
        set_time(line, timestamps, entry.wall);
        return true;
    }
    let record = Record {
        source: 0,
        kind: entry.kind,
        items: 1,
        at: 0,
        body: entry.body,
    };
    let is_formatted = formatter.format(&record, line);
    set_time(line, timestamps, entry.wall);
    is_formatted
}

/// Replaces the time of a line: the formatter has that of the start.
fn set_time(line: &mut [u8], timestamps: &mut TimestampWriter, wall: u64) {
    const BEFORE: usize = b"{\"timestamp\":\"".len();
    let mut time = Vec::new();
    timestamps.put(&mut time, wall);
    let place = line.get_mut(BEFORE..BEFORE + time.len());
    if let Some(place) = place {
        place.copy_from_slice(&time);
    }
}

fn record_of_line(entry: &LogEntry<'_>, facts: &RecordFacts, line: &[u8]) -> LogRecord {
    let mut record = LogRecord {
        sequence: entry.sequence,
        kind: entry.kind,
        at: time_of(entry),
        level: facts.level,
        target: String::new(),
        message: String::new(),
        trace_id: facts.trace_id,
        span_id: SpanId::NIL,
        route: String::new(),
        fields: Vec::new(),
    };
    for (key, value) in fields(std::str::from_utf8(line).unwrap_or_default()) {
        match (&*key, value.into_attribute()) {
            // They are known, or are the same in all records.
            (
                "timestamp"
                | "level"
                | "trace_id"
                | semconv::SERVICE_NAME
                | semconv::SERVICE_VERSION
                | semconv::SERVICE_INSTANCE_ID
                | semconv::DEPLOYMENT_ENVIRONMENT_NAME,
                _,
            ) => {}
            ("message", AttributeValue::Str(text)) => record.message = text,
            ("target", AttributeValue::Str(text)) => record.target = text,
            ("http.route", AttributeValue::Str(text)) => record.route = text,
            ("span_id", AttributeValue::Str(text)) => {
                record.span_id = text.parse().unwrap_or(SpanId::NIL);
            }
            (_, value) => record.fields.push((key.into_owned(), value)),
        }
    }
    record
}

/// Adds records to the store.
pub(crate) struct RecentLogsObserver {
    store: Arc<RecentLogStore>,
    /// The buffer in which the records of errors are shortened.
    shortened: Vec<u8>,
}

impl RecentLogsObserver {
    pub(crate) fn new(store: Arc<RecentLogStore>) -> Self {
        Self {
            store,
            shortened: Vec::new(),
        }
    }
}

impl LineObserver for RecentLogsObserver {
    fn records(&mut self, records: &[Record<'_>]) {
        let clock = self.store.requests.clock();
        let errors = records.iter().filter(|record| is_error(record)).count();
        self.store.errors.fetch_add(errors as u64, Relaxed);
        for records in records.chunks(MAX_ADDED) {
            let mut blocks = lock(&self.store.blocks);
            for record in records {
                let body = match record.kind {
                    RecordKind::Error => shorten_error(&mut self.shortened, record.body),
                    _ => record.body,
                };
                blocks.add(record.kind, clock.wall(record.at), body);
            }
        }
    }

    fn notice(&mut self, at: Nanos, notice: &str) {
        let wall = self.store.requests.clock().wall(at);
        let body = prefix(notice, MAX_NOTICE).as_bytes();
        lock(&self.store.blocks).add(RecordKind::Notice, wall, body);
    }
}

/// Whether a record is an event or a captured error with the level `ERROR`.
fn is_error(record: &Record<'_>) -> bool {
    matches!(record.kind, RecordKind::Log | RecordKind::Error)
        && RecordFacts::read(record.kind, record.body)
            .is_some_and(|facts| facts.level == tracing::Level::ERROR)
}

/// Leaves out what the line of an error does not show: the request's last events and the capture's fingerprint.
fn shorten_error<'a>(out: &'a mut Vec<u8>, body: &[u8]) -> &'a [u8] {
    out.clear();
    if let Some(error) = ErrorRecord::read(body) {
        let shown = ErrorRecord {
            texts: &[],
            fingerprint: &[],
            breadcrumbs: &[],
            ..error
        };
        shown.put(out);
    }
    out
}
