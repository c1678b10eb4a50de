//! Parts of lines that come again and again.

use std::collections::hash_map::Entry;
use std::hash::Hasher;

use rustc_hash::{FxHashMap, FxHasher};

/// Bytes of a key, and of what is kept for it, beyond which it is not worth keeping.
const MAX_KEY: usize = 512;
const MAX_PART: usize = 4096;

/// Parts of lines as they were written the first time, each under a number and a text. Once they take more
/// bytes than they may, all are forgotten.
#[derive(Debug)]
pub(super) struct RenderCache {
    /// By the hash of their key: of two with one hash the later stays.
    parts: FxHashMap<u64, CachedPart>,
    bytes: usize,
    max_bytes: usize,
}

#[derive(Debug)]
struct CachedPart {
    number: u64,
    key: Box<[u8]>,
    bytes: Box<[u8]>,
    split: usize,
}

impl CachedPart {
    fn cost(&self) -> usize {
        size_of::<(u64, Self)>() + self.key.len() + self.bytes.len()
    }
}

impl RenderCache {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self {
            parts: FxHashMap::default(),
            bytes: 0,
            max_bytes,
        }
    }

    /// The two halves of what `make` wrote for this key, now or earlier; it answers where the second
    /// begins. `None` where they are too long to be kept.
    #[inline]
    pub(super) fn get(
        &mut self,
        number: u64,
        key: &[u8],
        make: impl FnOnce(&mut Vec<u8>) -> usize,
    ) -> Option<(&[u8], &[u8])> {
        if key.len() > MAX_KEY {
            return None;
        }
        if self.bytes > self.max_bytes {
            self.parts.clear();
            self.bytes = 0;
        }
        let mut hasher = FxHasher::default();
        hasher.write_u64(number);
        hasher.write(key);
        let make = || {
            let mut bytes = Vec::new();
            let split = make(&mut bytes);
            (bytes.len() <= MAX_PART).then(|| CachedPart {
                number,
                key: key.into(),
                bytes: bytes.into(),
                split,
            })
        };
        let part = match self.parts.entry(hasher.finish()) {
            Entry::Occupied(have) => {
                let have = have.into_mut();
                if have.number != number || *have.key != *key {
                    let part = make()?;
                    self.bytes = self.bytes.saturating_sub(have.cost()) + part.cost();
                    *have = part;
                }
                have
            }
            Entry::Vacant(place) => {
                let part = make()?;
                self.bytes += part.cost();
                place.insert(part)
            }
        };
        part.bytes.split_at_checked(part.split)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_made_once_and_bounded() {
        let mut kept = RenderCache::new(64 * 1024);
        let mut made = 0;
        let mut get = |number, key: &[u8]| {
            let parts = kept.get(number, key, |out| {
                made += 1;
                out.extend_from_slice(key);
                out.extend_from_slice(number.to_string().as_bytes());
                key.len()
            });
            let told = parts.map(|(a, b)| (a.to_vec(), b.to_vec()));
            (told, made, kept.bytes)
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
