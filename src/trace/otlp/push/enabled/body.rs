use std::ops::Range;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Metric, ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::resource::v1::Resource as OtlpResource;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_sdk::Resource;
use prost::Message;

use crate::semconv;
use crate::trace::otlp::{compressed, decompressed};

/// The size, in bytes, of uncompressed metrics at which a body is full.
pub(super) const FULL: usize = 1 << 20;
/// The maximum size of an uncompressed body, in bytes, which bodies of this crate never reach.
const MAX_BODY: usize = 64 << 20;

/// Encodes metrics into request bodies.
#[derive(Debug)]
pub(super) struct PushEncoder {
    resource: OtlpResource,
    schema_url: String,
    gzip: bool,
    /// The metrics of the next body, their encoded size and the number of their points.
    metrics: Vec<Metric>,
    bytes: usize,
    points: u64,
    /// Complete bodies, each with its number of points.
    bodies: Vec<(u64, Bytes)>,
}

impl PushEncoder {
    pub(super) fn new(resource: &Resource, gzip: bool) -> Self {
        let resource: ResourceAttributesWithSchema = resource.into();
        Self {
            resource: OtlpResource {
                attributes: resource.attributes.0,
                ..OtlpResource::default()
            },
            schema_url: resource.schema_url.unwrap_or_default(),
            gzip,
            metrics: Vec::new(),
            bytes: 0,
            points: 0,
            bodies: Vec::new(),
        }
    }

    /// Adds a metric to the next body. One that is larger than a body is divided; one without points is left out.
    pub(super) fn add(&mut self, mut metric: Metric) {
        let points = count(&metric);
        if points == 0 {
            return;
        }
        let bytes = metric.encoded_len();
        if bytes > FULL && points > 1 {
            let mut second = metric.clone();
            keep_points(&mut metric, 0..points / 2);
            keep_points(&mut second, points / 2..points);
            self.add(metric);
            self.add(second);
            return;
        }
        if self.bytes + bytes > FULL {
            self.end_body();
        }
        self.metrics.push(metric);
        self.bytes += bytes;
        self.points += points as u64;
    }

    fn end_body(&mut self) {
        let metrics = std::mem::take(&mut self.metrics);
        let points = std::mem::take(&mut self.points);
        self.bytes = 0;
        if points == 0 {
            return;
        }
        let message = message(vec![ResourceMetrics {
            resource: Some(self.resource.clone()),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(InstrumentationScope {
                    name: env!("CARGO_PKG_NAME").to_owned(),
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    ..InstrumentationScope::default()
                }),
                metrics,
                schema_url: semconv::SCHEMA_URL.to_owned(),
            }],
            schema_url: self.schema_url.clone(),
        }]);
        self.bodies.push((points, compressed(message, self.gzip)));
    }

    /// Takes the bodies of all metrics that were added, each with its number of points.
    pub(super) fn take_bodies(&mut self) -> Vec<(u64, Bytes)> {
        self.end_body();
        std::mem::take(&mut self.bodies)
    }

    /// Discards all metrics that were added.
    pub(super) fn clear(&mut self) {
        self.metrics.clear();
        self.bodies.clear();
        (self.bytes, self.points) = (0, 0);
    }
}

fn message(resource_metrics: Vec<ResourceMetrics>) -> Bytes {
    ExportMetricsServiceRequest { resource_metrics }
        .encode_to_vec()
        .into()
}

fn unpack(body: &[u8], gzip: bool) -> Option<ExportMetricsServiceRequest> {
    if !gzip {
        return ExportMetricsServiceRequest::decode(body).ok();
    }
    let plain = decompressed(body, MAX_BODY)?;
    ExportMetricsServiceRequest::decode(plain.as_slice()).ok()
}

/// Splits a body in two, each with its number of points. Returns `None` if there are fewer than two points.
pub(super) fn halve(body: &[u8], gzip: bool) -> Option<[(u64, Bytes); 2]> {
    let mut first = unpack(body, gzip)?.resource_metrics;
    let mut left = metrics(&first).map(count).sum::<usize>() / 2;
    if left == 0 {
        return None;
    }
    let mut second = first.clone();
    for (one, two) in metrics_mut(&mut first).zip(metrics_mut(&mut second)) {
        let points = count(one);
        let here = points.min(left);
        left -= here;
        keep_points(one, 0..here);
        keep_points(two, here..points);
    }
    Some([first, second].map(|mut part| {
        for scope in part.iter_mut().flat_map(|it| &mut it.scope_metrics) {
            scope.metrics.retain(|metric| count(metric) > 0);
        }
        let points = metrics(&part).map(count).sum::<usize>();
        (points as u64, compressed(message(part), gzip))
    }))
}

/// Returns the number of points that the receiver reports as rejected, and its reason.
pub(super) fn rejected(response: &[u8]) -> Option<(u64, String)> {
    let response = ExportMetricsServiceResponse::decode(response).ok()?;
    let partial = response.partial_success?;
    let rejected = u64::try_from(partial.rejected_data_points).ok()?;
    (rejected > 0).then_some((rejected, partial.error_message))
}

fn metrics(resources: &[ResourceMetrics]) -> impl Iterator<Item = &Metric> {
    let scopes = resources.iter().flat_map(|it| &it.scope_metrics);
    scopes.flat_map(|scope| &scope.metrics)
}

fn metrics_mut(resources: &mut [ResourceMetrics]) -> impl Iterator<Item = &mut Metric> {
    let scopes = resources.iter_mut().flat_map(|it| &mut it.scope_metrics);
    scopes.flat_map(|scope| &mut scope.metrics)
}

/// The number of points of a metric.
fn count(metric: &Metric) -> usize {
    match &metric.data {
        Some(Data::Gauge(data)) => data.data_points.len(),
        Some(Data::Sum(data)) => data.data_points.len(),
        Some(Data::Histogram(data)) => data.data_points.len(),
        Some(Data::ExponentialHistogram(data)) => data.data_points.len(),
        Some(Data::Summary(data)) => data.data_points.len(),
        None => 0,
    }
}

/// Removes the points of a metric outside of the range.
fn keep_points(metric: &mut Metric, range: Range<usize>) {
    match &mut metric.data {
        Some(Data::Gauge(data)) => keep(&mut data.data_points, range),
        Some(Data::Sum(data)) => keep(&mut data.data_points, range),
        Some(Data::Histogram(data)) => keep(&mut data.data_points, range),
        Some(Data::ExponentialHistogram(data)) => keep(&mut data.data_points, range),
        Some(Data::Summary(data)) => keep(&mut data.data_points, range),
        None => {}
    }
}

fn keep<T>(points: &mut Vec<T>, range: Range<usize>) {
    points.truncate(range.end);
    points.drain(..range.start.min(points.len()));
}
