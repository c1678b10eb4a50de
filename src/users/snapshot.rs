//! The bytes in which the users of one slot are stored:
//!
//! | bytes | content |
//! |---|---|
//! | 4 | `wpus` |
//! | 1 | the version of this format, 1 |
//! | 1 | the window: 0 for minutes, 1 for hours |
//! | 8 | the fingerprint of the key |
//! | 8 | the last moment that the slot covers, in nanoseconds since the Unix epoch |
//! | .. | the sketch |
//! | 4 | CRC-32 of everything before |
//!
//! Numbers are little-endian.

use exaloglog::ExaLogLog;

use super::window::{PRECISION, WindowKind};

const MAGIC: [u8; 4] = *b"wpus";
const VERSION: u8 = 1;

/// The users of one slot.
pub(super) struct UserSnapshot {
    pub(super) kind: WindowKind,
    /// The last moment that the slot covers, in nanoseconds since the Unix epoch.
    pub(super) end: u64,
    pub(super) users: ExaLogLog,
}

/// The reason why a snapshot cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InvalidSnapshot {
    /// The bytes are no snapshot, or were changed.
    Damaged,
    /// A snapshot of another version of the format.
    OtherVersion(u8),
    /// The users were hashed with another key.
    OtherKey,
}

impl UserSnapshot {
    pub(super) fn to_bytes(&self, key: u64) -> Vec<u8> {
        let users = self.users.to_bytes();
        let mut out = Vec::with_capacity(users.len() + 26);
        out.extend_from_slice(&MAGIC);
        out.push(VERSION);
        out.push(match self.kind {
            WindowKind::Minutes => 0,
            WindowKind::Hours => 1,
        });
        out.extend_from_slice(&key.to_le_bytes());
        out.extend_from_slice(&self.end.to_le_bytes());
        out.extend_from_slice(&users);
        out.extend_from_slice(&crc32fast::hash(&out).to_le_bytes());
        out
    }

    /// Reads a snapshot of users who were hashed with the key of this fingerprint.
    pub(super) fn read(bytes: &[u8], key: u64) -> Result<Self, InvalidSnapshot> {
        let (checked, checksum) = bytes.split_last_chunk().ok_or(InvalidSnapshot::Damaged)?;
        let (magic, rest) = checked
            .split_first_chunk()
            .ok_or(InvalidSnapshot::Damaged)?;
        if *magic != MAGIC || u32::from_le_bytes(*checksum) != crc32fast::hash(checked) {
            return Err(InvalidSnapshot::Damaged);
        }
        match rest.split_first() {
            Some((&VERSION, rest)) => Self::read_version_1(rest, key),
            Some((other, _)) => Err(InvalidSnapshot::OtherVersion(*other)),
            None => Err(InvalidSnapshot::Damaged),
        }
    }

    fn read_version_1(bytes: &[u8], key: u64) -> Result<Self, InvalidSnapshot> {
        let parts = || {
            let (kind, rest) = bytes.split_first()?;
            let kind = match kind {
                0 => WindowKind::Minutes,
                1 => WindowKind::Hours,
                _ => return None,
            };
            let (fingerprint, rest) = rest.split_first_chunk()?;
            let (end, users) = rest.split_first_chunk()?;
            let end = u64::from_le_bytes(*end);
            Some((kind, u64::from_le_bytes(*fingerprint), end, users))
        };
        let (kind, fingerprint, end, users) = parts().ok_or(InvalidSnapshot::Damaged)?;
        if fingerprint != key {
            return Err(InvalidSnapshot::OtherKey);
        }
        let users = ExaLogLog::from_bytes(users).map_err(|_| InvalidSnapshot::Damaged)?;
        // A sketch with impossible registers has no finite estimate.
        if users.precision() != PRECISION || !users.estimate().is_finite() {
            return Err(InvalidSnapshot::Damaged);
        }
        Ok(Self { kind, end, users })
    }
}
