//! The kept traces that stay in memory.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use rustc_hash::FxHashMap;

use super::read::{Span, read_part};
use crate::clock::{Clock, Nanos};
use crate::model::wire::Reader;
use crate::model::{Kept, Signal, TraceId};
use crate::worker::{Jobs, Record, Tap};

/// A kept trace: what this process did in it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct KeptTrace {
    /// Its id, as on the lines and in the response header.
    pub trace_id: TraceId,
    /// Why it is kept.
    pub kept: Kept,
    /// When its first span began.
    pub start: SystemTime,
    /// The time from then to the end of its last span.
    pub duration: Duration,
    /// Its spans by their beginning; several roots where this process was called several times.
    pub spans: Vec<Span>,
}

/// Kept traces in their compact form, the newest last, bounded in bytes.
#[derive(Debug)]
pub(crate) struct Recent {
    max_bytes: usize,
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    bytes: usize,
    traces: FxHashMap<TraceId, Vec<(Nanos, Box<[u8]>)>>,
    order: VecDeque<TraceId>,
}

/// What an entry takes beside its bytes.
const OVERHEAD: usize = 96;

impl Recent {
    pub(crate) fn new(max_bytes: usize, clock: Clock) -> Self {
        Self {
            max_bytes,
            clock,
            state: Mutex::default(),
        }
    }

    fn add(&self, at: Nanos, record: &[u8]) {
        let Some(trace) = Reader::new(record).u128().map(TraceId::from_u128) else {
            return;
        };
        let cost = record.len() + OVERHEAD;
        if cost > self.max_bytes {
            return;
        }
        let mut state = self.lock();
        let parts = state.traces.entry(trace).or_default();
        let is_new = parts.is_empty();
        parts.push((at, record.into()));
        state.bytes += cost;
        if is_new {
            state.order.push_back(trace);
        }
        while state.bytes > self.max_bytes
            && let Some(oldest) = state.order.pop_front()
        {
            let parts = state.traces.remove(&oldest).unwrap_or_default();
            let freed: usize = parts.iter().map(|(_, part)| part.len() + OVERHEAD).sum();
            state.bytes = state.bytes.saturating_sub(freed);
        }
    }

    /// The kept traces, the newest first.
    pub(crate) fn traces(&self) -> Vec<KeptTrace> {
        let ids: Vec<_> = self.lock().order.iter().rev().copied().collect();
        ids.into_iter().filter_map(|id| self.trace(id)).collect()
    }

    /// The kept trace of an id.
    pub(crate) fn trace(&self, trace_id: TraceId) -> Option<KeptTrace> {
        let parts = self.lock().traces.get(&trace_id)?.clone();
        let read = parts
            .iter()
            .filter_map(|(at, part)| read_part(part, *at, &self.clock));
        let (mut kept, mut spans) = (None, Vec::new());
        for part in read {
            kept = Some(kept.map_or(part.kept, |before: Kept| before.min(part.kept)));
            spans.extend(part.spans);
        }
        spans.sort_by_key(|span: &Span| span.start);
        let start = spans.first()?.start;
        let end = spans.iter().map(|span| span.start + span.duration).max()?;
        Some(KeptTrace {
            trace_id,
            kept: kept?,
            start,
            duration: end.duration_since(start).unwrap_or_default(),
            spans,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hands kept traces to the memory.
pub(crate) struct RecentTap(pub(crate) Arc<Recent>);

impl Tap for RecentTap {
    fn signal(&self) -> Signal {
        Signal::Span
    }

    fn take(&mut self, record: &Record<'_>, _: &Jobs<'_>) {
        self.0.add(record.at, record.body);
    }
}
