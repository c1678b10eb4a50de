//! The ring of files: writing to the newest, and removing the oldest.

use std::io::{self, ErrorKind};
use std::sync::Arc;

use super::record::StoredFacts;
use super::segment_list::{SegmentContents, SegmentList, TraceSegment};
use crate::files::{Files, HEAD, HEADER, MAX_BODY, header, put};

/// The start of the name of each file, with the version of the format. The rest is the number of its first record.
const PREFIX: &str = "v1-";
const VERSION: u64 = 1;
/// A file is full at this size, or at an eighth of the limit if that is less.
const MAX_SEGMENT: u64 = 4 << 20;
/// A file is not full below this size.
const MIN_SEGMENT: u64 = 4 << 10;
/// The maximum number of files: each start of the process begins a new one.
const MAX_SEGMENTS: usize = 512;
/// All record numbers are smaller.
const MAX_NUMBER: u64 = 1 << 62;

/// Appends records to files, and removes the oldest files to make room.
///
/// Nothing is appended to a file of an earlier process or to a file on which a write or a sync has failed, because the
/// content of such a file is unknown.
pub(super) struct TraceSegments {
    files: Box<dyn Files>,
    list: Arc<SegmentList>,
    max_bytes: u64,
    max_segment: u64,
    next: u64,
}

impl TraceSegments {
    /// Opens the existing files. New numbers are greater than all in them, and than `wall`.
    ///
    /// # Errors
    ///
    /// Returns an error if the directory cannot be read, or [`ErrorKind::Unsupported`] if a newer version has written
    /// to it. Nothing is changed then.
    pub(super) fn open(
        mut files: Box<dyn Files>,
        list: Arc<SegmentList>,
        max_bytes: u64,
        wall: u64,
    ) -> io::Result<Self> {
        let mut found = Vec::new();
        for (name, bytes) in files.list()? {
            if let Some(version) = version_of(&name).filter(|version| *version > VERSION) {
                return Err(too_new(version));
            }
            if let Some(first) = first_of(&name) {
                found.push(TraceSegment {
                    name: name.into(),
                    first,
                    bytes,
                    contents: None,
                    is_checked: false,
                });
            }
        }
        found.sort_by_key(|segment| segment.first);
        // The last file has fewer records than bytes, so this number is greater than all in it.
        let beyond = found.last().map_or(1, |last| last.first + last.bytes + 1);
        let mut state = list.lock();
        state.segments = found.into();
        state.is_open = false;
        state.is_loaded = true;
        drop(state);
        Ok(Self {
            files,
            list,
            max_bytes,
            max_segment: (max_bytes / 8)
                .clamp(MIN_SEGMENT, MAX_SEGMENT)
                .min(max_bytes),
            next: beyond.max(wall),
        })
    }

    /// Whether a record of this length is too large to be stored.
    pub(super) fn is_too_large(&self, len: usize) -> bool {
        len > MAX_BODY || (HEADER + HEAD + len) as u64 > self.max_bytes
    }

    /// Assigns the next number.
    pub(super) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    /// Appends some of the first records, and syncs them to the disk. Returns their number. After an error none of
    /// these counts as stored; they may be appended again.
    pub(super) fn append(&mut self, records: &[(u64, Vec<u8>)]) -> io::Result<usize> {
        let done = self.try_append(records);
        if done.is_err() {
            self.list.lock().is_open = false;
        }
        done
    }

    fn try_append(&mut self, records: &[(u64, Vec<u8>)]) -> io::Result<usize> {
        let Some(((first, body), _)) = records.split_first() else {
            return Ok(0);
        };
        let room = self.room();
        let is_new = room.is_none_or(|room| ((HEAD + body.len()) as u64) > room);
        let mut bytes = Vec::new();
        if is_new {
            bytes.extend_from_slice(&header(*first));
        }
        let limit = room.filter(|_| !is_new).unwrap_or(self.max_segment);
        let mut contents = SegmentContents::new();
        let mut count = 0;
        for (number, body) in records {
            if count > 0 && (bytes.len() + HEAD + body.len()) as u64 > limit {
                break;
            }
            put(&mut bytes, *number, body);
            count += 1;
        }
        let taken = records.get(..count).unwrap_or_default();
        let facts = || taken.iter().filter_map(|(_, body)| StoredFacts::read(body));
        if is_new {
            self.list.lock().is_open = false;
            self.make_room(bytes.len() as u64)?;
            facts().for_each(|it| contents.add(it.ids(), it.start));
            self.begin(*first, &bytes, contents)?;
            return Ok(count);
        }
        self.make_room(bytes.len() as u64)?;
        // Known before the file has them: a search may read them at once.
        let mut state = self.list.lock();
        if let Some(segment) = state.segments.back_mut() {
            segment.bytes += bytes.len() as u64;
            if let Some(contents) = &mut segment.contents {
                facts().for_each(|it| contents.add(it.ids(), it.start));
            }
        }
        drop(state);
        let written = self.files.append(&bytes).and_then(|()| self.files.sync());
        if let Err(error) = written {
            // How much the file got is not known. Counted as nothing, failures do not make older files give way.
            if let Some(segment) = self.list.lock().segments.back_mut() {
                segment.bytes = segment.bytes.saturating_sub(bytes.len() as u64);
            }
            return Err(error);
        }
        Ok(count)
    }

    /// The bytes that still fit into the current file; `None` without one.
    fn room(&self) -> Option<u64> {
        let state = self.list.lock();
        let last = state.segments.back().filter(|_| state.is_open)?;
        Some(self.max_segment.saturating_sub(last.bytes))
    }

    /// Writes a new file with these bytes.
    fn begin(&mut self, first: u64, bytes: &[u8], contents: SegmentContents) -> io::Result<()> {
        let name = format!("{PREFIX}{first:016x}");
        self.files.create(&name)?;
        let written = self.files.append(bytes).and_then(|()| self.files.sync());
        if let Err(error) = written {
            // The next attempt begins a file of the same name.
            drop(self.files.remove(&name));
            return Err(error);
        }
        let mut state = self.list.lock();
        state.is_open = true;
        state.segments.push_back(TraceSegment {
            name: name.into(),
            first,
            bytes: bytes.len() as u64,
            contents: Some(contents),
            is_checked: false,
        });
        Ok(())
    }

    /// Removes the oldest files until there is room for `len` bytes, and for another file. The current file stays.
    fn make_room(&mut self, len: u64) -> io::Result<()> {
        loop {
            let oldest = {
                let state = self.list.lock();
                let is_full = state.bytes() + len > self.max_bytes
                    || (!state.is_open && state.segments.len() >= MAX_SEGMENTS);
                let oldest = state.segments.front().filter(|_| is_full);
                let Some(oldest) = oldest.filter(|it| !state.is_current(&it.name)) else {
                    return Ok(());
                };
                Arc::clone(&oldest.name)
            };
            match self.files.remove(&oldest) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => self.list.lock().forget(&oldest),
            }
        }
    }
}

/// The version of the format of a file, by its name.
fn version_of(name: &str) -> Option<u64> {
    let (version, _) = name.strip_prefix('v')?.split_once('-')?;
    version.parse().ok()
}

/// The number of the first record of a file, by its name.
fn first_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(PREFIX)?;
    let first = (digits.len() == 16).then(|| u64::from_str_radix(digits, 16).ok())??;
    // Our numbers are at most nanoseconds of the wall clock: a larger one is not from us.
    (first < MAX_NUMBER).then_some(first)
}

fn too_new(version: u64) -> io::Error {
    let text = format!(
        "its files have format {version}, and this version reads format {VERSION}: run the newer version again, or move \
         the files away"
    );
    io::Error::new(ErrorKind::Unsupported, text)
}
