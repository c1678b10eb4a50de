//! The record of a request under way.

use super::InFlightRequest;
use crate::clock::Nanos;
use crate::http::layer_state::RequestLogMode;
use crate::http::series::{RequestLabels, RequestMeasurements, RequestSeries};
use crate::model::codec::put_str;
use crate::model::{Outcome, RecordKind};
use crate::record::{RequestRecord, note_left_out, put_attributes, put_fixed};

impl InFlightRequest {
    /// Queues the request's record.
    pub(super) fn line(
        &self,
        series: &RequestSeries,
        labels: RequestLabels,
        measured: &RequestMeasurements,
        failed: bool,
        now: Nanos,
    ) {
        let route = self.ids.route.number();
        self.shared
            .record_queue
            .push_of(RecordKind::Request, route, now, |out| {
                self.write(series, labels, measured, failed, out);
            });
    }

    /// Appends the request's record.
    pub(super) fn write(
        &self,
        series: &RequestSeries,
        labels: RequestLabels,
        measured: &RequestMeasurements,
        failed: bool,
        out: &mut Vec<u8>,
    ) {
        let start = out.len();
        put_fixed(out, &self.fixed(labels.outcome, measured, failed));
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
    fn fixed(
        &self,
        outcome: Outcome,
        measured: &RequestMeasurements,
        failed: bool,
    ) -> RequestRecord<'static> {
        RequestRecord {
            trace: self.ids.trace,
            span: self.ids.span,
            parent_span: self.parent_span,
            parent_trace: self.parent_trace,
            duration: measured.duration,
            time_to_headers: measured.time_to_headers,
            request_bytes: measured.request_bytes,
            response_bytes: measured.response_bytes,
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

    /// The request as the record of its event stream's end repeats it; `None` where there are no log records.
    #[cold]
    pub(in crate::http) fn repeated(&self) -> Option<(RequestRecord<'static>, Vec<u8>, Vec<u8>)> {
        if self.shared.lines == RequestLogMode::Off {
            return None;
        }
        let measured = RequestMeasurements {
            duration: 0,
            time_to_headers: None,
            request_bytes: self.request_bytes,
            response_bytes: None,
        };
        let (mut texts, mut attributes) = (Vec::new(), Vec::new());
        put_str(&mut texts, &self.route_name());
        match &self.slot {
            Some(slot) if self.has_lent => {
                slot.lend(|facts| texts.extend_from_slice(&facts.texts));
            }
            _ => (0..6).for_each(|_| put_str(&mut texts, "")),
        }
        put_str(&mut texts, &self.user);
        let left_out = put_attributes(&mut attributes, &self.attributes);
        let mut record = self.fixed(Outcome::Completed, &measured, false);
        record.left_out = record.left_out.saturating_add(left_out);
        record.shortened |= left_out > 0;
        Some((record, texts, attributes))
    }
}
