use std::collections::BTreeMap;
use std::sync::Arc;

use super::block_facts::BlockFacts;
use super::index_file::IndexOwner;

/// What of the index is in memory. All of it is in the files too.
pub(super) struct KnownFacts {
    list: u64,
    /// The most blocks that stay here.
    max_blocks: usize,
    /// The facts of the newest files of lines, by their numbers.
    blocks: BTreeMap<u64, Arc<Vec<BlockFacts>>>,
    /// The blocks of each file as one. They stay when the blocks are removed, so that neither the job nor a search reads the
    /// index of a file from which it needs nothing.
    wholes: BTreeMap<u64, BlockFacts>,
}

impl KnownFacts {
    pub(super) fn new(max_blocks: usize) -> Self {
        Self {
            list: 0,
            max_blocks,
            blocks: BTreeMap::new(),
            wholes: BTreeMap::new(),
        }
    }

    /// The facts of a file, if they are here.
    pub(super) fn blocks(&self, owner: IndexOwner) -> Option<Arc<Vec<BlockFacts>>> {
        let blocks = self.blocks.get(&owner.segment);
        blocks.filter(|_| self.list == owner.list).cloned()
    }

    /// All blocks of a file as one, if it has some and they were here once.
    pub(super) fn whole(&self, owner: IndexOwner) -> Option<BlockFacts> {
        let whole = self.wholes.get(&owner.segment);
        whole.filter(|_| self.list == owner.list).copied()
    }

    /// Adds the facts of a file, and removes those of the oldest files if there are too many.
    pub(super) fn set(&mut self, owner: IndexOwner, blocks: Arc<Vec<BlockFacts>>) {
        if self.list != owner.list {
            self.blocks.clear();
            self.wholes.clear();
            self.list = owner.list;
        }
        match BlockFacts::whole(&blocks) {
            Some(whole) => self.wholes.insert(owner.segment, whole),
            None => self.wholes.remove(&owner.segment),
        };
        self.blocks.insert(owner.segment, blocks);
        while self.blocks.values().map(|it| it.len()).sum::<usize>() > self.max_blocks
            && self.blocks.len() > 1
        {
            self.blocks.pop_first();
        }
    }

    /// Removes what is known of a file.
    pub(super) fn forget(&mut self, segment: u64) {
        self.blocks.remove(&segment);
        self.wholes.remove(&segment);
    }

    /// Removes what is known of files that are gone, and of files that have blocks and no index any more. Returns whether there
    /// is none of the latter.
    pub(super) fn retain(
        &mut self,
        is_there: impl Fn(u64) -> bool,
        has_index: impl Fn(u64) -> bool,
    ) -> bool {
        self.blocks.retain(|number, _| is_there(*number));
        self.wholes.retain(|number, _| is_there(*number));
        let mut lost: Vec<_> = self.wholes.keys().copied().collect();
        lost.retain(|number| !has_index(*number));
        for number in &lost {
            self.forget(*number);
        }
        lost.is_empty()
    }
}
