//! The history's files.
//!
//! Each snapshot is appended to a journal. The snapshots of an hour are written as a segment, and are rolled up into segments
//! of minutes and hours. A segment has the values of all series at consecutive steps of one resolution. It is written once,
//! and takes its name only when it is complete. A damaged chunk costs one series of one segment, and is never read as other
//! values.
//!
//! [`DiskStore`] is the state machine. Each of its steps is repeated after a crash without effect, so what is on the disk is
//! known from the files alone.

mod block;
mod coarse;
mod directory;
mod files;
mod folder;
mod format;
mod journal;
mod segment;
mod segment_writer;
mod status;
mod store;
#[cfg(test)]
mod tests;

pub(super) use self::segment::Segment;
pub(super) use self::store::{DiskStore, DiskStoreSetup};

pub(crate) use self::status::DiskStatus;

use std::path::Path;
use std::sync::Arc;

use self::directory::StoreDirectory;

impl DiskStore {
    /// A store in a directory. Nothing is read or written before the first call of [`persist`](Self::persist).
    pub(super) fn in_directory(setup: DiskStoreSetup, path: &Path) -> Self {
        Self::new(setup, Arc::new(StoreDirectory::new(path)))
    }
}
