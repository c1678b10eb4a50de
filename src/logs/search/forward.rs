//! Reads lines in the order in which they were written, from a place on.

use std::collections::VecDeque;
use std::io;

use super::cursor::{CursorPlace, LogCursor, stale_cursor};
use super::file_search::SearchTerms;
use super::found::FoundLine;
use super::index::LogIndex;
use super::line_head::LineHead;
use crate::error::{Error, Result};
use crate::logs::recent::{LineVisit, RecentLogStore};

/// The maximum number of bytes of the lines of one result.
const MAX_BYTES: usize = 8 << 20;
/// How many lines are compared between two looks at the clock.
const LINES: u64 = 256;

/// The log records after a place, see [`Monitor::tail_logs`](crate::Monitor::tail_logs).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LogTail {
    /// The lines, in the order in which they were written.
    pub lines: Vec<FoundLine>,
    /// Where the next call goes on.
    pub next: LogCursor,
    /// Whether there are more already: the limit of rows or of time was reached.
    pub has_more: bool,
    /// Files that could not be read and were passed over, see [`FoundLogs::unreadable`](super::FoundLogs::unreadable). If the
    /// newest file cannot be read, the call returns an error.
    pub unreadable: u32,
}

/// Where the newest line of the files ends.
///
/// # Errors
///
/// Returns an error if the directory cannot be read.
pub(super) fn end_of_files(index: &LogIndex) -> Result<LogCursor> {
    let (list, segment, offset) = index.files().end().map_err(|it| unreadable(&it))?;
    Ok(LogCursor(CursorPlace::File {
        list,
        segment,
        offset,
    }))
}

/// What is after the newest record in memory.
pub(super) fn end_of_memory(store: &RecentLogStore) -> LogCursor {
    LogCursor(CursorPlace::Memory {
        run: store.run(),
        sequence: store.newest() + 1,
    })
}

/// Reads up to `limit` lines that match, from a place on.
///
/// # Errors
///
/// Returns an error if the place is not in these files, or if they cannot be read.
pub(super) fn read_files_from(
    index: &LogIndex,
    terms: &SearchTerms<'_>,
    from: LogCursor,
    limit: usize,
) -> Result<LogTail> {
    let files = index.files();
    let (list, _, _) = files.end().map_err(|it| unreadable(&it))?;
    let CursorPlace::File {
        list: of,
        segment,
        offset,
    } = from.0
    else {
        return Err(stale_cursor());
    };
    if of != list {
        return Err(stale_cursor());
    }
    let cursor = |(segment, offset)| {
        LogCursor(CursorPlace::File {
            list,
            segment,
            offset,
        })
    };
    let (mut lines, mut bytes, mut count, mut has_more) = (Vec::new(), 0, 0, false);
    let visited = files.visit_from((segment, offset), &mut |place, line| {
        count += 1;
        let is_late = count % LINES == 0 && terms.budget.is_over();
        if lines.len() >= limit || bytes >= MAX_BYTES || is_late {
            has_more = true;
            return false;
        }
        let text = std::str::from_utf8(line).unwrap_or_default();
        if let Some(found) = matching(terms, text, cursor(place)) {
            bytes += found.json.len();
            lines.push(found);
        }
        true
    });
    let (next, unreadable) = visited.map_err(|it| unreadable(&it))?;
    Ok(LogTail {
        lines,
        next: cursor(next),
        has_more,
        unreadable,
    })
}

/// The same of the records in memory.
///
/// # Errors
///
/// Returns an error if the place is not in this memory.
pub(super) fn read_memory_from(
    store: &RecentLogStore,
    terms: &SearchTerms<'_>,
    from: LogCursor,
    limit: usize,
) -> Result<LogTail> {
    let run = store.run();
    let first = match from.0 {
        CursorPlace::Memory { run: of, sequence } if of == run => sequence,
        _ => return Err(stale_cursor()),
    };
    let cursor = |sequence| LogCursor(CursorPlace::Memory { run, sequence });
    let end = store.newest() + 1;
    let (mut lines, mut next, mut has_more) = (VecDeque::new(), end.max(first), false);
    let mut bytes = 0;
    // They come the newest first. The oldest of them are wanted, so the newest ones give way.
    store.visit_lines(end, &mut |sequence, line| {
        if sequence < first || terms.budget.is_cancelled() {
            return LineVisit::Stop;
        }
        if let Some(found) = matching(terms, line, cursor(sequence)) {
            bytes += found.json.len();
            lines.push_front((sequence, found));
            while lines.len() > limit || bytes > MAX_BYTES && lines.len() > 1 {
                let Some((sequence, newest)) = lines.pop_back() else {
                    break;
                };
                bytes -= newest.json.len();
                (next, has_more) = (sequence, true);
            }
        }
        LineVisit::Continue
    });
    Ok(LogTail {
        lines: lines.into_iter().map(|(_, found)| found).collect(),
        next: cursor(next),
        has_more,
        unreadable: 0,
    })
}

fn matching(terms: &SearchTerms<'_>, line: &str, cursor: LogCursor) -> Option<FoundLine> {
    let head = LineHead::read(line)?;
    let matches = terms.filter.may_match(head) && terms.filter.matches_fields(line);
    matches.then(|| FoundLine {
        json: line.to_owned(),
        at: head.time(),
        level: head.level(),
        cursor,
    })
}

fn unreadable(error: &io::Error) -> Error {
    Error::reader(format!("the log files cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::clock::Clock;
    use crate::context::Requests;
    use crate::logs::LogQuery;
    use crate::logs::config::ServiceFields;
    use crate::logs::recent::RecentLogsObserver;
    use crate::logs::search::budget::SearchBudget;
    use crate::logs::search::line_filter::LineFilter;
    use crate::worker::LineObserver as _;

    #[test]
    fn the_lines_of_a_tail_of_the_memory_are_bounded_in_bytes() {
        let clock = Clock::driven(Duration::from_secs(100));
        let requests = Arc::new(Requests::new(clock.clone()));
        let store = RecentLogStore::new(32 << 20, requests, ServiceFields::default());
        let store = Arc::new(store);
        let mut observer = RecentLogsObserver::new(Arc::clone(&store));
        for n in 0..1500 {
            observer.notice(0, &format!("{n} {}", "x".repeat(8000)));
        }
        let filter = LineFilter::new(&LogQuery::default());
        let terms = SearchTerms {
            filter: &filter,
            budget: &SearchBudget::new(&clock, Duration::from_secs(1), &|| false),
            before: None,
        };
        let mut from = LogCursor(CursorPlace::Memory {
            run: store.run(),
            sequence: 1,
        });
        let mut numbers = Vec::new();
        loop {
            let tail = read_memory_from(&store, &terms, from, LogQuery::MAX_LIMIT).unwrap();
            let bytes: usize = tail.lines.iter().map(|it| it.json.len()).sum();
            assert!(bytes <= MAX_BYTES, "{bytes}");
            numbers.extend(tail.lines.iter().map(|line| {
                let message = line.message();
                let number = message.split(' ').next().unwrap().parse::<u64>();
                number.unwrap()
            }));
            from = tail.next;
            if !tail.has_more {
                break;
            }
        }
        assert_eq!(numbers, (0..1500).collect::<Vec<_>>());
    }
}
