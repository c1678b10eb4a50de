use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};

use siphasher::sip::SipHasher13;

/// The secret with which the IDs of users are hashed.
///
/// Without the key, nobody can look an ID up in a stored sketch, and no client can choose IDs whose hashes distort the
/// count. Sketches can be merged only if they have the same key, so it must be kept as long as they are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct UserKey([u8; Self::LENGTH]);

/// The keyed hash of a user's ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UserHash(pub(super) u64);

impl UserKey {
    /// The length of a key, in bytes.
    pub(crate) const LENGTH: usize = 16;

    pub(crate) fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// A new key.
    pub(crate) fn random() -> Self {
        let mut bytes = [0; Self::LENGTH];
        if getrandom::fill(&mut bytes).is_err() {
            // The standard library's random state then has no better source either, but differs between processes.
            let word = || RandomState::new().build_hasher().finish();
            bytes = ((u128::from(word()) << 64) | u128::from(word())).to_le_bytes();
        }
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// Hashes the ID of a user.
    pub(crate) fn hash(&self, user: &str) -> UserHash {
        UserHash(self.sip(user.as_bytes()))
    }

    /// A number that tells keys apart and does not reveal them.
    pub(super) fn fingerprint(&self) -> u64 {
        // No ID contains this byte, which is never part of UTF-8.
        self.sip(&[0xff])
    }

    fn sip(&self, bytes: &[u8]) -> u64 {
        // The algorithm of the standard library's hasher may change with its version; stored sketches need one that
        // stays.
        let mut hasher = SipHasher13::new_with_key(&self.0);
        hasher.write(bytes);
        hasher.finish()
    }
}

impl fmt::Debug for UserKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserKey(..)")
    }
}
