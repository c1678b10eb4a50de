//! The numbering of callsites, so that records need not contain names.

use std::hash::BuildHasher;
use std::sync::RwLock;

use rustc_hash::{FxBuildHasher, FxHashSet};
use tracing::Metadata;

use crate::model::{read_lock, write_lock};
/// The callsites of the process, in the order of their first use. Their number is bounded by the program's source.
static TABLE: RwLock<Vec<&'static Metadata<'static>>> = RwLock::new(Vec::new());

/// The source locations of the callsites: a hash of the file name, and the line number.
static PLACES: RwLock<FxHashSet<(u64, u64)>> = RwLock::new(FxHashSet::with_hasher(FxBuildHasher));

/// Returns the number of a callsite, and assigns one on first use.
pub(crate) fn number(metadata: &'static Metadata<'static>) -> u32 {
    let mut table = write_lock(&TABLE);
    let same = |have: &&Metadata<'_>| std::ptr::eq::<Metadata<'_>>(*have, metadata);
    let at = table.iter().position(same).unwrap_or_else(|| {
        table.push(metadata);
        if let (Some(file), Some(line)) = (metadata.file(), metadata.line()) {
            let mut places = write_lock(&PLACES);
            places.insert((hash_of_file(file), line.into()));
        }
        table.len() - 1
    });
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// Whether a numbered callsite is at this source location.
pub(super) fn contains(file: u64, line: u64) -> bool {
    let places = read_lock(&PLACES);
    places.contains(&(file, line))
}

pub(super) fn hash_of_file(file: &str) -> u64 {
    FxBuildHasher.hash_one(file)
}

/// Returns the callsite with this number.
pub(crate) fn metadata(number: u32) -> Option<&'static Metadata<'static>> {
    read_lock(&TABLE).get(number as usize).copied()
}
