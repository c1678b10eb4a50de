use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// A trace may hold so many times what is still free: many large ones leave room for small ones.
const OF_FREE: usize = 16;

/// How many bytes the undecided traces of one monitor hold together, and how many they may.
#[derive(Debug)]
pub(crate) struct TraceMemory {
    held: AtomicUsize,
    max: usize,
    /// Spans for which there was none.
    pub(super) lost: AtomicU64,
}

impl TraceMemory {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            held: AtomicUsize::new(0),
            max,
            lost: AtomicU64::new(0),
        }
    }

    pub(super) fn give_back(&self, bytes: usize) {
        self.held.fetch_sub(bytes, Relaxed);
    }

    /// Takes room for so many bytes of a trace, which then holds `own` of them.
    pub(super) fn take(&self, bytes: usize, own: usize) -> bool {
        let held = self.held.fetch_add(bytes, Relaxed).saturating_add(bytes);
        let free = self.max.checked_sub(held);
        let fits = free.is_some_and(|free| own <= free.saturating_mul(OF_FREE) || own == bytes);
        if !fits {
            self.give_back(bytes);
        }
        fits
    }

    /// Bytes that undecided traces hold now.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Relaxed)
    }

    /// Spans that were left out because there was no room for them.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }
}
