//! Finding kept traces, in memory and in the data directory.

use std::time::SystemTime;

use super::kept_trace::KeptTrace;
use super::recent_traces::RecentTraces;
use super::stored::{FoundTraces, StoredTraceQuery, StoredTraces, TraceStore, Wanted};
use crate::error::{Error, Result};
use crate::model::TraceId;

/// What is known of a trace, from [`Monitor::find_trace`](crate::Monitor::find_trace).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum TraceLookup {
    /// The trace is in memory or in the data directory.
    Found(Box<KeptTrace>),
    /// The trace is in neither.
    NotFound {
        /// Since when there are traces in the data directory: an earlier trace may have been removed to make room, and a
        /// later one was not kept. `None` without stored traces.
        stored_since: Option<SystemTime>,
    },
}

/// Finds a trace in memory, or else in the data directory.
pub(crate) fn find_trace(
    recent: &RecentTraces,
    store: Option<&TraceStore>,
    trace_id: TraceId,
) -> impl Future<Output = Result<TraceLookup>> + Send + use<> + 'static {
    let in_memory = recent.trace(trace_id);
    // Without its root, the memory has only spans that ended later: the trace was removed from there before.
    let is_whole = |trace: &KeptTrace| trace.spans.iter().any(|span| span.is_root);
    let search = store
        .filter(|_| !in_memory.as_ref().is_some_and(is_whole))
        .map(|store| store.search(Wanted::Trace(trace_id)));
    async move {
        let found = match search {
            None => Ok(FoundTraces::default()),
            Some(search) => search.await,
        };
        match (in_memory, found) {
            (Some(trace), Err(_)) => Ok(TraceLookup::Found(Box::new(trace))),
            (None, Err(error)) => Err(error),
            (in_memory, Ok(found)) => lookup(in_memory, found),
        }
    }
}

fn lookup(in_memory: Option<KeptTrace>, found: FoundTraces) -> Result<TraceLookup> {
    let trace = match (in_memory, found.trace) {
        (Some(in_memory), Some(stored)) => Some(joined(in_memory, stored)),
        (in_memory, stored) => in_memory.or(stored),
    };
    match trace {
        Some(trace) => Ok(TraceLookup::Found(Box::new(trace))),
        None if found.next.is_some() => Err(Error::reader(
            "the trace was not found within five seconds, in which not all stored traces were read",
        )),
        None => Ok(TraceLookup::NotFound {
            stored_since: found.stored_since,
        }),
    }
}

/// The spans of both, each once.
fn joined(in_memory: KeptTrace, stored: KeptTrace) -> KeptTrace {
    let mut new = in_memory.spans.clone();
    let is_stored = |id| stored.spans.iter().any(|span| span.span_id == id);
    new.retain(|span| !is_stored(span.span_id));
    let parts = [(stored.kept, stored.spans), (in_memory.kept, new)];
    KeptTrace::of_parts(stored.trace_id, parts).unwrap_or(in_memory)
}

/// Reads the traces of the data directory that a query selects.
pub(crate) fn stored_traces(
    store: Option<&TraceStore>,
    query: &StoredTraceQuery,
) -> impl Future<Output = Result<StoredTraces>> + Send + use<> + 'static {
    let search = store.map(|store| store.search(Wanted::Traces(query.clone())));
    async move {
        let Some(search) = search else {
            return Ok(StoredTraces::default());
        };
        let found = search.await?;
        Ok(StoredTraces {
            traces: found.traces.into_iter().map(|(_, trace)| trace).collect(),
            next: found.next,
            stored_since: found.stored_since,
        })
    }
}
