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

/// The most that a body has before it is compressed.
pub(super) const MAX_BODY: usize = 256 << 20;

/// Makes bodies of spans.
#[derive(Debug)]
pub(super) struct BodyEncoder {
    /// None where the environment makes it write what cannot be read here.
    exporter: Option<ExporterEncoder>,
    resource: ResourceAttributesWithSchema,
    gzip: bool,
}

impl BodyEncoder {
    /// No body that is not compressed is larger than `max_bytes`.
    pub(super) fn new(resource: &Resource, gzip: bool, max_bytes: usize) -> Self {
        Self {
            exporter: ExporterEncoder::new(resource, max_bytes),
            resource: resource.into(),
            gzip,
        }
    }

    /// As it is where OpenTelemetry's exporter is of no use.
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

    /// A body, or as what the spans are to be counted.
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

/// Two bodies of one, each with its number of spans; `None` if there are not two spans.
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

/// How many spans the receiver says it rejected, and why.
pub(super) fn rejected(response: &[u8]) -> Option<(u64, String)> {
    let response = ExportTraceServiceResponse::decode(response).ok()?;
    let partial = response.partial_success?;
    let rejected = u64::try_from(partial.rejected_spans).ok()?;
    (rejected > 0).then_some((rejected, partial.error_message))
}
