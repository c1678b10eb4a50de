use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use super::id_filter::IdFilter;
use crate::model::{lock, lock_for_status};

/// The files of stored traces, the oldest first. The writer changes it, and searches read it; the lock is never held
/// during a read or a write of a file.
#[derive(Debug, Default)]
pub(super) struct SegmentList(Mutex<SegmentsState>);

#[derive(Debug, Default)]
pub(super) struct SegmentsState {
    pub(super) segments: VecDeque<TraceSegment>,
    /// Whether the last file is still appended to.
    pub(super) is_open: bool,
    /// Whether the files of earlier processes are in the list.
    pub(super) is_loaded: bool,
    /// Records that were found damaged.
    pub(super) damaged: u64,
}

/// A file of stored traces.
#[derive(Debug)]
pub(super) struct TraceSegment {
    pub(super) name: Arc<str>,
    /// The number of its first record. All numbers in it are smaller than the first one of the next file.
    pub(super) first: u64,
    pub(super) bytes: u64,
    /// `None` for a file of an earlier process that no search has read yet.
    pub(super) contents: Option<SegmentContents>,
    /// Whether its damaged records are counted.
    pub(super) is_checked: bool,
}

/// What is known of the records of a file without reading it.
#[derive(Debug, Clone)]
pub(super) struct SegmentContents {
    pub(super) ids: IdFilter,
    /// The earliest and the latest start of a record, in nanoseconds since the Unix epoch; `None` without records.
    pub(super) starts: Option<(u64, u64)>,
}

impl SegmentList {
    pub(super) fn lock(&self) -> MutexGuard<'_, SegmentsState> {
        lock(&self.0)
    }

    pub(super) fn lock_for_status(&self) -> Option<MutexGuard<'_, SegmentsState>> {
        lock_for_status(&self.0)
    }
}

impl SegmentsState {
    /// The bytes of all files.
    pub(super) fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Removes a file from the list.
    pub(super) fn forget(&mut self, name: &str) {
        self.segments.retain(|segment| &*segment.name != name);
    }

    /// Whether a file may still be appended to.
    pub(super) fn is_current(&self, name: &str) -> bool {
        let last = self.segments.back();
        self.is_open && last.is_some_and(|last| &*last.name == name)
    }
}

impl SegmentContents {
    pub(super) fn new() -> Self {
        Self {
            ids: IdFilter::new(),
            starts: None,
        }
    }

    /// Adds a record with the hashes of its IDs and its start.
    pub(super) fn add(&mut self, ids: impl IntoIterator<Item = u64>, start: u64) {
        ids.into_iter().for_each(|id| self.ids.add(id));
        let (first, last) = self.starts.unwrap_or((start, start));
        self.starts = Some((first.min(start), last.max(start)));
    }
}
