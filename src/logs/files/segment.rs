use super::file_id::FileId;
use super::position::LogPosition;

/// A file of log lines, or what is left of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::logs) struct LogSegment {
    /// Higher than those of all earlier files.
    pub(in crate::logs) number: u64,
    /// The number of its first line, counted over all files of the list.
    pub(super) first_line: u64,
    /// Its complete lines, and their bytes before compression.
    pub(super) lines: u64,
    pub(in crate::logs) bytes: u64,
    /// The day on which it began, counted since 1970-01-01 in UTC.
    pub(super) day: u64,
    pub(super) id: FileId,
    pub(in crate::logs) place: SegmentPlace,
    /// Its bytes on the disk.
    pub(super) disk_bytes: u64,
}

/// Where a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::logs) enum SegmentPlace {
    /// At the name to which lines are written.
    Current,
    /// At its own name.
    Closed,
    /// At its own name, compressed.
    Compressed,
    /// Another program gave it a name of its own, and will remove it.
    Moved,
}

impl LogSegment {
    /// The number of the line after its last one.
    pub(super) fn end_line(&self) -> u64 {
        self.first_line.saturating_add(self.lines)
    }

    /// Whether lines are written to it.
    pub(super) fn is_current(&self) -> bool {
        self.place == SegmentPlace::Current
    }

    /// Whether it counts toward the limits, and is removed to keep them.
    pub(super) fn is_closed(&self) -> bool {
        matches!(self.place, SegmentPlace::Closed | SegmentPlace::Compressed)
    }

    /// The position of its first line in a list with this ID.
    pub(super) fn start(&self, list: u64) -> LogPosition {
        LogPosition {
            list,
            segment: self.number,
            offset: 0,
            line: self.first_line,
        }
    }

    pub(super) fn end(&self, list: u64) -> LogPosition {
        LogPosition {
            list,
            segment: self.number,
            offset: self.bytes,
            line: self.end_line(),
        }
    }
}
