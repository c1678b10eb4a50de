use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use super::block_facts::BlockFacts;
use super::index_file::{IndexOwner, append, read_facts};
use super::segment_index::SegmentIndex;
use super::word_filter::WordFilter;
use crate::files::list_directory;
use crate::logs::files::{
    BlockCutter, LogFiles, LogSegment, MEMBER, SegmentPlace, members, read_member,
};
use crate::model::{Diagnostics, lock};

/// The bytes of lines that are indexed at once. The rest waits for the next run, so that a start with many files without an
/// index takes no more than a part of one CPU.
const MAX_RUN: u64 = 8 << 20;
/// The facts that stay in memory, in blocks: 4 MiB, for 16 GiB of lines.
const MAX_BLOCKS: usize = 64 * 1024;
/// After a failure, so many runs are left out.
const PAUSE: u32 = 60;

/// The indexes of the log files.
pub(crate) struct LogIndex {
    files: Arc<LogFiles>,
    directory: PathBuf,
    diagnostics: Arc<Diagnostics>,
    /// The facts of files of lines, by their numbers. They are in the files too.
    known: Mutex<KnownFacts>,
    /// Runs that are left out.
    pause: AtomicU32,
    is_reported: AtomicBool,
}

#[derive(Default)]
struct KnownFacts {
    list: u64,
    segments: BTreeMap<u64, Arc<Vec<BlockFacts>>>,
}

impl KnownFacts {
    /// Adds the facts of a file, and removes those of the oldest files if there are too many.
    fn set(&mut self, list: u64, segment: u64, blocks: Arc<Vec<BlockFacts>>) {
        if self.list != list {
            self.segments.clear();
            self.list = list;
        }
        self.segments.insert(segment, blocks);
        while self.segments.values().map(|it| it.len()).sum::<usize>() > MAX_BLOCKS
            && self.segments.len() > 1
        {
            self.segments.pop_first();
        }
    }
}

impl LogIndex {
    pub(crate) fn new(files: &Arc<LogFiles>, diagnostics: &Arc<Diagnostics>) -> Self {
        Self {
            files: Arc::clone(files),
            directory: files.directory().join("index"),
            diagnostics: Arc::clone(diagnostics),
            known: Mutex::default(),
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

    /// Indexes about so many bytes, the newest files first. Returns whether everything is indexed.
    pub(super) fn run(&self, max_bytes: u64) -> io::Result<bool> {
        let (list, segments) = self.files.segments()?;
        if segments.is_empty() {
            return Ok(true);
        }
        let mut left = max_bytes;
        for segment in &segments {
            let owner = IndexOwner {
                list,
                segment: segment.number,
            };
            left = left.saturating_sub(self.index(segment, owner, left)?);
            if left == 0 {
                return Ok(false);
            }
        }
        self.remove_others(&segments)?;
        Ok(true)
    }

    /// Indexes a file of lines from where its index ends. Returns the number of bytes that were indexed.
    fn index(&self, segment: &LogSegment, owner: IndexOwner, max_bytes: u64) -> io::Result<u64> {
        let blocks = self.facts(segment, owner)?;
        let begun = blocks.last().map_or(0, |block| block.end);
        let is_due = if segment.place == SegmentPlace::Current {
            segment.bytes.saturating_sub(begun) >= MEMBER as u64
        } else {
            segment.bytes > begun
        };
        if !is_due {
            return Ok(0);
        }
        let Some((segment, mut file)) = self.files.open(segment)? else {
            return Ok(0);
        };
        let mut writer = IndexWriter {
            path: self.path(owner.segment),
            owner,
            blocks: blocks.to_vec(),
            words: WordFilter::new(),
        };
        let max_end = begun.saturating_add(max_bytes);
        if segment.place == SegmentPlace::Compressed {
            let mut block = Vec::new();
            for member in members(&mut file)?.iter().filter(|it| it.start >= begun) {
                match read_member(&mut file, member, &mut block) {
                    Ok(()) if member.start == writer.end() => writer.add(&block)?,
                    // What is damaged is not indexed, and so is what follows it.
                    Ok(()) => break,
                    Err(error) if is_damage(&error) => break,
                    Err(error) => return Err(error),
                }
                if writer.end() >= max_end {
                    break;
                }
            }
        } else {
            file.seek(SeekFrom::Start(begun))?;
            let mut rest = file.take(segment.bytes.saturating_sub(begun));
            let mut cutter = BlockCutter::default();
            while let Some(block) = cutter.next(&mut rest)? {
                // Lines may follow in this block.
                let is_open = block.len() < MEMBER && segment.place == SegmentPlace::Current;
                // Another program may have truncated the file, so that these are other lines.
                if is_open || !self.files.has(segment.number) {
                    break;
                }
                writer.add(block)?;
                if writer.end() >= max_end {
                    break;
                }
            }
        }
        let indexed = writer.end() - begun;
        lock(&self.known).set(owner.list, owner.segment, Arc::new(writer.blocks));
        Ok(indexed)
    }

    /// The facts of a file of lines, from memory or from its index.
    fn facts(&self, segment: &LogSegment, owner: IndexOwner) -> io::Result<Arc<Vec<BlockFacts>>> {
        {
            let known = lock(&self.known);
            let blocks = known.segments.get(&owner.segment);
            if let Some(blocks) = blocks.filter(|_| known.list == owner.list) {
                return Ok(Arc::clone(blocks));
            }
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
        lock(&self.known).set(owner.list, owner.segment, Arc::clone(&blocks));
        Ok(blocks)
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
        lock(&self.known).segments.remove(&segment);
    }

    fn path(&self, segment: u64) -> PathBuf {
        self.directory.join(format!("{segment:06}"))
    }

    /// Removes the indexes of files of lines that are gone.
    fn remove_others(&self, segments: &[LogSegment]) -> io::Result<()> {
        let numbers: BTreeSet<_> = segments.iter().map(|it| it.number).collect();
        lock(&self.known)
            .segments
            .retain(|number, _| numbers.contains(number));
        if !self.directory.exists() {
            return Ok(());
        }
        for (name, _) in list_directory(&self.directory)? {
            let number = name.parse().ok();
            if number.is_some_and(|number| !numbers.contains(&number)) {
                remove(&self.directory.join(name))?;
            }
        }
        Ok(())
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
