//! A per-thread cache of the callsites that a set of levels enables.

use std::cell::RefCell;

use rustc_hash::FxHashMap;
use tracing::{Event, Metadata};

use super::callsites::number;
use super::log_event;
use crate::model::LevelDirectives;

/// The cached state of a callsite under one set of levels.
#[derive(Debug, Clone, Copy)]
struct CachedCallsite {
    number: u32,
    generation: u64,
    wanted: bool,
    /// Whether the callsite represents records of the `log` crate. Each of them has its own target.
    is_log: bool,
}

thread_local! {
    static KNOWN: RefCell<FxHashMap<(usize, usize), CachedCallsite>> = RefCell::default();
}

/// Returns the number of a callsite, if the levels enable it.
#[inline]
pub(crate) fn wanted(
    metadata: &'static Metadata<'static>,
    levels: &LevelDirectives,
) -> Option<u32> {
    let known = known(metadata, levels);
    known.wanted.then_some(known.number)
}

/// Returns the number of an event's callsite, if the levels enable the event.
#[inline]
pub(crate) fn wanted_event(event: &Event<'_>, levels: &LevelDirectives) -> Option<u32> {
    // In a subscriber with other layers, most events are too verbose for this one.
    if !levels.may_want(*event.metadata().level()) {
        return None;
    }
    let known = known(event.metadata(), levels);
    if known.is_log && !log_event::wanted(event, levels) {
        return None;
    }
    known.wanted.then_some(known.number)
}

#[inline]
fn known(metadata: &'static Metadata<'static>, levels: &LevelDirectives) -> CachedCallsite {
    let key = (address(metadata), address(levels));
    let generation = levels.generation();
    let known = KNOWN.try_with(|known| known.try_borrow().ok()?.get(&key).copied());
    match known.ok().flatten() {
        Some(known) if known.generation == generation => known,
        other => learn(key, metadata, levels, generation, other),
    }
}

#[cold]
fn learn(
    key: (usize, usize),
    metadata: &'static Metadata<'static>,
    levels: &LevelDirectives,
    generation: u64,
    before: Option<CachedCallsite>,
) -> CachedCallsite {
    let number = before.map_or_else(|| number(metadata), |known| known.number);
    let is_log = log_event::is_log(metadata);
    let known = CachedCallsite {
        number,
        generation,
        wanted: is_log || levels.record(metadata),
        is_log,
    };
    // A thread that is ending has no cache.
    let _forgotten = KNOWN.try_with(|all| {
        if let Ok(mut all) = all.try_borrow_mut() {
            all.insert(key, known);
        }
    });
    known
}

fn address<T>(of: &T) -> usize {
    std::ptr::from_ref(of).addr()
}
