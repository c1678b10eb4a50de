use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::clock::Nanos;
use crate::model::{TraceId, lock_for_status};

/// The minimum time between two exemplars of one bucket.
const INTERVAL: Nanos = 1_000_000_000;

/// A recorded value and the trace that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Exemplar {
    pub(crate) value: f64,
    pub(crate) trace: TraceId,
    /// Nanoseconds since the Unix epoch.
    pub(crate) wall: u64,
}

/// The exemplar of one bucket.
#[derive(Debug, Default)]
pub(super) struct ExemplarSlot {
    /// When the next exemplar is accepted.
    due: AtomicU64,
    exemplar: Mutex<Option<Exemplar>>,
}

impl ExemplarSlot {
    #[inline]
    pub(super) fn is_due(&self, at: Nanos) -> bool {
        at >= self.due.load(Relaxed)
    }

    /// Stores an exemplar. Never waits: if another thread is storing one, that one is kept instead.
    #[cold]
    pub(super) fn store(&self, value: f64, trace: TraceId, at: Nanos, wall: u64) {
        if let Ok(mut exemplar) = self.exemplar.try_lock() {
            self.due.store(at.saturating_add(INTERVAL), Relaxed);
            *exemplar = Some(Exemplar { value, trace, wall });
        }
    }

    pub(super) fn load(&self) -> Option<Exemplar> {
        lock_for_status(&self.exemplar).and_then(|exemplar| *exemplar)
    }
}
