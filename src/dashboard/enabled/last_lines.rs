//! The last log lines.

use std::collections::VecDeque;

use tracing::Level;

use super::changes::millis;
use super::json;
use super::sections::MAX_ROWS;
use crate::logs::{LogQuery, LogRecord, RecentLogStore};
use crate::model::{RecordKind, TraceId};
use crate::trace::AttributeValue;

/// The last log records, without those of requests. Each reading formats only what is new.
pub(super) struct LastLines {
    /// The number of the newest record that was looked at.
    newest: u64,
    /// The newest first.
    records: VecDeque<LogRecord>,
    text: String,
}

impl LastLines {
    pub(super) fn new() -> Self {
        Self {
            newest: 0,
            records: VecDeque::new(),
            text: "[]".to_owned(),
        }
    }

    /// Adds the records since the last reading.
    pub(super) fn read(&mut self, logs: &RecentLogStore) {
        let query = LogQuery::default().after(self.newest).limit(MAX_ROWS);
        let found = logs.read(&query.without_requests());
        self.newest = self.newest.max(found.newest);
        if found.records.is_empty() {
            return;
        }
        for record in found.records.into_iter().rev() {
            self.records.push_front(record);
        }
        self.records.truncate(MAX_ROWS);
        self.text = write(self.records.iter());
    }

    /// The records as a section of the document.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

/// Writes records as a section of a document.
pub(super) fn write<'a>(records: impl Iterator<Item = &'a LogRecord>) -> String {
    json::list(|list| {
        for record in records {
            list.object(|it| {
                it.integer("at", millis(record.at));
                it.text("level", word_of(record.level));
                it.text("target", &record.target);
                it.text("message", &record.message);
                let trace = Some(record.trace_id).filter(|id| *id != TraceId::NIL);
                it.optional_text("trace_id", trace.map(|id| id.to_string()).as_deref());
                it.optional_text("event_id", event_id(record));
            });
        }
    })
}

/// The ID of the captured error that the record is about.
fn event_id(record: &LogRecord) -> Option<&str> {
    let mut fields = record.fields.iter();
    let field = fields.find(|(key, _)| record.kind == RecordKind::Error && key == "event_id");
    match field?.1 {
        AttributeValue::Str(ref id) => Some(id),
        _ => None,
    }
}

/// The name of a level in a document.
pub(super) fn word_of(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}
