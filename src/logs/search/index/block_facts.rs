use std::str::from_utf8;

use super::word_filter::WordFilter;
use crate::logs::line_fields::fields;
use crate::logs::search::grammar::{LogSeverity, Words, is_found_by_words};
use crate::logs::search::line_head::LineHead;
use crate::logs::search::sieve::hash_of_word;

/// The number of levels.
pub(in crate::logs::search) const LEVELS: usize = LogSeverity::ALL.len();
/// The bytes of the facts in a file.
pub(super) const FACTS: usize = 4 * 8 + 4 * LEVELS;

/// What is known of a block of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::logs::search) struct BlockFacts {
    /// Its first byte in the file of lines, and the one after its last.
    pub(in crate::logs::search) start: u64,
    pub(in crate::logs::search) end: u64,
    /// The earliest and the latest time of its lines, in microseconds since the Unix epoch.
    pub(in crate::logs::search) first: u64,
    pub(in crate::logs::search) last: u64,
    /// Its lines by their level, as in [`LogSeverity::ALL`].
    pub(in crate::logs::search) counts: [u32; LEVELS],
}

impl BlockFacts {
    /// Learns what a block that begins at a byte has, and adds its words to a filter.
    pub(super) fn of(start: u64, block: &[u8], words: &mut WordFilter) -> Self {
        let mut facts = Self {
            start,
            end: start + block.len() as u64,
            first: u64::MAX,
            last: 0,
            counts: [0; LEVELS],
        };
        for line in block.split(|byte| *byte == b'\n') {
            let Ok(line) = from_utf8(line) else { continue };
            let Some(head) = LineHead::read(line) else {
                continue;
            };
            facts.first = facts.first.min(head.micros);
            facts.last = facts.last.max(head.micros);
            if let Some(count) = facts.counts.get_mut(head.severity as usize) {
                *count += 1;
            }
            for (name, value) in fields(line) {
                if is_found_by_words(&name) {
                    for word in Words::of(value.as_text()) {
                        words.add(hash_of_word(word));
                    }
                }
            }
        }
        facts
    }

    /// Blocks without a gap as one; `None` if there is none.
    pub(super) fn whole(blocks: &[Self]) -> Option<Self> {
        let mut blocks = blocks.iter().copied();
        let first = blocks.next()?;
        Some(blocks.fold(first, |before, block| Self {
            start: before.start,
            end: block.end,
            first: before.first.min(block.first),
            last: before.last.max(block.last),
            counts: std::array::from_fn(|level| {
                let of = |facts: Self| facts.counts.get(level).copied().unwrap_or_default();
                of(before).saturating_add(of(block))
            }),
        }))
    }

    /// The number of its lines.
    pub(in crate::logs::search) fn lines(&self) -> u32 {
        self.counts
            .iter()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    pub(super) fn to_bytes(self) -> [u8; FACTS] {
        let mut bytes = [0; FACTS];
        let (numbers, counts) = bytes.split_at_mut(32);
        let of = [self.start, self.end, self.first, self.last];
        for (into, number) in numbers.as_chunks_mut::<8>().0.iter_mut().zip(of) {
            *into = number.to_le_bytes();
        }
        for (into, count) in counts.as_chunks_mut::<4>().0.iter_mut().zip(self.counts) {
            *into = count.to_le_bytes();
        }
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8; FACTS]) -> Self {
        let (numbers, counts) = bytes.split_at(32);
        let mut of = numbers
            .as_chunks::<8>()
            .0
            .iter()
            .map(|it| u64::from_le_bytes(*it));
        let mut next = || of.next().unwrap_or_default();
        let mut facts = Self {
            start: next(),
            end: next(),
            first: next(),
            last: next(),
            counts: [0; LEVELS],
        };
        for (into, count) in facts.counts.iter_mut().zip(counts.as_chunks::<4>().0) {
            *into = u32::from_le_bytes(*count);
        }
        facts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_facts_of_a_block_survive_their_bytes() {
        let block = concat!(
            "{\"timestamp\":\"1970-01-01T00:00:02.000000Z\",\"level\":\"ERROR\",\"message\":\"a\\nRefused\",\"n\":17}\n",
            "none of ours\n",
            "{\"timestamp\":\"1970-01-01T00:00:01.000000Z\",\"level\":\"INFO\",\"message\":\"b\",\"service.name\":\"shop\"}\n",
        );
        let mut words = WordFilter::new();
        let facts = BlockFacts::of(100, block.as_bytes(), &mut words);
        assert_eq!((facts.start, facts.end), (100, 100 + block.len() as u64));
        assert_eq!((facts.first, facts.last), (1_000_000, 2_000_000));
        assert_eq!((facts.counts, facts.lines()), ([0, 0, 1, 0, 1], 2));
        assert_eq!(BlockFacts::from_bytes(&facts.to_bytes()), facts);
        for (word, is_there) in [
            ("refused", true),
            ("17", true),
            ("b", true),
            ("shop", false),
            ("nrefused", false),
        ] {
            assert_eq!(words.may_have(hash_of_word(word)), is_there, "{word}");
        }
    }
}
