//! What a thread knows of statements that it saw: reading one costs many times as much as finding it.

use std::cell::RefCell;
use std::hash::Hasher;
use std::sync::Arc;

use rustc_hash::FxHasher;

use super::shape::Shape;
use super::target::Target;

/// Statements that a thread remembers; a power of two.
const PLACES: usize = 256;
/// Bytes of all of them together, and of the longest.
const MAX_BYTES: usize = 256 * 1024;
const MAX_TEXT: usize = 16 * 1024;

thread_local! {
    /// Borrowed for a look or a store alone.
    static KNOWN: RefCell<Known> = const { RefCell::new(Known { places: Vec::new(), bytes: 0 }) };
}

/// Statements by their hash; a new one takes the place of an older.
struct Known {
    places: Vec<Option<(Box<str>, Arc<Shape>)>>,
    bytes: usize,
}

/// Where a statement is looked for: by its length and four words of it, spread over its text. The whole is
/// compared with what is found there.
#[inline]
fn place(text: &str) -> usize {
    let bytes = text.as_bytes();
    let word = |at: usize| {
        let word = bytes.get(at..).and_then(<[u8]>::first_chunk);
        word.map_or(0, |word| u64::from_le_bytes(*word))
    };
    let (third, last) = (bytes.len() / 3, bytes.len().saturating_sub(8));
    let mut hasher = FxHasher::default();
    if bytes.len() < 8 {
        hasher.write(bytes);
    }
    for word in [word(0), word(third), word(2 * third), word(last)] {
        hasher.write_u64(word);
    }
    hasher.write_usize(bytes.len());
    hasher.finish() as usize % PLACES
}

/// The shape of a statement that the thread saw, of this target.
#[inline]
pub(super) fn find(target: &Arc<Target>, text: &str) -> Option<Arc<Shape>> {
    if text.len() > MAX_TEXT {
        return None;
    }
    let look = |known: &RefCell<Known>| {
        let known = known.try_borrow().ok()?;
        let (known, shape) = known.places.get(place(text))?.as_ref()?;
        let found = Arc::ptr_eq(&shape.target, target) && **known == *text;
        found.then(|| Arc::clone(shape))
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
    fn keep(&mut self, text: &str, shape: &Arc<Shape>) {
        if self.bytes + text.len() > MAX_BYTES {
            self.places.clear();
            self.bytes = 0;
        }
        if self.places.is_empty() {
            self.places.resize_with(PLACES, || None);
        }
        if let Some(place) = self.places.get_mut(place(text)) {
            let old = place.replace((text.into(), Arc::clone(shape)));
            self.bytes += text.len();
            self.bytes -= old.map_or(0, |(old, _)| old.len());
        }
    }
}
