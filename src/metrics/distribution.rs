use super::exponential::{FINE_BUCKETS, middle};

/// The distribution of recorded values, in the fine buckets of [`exponential`](super::exponential). Distributions merge
/// without a loss, and a quantile differs from the exact one by at most 1.1 %.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Distribution {
    /// The buckets that are not empty, in ascending order, and their counts.
    buckets: Vec<(BucketCode, u64)>,
}

/// A bucket of a distribution: 0 is the bucket of zero, `b + 1` is fine bucket `b`, and `-(b + 1)` is the bucket of the
/// negative values with the magnitudes of fine bucket `b`. The order of codes is that of the values.
pub(crate) type BucketCode = i16;

/// The code of the positive values of a fine bucket.
#[expect(clippy::cast_possible_wrap, reason = "there are 2048 buckets")]
pub(super) fn positive(bucket: usize) -> BucketCode {
    bucket.min(FINE_BUCKETS - 1) as BucketCode + 1
}

/// The middle of a bucket's values.
fn value_of(code: BucketCode) -> f64 {
    let middle = |code: BucketCode| middle(usize::from(code.unsigned_abs()) - 1);
    match code {
        0 => 0.0,
        1.. => middle(code),
        _ => -middle(code),
    }
}

impl Distribution {
    /// A distribution of fine buckets in ascending order.
    pub(super) fn of_fine(counts: impl Iterator<Item = (usize, u64)>) -> Self {
        let buckets = counts.map(|(bucket, count)| (positive(bucket), count));
        Self {
            buckets: buckets.collect(),
        }
    }

    /// The number of values.
    pub(crate) fn count(&self) -> u64 {
        let counts = self.buckets.iter().map(|(_, count)| count);
        counts.fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The value at a rank from 0 to 1: the smallest one that at least this part of all values does not exceed. `None`
    /// if there are no values.
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts above 2^53 may be rounded"
    )]
    pub(crate) fn quantile(&self, rank: f64) -> Option<f64> {
        let (last, _) = *self.buckets.last()?;
        let rank = (rank * self.count() as f64).ceil();
        let mut below = 0_u64;
        let found = self.buckets.iter().find(|(_, count)| {
            below = below.saturating_add(*count);
            below as f64 >= rank
        });
        Some(value_of(found.map_or(last, |(code, _)| *code)))
    }
}

#[cfg(feature = "dashboard")]
impl Distribution {
    /// Adds the counts of another distribution.
    pub(crate) fn add(&mut self, other: &Self) {
        let mut buckets = std::mem::take(&mut self.buckets);
        buckets.extend_from_slice(&other.buckets);
        *self = Self::of(buckets);
    }

    /// The number of values below the first bound, between each bound and the next, and from the last bound on: one more
    /// count than there are bounds, which are in ascending order. A bucket counts by the middle of its values, so a value
    /// within 1.1 % of a bound may count on its other side.
    pub(crate) fn counts_between(&self, bounds: &[f64]) -> Vec<u64> {
        let mut counts = vec![0_u64; bounds.len() + 1];
        for (code, count) in &self.buckets {
            let value = value_of(*code);
            let place = bounds.partition_point(|bound| *bound <= value);
            if let Some(sum) = counts.get_mut(place) {
                *sum = sum.saturating_add(*count);
            }
        }
        counts
    }
}

#[cfg(any(feature = "history", feature = "native-histograms"))]
impl Distribution {
    /// A distribution of counts in any order. Counts of one bucket are added.
    pub(crate) fn of(mut buckets: Vec<(BucketCode, u64)>) -> Self {
        buckets.sort_unstable_by_key(|(code, _)| *code);
        buckets.dedup_by(|(code, count), (first, sum)| {
            let is_same = code == first;
            if is_same {
                *sum = sum.saturating_add(*count);
            }
            is_same
        });
        buckets.retain(|(_, count)| *count > 0);
        Self { buckets }
    }

    /// The buckets that are not empty, in ascending order, and their counts.
    #[cfg(feature = "native-histograms")]
    pub(super) fn buckets(&self) -> &[(BucketCode, u64)] {
        &self.buckets
    }
}

#[cfg(all(test, feature = "history"))]
mod tests {
    use super::*;

    #[test]
    fn counts_of_equal_buckets_are_added() {
        let one = Distribution::of(vec![(5, 2), (-3, 1), (5, 1), (9, 0)]);
        assert_eq!(one.buckets, [(-3, 1), (5, 3)]);
        assert_eq!(one.count(), 4);
    }

    #[test]
    fn quantiles_of_negative_values_and_zero() {
        let values = Distribution::of(vec![(-800, 1), (0, 1), (800, 2)]);
        let at = [0.0, 0.25, 0.5, 0.75, 1.0].map(|rank| values.quantile(rank).unwrap());
        assert!(at[0] < 0.0 && at[0] == at[1] && at[0] == -at[3]);
        assert!((at[2], at[3]) == (0.0, at[4]), "{at:?}");
        assert_eq!(Distribution::default().quantile(0.5), None);
    }

    #[cfg(feature = "dashboard")]
    #[test]
    fn values_count_between_bounds() {
        use crate::metrics::FineCounts;

        let recorded = FineCounts::default();
        for (value, count) in [(0.0, 1), (0.004, 2), (0.05, 3), (0.2, 4), (90.0, 5)] {
            recorded.record(value, count);
        }
        let mut all = recorded.distribution();
        assert_eq!(all.counts_between(&[0.01, 0.1, 1.0]), [3, 3, 4, 5]);
        assert_eq!(all.counts_between(&[]), [15]);
        all.add(&recorded.distribution());
        assert_eq!(all.counts_between(&[0.01, 0.1, 1.0]), [6, 6, 8, 10]);
        let none = Distribution::default();
        assert_eq!(none.counts_between(&[1.0]), [0, 0]);
    }

    #[test]
    fn counts_never_wrap_around() {
        let all = Distribution::of(vec![(1, u64::MAX), (2, 1), (1, 7)]);
        assert_eq!(all.count(), u64::MAX);
        assert!(all.quantile(1.0).is_some());
    }
}
