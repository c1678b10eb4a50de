use exaloglog::ExaLogLog;

use super::key::UserHash;
use crate::model::catch_panic;

/// 256 registers of 28 bits, which are 896 bytes. The standard error is 2.4 %.
const PRECISION: u32 = 8;
/// A sketch lists its users, and so counts them exactly, while the list is no larger than this.
const MAX_LIST_BYTES: usize = 512;

/// A small sketch of distinct users: at most 1 KiB, however many there are.
#[derive(Debug, Clone)]
pub(crate) struct UserSketch(Option<Box<ExaLogLog>>);

impl UserSketch {
    pub(crate) fn new() -> Self {
        Self(None)
    }

    /// Adds a user.
    pub(crate) fn add(&mut self, user: UserHash) {
        let users = self.users();
        users.add_hash(user.0);
        limit_list(users);
    }

    /// Adds the users of another sketch, whose hashes have the same key.
    pub(crate) fn merge(&mut self, other: &Self) {
        if let Some(other) = &other.0 {
            let users = self.users();
            // Both have the same precision, without which it fails.
            let _same = users.merge(other);
            limit_list(users);
        }
    }

    /// The number of users: exact for a few, otherwise an estimate.
    #[expect(
        clippy::cast_sign_loss,
        reason = "no estimate is negative, and a number that does not fit saturates"
    )]
    pub(crate) fn count(&self) -> u64 {
        let estimate = self.0.as_ref().map(|users| users.estimate());
        estimate.unwrap_or_default().round() as u64
    }

    /// The bytes for [`from_bytes`](Self::from_bytes): none for a sketch without users.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let users = self.0.as_ref();
        users.map(|users| users.to_bytes()).unwrap_or_default()
    }

    /// Reads a sketch. `None` if the bytes are not those of one.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() {
            return Some(Self::new());
        }
        // The sketch's crate decodes the bytes and calculates with them.
        let users = catch_panic(|| {
            let users = ExaLogLog::from_bytes(bytes).ok()?;
            let is_valid = users.precision() == PRECISION && users.estimate().is_finite();
            is_valid.then_some(users)
        });
        users.flatten().map(|users| Self(Some(Box::new(users))))
    }

    fn users(&mut self) -> &mut ExaLogLog {
        self.0
            .get_or_insert_with(|| Box::new(ExaLogLog::new(PRECISION)))
    }
}

/// Turns a list that has become too long into registers.
fn limit_list(users: &mut ExaLogLog) {
    if users.is_sparse() && users.register_bytes() > MAX_LIST_BYTES {
        users.densify();
    }
}

#[cfg(test)]
mod tests {
    use super::super::key::UserKey;
    use super::*;

    #[test]
    fn few_users_are_counted_exactly_and_many_are_estimated_in_a_kibibyte() {
        let key = UserKey::from_bytes([7; UserKey::LENGTH]);
        let mut sketch = UserSketch::new();
        assert_eq!((sketch.count(), sketch.to_bytes().len()), (0, 0));
        for n in 1..=50_u64 {
            for _ in 0..3 {
                sketch.add(key.hash(&format!("u{n}")));
            }
            assert_eq!(sketch.count(), n);
        }
        for n in 0..100_000 {
            sketch.add(key.hash(&format!("u{n}")));
        }
        let count = sketch.count();
        assert!((90_000..110_000).contains(&count), "{count}");
        let bytes = sketch.to_bytes();
        assert!(bytes.len() <= 1024, "{}", bytes.len());
        assert_eq!(UserSketch::from_bytes(&bytes).unwrap().count(), count);
        for len in 1..bytes.len() {
            let _any = UserSketch::from_bytes(&bytes[..len]);
        }
        let mut other = UserSketch::new();
        other.add(key.hash("u1"));
        other.merge(&sketch);
        assert_eq!(other.count(), count);
    }
}
