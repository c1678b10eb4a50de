//! The keys of stored records, by which they are found.

use std::collections::VecDeque;
use std::hash::{BuildHasher, BuildHasherDefault};

use rustc_hash::FxHasher;

/// Reads the key of a record.
pub(crate) type RecordKey = fn(&[u8]) -> Option<u128>;

/// The maximum number of keys of a file in memory. Files with more records are read at each search.
const MAX_KEYS: usize = 4096;
/// The maximum number of remembered keys of removed records.
const MAX_REMOVED: usize = 64 * 1024;
/// The keys of a file as short hashes, so that a search reads only files that may have the key. A file of an earlier
/// process is unknown until the first search.
#[derive(Debug, Default)]
pub(super) struct SegmentKeys(Option<Vec<u32>>);

impl SegmentKeys {
    /// The keys of a file without records.
    pub(super) fn empty() -> Self {
        Self(Some(Vec::new()))
    }

    pub(super) fn add(&mut self, key: u128) {
        if let Some(keys) = &mut self.0 {
            keys.push(hash(key));
            if keys.len() > MAX_KEYS {
                self.0 = None;
            }
        }
    }

    /// Whether the file may have a record with this key.
    pub(super) fn may_have(&self, key: u128) -> bool {
        self.0.as_ref().is_none_or(|keys| keys.contains(&hash(key)))
    }
}

/// The keys of the records that were removed last.
#[derive(Debug, Default)]
pub(super) struct RemovedKeys(VecDeque<u32>);

impl RemovedKeys {
    pub(super) fn add(&mut self, key: u128) {
        if self.0.len() == MAX_REMOVED {
            self.0.pop_front();
        }
        self.0.push_back(hash(key));
    }

    pub(super) fn contains(&self, key: u128) -> bool {
        self.0.contains(&hash(key))
    }
}

fn hash(key: u128) -> u32 {
    (BuildHasherDefault::<FxHasher>::default().hash_one(key) >> 32) as u32
}
