use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::clock::Nanos;
use crate::model::TraceId;
use crate::model::lock_for_status;

/// A bucket takes a new exemplar this often.
const INTERVAL: Nanos = 1_000_000_000;

/// One value and the trace that it came from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Exemplar {
    pub(super) value: f64,
    pub(super) trace: TraceId,
    /// Nanoseconds since the Unix epoch.
    pub(super) wall: u64,
}

/// The exemplar of one bucket.
#[derive(Debug, Default)]
pub(super) struct ExemplarSlot {
    /// When the next one is taken.
    due: AtomicU64,
    kept: Mutex<Option<Exemplar>>,
}

impl ExemplarSlot {
    #[inline]
    pub(super) fn is_due(&self, at: Nanos) -> bool {
        at >= self.due.load(Relaxed)
    }

    /// Never waits: if another thread is at it, that one's exemplar is as good.
    #[cold]
    pub(super) fn keep(&self, value: f64, trace: TraceId, at: Nanos, wall: u64) {
        if let Ok(mut kept) = self.kept.try_lock() {
            self.due.store(at.saturating_add(INTERVAL), Relaxed);
            *kept = Some(Exemplar { value, trace, wall });
        }
    }

    pub(super) fn kept(&self) -> Option<Exemplar> {
        lock_for_status(&self.kept).and_then(|kept| *kept)
    }
}
