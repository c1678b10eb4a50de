//! Searches the last records in memory.

use super::cursor::{CursorPlace, LogCursor, stale_cursor};
use super::file_search::{SearchOutcome, SearchTerms};
use super::found::SearchEnd;
use super::visitor::{LineVisitor, SearchProgress};
use crate::error::Result;
use crate::logs::recent::{LineVisit, RecentLogStore};

/// Searches the records in memory.
///
/// # Errors
///
/// Returns an error if the cursor is not one of this memory.
pub(super) fn search_memory(
    store: &RecentLogStore,
    terms: &SearchTerms<'_>,
    visitor: &mut dyn LineVisitor,
) -> Result<SearchOutcome> {
    let run = store.run();
    let before = match terms.before.map(|it| it.0) {
        None => u64::MAX,
        Some(CursorPlace::Memory { run: of, sequence }) if of == run => sequence,
        Some(_) => return Err(stale_cursor()),
    };
    let cursor = |sequence| LogCursor(CursorPlace::Memory { run, sequence });
    let mut progress = SearchProgress::default();
    let mut stop = None;
    store.visit_lines(before, &mut |sequence, line| {
        let is_full = visitor.is_full();
        if is_full || terms.budget.is_over() {
            let why = if is_full {
                SearchEnd::Rows
            } else {
                SearchEnd::Time
            };
            // This record is the first one of the next search.
            stop = Some((why, cursor(sequence + 1)));
            return LineVisit::Stop;
        }
        progress.read_bytes += line.len() as u64;
        progress.look_at(terms.filter, visitor, (line, cursor(sequence)));
        LineVisit::Continue
    });
    Ok(SearchOutcome {
        end: stop.map_or(SearchEnd::Complete, |(why, _)| why),
        next: stop.map(|(_, next)| next),
        progress,
    })
}
