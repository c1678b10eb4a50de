//! Searches: from the newest file back, one file in memory at a time.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::class::TraceClass;
use super::damage::damaged_records;
use super::id_filter::hash_trace_id;
use super::query::{StoredTrace, StoredTraceQuery};
use super::record::{StoredFacts, time};
use super::segment_list::{SegmentContents, SegmentList, TraceSegment};
use crate::clock::{Clock, Nanos, nanos};
use crate::files::{Files, records};
use crate::model::TraceId;
use crate::trace::kept_trace::KeptTrace;

/// The time after which a search ends with what it has found.
const MAX_TIME: Duration = Duration::from_secs(5);
/// The maximum number of bytes of the records of one trace.
const MAX_TRACE: usize = 4 << 20;

/// What a search looks for.
#[derive(Debug, Clone)]
pub(in crate::trace) enum Wanted {
    /// All spans of a trace.
    Trace(TraceId),
    /// The traces that a query selects.
    Traces(StoredTraceQuery),
}

/// What a search has found.
#[derive(Debug, Default)]
pub(in crate::trace) struct FoundTraces {
    pub(in crate::trace) trace: Option<KeptTrace>,
    /// With their positions, the greatest first.
    pub(in crate::trace) traces: Vec<(u64, StoredTrace)>,
    /// The position at which the search ended, if it has not looked at all files.
    pub(in crate::trace) next: Option<u64>,
    pub(in crate::trace) stored_since: Option<SystemTime>,
}

/// A search in progress.
pub(super) struct TraceSearch<'a> {
    pub(super) list: &'a SegmentList,
    pub(super) files: Box<dyn Files>,
    pub(super) monotonic: &'a Clock,
    /// Whether nobody waits for the result any more.
    pub(super) is_cancelled: &'a dyn Fn() -> bool,
    found: FoundTraces,
    was_read: bool,
    error: Option<io::Error>,
}

/// The files of a class that are still to be read, the newest first, and what was found in those that were read.
struct ClassSearch {
    files: VecDeque<(Arc<str>, u64)>,
    /// All records with this number and above were looked at. A number is stored twice if the first attempt failed.
    end: u64,
    /// The traces that were found and are not in the result, the last one first.
    found: VecDeque<(u64, StoredTrace)>,
}

impl ClassSearch {
    /// The number below which the next trace is, or its number plus one; `None` if there is none.
    fn next(&self) -> Option<u64> {
        match self.found.front() {
            Some((number, _)) => Some(number.saturating_add(1)),
            None => (!self.files.is_empty()).then_some(self.end),
        }
    }
}

impl<'a> TraceSearch<'a> {
    pub(super) fn new(
        list: &'a SegmentList,
        files: Box<dyn Files>,
        monotonic: &'a Clock,
        is_cancelled: &'a dyn Fn() -> bool,
    ) -> Self {
        Self {
            list,
            files,
            monotonic,
            is_cancelled,
            found: FoundTraces::default(),
            was_read: false,
            error: None,
        }
    }

    /// Searches all files that may have what is wanted.
    ///
    /// # Errors
    ///
    /// Returns an error if no file can be read. One that cannot be read among others is passed over.
    pub(super) fn run(mut self, wanted: &Wanted) -> io::Result<FoundTraces> {
        let begun = self.monotonic.now();
        match wanted {
            Wanted::Trace(id) => self.find_trace(*id, wanted, begun),
            Wanted::Traces(query) => self.find_traces(query, wanted, begun),
        }
        self.found.stored_since = self.stored_since(begun);
        match self.error.filter(|_| !self.was_read) {
            Some(error) => Err(error),
            None => Ok(self.found),
        }
    }

    /// Finds all records of a trace.
    fn find_trace(&mut self, id: TraceId, wanted: &Wanted, begun: Nanos) {
        // By their numbers: a number is stored twice if the first attempt failed.
        let mut bodies: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
        let mut bytes = 0;
        for (name, first) in self.segments(|_| true) {
            if !self.may_have(&name, wanted) {
                continue;
            }
            if self.is_over(begun) {
                self.found.next = Some(first);
                break;
            }
            let Some(file) = self.read(&name) else {
                continue;
            };
            for (number, body) in records(&file).into_iter().flatten() {
                let is_of_trace = StoredFacts::read(body).is_some_and(|it| it.trace_id == id);
                if is_of_trace && bytes + body.len() <= MAX_TRACE {
                    bytes += body.len();
                    bodies.insert(number, body.to_vec());
                }
            }
        }
        let parts = bodies.values().filter_map(|body| {
            let facts = StoredFacts::read(body)?;
            Some((facts.kept, facts.spans()?))
        });
        self.found.trace = KeptTrace::of_parts(id, parts);
    }

    /// Finds the traces that a query selects. The classes are searched at the same time, always the one that has the next
    /// greater number, so that the results have one order and a later search continues at one number.
    fn find_traces(&mut self, query: &StoredTraceQuery, wanted: &Wanted, begun: Nanos) {
        let mut classes: Vec<ClassSearch> = TraceClass::ALL
            .into_iter()
            .filter(|class| query.may_be_in(*class))
            .map(|class| ClassSearch {
                files: self.segments(|segment| segment.class == class).into(),
                end: query.before,
                found: VecDeque::new(),
            })
            .collect();
        loop {
            let next = classes.iter_mut().filter(|class| class.next().is_some());
            let Some(class) = next.max_by_key(|class| class.next()) else {
                return;
            };
            if let Some(trace) = class.found.pop_front() {
                if self.found.traces.len() >= query.limit {
                    // The next search begins below the last one that was taken.
                    self.found.next = self.found.traces.last().map(|(number, _)| *number);
                    return;
                }
                self.found.traces.push(trace);
                continue;
            }
            let Some((name, first)) = class.files.pop_front() else {
                return;
            };
            if first >= class.end || !self.may_have(&name, wanted) {
                continue;
            }
            if self.is_over(begun) {
                // The next search begins with this file again.
                self.found.next = Some(class.end);
                return;
            }
            if let Some(file) = self.read(&name) {
                class.found = matching(&file, query, class.end);
                // All numbers of older files are smaller.
                class.end = class.end.min(first);
            }
        }
    }

    /// The files that are wanted, from the newest back.
    fn segments(&self, is_wanted: impl Fn(&TraceSegment) -> bool) -> Vec<(Arc<str>, u64)> {
        let state = self.list.lock();
        let segments = state.segments.iter().rev();
        let segments = segments.filter(|segment| is_wanted(segment));
        let segments = segments.map(|segment| (Arc::clone(&segment.name), segment.first));
        segments.collect()
    }

    fn may_have(&self, name: &str, wanted: &Wanted) -> bool {
        let state = self.list.lock();
        let mut segments = state.segments.iter();
        let Some(segment) = segments.find(|segment| &*segment.name == name) else {
            return false;
        };
        segment
            .contents
            .as_ref()
            .is_none_or(|contents| match wanted {
                Wanted::Trace(id) => contents.ids.may_have(hash_trace_id(id.to_u128())),
                Wanted::Traces(query) => query.may_match(contents),
            })
    }

    /// Whether the search has taken its time, or nobody waits for it.
    fn is_over(&self, begun: Nanos) -> bool {
        let elapsed = self.monotonic.now().saturating_sub(begun);
        elapsed > nanos(MAX_TIME) || (self.is_cancelled)()
    }

    /// Since when there are traces: known, or read from the oldest file. `None` if that takes too long.
    fn stored_since(&mut self, begun: Nanos) -> Option<SystemTime> {
        for (name, _) in self.segments(|_| true).into_iter().rev() {
            if !self.is_known(&name) {
                if self.is_over(begun) {
                    return None;
                }
                self.read(&name);
            }
            // A file without a readable record has no times.
            if let Some((first, _)) = self.starts(&name) {
                return Some(time(first));
            }
        }
        None
    }

    fn is_known(&self, name: &str) -> bool {
        let state = self.list.lock();
        let mut segments = state.segments.iter();
        segments.any(|segment| &*segment.name == name && segment.contents.is_some())
    }

    /// The times of the records of a file, if its contents are known.
    fn starts(&self, name: &str) -> Option<(u64, u64)> {
        let state = self.list.lock();
        let mut segments = state.segments.iter();
        let segment = segments.find(|segment| &*segment.name == name)?;
        segment.contents.as_ref()?.starts
    }

    /// Reads a file, and learns what it contains. Returns `None` if it cannot be read.
    fn read(&mut self, name: &str) -> Option<Vec<u8>> {
        let was_current = self.list.lock().is_current(name);
        match self.files.read(name) {
            Ok(file) => {
                self.was_read = true;
                if !was_current {
                    self.learn(name, &file);
                }
                Some(file)
            }
            Err(error) => {
                // The writer has removed it meanwhile, or somebody else. The writer notices that the current one is
                // gone.
                let is_gone = error.kind() == ErrorKind::NotFound;
                if is_gone && !was_current {
                    self.list.lock().forget(name);
                }
                if !is_gone {
                    self.error.get_or_insert(error);
                }
                None
            }
        }
    }

    /// Notes what a complete file contains, and counts its damaged records once.
    fn learn(&self, name: &str, file: &[u8]) {
        let is_of_name = |segment: &&mut TraceSegment| &*segment.name == name;
        let is_checked = {
            let mut state = self.list.lock();
            let segment = state.segments.iter_mut().find(is_of_name);
            segment.is_none_or(|segment| segment.is_checked)
        };
        if is_checked {
            return;
        }
        let damaged = damaged_records(file);
        let mut contents = SegmentContents::new();
        for (_, body) in records(file).into_iter().flatten() {
            if let Some(facts) = StoredFacts::read(body) {
                contents.add(facts.ids(), facts.start);
            }
        }
        let mut state = self.list.lock();
        let segment = state.segments.iter_mut().find(is_of_name);
        // Two searches may read one file at the same time.
        let Some(segment) = segment.filter(|segment| !segment.is_checked) else {
            return;
        };
        segment.is_checked = true;
        segment.contents.get_or_insert(contents);
        state.damaged += damaged;
    }
}

/// The records of a file below a number that a query selects, the last one first: one more than the limit at most.
fn matching(file: &[u8], query: &StoredTraceQuery, end: u64) -> VecDeque<(u64, StoredTrace)> {
    let all: Vec<_> = records(file).into_iter().flatten().collect();
    let mut found: VecDeque<(u64, StoredTrace)> = VecDeque::new();
    for (number, body) in all.into_iter().rev() {
        let facts = StoredFacts::read(body).filter(|_| number < end);
        let Some(facts) = facts.filter(|facts| query.matches(facts)) else {
            continue;
        };
        // In a damaged file, numbers may be out of order.
        if found.back().is_none_or(|(last, _)| number < *last) {
            found.push_back((number, StoredTrace::of(&facts)));
        }
        if found.len() > query.limit {
            break;
        }
    }
    found
}
