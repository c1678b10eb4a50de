//! The bounded table of digests: which statements are recorded separately, and which of them are evicted.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::digest::Digest;
use crate::clock::Nanos;

/// Digests of one monitor that are recorded separately, and the bytes of their spans' attributes.
const MAX_DIGESTS: usize = 1000;
const MAX_DIGEST_BYTES: usize = 1 << 20;
/// Retired digests that are still in use. At this limit, no digest is evicted.
const MAX_RETIRED: usize = 2048;
/// Evictions for one new digest. More than one is needed only if bytes are scarce, not entries.
const MAX_EVICTIONS: usize = 8;
/// Candidates for eviction that one scan of the table finds.
const MAX_CANDIDATES: usize = 64;

const SECOND: Nanos = 1_000_000_000;
/// Time between two scans of the table, unless an eviction needs one earlier.
const SCAN_EVERY: Nanos = 60 * SECOND;
/// A digest runs regularly if at least this time passes between its calls.
const REGULAR_AFTER: Nanos = 60 * SECOND;
/// A digest without a call for this long can be replaced by any other one.
const IDLE_AFTER: Nanos = 3600 * SECOND;
/// The same for a digest that ran regularly.
const REGULAR_IDLE_AFTER: Nanos = 3 * IDLE_AFTER;
/// The weight of each call of a digest that runs regularly. Otherwise a call weighs 1.
const REGULAR_WEIGHT: u64 = 8;

/// Statements whose sightings are counted in one period, and the length of a period.
const MAX_SIGHTED: usize = 2048;
const SIGHTING_PERIOD: Nanos = IDLE_AFTER / 2;

/// The digests that are recorded separately. A full table evicts the digest with the lowest weight for a statement that
/// was sighted more often than that. So a statement that runs once evicts nothing, one that runs again replaces one
/// that ran once, and a flood of new statements does not evict the busy ones.
#[derive(Debug, Default)]
pub(super) struct DigestTable {
    entries: FxHashMap<u64, DigestEntry>,
    bytes: usize,
    sightings: SightingCounts,
    /// Found by the last scan, in descending order.
    candidates: Vec<Candidate>,
    /// Whether a digest was inserted since the last scan.
    inserted_since_scan: bool,
    scanned_at: Nanos,
    insertions: u64,
    /// Evicted digests. Threads no longer find them in their caches, but running queries hold them and will count in
    /// them.
    pub(super) retired: Vec<Arc<Digest>>,
}

#[derive(Debug)]
struct DigestEntry {
    digest: Arc<Digest>,
    /// The number of the insertion: lower is older.
    sequence: u64,
    /// Calls at the last scan, and the scan that first saw this number.
    calls: u64,
    changed_at: Nanos,
    is_regular: bool,
}

/// A digest that may be evicted. Ordered by weight, then by age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    weight: u64,
    sequence: u64,
    id: u64,
}

/// How often statements that are not in the table were sighted, in the current period and in the one before it.
#[derive(Debug, Default)]
struct SightingCounts {
    current: FxHashMap<u64, u64>,
    previous: FxHashMap<u64, u64>,
    period_start: Nanos,
}

/// Whether a new digest is admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    Admitted,
    /// The statement was sighted this often.
    Rejected {
        sightings: u64,
    },
}

impl DigestTable {
    pub(super) fn get(&self, id: u64) -> Option<&Arc<Digest>> {
        self.entries.get(&id).map(|entry| &entry.digest)
    }

    pub(super) fn digests(&self) -> impl Iterator<Item = &Arc<Digest>> {
        self.entries.values().map(|entry| &entry.digest)
    }

    fn is_full(&self) -> bool {
        self.entries.len() >= MAX_DIGESTS || self.bytes >= MAX_DIGEST_BYTES
    }

    /// Makes room for a digest that is not in the table, if its statement was sighted often enough.
    pub(super) fn admit(&mut self, id: u64, now: Nanos) -> Admission {
        // Regular scans notice which digests run regularly and which are idle.
        if now.saturating_sub(self.scanned_at) >= SCAN_EVERY {
            self.scan(now);
        }
        if !self.is_full() {
            return Admission::Admitted;
        }
        let sightings = self.sightings.add(id, 1, now);
        for _ in 0..MAX_EVICTIONS {
            if !self.evict(sightings, now) {
                break;
            }
            if !self.is_full() {
                self.sightings.remove(id);
                return Admission::Admitted;
            }
        }
        Admission::Rejected { sightings }
    }

    pub(super) fn insert(&mut self, digest: &Arc<Digest>, now: Nanos) {
        self.bytes += digest.span_template.bytes();
        self.insertions += 1;
        self.inserted_since_scan = true;
        let entry = DigestEntry {
            digest: Arc::clone(digest),
            sequence: self.insertions,
            calls: 0,
            changed_at: now,
            is_regular: false,
        };
        self.entries.insert(digest.id, entry);
    }

    /// Evicts the digest with the lowest weight, if that is below `limit`.
    fn evict(&mut self, limit: u64, now: Nanos) -> bool {
        if self.retired.len() >= MAX_RETIRED {
            return false;
        }
        if self.evict_candidate(limit, now) {
            return true;
        }
        // Digests that were inserted after the last scan may weigh less than its candidates.
        if self.inserted_since_scan || self.candidates.is_empty() {
            self.scan(now);
            return self.evict_candidate(limit, now);
        }
        false
    }

    fn evict_candidate(&mut self, limit: u64, now: Nanos) -> bool {
        while let Some(Candidate { id, .. }) =
            self.candidates.pop_if(|candidate| candidate.weight < limit)
        {
            // Since the scan it may have become busier, or have been evicted.
            let entry = self.entries.get_mut(&id);
            if entry.is_none_or(|entry| entry.weight(now) >= limit) {
                continue;
            }
            if let Some(entry) = self.entries.remove(&id) {
                self.bytes = self
                    .bytes
                    .saturating_sub(entry.digest.span_template.bytes());
                // Its calls count as sightings, so that it can return to the table.
                if entry.calls > 1 {
                    self.sightings.add(id, entry.calls, now);
                }
                entry.digest.retire();
                self.retired.push(entry.digest);
                return true;
            }
        }
        false
    }

    /// Updates the weights of all digests and collects those with the lowest, the oldest first among equals.
    fn scan(&mut self, now: Nanos) {
        let entries = self.entries.iter_mut();
        let mut all: Vec<_> = entries
            .map(|(id, entry)| Candidate {
                weight: entry.weight(now),
                sequence: entry.sequence,
                id: *id,
            })
            .collect();
        all.sort_unstable();
        all.truncate(MAX_CANDIDATES);
        all.reverse();
        self.candidates = all;
        self.inserted_since_scan = false;
        self.scanned_at = now;
    }
}

impl DigestEntry {
    /// The weighted calls of the digest; 0 if it is idle.
    fn weight(&mut self, now: Nanos) -> u64 {
        let calls = self.digest.stats.calls();
        let unchanged_for = now.saturating_sub(self.changed_at);
        if calls != self.calls {
            self.is_regular |= unchanged_for >= REGULAR_AFTER && (self.calls > 0 || calls >= 10);
            (self.calls, self.changed_at) = (calls, now);
        } else if unchanged_for >= IDLE_AFTER
            && (!self.is_regular || unchanged_for >= REGULAR_IDLE_AFTER)
        {
            return 0;
        }
        let weight = if self.is_regular { REGULAR_WEIGHT } else { 1 };
        // The first query of a digest without a call may still be running.
        calls.max(1).saturating_mul(weight)
    }
}

impl SightingCounts {
    /// Counts sightings of a statement. Returns how many there were in both periods.
    fn add(&mut self, id: u64, sightings: u64, now: Nanos) -> u64 {
        if self.current.len() >= MAX_SIGHTED
            || now.saturating_sub(self.period_start) >= SIGHTING_PERIOD
        {
            self.previous = std::mem::take(&mut self.current);
            self.period_start = now;
        }
        let previous = self.previous.remove(&id).unwrap_or_default();
        let count = self.current.entry(id).or_default();
        *count = count.saturating_add(previous).saturating_add(sightings);
        *count
    }

    fn remove(&mut self, id: u64) {
        self.current.remove(&id);
    }
}
