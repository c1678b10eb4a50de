//! What a search reads of the files.

use std::fs::File;
use std::io::{self, ErrorKind};

use super::log_files::LogFiles;
use super::position::LogPosition;
use super::segment::{LogSegment, SegmentPlace};

/// How often a file is looked up again that was renamed or compressed meanwhile.
const ATTEMPTS: usize = 3;

impl LogFiles {
    /// The ID of the list, and the files of all lines, the newest first. Each has complete lines up to its number of bytes.
    ///
    /// # Errors
    ///
    /// Returns an error if the directory cannot be read.
    pub(in crate::logs) fn segments(&self) -> io::Result<(u64, Vec<LogSegment>)> {
        let combined = self.combined();
        combined.load()?;
        let mut segments = combined.segments();
        segments.reverse();
        Ok((combined.list(), segments))
    }

    /// Opens a file, wherever it is now. `None` if it was removed.
    ///
    /// # Errors
    ///
    /// Returns an error if it cannot be opened.
    pub(in crate::logs) fn open(
        &self,
        segment: &LogSegment,
    ) -> io::Result<Option<(LogSegment, File)>> {
        let combined = self.combined();
        let mut is_moved = false;
        for _ in 0..ATTEMPTS {
            let Some(now) = combined.exactly_at(segment.number) else {
                return Ok(None);
            };
            let opened = combined.path_of(&now).and_then(File::open);
            match opened {
                Ok(file) => return Ok(Some((now, file))),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    is_moved = now.place == SegmentPlace::Moved;
                }
                Err(error) => return Err(error),
            }
        }
        // Each look for a renamed file goes over the whole directory, so one that is gone leaves the list.
        if is_moved && self.directory().exists() {
            combined.forget(segment.number);
        }
        Ok(None)
    }

    /// Where the newest line ends: the ID of the list, the number of the file and the byte in it.
    ///
    /// # Errors
    ///
    /// Returns an error if the directory cannot be read.
    pub(in crate::logs) fn end(&self) -> io::Result<(u64, u64, u64)> {
        self.combined().load()?;
        let end = self.combined().end();
        Ok((end.list, end.segment, end.offset))
    }

    /// Visits the lines from a file and a byte on, in their order, until `visit` returns false. Returns where the line begins
    /// that was refused, or the end, and the number of files that could not be read. Lines that are gone are passed over, and so
    /// are files that cannot be read, unless none follows.
    ///
    /// # Errors
    ///
    /// Returns an error if the newest file cannot be read.
    pub(in crate::logs) fn visit_from(
        &self,
        (segment, offset): (u64, u64),
        visit: &mut dyn FnMut((u64, u64), &[u8]) -> bool,
    ) -> io::Result<((u64, u64), u32)> {
        let from = LogPosition {
            list: self.combined().list(),
            segment,
            offset,
            // What is missed is not counted here.
            line: 0,
        };
        let (mut reader, mut line) = (self.reader(Some(from))?, Vec::new());
        let mut unreadable = 0;
        loop {
            match reader.next_line(&mut line) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) if !reader.pass_over() => return Err(error),
                Err(_) => {
                    unreadable += 1;
                    continue;
                }
            }
            let after = reader.position();
            let start = after.offset.saturating_sub(line.len() as u64 + 1);
            if !visit((after.segment, start), &line) {
                return Ok(((after.segment, start), unreadable));
            }
        }
        let end = reader.position();
        Ok(((end.segment, end.offset), unreadable))
    }

    /// Whether the file with this number is in the list.
    pub(in crate::logs) fn has(&self, number: u64) -> bool {
        self.combined().exactly_at(number).is_some()
    }
}
