//! A 64-bit hash of tokens that is the same on every machine.

/// Odd numbers without a pattern: the fractions of the golden ratio and of pi.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
const SEED: u64 = 0x2436_6ad0_85a3_08d3;

/// The hash of the tokens so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TokenHash(u64);

impl TokenHash {
    pub(super) const NEW: Self = Self(SEED);

    #[inline]
    pub(super) fn mix(&mut self, word: u64) {
        self.mix_two(word, 0);
    }

    /// Mixes two words with one multiplication.
    #[inline]
    fn mix_two(&mut self, one: u64, other: u64) {
        let product = u128::from(self.0 ^ one) * u128::from(other ^ MULTIPLIER);
        self.0 = ((product >> 64) as u64 ^ product as u64)
            .rotate_left(23)
            .wrapping_add(one ^ SEED);
    }

    /// Mixes a token: its kind, its length and its bytes. With `fold`, ASCII letters count as upper case.
    #[inline]
    pub(super) fn mix_bytes(&mut self, kind: u8, bytes: &[u8], fold: bool) {
        let folded = |word: u64| if fold { upper(word) } else { word };
        let (words, tail) = bytes.as_chunks();
        let mut header = u64::from(kind) << 32 ^ bytes.len() as u64;
        for word in words {
            self.mix_two(header, folded(u64::from_le_bytes(*word)));
            header = header.rotate_left(8);
        }
        if !tail.is_empty() {
            self.mix_two(header, folded(short(tail)));
        }
    }

    pub(super) fn finish(self) -> u64 {
        let mut last = self;
        last.mix(0);
        last.0
    }
}

/// Up to seven bytes as a number.
#[inline]
fn short(bytes: &[u8]) -> u64 {
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        let last = u64::from(u32::from_le_bytes(*last));
        return u64::from(u32::from_le_bytes(*first)) | last << 32;
    }
    let add = |all: u64, byte: &u8| all << 8 | u64::from(*byte);
    bytes.iter().fold(0, add)
}

/// Eight bytes with their ASCII letters in upper case.
#[inline]
fn upper(word: u64) -> u64 {
    const fn each(byte: u8) -> u64 {
        u64::from_le_bytes([byte; 8])
    }
    let low = word & each(0x7f);
    // The high bit of each byte: whether it is at least `a`, and whether it is above `z`.
    let from_a = low + each(0x80 - b'a');
    let above_z = low + each(0x7f - b'z');
    let lower = (from_a ^ above_z) & !word & each(0x80);
    word ^ lower >> 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_alone_become_upper_case() {
        for byte in 0..=u8::MAX {
            let found = upper(u64::from_le_bytes([
                byte, b'a', byte, b'Z', byte, 0, 0xff, byte,
            ]));
            let wanted = byte.to_ascii_uppercase();
            assert_eq!(
                found.to_le_bytes(),
                [wanted, b'A', wanted, b'Z', wanted, 0, 0xff, wanted]
            );
        }
    }

    #[test]
    fn bytes_of_every_length_have_hashes_of_their_own() {
        let bytes: Vec<u8> = (1..=40).collect();
        let mut seen = std::collections::BTreeSet::new();
        for length in 0..=bytes.len() {
            for change in 0..length {
                let mut bytes = bytes[..length].to_vec();
                bytes[change] ^= 0x80;
                let mut hash = TokenHash::NEW;
                hash.mix_bytes(1, &bytes, true);
                assert!(seen.insert(hash.finish()), "{length} {change}");
            }
        }
    }
}
