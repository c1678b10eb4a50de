use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::dependency::{Dependency, LastError, RecentCall, ServiceTotals};
use super::end::CallEnd;
use super::limits::LimitWindow;
use super::service_limits::{LimitGauges, ServiceLimits};
use crate::clock::{Nanos, nanos};
use crate::context::RouteId;
#[cfg(feature = "dashboard")]
use crate::context::Routes;
use crate::model::{Outcome, lock, lock_for_status};

/// The maximum number of recent calls that a service's state is derived from.
const MAX_RECENT: usize = 256;
/// The maximum age of a recent call.
const MAX_AGE: Duration = Duration::from_secs(300);

/// Routes that a service counts separately as callers.
const MAX_CALLERS: usize = 8;

/// The state of a service that the host calls.
#[derive(Debug)]
pub(super) struct ServiceState {
    pub(super) name: Arc<str>,
    stats: Mutex<ServiceStats>,
    limits: Mutex<ServiceLimits>,
    /// Whether a URL with an invalid port was reported.
    has_reported_invalid_port: AtomicBool,
}

#[derive(Debug, Default)]
struct ServiceStats {
    totals: ServiceTotals,
    /// The recent calls, the oldest first.
    recent: VecDeque<RecentCall>,
    last_error: Option<(Nanos, String)>,
    /// The first routes that called the service, and how often.
    callers: Vec<(RouteId, u64)>,
    /// Calls from further routes.
    other_callers: u64,
}

/// Who calls a service, since the start.
#[cfg(feature = "dashboard")]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ServiceCallers {
    /// Up to eight routes in descending order of calls; the route is empty for work outside a request.
    pub(crate) routes: Vec<(Arc<str>, u64)>,
    /// Calls from further routes.
    pub(crate) others: u64,
}

impl ServiceStats {
    fn count_caller(&mut self, route: RouteId) {
        if let Some((_, calls)) = self.callers.iter_mut().find(|(known, _)| *known == route) {
            *calls += 1;
        } else if self.callers.len() < MAX_CALLERS {
            self.callers.push((route, 1));
        } else {
            self.other_callers += 1;
        }
    }
}

impl ServiceState {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            stats: Mutex::default(),
            limits: Mutex::default(),
            has_reported_invalid_port: AtomicBool::new(false),
        }
    }

    /// Whether a URL with an invalid port has to be reported; `true` once.
    pub(super) fn should_report_invalid_port(&self) -> bool {
        !self.has_reported_invalid_port.swap(true, Relaxed)
    }

    /// Records the end of a call of a route.
    pub(super) fn record_end(&self, end: &CallEnd, route: RouteId, duration: Nanos, now: Nanos) {
        let mut stats = lock(&self.stats);
        stats.totals.calls += 1;
        stats.count_caller(route);
        let failed = end.is_service_failure();
        match end.outcome {
            Outcome::Timeout => stats.totals.timeouts += 1,
            Outcome::Cancelled | Outcome::BodyDropped => stats.totals.cancelled += 1,
            _ => {}
        }
        // A call that the host cancelled says nothing of the service, so it is no error.
        if failed {
            stats.totals.errors += 1;
            let error = end.error_type.as_deref().unwrap_or_default();
            stats.last_error = Some((now, error.to_owned()));
        }
        if stats.recent.len() == MAX_RECENT {
            stats.recent.pop_front();
        }
        stats.recent.push_back(RecentCall {
            at: now,
            duration,
            failed,
        });
    }

    /// The routes that called the service.
    #[cfg(feature = "dashboard")]
    pub(super) fn callers(&self, routes: &Routes) -> ServiceCallers {
        let Some(stats) = lock_for_status(&self.stats) else {
            return ServiceCallers::default();
        };
        let (mut callers, others) = (stats.callers.clone(), stats.other_callers);
        drop(stats);
        callers.sort_by_key(|(_, calls)| std::cmp::Reverse(*calls));
        let named = callers
            .into_iter()
            .map(|(route, calls)| (routes.name(route), calls));
        ServiceCallers {
            routes: named.collect(),
            others,
        }
    }

    /// Records that the service requested a pause of `wait`.
    pub(super) fn back_off(&self, wait: Duration, now: Nanos) {
        lock(&self.limits).back_off_until(now.saturating_add(nanos(wait)));
    }

    /// Records windows of the service's rate limit.
    pub(super) fn record_limits(
        &self,
        gauges: &LimitGauges,
        windows: Vec<LimitWindow>,
        now: Nanos,
    ) {
        let mut limits = lock(&self.limits);
        for window in windows {
            limits.update(gauges, &self.name, window, now);
        }
    }

    /// The public view of the state. Returns `None` if a lock is held in another process (see `lock_for_status`).
    pub(super) fn dependency(&self, now: Nanos) -> Option<Dependency> {
        // The locks are taken one after the other, never together, so their order cannot deadlock.
        let (limits, back_off) = {
            let limits = lock_for_status(&self.limits)?;
            (limits.snapshot(now), limits.back_off_remaining(now))
        };
        let stats = lock_for_status(&self.stats)?;
        let oldest = now.saturating_sub(nanos(MAX_AGE));
        let recent: Vec<_> = stats
            .recent
            .iter()
            .filter(|call| call.at >= oldest)
            .copied()
            .collect();
        let last_error = stats.last_error.as_ref().map(|(at, error)| LastError {
            error: error.clone(),
            age: Duration::from_nanos(now.saturating_sub(*at)),
        });
        let totals = stats.totals;
        // The percentile is computed without the lock.
        drop(stats);
        let mut dependency =
            Dependency::assess(&self.name, totals, &recent, now, last_error, back_off);
        dependency.limits = limits;
        Some(dependency)
    }
}
