use std::time::SystemTime;

use tracing::Level;

use super::cursor::LogCursor;
use crate::logs::line_fields::fields;
use crate::trace::AttributeValue;

/// What a search of the log records has found.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct FoundLogs {
    /// The lines, in the reverse of the order in which they were written: newest first.
    pub lines: Vec<FoundLine>,
    /// Where to go on with [`LogQuery::before`](crate::logs::LogQuery::before); `None` if everything was looked at.
    pub next: Option<LogCursor>,
    /// Why the search ended.
    pub end: SearchEnd,
    /// How far it got: the time of the oldest line that it looked at, whether it matches or not. `None` if there was none.
    pub reached: Option<SystemTime>,
    /// The lines that it looked at. Lines that cannot match, by the index or a comparison of their bytes, are not among them.
    pub looked_at: u64,
    /// The bytes of the lines that it read, before compression. The index of the files excludes most of them.
    pub read_bytes: u64,
    /// Where the records are.
    pub source: LogSource,
    /// Files that could not be read completely: they are damaged, may not be opened, were compressed by another program, or
    /// were removed or truncated meanwhile. The lines of the others are found.
    pub unreadable: u32,
}

/// Why a search has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum SearchEnd {
    /// Everything was looked at.
    #[default]
    Complete,
    /// It has found as many lines as its limit, or 8 MiB of them.
    Rows,
    /// Its time limit was reached.
    Time,
}

/// Where a search has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum LogSource {
    /// The log files.
    Files,
    /// The last records in memory, since there are no files.
    #[default]
    Memory,
}

impl SearchEnd {
    /// `complete`, `rows` or `time`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Rows => "rows",
            Self::Time => "time",
        }
    }
}

impl LogSource {
    /// `files` or `memory`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Memory => "memory",
        }
    }
}

/// A log line that a search has found.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FoundLine {
    /// The line: a JSON object. See [what a log record contains](crate::logs#what-a-log-record-contains).
    pub json: String,
    /// The time of the record.
    pub at: SystemTime,
    /// The level.
    pub level: Level,
    /// Where the line is.
    pub cursor: LogCursor,
}

impl FoundLine {
    /// The fields of the line, in their order.
    ///
    /// ```
    /// # fn show(line: &watchpost::logs::FoundLine) {
    /// for (name, value) in line.fields() {
    ///     println!("{name} = {value:?}");
    /// }
    /// # }
    /// ```
    pub fn fields(&self) -> impl Iterator<Item = (String, AttributeValue)> + '_ {
        fields(&self.json).map(|(key, value)| (key.into_owned(), value.into_attribute()))
    }

    /// The value of a field.
    pub fn field(&self, name: &str) -> Option<AttributeValue> {
        let mut all = fields(&self.json);
        let found = all.find(|(key, _)| key == name);
        found.map(|(_, value)| value.into_attribute())
    }

    /// The message.
    pub fn message(&self) -> String {
        let mut all = fields(&self.json);
        let found = all.find(|(key, _)| key == "message");
        found.map_or_else(String::new, |(_, value)| value.as_text().to_owned())
    }
}
