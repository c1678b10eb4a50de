use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;
use std::sync::Arc;

use super::catalog::{SegmentCatalog, SegmentLimits};
use super::file_id::id_of;
use super::scan::{LineCount, count_lines};
use super::segment::LogSegment;
use crate::files::list_directory;

/// If a file cannot be rolled, it is tried again after this many bytes more.
const RETRY_AFTER: u64 = 1 << 20;

/// The limits of the files of one name.
#[derive(Debug, Clone, Copy)]
pub(super) struct RollingLimits {
    /// A file that has so many bytes is followed by another one.
    pub(super) max_file_bytes: u64,
    /// Those of all files.
    pub(super) all: SegmentLimits,
    /// Their permissions, as a number of Unix.
    pub(super) permissions: u32,
}

/// Writes lines to files of one name.
///
/// A line is in the files completely, or not at all: what was written of it when a write failed is cut off again.
pub(super) struct RollingFile {
    catalog: Arc<SegmentCatalog>,
    limits: RollingLimits,
    open: Option<OpenSegment>,
    /// Why lines of a file that is closed by now could not be synced.
    failed_sync: Option<io::Error>,
}

struct OpenSegment {
    file: File,
    /// Nothing is appended to it any more: what it has after its last line is not known.
    is_spoiled: bool,
    /// Whether its name is still to be synced.
    is_new: bool,
    /// Whether something was written since the last sync.
    is_unsynced: bool,
    /// It is not rolled before it has so many bytes.
    no_roll_before: u64,
}

impl RollingFile {
    pub(super) fn new(catalog: Arc<SegmentCatalog>, limits: RollingLimits) -> Self {
        Self {
            catalog,
            limits,
            open: None,
            failed_sync: None,
        }
    }

    /// Writes complete lines on a day. Returns how many bytes of them are written, up to the end of a line.
    ///
    /// # Errors
    ///
    /// Returns an error if nothing is written.
    pub(super) fn append(&mut self, lines: &[u8], day: u64) -> io::Result<usize> {
        self.catalog.load()?;
        self.follow_rename()?;
        let segment = self.open(day)?;
        let segment = self.follow_truncation(segment, 0)?;
        let segment = self.roll_if_due(segment, day)?;
        let Some(open) = &mut self.open else {
            return Err(ErrorKind::NotFound.into());
        };
        let (written, failed) = write_up_to_error(&mut open.file, lines);
        let complete = lines.get(..written).map_or(0, whole_lines);
        open.is_unsynced |= complete > 0;
        if complete < written {
            let end = segment.bytes + written as u64;
            // The position of the torn part is known only if nobody has truncated the file meanwhile.
            let is_at_end = open.file.metadata().is_ok_and(|it| it.len() == end);
            let cut = segment.bytes + complete as u64;
            open.is_spoiled |= !is_at_end || open.file.set_len(cut).is_err();
        }
        if complete == 0 {
            return Err(failed.unwrap_or_else(|| ErrorKind::WriteZero.into()));
        }
        let count = LineCount::of(lines.get(..complete).unwrap_or_default());
        // Before the lines are in the list, so that no reader takes the file for longer than it is.
        let is_whole = open
            .file
            .metadata()
            .is_ok_and(|it| it.len() >= segment.bytes + count.bytes);
        if is_whole {
            self.catalog.advance(count);
        } else {
            self.follow_truncation(segment, count.lines)?;
        }
        // A file that cannot be removed is tried again with the next lines.
        let _later = self.catalog.make_room(self.limits.all);
        Ok(complete)
    }

    /// Syncs what was written to the disk.
    ///
    /// # Errors
    ///
    /// Returns an error if that fails, or failed for a file that was closed since the last call. Nothing more is written to a
    /// file that could not be synced.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        let synced = self.sync_open();
        self.failed_sync.take().map_or(synced, Err)
    }

    /// Syncs the open file before it is closed. A failure is kept for the next [`sync`](Self::sync).
    fn sync_last(&mut self) {
        if let Err(error) = self.sync_open() {
            self.failed_sync = Some(error);
        }
    }

    fn sync_open(&mut self) -> io::Result<()> {
        let Some(open) = self.open.as_mut().filter(|it| it.is_unsynced) else {
            return Ok(());
        };
        let synced = open.file.sync_data();
        // A second sync of this file would succeed without its data.
        open.is_unsynced = false;
        open.is_spoiled |= synced.is_err();
        synced?;
        if std::mem::take(&mut open.is_new) {
            sync_directory(&self.catalog.directory)?;
        }
        self.catalog.note_synced();
        Ok(())
    }

    /// Leaves the file if another program has renamed or removed it.
    fn follow_rename(&mut self) -> io::Result<()> {
        let Some(current) = self.catalog.current() else {
            self.open = None;
            return Ok(());
        };
        let at_path = match fs::symlink_metadata(self.catalog.current_path()) {
            Ok(found) => Some(id_of(&found)).filter(|_| found.is_file()),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if at_path != Some(current.id) {
            // What was written to it is synced here, as nothing holds it open any more.
            self.sync_last();
            self.open = None;
            self.catalog.note_moved();
        }
        Ok(())
    }

    /// Opens the current file, or creates one.
    fn open(&mut self, day: u64) -> io::Result<LogSegment> {
        if let (Some(_), Some(current)) = (&self.open, self.catalog.current()) {
            return Ok(current);
        }
        let path = self.catalog.current_path();
        let (file, is_new) = open_file(&path, self.limits.permissions)?;
        let id = id_of(&file.metadata()?);
        let current = self.catalog.current().filter(|it| it.id == id);
        let segment = match current {
            Some(current) => current,
            // Another program may have created it, with something in it.
            None => self.catalog.begin(id, day, count_lines(&path, false)?)?,
        };
        self.open = Some(OpenSegment {
            file,
            is_spoiled: false,
            is_new,
            is_unsynced: false,
            no_roll_before: 0,
        });
        Ok(segment)
    }

    /// Looks whether another program has truncated the file, after `since` lines that the list has not yet.
    fn follow_truncation(&mut self, segment: LogSegment, since: u64) -> io::Result<LogSegment> {
        let Some(open) = &mut self.open else {
            return Ok(segment);
        };
        let len = open.file.metadata()?.len();
        if len >= segment.bytes && since == 0 {
            // Another program has appended to it. Lines of ours that follow would not be where the list has them.
            open.is_spoiled |= len > segment.bytes;
            return Ok(segment);
        }
        let left = count_lines(&self.catalog.current_path(), false)?;
        self.catalog.note_truncated(left, since);
        self.catalog.save()?;
        Ok(self.catalog.current().unwrap_or(segment))
    }

    /// Closes the file and begins another one, if it is full, of another day, or spoiled.
    fn roll_if_due(&mut self, segment: LogSegment, day: u64) -> io::Result<LogSegment> {
        let Some(open) = &mut self.open else {
            return Ok(segment);
        };
        // A clock that is set back by a little over midnight begins no file. One that was a day or more ahead does.
        let is_other_day = day > segment.day || day + 1 < segment.day;
        let is_full = segment.bytes >= self.limits.max_file_bytes;
        let is_due = (is_full || is_other_day) && segment.bytes > 0;
        if !open.is_spoiled && (!is_due || segment.bytes < open.no_roll_before) {
            return Ok(segment);
        }
        let was_spoiled = open.is_spoiled;
        self.sync_last();
        if let Err(error) = self.catalog.close_current() {
            if was_spoiled {
                return Err(error);
            }
            // It is better to go on with a file that is too long than to drop lines.
            if let Some(open) = &mut self.open {
                open.no_roll_before = segment.bytes + RETRY_AFTER;
            }
            return Ok(segment);
        }
        self.open = None;
        self.open(day)
    }
}

/// The end of the last line in these bytes.
fn whole_lines(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .rposition(|it| *it == b'\n')
        .map_or(0, |at| at + 1)
}

/// Writes until everything is written or a write fails. Returns the number of bytes that are written.
fn write_up_to_error(file: &mut File, bytes: &[u8]) -> (usize, Option<io::Error>) {
    let mut written = 0;
    while let Some(rest) = bytes.get(written..).filter(|it| !it.is_empty()) {
        match file.write(rest) {
            Ok(0) => return (written, Some(ErrorKind::WriteZero.into())),
            Ok(len) => written += len,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return (written, Some(error)),
        }
    }
    (written, None)
}

/// Opens a file to append to it, and creates it with these permissions if it is missing. Returns whether it is new.
fn open_file(path: &Path, permissions: u32) -> io::Result<(File, bool)> {
    // Never through a symbolic link, which may lead out of the directory.
    if fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink()) {
        fs::remove_file(path)?;
    }
    match create_file(path, permissions) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Ok((OpenOptions::new().append(true).open(path)?, false))
        }
        // The directory was removed.
        Err(error) if error.kind() == ErrorKind::NotFound => {
            if let Some(directory) = path.parent() {
                list_directory(directory)?;
            }
            Ok((create_file(path, permissions)?, true))
        }
        created => Ok((created?, true)),
    }
}

/// Creates a file to append to, with these permissions whatever the umask is.
#[cfg(unix)]
pub(super) fn create_file(path: &Path, permissions: u32) -> io::Result<File> {
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
    let mut options = OpenOptions::new();
    let file = options
        .append(true)
        .create_new(true)
        .mode(permissions)
        .open(path)?;
    file.set_permissions(fs::Permissions::from_mode(permissions))?;
    Ok(file)
}

#[cfg(not(unix))]
pub(super) fn create_file(path: &Path, _: u32) -> io::Result<File> {
    OpenOptions::new().append(true).create_new(true).open(path)
}

#[cfg(unix)]
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(not(unix))]
pub(super) fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_failed_sync_of_a_closed_file_is_reported_once() {
        let directory = tempfile::tempdir().unwrap();
        let catalog = Arc::new(SegmentCatalog::new(directory.path(), "combined"));
        let limits = RollingLimits {
            max_file_bytes: 10,
            all: SegmentLimits {
                max_bytes: u64::MAX,
                max_closed: 10,
            },
            permissions: 0o640,
        };
        let mut files = RollingFile::new(catalog, limits);
        for is_renamed in [true, false] {
            files.append(b"1\n", 1).unwrap();
            let open = files.open.as_mut().unwrap();
            // A device that cannot be synced.
            open.file = File::open("/dev/null").unwrap();
            if is_renamed {
                let name = files.catalog.current_path();
                fs::rename(&name, name.with_extension("moved")).unwrap();
                files.append(b"2\n", 1).unwrap();
            } else {
                files.sync_last();
                files.open = None;
            }
            assert!(files.sync().is_err());
            files.sync().unwrap();
        }
    }
}
