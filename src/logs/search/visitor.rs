use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::cursor::LogCursor;
use super::index::BlockFacts;
use super::line_filter::LineFilter;
use super::line_head::LineHead;

/// What is done with the lines that a filter selects.
pub(super) trait LineVisitor {
    /// Takes a line that matches. The lines of a file come from the last one back.
    fn visit(&mut self, line: &str, head: LineHead, cursor: LogCursor);

    /// Whether it takes no more.
    fn is_full(&self) -> bool {
        false
    }

    /// Takes a whole block by its index alone, where every line of the levels of the filter matches. Returns whether the block
    /// is done.
    fn take_block(&mut self, _facts: &BlockFacts) -> bool {
        false
    }
}

/// How far a search has got.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SearchProgress {
    /// Lines that were looked at.
    pub(super) looked_at: u64,
    /// The time of the oldest line, in microseconds since the Unix epoch.
    pub(super) reached: Option<u64>,
    pub(super) unreadable: u32,
    /// The bytes of the lines that were read, before compression.
    pub(super) read_bytes: u64,
}

impl SearchProgress {
    /// Notes that the search has got to a time.
    #[inline]
    pub(super) fn note(&mut self, micros: u64) {
        self.reached = Some(self.reached.map_or(micros, |before| before.min(micros)));
    }

    /// Notes that the search has got past a block.
    pub(super) fn note_block(&mut self, facts: &BlockFacts) {
        if facts.lines() > 0 {
            self.note(facts.first);
        }
    }

    pub(super) fn reached_time(&self) -> Option<SystemTime> {
        self.reached.map(time_of)
    }

    /// Looks at a line, and passes it on if it matches.
    #[inline]
    pub(super) fn look_at(
        &mut self,
        filter: &LineFilter,
        visitor: &mut dyn LineVisitor,
        (line, cursor): (&str, LogCursor),
    ) {
        let Some(head) = LineHead::read(line) else {
            return;
        };
        self.looked_at += 1;
        self.note(head.micros);
        if filter.may_match(head) && filter.matches_fields(line) {
            visitor.visit(line, head, cursor);
        }
    }
}

/// A time of so many microseconds since the Unix epoch.
pub(super) fn time_of(micros: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(micros)
}
