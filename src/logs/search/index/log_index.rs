use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use super::block_facts::BlockFacts;
use super::index_file::{IndexOwner, append, read_facts};
use super::known_facts::KnownFacts;
use super::postponed::PostponedFiles;
use super::segment_index::SegmentIndex;
use super::word_filter::WordFilter;
use crate::files::list_directory;
use crate::logs::files::{
    BlockCutter, LogFiles, LogSegment, MEMBER, SegmentPlace, members, read_member,
};
use crate::model::{Diagnostics, lock, lock_for_status};

/// The bytes of lines that are indexed at once. The rest waits for the next run, so that a start with many files without an
/// index takes no more than a part of one CPU.
const MAX_RUN: u64 = 8 << 20;
/// The facts that stay in memory, in blocks: 4 MiB, for 16 GiB of lines.
const MAX_BLOCKS: usize = 64 * 1024;
/// After a failure of the directory, so many runs are left out.
const PAUSE: u32 = 60;

/// The indexes of the log files.
pub(crate) struct LogIndex {
    files: Arc<LogFiles>,
    directory: PathBuf,
    diagnostics: Arc<Diagnostics>,
    known: Mutex<KnownFacts>,
    postponed: Mutex<PostponedFiles>,
    /// Runs that are left out.
    pause: AtomicU32,
    is_reported: AtomicBool,
}

/// Why blocks of a file of lines are not indexed.
enum IndexFailure {
    /// The lines cannot be read.
    Lines(io::Error),
    /// The index cannot be read or written.
    Index(io::Error),
}

impl LogIndex {
    pub(crate) fn new(files: &Arc<LogFiles>, diagnostics: &Arc<Diagnostics>) -> Self {
        Self {
            files: Arc::clone(files),
            directory: files.directory().join("index"),
            diagnostics: Arc::clone(diagnostics),
            known: Mutex::new(KnownFacts::new(MAX_BLOCKS)),
            postponed: Mutex::default(),
            pause: AtomicU32::new(0),
            is_reported: AtomicBool::new(false),
        }
    }

    /// An index in another directory.
    #[cfg(test)]
    pub(super) fn at(files: &Arc<LogFiles>, directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            ..Self::new(files, &Arc::default())
        }
    }

    /// An index that has no more than so many blocks in memory.
    #[cfg(test)]
    pub(super) fn with_room(files: &Arc<LogFiles>, max_blocks: usize) -> Self {
        Self {
            known: Mutex::new(KnownFacts::new(max_blocks)),
            ..Self::new(files, &Arc::default())
        }
    }

    /// The files of lines.
    pub(in crate::logs::search) fn files(&self) -> &LogFiles {
        &self.files
    }

    /// Indexes the blocks that are complete. A failure is reported once, and tried again after a minute.
    pub(crate) fn tick(&self) {
        let pause = self.pause.load(Relaxed);
        if pause > 0 {
            self.pause.store(pause - 1, Relaxed);
            return;
        }
        if let Err(error) = self.run(MAX_RUN) {
            self.pause.store(PAUSE, Relaxed);
            if !self.is_reported.swap(true, Relaxed) {
                self.diagnostics.report(format!(
                    "the index of the log files in `{}` cannot be written ({error}): searches read more of the files; it is tried again every minute",
                    self.directory.display()
                ));
            }
        } else {
            self.is_reported.store(false, Relaxed);
        }
    }

    /// The number of files of lines that cannot be indexed now. `None` in a child made by `fork` if a thread of the parent held
    /// the lock.
    pub(crate) fn unindexed(&self) -> Option<usize> {
        lock_for_status(&self.postponed).map(|it| it.len())
    }

    /// Indexes about so many bytes, the newest files first. Returns whether everything is indexed that can be.
    ///
    /// # Errors
    ///
    /// Returns an error if the indexes of two files cannot be written. That of one may be its own fault.
    pub(super) fn run(&self, max_bytes: u64) -> io::Result<bool> {
        let (list, segments) = self.files.segments()?;
        if segments.is_empty() {
            return Ok(true);
        }
        lock(&self.postponed).begin_run();
        let (mut left, mut is_unwritable) = (max_bytes, false);
        for segment in &segments {
            if lock(&self.postponed).has(segment.number) {
                continue;
            }
            let owner = IndexOwner {
                list,
                segment: segment.number,
            };
            match self.index(segment, owner, left) {
                Ok(indexed) => {
                    lock(&self.postponed).remove(segment.number);
                    left = left.saturating_sub(indexed);
                }
                Err(failure) => {
                    let is_index = matches!(failure, IndexFailure::Index(_));
                    let (IndexFailure::Lines(error) | IndexFailure::Index(error)) = failure;
                    if is_index && is_unwritable {
                        return Err(error);
                    }
                    is_unwritable |= is_index;
                    self.postpone(segment.number, &error);
                }
            }
            if left == 0 {
                return Ok(false);
            }
        }
        self.remove_others(&segments)
    }

    /// Leaves a file out of the next runs. The first one is reported.
    fn postpone(&self, segment: u64, error: &io::Error) {
        if lock(&self.postponed).add(segment) {
            self.diagnostics.report(format!(
                "the log file with the number {segment} in `{}` cannot be indexed ({error}): searches read all of it; it is tried again later, and the gauge watchpost_log_files_unindexed has the number of such files",
                self.files.directory().display()
            ));
        }
    }

    /// Indexes a file of lines from where its index ends. Returns the number of bytes that were indexed.
    fn index(
        &self,
        segment: &LogSegment,
        owner: IndexOwner,
        max_bytes: u64,
    ) -> Result<u64, IndexFailure> {
        let known = lock(&self.known).whole(owner);
        if known.is_some_and(|it| !is_due(segment, it.end)) {
            return Ok(0);
        }
        match self.add_blocks(segment, owner, max_bytes) {
            // Somebody has removed or cut the index since its facts were read. It goes on where it ends now.
            Err(IndexFailure::Index(error))
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::UnexpectedEof) =>
            {
                self.add_blocks(segment, owner, max_bytes)
            }
            added => added,
        }
    }

    fn add_blocks(
        &self,
        segment: &LogSegment,
        owner: IndexOwner,
        max_bytes: u64,
    ) -> Result<u64, IndexFailure> {
        let blocks = self.facts(segment, owner).map_err(IndexFailure::Index)?;
        let begun = blocks.last().map_or(0, |block| block.end);
        if !is_due(segment, begun) {
            return Ok(0);
        }
        let opened = self.files.open(segment).map_err(IndexFailure::Lines)?;
        let Some((segment, mut file)) = opened else {
            return Ok(0);
        };
        let mut writer = IndexWriter {
            path: self.path(owner.segment),
            owner,
            blocks: blocks.to_vec(),
            words: WordFilter::new(),
        };
        let max_end = begun.saturating_add(max_bytes);
        let added = if segment.place == SegmentPlace::Compressed {
            add_members(&mut file, &mut writer, max_end)
        } else {
            self.add_lines(&segment, file, &mut writer, max_end)
        };
        let indexed = writer.end() - begun;
        if matches!(added, Err(IndexFailure::Index(_))) {
            // The file is not what is known of it.
            lock(&self.known).forget(owner.segment);
        } else {
            lock(&self.known).set(owner, Arc::new(writer.blocks));
        }
        added?;
        let is_closed = segment.place != SegmentPlace::Current && self.files.has(segment.number);
        if indexed == 0 && is_closed {
            // It is damaged or shorter than it was: no run would come any further.
            return Err(IndexFailure::Lines(ErrorKind::InvalidData.into()));
        }
        Ok(indexed)
    }

    /// Adds the blocks of a file that is not compressed.
    fn add_lines(
        &self,
        segment: &LogSegment,
        mut file: File,
        writer: &mut IndexWriter,
        max_end: u64,
    ) -> Result<(), IndexFailure> {
        let begun = writer.end();
        file.seek(SeekFrom::Start(begun))
            .map_err(IndexFailure::Lines)?;
        let mut rest = file.take(segment.bytes.saturating_sub(begun));
        let mut cutter = BlockCutter::default();
        while writer.end() < max_end
            && let Some(block) = cutter.next(&mut rest).map_err(IndexFailure::Lines)?
        {
            // Lines may follow in this block.
            let is_open = block.len() < MEMBER && segment.place == SegmentPlace::Current;
            // Another program may have truncated the file, so that these are other lines.
            if is_open || !self.files.has(segment.number) {
                break;
            }
            writer.add(block).map_err(IndexFailure::Index)?;
        }
        Ok(())
    }

    /// The facts of a file of lines, from memory or from its index.
    fn facts(&self, segment: &LogSegment, owner: IndexOwner) -> io::Result<Arc<Vec<BlockFacts>>> {
        let known = lock(&self.known).blocks(owner);
        if let Some(blocks) = known {
            return Ok(blocks);
        }
        let read = match read_facts(&self.path(owner.segment), owner) {
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            read => read?,
        };
        let mut blocks = read.unwrap_or_default();
        // The end of the lines was lost with the power, or is another one: the index is made again.
        if blocks.last().is_some_and(|block| block.end > segment.bytes) {
            blocks.clear();
        }
        let blocks = Arc::new(blocks);
        lock(&self.known).set(owner, Arc::clone(&blocks));
        Ok(blocks)
    }

    /// All blocks of a file of lines as one; `None` if none is indexed.
    pub(in crate::logs::search) fn whole(
        &self,
        list: u64,
        segment: &LogSegment,
    ) -> Option<BlockFacts> {
        let owner = IndexOwner {
            list,
            segment: segment.number,
        };
        let known = lock(&self.known).whole(owner);
        known.or_else(|| BlockFacts::whole(&self.facts(segment, owner).ok()?))
    }

    /// The index of a file of lines. Without one, it has no block.
    pub(in crate::logs::search) fn open(&self, list: u64, segment: &LogSegment) -> SegmentIndex {
        let owner = IndexOwner {
            list,
            segment: segment.number,
        };
        match self.facts(segment, owner) {
            Ok(blocks) => SegmentIndex::open(&self.path(owner.segment), blocks),
            Err(_) => SegmentIndex::empty(),
        }
    }

    /// Removes an index that is damaged, so that it is made again.
    pub(in crate::logs::search) fn forget(&self, segment: u64) {
        // If it cannot be removed, the search goes on without it as well.
        let _kept = fs::remove_file(self.path(segment));
        lock(&self.known).forget(segment);
    }

    fn path(&self, segment: u64) -> PathBuf {
        self.directory.join(format!("{segment:06}"))
    }

    /// Removes the indexes of files of lines that are gone, and what is known of indexes that somebody has removed. Returns
    /// whether there is none of the latter.
    fn remove_others(&self, segments: &[LogSegment]) -> io::Result<bool> {
        let numbers: BTreeSet<_> = segments.iter().map(|it| it.number).collect();
        lock(&self.postponed).retain(|number| numbers.contains(&number));
        let mut found = BTreeSet::new();
        if self.directory.exists() {
            for (name, _) in list_directory(&self.directory)? {
                let Ok(number) = name.parse() else { continue };
                if numbers.contains(&number) {
                    found.insert(number);
                } else {
                    remove(&self.directory.join(name))?;
                }
            }
        }
        let mut known = lock(&self.known);
        Ok(known.retain(
            |number| numbers.contains(&number),
            |number| found.contains(&number),
        ))
    }
}

/// Adds blocks to an index.
struct IndexWriter {
    path: PathBuf,
    owner: IndexOwner,
    blocks: Vec<BlockFacts>,
    words: WordFilter,
}

impl IndexWriter {
    fn end(&self) -> u64 {
        self.blocks.last().map_or(0, |block| block.end)
    }

    fn add(&mut self, block: &[u8]) -> io::Result<()> {
        self.words.clear();
        let facts = BlockFacts::of(self.end(), block, &mut self.words);
        let number = self.blocks.len();
        if number == 0
            && let Some(directory) = self.path.parent()
        {
            // It makes the directory.
            list_directory(directory)?;
        }
        append(&self.path, self.owner, number, (&facts, &self.words))?;
        self.blocks.push(facts);
        Ok(())
    }
}

/// Whether a file of lines has blocks that can be indexed, if its index ends at a byte.
fn is_due(segment: &LogSegment, end: u64) -> bool {
    let left = segment.bytes.saturating_sub(end);
    if segment.place == SegmentPlace::Current {
        left >= MEMBER as u64
    } else {
        left > 0
    }
}

/// Adds the blocks of a compressed file. What is damaged is not indexed, and so is what follows it.
fn add_members(
    file: &mut File,
    writer: &mut IndexWriter,
    max_end: u64,
) -> Result<(), IndexFailure> {
    let begun = writer.end();
    let mut block = Vec::new();
    let all = members(file).map_err(IndexFailure::Lines)?;
    for member in all.iter().filter(|it| it.start >= begun) {
        if member.start != writer.end() || writer.end() >= max_end {
            break;
        }
        match read_member(file, member, &mut block) {
            Ok(()) => writer.add(&block).map_err(IndexFailure::Index)?,
            Err(error) if is_damage(&error) => break,
            Err(error) => return Err(IndexFailure::Lines(error)),
        }
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn is_damage(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::UnexpectedEof
    )
}
