use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use super::block_facts::BlockFacts;
use super::index_file::read_filter;
use super::word_filter::WordFilter;
use crate::logs::search::sieve::Sieve;

/// The index of one file of lines, for one search.
pub(in crate::logs::search) struct SegmentIndex {
    /// From the beginning of the file on, without a gap.
    pub(in crate::logs::search) blocks: Arc<Vec<BlockFacts>>,
    filters: Option<File>,
    words: WordFilter,
    /// Whether a filter could not be read, or the index is gone.
    pub(in crate::logs::search) is_damaged: bool,
}

impl SegmentIndex {
    /// An index without a block.
    pub(in crate::logs::search) fn empty() -> Self {
        Self {
            blocks: Arc::default(),
            filters: None,
            words: WordFilter::new(),
            is_damaged: false,
        }
    }

    pub(super) fn open(path: &Path, blocks: Arc<Vec<BlockFacts>>) -> Self {
        let opened = File::open(path);
        // Somebody has removed it since its facts were read.
        let is_gone = |error: &io::Error| error.kind() == ErrorKind::NotFound;
        Self {
            is_damaged: !blocks.is_empty() && opened.as_ref().is_err_and(is_gone),
            blocks,
            filters: opened.ok(),
            ..Self::empty()
        }
    }

    /// The byte at which the blocks end.
    pub(in crate::logs::search) fn end(&self) -> u64 {
        self.blocks.last().map_or(0, |block| block.end)
    }

    /// The number of the block that begins at a byte.
    pub(in crate::logs::search) fn number_at(&self, start: u64) -> Option<usize> {
        let found = self
            .blocks
            .binary_search_by_key(&start, |block| block.start);
        found.ok()
    }

    /// Whether a block may have the words of a sieve.
    pub(in crate::logs::search) fn may_pass(&mut self, number: usize, sieve: &Sieve) -> bool {
        let Some(file) = &mut self.filters else {
            return true;
        };
        let is_read = read_filter(file, number, &mut self.words).unwrap_or(false);
        self.is_damaged |= !is_read;
        !is_read || sieve.passes_words(&|hash| self.words.may_have(hash))
    }
}
