//! The encoding of a request's record.

use std::sync::Arc;

use super::end::RequestEnd;
use super::state::{InFlightRequest, TEXTS};
use crate::http::layer_state::RequestLogMode;
use crate::http::series::{RequestMeasurements, RequestSeries};
use crate::http::stream_end::StreamEndRecord;
use crate::model::codec::put_str;
use crate::model::{Outcome, RecordKind};
use crate::record::{RequestRecord, note_left_out, put_attributes, put_fixed};

impl InFlightRequest {
    /// Queues the request's log record.
    pub(super) fn queue_record(&self, series: &RequestSeries, end: &RequestEnd) {
        let route = self.ids.route.number();
        self.layer
            .record_queue
            .push_from(RecordKind::Request, route, end.now, |out| {
                self.encode(series, end, out);
            });
    }

    /// Appends the request's record: its fixed part, its texts and its attributes.
    pub(super) fn encode(&self, series: &RequestSeries, end: &RequestEnd, out: &mut Vec<u8>) {
        let start = out.len();
        let fixed = self.fixed_part(end.labels.outcome, &end.measurements, end.failed);
        put_fixed(out, &fixed);
        put_str(out, &series.route);
        out.extend_from_slice(&self.texts);
        put_str(out, &self.user);
        put_str(out, &series.error_type);
        if self.attributes.is_empty() {
            return;
        }
        let left_out = put_attributes(out, &self.attributes);
        if left_out > 0 {
            note_left_out(out, start, left_out);
        }
    }

    /// The fixed part of the request's record.
    #[expect(
        clippy::inline_always,
        reason = "the fields go from the request's state to the bytes without a record between them"
    )]
    #[inline(always)]
    fn fixed_part(
        &self,
        outcome: Outcome,
        measurements: &RequestMeasurements,
        failed: bool,
    ) -> RequestRecord<'static> {
        RequestRecord {
            trace: self.ids.trace,
            span: self.ids.span,
            parent_span: self.parent_span,
            parent_trace: self.parent_trace,
            duration: measurements.duration,
            time_to_headers: measurements.time_to_headers,
            request_bytes: measurements.request_bytes,
            response_bytes: measurements.response_bytes,
            status: self.status,
            call: self.call,
            method: self.method,
            scheme: self.scheme,
            version: self.version.as_str(),
            outcome,
            failed,
            shortened: self.attributes.is_shortened() || self.attributes.left_out() > 0,
            left_out: self.attributes.left_out(),
            ..RequestRecord::default()
        }
    }

    /// The record of the end of this request's event stream. It repeats the request's fields, and is complete but for
    /// what the end adds. `None` without log records.
    #[cold]
    pub(in crate::http) fn stream_end_record(&self) -> Option<StreamEndRecord> {
        if self.layer.log_mode == RequestLogMode::Off {
            return None;
        }
        let measurements = RequestMeasurements {
            duration: 0,
            time_to_headers: None,
            request_bytes: self.request_bytes,
            response_bytes: None,
        };
        // The texts are copied, because the request's state goes back to the pool long before the stream ends.
        let (mut texts, mut attributes) = (Vec::new(), Vec::new());
        put_str(&mut texts, &self.route_name());
        match &self.slot {
            // The slot borrowed the texts at the start.
            Some(slot) if self.texts_in_slot => {
                slot.with_head_mut(|facts| texts.extend_from_slice(&facts.texts));
            }
            _ => (0..TEXTS).for_each(|_| put_str(&mut texts, "")),
        }
        put_str(&mut texts, &self.user);
        let left_out = put_attributes(&mut attributes, &self.attributes);
        let mut record = self.fixed_part(Outcome::Completed, &measurements, false);
        record.left_out = record.left_out.saturating_add(left_out);
        record.shortened |= left_out > 0;
        Some(StreamEndRecord {
            record_queue: Arc::clone(&self.layer.record_queue),
            errors_only: self.layer.log_mode != RequestLogMode::All,
            record,
            texts,
            attributes,
        })
    }
}
