//! Pushed histograms, compared with the values that were recorded.

use super::*;
use crate::metrics::{HistogramAggregation, ZERO_THRESHOLD};
use crate::model::TraceId;

/// The value in the middle of the bucket that contains the quantile, as a receiver calculates it.
fn quantile(point: &ExponentialHistogramDataPoint, rank: f64) -> f64 {
    let rank = rank * point.count as f64;
    let buckets = point.positive.as_ref().unwrap();
    let mut below = point.zero_count as f64;
    for (index, count) in (buckets.offset..).zip(&buckets.bucket_counts) {
        below += *count as f64;
        if below >= rank {
            let base = 2_f64.powf(2_f64.powi(-point.scale));
            return base.powf(f64::from(index) + 0.5);
        }
    }
    f64::INFINITY
}

#[test]
fn a_value_is_in_the_bucket_that_the_protocol_gives_it() {
    // Powers of two are upper bounds of buckets at every scale.
    let all = [
        0.25,
        0.26,
        1.0,
        1.01,
        1.5,
        3.0,
        1e-6,
        1e9,
        2.0_f64.powi(40),
        7e-8,
    ];
    for value in all {
        let mut fixture = Fixture::with(MetricsTemporality::Cumulative);
        fixture.metrics.histogram("took").build().record(value);
        let pushed = fixture.push();
        let [point] = pushed.exponential("took") else {
            panic!("one point");
        };
        assert_eq!((point.scale, point.count, point.sum), (5, 1, Some(value)));
        let buckets = point.positive.as_ref().unwrap();
        assert_eq!(buckets.bucket_counts, [1]);
        let base = 2_f64.powf(2_f64.powi(-point.scale));
        let lower = base.powi(buckets.offset);
        let upper = base.powi(buckets.offset + 1);
        // The bounds of the receiver are calculated, so they are not exact.
        let above = value > lower * (1.0 + 1e-9);
        let within = value <= upper * (1.0 + 1e-9);
        assert!(above && within, "{value} in {lower}..{upper}");
    }
}

#[test]
fn quantiles_and_sums_are_those_of_the_values() {
    let mut fixture = Fixture::with(MetricsTemporality::Cumulative);
    let took = fixture.metrics.histogram("took").unit("s").build();
    let mut values: Vec<f64> = (1..=5000).map(|n| f64::from(n * n) / 1e6).collect();
    for value in &values {
        took.record(*value);
    }
    let pushed = fixture.push();
    let [point] = pushed.exponential("took") else {
        panic!("one point");
    };
    values.sort_by(f64::total_cmp);
    assert_eq!((point.count, point.zero_count), (5000, 0));
    let counts = &point.positive.as_ref().unwrap().bucket_counts;
    assert_eq!(counts.iter().sum::<u64>(), 5000);
    assert!(counts.first() != Some(&0) && counts.last() != Some(&0));
    let sum: f64 = values.iter().sum();
    assert!((point.sum.unwrap() / sum - 1.0).abs() < 1e-9);
    for percent in [1, 50, 95, 99, 100] {
        let exact = values[values.len() * percent / 100 - 1];
        let read = quantile(point, percent as f64 / 100.0);
        assert!((read / exact - 1.0).abs() < 0.011, "{read} for {exact}");
    }
    assert_eq!((point.min, point.max), (None, None));
}

#[test]
fn values_without_a_fine_bucket_are_counted_once() {
    let mut fixture = Fixture::with(MetricsTemporality::Cumulative);
    let took = fixture.metrics.histogram("change").build();
    let values = [
        0.0,
        ZERO_THRESHOLD,
        -ZERO_THRESHOLD,
        -1.0,
        -1.0,
        -4.0,
        1e15,
        2.0,
    ];
    for value in &values {
        took.record(*value);
    }
    let pushed = fixture.push();
    let [point] = pushed.exponential("change") else {
        panic!("one point");
    };
    assert_eq!((point.count, point.zero_count), (8, 3));
    assert!((point.zero_threshold - ZERO_THRESHOLD).abs() < f64::EPSILON);
    // A sum with negative values may decrease, which the protocol does not allow.
    assert_eq!(point.sum, None);
    let negative = point.negative.as_ref().unwrap();
    assert_eq!((negative.offset, negative.bucket_counts.len()), (-1, 65));
    assert_eq!(negative.bucket_counts[0], 2);
    assert_eq!(negative.bucket_counts[64], 1);
    let positive = point.positive.as_ref().unwrap();
    // 2 is the upper bound of bucket 31. What is too large is after the last bucket, which ends at 2^40.
    assert_eq!(positive.offset, 31);
    assert_eq!(positive.bucket_counts.len(), 40 * 32 - 31 + 1);
    assert_eq!(positive.bucket_counts.iter().sum::<u64>(), 2);
}

#[test]
fn increases_of_a_histogram_add_up() {
    let mut fixture = Fixture::with(MetricsTemporality::Delta);
    let took = fixture.metrics.histogram("took").build();
    let idle = took.with([("k", "idle")]);
    idle.record(1.0);
    let busy = took.with([("k", "busy")]);
    busy.record(0.5);
    assert_eq!(fixture.push().exponential("took").len(), 2);
    busy.record(0.5);
    busy.record(8.0);
    let pushed = fixture.push();
    let [point] = pushed.exponential("took") else {
        panic!("one point");
    };
    assert_eq!((point.count, point.sum), (2, Some(8.5)));
    let (start, end) = (point.start_time_unix_nano, point.time_unix_nano);
    assert_eq!([start, end], [START + 10, START + 20].map(|it| it * SECOND));
    let buckets = point.positive.as_ref().unwrap();
    assert_eq!(
        (buckets.offset, buckets.bucket_counts.len()),
        (-33, 4 * 32 + 1)
    );
    assert!(fixture.push().exponential("took").is_empty());
}

#[test]
fn explicit_buckets_are_those_of_the_histogram() {
    let config = MetricsConfig::default();
    let config = config.histogram_aggregation(HistogramAggregation::ExplicitBuckets);
    let mut fixture = Fixture::new(&config);
    let took = fixture.metrics.histogram("took").bounds([1.0, 2.0]).build();
    for value in [0.5, 1.0, 1.5, 3.0] {
        took.record(value);
    }
    let pushed = fixture.push();
    let Some(Data::Histogram(data)) = &pushed.0["took"].data else {
        panic!("a histogram");
    };
    let point = &data.data_points[0];
    assert_eq!(point.explicit_bounds, [1.0, 2.0]);
    assert_eq!(point.bucket_counts, [2, 1, 1]);
    assert_eq!((point.count, point.sum), (4, Some(6.0)));
}

#[test]
fn exemplars_of_the_period_carry_their_trace() {
    let mut fixture = Fixture::with(MetricsTemporality::Cumulative);
    let trace = TraceId::from_u128(0xabc);
    let source = std::sync::Arc::new(move || Some(trace));
    fixture.metrics.set_trace_source(source);
    let took = fixture.metrics.histogram("took").build();
    fixture.clock.advance(Duration::from_secs(1));
    took.record(0.25);
    let pushed = fixture.push();
    let [exemplar] = &pushed.exponential("took")[0].exemplars[..] else {
        panic!("one exemplar");
    };
    assert_eq!(exemplar.trace_id, 0xabc_u128.to_be_bytes());
    assert_eq!(exemplar.time_unix_nano, (START + 1) * SECOND);
    // It belongs to the push of its period alone.
    assert!(fixture.push().exponential("took")[0].exemplars.is_empty());
}
