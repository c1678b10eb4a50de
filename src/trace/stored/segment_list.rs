use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use super::class::TraceClass;
use super::id_filter::IdFilter;
use crate::model::{lock, lock_for_status};

/// The files of stored traces, the oldest first. The writer changes it, and searches read it; the lock is never held
/// during a read or a write of a file.
#[derive(Debug, Default)]
pub(super) struct SegmentList(Mutex<SegmentsState>);

#[derive(Debug, Default)]
pub(super) struct SegmentsState {
    pub(super) segments: VecDeque<TraceSegment>,
    /// Whether the last file of each class is still appended to.
    pub(super) is_open: [bool; TraceClass::ALL.len()],
    /// Whether the files of earlier processes are in the list.
    pub(super) is_loaded: bool,
    /// Records that were found damaged.
    pub(super) damaged: u64,
}

/// A file of stored traces.
#[derive(Debug)]
pub(super) struct TraceSegment {
    pub(super) name: Arc<str>,
    pub(super) class: TraceClass,
    /// The number of its first record. All numbers in it are smaller than the first one of the next file of its class.
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

    /// The newest file of a class.
    pub(super) fn last_of(&self, class: TraceClass) -> Option<&TraceSegment> {
        let mut newest_first = self.segments.iter().rev();
        newest_first.find(|segment| segment.class == class)
    }

    pub(super) fn last_of_mut(&mut self, class: TraceClass) -> Option<&mut TraceSegment> {
        let mut newest_first = self.segments.iter_mut().rev();
        newest_first.find(|segment| segment.class == class)
    }

    /// Adds a file, in the order of the first numbers.
    pub(super) fn insert(&mut self, segment: TraceSegment) {
        let at = self
            .segments
            .partition_point(|other| other.first < segment.first);
        self.segments.insert(at, segment);
    }

    pub(super) fn is_open(&self, class: TraceClass) -> bool {
        self.is_open.get(class.index()).copied().unwrap_or_default()
    }

    pub(super) fn set_open(&mut self, class: TraceClass, is_open: bool) {
        if let Some(of_class) = self.is_open.get_mut(class.index()) {
            *of_class = is_open;
        }
    }

    /// Whether a file may still be appended to.
    pub(super) fn is_current(&self, name: &str) -> bool {
        TraceClass::ALL.into_iter().any(|class| {
            let last = self.last_of(class);
            self.is_open(class) && last.is_some_and(|last| &*last.name == name)
        })
    }

    /// Returns the file that is removed to make room for `len` bytes of a class: the oldest one of the class that has most
    /// bytes, so that none takes the room of the others. The file that `class` is appended to stays.
    pub(super) fn next_to_remove(&self, class: TraceClass, len: u64) -> Option<&TraceSegment> {
        let keeps = self.last_of(class).filter(|_| self.is_open(class));
        let keeps = keeps.map(|kept| &kept.name);
        let may_go = |segment: &&TraceSegment| Some(&segment.name) != keeps;
        let bytes = |of: TraceClass| -> u64 {
            let segments = self.segments.iter().filter(|segment| segment.class == of);
            let new = if of == class { len } else { 0 };
            segments.map(|segment| segment.bytes).sum::<u64>() + new
        };
        let oldest = TraceClass::ALL.into_iter().filter_map(|of| {
            let mut segments = self.segments.iter().filter(may_go);
            Some((bytes(of), segments.find(|segment| segment.class == of)?))
        });
        oldest
            .max_by_key(|(bytes, _)| *bytes)
            .map(|(_, segment)| segment)
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
