//! The end of a request: its outcome, its metrics, its trace and its log record.

use std::sync::Arc;
use std::time::Duration;

use super::pool::with_cache;
use super::state::InFlightRequest;
use crate::clock::Nanos;
use crate::context::UNMATCHED;
use crate::http::classify::Class;
use crate::http::finished::FinishedRequest;
use crate::http::labels::{ErrorType, RequestLabels};
use crate::http::layer_state::RequestLogMode;
use crate::http::query_totals::QueryTotals;
use crate::http::series::{RequestMeasurements, RequestSeries};
use crate::model::grpc::{Call, Status};
use crate::model::{KeepReason, Outcome, TraceId};
use crate::trace::{RootEnd, RootRecord, Traces};

/// How a request ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct RequestEnd {
    pub(super) labels: RequestLabels,
    pub(super) measurements: RequestMeasurements,
    /// Whether the request counts into the error rate.
    pub(super) failed: bool,
    pub(super) now: Nanos,
}

impl InFlightRequest {
    /// Ends the request with an outcome, at `now` or when this is called. Consumes the state, so that each request is
    /// recorded once.
    pub(in crate::http) fn finish(mut self: Box<Self>, outcome: Outcome, now: Option<Nanos>) {
        let now = now.unwrap_or_else(|| self.layer.now());
        // The route first, because `close` gives the slot back.
        self.take_route();
        self.close();

        // The status of a call before `classify`, which judges last.
        if self.grpc.is_call {
            self.end_call(outcome);
        }
        self.run_classify(None);

        // A client that left while it sent the body takes the status away.
        let outcome = if self.request_body.is_watched() {
            self.settle_request_body(outcome)
        } else {
            outcome
        };

        // Class and outcome are final: whether the request failed.
        let slot = self.slot.as_deref();
        self.queries = slot.and_then(|slot| QueryTotals::of(slot, &mut self.attributes));
        let failed = self.class == Class::Failure
            || matches!(
                outcome,
                Outcome::Failed | Outcome::Panicked | Outcome::BodyError
            )
            || outcome == Outcome::Timeout && self.status.is_none();
        if failed
            && self.queries.is_some()
            && let Some(slot) = self.slot.as_deref()
        {
            QueryTotals::note_failed(slot, &mut self.attributes);
        }

        // What the metrics record. `on_end` sees it, and may add the last attributes of the record.
        let sent_body = self.headers_at.is_some() && outcome != Outcome::Upgraded;
        let measurements = RequestMeasurements {
            duration: now.saturating_sub(self.start),
            time_to_headers: self.headers_at.map(|at| at.saturating_sub(self.start)),
            request_bytes: self.request_bytes,
            response_bytes: sent_body.then_some(self.response_body.bytes(self.version)),
        };
        if self.layer.has_end_hooks {
            self.run_end_hooks(outcome, failed, &measurements, now);
        }
        // A 404 without a route is no sign of a layer at the wrong place, and neither is a request without a response.
        if self.ids.route == UNMATCHED && !matches!(self.status, None | Some(404)) {
            self.count_unrouted();
        }
        let is_failure = self.class == Class::Failure;
        let labels = RequestLabels {
            route: self.ids.route,
            method: self.method,
            scheme: self.scheme,
            version: self.version,
            status: self.status,
            outcome,
            error: ErrorType::of(self.status, self.call, outcome, is_failure),
        };
        self.record_and_recycle(&RequestEnd {
            labels,
            measurements,
            failed,
            now,
        });
    }

    /// Takes over what came of the request's body: its bytes, and the outcome where the client left before its end.
    #[inline(never)]
    fn settle_request_body(&mut self, outcome: Outcome) -> Outcome {
        // 1. The size: what was read, if no header declared it, if the client left before the end, or if the host asked
        // for it.
        let upload = self.request_body.summary();
        let has_new_size = self.request_bytes.is_none() && upload.ended;
        if upload.aborted || has_new_size || self.layer.count_request_body {
            self.request_bytes = Some(upload.bytes);
        }
        // 2. The outcome. A panic remains one, even if the client has left as well.
        if !upload.aborted || matches!(outcome, Outcome::Panicked | Outcome::Upgraded) {
            return outcome;
        }
        // Nobody receives the service's response: it has no status, and is no failure.
        self.status = None;
        self.clear_call_status();
        self.headers_at = None;
        self.class = Class::Success;
        Outcome::UploadAborted
    }

    /// Records the request and puts the state into the thread's pool. While the thread ends there is no pool, and the
    /// state is freed.
    #[inline]
    fn record_and_recycle(self: Box<Self>, end: &RequestEnd) {
        let layer = self.layer.id;
        let epoch = self.layer.metrics.epoch();
        let mut state = Some(self);
        // The series is found and the state put back in one access to the thread's cache. The closure takes the state
        // only if there is a cache.
        let surplus = with_cache(layer, |cache| {
            let mut state = state.take()?;
            let series = cache.series(end.labels, epoch, || state.new_series(end.labels));
            state.record(series, end);
            state.reset();
            cache.put_pooled(state)
        });
        if let Some(surplus) = surplus.flatten() {
            free(surplus);
        }
        // The thread is ending and has no cache any more. The request is recorded all the same.
        if let Some(state) = state {
            let series = state.new_series(end.labels);
            state.record(&series, end);
        }
    }

    #[cold]
    fn new_series(&self, labels: RequestLabels) -> Arc<RequestSeries> {
        let layer = &self.layer;
        let traces = layer.traces.as_deref();
        let routes = layer.requests.routes();
        layer.instruments.series(labels, routes, traces)
    }

    /// Decides on the trace, records the metrics and queues the log record.
    #[inline]
    fn record(&self, series: &RequestSeries, end: &RequestEnd) {
        // The trace first: exemplars name traces that are kept, where any are.
        let exemplar = match self.layer.traces.as_deref() {
            Some(traces) => self.decide_trace(traces, series, end),
            None => self.ids.trace,
        };
        let (instruments, measurements) = (&self.layer.instruments, &end.measurements);
        series.record(instruments, measurements, exemplar, end.now);
        if self.call != Call::NONE {
            series.record_call(instruments, self.call, measurements, exemplar, end.now);
        }
        if let Some(queries) = &self.queries {
            series.record_queries(instruments, queries);
        }
        let is_logged = match self.layer.log_mode {
            RequestLogMode::Off => false,
            RequestLogMode::All => true,
            RequestLogMode::ErrorsAndSlow(slow) => end.failed || measurements.duration >= slow,
        };
        if is_logged {
            self.queue_record(series, end);
        }
    }

    /// Decides whether the request's trace is kept. Returns the trace ID for exemplars; nil without an exemplar.
    #[inline]
    fn decide_trace(&self, traces: &Traces, series: &RequestSeries, end: &RequestEnd) -> TraceId {
        let outcome = end.labels.outcome;
        // The duration of a request that its client broke off says nothing of the route.
        let is_slow = !matches!(outcome, Outcome::Cancelled | Outcome::UploadAborted)
            && traces.is_slow(series.times.as_deref(), end.measurements.duration);
        let why = match outcome {
            Outcome::Panicked => Some(KeepReason::Panic),
            Outcome::Timeout => Some(KeepReason::Timeout),
            _ if end.failed => Some(KeepReason::Error),
            _ => is_slow.then_some(KeepReason::Slow),
        };
        let Some(slot) = &self.slot else {
            return TraceId::NIL;
        };
        let end_of_root = RootEnd {
            trace: self.ids.trace,
            trace_state: &self.trace.state,
            why,
            sampling: self.trace.sampling,
            now: end.now,
        };
        let encode = |out: &mut Vec<u8>| self.encode(series, end, out);
        match traces.root_ended(slot, &end_of_root, &RootRecord::Request(&encode)) {
            Some(_) if traces.sender().can_look_up(self.trace.sampling) => self.ids.trace,
            _ => TraceId::NIL,
        }
    }

    /// Counts the user and runs the hook `on_end`.
    #[cold]
    fn run_end_hooks(
        &mut self,
        outcome: Outcome,
        failed: bool,
        measurements: &RequestMeasurements,
        now: Nanos,
    ) {
        if let Some(user) = self.user_hash {
            self.layer.users.record(user, now);
        }
        if self.layer.hooks.on_end.is_set() {
            self.run_on_end(outcome, failed, measurements);
        }
    }

    fn run_on_end(&mut self, outcome: Outcome, failed: bool, measurements: &RequestMeasurements) {
        let route = self.route_name();
        let finished = FinishedRequest {
            method: self.method.as_str(),
            route: &route,
            status: self.status,
            grpc_status: self.call.status().map(Status::name),
            outcome,
            failed,
            duration: Duration::from_nanos(measurements.duration),
            time_to_headers: measurements.time_to_headers.map(Duration::from_nanos),
            request_bytes: measurements.request_bytes,
            response_bytes: measurements.response_bytes,
            trace_id: self.ids.trace,
        };
        let attributes = &mut self.attributes;
        self.layer
            .hooks
            .on_end
            .run(|hook| hook(&finished, attributes));
    }
}

/// Drops a state. Not inlined: the pool is seldom full.
#[cold]
#[inline(never)]
fn free(state: Box<InFlightRequest>) {
    drop(state);
}
