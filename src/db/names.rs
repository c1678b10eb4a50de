//! Which summaries label series of their own.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustc_hash::FxHashMap;

use super::shape::Shape;
use crate::clock::Nanos;

/// Summaries of all targets that have series of their own. A statement gets a new one where there are fewer than this
/// with so many calls; the calls before count in the series of `_other`.
const ROOM: [(u64, usize); 4] = [(8, 1000), (3, 850), (2, 700), (0, 500)];
const SWEEP_EVERY: Nanos = 1_000_000_000;

/// The summaries that label series. A name stays taken until its series, which nobody uses any more, has left the page:
/// so statements that come and go do not fill the metric.
#[derive(Debug)]
pub(super) struct Names {
    taken: Mutex<Taken>,
    /// How long a series stays on the page that nobody uses.
    idle_after: Nanos,
}

#[derive(Debug, Default)]
struct Taken {
    names: FxHashMap<u64, Name>,
    swept: Nanos,
}

/// How many shapes use a name, and when the last one gave it up.
#[derive(Debug, Default)]
struct Name {
    shapes: u32,
    since: Nanos,
}

impl Names {
    pub(super) fn new(idle_after: Nanos) -> Self {
        Self {
            taken: Mutex::default(),
            idle_after,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a name for a shape, whose `named` tells whether it has it.
    pub(super) fn take(&self, name: u64, shape: &Shape, named: &AtomicBool, now: Nanos) -> bool {
        let mut taken = self.lock();
        if named.load(Relaxed) {
            return true;
        }
        if !shape.is_live() {
            return false;
        }
        if !taken.names.contains_key(&name) {
            let calls = shape.stats.calls();
            let room = ROOM.into_iter().find(|(from, _)| calls >= *from);
            let max = room.map_or(0, |(_, max)| max);
            if taken.names.len() >= max && now.saturating_sub(taken.swept) >= SWEEP_EVERY {
                taken.swept = now;
                let idle = |name: &Name| now.saturating_sub(name.since) >= self.idle_after;
                taken.names.retain(|_, name| name.shapes > 0 || !idle(name));
            }
            if taken.names.len() >= max {
                return false;
            }
        }
        taken.names.entry(name).or_default().shapes += 1;
        named.store(true, Relaxed);
        true
    }

    /// Gives a shape's name up, if it has it. Its shape is live no longer.
    pub(super) fn give_up(&self, name: u64, named: &AtomicBool, now: Nanos) {
        let mut taken = self.lock();
        if named.swap(false, Relaxed)
            && let Some(name) = taken.names.get_mut(&name)
        {
            name.shapes = name.shapes.saturating_sub(1);
            name.since = now;
        }
    }
}
