//! Pushes of a registry without a worker, decoded as a receiver decodes them.

use std::collections::BTreeMap;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogramDataPoint, Metric, NumberDataPoint, number_data_point,
};
use opentelemetry_sdk::Resource;
use prost::Message;

use super::body::PushEncoder;
use super::pusher::MetricPusher;
use super::streams::Streams;
use crate::clock::Clock;
use crate::metrics::{Metrics, MetricsConfig, MetricsTemporality};
use crate::worker::{Batch, Encode};

mod bodies;
mod histograms;
mod totals;

const SECOND: u64 = 1_000_000_000;
/// The wall time at which a driven clock starts, in seconds.
const START: u64 = 1000;

/// A registry with pushes and a driven clock.
struct Fixture {
    metrics: Metrics,
    clock: Clock,
    pusher: MetricPusher,
}

impl Fixture {
    fn new(config: &MetricsConfig) -> Self {
        let clock = Clock::driven(Duration::from_secs(START));
        let metrics = Metrics::new(config.clone(), clock.clone(), std::sync::Arc::default());
        let resource = Resource::builder_empty()
            .with_attribute(KeyValue::new("service.name", "shop"))
            .build();
        let pusher = MetricPusher::new(
            config.export_interval,
            metrics.exemplar_snapshotter(),
            Streams::new(config, metrics.wall()),
            PushEncoder::new(&resource, false),
        );
        Self {
            metrics,
            clock,
            pusher,
        }
    }

    fn with(temporality: MetricsTemporality) -> Self {
        Self::new(&MetricsConfig::default().temporality(temporality))
    }

    fn batches(&mut self) -> Vec<Batch> {
        self.pusher.request_flush();
        self.pusher.take_job(0).map(|job| job()).unwrap_or_default()
    }

    /// Lets ten seconds pass and pushes.
    fn push(&mut self) -> Pushed {
        self.clock.advance(Duration::from_secs(10));
        let requests = self.batches();
        let requests = requests.iter().map(|batch| request(&batch.body));
        let metrics = requests.flat_map(metrics_of);
        Pushed(metrics.map(|it| (it.name.clone(), it)).collect())
    }
}

/// The metrics of one push by name.
struct Pushed(BTreeMap<String, Metric>);

impl Pushed {
    fn numbers(&self, name: &str) -> &[NumberDataPoint] {
        match self.0.get(name).map(|it| it.data.as_ref().unwrap()) {
            Some(Data::Sum(data)) => &data.data_points,
            Some(Data::Gauge(data)) => &data.data_points,
            None => &[],
            other => panic!("{other:?}"),
        }
    }

    /// The points of a metric as `attributes value start..end`, with times in seconds since the start of the clock.
    fn lines(&self, name: &str) -> Vec<String> {
        let seconds = |at: u64| (at / SECOND).saturating_sub(START);
        let points = self.numbers(name).iter().map(|point| {
            let value = match point.value.unwrap() {
                number_data_point::Value::AsInt(value) => format!("{value}"),
                number_data_point::Value::AsDouble(value) => format!("{value:?}"),
            };
            let (start, end) = (point.start_time_unix_nano, point.time_unix_nano);
            let attributes = attributes(&point.attributes);
            format!("{attributes}{value} {}..{}", seconds(start), seconds(end))
        });
        points.collect()
    }

    fn exponential(&self, name: &str) -> &[ExponentialHistogramDataPoint] {
        match self.0.get(name).map(|it| it.data.as_ref().unwrap()) {
            Some(Data::ExponentialHistogram(data)) => &data.data_points,
            None => &[],
            other => panic!("{other:?}"),
        }
    }
}

fn request(body: &[u8]) -> ExportMetricsServiceRequest {
    ExportMetricsServiceRequest::decode(body).unwrap()
}

fn metrics_of(request: ExportMetricsServiceRequest) -> impl Iterator<Item = Metric> {
    let resources = request.resource_metrics.into_iter();
    let scopes = resources.flat_map(|it| it.scope_metrics);
    scopes.flat_map(|it| it.metrics)
}

/// Attributes as `key=value `, in their order.
fn attributes(attributes: &[opentelemetry_proto::tonic::common::v1::KeyValue]) -> String {
    let texts = attributes.iter().map(|it| {
        let value = match it.value.clone().unwrap().value.unwrap() {
            Value::StringValue(text) => format!("{text:?}"),
            Value::IntValue(number) => number.to_string(),
            Value::BoolValue(flag) => flag.to_string(),
            other => panic!("{other:?}"),
        };
        format!("{}={value} ", it.key)
    });
    texts.collect()
}
