use std::cell::Cell;
use std::fmt;
use std::hash::BuildHasher as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use rustc_hash::{FxBuildHasher, FxHashMap};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level};

use super::SqlxQuery;
use crate::model::lock;

/// The target of the events. SQLx emits one for each statement that ended.
const TARGET: &str = "sqlx::query";
/// Statements whose events are expected and not to be recorded.
const MAX_EXPECTED: usize = 1024;

thread_local! {
    /// The number of nested guards whose code runs on the thread. They record the queries that SQLx's events report
    /// during that time.
    static ACTIVE_GUARDS: Cell<u32> = const { Cell::new(0) };
}

struct SuppressionGuard;

impl Drop for SuppressionGuard {
    fn drop(&mut self) {
        let _ending = ACTIVE_GUARDS.try_with(|count| count.set(count.get().saturating_sub(1)));
    }
}

/// Runs code of a query guard, during which events on this thread are not recorded.
#[inline]
pub(in crate::db) fn suppress<R>(work: impl FnOnce() -> R) -> R {
    let entered = ACTIVE_GUARDS.try_with(|count| count.set(count.get().saturating_add(1)));
    let _guard = entered.is_ok().then_some(SuppressionGuard);
    work()
}

/// Reads the events of one monitor, and skips those of queries that a guard or an adapter records.
#[derive(Debug, Default)]
pub(in crate::db) struct SqlxEvents {
    /// A layer passes events on.
    is_listening: AtomicBool,
    /// An event arrived that is not a warning of a slow statement.
    has_arrived: AtomicBool,
    has_instrumented_pool: AtomicBool,
    /// For drivers that run statements on their own threads, where no guard suppresses their events: the statements
    /// that an adapter records, by the hash of their text, with the number of their pending events.
    expected: Mutex<FxHashMap<u64, u32>>,
}

impl SqlxEvents {
    /// The level at which SQLx emits the events unless it is configured otherwise.
    pub(in crate::db) const LEVEL: LevelFilter = LevelFilter::DEBUG;

    /// Notes that events will be passed on.
    pub(in crate::db) fn listen(&self) {
        self.is_listening.store(true, Relaxed);
    }

    /// Notes that a pool is instrumented, so that its queries are recorded without events.
    pub(in crate::db) fn add_instrumented_pool(&self) {
        self.has_instrumented_pool.store(true, Relaxed);
    }

    /// The target and level of the events, if they are needed and none has arrived.
    pub(in crate::db) fn missing(&self) -> Option<(&'static str, LevelFilter)> {
        let is_missing = self.is_listening.load(Relaxed)
            && !self.has_arrived.load(Relaxed)
            && !self.has_instrumented_pool.load(Relaxed);
        is_missing.then_some((TARGET, Self::LEVEL))
    }

    /// Announces an event of this statement whose query an adapter records.
    pub(in crate::db) fn expect(&self, statement: &str) {
        if !self.is_listening.load(Relaxed) {
            return;
        }
        let mut expected = lock(&self.expected);
        let hash = FxBuildHasher.hash_one(statement);
        // If SQLx is configured to emit no events, none arrives, and the table must not grow without bound.
        if expected.len() >= MAX_EXPECTED && !expected.contains_key(&hash) {
            expected.clear();
        }
        let count = expected.entry(hash).or_default();
        *count = count.saturating_add(1);
    }

    /// Whether an event of this statement was expected. Removes one expectation.
    fn take_expected(&self, statement: &str) -> bool {
        let mut expected = lock(&self.expected);
        let hash = FxBuildHasher.hash_one(statement);
        let Some(count) = expected.get_mut(&hash) else {
            return false;
        };
        *count -= 1;
        if *count == 0 {
            expected.remove(&hash);
        }
        true
    }

    /// Returns the query that an event reports, unless a guard or an adapter records it.
    #[inline]
    pub(in crate::db) fn read(&self, event: &Event<'_>) -> Option<SqlxQuery> {
        if event.metadata().target() == TARGET {
            self.read_query(event)
        } else {
            None
        }
    }

    #[cold]
    fn read_query(&self, event: &Event<'_>) -> Option<SqlxQuery> {
        if *event.metadata().level() > Level::WARN && !self.has_arrived.load(Relaxed) {
            self.has_arrived.store(true, Relaxed);
        }
        if ACTIVE_GUARDS.try_with(Cell::get).unwrap_or_default() > 0 {
            return None;
        }
        let mut fields = QueryFields::default();
        event.record(&mut fields);
        let statement = fields.take_statement();
        if statement.is_empty() || self.take_expected(&statement) {
            return None;
        }
        Some(SqlxQuery {
            elapsed: Duration::try_from_secs_f64(fields.seconds).ok()?,
            rows_returned: fields.rows_returned,
            rows_affected: fields.rows_affected,
            statement,
        })
    }
}

/// The fields of an event.
#[derive(Debug, Default)]
struct QueryFields {
    /// The beginning of the statement. It is all of it if `statement` is empty.
    summary: String,
    statement: String,
    rows_returned: Option<u64>,
    rows_affected: Option<u64>,
    seconds: f64,
}

impl QueryFields {
    /// Takes the statement without the line breaks that SQLx puts around it.
    fn take_statement(&mut self) -> String {
        let mut statement = std::mem::take(&mut self.statement);
        if statement.starts_with("\n\n") {
            statement.drain(..2);
        }
        if statement.ends_with('\n') {
            statement.pop();
        }
        if statement.is_empty() {
            std::mem::take(&mut self.summary)
        } else {
            statement
        }
    }
}

impl Visit for QueryFields {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => value.clone_into(&mut self.summary),
            "db.statement" => value.clone_into(&mut self.statement),
            _ => {}
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "rows_returned" => self.rows_returned = Some(value),
            "rows_affected" => self.rows_affected = Some(value),
            _ => {}
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if field.name() == "elapsed_secs" {
            self.seconds = value;
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}
