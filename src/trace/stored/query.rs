use std::ops::RangeInclusive;
use std::time::{Duration, SystemTime};

use super::class::TraceClass;
use super::id_filter::{hash_request_id, hash_trace_id};
use super::record::{StoredFacts, time};
use super::segment_list::SegmentContents;
use crate::clock::{Nanos, nanos, wall_nanos};
use crate::model::{KeepReason, TraceId};
#[cfg(feature = "dashboard")]
use crate::trace::decode::Span;

/// Which of the traces in the data directory to read, for [`Monitor::stored_traces`](crate::Monitor::stored_traces).
///
/// ```
/// use std::time::Duration;
/// use watchpost::trace::StoredTraceQuery;
///
/// // The last ten slow failures of a route.
/// let query = StoredTraceQuery::default()
///     .route("/orders/{id}")
///     .status(500..=599)
///     .min_duration(Duration::from_millis(200))
///     .limit(10);
/// # let _ = query;
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct StoredTraceQuery {
    pub(super) limit: usize,
    pub(super) before: u64,
    trace_id: Option<TraceId>,
    /// The lower 64 bits of the trace ID.
    low_trace_id: Option<u64>,
    request_id: Option<String>,
    route: Option<String>,
    min_duration: Nanos,
    max_duration: Nanos,
    status: Option<RangeInclusive<u16>>,
    kept: Option<KeepReason>,
    since: Nanos,
    until: Nanos,
}

impl StoredTraceQuery {
    /// The default limit: 100 traces.
    pub const DEFAULT_LIMIT: usize = 100;
    /// The highest limit: 1,000 traces. A higher one counts as this.
    pub const MAX_LIMIT: usize = 1_000;

    /// Sets the maximum number of traces, from 1 to [`MAX_LIMIT`](Self::MAX_LIMIT). The newest ones are read. Default:
    /// 100.
    pub fn limit(mut self, traces: usize) -> Self {
        self.limit = traces.clamp(1, Self::MAX_LIMIT);
        self
    }

    /// Continues an earlier query at its [`StoredTraces::next`]. Default: begins with the newest trace.
    pub fn before(mut self, position: u64) -> Self {
        self.before = position;
        self
    }

    /// Reads only the trace with this ID. Default: all traces.
    pub fn trace_id(mut self, trace_id: TraceId) -> Self {
        self.trace_id = Some(trace_id);
        self
    }

    /// Reads only traces whose ID ends with these 64 bits: the form that some tracers show. Unlike a complete ID, it does not
    /// say in which files the trace is, so all of them are read. Default: all traces.
    pub fn low_trace_id(mut self, low: u64) -> Self {
        self.low_trace_id = Some(low);
        self
    }

    /// Reads only traces with this [request ID](StoredTrace::request_id). Default: all traces.
    pub fn request_id(mut self, request_id: impl Into<String>) -> Self {
        self.request_id = Some(request_id.into());
        self
    }

    /// Reads only traces of this route pattern, or, outside of requests, of a topmost span with this name. Default: all
    /// traces.
    pub fn route(mut self, route: impl Into<String>) -> Self {
        self.route = Some(route.into());
        self
    }

    /// Reads only traces whose request or topmost span took this long or longer. Default: all traces.
    pub fn min_duration(mut self, duration: Duration) -> Self {
        self.min_duration = nanos(duration);
        self
    }

    /// Reads only traces whose request or topmost span took this long or less. Default: all traces.
    pub fn max_duration(mut self, duration: Duration) -> Self {
        self.max_duration = nanos(duration);
        self
    }

    /// Reads only traces of responses with a status in this range. Default: all traces.
    pub fn status(mut self, status: RangeInclusive<u16>) -> Self {
        self.status = Some(status);
        self
    }

    /// Reads only traces that were kept for this reason. Default: all traces.
    pub fn kept(mut self, reason: KeepReason) -> Self {
        self.kept = Some(reason);
        self
    }

    /// Reads only traces that started at this time or later. Default: no limit.
    pub fn since(mut self, time: SystemTime) -> Self {
        self.since = wall_nanos(time);
        self
    }

    /// Reads only traces that started before this time. Default: no limit.
    pub fn until(mut self, time: SystemTime) -> Self {
        self.until = wall_nanos(time);
        self
    }

    /// Whether traces of a class may match.
    pub(super) fn may_be_in(&self, class: TraceClass) -> bool {
        // The first version of the format had one class for all.
        class == TraceClass::Failed || self.kept.is_none_or(|kept| TraceClass::of(kept) == class)
    }

    /// Whether a file with these contents may have a trace that matches.
    pub(super) fn may_match(&self, contents: &SegmentContents) -> bool {
        let Some((first, last)) = contents.starts else {
            return false;
        };
        let id = self.trace_id.map(|id| hash_trace_id(id.to_u128()));
        let request = self.request_id.as_deref().map(hash_request_id);
        last >= self.since
            && first < self.until
            && id.is_none_or(|id| contents.ids.may_have(id))
            && request.is_none_or(|id| contents.ids.may_have(id))
    }

    /// Whether a trace may match, by its reason and the duration of its request or topmost span.
    #[cfg(feature = "dashboard")]
    pub(in crate::trace) fn may_match_root(&self, kept: KeepReason, duration: Nanos) -> bool {
        self.kept.is_none_or(|reason| kept == reason)
            && duration >= self.min_duration
            && duration <= self.max_duration
    }

    /// Describes a request or topmost span, if it matches.
    #[cfg(feature = "dashboard")]
    pub(in crate::trace) fn matching_root(
        &self,
        root: &Span,
        kept: KeepReason,
    ) -> Option<StoredTrace> {
        let facts = StoredFacts::of_root(root, kept);
        self.matches(&facts).then(|| StoredTrace::of(&facts))
    }

    /// The maximum number of traces.
    #[cfg(feature = "dashboard")]
    pub(in crate::trace) fn max_traces(&self) -> usize {
        self.limit
    }

    /// Whether a record is the root of a trace that matches.
    pub(super) fn matches(&self, facts: &StoredFacts<'_>) -> bool {
        let route = if facts.route.is_empty() {
            facts.name
        } else {
            facts.route
        };
        facts.has_root
            && facts.duration >= self.min_duration
            && facts.duration <= self.max_duration
            && facts.start >= self.since
            && facts.start < self.until
            && self.kept.is_none_or(|reason| facts.kept == reason)
            && self.trace_id.is_none_or(|id| facts.trace_id == id)
            && self
                .low_trace_id
                .is_none_or(|low| low_half(facts.trace_id) == low)
            && self.route.as_deref().is_none_or(|wanted| route == wanted)
            && self.status.as_ref().is_none_or(|status| {
                let of = facts.status_code;
                of.is_some_and(|code| status.contains(&code))
            })
            && self
                .request_id
                .as_deref()
                .is_none_or(|wanted| !wanted.is_empty() && facts.request_id == wanted)
    }
}

/// The lower half of a trace ID.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the lower half is what is asked for"
)]
fn low_half(id: TraceId) -> u64 {
    id.to_u128() as u64
}

impl Default for StoredTraceQuery {
    fn default() -> Self {
        Self {
            limit: Self::DEFAULT_LIMIT,
            before: u64::MAX,
            trace_id: None,
            low_trace_id: None,
            request_id: None,
            route: None,
            min_duration: 0,
            max_duration: Nanos::MAX,
            status: None,
            kept: None,
            since: 0,
            until: Nanos::MAX,
        }
    }
}

/// A trace in the data directory: its request or topmost span. [`Monitor::find_trace`](crate::Monitor::find_trace)
/// reads its spans.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StoredTrace {
    /// The ID of the trace.
    pub trace_id: TraceId,
    /// The request ID: the attribute `http.request.header.x-request-id`, `request.id` or `request_id` of the request or
    /// topmost span, whichever there is first, up to 256 bytes; empty without one.
    pub request_id: String,
    /// The name of the span; `{method} {route}` for a request.
    pub name: String,
    /// The route of the request; empty without one.
    pub route: String,
    /// The time at which it started.
    pub start: SystemTime,
    /// Its duration.
    pub duration: Duration,
    /// The status of the response; `None` outside of requests, and without a response.
    pub status_code: Option<u16>,
    /// Whether it failed.
    pub is_error: bool,
    /// The reason why the trace was kept.
    pub kept: KeepReason,
}

impl StoredTrace {
    pub(super) fn of(facts: &StoredFacts<'_>) -> Self {
        Self {
            trace_id: facts.trace_id,
            request_id: facts.request_id.to_owned(),
            name: facts.name.to_owned(),
            route: facts.route.to_owned(),
            start: time(facts.start),
            duration: Duration::from_nanos(facts.duration),
            status_code: facts.status_code,
            is_error: facts.is_error,
            kept: facts.kept,
        }
    }
}

/// The traces in the data directory that a query found.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct StoredTraces {
    /// The traces, the last to end first. A trace in which this process was called several times is there for each
    /// call.
    pub traces: Vec<StoredTrace>,
    /// The position to continue at with [`StoredTraceQuery::before`], if the limit was reached or the time was over;
    /// `None` if all stored traces were looked at.
    pub next: Option<u64>,
    /// Since when there are traces in the data directory: the earliest start in its oldest file. Older ones were removed
    /// to make room, or were never stored. `None` without stored traces, and if the time was over before that file was
    /// read.
    pub stored_since: Option<SystemTime>,
}
