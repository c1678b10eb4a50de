//! The methods of [`Monitor`] that return what it has recorded so far.

use super::doctor::Finding;
use super::handle::Monitor;
use crate::config::Settings;
use crate::context::InFlight;
use crate::db::QueryStats;
use crate::error::Result;
use crate::errors::ErrorGroup;
use crate::external::{Dependency, ModelUsage};
use crate::logs::{
    FoundLine, FoundLogs, LogCursor, LogFacet, LogHistogram, LogPatterns, LogQuery, LogTail,
    RecentLogs,
};
use crate::model::{RecordKind, RecordTotals, TraceId};
use crate::system::SystemFigures;
use crate::trace::{
    KeptTrace, StoredTraceQuery, StoredTraces, TraceLookup, find_trace, stored_traces,
};
use crate::users::ActiveUsers;

impl Monitor {
    /// Returns the statistics of each statement digest since the start, in descending order of total time.
    pub fn queries(&self) -> Vec<QueryStats> {
        self.inner.queries.stats()
    }

    /// Returns the state of each service that was called since the start, ordered by name.
    pub fn dependencies(&self) -> Vec<Dependency> {
        self.inner.calls.dependencies()
    }

    /// Returns the usage of models since the start, by day, service, model and route, newest day first.
    pub fn model_usage(&self) -> Vec<ModelUsage> {
        self.inner.calls.model_usage()
    }

    /// Returns the kept traces that are in memory, newest first.
    pub fn recent_traces(&self) -> Vec<KeptTrace> {
        self.inner.tracing.recent.traces()
    }

    /// Returns the kept trace with this ID, if it is in memory.
    pub fn recent_trace(&self, trace_id: TraceId) -> Option<KeptTrace> {
        self.inner.tracing.recent.trace(trace_id)
    }

    /// Finds a kept trace by its ID, in memory or else in the data directory, where traces of earlier starts are too. See
    /// [the data directory](crate::trace#kept-traces-in-the-data-directory).
    ///
    /// # Errors
    ///
    /// Returns an error, for which [`is_reader`](crate::Error::is_reader) is true, if the trace is not in memory, and the
    /// data directory cannot be read, does not respond within ten seconds, or takes longer than five to search. Also after
    /// the shutdown.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a search whose future is dropped ends.
    ///
    /// # Examples
    ///
    /// ```
    /// use watchpost::TraceId;
    /// use watchpost::trace::TraceLookup;
    ///
    /// # async fn show(monitor: watchpost::Monitor, id: TraceId) -> watchpost::Result<()> {
    /// match monitor.find_trace(id).await? {
    ///     TraceLookup::Found(trace) => println!("{trace}"),
    ///     TraceLookup::NotFound { stored_since } => println!("not among the traces since {stored_since:?}"),
    ///     _ => {}
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn find_trace(
        &self,
        trace_id: TraceId,
    ) -> impl Future<Output = Result<TraceLookup>> + Send + use<> + 'static {
        let tracing = &self.inner.tracing;
        find_trace(&tracing.recent, tracing.store.as_ref(), trace_id)
    }

    /// Reads the traces in the data directory that a query selects, newest first, those of earlier starts too. Empty
    /// without a data directory. See [the data directory](crate::trace#kept-traces-in-the-data-directory).
    ///
    /// # Errors
    ///
    /// Returns an error, for which [`is_reader`](crate::Error::is_reader) is true, if the data directory cannot be read or
    /// does not respond within ten seconds, or if too many searches wait. Also after the shutdown.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a search whose future is dropped ends.
    ///
    /// # Examples
    ///
    /// ```
    /// use watchpost::trace::StoredTraceQuery;
    ///
    /// # async fn show(monitor: watchpost::Monitor) -> watchpost::Result<()> {
    /// let failed = StoredTraceQuery::default().route("/orders/{id}").status(500..=599);
    /// for trace in monitor.stored_traces(&failed).await?.traces {
    ///     println!("{} took {:?}", trace.trace_id, trace.duration);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn stored_traces(
        &self,
        query: &StoredTraceQuery,
    ) -> impl Future<Output = Result<StoredTraces>> + Send + use<> + 'static {
        stored_traces(self.inner.tracing.store.as_ref(), query)
    }

    /// Returns the log records in memory that a query selects, newest first. Records of the last 20 ms may be missing.
    ///
    /// The records are formatted on the calling thread. A query that few records match looks at all in memory. See [the last log records](crate::logs#the-last-log-records).
    ///
    /// ```
    /// use watchpost::logs::LogQuery;
    ///
    /// # fn main() -> watchpost::Result<()> {
    /// # let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
    /// # let newest_seen = 0;
    /// let found = monitor.recent_logs(&LogQuery::default().after(newest_seen));
    /// assert!(found.records.len() <= LogQuery::DEFAULT_LIMIT);
    /// # Ok(())
    /// # }
    /// ```
    pub fn recent_logs(&self, query: &LogQuery) -> RecentLogs {
        self.inner.recent_logs.read(query)
    }

    /// Searches the log files, those of earlier starts too, or the records in memory if there are no files. The newest
    /// records come first. See [how to search](crate::guide::search).
    ///
    /// A record is found within 200 ms after it was made. The search runs on the monitor's own threads, at most two at a
    /// time, and ends at [`LogQuery::time_limit`] with what it has found.
    ///
    /// # Errors
    ///
    /// Returns an error for which [`is_query`](crate::Error::is_query) is true if the cursor is of records that are not there
    /// any more, and one for which [`is_reader`](crate::Error::is_reader) is true if the files cannot be read, if the disk
    /// does not respond within ten seconds, or if too many searches wait. Also after the shutdown.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a search whose future is dropped ends.
    ///
    /// # Examples
    ///
    /// ```
    /// use tracing::Level;
    /// use watchpost::logs::LogQuery;
    ///
    /// # async fn show(monitor: watchpost::Monitor) -> watchpost::Result<()> {
    /// let query = LogQuery::default()
    ///     .level(Level::WARN)
    ///     .text("timeout AND http.response.status_code:>=500")?;
    /// let found = monitor.search_logs(&query).await?;
    /// for line in &found.lines {
    ///     println!("{} {}", line.level, line.message());
    /// }
    /// if let Some(cursor) = found.next {
    ///     let older = monitor.search_logs(&query.before(cursor)).await?;
    ///     println!("{} older ones", older.lines.len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn search_logs(
        &self,
        query: &LogQuery,
    ) -> impl Future<Output = Result<FoundLogs>> + Send + use<> + 'static {
        self.inner.log_search.search(query.clone())
    }

    /// Reads the log records that a query selects in the order in which they were written: after an earlier call, or, without
    /// `after`, the newest ones. So repeated calls follow the log without missing a record. They do not wait for new ones.
    ///
    /// If [`has_more`](LogTail::has_more) is true, more are there than [`limit`](LogQuery::limit). Records that were removed
    /// before they were read are passed over. Otherwise as [`search_logs`](Self::search_logs), with the same cancel safety.
    ///
    /// # Errors
    ///
    /// See [`search_logs`](Self::search_logs).
    ///
    /// ```
    /// use std::time::Duration;
    /// use watchpost::logs::LogQuery;
    ///
    /// # async fn follow(monitor: watchpost::Monitor) -> watchpost::Result<()> {
    /// let query = LogQuery::default().text("level:>=warn")?;
    /// let mut tail = monitor.tail_logs(&query, None).await?;
    /// loop {
    ///     for line in &tail.lines {
    ///         println!("{} {}", line.level, line.message());
    ///     }
    ///     if !tail.has_more {
    ///         tokio::time::sleep(Duration::from_millis(500)).await;
    ///     }
    ///     tail = monitor.tail_logs(&query, Some(tail.next)).await?;
    /// }
    /// # }
    /// ```
    pub fn tail_logs(
        &self,
        query: &LogQuery,
        after: Option<LogCursor>,
    ) -> impl Future<Output = Result<LogTail>> + Send + use<> + 'static {
        self.inner.log_search.tail(query.clone(), after)
    }

    /// Reads the log record at a [`cursor`](FoundLine::cursor) with up to 1,000 records before it and as many after it, in the
    /// order in which they were written. Otherwise as [`search_logs`](Self::search_logs), with the same cancel safety.
    ///
    /// # Errors
    ///
    /// See [`search_logs`](Self::search_logs).
    ///
    /// ```
    /// use watchpost::logs::LogQuery;
    ///
    /// # async fn show(monitor: watchpost::Monitor) -> watchpost::Result<()> {
    /// let found = monitor.search_logs(&LogQuery::default().text("refused")?).await?;
    /// if let Some(line) = found.lines.first() {
    ///     for line in monitor.log_context(line.cursor, 5, 5).await? {
    ///         println!("{}", line.json);
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn log_context(
        &self,
        cursor: LogCursor,
        before: usize,
        after: usize,
    ) -> impl Future<Output = Result<Vec<FoundLine>>> + Send + use<> + 'static {
        self.inner.log_search.context(cursor, before, after)
    }

    /// Counts the log records that a query selects by time and level, in at most 1,000 intervals. Without
    /// [`since`](LogQuery::since), it begins an hour before [`until`](LogQuery::until), which is now by default.
    ///
    /// A query of times and levels alone is answered from the index of the files, without reading most of them. Otherwise as
    /// [`search_logs`](Self::search_logs), with the same errors and cancel safety.
    ///
    /// # Errors
    ///
    /// See [`search_logs`](Self::search_logs).
    ///
    /// ```
    /// use watchpost::logs::LogQuery;
    ///
    /// # async fn show(monitor: watchpost::Monitor) -> watchpost::Result<()> {
    /// let histogram = monitor.log_histogram(&LogQuery::default(), 60).await?;
    /// for counts in &histogram.counts {
    ///     println!("{} lines, {} errors", counts.total(), counts.error);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn log_histogram(
        &self,
        query: &LogQuery,
        intervals: usize,
    ) -> impl Future<Output = Result<LogHistogram>> + Send + use<> + 'static {
        self.inner.log_search.histogram(query.clone(), intervals)
    }

    /// Counts the values of a field in the log records that a query selects: the most frequent ones, up to
    /// [`limit`](LogQuery::limit). Otherwise as [`search_logs`](Self::search_logs), with the same cancel safety.
    ///
    /// # Errors
    ///
    /// See [`search_logs`](Self::search_logs).
    ///
    /// ```
    /// use watchpost::logs::LogQuery;
    ///
    /// # async fn show(monitor: watchpost::Monitor) -> watchpost::Result<()> {
    /// let errors = LogQuery::default().text("level:error")?.limit(5);
    /// for (route, count) in monitor.log_facet(&errors, "http.route").await?.values {
    ///     println!("{count} {route}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn log_facet(
        &self,
        query: &LogQuery,
        field: &str,
    ) -> impl Future<Output = Result<LogFacet>> + Send + use<> + 'static {
        self.inner.log_search.facet(query.clone(), field)
    }

    /// Finds the templates of the messages of the log records that a query selects, with the number of records of each: the
    /// most frequent ones, up to [`limit`](LogQuery::limit). Otherwise as [`search_logs`](Self::search_logs), with the same
    /// cancel safety.
    ///
    /// # Errors
    ///
    /// See [`search_logs`](Self::search_logs).
    ///
    /// ```
    /// use watchpost::logs::LogQuery;
    ///
    /// # async fn show(monitor: watchpost::Monitor) -> watchpost::Result<()> {
    /// for pattern in monitor.log_patterns(&LogQuery::default()).await?.patterns {
    ///     println!("{:>6} {}", pattern.count, pattern.template);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn log_patterns(
        &self,
        query: &LogQuery,
    ) -> impl Future<Output = Result<LogPatterns>> + Send + use<> + 'static {
        self.inner.log_search.patterns(query.clone())
    }

    /// Returns the groups of captured errors, most recently seen first: at most a thousand. Errors captured within the last
    /// 20 ms may be missing. [`errors`](Self::errors) selects and changes groups.
    pub fn error_groups(&self) -> Vec<ErrorGroup> {
        self.inner.errors.groups()
    }

    /// Returns the number of distinct users within five minutes and within a day. A number is `None` until a request
    /// with a user has ended, and `Some(0)` once all users have left the window.
    ///
    /// See [active users](crate::http#active-users) for what is counted and how exactly.
    ///
    /// ```
    /// # fn main() -> watchpost::Result<()> {
    /// let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
    /// assert_eq!(monitor.active_users().five_minutes, None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn active_users(&self) -> ActiveUsers {
        self.inner.users.active()
    }

    /// Sets the number of active users, for a host that counts them itself: it replaces the counted number everywhere.
    ///
    /// A number stays until it is set again, so set it regularly. A window without a number shows the counted one, so
    /// [`ActiveUsers::default()`] goes back to counting.
    ///
    /// ```
    /// use watchpost::ActiveUsers;
    ///
    /// # fn main() -> watchpost::Result<()> {
    /// let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
    /// monitor.set_active_users(ActiveUsers::default().five_minutes(120));
    /// assert_eq!(monitor.active_users().five_minutes, Some(120));
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_active_users(&self, users: ActiveUsers) {
        self.inner.users.set(users);
    }

    /// Returns the requests in progress, longest-running first.
    pub fn in_flight(&self) -> Vec<InFlight> {
        self.inner.requests.in_flight()
    }

    /// Returns the last figures of the process, its limits and its machine, which are at most ten seconds old. Reads
    /// nothing from the system. See [`system`](crate::system).
    pub fn system(&self) -> SystemFigures {
        self.inner.system.figures()
    }

    /// Returns the totals of one kind of record so far, such as the numbers of emitted, delivered and dropped records.
    pub fn totals(&self, kind: RecordKind) -> RecordTotals {
        self.inner.counters.totals(kind)
    }

    /// Returns the current problems of the monitor's environment that can be detected at run time; empty if there are
    /// none.
    ///
    /// | about | problem |
    /// |---|---|
    /// | `propagator` | OpenTelemetry has no propagator, although [`trace.propagators`](crate::config) requires one |
    /// | `subscriber` | no `tracing` subscriber in use has the monitor's layer |
    /// | `filter` | a filter of the subscriber hides the program's spans from it; reported until the first span arrives |
    /// | `sqlx` | a filter of the subscriber hides SQLx's events, so the queries of pools that are not wrapped are not recorded |
    /// | `route` | the endpoint layer wraps the router: 100 responses without a route |
    /// | `histogram` | no histogram has a name in [`metrics.histograms`](crate::config) so far |
    /// | `opentelemetry` | `tracing` events come from the files of another version of OpenTelemetry |
    /// | `panic hook` | no panic hook is set, or a panic reached a layer but not the hook |
    /// | `capture_error` | errors or panics outside requests were captured by no monitor, and none is installed |
    /// | `data directory` | no data directory is set, or it cannot be written |
    /// | `process` | this process is a child made by `fork` after the monitor was built; it delivers nothing, and nothing else is examined |
    /// | a sink | its receiver responds 404, accepts nothing for 30 s, or has a clock that is more than a minute off |
    ///
    /// Findings are also written to the console while the service runs, each once, ten seconds after the start or
    /// later; an unknown name of a histogram that is not this crate's, after five minutes, because the service may
    /// create its histograms late. This method reports such a name at once. It examines the calling thread's
    /// subscriber. Problems that it cannot detect, such as two versions of `metrics`, are visible with `cargo tree -d
    /// -e normal`.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> watchpost::Result<()> {
    /// let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
    /// let findings = monitor.doctor();
    /// assert!(findings.iter().any(|finding| finding.about == "subscriber"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn doctor(&self) -> Vec<Finding> {
        self.inner.doctor.findings()
    }

    /// Returns the resolved settings, each with its value and its source. Secrets are redacted.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }
}
