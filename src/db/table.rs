//! The table of shapes: which statements are told apart, and which give up their place.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::shape::Shape;
use crate::clock::Nanos;

/// Shapes of one monitor that are told apart, and the bytes of their spans' attributes.
const MAX_SHAPES: usize = 1000;
const MAX_SHAPE_BYTES: usize = 1 << 20;
/// Evicted shapes that threads still hold. At the limit, nothing is evicted.
const MAX_RETIRED: usize = 2048;
/// Evictions for one new shape, where the bytes are what is short.
const MAX_EVICTIONS: usize = 8;
/// Candidates for eviction that one pass over the table finds.
const MAX_VICTIMS: usize = 64;

const SECOND: Nanos = 1_000_000_000;
/// Time between two passes over the table, where no eviction needs one earlier.
const PASS_EVERY: Nanos = 60 * SECOND;
/// A shape whose calls are this far apart runs regularly.
const REGULAR_AFTER: Nanos = 60 * SECOND;
/// A shape without a call for so long gives up its place to any other one: an hour, three where it ran regularly.
const IDLE_AFTER: Nanos = 3600 * SECOND;
const REGULAR_IDLE_AFTER: Nanos = 3 * IDLE_AFTER;
/// What a call counts of a shape that runs regularly.
const REGULAR_WEIGHT: u64 = 8;

/// New statements whose sightings are counted, twice, and for how long.
const MAX_SEEN: usize = 2048;
const SEEN_FOR: Nanos = IDLE_AFTER / 2;

/// The shapes that have a place. A full table gives the place of the shape with the fewest calls to a statement that
/// was seen more often than that. So a statement that runs once takes no place, one that comes again takes the place
/// of one that ran once, and a flood of new statements leaves the busy ones alone.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: FxHashMap<u64, Row>,
    bytes: usize,
    seen: Seen,
    /// Found by the last pass: weight, age and number, the lightest last.
    victims: Vec<(u64, u64, u64)>,
    /// Whether a shape came since the last pass.
    changed: bool,
    passed: Nanos,
    inserted: u64,
    /// Evicted shapes that may still count: threads find them in their caches no longer, but queries under way hold
    /// them.
    pub(super) retired: Vec<Arc<Shape>>,
}

#[derive(Debug)]
struct Row {
    shape: Arc<Shape>,
    age: u64,
    /// Calls at the last look, and when they were seen to change.
    calls: u64,
    changed: Nanos,
    regular: bool,
}

/// How often statements without a place were seen: in the current period and in the one before it.
#[derive(Debug, Default)]
struct Seen {
    recent: FxHashMap<u64, u64>,
    before: FxHashMap<u64, u64>,
    since: Nanos,
}

impl Table {
    pub(super) fn get(&self, number: u64) -> Option<&Arc<Shape>> {
        self.rows.get(&number).map(|row| &row.shape)
    }

    pub(super) fn shapes(&self) -> impl Iterator<Item = &Arc<Shape>> {
        self.rows.values().map(|row| &row.shape)
    }

    fn is_full(&self) -> bool {
        self.rows.len() >= MAX_SHAPES || self.bytes >= MAX_SHAPE_BYTES
    }

    /// Makes room for a shape that has no place. Otherwise returns how often its statement was seen.
    pub(super) fn admit(&mut self, number: u64, now: Nanos) -> Result<(), u64> {
        if now.saturating_sub(self.passed) >= PASS_EVERY {
            self.pass(now);
        }
        if !self.is_full() {
            return Ok(());
        }
        let sightings = self.seen.count(number, 1, now);
        for _ in 0..MAX_EVICTIONS {
            if !self.evict(sightings, now) {
                break;
            }
            if !self.is_full() {
                self.seen.forget(number);
                return Ok(());
            }
        }
        Err(sightings)
    }

    pub(super) fn insert(&mut self, shape: &Arc<Shape>, now: Nanos) {
        self.bytes += shape.plain.bytes();
        self.inserted += 1;
        self.changed = true;
        let row = Row {
            shape: Arc::clone(shape),
            age: self.inserted,
            calls: 0,
            changed: now,
            regular: false,
        };
        self.rows.insert(shape.number, row);
    }

    /// Evicts the shape that weighs least, if it weighs less than `limit`.
    fn evict(&mut self, limit: u64, now: Nanos) -> bool {
        if self.retired.len() >= MAX_RETIRED {
            return false;
        }
        if self.evict_known(limit, now) {
            return true;
        }
        // Shapes that came after the last pass may weigh less than those that it found.
        if self.changed || self.victims.is_empty() {
            self.pass(now);
            return self.evict_known(limit, now);
        }
        false
    }

    fn evict_known(&mut self, limit: u64, now: Nanos) -> bool {
        while let Some((_, _, number)) = self.victims.pop_if(|(weight, ..)| *weight < limit) {
            // By now it may be busier, or gone.
            let row = self.rows.get_mut(&number);
            if row.is_none_or(|row| row.weight(now) >= limit) {
                continue;
            }
            if let Some(row) = self.rows.remove(&number) {
                self.bytes = self.bytes.saturating_sub(row.shape.plain.bytes());
                if row.calls > 1 {
                    self.seen.count(number, row.calls, now);
                }
                row.shape.retire();
                self.retired.push(row.shape);
                return true;
            }
        }
        false
    }

    /// Looks at all shapes and finds those that weigh least, of equal ones the oldest.
    fn pass(&mut self, now: Nanos) {
        let rows = self.rows.iter_mut();
        let mut all: Vec<_> = rows
            .map(|(number, row)| (row.weight(now), row.age, *number))
            .collect();
        all.sort_unstable();
        all.truncate(MAX_VICTIMS);
        all.reverse();
        self.victims = all;
        self.changed = false;
        self.passed = now;
    }
}

impl Row {
    /// The calls of a shape, more where it runs regularly; 0 where it is idle.
    fn weight(&mut self, now: Nanos) -> u64 {
        let calls = self.shape.stats.calls();
        let since = now.saturating_sub(self.changed);
        if calls != self.calls {
            self.regular |= since >= REGULAR_AFTER && (self.calls > 0 || calls >= 10);
            (self.calls, self.changed) = (calls, now);
        } else if since >= IDLE_AFTER && (!self.regular || since >= REGULAR_IDLE_AFTER) {
            return 0;
        }
        let each = if self.regular { REGULAR_WEIGHT } else { 1 };
        // Its first query may be under way.
        calls.max(1).saturating_mul(each)
    }
}

impl Seen {
    /// Counts sightings of a statement; returns how many there were.
    fn count(&mut self, number: u64, more: u64, now: Nanos) -> u64 {
        if self.recent.len() >= MAX_SEEN || now.saturating_sub(self.since) >= SEEN_FOR {
            self.before = std::mem::take(&mut self.recent);
            self.since = now;
        }
        let before = self.before.remove(&number).unwrap_or_default();
        let count = self.recent.entry(number).or_default();
        *count = count.saturating_add(before).saturating_add(more);
        *count
    }

    fn forget(&mut self, number: u64) {
        self.recent.remove(&number);
    }
}
