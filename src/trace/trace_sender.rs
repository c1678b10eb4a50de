//! Sends kept traces to the worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::recent_decisions::KeptTraceInfo;
use super::span_record::{
    MAX_SPAN, PartHead, SpanRecord, put_head, put_no_root, put_request_root, put_span,
    put_span_root,
};
use super::span_template::{EncodedSpans, SpanTemplate, SpanTemplates};
use crate::clock::Nanos;
use crate::context::BufferedTrace;
use crate::model::codec::put_bytes;
use crate::model::{KeepReason, RecordKind, Sampling, TraceId};
use crate::worker::{MAX_RECORD, RecordQueue};

/// The space, in bytes, that is reserved in a record for its header, the root and the root's events. The rest is for
/// other spans.
const ROOT_RESERVE: usize = MAX_SPAN + 10 * 1024;
/// The reserved space in a record without a root, in bytes.
const HEAD_RESERVE: usize = 1024;

/// The data for the decision at the end of a root.
pub(crate) struct RootEnd<'a> {
    pub(crate) trace: TraceId,
    pub(crate) trace_state: &'a str,
    /// The reason to keep the trace, if something happened in it.
    pub(crate) why: Option<KeepReason>,
    /// The sampling decision at the start of the trace.
    pub(crate) sampling: Sampling,
    pub(crate) now: Nanos,
}

/// The root of a trace, as part of a record for the worker.
pub(crate) enum RootRecord<'a> {
    /// A request; the function appends its record.
    Request(&'a dyn Fn(&mut Vec<u8>)),
    Span(&'a SpanRecord<'a>),
}

/// Queues kept traces for the worker.
#[derive(Debug)]
pub(crate) struct TraceSender {
    record_queue: Arc<RecordQueue>,
    templates: SpanTemplates,
    /// Whether kept spans are exported, and not only kept in memory. The counters of records count exported spans.
    is_exported: AtomicBool,
}

impl TraceSender {
    pub(super) fn new(record_queue: &Arc<RecordQueue>) -> Self {
        Self {
            record_queue: Arc::clone(record_queue),
            templates: SpanTemplates::default(),
            is_exported: AtomicBool::new(false),
        }
    }

    /// Records that kept spans are exported, so that the counters of records include them.
    pub(crate) fn set_exported(&self) {
        self.is_exported.store(true, Relaxed);
    }

    /// Whether kept spans are exported, and not only kept in memory.
    pub(crate) fn is_exported(&self) -> bool {
        self.is_exported.load(Relaxed)
    }

    /// Whether a kept trace can be looked up: at the receiver if there is one, otherwise in memory.
    pub(crate) fn can_look_up(&self, sampling: Sampling) -> bool {
        !(sampling.is_local() && self.is_exported())
    }

    /// Adds a template for spans that differ only in their IDs, times and counts. The caller bounds the number and the
    /// bytes of the templates that it has not [retired](Self::retire_template).
    pub(crate) fn add_template(&self, record: &SpanRecord<'_>) -> SpanTemplate {
        self.templates.add(record)
    }

    /// Retires a template, from which no more spans are made.
    pub(crate) fn retire_template(&self, template: &SpanTemplate) {
        self.templates.retire(template);
    }

    /// Sends one span of a kept trace.
    #[cold]
    pub(super) fn send_span(&self, kept: KeptTraceInfo, trace_state: &str, span: &SpanRecord<'_>) {
        let items = self.counted_items(kept.sampling, 1);
        self.record_queue
            .push_many(RecordKind::Span, items, span.end, |out| {
                let head = PartHead {
                    trace: kept.trace,
                    reason: kept.reason,
                    sampling: kept.sampling,
                    lost_spans: 0,
                    lost_events: 0,
                    trace_state,
                };
                put_head(out, &head);
                put_bytes(out, &[]);
                put_no_root(out);
                put_span(out, span);
            });
    }

    /// Sends the root of a trace that was decided before its end.
    #[cold]
    pub(super) fn send_root(&self, end: &RootEnd<'_>, reason: KeepReason, root: &RootRecord<'_>) {
        self.send(end, reason, &BufferedTrace::default(), Some(root));
    }

    /// Sends a kept trace, in as many records as necessary.
    pub(super) fn send(
        &self,
        end: &RootEnd<'_>,
        reason: KeepReason,
        buffered: &BufferedTrace<'_>,
        root: Option<&RootRecord<'_>>,
    ) {
        self.templates.with(buffered.spans, |spans| {
            self.send_spans(end, reason, buffered, spans, root);
        });
    }

    fn send_spans(
        &self,
        end: &RootEnd<'_>,
        reason: KeepReason,
        buffered: &BufferedTrace<'_>,
        mut spans: EncodedSpans<'_>,
        mut root: Option<&RootRecord<'_>>,
    ) {
        loop {
            // The root and its events are in the first record. Each further record takes at least one span, so that
            // the loop ends.
            let root = root.take();
            let reserve = if root.is_some() {
                ROOT_RESERVE
            } else {
                HEAD_RESERVE
            };
            // Spans are never split, and `take_front` takes one even if it alone exceeds the rest of a record. A span
            // has at most `MAX_SPAN` bytes, so it fits into a record of its own.
            let (these, count) = spans.take_front(MAX_RECORD - reserve, root.is_none());
            let items = count + u32::from(root.is_some());
            if items == 0 {
                return;
            }
            let items = self.counted_items(end.sampling, items);
            let (events, lost_events) = match root {
                Some(_) => (buffered.events, buffered.events_lost),
                None => (&[][..], 0),
            };
            let head = PartHead {
                trace: end.trace,
                reason,
                sampling: end.sampling,
                lost_spans: buffered.lost,
                lost_events,
                trace_state: end.trace_state,
            };
            self.record_queue
                .push_many(RecordKind::Span, items, end.now, |out| {
                    put_head(out, &head);
                    put_bytes(out, events);
                    match root {
                        None => put_no_root(out),
                        Some(RootRecord::Request(write)) => put_request_root(out, write),
                        Some(RootRecord::Span(span)) => put_span_root(out, span),
                    }
                    these.put(out);
                });
        }
    }

    /// Returns how many of `items` spans the counters of records include: only exported spans count.
    fn counted_items(&self, sampling: Sampling, items: u32) -> u32 {
        if self.is_exported() && !sampling.is_local() {
            items
        } else {
            0
        }
    }
}
