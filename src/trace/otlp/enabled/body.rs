use std::io::{Read, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;
use prost::Message;

/// The most that is read back of a body of ours.
const MAX_BODY: u64 = 256 << 20;

/// Makes bodies of spans, and takes them apart.
#[derive(Debug)]
pub(super) struct Encoder {
    resource: ResourceAttributesWithSchema,
    gzip: bool,
}

impl Encoder {
    pub(super) fn new(resource: &Resource, gzip: bool) -> Self {
        Self {
            resource: resource.into(),
            gzip,
        }
    }

    pub(super) fn encode(&self, spans: Vec<SpanData>) -> Bytes {
        pack(
            group_spans_by_resource_and_scope(spans, &self.resource),
            self.gzip,
        )
    }
}

fn pack(resource_spans: Vec<ResourceSpans>, gzip: bool) -> Bytes {
    let plain = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
    if !gzip {
        return plain.into();
    }
    // The quickest level: spans repeat themselves so much that the others gain little.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // A `Vec` refuses nothing.
    drop(encoder.write_all(&plain));
    encoder.finish().unwrap_or_default().into()
}

fn unpack(body: &[u8], gzip: bool) -> Option<ExportTraceServiceRequest> {
    let mut plain = Vec::new();
    if gzip {
        let decoder = GzDecoder::new(body);
        decoder.take(MAX_BODY).read_to_end(&mut plain).ok()?;
    } else {
        plain.extend_from_slice(body);
    }
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
        (count(&part) as u64, pack(part, gzip))
    }))
}

fn count(resource_spans: &[ResourceSpans]) -> usize {
    let scopes = resource_spans.iter().flat_map(|it| &it.scope_spans);
    scopes.map(|scope| scope.spans.len()).sum()
}

/// How many spans the receiver says it rejected, and why.
pub(super) fn rejected(answer: &[u8]) -> Option<(u64, String)> {
    let answer = ExportTraceServiceResponse::decode(answer).ok()?;
    let partial = answer.partial_success?;
    let rejected = u64::try_from(partial.rejected_spans).ok()?;
    (rejected > 0).then_some((rejected, partial.error_message))
}
