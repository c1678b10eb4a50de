use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// The maximum size of a trace, as a multiple of the memory that is still free. So many large traces leave room for
/// small ones.
const OF_FREE: usize = 16;

/// The memory of one monitor's undecided traces: the bytes in use and their limit.
#[derive(Debug)]
pub(crate) struct TraceMemory {
    held: AtomicUsize,
    max: usize,
    /// The number of spans for which there was no room.
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

    /// Reserves bytes for a trace, which then holds `own` bytes in total. Returns whether there is room.
    pub(super) fn take(&self, bytes: usize, own: usize) -> bool {
        // Reserved first and given back if it does not fit: a check before the reservation would let several threads
        // exceed the limit together. Meanwhile another thread may find too little room, and decide its trace early.
        let held = self.held.fetch_add(bytes, Relaxed).saturating_add(bytes);
        let free = self.max.checked_sub(held);
        // The first bytes of a trace only need to fit into the rest, so that every trace can begin.
        let fits = free.is_some_and(|free| own <= free.saturating_mul(OF_FREE) || own == bytes);
        if !fits {
            self.give_back(bytes);
        }
        fits
    }

    /// Returns the number of bytes that undecided traces hold now.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Relaxed)
    }

    /// Returns the number of spans that were dropped for lack of room.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }
}
