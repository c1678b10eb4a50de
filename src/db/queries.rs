use std::hash::BuildHasher as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustc_hash::FxBuildHasher;
use tracing::Event;
use tracing::level_filters::LevelFilter;

use super::cache;
use super::common::Common;
use super::events::Told;
use super::pool::Pools;
use super::shape::Shape;
use super::statement::Statement;
use super::stats::QueryStats;
use super::table::Table;
use super::target::Target;
use crate::clock::Nanos;
use crate::metrics::Metrics;
use crate::model::peek;
use crate::request::Requests;
use crate::trace::Traces;

/// Targets that are told apart by more than their system.
const MAX_TARGETS: usize = 64;
/// How often a statement without a place is read before threads keep it in their caches.
const MIN_SIGHTINGS: u64 = 32;
/// Retired shapes whose counts are moved to [`Known::others`] at once.
const MAX_UNSETTLED: usize = 64;
/// Otherwise they wait for so long.
const SETTLE_EVERY: Nanos = 10_000_000_000;

/// The queries of one monitor.
#[derive(Debug)]
pub(crate) struct Queries {
    pub(super) common: Arc<Common>,
    pub(super) pools: Pools,
    /// By events of SQLx.
    pub(super) told: Told,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    targets: Vec<Arc<Target>>,
    table: Table,
    /// Of each target, the shape of statements that have no place in the table.
    others: Vec<Arc<Shape>>,
    /// The length of the list of retired shapes at which their counts are moved.
    unsettled: usize,
    settled: Nanos,
}

impl Queries {
    pub(crate) fn new(
        metrics: &Metrics,
        requests: &Arc<Requests>,
        traces: Option<&Arc<Traces>>,
    ) -> Self {
        Self {
            common: Arc::new(Common::new(metrics, requests, traces)),
            pools: Pools::new(metrics, requests.clock()),
            told: Told::default(),
            known: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one target that is as this.
    pub(super) fn target(&self, target: Target) -> Arc<Target> {
        let mut known = self.lock();
        if known.targets.len() >= MAX_TARGETS && !known.targets.iter().any(|old| **old == target) {
            // Those that were on the way to one with more names: nobody holds them, and no shape.
            known.targets.retain(|old| Arc::strong_count(old) > 1);
            if known.targets.len() >= MAX_TARGETS {
                let plain = Target::new(target.system);
                return known.target(plain);
            }
        }
        known.target(target)
    }

    /// The shape of a statement.
    #[inline]
    pub(super) fn shape(&self, target: &Arc<Target>, text: &str) -> Arc<Shape> {
        cache::find(target, text).unwrap_or_else(|| self.read(target, text))
    }

    /// The shape of a query whose operation and collection the caller knows.
    pub(super) fn named(
        &self,
        target: &Arc<Target>,
        operation: &str,
        collection: &str,
    ) -> Arc<Shape> {
        // No statement begins with a NUL.
        let key = format!("\0{operation}\0{collection}");
        cache::find(target, &key)
            .unwrap_or_else(|| self.keep(target, &key, Statement::named(operation, collection)))
    }

    #[cold]
    fn read(&self, target: &Arc<Target>, text: &str) -> Arc<Shape> {
        let statement = match target.system.dialect() {
            Some(dialect) => Statement::read(text, dialect),
            None => Statement::command(text),
        };
        self.keep(target, text, statement)
    }

    #[cold]
    fn keep(&self, target: &Arc<Target>, text: &str, statement: Statement) -> Arc<Shape> {
        let number = FxBuildHasher.hash_one((Arc::as_ptr(target) as usize, statement.shape));
        let now = self.common.requests.clock().now();
        let mut known = self.lock();
        if let Some(shape) = known.table.get(number) {
            let shape = Arc::clone(shape);
            drop(known);
            cache::keep(text, &shape);
            return shape;
        }
        let (shape, keeps) = match known.table.admit(number, now) {
            Ok(()) => {
                let shape = Arc::new(Shape::new(&self.common, target, number, statement));
                known.table.insert(&shape, now);
                (shape, true)
            }
            // One that is found in a thread's cache is not seen again. First it gets the chance to take a place.
            Err(sightings) => {
                let other = known.other(&self.common, target);
                (other, sightings >= MIN_SIGHTINGS)
            }
        };
        known.settle_some(&self.common, now);
        drop(known);
        if keeps {
            cache::keep(text, &shape);
        }
        shape
    }

    /// The level of the events that it wants to hear of, whatever is written as lines.
    pub(crate) const LEVEL: LevelFilter = Told::LEVEL;

    /// The target and level of the events of SQLx, if it listens for them, none has come, and no pool is wrapped, whose
    /// queries are recorded without them.
    pub(crate) fn misses_events(&self) -> Option<(&'static str, LevelFilter)> {
        self.told.misses()
    }

    /// From now on it hears of events.
    pub(crate) fn listen(&self) {
        self.told.listen();
    }

    /// Hears of a `tracing` event.
    #[inline]
    pub(crate) fn hear(&self, event: &Event<'_>) {
        self.told.hear(self, event);
    }

    /// What is known of all shapes, those that took longest in all first.
    pub(crate) fn stats(&self) -> Vec<QueryStats> {
        let shapes: Vec<_> = {
            // In a child made by `fork` whose parent was at it, there are none.
            let Some(mut known) = peek(&self.known) else {
                return Vec::new();
            };
            known.settle(&self.common);
            known.table.shapes().chain(&known.others).cloned().collect()
        };
        let routes = self.common.requests.routes();
        let stats = shapes
            .iter()
            .filter_map(|shape| QueryStats::of(shape, routes));
        let mut stats: Vec<_> = stats.collect();
        stats.sort_by_key(|one| std::cmp::Reverse(one.total));
        stats
    }
}

impl Known {
    fn target(&mut self, target: Target) -> Arc<Target> {
        if let Some(old) = self.targets.iter().find(|old| ***old == target) {
            return Arc::clone(old);
        }
        let target = Arc::new(target);
        self.targets.push(Arc::clone(&target));
        target
    }

    /// The shape of a target's statements that have no place. A retired one is replaced, and its counts move.
    fn other(&mut self, common: &Arc<Common>, target: &Arc<Target>) -> Arc<Shape> {
        let mut others = self.others.iter_mut();
        let Some(other) = others.find(|other| Arc::ptr_eq(&other.target, target)) else {
            let other = Arc::new(Shape::other(common, target));
            self.others.push(Arc::clone(&other));
            return other;
        };
        if !other.is_live() {
            let new = Arc::new(Shape::other(common, target));
            let old = std::mem::replace(other, Arc::clone(&new));
            new.stats.absorb(&old.stats);
            self.table.retired.push(old);
            return new;
        }
        Arc::clone(other)
    }

    /// Settles where there is much to settle.
    fn settle_some(&mut self, common: &Arc<Common>, now: Nanos) {
        let is_due = now.saturating_sub(self.settled) >= SETTLE_EVERY;
        let retired = self.table.retired.len();
        if retired >= self.unsettled.max(MAX_UNSETTLED) || is_due && retired > 0 {
            self.settle(common);
            self.settled = now;
        }
    }

    /// Moves what retired shapes counted to the shape of the statements without a place, and forgets those that nobody
    /// holds.
    fn settle(&mut self, common: &Arc<Common>) {
        let mut retired = std::mem::take(&mut self.table.retired);
        retired.retain_mut(|shape| {
            // First: who drops the last other holder counts no more.
            let is_held = Arc::get_mut(shape).is_none();
            if !is_held || shape.stats.calls() > 0 {
                let other = self.other(common, &Arc::clone(&shape.target));
                other.stats.absorb(&shape.stats);
            }
            is_held
        });
        // A shape without a place may have been retired meanwhile.
        retired.append(&mut self.table.retired);
        self.table.retired = retired;
        self.unsettled = self.table.retired.len() * 2;
    }
}
