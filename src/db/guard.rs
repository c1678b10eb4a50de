use std::any::type_name;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::comment::{self, Comment};
use super::events;
use super::outcome::Ended;
use super::run::{RunQuery, TryRunQuery};
use super::shape::Shape;
use crate::clock::Nanos;
use crate::model::within;
use crate::request::DriverError;
use crate::semconv;
use crate::trace::{
    Begun, Bounded, Counts, SpanRecord, SpanStatus, SpanValue, Traces, carry_request,
};

/// Bytes of a database's code.
const MAX_CODE: usize = 32;

/// A query under way, made by [`Database::query`](super::Database::query).
///
/// It begins when it is made, as a part of the request or span that is current there, and ends with what is
/// called of it last. Dropped before that it was cancelled, or what ran in it panicked.
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
#[must_use = "dropped before its end, a query counts as cancelled"]
pub struct QueryGuard {
    shape: Arc<Shape>,
    open: Option<Begun>,
    start: Nanos,
    rows: Option<u64>,
    batch: Option<u64>,
    code: Option<Cow<'static, str>>,
    /// Code runs in it; if so still when it is dropped, that panicked.
    runs: bool,
    ended: bool,
}

impl QueryGuard {
    #[inline]
    pub(super) fn begin(shape: Arc<Shape>) -> Self {
        let common = &*shape.common;
        let start = common.requests.clock().now();
        let traces = common.traces.as_deref();
        Self {
            open: traces.map(|traces| Begun::at(traces, start)),
            shape,
            start,
            rows: None,
            batch: None,
            code: None,
            runs: false,
            ended: false,
        }
    }

    /// Sets how many rows came back or were changed (`db.response.returned_rows`).
    pub fn rows(mut self, rows: u64) -> Self {
        self.rows = Some(rows);
        self
    }

    /// Sets how many statements were sent together (`db.operation.batch.size`); of one it is left out.
    pub fn batch(mut self, statements: u64) -> Self {
        self.batch = (statements > 1).then_some(statements);
        self
    }

    /// Sets the code that the database gave, such as an `SQLSTATE`, for a query that fails
    /// (`db.response.status_code`); at most 32 bytes. It labels series: what is empty or holds anything but letters,
    /// digits, `_`, `.`, `:` and `-` of ASCII is no code, such as an error's text, and is left out.
    pub fn code(mut self, code: impl Into<Cow<'static, str>>) -> Self {
        self.code = code_of(code.into());
        self
    }

    /// The query did what it should.
    #[inline]
    pub fn finish(mut self) {
        self.end(&Ended::Completed);
    }

    /// The query failed. The error's type and the [`code`](Self::code) are kept, and not its text: databases quote
    /// values in it. [`capture_error`](crate::capture_error) tells it to whoever may see it.
    pub fn fail<E: ?Sized>(mut self, error: &E) {
        let _ = error;
        let ended = self.failed::<E>();
        self.end(&ended);
    }

    #[cold]
    fn failed<E: ?Sized>(&mut self) -> Ended {
        let code = self.code.take();
        Ended::Failed {
            error_type: code.clone().unwrap_or(Cow::Borrowed(type_name::<E>())),
            driver: DriverError::new(code, None),
            type_name: type_name::<E>(),
            by_driver: false,
        }
    }

    /// The query failed by an error of a driver's. `kind` is its kind where the database gave no code.
    #[cfg(any(feature = "sqlx", feature = "tokio-postgres"))]
    #[cold]
    pub(super) fn fail_by<E>(mut self, kind: &'static str, driver: DriverError) {
        let code = driver.code.clone();
        self.end(&Ended::Failed {
            error_type: code.unwrap_or(Cow::Borrowed(kind)),
            driver,
            type_name: type_name::<E>(),
            by_driver: true,
        });
    }

    /// The statement with a comment at its end that tells the trace to the database: its logs, its list of running
    /// queries and its own tracing can then be matched with this one. It is for drivers that have no adapter here, or
    /// none that is used:
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
    /// A statement that has a comment already stays as it is, as does one outside of any trace. A driver that
    /// prepares statements and keeps them by their text must not keep these: each is sent once.
    ///
    /// Source: <https://google.github.io/sqlcommenter/spec/>
    pub fn commented<'s>(&self, statement: &'s str) -> Cow<'s, str> {
        let mut comment = Comment::new(statement);
        let mut put = |key: &'static str, value: &str| comment.put(key, value);
        match self.open() {
            Some((open, traces)) => open.carry(traces, comment::CARRIED, &mut put),
            None => carry_request(&self.shape.common.requests, comment::CARRIED, &mut put),
        }
        comment.done()
    }

    /// Runs a future in the query, which ends when the future is done.
    ///
    /// # Cancel safety
    ///
    /// As `future` is. Dropped before it is done, the query was cancelled.
    pub fn run<F: Future>(self, future: F) -> RunQuery<F> {
        RunQuery::new(self, future)
    }

    /// As [`run`](Self::run); an `Err` makes it a query that [failed](Self::fail).
    ///
    /// # Cancel safety
    ///
    /// As [`run`](Self::run).
    pub fn try_run<F, T, E>(self, future: F) -> TryRunQuery<F, fn(&E) -> Option<String>>
    where
        F: Future<Output = Result<T, E>>,
    {
        self.try_run_with(future, |_| None)
    }

    /// As [`try_run`](Self::try_run), with the database's [`code`](Self::code) of an error.
    ///
    /// # Cancel safety
    ///
    /// As [`run`](Self::run).
    pub fn try_run_with<F, T, E, C>(self, future: F, code: C) -> TryRunQuery<F, C>
    where
        F: Future<Output = Result<T, E>>,
        C: FnOnce(&E) -> Option<String>,
    {
        TryRunQuery::new(self, future, code)
    }

    /// Runs a closure in the query, for a driver that blocks.
    pub fn in_scope<R>(mut self, work: impl FnOnce() -> R) -> R {
        let done = self.inside(work);
        self.finish();
        done
    }

    /// As [`in_scope`](Self::in_scope); an `Err` makes it a query that [failed](Self::fail).
    ///
    /// # Errors
    ///
    /// Those of `work`.
    pub fn try_in_scope<T, E>(mut self, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let done = self.inside(work);
        self.done(&done);
        done
    }

    #[inline]
    pub(super) fn done<T, E>(self, done: &Result<T, E>) {
        match done {
            Ok(_) => self.finish(),
            Err(error) => self.fail(error),
        }
    }

    /// Runs code in the query.
    #[inline]
    pub(super) fn inside<R>(&mut self, work: impl FnOnce() -> R) -> R {
        let panicked = std::mem::replace(&mut self.runs, true);
        let work = || events::unheard(work);
        let done = match &mut self.open {
            Some(open) => open.inside(work),
            None => work(),
        };
        self.runs = panicked;
        done
    }

    /// Whether its statement changes rows, as far as its summary tells.
    #[cfg(any(feature = "sqlx", feature = "tokio-postgres"))]
    pub(super) fn changes_rows(&self) -> bool {
        super::affected::changes_rows(&self.shape.summary)
    }

    #[inline]
    fn open(&self) -> Option<(&Begun, &Traces)> {
        Some((self.open.as_ref()?, self.shape.common.traces.as_deref()?))
    }

    #[inline]
    fn end(&mut self, ended: &Ended) {
        self.ended = true;
        let shape = &*self.shape;
        let now = shape.common.requests.clock().now();
        let query = shape.asked(self.start, now);
        let Some((open, traces)) = self.open() else {
            return shape.count_alone(&query, ended, self.rows);
        };
        shape.count(&query, ended, self.rows, Some(open.slot()));
        let is_told = if matches!(ended, Ended::Completed) {
            open.end_query(&query, &shape.plain, &self.counts())
        } else {
            open.slot().count_query(&query);
            shape.note_failure(open.slot(), ended);
            false
        };
        if !is_told {
            self.end_told_span((open, traces), ended, now);
        }
    }

    #[cold]
    fn dropped(&mut self) {
        self.end(if self.runs {
            &Ended::Panicked
        } else {
            &Ended::Cancelled
        });
    }

    #[inline]
    fn counts(&self) -> Counts {
        [
            (semconv::DB_RESPONSE_RETURNED_ROWS, self.rows),
            (semconv::DB_OPERATION_BATCH_SIZE, self.batch),
        ]
    }

    /// Ends a span that has more to tell than its shape, or one that cannot wait for its trace.
    #[cold]
    fn end_told_span(&self, (open, traces): (&Begun, &Traces), ended: &Ended, now: Nanos) {
        let plain = self.shape.plain.record();
        let mut attributes = Bounded::more(&plain);
        for (key, count) in self.counts() {
            if let Some(count) = count {
                let count = i64::try_from(count).unwrap_or(i64::MAX);
                attributes.value(key, SpanValue::I64(count));
            }
        }
        let (mut status, mut status_text) = (SpanStatus::Error, "");
        match ended {
            Ended::Completed => status = SpanStatus::Unset,
            Ended::Cancelled | Ended::Unknown => {
                status = SpanStatus::Unset;
                attributes.text(semconv::WATCHPOST_OUTCOME, ended.as_str());
            }
            Ended::Failed {
                error_type, driver, ..
            } => {
                attributes.text(semconv::ERROR_TYPE, error_type);
                for (key, value) in driver.attributes() {
                    attributes.text(key, value);
                }
                status_text = error_type;
            }
            Ended::Panicked => {
                attributes.text(semconv::ERROR_TYPE, ended.as_str());
                status_text = ended.as_str();
            }
        }
        let record = SpanRecord {
            status,
            status_text,
            attributes: attributes.bytes(),
            left_out: attributes.left_out(),
            ..plain
        };
        open.end(traces, now, &record);
    }
}

/// A database's code, unless it is none.
pub(super) fn code_of(code: Cow<'static, str>) -> Option<Cow<'static, str>> {
    let code = Some(code).filter(|code| is_code(code));
    code.map(|code| within(code, MAX_CODE))
}

fn is_code(text: &str) -> bool {
    let holds = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte);
    !text.is_empty() && text.bytes().all(holds)
}

impl Drop for QueryGuard {
    #[inline]
    fn drop(&mut self) {
        if !self.ended {
            self.dropped();
        }
    }
}

impl fmt::Debug for QueryGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryGuard")
            .field("summary", &self.shape.summary)
            .finish_non_exhaustive()
    }
}
