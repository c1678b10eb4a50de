use std::sync::Arc;

use super::bounds::{Bounds, Cell};
use super::distribution::{BucketCode, Distribution, negative, positive};
use super::exponential::FINE_BUCKETS;

/// The values of a histogram series at one time: the counts of its cells, and the sum.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HistogramValues {
    bounds: Arc<Bounds>,
    /// The cells that are not empty, in ascending order of their codes, and their counts.
    cells: Vec<(u16, u64)>,
    outside: Option<OutsideValues>,
    sum: f64,
}

/// The counts of values without a fine bucket: by bucket, and by magnitude.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct OutsideValues {
    pub(super) buckets: Vec<u64>,
    pub(super) zero: u64,
    /// Values above the last fine bucket.
    pub(super) large: u64,
    /// Negative values by the fine bucket of their magnitude.
    pub(super) negative: Vec<(usize, u64)>,
}

impl HistogramValues {
    /// The values of cells in any order. Counts of one cell are added.
    pub(super) fn new(
        bounds: &Arc<Bounds>,
        mut cells: Vec<(u16, u64)>,
        outside: Option<OutsideValues>,
        sum: f64,
    ) -> Self {
        cells.sort_unstable_by_key(|(code, _)| *code);
        cells.dedup_by(|(code, count), (first, sum)| {
            let is_same = code == first;
            if is_same {
                *sum = sum.wrapping_add(*count);
            }
            is_same
        });
        Self {
            bounds: Arc::clone(bounds),
            cells,
            outside,
            sum,
        }
    }

    /// The number of values.
    pub(crate) fn count(&self) -> u64 {
        let cells = self.cells.iter().map(|(_, count)| count);
        let outside = self.outside.iter().flat_map(|outside| &outside.buckets);
        let counts = cells.chain(outside);
        counts.fold(0, |sum, count| sum.wrapping_add(*count))
    }

    /// The sum of the values.
    pub(crate) fn sum(&self) -> f64 {
        self.sum
    }

    /// The upper bounds of the buckets, without `+Inf`.
    pub(crate) fn bounds(&self) -> &[f64] {
        self.bounds.values()
    }

    /// The count of each bucket, not cumulated, including that of `+Inf`.
    pub(crate) fn buckets(&self) -> Vec<u64> {
        let mut buckets = vec![0_u64; self.bounds.buckets()];
        let cells = self.cells.iter();
        let cells = cells.map(|(code, count)| (self.bounds.bucket_of(Cell::of_code(*code)), *count));
        let outside = self.outside.iter().flat_map(|outside| &outside.buckets);
        for (bucket, count) in cells.chain(outside.copied().enumerate()) {
            if let Some(bucket) = buckets.get_mut(bucket) {
                *bucket = bucket.wrapping_add(count);
            }
        }
        buckets
    }

    /// The values in fine buckets.
    pub(crate) fn distribution(&self) -> Distribution {
        let fine = |code| positive(self.bounds.fine_of(Cell::of_code(code)));
        let cells = self.cells.iter();
        let mut all: Vec<(BucketCode, u64)> =
            cells.map(|(code, count)| (fine(*code), *count)).collect();
        if let Some(outside) = &self.outside {
            all.push((0, outside.zero));
            all.push((positive(FINE_BUCKETS - 1), outside.large));
            let below_zero = outside.negative.iter();
            all.extend(below_zero.map(|(fine, count)| (negative(*fine), *count)));
        }
        Distribution::of(all)
    }
}
