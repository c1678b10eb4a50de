use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;
use prost::Message;

use super::export::ExporterEncoder;
use super::gzip::{compressed, decompressed};
use crate::model::DropReason;

/// The maximum size of an uncompressed body, in bytes.
pub(super) const MAX_BODY: usize = 256 << 20;

/// Encodes spans into request bodies.
#[derive(Debug)]
pub(super) struct BodyEncoder {
    /// OpenTelemetry's exporter; `None` if the environment makes it write bodies that cannot be decoded here.
    exporter: Option<ExporterEncoder>,
    resource: ResourceAttributesWithSchema,
    gzip: bool,
}

impl BodyEncoder {
    /// Creates an encoder whose uncompressed bodies have at most `max_bytes`.
    pub(super) fn new(resource: &Resource, gzip: bool, max_bytes: usize) -> Self {
        Self {
            exporter: ExporterEncoder::new(resource, max_bytes),
            resource: resource.into(),
            gzip,
        }
    }

    /// Returns the encoder in the state in which OpenTelemetry's exporter is not usable.
    #[cfg(test)]
    pub(super) fn without_exporter(self) -> Self {
        Self {
            exporter: None,
            ..self
        }
    }

    #[cfg(test)]
    pub(super) fn has_exporter(&self) -> bool {
        self.exporter.is_some()
    }

    /// Returns the body, or the reason for which the spans are dropped.
    pub(super) fn encode(&self, spans: Vec<SpanData>) -> Result<Bytes, DropReason> {
        let plain = match &self.exporter {
            Some(exporter) => exporter.encode(spans)?,
            None => message(group_spans_by_resource_and_scope(spans, &self.resource)),
        };
        Ok(compressed(plain, self.gzip))
    }
}

fn message(resource_spans: Vec<ResourceSpans>) -> Bytes {
    ExportTraceServiceRequest { resource_spans }
        .encode_to_vec()
        .into()
}

fn unpack(body: &[u8], gzip: bool) -> Option<ExportTraceServiceRequest> {
    if !gzip {
        return ExportTraceServiceRequest::decode(body).ok();
    }
    let plain = decompressed(body, MAX_BODY)?;
    ExportTraceServiceRequest::decode(plain.as_slice()).ok()
}

/// Splits a body in two, each with its number of spans. Returns `None` if there are fewer than two spans.
pub(super) fn halve(body: &[u8], gzip: bool) -> Option<[(u64, Bytes); 2]> {
    let mut first = unpack(body, gzip)?.resource_spans;
    let total = count(&first);
    let mut left = total / 2;
    if left == 0 {
        return None;
    }
    let mut second = first.clone();
    for (one, two) in first.iter_mut().zip(&mut second) {
        for (one, two) in one.scope_spans.iter_mut().zip(&mut two.scope_spans) {
            let here = one.spans.len().min(left);
            left -= here;
            one.spans.truncate(here);
            two.spans.drain(..here);
        }
    }
    Some([first, second].map(|mut part| {
        for resource in &mut part {
            resource.scope_spans.retain(|scope| !scope.spans.is_empty());
        }
        (count(&part) as u64, compressed(message(part), gzip))
    }))
}

fn count(resource_spans: &[ResourceSpans]) -> usize {
    let scopes = resource_spans.iter().flat_map(|it| &it.scope_spans);
    scopes.map(|scope| scope.spans.len()).sum()
}

/// Returns the number of spans that the receiver reports as rejected, and its reason.
pub(super) fn rejected(response: &[u8]) -> Option<(u64, String)> {
    let response = ExportTraceServiceResponse::decode(response).ok()?;
    let partial = response.partial_success?;
    let rejected = u64::try_from(partial.rejected_spans).ok()?;
    (rejected > 0).then_some((rejected, partial.error_message))
}
