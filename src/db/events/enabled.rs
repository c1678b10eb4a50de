use std::cell::Cell;
use std::fmt;
use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustc_hash::{FxBuildHasher, FxHashMap};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level};

use super::super::affected;
use super::super::outcome::Ended;
use super::super::queries::Queries;
use super::super::system::DbSystem;
use super::super::target::Target;
use crate::clock::nanos;

/// The target of the events, one a statement that ended.
const TARGET: &str = "sqlx::query";
/// Statements whose events are still to be passed over.
const MAX_TO_COME: usize = 1024;

thread_local! {
    /// How many guards' code runs on the thread: what SQLx says meanwhile, a guard counts.
    static IN_GUARDS: Cell<u32> = const { Cell::new(0) };
}

struct InGuard;

impl Drop for InGuard {
    fn drop(&mut self) {
        let _ending = IN_GUARDS.try_with(|count| count.set(count.get().saturating_sub(1)));
    }
}

/// Runs code of a guard, in which events of queries are passed over.
#[inline]
pub(in crate::db) fn unheard<R>(work: impl FnOnce() -> R) -> R {
    let entered = IN_GUARDS.try_with(|count| count.set(count.get().saturating_add(1)));
    let _in_guard = entered.is_ok().then_some(InGuard);
    work()
}

/// What was told by events.
#[derive(Debug, Default)]
pub(in crate::db) struct Told {
    listens: AtomicBool,
    /// An event has come that is no warning of a slow statement.
    came: AtomicBool,
    /// A pool was wrapped.
    wraps: AtomicBool,
    /// Of drivers that run statements on threads of their own: those that an adapter counts, whose events are
    /// still to come, by the hash of their text.
    to_come: Mutex<FxHashMap<u64, u32>>,
}

impl Told {
    /// The level of the events, as SQLx writes them unless it is told otherwise.
    pub(in crate::db) const LEVEL: LevelFilter = LevelFilter::DEBUG;

    /// Events will be heard.
    pub(in crate::db) fn listen(&self) {
        self.listens.store(true, Relaxed);
    }

    /// A pool is wrapped, so that its queries are recorded without events.
    pub(in crate::db) fn wraps(&self) {
        self.wraps.store(true, Relaxed);
    }

    /// The target and level of the events, where none comes and they are needed.
    pub(in crate::db) fn misses(&self) -> Option<(&'static str, LevelFilter)> {
        let is = |flag: &AtomicBool| flag.load(Relaxed);
        let misses = is(&self.listens) && !is(&self.came) && !is(&self.wraps);
        misses.then_some((TARGET, Self::LEVEL))
    }

    /// An event of this statement will come, of a query that is counted already.
    pub(in crate::db) fn will_come(&self, statement: &str) {
        if !self.listens.load(Relaxed) {
            return;
        }
        let mut to_come = self.to_come.lock().unwrap_or_else(PoisonError::into_inner);
        let hash = FxBuildHasher.hash_one(statement);
        // Where SQLx was told to write no events, none comes: what is waited for then is forgotten in time.
        if to_come.len() >= MAX_TO_COME && !to_come.contains_key(&hash) {
            to_come.clear();
        }
        let count = to_come.entry(hash).or_default();
        *count = count.saturating_add(1);
    }

    fn takes(&self, statement: &str) -> bool {
        let mut to_come = self.to_come.lock().unwrap_or_else(PoisonError::into_inner);
        let hash = FxBuildHasher.hash_one(statement);
        let Some(count) = to_come.get_mut(&hash) else {
            return false;
        };
        *count -= 1;
        if *count == 0 {
            to_come.remove(&hash);
        }
        true
    }

    /// Counts the query that an event tells of, unless a guard or an adapter does.
    #[inline]
    pub(in crate::db) fn hear(&self, queries: &Queries, event: &Event<'_>) {
        if event.metadata().target() == TARGET {
            self.hear_query(queries, event);
        }
    }

    #[cold]
    fn hear_query(&self, queries: &Queries, event: &Event<'_>) {
        if *event.metadata().level() > Level::WARN && !self.came.load(Relaxed) {
            self.came.store(true, Relaxed);
        }
        if IN_GUARDS.try_with(Cell::get).unwrap_or_default() > 0 {
            return;
        }
        let mut query = Query::default();
        event.record(&mut query);
        let statement = query.statement();
        if statement.is_empty() || self.takes(statement) {
            return;
        }
        let Ok(took) = Duration::try_from_secs_f64(query.seconds) else {
            return;
        };
        let target = queries.target(Target::new(DbSystem::OtherSql));
        let shape = queries.shape(&target, statement);
        let end = queries.common.requests.clock().now();
        let start = end.saturating_sub(nanos(took));
        let rows = match query.affected {
            Some(rows) if query.rows == Some(0) && affected::changes_rows(&shape.summary) => {
                Some(rows)
            }
            _ => query.rows,
        };
        shape.count_alone(&shape.asked(start, end), &Ended::Unknown, rows);
    }
}

/// What an event says.
#[derive(Debug, Default)]
struct Query {
    /// The statement's beginning; all of it where the other is empty.
    summary: String,
    statement: String,
    rows: Option<u64>,
    affected: Option<u64>,
    seconds: f64,
}

impl Query {
    fn statement(&self) -> &str {
        let whole = self
            .statement
            .strip_prefix("\n\n")
            .unwrap_or(&self.statement);
        let whole = whole.strip_suffix('\n').unwrap_or(whole);
        if whole.is_empty() {
            &self.summary
        } else {
            whole
        }
    }
}

impl Visit for Query {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => value.clone_into(&mut self.summary),
            "db.statement" => value.clone_into(&mut self.statement),
            _ => {}
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "rows_returned" => self.rows = Some(value),
            "rows_affected" => self.affected = Some(value),
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
