//! Lists kept traces of the memory and of the data directory together, those that ended last first.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, SystemTime};

use super::decode::Span;
use super::recent_traces::{RecentTraces, root_duration};
use super::span_record::{TracePart, TraceRoot};
use super::stored::{StoredTrace, StoredTraceQuery, TraceStore, Wanted};
use crate::clock::nanos;
use crate::model::{KeepReason, TraceId};
use crate::record::RequestRecord;

/// The maximum number of searches of the data directory for one list. Each ends within five seconds, and most traces that
/// it finds may be in memory already.
const MAX_SEARCHES: usize = 3;

/// Where a list continues: below these positions in memory and on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TraceCursor {
    memory: u64,
    disk: u64,
}

impl TraceCursor {
    /// The newest traces.
    pub(crate) const START: Self = Self {
        memory: u64::MAX,
        disk: u64::MAX,
    };

    /// Reads what `Display` writes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (memory, disk) = text.split_once('-')?;
        let number = |text: &str| u64::from_str_radix(text, 16).ok();
        Some(Self {
            memory: number(memory)?,
            disk: number(disk)?,
        })
    }
}

impl fmt::Display for TraceCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}", self.memory, self.disk)
    }
}

/// Kept traces of memory and disk, each once.
#[derive(Debug, Default)]
pub(crate) struct KeptTraceList {
    pub(crate) traces: Vec<StoredTrace>,
    /// Where to continue, if there may be more.
    pub(crate) next: Option<TraceCursor>,
    /// Since when there are traces on disk.
    pub(crate) stored_since: Option<SystemTime>,
    /// Why the traces on disk could not be read; those in memory are in the list.
    pub(crate) failure: Option<String>,
}

/// Lists the traces that a query selects, from a cursor on. `in_memory` are those of [`find_in_memory`], which belongs on
/// a thread that may be busy for a while.
pub(crate) async fn list_traces(
    recent: &RecentTraces,
    in_memory: Vec<(u64, StoredTrace)>,
    store: Option<TraceStore>,
    query: StoredTraceQuery,
    cursor: TraceCursor,
) -> KeptTraceList {
    let mut merge = Merge::new(query.max_traces(), in_memory, cursor);
    let Some(store) = store else {
        merge.is_disk_read = true;
        merge.take();
        return merge.into_list();
    };
    for _ in 0..MAX_SEARCHES {
        let wanted = Wanted::Traces(query.clone().before(merge.disk_end));
        match store.search(wanted).await {
            Err(error) => {
                merge.list.failure = Some(error.to_string());
                merge.is_disk_read = true;
            }
            Ok(found) => {
                merge.is_disk_read = found.next.is_none();
                merge.disk_end = found.next.unwrap_or(merge.disk_end);
                merge.list.stored_since = found.stored_since.or(merge.list.stored_since);
                let is_new =
                    |trace: &StoredTrace| !recent.has_root(trace.trace_id, nanos(trace.duration));
                let all = found.traces.into_iter();
                merge.on_disk.extend(all.filter(|(_, trace)| is_new(trace)));
            }
        }
        merge.take();
        if merge.is_disk_read || merge.is_full() {
            break;
        }
    }
    merge.into_list()
}

/// Finds the traces in memory that a query selects, from a cursor on, with their positions.
pub(crate) fn find_in_memory(
    recent: &RecentTraces,
    query: &StoredTraceQuery,
    cursor: TraceCursor,
) -> Vec<(u64, StoredTrace)> {
    let mut found = Vec::new();
    // One more than the limit tells whether there are more.
    let max = query.max_traces() + 1;
    recent.visit_roots(
        cursor.memory,
        |part| {
            let duration = root_duration(part);
            duration.is_some_and(|duration| query.may_match_root(part.kept, duration))
        },
        |number, kept, root| {
            found.extend(
                query
                    .matching_root(&root, kept)
                    .map(|trace| (number, trace)),
            );
            found.len() < max
        },
    );
    found
}

/// Returns the requests and topmost spans of at most `max` traces in memory that a query selects, those that ended last
/// first.
pub(crate) fn find_roots(
    recent: &RecentTraces,
    query: &StoredTraceQuery,
    max: usize,
) -> Vec<(KeepReason, Span)> {
    let mut found = Vec::new();
    let may_match = |part: &TracePart<'_>| {
        let duration = root_duration(part);
        duration.is_some_and(|duration| query.may_match_root(part.kept, duration))
    };
    recent.visit_roots(u64::MAX, may_match, |_, kept, root| {
        if query.matching_root(&root, kept).is_some() {
            found.push((kept, root));
        }
        found.len() < max
    });
    found
}

/// Whether a query selects the trace of a request or topmost span.
pub(crate) fn is_selected(query: &StoredTraceQuery, root: &Span, kept: KeepReason) -> bool {
    query.matching_root(root, kept).is_some()
}

/// A trace of the same route or name as another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SimilarTrace {
    pub(crate) trace_id: TraceId,
    pub(crate) duration: Duration,
    pub(crate) kept: KeepReason,
}

/// Finds at most `max` traces in memory whose request or topmost span has the name of `root`, those that ended last first.
pub(crate) fn find_similar(recent: &RecentTraces, root: &Span, max: usize) -> Vec<SimilarTrace> {
    let mut found = Vec::new();
    // A request is decoded only if its route is in the name.
    let may_have_name = |part: &TracePart<'_>| match part.root {
        TraceRoot::None => false,
        TraceRoot::Span(span) => span.name == root.name,
        TraceRoot::Request(request) => RequestRecord::read(request).is_some_and(|request| {
            let route = request.route.as_str();
            route.starts_with('_') || root.name.contains(route.trim_start_matches('/'))
        }),
    };
    recent.visit_roots(u64::MAX, may_have_name, |_, kept, other| {
        if other.name == root.name {
            found.push(SimilarTrace {
                trace_id: other.trace_id,
                duration: other.duration,
                kept,
            });
        }
        found.len() < max
    });
    found
}

/// Merges two lists that are sorted by their ends, the latest first.
struct Merge {
    limit: usize,
    in_memory: VecDeque<(u64, StoredTrace)>,
    on_disk: VecDeque<(u64, StoredTrace)>,
    /// Whether all that is on disk is in `on_disk` or was taken.
    is_disk_read: bool,
    /// Everything above this position on disk was looked at.
    disk_end: u64,
    cursor: TraceCursor,
    list: KeptTraceList,
}

impl Merge {
    fn new(limit: usize, in_memory: Vec<(u64, StoredTrace)>, cursor: TraceCursor) -> Self {
        Self {
            limit,
            in_memory: in_memory.into(),
            on_disk: VecDeque::new(),
            is_disk_read: false,
            disk_end: cursor.disk,
            cursor,
            list: KeptTraceList::default(),
        }
    }

    fn is_full(&self) -> bool {
        self.list.traces.len() >= self.limit
    }

    /// Takes the traces whose place in the order is known.
    fn take(&mut self) {
        let end = |trace: &StoredTrace| trace.start + trace.duration;
        while !self.is_full() {
            let is_disk_next = match (self.in_memory.front(), self.on_disk.front()) {
                (None, None) => return,
                (None, Some(_)) => true,
                // The next one on disk may have ended later.
                (Some(_), None) if !self.is_disk_read => return,
                (Some(_), None) => false,
                (Some((_, memory)), Some((_, disk))) => end(disk) > end(memory),
            };
            let (next, position) = if is_disk_next {
                (self.on_disk.pop_front(), &mut self.cursor.disk)
            } else {
                (self.in_memory.pop_front(), &mut self.cursor.memory)
            };
            if let Some((number, trace)) = next {
                *position = number;
                self.list.traces.push(trace);
            }
        }
    }

    fn into_list(mut self) -> KeptTraceList {
        if !self.is_disk_read && self.on_disk.is_empty() {
            // All that was found up to here is in the list, or in memory.
            self.cursor.disk = self.disk_end;
            // Too many files were read for one list: what is in memory must not wait for the rest.
            if !self.is_full() {
                self.is_disk_read = true;
                self.take();
                self.is_disk_read = false;
            }
        }
        let has_more = !self.in_memory.is_empty() || !self.on_disk.is_empty() || !self.is_disk_read;
        self.list.next = has_more.then_some(self.cursor);
        self.list
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    /// A trace that ends at this second.
    fn trace(id: u128) -> StoredTrace {
        StoredTrace {
            trace_id: TraceId::from_u128(id),
            request_id: String::new(),
            name: "job".to_owned(),
            route: String::new(),
            start: UNIX_EPOCH,
            duration: Duration::from_secs(u64::try_from(id).unwrap()),
            status_code: None,
            is_error: false,
            kept: KeepReason::Head,
        }
    }

    fn at(ids: &[u64]) -> Vec<(u64, StoredTrace)> {
        ids.iter().map(|id| (*id, trace(u128::from(*id)))).collect()
    }

    fn ids(list: &KeptTraceList) -> Vec<u128> {
        list.traces.iter().map(|it| it.trace_id.to_u128()).collect()
    }

    #[test]
    fn two_lists_become_one_in_the_order_of_the_ends() {
        let mut merge = Merge::new(10, at(&[9, 7, 2]), TraceCursor::START);
        merge.on_disk = at(&[8, 3, 1]).into();
        merge.is_disk_read = true;
        merge.take();
        let list = merge.into_list();
        assert_eq!(ids(&list), [9, 8, 7, 3, 2, 1]);
        assert_eq!(list.next, None);
    }

    #[test]
    fn a_full_list_says_where_both_continue() {
        let mut merge = Merge::new(3, at(&[9, 7, 2]), TraceCursor::START);
        merge.on_disk = at(&[8, 3, 1]).into();
        merge.is_disk_read = true;
        merge.take();
        let list = merge.into_list();
        assert_eq!(ids(&list), [9, 8, 7]);
        let next = list.next.unwrap();
        assert_eq!((next.memory, next.disk), (7, 8));
        assert_eq!(TraceCursor::parse(&next.to_string()), Some(next));
        for text in ["", "-", "7", "x-1", "1-", "11111111111111111-1"] {
            assert_eq!(TraceCursor::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_ended_later_may_still_be_on_disk() {
        let mut merge = Merge::new(9, at(&[9, 2]), TraceCursor::START);
        merge.on_disk = at(&[8]).into();
        merge.disk_end = 5;
        merge.take();
        assert_eq!(ids(&merge.list), [9, 8]);
        // After the last search, what is in memory does not wait for the rest.
        let list = merge.into_list();
        assert_eq!(ids(&list), [9, 8, 2]);
        let next = list.next.unwrap();
        assert_eq!((next.memory, next.disk), (2, 5));
    }
}
