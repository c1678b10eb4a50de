//! The ring of files: writing to the newest, and removing the oldest.

use std::io::{self, ErrorKind};
use std::sync::Arc;

use super::class::TraceClass;
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

/// Makes the access to the directory, for the writer and for each search.
pub(super) type OpenFiles = dyn Fn() -> Box<dyn Files> + Send + Sync;

/// Appends records to files, and removes old files to make room.
///
/// Nothing is appended to a file of an earlier process or to a file on which a write or a sync has failed, because the
/// content of such a file is unknown.
pub(super) struct TraceSegments {
    /// The access of each class, which has its own file that is appended to.
    files: [Box<dyn Files>; TraceClass::ALL.len()],
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
        open_files: &OpenFiles,
        list: Arc<SegmentList>,
        max_bytes: u64,
        wall: u64,
    ) -> io::Result<Self> {
        let mut files = TraceClass::ALL.map(|_| open_files());
        let [first_files, ..] = &mut files;
        let mut found = Vec::new();
        for (name, bytes) in first_files.list()? {
            if let Some(version) = version_of(&name).filter(|version| *version > VERSION) {
                return Err(too_new(version));
            }
            if let Some((first, class)) = first_of(&name) {
                found.push(TraceSegment {
                    name: name.into(),
                    class,
                    first,
                    bytes,
                    contents: None,
                    is_checked: false,
                });
            }
        }
        found.sort_by_key(|segment| segment.first);
        // A file has fewer records than bytes, so this number is greater than all in it.
        let beyond = found.iter().map(|file| file.first + file.bytes + 1);
        let beyond = beyond.max().unwrap_or(1);
        let mut state = list.lock();
        state.segments = found.into();
        state.is_open = [false; TraceClass::ALL.len()];
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

    /// Appends some of the first records, which have one class, and syncs them to the disk. Returns their number. After an
    /// error none of these counts as stored; they may be appended again.
    pub(super) fn append(&mut self, records: &[(u64, Vec<u8>)]) -> io::Result<usize> {
        let Some((_, body)) = records.first() else {
            return Ok(0);
        };
        let class = class_of(body);
        let others = records.iter().position(|(_, body)| class_of(body) != class);
        let of_class = records.get(..others.unwrap_or(records.len()));
        let done = self.try_append(class, of_class.unwrap_or_default());
        if done.is_err() {
            self.list.lock().set_open(class, false);
        }
        done
    }

    fn try_append(&mut self, class: TraceClass, records: &[(u64, Vec<u8>)]) -> io::Result<usize> {
        let Some(((first, body), _)) = records.split_first() else {
            return Ok(0);
        };
        let room = self.room(class);
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
            self.list.lock().set_open(class, false);
            self.make_room(class, bytes.len() as u64)?;
            facts().for_each(|it| contents.add(it.ids(), it.start));
            self.begin(class, *first, &bytes, contents)?;
            return Ok(count);
        }
        self.make_room(class, bytes.len() as u64)?;
        // Known before the file has them: a search may read them at once.
        let mut state = self.list.lock();
        if let Some(segment) = state.last_of_mut(class) {
            segment.bytes += bytes.len() as u64;
            if let Some(contents) = &mut segment.contents {
                facts().for_each(|it| contents.add(it.ids(), it.start));
            }
        }
        drop(state);
        let written = self.write(class, &bytes);
        if let Err(error) = written {
            // How much the file got is not known. Counted as nothing, failures do not make older files give way.
            if let Some(segment) = self.list.lock().last_of_mut(class) {
                segment.bytes = segment.bytes.saturating_sub(bytes.len() as u64);
            }
            return Err(error);
        }
        Ok(count)
    }

    /// The bytes that still fit into the current file of a class; `None` without one.
    fn room(&self, class: TraceClass) -> Option<u64> {
        let state = self.list.lock();
        let last = state.last_of(class).filter(|_| state.is_open(class))?;
        Some(self.max_segment.saturating_sub(last.bytes))
    }

    fn files_of(&mut self, class: TraceClass) -> &mut dyn Files {
        let [failed, slow, sampled] = &mut self.files;
        match class {
            TraceClass::Failed => failed.as_mut(),
            TraceClass::Slow => slow.as_mut(),
            TraceClass::Sampled => sampled.as_mut(),
        }
    }

    /// Appends to the current file of a class, and syncs it.
    fn write(&mut self, class: TraceClass, bytes: &[u8]) -> io::Result<()> {
        let files = self.files_of(class);
        files.append(bytes)?;
        files.sync()
    }

    /// Writes a new file with these bytes.
    fn begin(
        &mut self,
        class: TraceClass,
        first: u64,
        bytes: &[u8],
        contents: SegmentContents,
    ) -> io::Result<()> {
        let name = format!("{PREFIX}{first:016x}{}", class.suffix());
        self.files_of(class).create(&name)?;
        if let Err(error) = self.write(class, bytes) {
            // The next attempt begins a file of the same name.
            drop(self.files_of(class).remove(&name));
            return Err(error);
        }
        let mut state = self.list.lock();
        state.set_open(class, true);
        state.insert(TraceSegment {
            name: name.into(),
            class,
            first,
            bytes: bytes.len() as u64,
            contents: Some(contents),
            is_checked: false,
        });
        Ok(())
    }

    /// Removes files until there is room for `len` bytes of a class, and for another file.
    fn make_room(&mut self, class: TraceClass, len: u64) -> io::Result<()> {
        loop {
            let (oldest, of) = {
                let state = self.list.lock();
                let is_full = state.bytes() + len > self.max_bytes
                    || (!state.is_open(class) && state.segments.len() >= MAX_SEGMENTS);
                let oldest = state.next_to_remove(class, len).filter(|_| is_full);
                let Some(oldest) = oldest else {
                    return Ok(());
                };
                (Arc::clone(&oldest.name), oldest.class)
            };
            match self.files_of(of).remove(&oldest) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {
                    let mut state = self.list.lock();
                    // It may be the one that its class is appended to.
                    if state.is_current(&oldest) {
                        state.set_open(of, false);
                    }
                    state.forget(&oldest);
                }
            }
        }
    }
}

/// The class of a record that is to be stored.
pub(super) fn class_of(body: &[u8]) -> TraceClass {
    let facts = StoredFacts::read(body);
    facts.map_or(TraceClass::Sampled, |facts| TraceClass::of(facts.kept))
}

/// The version of the format of a file, by its name.
fn version_of(name: &str) -> Option<u64> {
    let (version, _) = name.strip_prefix('v')?.split_once('-')?;
    version.parse().ok()
}

/// The number of the first record of a file, and its class, by its name.
fn first_of(name: &str) -> Option<(u64, TraceClass)> {
    let (digits, suffix) = name.strip_prefix(PREFIX)?.split_at_checked(16)?;
    let mut classes = TraceClass::ALL.into_iter();
    let class = classes.find(|class| class.suffix() == suffix)?;
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let first = u64::from_str_radix(digits, 16).ok().filter(|_| is_hex)?;
    // Our numbers are at most nanoseconds of the wall clock: a larger one is not from us.
    (first < MAX_NUMBER).then_some((first, class))
}

fn too_new(version: u64) -> io::Error {
    let text = format!(
        "its files have format {version}, and this version reads format {VERSION}: run the newer version again, or move \
         the files away"
    );
    io::Error::new(ErrorKind::Unsupported, text)
}
