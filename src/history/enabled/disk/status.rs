use super::super::steps::Resolution;
use super::segment::Segment;
use crate::clock::Nanos;

/// The state of the files, for health and self-metrics.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct DiskStatus {
    /// What fails, and since when. `None` if the last attempt succeeded.
    pub(crate) failure: Option<(String, Nanos)>,
    /// Since when a task works on the files. A disk that hangs keeps it there.
    pub(crate) busy_since: Option<Nanos>,
    /// When snapshots were last saved.
    pub(crate) saved_at: Option<Nanos>,
    /// The number of segments, and their bytes, by resolution.
    pub(crate) segments: [(u64, u64); 3],
    pub(crate) journal_bytes: u64,
    /// Snapshots that were never in a file: the disk failed for too long.
    pub(crate) unsaved: u64,
    /// Snapshots that were removed before their age, since there were too many bytes.
    pub(crate) evicted: u64,
    /// Snapshots that were in a damaged part of a journal.
    pub(crate) lost: u64,
    /// Files that were damaged.
    pub(crate) damaged_files: u64,
    /// Series of single segments that were found damaged.
    pub(crate) damaged_series: u64,
    /// Damaged files that were renamed and are still there.
    pub(crate) kept: u64,
}

impl DiskStatus {
    pub(super) fn count(&mut self, segments: &[Segment]) {
        self.segments = [(0, 0); 3];
        self.damaged_series = segments.iter().map(Segment::damaged).sum();
        for segment in segments {
            let [raw, minutes, hours] = &mut self.segments;
            let (count, bytes) = match segment.resolution() {
                Resolution::Raw => raw,
                Resolution::Minute => minutes,
                Resolution::Hour => hours,
            };
            *count += 1;
            *bytes += segment.bytes();
        }
    }
}
