//! Values as data points of OTLP.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar as OtlpExemplar, ExponentialHistogramDataPoint, HistogramDataPoint, NumberDataPoint,
    exemplar, number_data_point,
};

use crate::metrics::{Exemplar, HistogramValues, IndexedBuckets, ZERO_THRESHOLD};

/// The scale of exponential histograms: 32 buckets for each power of two.
const SCALE: i32 = 5;

/// What the points of numbers and histograms have in common.
#[derive(Debug, Clone)]
pub(super) struct PointHead {
    pub(super) attributes: Vec<KeyValue>,
    /// The start of the period that the point covers, in nanoseconds since the Unix epoch. 0 for a gauge.
    pub(super) start: u64,
    pub(super) time: u64,
}

pub(super) fn number(head: PointHead, value: f64, is_whole: bool) -> NumberDataPoint {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "whole totals above 2^63 are the largest integer"
    )]
    let value = if is_whole {
        number_data_point::Value::AsInt(value as i64)
    } else {
        number_data_point::Value::AsDouble(value)
    };
    NumberDataPoint {
        attributes: head.attributes,
        start_time_unix_nano: head.start,
        time_unix_nano: head.time,
        exemplars: Vec::new(),
        flags: 0,
        value: Some(value),
    }
}

/// The buckets are read one after the other while others record, so the count is their sum.
pub(super) fn exponential(
    head: PointHead,
    values: &HistogramValues,
    exemplars: Vec<OtlpExemplar>,
) -> ExponentialHistogramDataPoint {
    let buckets = values.exponential();
    let count = buckets
        .zero
        .wrapping_add(buckets.positive.total())
        .wrapping_add(buckets.negative.total());
    ExponentialHistogramDataPoint {
        attributes: head.attributes,
        start_time_unix_nano: head.start,
        time_unix_nano: head.time,
        count,
        sum: monotonic_sum(values),
        scale: SCALE,
        zero_count: buckets.zero,
        positive: otlp_buckets(buckets.positive),
        negative: otlp_buckets(buckets.negative),
        flags: 0,
        exemplars,
        min: None,
        max: None,
        zero_threshold: ZERO_THRESHOLD,
    }
}

pub(super) fn explicit(
    head: PointHead,
    values: &HistogramValues,
    exemplars: Vec<OtlpExemplar>,
) -> HistogramDataPoint {
    let bucket_counts = values.buckets();
    HistogramDataPoint {
        attributes: head.attributes,
        start_time_unix_nano: head.start,
        time_unix_nano: head.time,
        count: bucket_counts
            .iter()
            .fold(0, |sum, count| sum.wrapping_add(*count)),
        sum: monotonic_sum(values),
        bucket_counts,
        explicit_bounds: values.bounds().to_vec(),
        exemplars,
        flags: 0,
        min: None,
        max: None,
    }
}

/// OTLP requires a sum that never decreases.
fn monotonic_sum(values: &HistogramValues) -> Option<f64> {
    (!values.any_negative()).then(|| values.sum())
}

fn otlp_buckets(buckets: IndexedBuckets) -> Option<Buckets> {
    (!buckets.counts.is_empty()).then_some(Buckets {
        offset: buckets.offset,
        bucket_counts: buckets.counts,
    })
}

/// The exemplars of the period after `since`.
pub(super) fn exemplars(exemplars: &[Exemplar], since: u64) -> Vec<OtlpExemplar> {
    let recent = exemplars.iter().filter(|exemplar| exemplar.wall > since);
    let exemplars = recent.map(|exemplar| OtlpExemplar {
        filtered_attributes: Vec::new(),
        time_unix_nano: exemplar.wall,
        span_id: Vec::new(),
        trace_id: exemplar.trace.to_u128().to_be_bytes().to_vec(),
        value: Some(exemplar::Value::AsDouble(exemplar.value)),
    });
    exemplars.collect()
}
