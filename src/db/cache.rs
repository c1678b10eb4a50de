//! What a thread knows of statements that it saw: reading one costs many times as much as finding it.

use std::cell::{Cell, RefCell};
use std::hash::Hasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rustc_hash::FxHasher;

use super::shape::Shape;
use super::target::Target;
use crate::model::Cache;

/// Places for a thread's statements, of 32 bytes each; some two thousand statements are all found again.
const MAX_PLACES: usize = 4096;
/// Bytes of all their texts together. One of more than a sixteenth of it is read each time.
const MAX_BYTES: usize = 256 * 1024;

/// Retired shapes after which a thread drops those that it still has.
const MAX_RETIRED: u64 = 32;
/// Shapes of all monitors that were retired.
static RETIRED: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Borrowed for a look or a store alone.
    static KNOWN: RefCell<Known> = const { RefCell::new(Known::new()) };
}

/// Statements by the hash of their text.
struct Known {
    statements: Cache<Entry>,
    /// The place where the text at an address of this hash was found last: a literal always lies at its own address, so
    /// that it need not be hashed. It is compared all the same.
    hints: Vec<Cell<u16>>,
    /// [`RETIRED`] when the thread last dropped such shapes.
    retired: u64,
}

type Entry = (Box<str>, Arc<Shape>);

#[inline(never)]
fn hash(text: &str) -> u32 {
    let mut hasher = FxHasher::default();
    hasher.write(text.as_bytes());
    hasher.finish() as u32
}

/// The shape of a statement that the thread saw, of this target.
#[inline]
pub(super) fn find(target: &Arc<Target>, text: &str) -> Option<Arc<Shape>> {
    let look = |known: &RefCell<Known>| known.try_borrow().ok()?.find(target, text);
    KNOWN.try_with(look).ok().flatten()
}

/// A shape was retired, which `many` statements may have.
pub(super) fn retired(many: bool) {
    RETIRED.fetch_add(if many { MAX_RETIRED } else { 1 }, Relaxed);
}

/// Remembers a statement's shape.
pub(super) fn keep(text: &str, shape: &Arc<Shape>) {
    // Where the thread is ending, nothing is kept.
    let _kept = KNOWN.try_with(|known| {
        if let Ok(mut known) = known.try_borrow_mut() {
            known.keep(text, shape);
        }
    });
}

impl Known {
    const fn new() -> Self {
        Self {
            statements: Cache::new(MAX_PLACES, MAX_BYTES),
            hints: Vec::new(),
            retired: 0,
        }
    }

    #[inline]
    fn hint(&self, text: &str) -> Option<&Cell<u16>> {
        const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
        let address = text.as_ptr().addr() ^ text.len().rotate_left(48);
        let hash = (address as u64).wrapping_mul(SPREAD) >> (u64::BITS - MAX_PLACES.ilog2());
        self.hints
            .get(hash as usize & self.hints.len().wrapping_sub(1))
    }

    #[inline]
    fn find(&self, target: &Arc<Target>, text: &str) -> Option<Arc<Shape>> {
        let is = |(known, shape): &Entry| shape.is_for(target) && **known == *text;
        let hint = self.hint(text)?;
        if let Some(entry) = self.statements.at(hint.get().into())
            && is(entry)
        {
            return Some(Arc::clone(&entry.1));
        }
        if text.len() > self.statements.max_size() {
            return None;
        }
        let (place, entry) = self.statements.find(hash(text), is)?;
        hint.set(place as u16);
        Some(Arc::clone(&entry.1))
    }

    fn keep(&mut self, text: &str, shape: &Arc<Shape>) {
        if text.len() > self.statements.max_size() {
            return;
        }
        let retired = RETIRED.load(Relaxed);
        if retired.wrapping_sub(self.retired) >= MAX_RETIRED {
            self.retired = retired;
            self.statements.retain(|(_, shape)| shape.is_live());
        }
        let entry = (text.into(), Arc::clone(shape));
        self.statements.insert(hash(text), text.len(), entry);
        if self.hints.len() != self.statements.capacity() {
            self.hints = vec![Cell::new(0); self.statements.capacity()];
        }
    }
}
