/// The version of the grouping. It is part of each group's fingerprint, and is incremented when the grouping changes, so
/// that a fingerprint of an earlier version is never compared with one of this version.
pub(in crate::errors) const GROUPING_VERSION: u8 = 2;
/// The version as the first part of each hash.
const VERSION_PART: &str = "2";

/// A hash that is equal in every process and release (FNV-1a): the number of a group.
#[derive(Debug, Clone, Copy)]
pub(in crate::errors) struct GroupHash(u64);

impl GroupHash {
    /// A hash of only the version of the grouping, which is incremented when the grouping changes.
    pub(in crate::errors) fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325).with(VERSION_PART)
    }

    /// Adds a part. A separator after each part distinguishes `ab`, `c` from `a`, `bc`.
    pub(in crate::errors) fn with(self, part: &str) -> Self {
        let bytes = part.bytes().chain([0xff]);
        Self(bytes.fold(self.0, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        }))
    }

    pub(in crate::errors) fn finish(self) -> u64 {
        // FNV mixes the high bits of short inputs badly.
        let mixed = (self.0 ^ self.0 >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ mixed >> 29
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_into_each_other_and_the_number_is_fixed() {
        let number = |parts: &[&str]| {
            let hash = parts
                .iter()
                .fold(GroupHash::new(), |hash, part| hash.with(part));
            hash.finish()
        };
        assert_ne!(number(&["ab", "c"]), number(&["a", "bc"]));
        assert_ne!(number(&["a"]), number(&["a", ""]));
        assert_eq!(number(&["a", "b"]), number(&["a", "b"]));
        assert_eq!(VERSION_PART, GROUPING_VERSION.to_string());
    }
}
