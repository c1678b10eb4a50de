//! Callsites as numbers, so that a record need not carry names.

use std::cell::RefCell;
use std::hash::BuildHasher;
use std::sync::{PoisonError, RwLock};

use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};
use tracing::{Event, Metadata};

use super::levels::Levels;
use super::log_event;

/// The callsites of the process, in the order in which they first spoke. There are as many as the source
/// has, so the table is bounded by the program.
static TABLE: RwLock<Vec<&'static Metadata<'static>>> = RwLock::new(Vec::new());

/// Where they stand: a hash of the file's name, and the line.
static PLACES: RwLock<FxHashSet<(u64, u64)>> = RwLock::new(FxHashSet::with_hasher(FxBuildHasher));

/// What a thread knows of a callsite under one set of levels.
#[derive(Debug, Clone, Copy)]
struct Known {
    number: u32,
    generation: u64,
    wanted: bool,
    /// Whether it stands for records of the `log` crate, each of which has a target of its own.
    is_log: bool,
}

thread_local! {
    static KNOWN: RefCell<FxHashMap<(usize, usize), Known>> = RefCell::default();
}

/// The number of a callsite, if these levels want what it says.
#[inline]
pub(crate) fn wanted(metadata: &'static Metadata<'static>, levels: &Levels) -> Option<u32> {
    let known = known(metadata, levels);
    known.wanted.then_some(known.number)
}

/// The number of an event's callsite, if these levels want the event.
#[inline]
pub(crate) fn wanted_event(event: &Event<'_>, levels: &Levels) -> Option<u32> {
    // Most of what reaches a layer beside others is too verbose for this one.
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
fn known(metadata: &'static Metadata<'static>, levels: &Levels) -> Known {
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
    levels: &Levels,
    generation: u64,
    before: Option<Known>,
) -> Known {
    let number = before.map_or_else(|| number(metadata), |known| known.number);
    let is_log = log_event::is_log(metadata);
    let known = Known {
        number,
        generation,
        wanted: is_log || levels.record(metadata),
        is_log,
    };
    // A thread that is ending does not remember.
    let _forgotten = KNOWN.try_with(|all| {
        if let Ok(mut all) = all.try_borrow_mut() {
            all.insert(key, known);
        }
    });
    known
}

fn number(metadata: &'static Metadata<'static>) -> u32 {
    let mut table = TABLE.write().unwrap_or_else(PoisonError::into_inner);
    let same = |have: &&Metadata<'_>| std::ptr::eq::<Metadata<'_>>(*have, metadata);
    let at = table.iter().position(same).unwrap_or_else(|| {
        table.push(metadata);
        if let (Some(file), Some(line)) = (metadata.file(), metadata.line()) {
            let mut places = PLACES.write().unwrap_or_else(PoisonError::into_inner);
            places.insert((hash_of_file(file), line.into()));
        }
        table.len() - 1
    });
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// Whether a callsite that has spoken stands at this place.
pub(super) fn contains(file: u64, line: u64) -> bool {
    let places = PLACES.read().unwrap_or_else(PoisonError::into_inner);
    places.contains(&(file, line))
}

pub(super) fn hash_of_file(file: &str) -> u64 {
    FxBuildHasher.hash_one(file)
}

/// The callsite of a number.
pub(crate) fn metadata(number: u32) -> Option<&'static Metadata<'static>> {
    TABLE
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .get(number as usize)
        .copied()
}

fn address<T>(of: &T) -> usize {
    std::ptr::from_ref(of).addr()
}
