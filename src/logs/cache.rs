//! A cache of rendered fragments of log lines.

use std::collections::hash_map::Entry;
use std::hash::Hasher;

use rustc_hash::{FxHashMap, FxHasher};

/// The maximum number of bytes of a key, and of a fragment. Longer ones are not cached.
const MAX_KEY: usize = 512;
const MAX_FRAGMENT: usize = 4096;

/// Fragments as they were rendered the first time, each under a number and a text. When they take more bytes than
/// allowed, all of them are removed.
#[derive(Debug)]
pub(super) struct RenderCache {
    /// By the hash of the key. If keys share a hash, the later one is kept.
    fragments: FxHashMap<u64, CachedFragment>,
    bytes: usize,
    max_bytes: usize,
}

#[derive(Debug)]
struct CachedFragment {
    number: u64,
    key: Box<[u8]>,
    bytes: Box<[u8]>,
    /// Where the second half begins.
    split: usize,
}

impl CachedFragment {
    fn cost(&self) -> usize {
        size_of::<(u64, Self)>() + self.key.len() + self.bytes.len()
    }
}

impl RenderCache {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self {
            fragments: FxHashMap::default(),
            bytes: 0,
            max_bytes,
        }
    }

    /// The two halves of the fragment that `render` wrote for this key, now or earlier. `render` returns where the
    /// second half begins. `None` if key or fragment is too long.
    #[inline]
    pub(super) fn get(
        &mut self,
        number: u64,
        key: &[u8],
        render: impl FnOnce(&mut Vec<u8>) -> usize,
    ) -> Option<(&[u8], &[u8])> {
        if key.len() > MAX_KEY {
            return None;
        }
        // The whole cache is cleared instead of single entries: it refills within the next lines, and no order of use
        // has to be kept on the way of each line.
        if self.bytes > self.max_bytes {
            self.fragments.clear();
            self.bytes = 0;
        }
        let mut hasher = FxHasher::default();
        hasher.write_u64(number);
        hasher.write(key);
        let make = || {
            let mut bytes = Vec::new();
            let split = render(&mut bytes);
            (bytes.len() <= MAX_FRAGMENT).then(|| CachedFragment {
                number,
                key: key.into(),
                bytes: bytes.into(),
                split,
            })
        };
        let fragment = match self.fragments.entry(hasher.finish()) {
            Entry::Occupied(have) => {
                let have = have.into_mut();
                // Another key with the same hash. The newer one takes the place, so two such keys render each time but
                // are never mixed up.
                if have.number != number || *have.key != *key {
                    let fragment = make()?;
                    self.bytes = self.bytes.saturating_sub(have.cost()) + fragment.cost();
                    *have = fragment;
                }
                have
            }
            Entry::Vacant(place) => {
                let fragment = make()?;
                self.bytes += fragment.cost();
                place.insert(fragment)
            }
        };
        fragment.bytes.split_at_checked(fragment.split)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fragment_is_rendered_once_and_the_cache_is_bounded() {
        let mut cache = RenderCache::new(64 * 1024);
        let mut made = 0;
        let mut get = |number, key: &[u8]| {
            let parts = cache.get(number, key, |out| {
                made += 1;
                out.extend_from_slice(key);
                out.extend_from_slice(number.to_string().as_bytes());
                key.len()
            });
            let halves = parts.map(|(a, b)| (a.to_vec(), b.to_vec()));
            (halves, made, cache.bytes)
        };
        assert_eq!(get(1, b"a").0, Some((b"a".to_vec(), b"1".to_vec())));
        assert_eq!(get(1, b"a").1, 1);
        assert_eq!(get(2, b"a").0, Some((b"a".to_vec(), b"2".to_vec())));
        assert_eq!(get(0, &[b'x'; MAX_KEY + 1]), (None, 2, get(1, b"a").2));
        for number in 0..10_000 {
            assert!(get(number, b"many").2 < 65 * 1024);
        }
        assert_eq!(get(9_999, b"many").1, 10_002);
    }
}
