//! What a thread knows of statements that it saw: reading one costs many times as much as finding it.

use std::cell::{Cell, RefCell};
use std::hash::Hasher;
use std::sync::Arc;

use rustc_hash::FxHasher;

use super::shape::Shape;
use super::target::Target;

/// Statements that a thread remembers: a place is a byte.
const PLACES: usize = 256;
/// Bytes of all of them together, and of the longest.
const MAX_BYTES: usize = 256 * 1024;
const MAX_TEXT: usize = 16 * 1024;

thread_local! {
    /// Borrowed for a look or a store alone.
    static KNOWN: RefCell<Known> = const { RefCell::new(Known::new()) };
}

/// Statements by their hash; a new one takes the place of an older.
struct Known {
    places: Vec<Option<(Box<str>, Arc<Shape>)>>,
    bytes: usize,
    /// Where to look first for a text that lies at an address of this hash: a literal always lies at its own, so
    /// that it need not be hashed. It is compared all the same.
    first: [Cell<u8>; PLACES],
}

/// The place of a text, by all of it.
#[inline(never)]
fn place(text: &str) -> u8 {
    let mut hasher = FxHasher::default();
    hasher.write(text.as_bytes());
    hasher.finish() as u8
}

#[inline]
fn hash_of_address(text: &str) -> usize {
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    let address = text.as_ptr().addr() ^ text.len().rotate_left(48);
    (address as u64).wrapping_mul(SPREAD) as usize >> (usize::BITS - PLACES.ilog2())
}

/// The shape of a statement that the thread saw, of this target.
#[inline]
pub(super) fn find(target: &Arc<Target>, text: &str) -> Option<Arc<Shape>> {
    if text.len() > MAX_TEXT {
        return None;
    }
    let look = |known: &RefCell<Known>| {
        let known = known.try_borrow().ok()?;
        let first = known.first.get(hash_of_address(text))?;
        known.at(first.get(), target, text).or_else(|| {
            first.set(place(text));
            known.at(first.get(), target, text)
        })
    };
    KNOWN.try_with(look).ok().flatten()
}

/// Remembers a statement's shape. Where there is no more room, the thread begins anew.
pub(super) fn keep(text: &str, shape: &Arc<Shape>) {
    if text.len() > MAX_TEXT {
        return;
    }
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
            places: Vec::new(),
            bytes: 0,
            first: [const { Cell::new(0) }; PLACES],
        }
    }

    #[inline]
    fn at(&self, place: u8, target: &Arc<Target>, text: &str) -> Option<Arc<Shape>> {
        let (known, shape) = self.places.get(usize::from(place))?.as_ref()?;
        let found = Arc::ptr_eq(&shape.target, target) && **known == *text;
        found.then(|| Arc::clone(shape))
    }

    fn keep(&mut self, text: &str, shape: &Arc<Shape>) {
        if self.bytes + text.len() > MAX_BYTES {
            self.places.clear();
            self.bytes = 0;
        }
        if self.places.is_empty() {
            self.places.resize_with(PLACES, || None);
        }
        if let Some(place) = self.places.get_mut(usize::from(place(text))) {
            let old = place.replace((text.into(), Arc::clone(shape)));
            self.bytes += text.len();
            self.bytes -= old.map_or(0, |(old, _)| old.len());
        }
    }
}
