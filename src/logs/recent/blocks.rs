use std::collections::VecDeque;
use std::sync::Arc;

use crate::model::RecordKind;

/// The bytes of a block, unless the limit is small or one entry is larger.
const BLOCK: usize = 64 * 1024;
/// The memory of a block in addition to its bytes.
const OVERHEAD: usize = size_of::<EntryBlock>() + size_of::<Arc<EntryBlock>>() + 16;
/// Bytes of an entry's head: its length, kind and time.
const HEAD: usize = 4 + 1 + 8;

/// Records in blocks of memory. When the limit is reached, the oldest blocks are freed.
///
/// Full blocks never change, so a reader shares them and decodes them without the lock.
#[derive(Debug)]
pub(super) struct LogBlocks {
    max_bytes: usize,
    block_bytes: usize,
    full: VecDeque<Arc<EntryBlock>>,
    open: EntryBlock,
    /// The memory of all blocks, with what is still free in the open one.
    bytes: usize,
    /// The sequence of the next record.
    next: u64,
}

/// A block of entries.
#[derive(Debug, Default)]
pub(super) struct EntryBlock {
    /// The sequence of its first entry.
    first: u64,
    entries: u64,
    bytes: Vec<u8>,
}

/// A record in memory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct LogEntry<'a> {
    pub(super) sequence: u64,
    pub(super) kind: RecordKind,
    /// Nanoseconds since the Unix epoch.
    pub(super) wall: u64,
    pub(super) body: &'a [u8],
}

/// Blocks that a reader holds, in order, and the sequences of the records in memory.
#[derive(Debug, Default)]
pub(super) struct HeldBlocks {
    pub(super) blocks: Vec<Arc<EntryBlock>>,
    pub(super) oldest: u64,
    pub(super) newest: u64,
}

impl LogBlocks {
    pub(super) fn new(max_bytes: usize) -> Self {
        // At least 16 blocks, so that little is removed at a time, unless they would be tiny.
        let block_bytes = (max_bytes / 16).clamp(4096, BLOCK);
        Self {
            max_bytes,
            block_bytes: block_bytes.min(max_bytes.saturating_sub(OVERHEAD)),
            full: VecDeque::new(),
            open: EntryBlock::default(),
            bytes: 0,
            next: 1,
        }
    }

    /// Adds a record, unless it is larger than the limit.
    pub(super) fn add(&mut self, kind: RecordKind, wall: u64, body: &[u8]) {
        let cost = HEAD + body.len();
        if self.open.room() < cost && !self.begin(cost) {
            return;
        }
        self.next += 1;
        self.open.entries += 1;
        // The queue takes no longer records than 64 KiB, and notices are cut.
        let len = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let mut head = [0; HEAD];
        let (number, rest) = head.split_at_mut(4);
        number.copy_from_slice(&len.to_le_bytes());
        let (byte, time) = rest.split_at_mut(1);
        byte.fill(kind as u8);
        time.copy_from_slice(&wall.to_le_bytes());
        self.open.bytes.extend_from_slice(&head);
        self.open.bytes.extend_from_slice(body);
    }

    /// Begins a new block with room for this many bytes. Returns whether there may be one of this size.
    fn begin(&mut self, cost: usize) -> bool {
        let size = self.block_bytes.max(cost);
        if size.saturating_add(OVERHEAD) > self.max_bytes {
            return false;
        }
        let next = EntryBlock {
            first: self.next,
            ..EntryBlock::default()
        };
        let before = std::mem::replace(&mut self.open, next);
        // Only the block of the start is empty, and it has no memory.
        if before.entries > 0 {
            self.full.push_back(Arc::new(before));
        }
        let mut free = Vec::new();
        while self.bytes + size + OVERHEAD > self.max_bytes {
            let Some(oldest) = self.full.pop_front() else {
                break;
            };
            self.bytes = self.bytes.saturating_sub(oldest.cost());
            // Unless a reader holds it, its memory is used again.
            if let Some(oldest) = Arc::into_inner(oldest)
                && oldest.bytes.capacity() == size
            {
                free = oldest.bytes;
            }
        }
        free.clear();
        free.reserve_exact(size);
        self.open.bytes = free;
        self.bytes += self.open.cost();
        true
    }

    /// Returns the blocks with records after a sequence. The open block is copied.
    pub(super) fn hold(&self, after: u64) -> HeldBlocks {
        let newest = self.next - 1;
        let first = self.full.front().map(|block| block.first);
        let open = (self.open.entries > 0).then_some(self.open.first);
        let mut blocks = Vec::new();
        // From the newest back, so that a reader that is up to date looks at none of the older ones.
        if open.is_some() && self.open.end() > after.saturating_add(1) {
            blocks.push(Arc::new(EntryBlock {
                bytes: self.open.bytes.as_slice().into(),
                ..self.open
            }));
        }
        let full = self.full.iter().rev();
        let wanted = full.take_while(|block| block.end() > after.saturating_add(1));
        blocks.extend(wanted.cloned());
        blocks.reverse();
        HeldBlocks {
            blocks,
            oldest: first.or(open).unwrap_or_default(),
            newest,
        }
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl EntryBlock {
    fn room(&self) -> usize {
        self.bytes.capacity() - self.bytes.len()
    }

    fn cost(&self) -> usize {
        self.bytes.capacity() + OVERHEAD
    }

    /// The sequence after its last entry.
    fn end(&self) -> u64 {
        self.first + self.entries
    }

    /// Its entries in order.
    pub(super) fn entries(&self) -> impl Iterator<Item = LogEntry<'_>> {
        let (mut rest, mut sequence) = (self.bytes.as_slice(), self.first);
        std::iter::from_fn(move || {
            let (head, after) = rest.split_first_chunk::<HEAD>()?;
            let (number, head) = head.split_first_chunk::<4>()?;
            let (kind, time) = head.split_first()?;
            let (body, after) = after.split_at_checked(u32::from_le_bytes(*number) as usize)?;
            rest = after;
            sequence += 1;
            Some(LogEntry {
                sequence: sequence - 1,
                kind: *RecordKind::ALL.get(usize::from(*kind))?,
                wall: u64::from_le_bytes(*time.first_chunk()?),
                body,
            })
        })
    }
}
