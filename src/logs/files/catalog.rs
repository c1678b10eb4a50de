use std::collections::VecDeque;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::file_id::FileId;
use super::manifest::SegmentManifest;
use super::moved::find_moved;
use super::names::{closed_name, current_name, manifest_name};
use super::position::LogPosition;
use super::recovery::recover_list;
use super::scan::LineCount;
use super::segment::{LogSegment, SegmentPlace};
use crate::files::{Disk, Files as _};
use crate::model::{lock, lock_for_status};

/// The files of one name: which there are, and what each has. Shared by the writer, which is the only one that adds to
/// it, the job that compresses, and the readers.
///
/// Line numbers run over all files, so that two positions tell how many lines are between them, whatever became of the
/// files.
pub(super) struct SegmentCatalog {
    pub(super) directory: PathBuf,
    /// What their names begin with: `combined`.
    pub(super) stem: &'static str,
    state: Mutex<CatalogState>,
    /// Held while the list is stored or the directory is read. Its holder may take the lock of `state`, not the other way
    /// around: the disk may hang.
    disk: Mutex<()>,
}

#[derive(Debug, Default)]
struct CatalogState {
    /// Whether the directory was read.
    is_loaded: bool,
    list: u64,
    next_segment: u64,
    next_line: u64,
    /// From the oldest on.
    segments: VecDeque<LogSegment>,
    /// Whether the list has changed since it was stored.
    is_changed: bool,
    /// What was written to the current file since it was synced. The stored list does not count it: after a power failure, a
    /// file that is shorter than in the list is one that another program has truncated.
    unsynced: LineCount,
    /// The position after the newest line that this process has found.
    found_end: Option<LogPosition>,
}

/// The most renamed files that are in the list. Each is there for readers, which need it until they have read it.
const MAX_MOVED: usize = 100;

/// The most that the closed files and the current one may have.
#[derive(Debug, Clone, Copy)]
pub(super) struct SegmentLimits {
    pub(super) max_bytes: u64,
    pub(super) max_closed: usize,
}

impl SegmentCatalog {
    pub(super) fn new(directory: &Path, stem: &'static str) -> Self {
        Self {
            directory: directory.to_owned(),
            stem,
            state: Mutex::default(),
            disk: Mutex::default(),
        }
    }

    /// Reads the directory, unless that was done before.
    ///
    /// # Errors
    ///
    /// Returns an error if the directory cannot be made or read.
    pub(super) fn load(&self) -> io::Result<()> {
        let _disk = lock(&self.disk);
        if lock(&self.state).is_loaded {
            return Ok(());
        }
        let found = recover_list(&self.directory, self.stem)?;
        let mut state = lock(&self.state);
        *state = CatalogState {
            is_loaded: true,
            list: found.list,
            next_segment: found.next_segment,
            next_line: found.next_line,
            segments: found.segments.into(),
            is_changed: true,
            unsynced: LineCount::default(),
            found_end: None,
        };
        state.found_end = Some(state.newest_end());
        Ok(())
    }

    /// Stores the list, if it has changed.
    ///
    /// # Errors
    ///
    /// Returns an error if it cannot be written.
    pub(super) fn save(&self) -> io::Result<()> {
        let _disk = lock(&self.disk);
        let text = {
            let state = lock(&self.state);
            if !state.is_changed {
                return Ok(());
            }
            state.manifest().to_text()
        };
        self.store(&text)?;
        lock(&self.state).is_changed = false;
        Ok(())
    }

    fn store(&self, text: &str) -> io::Result<()> {
        Disk::new(&self.directory).replace(&manifest_name(self.stem), text.as_bytes())
    }

    /// The path of the file to which lines are written.
    pub(super) fn current_path(&self) -> PathBuf {
        self.directory.join(current_name(self.stem))
    }

    /// Where a file is. That of a file which another program has renamed is looked up by its ID.
    ///
    /// # Errors
    ///
    /// Returns an error if it is not there.
    pub(super) fn path_of(&self, segment: &LogSegment) -> io::Result<PathBuf> {
        let closed = closed_name(self.stem, segment.day, segment.number);
        Ok(match segment.place {
            SegmentPlace::Current => self.current_path(),
            SegmentPlace::Closed => self.directory.join(closed),
            SegmentPlace::Compressed => self.directory.join(closed + ".gz"),
            SegmentPlace::Moved => {
                let file = (segment.id, segment.bytes);
                find_moved(&self.directory, self.stem, file)?.ok_or(ErrorKind::NotFound)?
            }
        })
    }

    /// The file to which lines are written, if there is one.
    pub(super) fn current(&self) -> Option<LogSegment> {
        let state = lock(&self.state);
        state
            .segments
            .back()
            .copied()
            .filter(LogSegment::is_current)
    }

    /// Adds the file to which lines are written from now on, with what it has already.
    ///
    /// # Errors
    ///
    /// Returns an error if the list cannot be stored: then it has no such file.
    pub(super) fn begin(&self, id: FileId, day: u64, count: LineCount) -> io::Result<LogSegment> {
        let _disk = lock(&self.disk);
        let (segment, text) = {
            let state = lock(&self.state);
            let segment = LogSegment {
                number: state.next_segment,
                first_line: state.next_line,
                lines: count.lines,
                bytes: count.bytes,
                day,
                id,
                place: SegmentPlace::Current,
                disk_bytes: count.bytes,
            };
            let mut manifest = state.manifest();
            manifest.add(segment);
            (segment, manifest.to_text())
        };
        // Stored first: a position in a file that the next process does not know would be lost.
        self.store(&text)?;
        let mut state = lock(&self.state);
        state.add(segment);
        Ok(segment)
    }

    /// Counts lines that were written to the current file.
    pub(super) fn advance(&self, count: LineCount) {
        let mut state = lock(&self.state);
        state.is_changed = true;
        if let Some(current) = state.current_mut() {
            current.lines += count.lines;
            current.bytes += count.bytes;
            current.disk_bytes = current.bytes;
            state.next_line += count.lines;
            state.unsynced.lines += count.lines;
            state.unsynced.bytes += count.bytes;
        }
    }

    /// Notes that all lines of the current file are synced.
    pub(super) fn note_synced(&self) {
        let mut state = lock(&self.state);
        let unsynced = std::mem::take(&mut state.unsynced);
        state.is_changed |= unsynced.lines > 0;
    }

    /// Gives the current file a name of its own, so that another one can begin.
    ///
    /// # Errors
    ///
    /// Returns an error if the list cannot be stored or the file cannot be renamed: then it is the current one still.
    pub(super) fn close_current(&self) -> io::Result<()> {
        let _disk = lock(&self.disk);
        let (closed, text) = {
            let state = lock(&self.state);
            let Some(current) = state.segments.back().filter(|it| it.is_current()) else {
                return Ok(());
            };
            let closed = LogSegment {
                place: SegmentPlace::Closed,
                ..*current
            };
            let mut manifest = state.manifest();
            manifest.segments.pop();
            // Its last lines were synced, as far as the disk could.
            manifest.add(closed);
            (closed, manifest.to_text())
        };
        // Stored first. If the process ends before the file is renamed, the next one renames it: it knows the file's ID.
        self.store(&text)?;
        fs::rename(self.current_path(), self.path_of(&closed)?)?;
        let mut state = lock(&self.state);
        if let Some(current) = state.current_mut() {
            *current = closed;
        }
        state.unsynced = LineCount::default();
        Ok(())
    }

    /// Notes that another program has renamed or removed the current file.
    pub(super) fn note_moved(&self) {
        let Some(current) = self.current() else {
            return;
        };
        let file = (current.id, current.bytes);
        let found = find_moved(&self.directory, self.stem, file);
        let is_found = found.is_ok_and(|it| it.is_some());
        let mut state = lock(&self.state);
        state.is_changed = true;
        state.unsynced = LineCount::default();
        if !is_found {
            state.segments.pop_back();
        } else if let Some(current) = state.current_mut() {
            current.place = SegmentPlace::Moved;
            state.forget_oldest_moved();
        }
    }

    /// Notes that another program has truncated the current file, which has `left` now. Lines that were written to it
    /// since are `since`. The rest begins a segment of its own.
    pub(super) fn note_truncated(&self, left: LineCount, since: u64) {
        let mut state = lock(&self.state);
        let Some(old) = state.segments.pop_back().filter(LogSegment::is_current) else {
            return;
        };
        let end = old.end_line() + since;
        let segment = LogSegment {
            number: state.next_segment,
            first_line: end.saturating_sub(left.lines).max(old.first_line),
            lines: left.lines,
            bytes: left.bytes,
            disk_bytes: left.bytes,
            ..old
        };
        state.add(segment);
    }

    /// Removes the oldest closed files until the limits are kept.
    ///
    /// # Errors
    ///
    /// Returns an error if a file cannot be removed.
    pub(super) fn make_room(&self, limits: SegmentLimits) -> io::Result<()> {
        loop {
            let oldest = {
                let state = lock(&self.state);
                let kept = || {
                    state
                        .segments
                        .iter()
                        .filter(|it| it.place != SegmentPlace::Moved)
                };
                let bytes: u64 = kept().map(|it| it.disk_bytes).sum();
                let closed = kept().filter(|it| it.is_closed()).count();
                let is_full = bytes > limits.max_bytes || closed > limits.max_closed;
                let oldest = state.segments.iter().find(|it| it.is_closed());
                match oldest.filter(|_| is_full) {
                    Some(oldest) => *oldest,
                    None => return Ok(()),
                }
            };
            let name = closed_name(self.stem, oldest.day, oldest.number);
            // It may be in the middle of being compressed, so both of its names are removed.
            for name in [format!("{name}.gz"), name] {
                match fs::remove_file(self.directory.join(name)) {
                    Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
            self.forget(oldest.number);
        }
    }

    /// Removes a file from the list: it is gone.
    pub(super) fn forget(&self, number: u64) {
        let mut state = lock(&self.state);
        state
            .segments
            .retain(|it| it.number != number || it.is_current());
        state.is_changed = true;
    }

    /// The oldest closed file with this number or a later one that is not compressed.
    pub(super) fn next_to_compress(&self, from: u64) -> Option<LogSegment> {
        let state = lock(&self.state);
        let mut closed = state.segments.iter().filter(|it| it.number >= from);
        closed.find(|it| it.place == SegmentPlace::Closed).copied()
    }

    /// Notes that a file was compressed. Returns false if it was removed meanwhile.
    pub(super) fn note_compressed(&self, number: u64, disk_bytes: u64) -> bool {
        let mut state = lock(&self.state);
        state.is_changed = true;
        let segment = state.segments.iter_mut().find(|it| it.number == number);
        let Some(segment) = segment else {
            return false;
        };
        segment.place = SegmentPlace::Compressed;
        segment.disk_bytes = disk_bytes;
        true
    }

    /// The segment of a position, or the first one after it; `None` if there is none.
    pub(super) fn at(&self, number: u64) -> Option<LogSegment> {
        let state = lock(&self.state);
        state
            .segments
            .iter()
            .find(|it| it.number >= number)
            .copied()
    }

    /// The segment with this number, if it is in the list.
    pub(super) fn exactly_at(&self, number: u64) -> Option<LogSegment> {
        self.at(number).filter(|it| it.number == number)
    }

    /// All files, from the oldest on.
    pub(super) fn segments(&self) -> Vec<LogSegment> {
        lock(&self.state).segments.iter().copied().collect()
    }

    /// The ID of the list.
    pub(super) fn list(&self) -> u64 {
        lock(&self.state).list
    }

    /// The position of the oldest line.
    pub(super) fn start(&self) -> LogPosition {
        let state = lock(&self.state);
        match state.segments.front() {
            Some(oldest) => oldest.start(state.list),
            None => state.end(),
        }
    }

    /// The position after the newest line.
    pub(super) fn end(&self) -> LogPosition {
        lock(&self.state).newest_end()
    }

    /// The position after the newest line that this process has found, before it wrote any.
    pub(super) fn found_end(&self) -> LogPosition {
        let state = lock(&self.state);
        state.found_end.unwrap_or_else(|| state.newest_end())
    }

    /// The number of the line after the newest one; `None` in a child made by `fork` if a thread of the parent held the lock.
    pub(super) fn end_line(&self) -> Option<u64> {
        lock_for_status(&self.state).map(|it| it.next_line)
    }

    /// The bytes on the disk; `None` in a child made by `fork` if a thread of the parent held the lock.
    pub(super) fn totals(&self) -> Option<u64> {
        let state = lock_for_status(&self.state)?;
        let kept = state
            .segments
            .iter()
            .filter(|it| it.place != SegmentPlace::Moved);
        Some(kept.map(|it| it.disk_bytes).sum())
    }
}

impl CatalogState {
    fn manifest(&self) -> SegmentManifest {
        let mut segments: Vec<_> = self.segments.iter().copied().collect();
        let mut next_line = self.next_line;
        if let Some(current) = segments.last_mut().filter(|it| it.is_current()) {
            current.lines = current.lines.saturating_sub(self.unsynced.lines);
            current.bytes = current.bytes.saturating_sub(self.unsynced.bytes);
            current.disk_bytes = current.bytes;
            next_line = current.end_line();
        }
        SegmentManifest {
            list: self.list,
            next_segment: self.next_segment,
            next_line,
            segments,
        }
    }

    fn add(&mut self, segment: LogSegment) {
        self.next_segment = segment.number + 1;
        self.next_line = segment.end_line();
        self.unsynced = LineCount::default();
        self.segments.push_back(segment);
        self.is_changed = true;
    }

    /// Removes the oldest renamed file if there are too many. A reader counts what it has not read of it as missed.
    fn forget_oldest_moved(&mut self) {
        let is_moved = |it: &LogSegment| it.place == SegmentPlace::Moved;
        if self.segments.iter().filter(|it| is_moved(it)).count() > MAX_MOVED
            && let Some(oldest) = self.segments.iter().position(is_moved)
        {
            self.segments.remove(oldest);
        }
    }

    fn current_mut(&mut self) -> Option<&mut LogSegment> {
        self.segments.back_mut().filter(|it| it.is_current())
    }

    /// The position after the newest line.
    fn newest_end(&self) -> LogPosition {
        match self.segments.back() {
            Some(newest) => newest.end(self.list),
            None => self.end(),
        }
    }

    /// Where the next file will begin.
    fn end(&self) -> LogPosition {
        LogPosition {
            list: self.list,
            segment: self.next_segment,
            offset: 0,
            line: self.next_line,
        }
    }
}
