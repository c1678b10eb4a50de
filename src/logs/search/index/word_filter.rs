/// The bytes of a filter: for about 5,000 words with one error in two hundred. A block of 256 KiB has about so many.
pub(super) const BYTES: usize = 8 * 1024;
const BITS: u64 = 8 * BYTES as u64;
/// The bits that a word sets.
const PROBES: u64 = 4;

/// A Bloom filter of the words of a block: whether it may have a word. It is never wrong if it says no.
///
/// A list of the words themselves would be ten times as large, and a search needs no more than to pass over blocks. The filter
/// of traces is similar, but it has another size, and this one is stored.
#[derive(Debug, Clone)]
pub(super) struct WordFilter(Vec<u8>);

impl WordFilter {
    pub(super) fn new() -> Self {
        Self(vec![0; BYTES])
    }

    pub(super) fn clear(&mut self) {
        self.0.fill(0);
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn as_mut_bytes(&mut self) -> &mut [u8] {
        &mut self.0
    }

    #[inline]
    pub(super) fn add(&mut self, hash: u64) {
        for (byte, bit) in places(hash) {
            if let Some(byte) = self.0.get_mut(byte) {
                *byte |= bit;
            }
        }
    }

    pub(super) fn may_have(&self, hash: u64) -> bool {
        places(hash).all(|(byte, bit)| self.0.get(byte).is_some_and(|byte| byte & bit != 0))
    }
}

/// The byte and the bit of each probe.
#[inline]
fn places(hash: u64) -> impl Iterator<Item = (usize, u8)> {
    // Odd, so that the probes differ.
    let step = (hash >> 32) | 1;
    (0..PROBES).map(move |n| {
        let place = hash.wrapping_add(n.wrapping_mul(step)) % BITS;
        ((place >> 3) as usize, 1 << (place & 7))
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::sieve::hash_of_word;
    use super::*;

    #[test]
    fn what_was_added_is_found_and_few_others_are() {
        let mut filter = WordFilter::new();
        let words = || (0..5000).map(|n| hash_of_word(&format!("word-{n}")));
        words().for_each(|word| filter.add(word));
        assert!(words().all(|word| filter.may_have(word)));
        let others = (0..20_000).map(|n| hash_of_word(&format!("other{n}")));
        let wrong = others.filter(|word| filter.may_have(*word)).count();
        assert!((1..400).contains(&wrong), "{wrong}");
    }
}
