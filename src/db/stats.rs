use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::outcome::Ended;
use super::shape::Shape;
use super::system::DbSystem;
use crate::clock::Nanos;
use crate::metrics::Exponential;
use crate::model::TraceId;
use crate::model::peek;
use crate::request::{RouteId, Routes, Slot};

/// Routes that are told apart as callers of a shape.
const CALLERS: usize = 8;

/// What is counted of the queries of one shape.
#[derive(Debug, Default)]
pub(super) struct Stats {
    errors: AtomicU64,
    cancelled: AtomicU64,
    nanos: AtomicU64,
    rows: AtomicU64,
    /// The longest and one nanosecond more; 0 before the first.
    longest: AtomicU64,
    worst: Mutex<TraceId>,
    callers: [Caller; CALLERS],
    other_callers: AtomicU64,
    /// Of all calls: what it counts is their number.
    times: Exponential,
}

/// A route and its calls; the route's number and one more, 0 for a free place.
#[derive(Debug, Default)]
struct Caller {
    route: AtomicU32,
    calls: AtomicU64,
}

/// Statements of one form as [`Monitor::queries`](crate::Monitor::queries) tells them.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct QueryStats {
    /// The system they go to.
    pub system: DbSystem,
    /// The database's name, where one was set.
    pub namespace: Option<Arc<str>>,
    /// Operation and target, such as `SELECT orders`. `_other`: the statements for which there was no room.
    pub summary: Arc<str>,
    /// The statement without literals, at most 2 KiB.
    pub text: Arc<str>,
    /// Queries that ended, however.
    pub calls: u64,
    /// Those of them that failed, or whose code panicked.
    pub errors: u64,
    /// Those of them that were dropped before their end.
    pub cancelled: u64,
    /// The time in all of them.
    pub total: Duration,
    /// Half took no longer; as all quantiles, off by at most 1.1 %.
    pub p50: Duration,
    /// 95 of 100 took no longer.
    pub p95: Duration,
    /// 99 of 100 took no longer.
    pub p99: Duration,
    /// The longest.
    pub max: Duration,
    /// Rows, as far as they were told.
    pub rows: u64,
    /// The routes that asked, the busiest first: at most eight. Outside a request the route is empty.
    pub callers: Vec<(Arc<str>, u64)>,
    /// Calls of further routes.
    pub other_callers: u64,
    /// The trace of the longest one; it may not have been kept. Nil where no traces are made.
    pub worst_trace: TraceId,
}

impl Stats {
    /// Counts a query.
    #[inline]
    pub(super) fn record(
        &self,
        ended: &Ended,
        (nanos, seconds): (Nanos, f64),
        rows: Option<u64>,
        of: Option<&Slot>,
    ) {
        self.nanos.fetch_add(nanos, Relaxed);
        self.times.record(seconds);
        match ended {
            Ended::Completed | Ended::Unknown => {}
            Ended::Cancelled => {
                self.cancelled.fetch_add(1, Relaxed);
            }
            Ended::Failed { .. } | Ended::Panicked => {
                self.errors.fetch_add(1, Relaxed);
            }
        }
        if let Some(rows) = rows {
            self.rows.fetch_add(rows, Relaxed);
        }
        if let Some(slot) = of {
            self.called_by(slot.route());
        }
        if nanos >= self.longest.load(Relaxed) {
            self.is_longest(nanos, of);
        }
    }

    /// Queries counted.
    pub(super) fn calls(&self) -> u64 {
        self.times.count()
    }

    /// Moves all that another one counted here. What it counts meanwhile moves the next time.
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
                self.called(caller.route.load(Relaxed), calls);
            }
        }
        self.times.absorb(&other.times);
        let mut theirs = other.worst.lock().unwrap_or_else(PoisonError::into_inner);
        let longest = other.longest.swap(0, Relaxed);
        let trace = std::mem::replace(&mut *theirs, TraceId::NIL);
        drop(theirs);
        if let Some(nanos) = longest.checked_sub(1) {
            self.set_longest(nanos, trace);
        }
    }

    #[inline]
    fn called_by(&self, route: RouteId) {
        self.called(route.0.saturating_add(1), 1);
    }

    /// Counts calls of a route, by its number and one more.
    #[inline]
    fn called(&self, number: u32, calls: u64) {
        for caller in &self.callers {
            let known = caller.route.load(Relaxed);
            let is_free = || {
                let taken = caller.route.compare_exchange(0, number, Relaxed, Relaxed);
                taken.is_ok() || taken == Err(number)
            };
            if known == number || known == 0 && is_free() {
                caller.calls.fetch_add(calls, Relaxed);
                return;
            }
        }
        self.other_callers.fetch_add(calls, Relaxed);
    }

    #[cold]
    fn is_longest(&self, nanos: Nanos, of: Option<&Slot>) {
        self.set_longest(nanos, of.map_or(TraceId::NIL, |slot| slot.ids().trace));
    }

    fn set_longest(&self, nanos: Nanos, trace: TraceId) {
        let mut worst = self.worst.lock().unwrap_or_else(PoisonError::into_inner);
        // Another may have come first.
        let before = self.longest.fetch_max(nanos.saturating_add(1), Relaxed);
        if before <= nanos {
            *worst = trace;
        }
    }

    fn callers(&self, routes: &Routes) -> Vec<(Arc<str>, u64)> {
        let known = self.callers.iter().filter_map(|caller| {
            let route = caller.route.load(Relaxed).checked_sub(1)?;
            Some((routes.name(RouteId(route)), caller.calls.load(Relaxed)))
        });
        let mut known: Vec<_> = known.collect();
        known.sort_by_key(|(_, calls)| std::cmp::Reverse(*calls));
        known
    }
}

impl QueryStats {
    /// Of a shape that was asked for.
    pub(super) fn of(shape: &Shape, routes: &Routes) -> Option<Self> {
        let stats = &shape.stats;
        let [p50, p95, p99] = stats.times.quantiles([0.5, 0.95, 0.99])?;
        let max = Duration::from_nanos(stats.longest.load(Relaxed).saturating_sub(1));
        // The middle of a bucket may lie beyond the longest.
        let time = |seconds| Duration::from_secs_f64(seconds).min(max);
        Some(Self {
            system: shape.target.system,
            namespace: shape.target.namespace.clone(),
            summary: Arc::clone(&shape.summary),
            text: shape.text(),
            calls: stats.times.count(),
            errors: stats.errors.load(Relaxed),
            cancelled: stats.cancelled.load(Relaxed),
            total: Duration::from_nanos(stats.nanos.load(Relaxed)),
            p50: time(p50),
            p95: time(p95),
            p99: time(p99),
            max,
            rows: stats.rows.load(Relaxed),
            callers: stats.callers(routes),
            other_callers: stats.other_callers.load(Relaxed),
            worst_trace: peek(&stats.worst).map_or(TraceId::NIL, |worst| *worst),
        })
    }
}
