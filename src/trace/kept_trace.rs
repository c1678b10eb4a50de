use std::time::{Duration, SystemTime};

use super::decode::Span;
use crate::model::{KeepReason, TraceId};

/// This process's part of a kept trace.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct KeptTrace {
    /// The ID of the trace, as in log records and in the response header.
    pub trace_id: TraceId,
    /// The reason why the trace was kept.
    pub kept: KeepReason,
    /// The start time of the first span.
    pub start: SystemTime,
    /// The time from the start of the first span to the end of the last span.
    pub duration: Duration,
    /// The spans, ordered by start time. There are several roots if this process was called several times.
    pub spans: Vec<Span>,
}

impl KeptTrace {
    /// Assembles a trace from its parts; `None` without spans.
    pub(super) fn of_parts(
        trace_id: TraceId,
        parts: impl IntoIterator<Item = (KeepReason, Vec<Span>)>,
    ) -> Option<Self> {
        let (mut kept, mut spans) = (None, Vec::new());
        for (reason, of_part) in parts {
            kept = Some(kept.map_or(reason, |before: KeepReason| before.min(reason)));
            spans.extend(of_part);
        }
        spans.sort_by_key(|span: &Span| span.start);
        let start = spans.first()?.start;
        let end = spans.iter().map(|span| span.start + span.duration).max()?;
        Some(Self {
            trace_id,
            kept: kept?,
            start,
            duration: end.duration_since(start).unwrap_or_default(),
            spans,
        })
    }
}
