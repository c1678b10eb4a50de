use std::any::type_name;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::comment::{self, CommentBuilder};
use super::digest::Digest;
use super::events;
use super::outcome::{EndedQuery, QueryOutcome};
use crate::clock::Nanos;
use crate::context::DriverError;
use crate::model::within;
use crate::semconv;
use crate::trace::{
    ActiveSpan, AttributeBuffer, CountAttributes, SpanRecord, SpanStatus, SpanValue, Traces,
    put_request_headers,
};

/// Bytes of a database's error code.
const MAX_CODE: usize = 32;

/// A query in progress, made by [`Database::query`](super::Database::query).
///
/// The query begins when the guard is made, as a child of the current request or span. It ends when
/// [`finish`](Self::finish), [`fail`](Self::fail), [`in_scope`](Self::in_scope) or [`try_in_scope`](Self::try_in_scope)
/// returns, or when the future of [`run`](Self::run), [`try_run`](Self::try_run) or
/// [`try_run_with`](Self::try_run_with) completes. A guard that is dropped before that counts as cancelled, or as
/// panicked if code that ran in it panicked.
///
/// # Examples
///
/// ```
/// # async fn example(db: watchpost::db::Database) {
/// # async fn fetch() -> Result<Vec<u8>, std::io::Error> { Ok(Vec::new()) }
/// let query = db.query("SELECT * FROM orders");
/// match fetch().await {
///     Ok(rows) => query.rows(rows.len() as u64).finish(),
///     Err(error) => query.fail(&error),
/// }
/// # }
/// ```
#[must_use = "a query whose guard is dropped before its end counts as cancelled"]
pub struct QueryGuard {
    digest: Arc<Digest>,
    /// `None` if traces are off.
    span: Option<ActiveSpan>,
    start: Nanos,
    rows: Option<u64>,
    batch: Option<u64>,
    code: Option<Cow<'static, str>>,
    /// Code runs in the query. If it is still set when the guard is dropped, that code panicked.
    is_running: bool,
    has_ended: bool,
}

impl QueryGuard {
    #[inline]
    pub(super) fn begin(digest: Arc<Digest>) -> Self {
        let instruments = &*digest.instruments;
        let start = instruments.requests.clock().now();
        let traces = instruments.traces.as_deref();
        Self {
            span: traces.map(|traces| ActiveSpan::at(traces, start)),
            digest,
            start,
            rows: None,
            batch: None,
            code: None,
            is_running: false,
            has_ended: false,
        }
    }

    /// Sets the number of rows returned or changed (`db.response.returned_rows`).
    pub fn rows(mut self, rows: u64) -> Self {
        self.rows = Some(rows);
        self
    }

    /// Sets the number of statements sent together (`db.operation.batch.size`). A batch of one is not recorded as a
    /// batch.
    pub fn batch(mut self, statements: u64) -> Self {
        self.batch = (statements > 1).then_some(statements);
        self
    }

    /// Sets the database's code for a query that fails, such as an `SQLSTATE` (`db.response.status_code`). It is cut at
    /// 32 bytes.
    ///
    /// The code labels series. A text that is empty or holds anything but ASCII letters, digits, `_`, `.`, `:` and `-`
    /// is ignored, since it may be an error message.
    pub fn code(mut self, code: impl Into<Cow<'static, str>>) -> Self {
        self.code = code_of(code.into());
        self
    }

    /// Ends the query as completed.
    #[inline]
    pub fn finish(mut self) {
        self.end(&QueryOutcome::Completed);
    }

    /// Ends the query as failed.
    ///
    /// The error's type and the [`code`](Self::code) are recorded. The error's text is not, because databases quote
    /// values in it; [`capture_error`](crate::capture_error) reports it.
    pub fn fail<E: ?Sized>(mut self, error: &E) {
        let _ = error;
        let outcome = self.failed::<E>();
        self.end(&outcome);
    }

    #[cold]
    fn failed<E: ?Sized>(&mut self) -> QueryOutcome {
        let code = self.code.take();
        QueryOutcome::Failed {
            error_type: code.clone().unwrap_or(Cow::Borrowed(type_name::<E>())),
            driver: DriverError::new(code, None),
            type_name: type_name::<E>(),
            by_driver: false,
        }
    }

    /// Ends the query as failed by an error of a driver. `kind` replaces the code if the database gave none.
    #[cfg(any(feature = "sqlx", feature = "tokio-postgres"))]
    #[cold]
    pub(super) fn fail_with<E>(mut self, kind: &'static str, driver: DriverError) {
        let code = driver.code.clone();
        self.end(&QueryOutcome::Failed {
            error_type: code.unwrap_or(Cow::Borrowed(kind)),
            driver,
            type_name: type_name::<E>(),
            by_driver: true,
        });
    }

    /// Returns the statement with a trailing comment that carries the trace context, for drivers without an adapter
    /// here.
    ///
    /// With it, the database's logs, its list of running queries and its own tracing can be matched with the trace:
    ///
    /// ```
    /// # fn example(db: &watchpost::db::Database) {
    /// let query = db.query("SELECT 1");
    /// let statement = query.commented("SELECT 1");
    /// # let _: std::borrow::Cow<'_, str> = statement;
    /// // SELECT 1 /*traceparent='00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'*/
    /// # query.finish();
    /// # }
    /// ```
    ///
    /// A statement that has a comment already is returned unchanged, and so is one outside a trace. A driver that
    /// caches prepared statements by their text must not cache the returned ones: each is sent once.
    ///
    /// Source: <https://google.github.io/sqlcommenter/spec/>
    pub fn commented<'s>(&self, statement: &'s str) -> Cow<'s, str> {
        let mut comment = CommentBuilder::new(statement);
        let mut put = |key: &'static str, value: &str| comment.put(key, value);
        match self.span() {
            Some((span, traces)) => span.put_headers(traces, comment::PROPAGATORS, &mut put),
            None => put_request_headers(
                &self.digest.instruments.requests,
                comment::PROPAGATORS,
                &mut put,
            ),
        }
        comment.finish()
    }

    /// Runs a closure in the query and ends the query as completed, for drivers that block.
    pub fn in_scope<R>(mut self, work: impl FnOnce() -> R) -> R {
        let output = self.scope(work);
        self.finish();
        output
    }

    /// Runs a closure in the query. `Ok` ends the query as completed, `Err` as [failed](Self::fail).
    ///
    /// # Errors
    ///
    /// Returns the error of `work`.
    pub fn try_in_scope<T, E>(mut self, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let result = self.scope(work);
        self.end_with(&result);
        result
    }

    /// Ends the query by the result of its work.
    #[inline]
    pub(super) fn end_with<T, E>(self, result: &Result<T, E>) {
        match result {
            Ok(_) => self.finish(),
            Err(error) => self.fail(error),
        }
    }

    /// Runs code in the query, without ending it: the query's span is the current operation meanwhile.
    #[inline]
    pub(super) fn scope<R>(&mut self, work: impl FnOnce() -> R) -> R {
        let was_running = std::mem::replace(&mut self.is_running, true);
        let work = || events::suppress(work);
        let output = match &mut self.span {
            Some(span) => span.inside(work),
            None => work(),
        };
        self.is_running = was_running;
        output
    }

    /// Whether the statement changes rows, judged by its summary.
    #[cfg(any(feature = "sqlx", feature = "tokio-postgres"))]
    pub(super) fn changes_rows(&self) -> bool {
        super::affected::changes_rows(&self.digest.summary)
    }

    #[inline]
    fn span(&self) -> Option<(&ActiveSpan, &Traces)> {
        let traces = self.digest.instruments.traces.as_deref()?;
        Some((self.span.as_ref()?, traces))
    }

    /// Ends the query: records it in its digest, in its request's tally and as a span.
    #[inline]
    fn end(&mut self, outcome: &QueryOutcome) {
        // 1. The drop that follows must not end the query again.
        self.has_ended = true;
        let digest = &*self.digest;
        let now = digest.instruments.requests.clock().now();
        let query = EndedQuery::new(digest.timing(self.start, now), outcome, self.rows);
        // 2. Without traces there is no span. The query belongs to the operation that is current now.
        let Some(span) = &self.span else {
            return digest.record_untraced(&query);
        };
        // 3. With traces it belongs to the operation that was current when it began, whose route the digest counts.
        digest.record(&query, Some(span.slot()));
        // 4. A completed query adds itself to the tally and its span to the trace under one lock: the span is the
        //    digest's template with its own ids, times and counts.
        let has_span = if matches!(outcome, QueryOutcome::Completed) {
            span.end_query(&query.timing, &digest.span_template, &self.counts())
        } else {
            span.slot().count_query(&query.timing);
            digest.record_failure(span.slot(), outcome);
            false
        };
        // 5. Any other outcome has additional attributes. The template also does not fit a root, a late span, one with
        //    events, or one for which the trace has no room.
        if !has_span {
            self.end_detailed_span(outcome, now);
        }
    }

    #[cold]
    fn end_dropped(&mut self) {
        self.end(if self.is_running {
            &QueryOutcome::Panicked
        } else {
            &QueryOutcome::Cancelled
        });
    }

    #[inline]
    fn counts(&self) -> CountAttributes {
        [
            (semconv::DB_RESPONSE_RETURNED_ROWS, self.rows),
            (semconv::DB_OPERATION_BATCH_SIZE, self.batch),
        ]
    }

    /// Ends the span with the attributes of the digest, of this query and of its outcome.
    #[cold]
    fn end_detailed_span(&self, outcome: &QueryOutcome, now: Nanos) {
        let Some((span, traces)) = self.span() else {
            return;
        };
        // The template has what all queries of the digest share. Its attributes are copied, since this span adds some.
        let template = self.digest.span_template.record();
        let mut attributes = AttributeBuffer::more(&template, traces.limits());
        for (key, count) in self.counts() {
            if let Some(count) = count {
                let count = i64::try_from(count).unwrap_or(i64::MAX);
                attributes.value(key, SpanValue::I64(count));
            }
        }
        // The status follows the conventions: an error if the query failed, unset if it is unknown whether it did.
        let (mut status, mut status_text) = (SpanStatus::Error, "");
        match outcome {
            QueryOutcome::Completed => status = SpanStatus::Unset,
            QueryOutcome::Cancelled | QueryOutcome::Unknown => {
                status = SpanStatus::Unset;
                attributes.text(semconv::WATCHPOST_OUTCOME, outcome.as_str());
            }
            QueryOutcome::Failed {
                error_type, driver, ..
            } => {
                attributes.text(semconv::ERROR_TYPE, error_type);
                for (key, value) in driver.attributes() {
                    attributes.text(key, value);
                }
                status_text = error_type;
            }
            QueryOutcome::Panicked => {
                attributes.text(semconv::ERROR_TYPE, outcome.as_str());
                status_text = outcome.as_str();
            }
        }
        let record = SpanRecord {
            status,
            status_text,
            attributes: attributes.bytes(),
            left_out: attributes.left_out(),
            ..template
        };
        span.end(traces, now, &record);
    }
}

/// The text as a database's code, if it can be one.
pub(super) fn code_of(code: Cow<'static, str>) -> Option<Cow<'static, str>> {
    let code = Some(code).filter(|code| is_code(code));
    code.map(|code| within(code, MAX_CODE))
}

fn is_code(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte);
    !text.is_empty() && text.bytes().all(is_allowed)
}

impl Drop for QueryGuard {
    #[inline]
    fn drop(&mut self) {
        if !self.has_ended {
            self.end_dropped();
        }
    }
}

impl fmt::Debug for QueryGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryGuard")
            .field("summary", &self.digest.summary)
            .finish_non_exhaustive()
    }
}
