//! The buckets of native histograms: <https://prometheus.io/docs/specs/native_histograms/>.

use crate::metrics::distribution::{BucketCode, Distribution};
use crate::metrics::exponential::FIRST_INDEX;

/// The resolution: bucket `i` ends at 2^(i/32), as the fine buckets do.
pub(super) const SCHEMA: i64 = 5;

/// The largest number of empty buckets that are written between two others. A new span takes more bytes than them.
const MAX_GAP: i32 = 2;

/// The values of one histogram in native buckets.
#[derive(Debug, Default, PartialEq)]
pub(super) struct NativeBuckets {
    /// The number of values, in all buckets.
    pub(super) count: u64,
    /// The number of values in the zero bucket.
    pub(super) zero: u64,
    pub(super) positive: SparseBuckets,
    /// By the magnitudes of their values.
    pub(super) negative: SparseBuckets,
}

/// Buckets as the protobuf format lists them.
#[derive(Debug, Default, PartialEq)]
pub(super) struct SparseBuckets {
    pub(super) spans: Vec<BucketSpan>,
    /// The count of each bucket of the spans, as the difference from the count before.
    pub(super) deltas: Vec<i64>,
}

/// Consecutive buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BucketSpan {
    /// The index of the first bucket, from the end of the span before. In the first span it is the index itself.
    pub(super) offset: i32,
    pub(super) length: u32,
}

impl NativeBuckets {
    pub(super) fn new(values: &Distribution) -> Self {
        let buckets = values.buckets();
        // The codes of negative values ascend to zero, so their magnitudes descend.
        let (negative, others) = buckets.split_at(buckets.partition_point(|(code, _)| *code < 0));
        let (zero, positive) = others.split_at(others.partition_point(|(code, _)| *code == 0));
        Self {
            count: values.count(),
            zero: zero.iter().map(|(_, count)| count).sum(),
            positive: SparseBuckets::new(positive.iter()),
            negative: SparseBuckets::new(negative.iter().rev()),
        }
    }
}

impl SparseBuckets {
    /// The buckets of values of one sign, by ascending magnitude.
    fn new<'a>(buckets: impl Iterator<Item = &'a (BucketCode, u64)>) -> Self {
        let mut sparse = Self::default();
        let mut last_count = 0_i64;
        // The index after the last bucket.
        let mut next = 0;
        for (code, count) in buckets {
            let index = native_index(*code);
            let gap = index - next;
            match sparse.spans.last_mut() {
                Some(span) if gap <= MAX_GAP => {
                    span.length += gap.unsigned_abs() + 1;
                    for _ in 0..gap {
                        sparse.deltas.push(-std::mem::take(&mut last_count));
                    }
                }
                _ => sparse.spans.push(BucketSpan {
                    offset: gap,
                    length: 1,
                }),
            }
            let count = i64::try_from(*count).unwrap_or(i64::MAX);
            sparse.deltas.push(count - last_count);
            last_count = count;
            next = index + 1;
        }
        sparse
    }
}

/// Prometheus' index of the bucket of these magnitudes. It numbers buckets by their upper bounds, OpenTelemetry by their
/// lower ones.
fn native_index(code: BucketCode) -> i32 {
    let fine = i32::from(code.unsigned_abs()) - 1;
    FIRST_INDEX + fine + 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The buckets that a receiver reads: index and count, without the empty ones.
    fn expanded(sparse: &SparseBuckets) -> Vec<(i32, i64)> {
        let (mut index, mut count, mut at) = (0, 0, 0);
        let mut buckets = Vec::new();
        for span in &sparse.spans {
            index += span.offset;
            for _ in 0..span.length {
                count += sparse.deltas[at];
                buckets.push((index, count));
                (index, at) = (index + 1, at + 1);
            }
        }
        assert_eq!(at, sparse.deltas.len());
        buckets.retain(|(_, count)| *count != 0);
        buckets
    }

    #[test]
    fn short_gaps_are_filled_and_long_ones_begin_a_span() {
        let values = Distribution::of(vec![(1, 5), (2, 5), (5, 1), (9, 2), (-3, 7), (0, 4)]);
        let native = NativeBuckets::new(&values);
        assert_eq!((native.count, native.zero), (24, 4));
        let span = |offset, length| BucketSpan { offset, length };
        let positive = SparseBuckets {
            spans: vec![span(-767, 5), span(3, 1)],
            deltas: vec![5, 0, -5, 0, 1, 1],
        };
        let negative = SparseBuckets {
            spans: vec![span(-765, 1)],
            deltas: vec![7],
        };
        assert_eq!((native.positive, native.negative), (positive, negative));
        let none = NativeBuckets::new(&Distribution::default());
        assert_eq!(none, NativeBuckets::default());
    }

    proptest! {
        #[test]
        fn spans_and_deltas_expand_to_the_counts(
            buckets in proptest::collection::btree_map(-2048..=2048_i16, 1_u64..1 << 62, 0..40),
        ) {
            let values = Distribution::of(buckets.clone().into_iter().collect());
            let native = NativeBuckets::new(&values);
            let of = |range: std::ops::RangeInclusive<i16>| {
                let all = buckets.range(range);
                all.map(|(code, count)| (native_index(*code), count.cast_signed())).collect::<Vec<_>>()
            };
            prop_assert_eq!(expanded(&native.positive), of(1..=2048));
            let mut negative = of(-2048..=-1);
            negative.reverse();
            prop_assert_eq!(expanded(&native.negative), negative);
        }
    }
}
