//! The recently kept traces, for ended spans whose trace is known by its ID alone.

use std::collections::VecDeque;
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::clock::{Nanos, nanos};
use crate::model::{KeepReason, Sampling, TraceId};

/// The time for which a decision is remembered.
const REMEMBERED: Duration = Duration::from_secs(30);
/// The maximum number of decisions that are remembered.
const MAX_REMEMBERED: usize = 100_000;

/// A kept trace.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeptTraceInfo {
    pub(super) trace: TraceId,
    pub(super) reason: KeepReason,
    /// The sampling decision at the start of the trace.
    pub(super) sampling: Sampling,
}

/// The kept traces of the last 30 seconds.
#[derive(Debug, Default)]
pub(super) struct RecentDecisions {
    kept: FxHashMap<TraceId, (KeepReason, Sampling)>,
    /// The traces in order of age, the oldest first.
    order: VecDeque<(Nanos, TraceId)>,
}

impl RecentDecisions {
    /// Returns the decision on a trace, if the trace was kept.
    pub(super) fn get(&self, trace: TraceId) -> Option<KeptTraceInfo> {
        let (reason, sampling) = *self.kept.get(&trace)?;
        Some(KeptTraceInfo {
            trace,
            reason,
            sampling,
        })
    }

    /// Adds a kept trace, and removes traces that are too old or exceed the maximum number.
    pub(super) fn insert(&mut self, kept: KeptTraceInfo, now: Nanos) {
        let decision = (kept.reason, kept.sampling);
        if self.kept.insert(kept.trace, decision).is_none() {
            self.order.push_back((now, kept.trace));
        }
        let oldest = now.saturating_sub(nanos(REMEMBERED));
        while let Some((at, trace)) = self.order.front().copied()
            && (at < oldest || self.order.len() > MAX_REMEMBERED)
        {
            self.order.pop_front();
            self.kept.remove(&trace);
        }
    }
}
