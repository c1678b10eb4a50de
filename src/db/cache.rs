//! Each thread's cache of the statements that it has seen. Reading a statement costs many times as much as finding it
//! here.

use std::cell::{Cell, RefCell};
use std::hash::Hasher;
use std::sync::Arc;

use rustc_hash::FxHasher;

use super::digest::Digest;
use super::retirements;
use super::target::DatabaseTarget;
use crate::model::Cache;

/// Slots of a thread's cache, of 32 bytes each. Up to about two thousand statements, all are found again.
const MAX_PLACES: usize = 4096;
/// Bytes of all texts in a thread's cache. A text longer than a sixteenth of this is not cached.
const MAX_BYTES: usize = 256 * 1024;

thread_local! {
    /// Borrowed for one look-up or one insertion, during which no other code runs.
    static CACHE: RefCell<StatementCache> = const { RefCell::new(StatementCache::new()) };
}

/// Statements by the hash of their text.
struct StatementCache {
    statements: Cache<CacheEntry>,
    /// The slot where the text at an address of this hash was found last. A literal of the program has one address, so
    /// that its text need not be hashed; it is still compared.
    hints: Vec<Cell<u16>>,
    /// [`retirements::total`] when the thread last dropped retired digests.
    swept_at: u64,
}

type CacheEntry = (Box<str>, Arc<Digest>);

/// The digest of a statement that was not in the cache.
pub(super) struct Resolved {
    pub(super) digest: Arc<Digest>,
    /// Whether the thread keeps it in its cache.
    pub(super) is_cacheable: bool,
}

/// Returns a statement's digest from the thread's cache, or calls `resolve` and caches its result.
#[inline]
pub(super) fn get_or_resolve(
    target: &Arc<DatabaseTarget>,
    text: &str,
    resolve: impl FnOnce() -> Resolved,
) -> Arc<Digest> {
    let find = |cache: &RefCell<StatementCache>| cache.try_borrow().ok()?.find(target, text);
    match CACHE.try_with(find).ok().flatten() {
        Some(digest) => digest,
        None => resolve_and_insert(text, resolve),
    }
}

#[cold]
fn resolve_and_insert(text: &str, resolve: impl FnOnce() -> Resolved) -> Arc<Digest> {
    // Outside the borrow: `resolve` locks the registry.
    let Resolved {
        digest,
        is_cacheable,
    } = resolve();
    if is_cacheable {
        // A thread that is ending no longer has a cache.
        let _inserted = CACHE.try_with(|cache| {
            if let Ok(mut cache) = cache.try_borrow_mut() {
                cache.insert(text, &digest);
            }
        });
    }
    digest
}

#[inline(never)]
fn hash(text: &str) -> u32 {
    let mut hasher = FxHasher::default();
    hasher.write(text.as_bytes());
    hasher.finish() as u32
}

impl StatementCache {
    const fn new() -> Self {
        Self {
            statements: Cache::new(MAX_PLACES, MAX_BYTES),
            hints: Vec::new(),
            swept_at: 0,
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
    fn find(&self, target: &Arc<DatabaseTarget>, text: &str) -> Option<Arc<Digest>> {
        let matches = |(cached, digest): &CacheEntry| digest.is_for(target) && **cached == *text;
        let hint = self.hint(text)?;
        if let Some(entry) = self.statements.at(hint.get().into())
            && matches(entry)
        {
            return Some(Arc::clone(&entry.1));
        }
        if text.len() > self.statements.max_size() {
            return None;
        }
        let (place, entry) = self.statements.find(hash(text), matches)?;
        hint.set(place as u16);
        Some(Arc::clone(&entry.1))
    }

    fn insert(&mut self, text: &str, digest: &Arc<Digest>) {
        if text.len() > self.statements.max_size() {
            return;
        }
        let retired = retirements::total();
        if retired.wrapping_sub(self.swept_at) >= retirements::SWEEP_AFTER {
            self.swept_at = retired;
            self.statements.retain(|(_, digest)| digest.is_live());
        }
        let entry = (text.into(), Arc::clone(digest));
        self.statements.insert(hash(text), text.len(), entry);
        if self.hints.len() != self.statements.capacity() {
            self.hints = vec![Cell::new(0); self.statements.capacity()];
        }
    }
}
