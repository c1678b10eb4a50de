//! Callsites as numbers, so that a record need not carry names.

use std::cell::RefCell;
use std::sync::{PoisonError, RwLock};

use rustc_hash::FxHashMap;
use tracing::Metadata;

use super::levels::Levels;

/// The callsites of the process, in the order in which they first spoke. There are as many as the source
/// has, so the table is bounded by the program.
static TABLE: RwLock<Vec<&'static Metadata<'static>>> = RwLock::new(Vec::new());

/// What a thread knows of a callsite under one set of levels.
#[derive(Debug, Clone, Copy)]
struct Known {
    number: u32,
    generation: u64,
    wanted: bool,
}

thread_local! {
    static KNOWN: RefCell<FxHashMap<(usize, usize), Known>> = RefCell::default();
}

/// The number of a callsite, if these levels want what it says.
#[inline]
pub(crate) fn wanted(metadata: &'static Metadata<'static>, levels: &Levels) -> Option<u32> {
    let key = (address(metadata), address(levels));
    let generation = levels.generation();
    let known = KNOWN.try_with(|known| known.try_borrow().ok()?.get(&key).copied());
    let known = match known.ok().flatten() {
        Some(known) if known.generation == generation => known,
        other => learn(key, metadata, levels, generation, other),
    };
    known.wanted.then_some(known.number)
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
    let known = Known {
        number,
        generation,
        wanted: levels.record(metadata),
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
        table.len() - 1
    });
    u32::try_from(at).unwrap_or(u32::MAX)
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
