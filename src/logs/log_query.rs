use std::time::{Duration, SystemTime};

use tracing::Level;

use super::search::{Expression, LogCursor, LogQueryError, parse};
use crate::model::TraceId;

/// Which log records to read: for [`Monitor::search_logs`](crate::Monitor::search_logs), and for
/// [`Monitor::recent_logs`](crate::Monitor::recent_logs) of those in memory.
///
/// A record is selected if it fulfils all that is set. See [how to search](crate::guide::search) for the language of
/// [`text`](Self::text).
///
/// ```
/// use tracing::Level;
/// use watchpost::logs::LogQuery;
///
/// # fn main() -> watchpost::Result<()> {
/// // The last ten warnings and errors of one module that have a timeout in any field.
/// let query = LogQuery::default()
///     .level(Level::WARN)
///     .target("shop::orders")
///     .text("timeout OR \"timed out\"")?
///     .limit(10);
/// # let _ = query;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct LogQuery {
    pub(super) limit: usize,
    pub(super) after: u64,
    pub(super) before: Option<LogCursor>,
    pub(super) level: Level,
    pub(super) exact_level: Option<Level>,
    pub(super) trace_id: Option<TraceId>,
    pub(super) target: Option<String>,
    pub(super) route: Option<String>,
    pub(super) fields: Vec<(String, String)>,
    pub(super) expression: Expression,
    pub(super) since: Option<SystemTime>,
    pub(super) until: Option<SystemTime>,
    pub(super) without_requests: bool,
    pub(super) time_limit: Duration,
}

impl LogQuery {
    /// The default limit: 100 records.
    pub const DEFAULT_LIMIT: usize = 100;
    /// The highest limit: 10,000 records. A higher one counts as this.
    pub const MAX_LIMIT: usize = 10_000;
    /// The default time limit of a search: 2 s.
    pub const DEFAULT_TIME_LIMIT: Duration = Duration::from_secs(2);
    /// The highest time limit of a search: 30 s. A higher one counts as this.
    pub const MAX_TIME_LIMIT: Duration = Duration::from_secs(30);

    /// Sets the maximum number of records, up to [`MAX_LIMIT`](Self::MAX_LIMIT). The newest ones are read. Default: 100.
    pub fn limit(mut self, records: usize) -> Self {
        self.limit = records.min(Self::MAX_LIMIT);
        self
    }

    /// Reads only records with a higher [`sequence`](super::LogRecord::sequence). Default: 0, which every record has. A search
    /// of files does without it.
    pub fn after(mut self, sequence: u64) -> Self {
        self.after = sequence;
        self
    }

    /// Continues a search at its [`FoundLogs::next`](super::FoundLogs::next), with older records. Default: begins with the
    /// newest one. `recent_logs` does without it.
    pub fn before(mut self, cursor: LogCursor) -> Self {
        self.before = Some(cursor);
        self
    }

    /// Reads only records of this level and of more severe ones. Default: [`Level::TRACE`], all records.
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self.exact_level = None;
        self
    }

    /// Reads only records of exactly this level. Default: see [`level`](Self::level).
    pub fn exact_level(mut self, level: Level) -> Self {
        self.exact_level = Some(level);
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

    /// Reads only records of requests to this route pattern, and of events in them. Default: all records.
    pub fn route(mut self, route: impl Into<String>) -> Self {
        self.route = Some(route.into());
        self
    }

    /// Reads only records with a field that has exactly this value, as it is on the line: `17` is also the number. Each call
    /// adds a field. Default: all records.
    pub fn field(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    /// Reads only records that fulfil a text in the [language of searches](crate::guide::search). Default: all records.
    ///
    /// # Errors
    ///
    /// Returns an error with the position of the first byte that is not valid, and what was expected there.
    pub fn text(mut self, text: &str) -> Result<Self, LogQueryError> {
        self.expression = parse(text)?;
        Ok(self)
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

    /// Sets the time after which a search ends with what it has found, up to [`MAX_TIME_LIMIT`](Self::MAX_TIME_LIMIT).
    /// Default: 2 s. `recent_logs` does without it.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit.min(Self::MAX_TIME_LIMIT);
        self
    }

    /// Whether records of this level match.
    pub(super) fn has_level(&self, level: Level) -> bool {
        match self.exact_level {
            Some(exact) => level == exact,
            None => level <= self.level,
        }
    }

    /// Whether records with this target match.
    pub(super) fn has_target(&self, target: &str) -> bool {
        let wanted = self.target.as_deref();
        wanted.is_none_or(|wanted| is_of_target(wanted, target))
    }
}

/// Whether a target is the wanted one or below it.
pub(super) fn is_of_target(wanted: &str, target: &str) -> bool {
    let below = target.strip_prefix(wanted);
    below.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

impl Default for LogQuery {
    fn default() -> Self {
        Self {
            limit: Self::DEFAULT_LIMIT,
            after: 0,
            before: None,
            level: Level::TRACE,
            exact_level: None,
            trace_id: None,
            target: None,
            route: None,
            fields: Vec::new(),
            expression: Expression::All,
            since: None,
            until: None,
            without_requests: false,
            time_limit: Self::DEFAULT_TIME_LIMIT,
        }
    }
}
