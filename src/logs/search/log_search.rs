use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use super::budget::SearchBudget;
use super::collector::LineCollector;
use super::cursor::LogCursor;
use super::facets::{FacetCounter, LogFacet};
use super::file_search::{SearchOutcome, SearchTerms, search_files};
use super::forward::{LogTail, end_of_files, end_of_memory, read_files_from, read_memory_from};
use super::found::{FoundLine, FoundLogs, LogSource};
use super::grammar::LogQueryError;
use super::histogram::{HistogramCounter, LogHistogram};
use super::index::LogIndex;
use super::line_filter::LineFilter;
use super::memory_search::search_memory;
use super::patterns::{LogPatterns, PatternFinder};
use super::visitor::LineVisitor;
use super::work::WorkQueue;
use crate::clock::{Clock, wall_nanos};
use crate::error::{Error, Result};
use crate::logs::log_query::LogQuery;
use crate::logs::recent::RecentLogStore;
use crate::worker::Deadlines;

/// The time of a histogram whose query does not say when it begins.
const HOUR: u64 = 3_600_000_000;
/// The maximum number of intervals of a histogram.
const MAX_INTERVALS: usize = 1000;
/// The maximum number of values of a facet, and of templates.
const MAX_ROWS: usize = 1000;

/// Searches the log records of a monitor.
#[derive(Clone)]
pub(crate) struct LogSearch {
    sources: Arc<SearchSources>,
    queue: WorkQueue,
}

/// Where the records are.
struct SearchSources {
    files: Option<Arc<LogIndex>>,
    recent: Arc<RecentLogStore>,
    /// The machine's clock, by which time limits are kept.
    monotonic: Clock,
}

impl SearchSources {
    /// Passes the lines that a query selects to a visitor.
    fn search(
        &self,
        (query, filter): (&LogQuery, &LineFilter),
        is_cancelled: &dyn Fn() -> bool,
        visitor: &mut dyn LineVisitor,
    ) -> Result<SearchOutcome> {
        let terms = SearchTerms {
            filter,
            budget: &SearchBudget::new(&self.monotonic, query.time_limit, is_cancelled),
            before: query.before,
        };
        match &self.files {
            Some(index) => search_files(index, &terms, visitor),
            None => search_memory(&self.recent, &terms, visitor),
        }
    }

    /// Where the newest record ends.
    fn end(&self) -> Result<LogCursor> {
        match &self.files {
            Some(index) => end_of_files(index),
            None => Ok(end_of_memory(&self.recent)),
        }
    }

    /// Reads the records that a query selects, from a place on.
    fn read_from(
        &self,
        (query, filter): (&LogQuery, &LineFilter),
        is_cancelled: &dyn Fn() -> bool,
        from: LogCursor,
        limit: usize,
    ) -> Result<LogTail> {
        let terms = SearchTerms {
            filter,
            budget: &SearchBudget::new(&self.monotonic, query.time_limit, is_cancelled),
            before: None,
        };
        match &self.files {
            Some(index) => read_files_from(index, &terms, from, limit),
            None => read_memory_from(&self.recent, &terms, from, limit),
        }
    }

    fn source(&self) -> LogSource {
        match self.files {
            Some(_) => LogSource::Files,
            None => LogSource::Memory,
        }
    }
}

impl LogSearch {
    /// `handle` and `deadlines` are those of the worker.
    pub(crate) fn new(
        files: Option<Arc<LogIndex>>,
        recent: Arc<RecentLogStore>,
        (handle, deadlines): (Handle, Deadlines),
    ) -> Self {
        Self {
            sources: Arc::new(SearchSources {
                files,
                recent,
                monotonic: Clock::system(),
            }),
            queue: WorkQueue::new(handle, deadlines),
        }
    }

    /// Searches the files, or the memory if there are none.
    pub(crate) fn search(
        &self,
        query: LogQuery,
    ) -> impl Future<Output = Result<FoundLogs>> + Send + use<> + 'static {
        let source = self.sources.source();
        let collector = LineCollector::new(query.limit);
        self.visit(query, collector, move |collector, outcome| FoundLogs {
            lines: collector.lines,
            next: outcome.next,
            end: outcome.end,
            reached: outcome.progress.reached_time(),
            looked_at: outcome.progress.looked_at,
            read_bytes: outcome.progress.read_bytes,
            source,
            unreadable: outcome.progress.unreadable,
        })
    }

    /// Reads the records after a place, or the last ones.
    pub(crate) fn tail(
        &self,
        query: LogQuery,
        from: Option<LogCursor>,
    ) -> impl Future<Output = Result<LogTail>> + Send + use<> + 'static {
        let sources = Arc::clone(&self.sources);
        self.queue.submit(query.time_limit, move |is_cancelled| {
            let filter = LineFilter::new(&query);
            if let Some(from) = from {
                return sources.read_from((&query, &filter), is_cancelled, from, query.limit);
            }
            let end = sources.end()?;
            let mut collector = LineCollector::new(query.limit);
            let query = query.clone().before(end);
            let found = sources.search((&query, &filter), is_cancelled, &mut collector)?;
            collector.lines.reverse();
            Ok(LogTail {
                lines: collector.lines,
                next: end,
                has_more: false,
                unreadable: found.progress.unreadable,
            })
        })
    }

    /// Reads a record with those around it.
    pub(crate) fn context(
        &self,
        cursor: LogCursor,
        before: usize,
        after: usize,
    ) -> impl Future<Output = Result<Vec<FoundLine>>> + Send + use<> + 'static {
        let sources = Arc::clone(&self.sources);
        let query = LogQuery::default().before(cursor);
        self.queue.submit(query.time_limit, move |is_cancelled| {
            let filter = LineFilter::new(&query);
            let mut collector = LineCollector::new(before.min(MAX_ROWS));
            sources.search((&query, &filter), is_cancelled, &mut collector)?;
            let mut lines = collector.lines;
            lines.reverse();
            let limit = after.min(MAX_ROWS) + 1;
            let rest = sources.read_from((&query, &filter), is_cancelled, cursor, limit)?;
            lines.extend(rest.lines);
            Ok(lines)
        })
    }

    /// Counts records by time and level.
    pub(crate) fn histogram(
        &self,
        mut query: LogQuery,
        intervals: usize,
    ) -> impl Future<Output = Result<LogHistogram>> + Send + use<> + 'static {
        query.before = None;
        let clock = self.sources.recent.clock();
        let to = query
            .until
            .map_or_else(|| clock.wall(clock.now()), wall_nanos)
            .div_ceil(1000);
        let from = query
            .since
            .map_or(to.saturating_sub(HOUR), |it| wall_nanos(it) / 1000);
        let levels = LineFilter::new(&query).levels();
        // What is not within is not counted, so it need not be read.
        query.since = Some(super::visitor::time_of(from));
        query.until = Some(super::visitor::time_of(to));
        let counter = HistogramCounter::new((from, to), intervals.min(MAX_INTERVALS), levels);
        self.visit(query, counter, |counter, outcome| counter.finish(&outcome))
    }

    /// Counts the values of a field.
    pub(crate) fn facet(
        &self,
        query: LogQuery,
        field: &str,
    ) -> impl Future<Output = Result<LogFacet>> + Send + use<> + 'static {
        let limit = query.limit.min(MAX_ROWS);
        let counter = FacetCounter::new(field);
        self.visit(query, counter, move |counter, outcome| {
            counter.finish(limit, &outcome)
        })
    }

    /// Finds templates of messages.
    pub(crate) fn patterns(
        &self,
        query: LogQuery,
    ) -> impl Future<Output = Result<LogPatterns>> + Send + use<> + 'static {
        let limit = query.limit.min(MAX_ROWS);
        self.visit(query, PatternFinder::default(), move |finder, outcome| {
            finder.finish(limit, &outcome)
        })
    }

    fn visit<V: LineVisitor + Send + 'static, T: Send + 'static>(
        &self,
        query: LogQuery,
        mut visitor: V,
        finish: impl FnOnce(V, SearchOutcome) -> T + Send + 'static,
    ) -> super::work::WorkFuture<T> {
        let sources = Arc::clone(&self.sources);
        let limit: Duration = query.time_limit;
        self.queue.submit(limit, move |is_cancelled| {
            let filter = LineFilter::new(&query);
            let outcome = sources.search((&query, &filter), is_cancelled, &mut visitor)?;
            Ok(finish(visitor, outcome))
        })
    }
}

impl From<LogQueryError> for Error {
    fn from(error: LogQueryError) -> Self {
        Self::invalid_query(&error)
    }
}
