//! Searches: from the newest file back, one file in memory at a time.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

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
    /// The records of the wanted trace.
    bodies: Vec<Vec<u8>>,
    bytes: usize,
    /// The number of the last record that was looked at: further ones are smaller. A number is stored twice if the
    /// first attempt failed.
    last: u64,
    was_read: bool,
    error: Option<io::Error>,
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
            bodies: Vec::new(),
            bytes: 0,
            last: u64::MAX,
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
        if let Wanted::Traces(query) = wanted {
            self.last = query.before;
        }
        for (name, first) in self.segments() {
            if first >= self.last || !self.may_have(&name, wanted) {
                continue;
            }
            if self.is_over(begun) {
                // The next search begins with this file again.
                self.found.next = Some(self.last);
                break;
            }
            let Some(file) = self.read(&name) else {
                continue;
            };
            if !self.look_at(&file, wanted) {
                break;
            }
            // All numbers of older files are smaller.
            self.last = self.last.min(first);
        }
        self.found.stored_since = self.stored_since(begun);
        if let Some(error) = self.error.filter(|_| !self.was_read) {
            return Err(error);
        }
        if let Wanted::Trace(id) = wanted {
            let parts = self.bodies.iter().rev();
            let parts = parts.filter_map(|body| {
                let facts = StoredFacts::read(body)?;
                Some((facts.kept, facts.spans()?))
            });
            self.found.trace = KeptTrace::of_parts(*id, parts);
        }
        Ok(self.found)
    }

    /// The files from the newest back.
    fn segments(&self) -> Vec<(Arc<str>, u64)> {
        let state = self.list.lock();
        let segments = state.segments.iter().rev();
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

    /// Looks at the records of a file from the last one back. Returns whether to go on.
    fn look_at(&mut self, file: &[u8], wanted: &Wanted) -> bool {
        let all: Vec<_> = records(file).into_iter().flatten().collect();
        for (number, body) in all.into_iter().rev() {
            let Some(facts) = StoredFacts::read(body).filter(|_| number < self.last) else {
                continue;
            };
            match wanted {
                Wanted::Trace(id) => {
                    if facts.trace_id == *id && self.bytes + body.len() <= MAX_TRACE {
                        self.bytes += body.len();
                        self.bodies.push(body.to_vec());
                    }
                }
                Wanted::Traces(query) => {
                    if query.matches(&facts) {
                        if self.found.traces.len() >= query.limit {
                            // The next search begins with the record before the last one that was taken.
                            self.found.next = Some(self.last);
                            return false;
                        }
                        self.found.traces.push((number, StoredTrace::of(&facts)));
                    }
                }
            }
            self.last = number;
        }
        true
    }

    /// Whether the search has taken its time, or nobody waits for it.
    fn is_over(&self, begun: Nanos) -> bool {
        let elapsed = self.monotonic.now().saturating_sub(begun);
        elapsed > nanos(MAX_TIME) || (self.is_cancelled)()
    }

    /// Since when there are traces: known, or read from the oldest file. `None` if that takes too long.
    fn stored_since(&mut self, begun: Nanos) -> Option<SystemTime> {
        for (name, _) in self.segments().into_iter().rev() {
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
