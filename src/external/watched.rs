use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use super::calls::{Calls, lock};
use super::dependency::{Dependency, LastError, Seen};
use super::end::End;
use super::limits::{self, Window};
use super::quota::Quotas;
use crate::clock::{Nanos, nanos};
use crate::model::Outcome;
use crate::model::lock_for_status;

/// Calls that tell how a service does, and how old they may be.
const RECENT: usize = 256;
const MAX_AGE: Duration = Duration::from_secs(300);

/// What is known of a service.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) name: Arc<str>,
    state: Mutex<State>,
    quotas: Mutex<Quotas>,
    /// Whether a URL with a bad port was reported.
    bad_port: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    calls: u64,
    errors: u64,
    timeouts: u64,
    cancelled: u64,
    recent: VecDeque<Seen>,
    last_error: Option<(Nanos, String)>,
}

impl Watched {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            state: Mutex::default(),
            quotas: Mutex::default(),
            bad_port: AtomicBool::new(false),
        }
    }

    /// Whether a URL with a bad port comes for the first time.
    pub(super) fn is_first_bad_port(&self) -> bool {
        !self.bad_port.swap(true, Relaxed)
    }

    /// A call ended.
    pub(super) fn ended(&self, end: &End, duration: Nanos, now: Nanos) {
        let mut state = lock(&self.state);
        state.calls += 1;
        let failed = end.is_the_services_failure();
        match end.outcome {
            Outcome::Timeout => state.timeouts += 1,
            Outcome::Cancelled | Outcome::BodyDropped => state.cancelled += 1,
            _ => {}
        }
        if failed {
            state.errors += 1;
            let error = end.error_type.as_deref().unwrap_or_default();
            state.last_error = Some((now, error.to_owned()));
        }
        if state.recent.len() == RECENT {
            state.recent.pop_front();
        }
        state.recent.push_back(Seen {
            at: now,
            duration,
            failed,
        });
    }

    /// An answer's headers came.
    pub(super) fn answered(&self, calls: &Calls, headers: &http::HeaderMap, now: Nanos) {
        let read = limits::read(headers, UNIX_EPOCH + calls.wall(now));
        if read.rubbish > 0 {
            calls.rubbish(&self.name, read.rubbish);
        }
        if let Some(wait) = read.retry_after {
            lock(&self.quotas).rest_until(now.saturating_add(nanos(wait)));
        }
        if !read.windows.is_empty() {
            self.told(calls, read.windows, now);
        }
    }

    /// A service, or somebody for it, told its windows.
    pub(super) fn told(&self, calls: &Calls, windows: Vec<Window>, now: Nanos) {
        let mut quotas = lock(&self.quotas);
        for window in windows {
            quotas.take(&calls.gauges, &self.name, window, now);
        }
    }

    /// How it does.
    pub(super) fn dependency(&self, now: Nanos) -> Option<Dependency> {
        let (quotas, rests) = {
            let quotas = lock_for_status(&self.quotas)?;
            (quotas.read(now), quotas.rests_for(now))
        };
        let state = lock_for_status(&self.state)?;
        let before = now.saturating_sub(nanos(MAX_AGE));
        let recent: Vec<_> = state
            .recent
            .iter()
            .filter(|seen| seen.at >= before)
            .copied()
            .collect();
        let last_error = state.last_error.as_ref().map(|(at, error)| LastError {
            error: error.clone(),
            age: Duration::from_nanos(now.saturating_sub(*at)),
        });
        let (calls, errors) = (state.calls, state.errors);
        let (timeouts, cancelled) = (state.timeouts, state.cancelled);
        drop(state);
        let mut dependency = Dependency::judged(&self.name, &recent, now, last_error, rests);
        (dependency.calls, dependency.errors) = (calls, errors);
        (dependency.timeouts, dependency.cancelled) = (timeouts, cancelled);
        dependency.limits = quotas;
        Some(dependency)
    }
}
