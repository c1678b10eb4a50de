//! The active span of a [`SpanBuilder`](super::SpanBuilder).

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::active_span::OwnedSpan;
use super::attribute_buffer::AttributeBuffer;
use super::span_record::{SpanKind, SpanRecord, SpanStatus};
use super::traces::Traces;
use crate::model::Attributes;
use crate::model::codec::Reader;
use crate::semconv;

/// An active span. If it is dropped before its end, it was cancelled or its code panicked.
pub(super) struct ManualSpan {
    open: OwnedSpan,
    name: Cow<'static, str>,
    kind: SpanKind,
    attributes: Attributes,
    ended: bool,
}

impl ManualSpan {
    pub(super) fn begin(
        traces: Arc<Traces>,
        name: Cow<'static, str>,
        kind: SpanKind,
        attributes: Attributes,
    ) -> Self {
        Self {
            open: OwnedSpan::begin(traces),
            name,
            kind,
            attributes,
            ended: false,
        }
    }

    /// Runs code in the span, which is the thread's current operation during the call.
    pub(super) fn inside<R>(running: &mut Option<Self>, work: impl FnOnce() -> R) -> R {
        match running {
            Some(running) => running.open.inside(work),
            None => work(),
        }
    }

    /// Ends the span. `text` is a length-prefixed status message.
    pub(super) fn end(
        mut self,
        status: SpanStatus,
        text: Option<&[u8]>,
        error_type: Option<&'static str>,
    ) {
        let text = text.and_then(|text| Reader::new(text).str());
        if let Some(error_type) = error_type {
            self.attributes.insert(semconv::ERROR_TYPE, error_type);
        }
        self.finish(status, text.unwrap_or_default());
    }

    fn finish(&mut self, status: SpanStatus, text: &str) {
        self.ended = true;
        let mut attributes = AttributeBuffer::attributes(self.open.traces().limits());
        attributes.all(&self.attributes);
        let record = SpanRecord {
            kind: self.kind,
            status,
            name: &self.name,
            status_text: text,
            attributes: attributes.bytes(),
            left_out: attributes.left_out(),
            ..SpanRecord::default()
        };
        self.open.end(self.open.now(), &record);
    }
}

impl Drop for ManualSpan {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        if self.open.panicked() {
            self.attributes.insert(semconv::ERROR_TYPE, "panicked");
            self.finish(SpanStatus::Error, "panicked");
        } else {
            self.attributes
                .insert(semconv::WATCHPOST_OUTCOME, "cancelled");
            self.finish(SpanStatus::Unset, "");
        }
    }
}

impl fmt::Debug for ManualSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManualSpan")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
