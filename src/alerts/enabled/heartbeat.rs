use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use super::channels::HttpTarget;
use crate::alerts::AlertsConfig;
use crate::clock::{Nanos, nanos};
use crate::model::Diagnostics;

/// Calls a URL at regular times while the rules are evaluated, so that another service notices if that stops (a dead man's
/// switch).
#[derive(Debug)]
pub(super) struct Heartbeat {
    state: Arc<HeartbeatState>,
    every: Nanos,
    /// When it was last sent, plus one. 0 if it was not.
    last: AtomicU64,
    /// The rounds of the rules at that time.
    rounds: AtomicU64,
}

#[derive(Debug)]
struct HeartbeatState {
    target: HttpTarget,
    is_running: AtomicBool,
    accepted: AtomicU64,
    failed: AtomicU64,
}

impl Heartbeat {
    /// That of the settings, if they name a URL.
    pub(super) fn of_settings(config: &AlertsConfig, diagnostics: &Diagnostics) -> Option<Self> {
        let url = config.heartbeat_url.as_ref()?;
        match HttpTarget::new(url.reveal(), config.internal_receivers) {
            Ok(target) => Some(Self {
                state: Arc::new(HeartbeatState {
                    target,
                    is_running: AtomicBool::new(false),
                    accepted: AtomicU64::new(0),
                    failed: AtomicU64::new(0),
                }),
                every: nanos(config.heartbeat_interval),
                last: AtomicU64::new(0),
                rounds: AtomicU64::new(0),
            }),
            Err(problem) => {
                diagnostics.report(format!("`alerts.heartbeat_url` is not used: {problem}"));
                None
            }
        }
    }

    /// Sends a request if one is due and the rules were evaluated since the last. Must be called on a thread of the worker.
    pub(super) fn tick(&self, now: Nanos, rounds: u64) {
        let last = self.last.load(Relaxed);
        let is_due = last == 0 || now.saturating_sub(last - 1) >= self.every;
        if !is_due || rounds <= self.rounds.load(Relaxed) {
            return;
        }
        if self.state.is_running.swap(true, Relaxed) {
            return;
        }
        self.last.store(now + 1, Relaxed);
        self.rounds.store(rounds, Relaxed);
        let state = Arc::clone(&self.state);
        drop(tokio::spawn(async move {
            let is_accepted = match state.target.get().await {
                Ok(response) => response.status.is_success(),
                Err(_) => false,
            };
            let count = if is_accepted {
                &state.accepted
            } else {
                &state.failed
            };
            count.fetch_add(1, Relaxed);
            state.is_running.store(false, Relaxed);
        }));
    }

    /// How many were accepted, and how many failed.
    pub(super) fn counts(&self) -> (u64, u64) {
        let state = &self.state;
        (state.accepted.load(Relaxed), state.failed.load(Relaxed))
    }
}
