use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::outcome::{EndedQuery, QueryOutcome};
use super::system::DbSystem;
use crate::clock::Nanos;
use crate::context::{RouteId, Routes, Slot};
use crate::metrics::FineCounts;
use crate::model::{TraceId, lock, lock_for_status};

/// Routes that a digest counts separately as callers.
const MAX_CALLERS: usize = 8;

/// Counters of the queries of one digest.
#[derive(Debug, Default)]
pub(super) struct DigestStats {
    errors: AtomicU64,
    cancelled: AtomicU64,
    nanos: AtomicU64,
    rows: AtomicU64,
    /// The longest duration in nanoseconds plus one; 0 before the first query.
    longest: AtomicU64,
    slowest_trace: Mutex<TraceId>,
    callers: [RouteCalls; MAX_CALLERS],
    other_callers: AtomicU64,
    /// Durations of all calls. Its count is the number of calls.
    times: FineCounts,
}

/// A route and its calls. The route's number is stored plus one; 0 is a free slot.
#[derive(Debug, Default)]
struct RouteCalls {
    route: AtomicU32,
    calls: AtomicU64,
}

/// The part of a [`QueryStats`] that does not change.
pub(super) struct DigestIdentity {
    pub(super) system: DbSystem,
    pub(super) namespace: Option<Arc<str>>,
    pub(super) summary: Arc<str>,
    pub(super) text: Arc<str>,
}

/// Statistics of all queries with one [digest](crate::db#what-is-kept-of-a-statement) since the start, as returned by
/// [`Monitor::queries`](crate::Monitor::queries).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct QueryStats {
    /// The database system.
    pub system: DbSystem,
    /// The database's name, if one was set.
    pub namespace: Option<Arc<str>>,
    /// The operations and their targets, such as `SELECT orders`; at most 255 bytes. `_other` represents the statements
    /// for which the table has no room.
    pub summary: Arc<str>,
    /// The normalized statement: literals replaced by `?`, at most 2 KiB. Empty for systems without SQL and for
    /// `_other`.
    pub text: Arc<str>,
    /// Queries that have ended, with any outcome.
    pub calls: u64,
    /// Queries that failed or panicked.
    pub errors: u64,
    /// Queries that were cancelled: their guard or future was dropped before its end.
    pub cancelled: u64,
    /// The sum of all durations.
    pub total: Duration,
    /// The median duration. As all quantiles here, it is exact to within 1.1 %.
    pub p50: Duration,
    /// The 95th percentile of the durations.
    pub p95: Duration,
    /// The 99th percentile of the durations.
    pub p99: Duration,
    /// The longest duration.
    pub max: Duration,
    /// Rows returned or changed, of the queries for which the number is known.
    pub rows: u64,
    /// Up to eight routes that ran the query, in descending order of calls.
    pub callers: Vec<QueryCaller>,
    /// Calls from further routes.
    pub other_callers: u64,
    /// The trace of the longest query; that trace may not have been kept. [`TraceId::NIL`] if traces are off.
    pub slowest_trace_id: TraceId,
}

/// A route that ran a query.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueryCaller {
    /// The route's pattern; empty for work outside a request.
    pub route: Arc<str>,
    /// The number of queries that requests of the route ran.
    pub calls: u64,
}

impl DigestStats {
    /// Counts a query; `slot` is its operation, if it has one.
    #[inline]
    pub(super) fn record(&self, query: &EndedQuery<'_>, slot: Option<&Slot>) {
        self.nanos.fetch_add(query.nanos, Relaxed);
        self.times.record(query.seconds, 1);
        match query.outcome {
            QueryOutcome::Completed | QueryOutcome::Unknown => {}
            QueryOutcome::Cancelled => {
                self.cancelled.fetch_add(1, Relaxed);
            }
            QueryOutcome::Failed { .. } | QueryOutcome::Panicked => {
                self.errors.fetch_add(1, Relaxed);
            }
        }
        if let Some(rows) = query.rows {
            self.rows.fetch_add(rows, Relaxed);
        }
        if let Some(slot) = slot {
            self.count_caller(slot.route().0.saturating_add(1), 1);
        }
        if query.nanos >= self.longest.load(Relaxed) {
            self.record_slowest(query.nanos, slot);
        }
    }

    /// The number of queries counted.
    pub(super) fn calls(&self) -> u64 {
        self.times.total()
    }

    /// Moves the counts of another digest here. Counts that `other` gets during the move are moved the next time.
    pub(super) fn absorb(&self, other: &Self) {
        let counts = [
            (&self.errors, &other.errors),
            (&self.cancelled, &other.cancelled),
            (&self.nanos, &other.nanos),
            (&self.rows, &other.rows),
            (&self.other_callers, &other.other_callers),
        ];
        for (count, from) in counts {
            count.fetch_add(from.swap(0, Relaxed), Relaxed);
        }
        for caller in &other.callers {
            let calls = caller.calls.swap(0, Relaxed);
            if calls > 0 {
                self.count_caller(caller.route.load(Relaxed), calls);
            }
        }
        self.times.absorb(&other.times);
        // Both under the lock, so that duration and trace belong to one query. It is released before the lock of this
        // one is taken: two that absorb each other must not wait for each other.
        let mut slowest = lock(&other.slowest_trace);
        let longest = other.longest.swap(0, Relaxed);
        let trace = std::mem::replace(&mut *slowest, TraceId::NIL);
        drop(slowest);
        if let Some(nanos) = longest.checked_sub(1) {
            self.set_slowest(nanos, trace);
        }
    }

    /// Counts calls of a route, whose number is given plus one: 0 marks a free slot.
    #[inline]
    fn count_caller(&self, number: u32, calls: u64) {
        for caller in &self.callers {
            let known = caller.route.load(Relaxed);
            // Another thread may take the slot first, for this route or for another one.
            let claims = || {
                let taken = caller.route.compare_exchange(0, number, Relaxed, Relaxed);
                taken.is_ok() || taken == Err(number)
            };
            if known == number || known == 0 && claims() {
                caller.calls.fetch_add(calls, Relaxed);
                return;
            }
        }
        self.other_callers.fetch_add(calls, Relaxed);
    }

    #[cold]
    fn record_slowest(&self, nanos: Nanos, slot: Option<&Slot>) {
        self.set_slowest(nanos, slot.map_or(TraceId::NIL, |slot| slot.ids().trace));
    }

    fn set_slowest(&self, nanos: Nanos, trace: TraceId) {
        let mut slowest = lock(&self.slowest_trace);
        // Another thread may have recorded a longer query before this one had the lock.
        let before = self.longest.fetch_max(nanos.saturating_add(1), Relaxed);
        if before <= nanos {
            *slowest = trace;
        }
    }

    /// The statistics as the host sees them; `None` before the first query.
    pub(super) fn snapshot(
        &self,
        identity: impl FnOnce() -> DigestIdentity,
        routes: &Routes,
    ) -> Option<QueryStats> {
        let times = self.times.distribution();
        let calls = times.count();
        let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|rank| times.quantile(rank));
        let max = Duration::from_nanos(self.longest.load(Relaxed).saturating_sub(1));
        // A quantile is the middle of a bucket, which may lie beyond the longest query.
        let time = |seconds| Duration::from_secs_f64(seconds).min(max);
        let (p50, p95, p99) = (p50?, p95?, p99?);
        let DigestIdentity {
            system,
            namespace,
            summary,
            text,
        } = identity();
        Some(QueryStats {
            system,
            namespace,
            summary,
            text,
            calls,
            errors: self.errors.load(Relaxed),
            cancelled: self.cancelled.load(Relaxed),
            total: Duration::from_nanos(self.nanos.load(Relaxed)),
            p50: time(p50),
            p95: time(p95),
            p99: time(p99),
            max,
            rows: self.rows.load(Relaxed),
            callers: self.callers(routes),
            other_callers: self.other_callers.load(Relaxed),
            slowest_trace_id: lock_for_status(&self.slowest_trace)
                .map_or(TraceId::NIL, |trace| *trace),
        })
    }

    fn callers(&self, routes: &Routes) -> Vec<QueryCaller> {
        let known = self.callers.iter().filter_map(|caller| {
            let route = caller.route.load(Relaxed).checked_sub(1)?;
            Some(QueryCaller {
                route: routes.name(RouteId(route)),
                calls: caller.calls.load(Relaxed),
            })
        });
        let mut known: Vec<_> = known.collect();
        known.sort_by_key(|caller| std::cmp::Reverse(caller.calls));
        known
    }
}
