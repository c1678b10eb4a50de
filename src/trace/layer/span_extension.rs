//! The data of a `tracing` span in the registry's extensions.

use std::sync::Arc;

use tracing::Metadata;

use crate::clock::Nanos;
use crate::context::Slot;
use crate::model::SpanId;
use crate::model::codec::Reader;
use crate::trace::active_span::{SpanParent, end_span};
use crate::trace::attribute_buffer::AttributeBuffer;
use crate::trace::span_fields::SpanFields;
use crate::trace::span_record::{SpanKind, SpanRecord, SpanStatus};
use crate::trace::traces::Traces;

/// The data of a `tracing` span for each monitor whose layer received it; stored in the span's extensions.
pub(super) struct SpanExtension {
    pub(super) first: MonitorSpan,
    pub(super) others: Vec<MonitorSpan>,
}

pub(super) struct MonitorSpan {
    pub(super) monitor: u32,
    pub(super) slot: Arc<Slot>,
    /// The ID of this span if it is recorded, otherwise that of the enclosing span.
    pub(super) span: SpanId,
    pub(super) recorded: Option<RecordingSpan>,
}

/// A recorded span that has not ended.
pub(super) struct RecordingSpan {
    pub(super) place: SpanParent,
    pub(super) start: Nanos,
    pub(super) kind: SpanKind,
    pub(super) status: SpanStatus,
    /// The message of the last event at the level ERROR.
    pub(super) error_message: String,
    pub(super) fields: SpanFields,
    pub(super) events: AttributeBuffer,
    pub(super) links: AttributeBuffer,
}

impl SpanExtension {
    pub(super) fn of(&self, monitor: u32) -> Option<&MonitorSpan> {
        std::iter::once(&self.first)
            .chain(&self.others)
            .find(|of| of.monitor == monitor)
    }

    pub(super) fn of_mut(&mut self, monitor: u32) -> Option<&mut MonitorSpan> {
        std::iter::once(&mut self.first)
            .chain(&mut self.others)
            .find(|of| of.monitor == monitor)
    }
}

impl RecordingSpan {
    pub(super) fn end(self, traces: &Traces, span: SpanId, metadata: &Metadata<'_>) {
        let fields = &self.fields;
        let panicked = std::thread::panicking();
        let status = match fields.status.unwrap_or(self.status) {
            SpanStatus::Unset if panicked => SpanStatus::Error,
            status => status,
        };
        let status_text = Reader::new(&fields.status_text).str();
        let message = match &*self.error_message {
            _ if status != SpanStatus::Error => "",
            "" if panicked => "panicked",
            message => message,
        };
        let record = SpanRecord {
            span,
            parent: self.place.parent,
            start: self.start,
            end: traces.requests().clock().now(),
            kind: fields.kind.unwrap_or(self.kind),
            status,
            name: Reader::new(&fields.name).str().unwrap_or(metadata.name()),
            status_text: status_text.unwrap_or(message),
            scope: metadata.target(),
            attributes: fields.attributes.bytes(),
            events: self.events.bytes(),
            links: self.links.bytes(),
            left_out: fields.attributes.left_out() + self.events.left_out() + self.links.left_out(),
        };
        end_span(traces, &self.place, &record, panicked);
    }
}
