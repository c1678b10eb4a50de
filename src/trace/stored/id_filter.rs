use std::hash::{BuildHasher as _, BuildHasherDefault};

use rustc_hash::FxHasher;

/// The number of 64-bit words of a filter: 16 KiB, for about 16,000 IDs with one error in fifty.
const WORDS: usize = 2048;
/// The bits that an ID sets.
const PROBES: u64 = 4;

/// A Bloom filter of the IDs in a file: whether it may have an ID. It is never wrong if it says no.
#[derive(Debug, Clone)]
pub(super) struct IdFilter(Vec<u64>);

impl IdFilter {
    pub(super) fn new() -> Self {
        Self(vec![0; WORDS])
    }

    pub(super) fn add(&mut self, id: u64) {
        for (word, bit) in places(id) {
            if let Some(word) = self.0.get_mut(word) {
                *word |= bit;
            }
        }
    }

    pub(super) fn may_have(&self, id: u64) -> bool {
        places(id).all(|(word, bit)| self.0.get(word).is_some_and(|word| word & bit != 0))
    }
}

/// The hash of a trace ID.
pub(super) fn hash_trace_id(id: u128) -> u64 {
    mix((id >> 64) as u64 ^ mix(id as u64))
}

/// The hash of a request ID.
pub(super) fn hash_request_id(id: &str) -> u64 {
    mix(BuildHasherDefault::<FxHasher>::default().hash_one(id))
}

fn mix(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let hash = (hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash ^ (hash >> 32)
}

/// The word and the bit of each probe.
fn places(id: u64) -> impl Iterator<Item = (usize, u64)> {
    // Odd, so that the probes differ.
    let step = (id >> 32) | 1;
    (0..PROBES).map(move |n| {
        let place = id.wrapping_add(n.wrapping_mul(step));
        let word = (place >> 6) as usize % WORDS;
        (word, 1 << (place & 63))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_found_and_few_others_are() {
        let mut filter = IdFilter::new();
        let ids = || (0..8000_u128).map(|n| n * 0x1_0000_0001_0000_0003);
        for id in ids() {
            filter.add(hash_trace_id(id));
            filter.add(hash_request_id(&format!("req-{id}")));
        }
        assert!(ids().all(|id| filter.may_have(hash_trace_id(id))));
        assert!(ids().all(|id| filter.may_have(hash_request_id(&format!("req-{id}")))));
        let wrong = (0..10_000).filter(|n| filter.may_have(hash_request_id(&format!("no-{n}"))));
        let wrong = wrong.count();
        assert!((1..500).contains(&wrong), "{wrong}");
        assert!(!IdFilter::new().may_have(0));
    }
}
