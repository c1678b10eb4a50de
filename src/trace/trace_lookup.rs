//! Finding kept traces, in memory and on disk.

use std::sync::Arc;
use std::time::SystemTime;

use super::recent_traces::{KeptTrace, RecentTraces};
use super::stored_trace::{self, StoredSpans};
use super::trace_store::TraceStore;
use crate::model::TraceId;
use crate::worker::{CompletionFuture, SpoolAnswer};

/// What is known of a trace, from [`Monitor::find_trace`](crate::Monitor::find_trace).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum TraceLookup {
    /// The trace is in memory or on disk.
    Found(KeptTrace),
    /// The trace was kept, and has been removed since to make room for newer ones.
    Removed,
    /// Nothing is known of the trace: it was not kept, or it was removed so long ago that this is not remembered.
    NotFound {
        /// The start of the oldest trace on disk: a trace that started later was not kept. `None` if there is no store
        /// on disk, or nothing in it.
        kept_since: Option<SystemTime>,
    },
    /// The trace is not in memory, and the disk did not answer within two seconds.
    Unavailable,
}

/// Kept traces on disk, from [`Monitor::stored_traces`](crate::Monitor::stored_traces).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StoredTraces {
    /// The traces, newest first, without those in memory.
    pub traces: Vec<KeptTrace>,
    /// The position to continue at; `None` if there are no older traces.
    pub next: Option<u64>,
    /// Whether the disk answered within two seconds. `true` without a store on disk.
    pub is_available: bool,
}

/// Finds a trace in memory, or else on disk.
pub(crate) fn find_trace(
    recent: &RecentTraces,
    store: Option<&TraceStore>,
    trace_id: TraceId,
) -> impl Future<Output = TraceLookup> + Send + use<> + 'static {
    let was_removed = recent.was_removed(trace_id);
    let not_found = move |kept_since| {
        if was_removed {
            TraceLookup::Removed
        } else {
            TraceLookup::NotFound { kept_since }
        }
    };
    let lookup = match (recent.trace(trace_id), store) {
        (Some(trace), _) => Ok(TraceLookup::Found(trace)),
        (None, None) => Ok(not_found(None)),
        (None, Some(store)) => Err(CompletionFuture(store.find(trace_id))),
    };
    async move {
        let answer = match lookup {
            Ok(lookup) => return lookup,
            Err(answer) => answer.await,
        };
        let Some(answer) = answer else {
            return TraceLookup::Unavailable;
        };
        let parts = answer.records.iter();
        let parts = parts.filter_map(|(_, body)| stored_trace::decode(body));
        let parts = parts.filter(|part| part.trace_id == trace_id);
        if let Some(trace) = KeptTrace::of_parts(trace_id, parts.map(|it| (it.kept, it.spans))) {
            return TraceLookup::Found(trace);
        }
        if answer.was_removed {
            return TraceLookup::Removed;
        }
        let oldest = answer.oldest.as_deref();
        not_found(oldest.and_then(stored_trace::start))
    }
}

/// Reads the newest traces on disk before a position that are not in memory. It looks at `limit` records.
pub(crate) fn stored_traces(
    recent: &Arc<RecentTraces>,
    store: Option<&TraceStore>,
    before: Option<u64>,
    limit: usize,
) -> impl Future<Output = StoredTraces> + Send + use<> + 'static {
    let answer = store.map(|store| store.before(before.unwrap_or(u64::MAX), limit));
    let recent = Arc::clone(recent);
    async move {
        let Some(answer) = answer else {
            return StoredTraces {
                traces: Vec::new(),
                next: None,
                is_available: true,
            };
        };
        let answer = CompletionFuture(answer).await;
        StoredTraces {
            is_available: answer.is_some(),
            next: match &answer {
                Some(answer) => answer.records.last().map(|(number, _)| *number),
                // The page can be tried again.
                None => before,
            },
            traces: answer.map_or_else(Vec::new, |answer| traces_of(&answer, &recent)),
        }
    }
}

/// The traces of a page, in the order of their newest parts.
fn traces_of(answer: &SpoolAnswer, recent: &RecentTraces) -> Vec<KeptTrace> {
    let parts = answer.records.iter();
    let parts = parts.filter_map(|(_, body)| stored_trace::decode(body));
    let mut traces: Vec<(TraceId, Vec<StoredSpans>)> = Vec::new();
    for part in parts.filter(|part| !recent.contains(part.trace_id)) {
        match traces.iter_mut().find(|(id, _)| *id == part.trace_id) {
            Some((_, parts)) => parts.push(part),
            None => traces.push((part.trace_id, vec![part])),
        }
    }
    let assemble = |(id, parts): (TraceId, Vec<StoredSpans>)| {
        KeptTrace::of_parts(id, parts.into_iter().map(|it| (it.kept, it.spans)))
    };
    traces.into_iter().filter_map(assemble).collect()
}
