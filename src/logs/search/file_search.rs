//! Searches the log files: from the newest line back, one block in memory at a time.

use std::fs::File;
use std::io;

use super::block::LineBlock;
use super::budget::SearchBudget;
use super::cursor::{CursorPlace, LogCursor, stale_cursor};
use super::found::SearchEnd;
use super::index::{BlockFacts, LogIndex, SegmentIndex};
use super::line_filter::LineFilter;
use super::line_head::LineHead;
use super::visitor::{LineVisitor, SearchProgress};
use crate::error::{Error, Result};
use crate::logs::files::{LogFiles, LogSegment, SegmentPlace, members, read_member};

/// A block without an index whose newest line is so much older than what is searched for ends the search, in microseconds: a
/// clock that was set back by more than this is not expected.
const CLOCK_SLACK: u64 = 3_600_000_000;
/// How many lines are compared between two looks at the clock.
const LINES: usize = 256;

/// What a search looks for, and until when.
pub(super) struct SearchTerms<'a> {
    pub(super) filter: &'a LineFilter,
    pub(super) budget: &'a SearchBudget<'a>,
    /// Lines from here on are left out.
    pub(super) before: Option<LogCursor>,
}

/// How a search has ended.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SearchOutcome {
    pub(super) end: SearchEnd,
    /// Where it goes on.
    pub(super) next: Option<LogCursor>,
    pub(super) progress: SearchProgress,
}

/// Searches the files.
///
/// # Errors
///
/// Returns an error if the cursor is not one of these files, or if the directory cannot be read.
pub(super) fn search_files(
    index: &LogIndex,
    terms: &SearchTerms<'_>,
    visitor: &mut dyn LineVisitor,
) -> Result<SearchOutcome> {
    let unreadable =
        |error: io::Error| Error::reader(format!("the log files cannot be read: {error}"));
    let (list, segments) = index.files().segments().map_err(unreadable)?;
    let (newest, end) = match terms.before.map(|it| it.0) {
        None => (u64::MAX, u64::MAX),
        Some(CursorPlace::File {
            list: of,
            segment,
            offset,
        }) if of == list => (segment, offset),
        Some(_) => return Err(stale_cursor()),
    };
    let mut search = FileSearch {
        files: index.files(),
        terms,
        list,
        visitor,
        progress: SearchProgress::default(),
        block: LineBlock::default(),
        is_old: false,
    };
    let mut stop = None;
    for segment in segments.iter().filter(|it| it.number <= newest) {
        let end = if segment.number == newest {
            end.min(segment.bytes)
        } else {
            segment.bytes
        };
        // Its index excludes it, so it need not be opened.
        if let Some(whole) = index.whole(list, segment)
            && whole.end >= end
            && !terms.filter.may_have_block(&whole)
        {
            search.progress.note_block(&whole);
            continue;
        }
        let mut facts = index.open(list, segment);
        let searched = search.search(segment, end, &mut facts);
        if facts.is_damaged {
            index.forget(segment.number);
        }
        // A file that cannot be read keeps back no line of the others.
        let stopped = searched.unwrap_or_else(|_| {
            search.progress.unreadable += 1;
            None
        });
        if let Some((why, offset)) = stopped {
            stop = Some((why, search.cursor(segment.number, offset)));
            break;
        }
        if search.is_old {
            break;
        }
    }
    Ok(SearchOutcome {
        end: stop.map_or(SearchEnd::Complete, |(why, _)| why),
        next: stop.map(|(_, next)| next),
        progress: search.progress,
    })
}

/// Why a search ends, and before which byte of a file.
type Stop = Option<(SearchEnd, u64)>;

struct FileSearch<'a> {
    files: &'a LogFiles,
    terms: &'a SearchTerms<'a>,
    list: u64,
    visitor: &'a mut dyn LineVisitor,
    progress: SearchProgress,
    block: LineBlock,
    /// Whether all that follows is older than what is searched for.
    is_old: bool,
}

impl FileSearch<'_> {
    fn cursor(&self, segment: u64, offset: u64) -> LogCursor {
        LogCursor(CursorPlace::File {
            list: self.list,
            segment,
            offset,
        })
    }

    /// Why the search ends at a byte, if it does.
    fn stop(&self, end: u64) -> Stop {
        if self.visitor.is_full() {
            Some((SearchEnd::Rows, end))
        } else if self.terms.budget.is_over() {
            Some((SearchEnd::Time, end))
        } else {
            None
        }
    }

    /// Searches the lines of a file before a byte.
    fn search(
        &mut self,
        segment: &LogSegment,
        end: u64,
        index: &mut SegmentIndex,
    ) -> io::Result<Stop> {
        if end == 0 {
            return Ok(None);
        }
        if let Some(stop) = self.stop(end) {
            return Ok(Some(stop));
        }
        let Some((segment, mut file)) = self.files.open(segment)? else {
            // The writer makes room for new lines. What another program removed is gone too.
            self.progress.unreadable += 1;
            return Ok(None);
        };
        if segment.place == SegmentPlace::Compressed {
            return self.search_members(&segment, &mut file, end, index);
        }
        // What is not indexed yet.
        let mut end = end;
        while end > index.end() {
            if let Some(stop) = self.stop(end) {
                return Ok(Some(stop));
            }
            let read = self.block.read_before(&mut file, index.end(), end);
            if read.is_err() || !self.is_intact(&segment, &file) {
                self.progress.unreadable += 1;
                return Ok(None);
            }
            if self.is_too_old() {
                self.is_old = true;
                return Ok(None);
            }
            if let Some(stop) = self.search_block(segment.number) {
                return Ok(Some(stop));
            }
            end = self.block.start;
        }
        for number in (0..index.blocks.len()).rev() {
            let facts = index.blocks.get(number).copied().unwrap_or_default();
            if facts.start >= end || self.is_done(&facts, end, number, index) {
                continue;
            }
            let end = facts.end.min(end);
            if let Some(stop) = self.stop(end) {
                return Ok(Some(stop));
            }
            let read = self.block.read(&mut file, facts.start, end);
            if read.is_err() || !self.is_intact(&segment, &file) {
                self.progress.unreadable += 1;
                return Ok(None);
            }
            if let Some(stop) = self.search_block(segment.number) {
                return Ok(Some(stop));
            }
        }
        Ok(None)
    }

    /// Searches a compressed file.
    fn search_members(
        &mut self,
        segment: &LogSegment,
        file: &mut File,
        end: u64,
        index: &mut SegmentIndex,
    ) -> io::Result<Stop> {
        let members = members(file)?;
        let last = members
            .last()
            .map_or(0, |it| it.start + u64::from(it.bytes));
        // It is cut, or was compressed by another program.
        let mut is_damaged = last < segment.bytes;
        for member in members.iter().rev().filter(|it| it.start < end) {
            let end = end.min(member.start + u64::from(member.bytes));
            if let Some(number) = index.number_at(member.start) {
                let facts = index.blocks.get(number).copied().unwrap_or_default();
                if self.is_done(&facts, end, number, index) {
                    continue;
                }
            }
            if let Some(stop) = self.stop(end) {
                return Ok(Some(stop));
            }
            self.block.start = member.start;
            if read_member(file, member, &mut self.block.bytes).is_err() {
                is_damaged = true;
                continue;
            }
            let length = usize::try_from(end - member.start).unwrap_or(usize::MAX);
            self.block.bytes.truncate(length);
            if let Some(stop) = self.search_block(segment.number) {
                return Ok(Some(stop));
            }
        }
        self.progress.unreadable += u32::from(is_damaged);
        Ok(None)
    }

    /// Whether another program has truncated a file, and ours may have written to it since: then these are other lines.
    fn is_intact(&self, segment: &LogSegment, file: &File) -> bool {
        let is_whole = file.metadata().is_ok_and(|it| it.len() >= segment.bytes);
        is_whole && self.files.has(segment.number)
    }

    /// Whether a block need not be read: it cannot have a line that matches, or the visitor takes it as a whole.
    fn is_done(
        &mut self,
        facts: &BlockFacts,
        end: u64,
        number: usize,
        index: &mut SegmentIndex,
    ) -> bool {
        let filter = self.terms.filter;
        let is_excluded = !filter.may_have_block(facts)
            || filter.sieve().has_words() && !index.may_pass(number, filter.sieve());
        let is_whole = end >= facts.end && filter.has_whole_block(facts);
        let is_done = is_excluded || is_whole && self.visitor.take_block(facts);
        if is_done {
            self.progress.note_block(facts);
        }
        is_done
    }

    /// Searches the block, the last line first.
    fn search_block(&mut self, segment: u64) -> Stop {
        let mut block = std::mem::take(&mut self.block);
        self.progress.read_bytes += block.bytes.len() as u64;
        let filter = self.terms.filter;
        let mut stop = None;
        let candidates = block.candidates(filter.sieve());
        let mut end = None;
        for (count, (offset, line)) in candidates.into_iter().rev().enumerate() {
            if count % LINES == LINES - 1 && self.terms.budget.is_over() {
                // Before the line that was compared last.
                stop = end.map(|end| (SearchEnd::Time, end));
                break;
            }
            let cursor = self.cursor(segment, offset);
            self.progress.look_at(filter, self.visitor, (line, cursor));
            end = Some(offset);
            if self.visitor.is_full() {
                stop = Some((SearchEnd::Rows, offset));
                break;
            }
        }
        if stop.is_none()
            && let [_, Some(first)] = block.ends()
            && let Some(head) = LineHead::read(first)
        {
            self.progress.note(head.micros);
        }
        self.block = block;
        stop
    }

    /// Whether the newest line of the block is much older than what is searched for.
    fn is_too_old(&self) -> bool {
        let [last, _] = self.block.ends();
        let head = last.and_then(LineHead::read);
        head.is_some_and(|it| {
            let newest = it.micros.saturating_add(CLOCK_SLACK);
            !self.terms.filter.may_have_times(0, newest)
        })
    }
}
