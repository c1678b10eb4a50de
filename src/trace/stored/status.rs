use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::model::DropReason;

/// The state of the stored traces, for health and self-metrics. A record is a kept trace, or spans of it that ended
/// later or were too large for one record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TraceStoreStatus {
    /// The bytes of the files.
    pub(crate) bytes: u64,
    /// Records for the data directory so far.
    pub(crate) emitted: u64,
    /// Records in a file of the data directory, or removed from there to make room.
    pub(crate) stored: u64,
    /// Records that were not stored, by reason.
    pub(crate) dropped: Vec<(DropReason, u64)>,
    /// Stored records that a search found damaged.
    pub(crate) damaged: u64,
    /// Why nothing is stored, if so, and for how long.
    pub(crate) failure: Option<(String, Duration)>,
}

/// The reasons for which records are not stored.
const REASONS: [DropReason; 5] = [
    DropReason::QueueOverflow,
    DropReason::Io,
    DropReason::TooLarge,
    DropReason::Panic,
    DropReason::Shutdown,
];

/// The counters of the stored traces. Each record counts once as emitted, and once as stored or dropped.
#[derive(Debug, Default)]
pub(super) struct StoreCounters {
    emitted: AtomicU64,
    stored: AtomicU64,
    dropped: [AtomicU64; REASONS.len()],
}

impl StoreCounters {
    pub(super) fn emitted(&self) {
        self.emitted.fetch_add(1, Relaxed);
    }

    pub(super) fn stored(&self, records: u64) {
        self.stored.fetch_add(records, Relaxed);
    }

    pub(super) fn dropped(&self, reason: DropReason, records: u64) {
        let counters = REASONS.iter().zip(&self.dropped);
        for (_, counter) in counters.filter(|(of, _)| **of == reason) {
            counter.fetch_add(records, Relaxed);
        }
    }

    /// Adds the counts to a status.
    pub(super) fn add_to(&self, status: &mut TraceStoreStatus) {
        status.emitted = self.emitted.load(Relaxed);
        status.stored = self.stored.load(Relaxed);
        let dropped = REASONS.into_iter().zip(&self.dropped);
        status.dropped = dropped
            .map(|(reason, count)| (reason, count.load(Relaxed)))
            .collect();
    }
}
