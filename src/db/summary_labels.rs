//! The budget of summaries that label series of their own.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use rustc_hash::FxHashMap;

use crate::clock::Nanos;
use crate::model::lock;

/// Calls that a digest needs for a new label, and how many labels there may be by then. The calls before count in the
/// series of `_other`.
const BUDGET: [(u64, usize); 4] = [(8, 1000), (3, 850), (2, 700), (0, 500)];
const SWEEP_EVERY: Nanos = 1_000_000_000;

/// The summaries that label series. A label stays in the table until its series, which no digest uses any more, has
/// left the metrics page. So short-lived statements do not fill the metric.
#[derive(Debug)]
pub(super) struct SummaryLabels {
    table: Mutex<LabelTable>,
    /// How long an unused series stays on the metrics page.
    idle_after: Nanos,
}

#[derive(Debug, Default)]
struct LabelTable {
    labels: FxHashMap<u64, LabelUsage>,
    swept_at: Nanos,
}

/// The number of digests that use a label, and when the last one released it.
#[derive(Debug, Default)]
struct LabelUsage {
    digests: u32,
    released_at: Nanos,
}

/// A digest's claim on the label of its summary. The state changes only under the lock of the table.
#[derive(Debug)]
pub(super) struct LabelClaim {
    /// The hash of the label set.
    key: u64,
    state: AtomicU8,
}

const UNCLAIMED: u8 = 0;
const HELD: u8 = 1;
/// Final: a retired digest gets no label.
const RELEASED: u8 = 2;

impl LabelClaim {
    pub(super) fn new(key: u64) -> Self {
        Self {
            key,
            state: AtomicU8::new(UNCLAIMED),
        }
    }

    pub(super) fn is_held(&self) -> bool {
        self.state.load(Relaxed) == HELD
    }
}

impl SummaryLabels {
    pub(super) fn new(idle_after: Nanos) -> Self {
        Self {
            table: Mutex::default(),
            idle_after,
        }
    }

    /// Claims the label for a digest with this many calls. Returns whether the digest holds it.
    pub(super) fn acquire(&self, claim: &LabelClaim, calls: u64, now: Nanos) -> bool {
        let mut table = lock(&self.table);
        // Another thread may have acquired or released it before this one had the lock.
        match claim.state.load(Relaxed) {
            UNCLAIMED => {}
            state => return state == HELD,
        }
        if !table.labels.contains_key(&claim.key) && !table.has_room(calls, self.idle_after, now) {
            return false;
        }
        table.labels.entry(claim.key).or_default().digests += 1;
        claim.state.store(HELD, Relaxed);
        true
    }

    /// Releases the label of a digest that is retired.
    pub(super) fn release(&self, claim: &LabelClaim, now: Nanos) {
        let mut table = lock(&self.table);
        if claim.state.swap(RELEASED, Relaxed) == HELD
            && let Some(usage) = table.labels.get_mut(&claim.key)
        {
            usage.digests = usage.digests.saturating_sub(1);
            usage.released_at = now;
        }
    }
}

impl LabelTable {
    /// Whether a digest with this many calls may add a label. Drops labels whose series has left the page.
    fn has_room(&mut self, calls: u64, idle_after: Nanos, now: Nanos) -> bool {
        let limit = BUDGET.into_iter().find(|(from, _)| calls >= *from);
        let max = limit.map_or(0, |(_, max)| max);
        if self.labels.len() >= max && now.saturating_sub(self.swept_at) >= SWEEP_EVERY {
            self.swept_at = now;
            let is_idle = |usage: &LabelUsage| now.saturating_sub(usage.released_at) >= idle_after;
            self.labels
                .retain(|_, usage| usage.digests > 0 || !is_idle(usage));
        }
        self.labels.len() < max
    }
}
