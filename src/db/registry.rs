//! All targets and digests of one monitor, under one lock.

use std::hash::BuildHasher as _;
use std::sync::Arc;

use rustc_hash::FxBuildHasher;

use super::cache::Resolved;
use super::digest::Digest;
use super::instruments::QueryInstruments;
use super::statement::NormalizedStatement;
use super::table::{Admission, DigestTable};
use super::target::DatabaseTarget;
use crate::clock::Nanos;

/// Targets that are distinguished by more than their system.
const MAX_TARGETS: usize = 64;
/// Sightings after which threads cache a statement that is not in the table.
const MIN_SIGHTINGS: u64 = 32;
/// Retired digests whose counts are moved to [`DigestRegistry::others`] together.
const MAX_UNSETTLED: usize = 64;
/// Time after which fewer retired digests are settled.
const SETTLE_EVERY: Nanos = 10_000_000_000;

/// The targets and digests of one monitor.
#[derive(Debug, Default)]
pub(super) struct DigestRegistry {
    targets: Vec<Arc<DatabaseTarget>>,
    table: DigestTable,
    /// For each target, the digest of the statements that are not in the table.
    others: Vec<Arc<Digest>>,
    /// The number of retired digests at which their counts are moved.
    settle_at_length: usize,
    settled_at: Nanos,
}

impl DigestRegistry {
    /// Returns the target that equals `target`. Beyond the limit, all targets of a system share one.
    pub(super) fn target(&mut self, target: DatabaseTarget) -> Arc<DatabaseTarget> {
        if self.targets.len() >= MAX_TARGETS && !self.targets.iter().any(|old| **old == target) {
            // A builder makes a target with each setter. Nothing holds the intermediate ones.
            self.targets.retain(|old| Arc::strong_count(old) > 1);
            if self.targets.len() >= MAX_TARGETS {
                return self.get_or_insert_target(DatabaseTarget::new(target.system));
            }
        }
        self.get_or_insert_target(target)
    }

    fn get_or_insert_target(&mut self, target: DatabaseTarget) -> Arc<DatabaseTarget> {
        if let Some(old) = self.targets.iter().find(|old| ***old == target) {
            return Arc::clone(old);
        }
        let target = Arc::new(target);
        self.targets.push(Arc::clone(&target));
        target
    }

    /// Returns the digest of a statement: the one in the table, a new one, or the target's `_other`.
    pub(super) fn resolve(
        &mut self,
        instruments: &Arc<QueryInstruments>,
        target: &Arc<DatabaseTarget>,
        statement: NormalizedStatement,
    ) -> Resolved {
        let id = FxBuildHasher.hash_one((Arc::as_ptr(target) as usize, statement.digest));
        if let Some(digest) = self.table.get(id) {
            return Resolved {
                digest: Arc::clone(digest),
                is_cacheable: true,
            };
        }
        let now = instruments.requests.clock().now();
        let resolved = match self.table.admit(id, now) {
            Admission::Admitted => {
                let digest = Arc::new(Digest::new(instruments, target, id, statement));
                self.table.insert(&digest, now);
                Resolved {
                    digest,
                    is_cacheable: true,
                }
            }
            // A cached statement is not sighted again. So it is not cached before it had a chance to enter the table.
            Admission::Rejected { sightings } => Resolved {
                digest: self.other(instruments, target),
                is_cacheable: sightings >= MIN_SIGHTINGS,
            },
        };
        self.settle_if_due(instruments, now);
        resolved
    }

    /// All digests, with the counts of retired ones settled.
    pub(super) fn digests(&mut self, instruments: &Arc<QueryInstruments>) -> Vec<Arc<Digest>> {
        self.settle(instruments);
        self.table.digests().chain(&self.others).cloned().collect()
    }

    /// The digest of a target's statements that are not in the table. A retired one is replaced, and its counts move.
    fn other(
        &mut self,
        instruments: &Arc<QueryInstruments>,
        target: &Arc<DatabaseTarget>,
    ) -> Arc<Digest> {
        let mut others = self.others.iter_mut();
        let Some(other) = others.find(|other| Arc::ptr_eq(&other.target, target)) else {
            let other = Arc::new(Digest::other(instruments, target));
            self.others.push(Arc::clone(&other));
            return other;
        };
        if !other.is_live() {
            let new = Arc::new(Digest::other(instruments, target));
            let old = std::mem::replace(other, Arc::clone(&new));
            new.stats.absorb(&old.stats);
            self.table.retired.push(old);
            return new;
        }
        Arc::clone(other)
    }

    /// Settles if there are many retired digests, or if the last time is long ago.
    fn settle_if_due(&mut self, instruments: &Arc<QueryInstruments>, now: Nanos) {
        let is_due = now.saturating_sub(self.settled_at) >= SETTLE_EVERY;
        let retired = self.table.retired.len();
        if retired >= self.settle_at_length.max(MAX_UNSETTLED) || is_due && retired > 0 {
            self.settle(instruments);
            self.settled_at = now;
        }
    }

    /// Moves the counts of retired digests to their target's `_other`, and drops those that no query holds.
    fn settle(&mut self, instruments: &Arc<QueryInstruments>) {
        let mut retired = std::mem::take(&mut self.table.retired);
        retired.retain_mut(|digest| {
            // Checked before the counts are read: the counts of a digest that only this list holds no longer change.
            let is_held = Arc::get_mut(digest).is_none();
            if !is_held || digest.stats.calls() > 0 {
                let other = self.other(instruments, &Arc::clone(&digest.target));
                other.stats.absorb(&digest.stats);
            }
            is_held
        });
        // `other` may have retired one meanwhile.
        retired.append(&mut self.table.retired);
        self.table.retired = retired;
        // At least half of the list must be new before it is walked again.
        self.settle_at_length = self.table.retired.len() * 2;
    }
}
