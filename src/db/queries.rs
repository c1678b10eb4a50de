use std::hash::BuildHasher as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustc_hash::{FxBuildHasher, FxHashMap};
use tracing::Event;
use tracing::level_filters::LevelFilter;

use super::cache;
use super::common::Common;
use super::events::Told;
use super::pool::Pools;
use super::shape::Shape;
use super::statement::Statement;
use super::stats::QueryStats;
use super::target::Target;
use crate::metrics::Metrics;
use crate::request::Requests;
use crate::trace::Traces;

/// Shapes of one monitor that are told apart, and the bytes of what their spans say.
const MAX_SHAPES: usize = 1000;
const MAX_SHAPE_BYTES: usize = 1 << 20;
/// Targets that are told apart by more than their system.
const MAX_TARGETS: usize = 64;

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
    shapes: FxHashMap<u64, Arc<Shape>>,
    shape_bytes: usize,
    /// Of each target, where there was no room for one of its own.
    others: Vec<Arc<Shape>>,
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
        let mut known = self.lock();
        let shape = match known.shapes.get(&number) {
            Some(shape) => Arc::clone(shape),
            None if known.is_full() => known.other(&self.common, target),
            None => {
                let shape = Arc::new(Shape::new(&self.common, target, number, statement));
                known.shape_bytes += shape.plain.bytes();
                known.shapes.insert(number, Arc::clone(&shape));
                shape
            }
        };
        drop(known);
        cache::keep(text, &shape);
        shape
    }

    /// The level of the events that it wants to hear of, whatever is written as lines.
    pub(crate) const LEVEL: LevelFilter = Told::LEVEL;

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
            let known = self.lock();
            known
                .shapes
                .values()
                .chain(&known.others)
                .cloned()
                .collect()
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
    fn is_full(&self) -> bool {
        self.shapes.len() >= MAX_SHAPES || self.shape_bytes >= MAX_SHAPE_BYTES
    }

    fn target(&mut self, target: Target) -> Arc<Target> {
        if let Some(old) = self.targets.iter().find(|old| ***old == target) {
            return Arc::clone(old);
        }
        let target = Arc::new(target);
        self.targets.push(Arc::clone(&target));
        target
    }

    fn other(&mut self, common: &Arc<Common>, target: &Arc<Target>) -> Arc<Shape> {
        let mut others = self.others.iter();
        if let Some(other) = others.find(|other| Arc::ptr_eq(&other.target, target)) {
            return Arc::clone(other);
        }
        let other = Arc::new(Shape::other(common, target));
        self.others.push(Arc::clone(&other));
        other
    }
}
