use std::sync::Arc;

use super::bounds::{Bounds, Cell};
use super::exponential::FINE_BUCKETS;

#[cfg(feature = "history")]
pub(crate) use self::of_periods::HistogramSum;
#[cfg(feature = "otlp")]
pub(crate) use self::of_pushes::IndexedBuckets;

/// The values of a histogram series at one time, or the values of a period: the counts of its cells, and the sum.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HistogramValues {
    bounds: Arc<Bounds>,
    /// The cells that are not empty, in ascending order of their codes, and their counts.
    cells: Vec<(CellCode, u64)>,
    sum: f64,
}

/// The number of a cell. Numbers below [`FIRST_OUTSIDE`] are codes of [`Cell`].
///
/// Values without a fine bucket are counted twice: in the cell of their bucket, and in one of their magnitude.
pub(crate) type CellCode = u16;

/// The first of the buckets that count values without a fine bucket.
const FIRST_OUTSIDE: CellCode = 3000;
/// The values that count as zero.
pub(super) const ZERO: CellCode = 4000;
/// The values above the last fine bucket.
pub(super) const LARGE: CellCode = 4001;
/// The first of the fine buckets of negative values, by their magnitude.
const FIRST_NEGATIVE: CellCode = 5000;

/// The cell that counts the values of a bucket that have no fine bucket.
pub(super) fn outside(bucket: usize) -> CellCode {
    FIRST_OUTSIDE + bucket as CellCode
}

/// The cell of the negative values with the magnitudes of a fine bucket.
pub(super) fn negative(fine: usize) -> CellCode {
    FIRST_NEGATIVE + fine.min(FINE_BUCKETS - 1) as CellCode
}

/// What a cell counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counted {
    Cell(Cell),
    Outside { bucket: usize },
    Zero,
    Large,
    Negative { fine: usize },
}

impl Counted {
    pub(super) fn of_code(code: CellCode) -> Self {
        match code {
            FIRST_NEGATIVE.. => Self::Negative {
                fine: usize::from(code - FIRST_NEGATIVE),
            },
            LARGE.. => Self::Large,
            ZERO => Self::Zero,
            FIRST_OUTSIDE.. => Self::Outside {
                bucket: usize::from(code - FIRST_OUTSIDE),
            },
            _ => Self::Cell(Cell::of_code(code)),
        }
    }
}

impl HistogramValues {
    /// The values of cells in any order. Counts of one cell are added.
    pub(super) fn new(bounds: &Arc<Bounds>, mut cells: Vec<(CellCode, u64)>, sum: f64) -> Self {
        cells.sort_unstable_by_key(|(code, _)| *code);
        cells.dedup_by(|(code, count), (first, sum)| {
            let is_same = code == first;
            if is_same {
                *sum = sum.wrapping_add(*count);
            }
            is_same
        });
        cells.retain(|(_, count)| *count > 0);
        Self {
            bounds: Arc::clone(bounds),
            cells,
            sum,
        }
    }

    /// The sum of the values.
    pub(crate) fn sum(&self) -> f64 {
        self.sum
    }

    /// The count of each bucket, not cumulated, including that of `+Inf`.
    pub(crate) fn buckets(&self) -> Vec<u64> {
        let mut buckets = vec![0_u64; self.bounds.buckets()];
        for (code, count) in &self.cells {
            let bucket = match Counted::of_code(*code) {
                Counted::Cell(cell) => self.bounds.bucket_of(cell),
                Counted::Outside { bucket } => bucket,
                Counted::Zero | Counted::Large | Counted::Negative { .. } => continue,
            };
            if let Some(bucket) = buckets.get_mut(bucket) {
                *bucket = bucket.wrapping_add(*count);
            }
        }
        buckets
    }
}

#[cfg(any(feature = "history", feature = "native-histograms"))]
mod in_fine_buckets {
    use super::{CellCode, Counted, HistogramValues};
    use crate::metrics::distribution::{BucketCode, Distribution, positive};
    use crate::metrics::exponential::FINE_BUCKETS;

    impl HistogramValues {
        /// The values in fine buckets.
        pub(crate) fn distribution(&self) -> Distribution {
            Distribution::of(self.fine_buckets().collect())
        }

        /// The values of several histograms in fine buckets, which do not depend on their bounds.
        #[cfg(feature = "history")]
        pub(crate) fn distribution_of<'a>(all: impl Iterator<Item = &'a Self>) -> Distribution {
            Distribution::of(all.flat_map(Self::fine_buckets).collect())
        }

        /// The fine buckets of the cells, in any order, with their counts.
        fn fine_buckets(&self) -> impl Iterator<Item = (BucketCode, u64)> {
            let bucket = |code: CellCode| -> Option<BucketCode> {
                Some(match Counted::of_code(code) {
                    Counted::Cell(cell) => positive(self.bounds.fine_of(cell)),
                    Counted::Zero => 0,
                    Counted::Large => positive(FINE_BUCKETS - 1),
                    Counted::Negative { fine } => -positive(fine),
                    Counted::Outside { .. } => return None,
                })
            };
            let cells = self.cells.iter();
            cells.filter_map(move |(code, count)| Some((bucket(*code)?, *count)))
        }
    }
}

/// What the readers of snapshots need.
#[cfg(any(feature = "history", feature = "otlp"))]
mod of_snapshots {
    use super::{Arc, CellCode, Counted, HistogramValues};

    impl HistogramValues {
        /// The same histogram with other values. The cells must not be empty, and in ascending order of their codes.
        pub(crate) fn with(&self, cells: Vec<(CellCode, u64)>, sum: f64) -> Self {
            debug_assert!(cells.is_sorted_by(|(one, _), (other, _)| one < other));
            Self {
                bounds: Arc::clone(&self.bounds),
                cells,
                sum,
            }
        }

        /// The number of values.
        pub(crate) fn count(&self) -> u64 {
            let cells = self.cells.iter().filter(|(code, _)| {
                matches!(
                    Counted::of_code(*code),
                    Counted::Cell(_) | Counted::Outside { .. }
                )
            });
            cells.fold(0, |sum, (_, count)| sum.wrapping_add(*count))
        }

        /// The upper bounds of the buckets, without `+Inf`.
        pub(crate) fn bounds(&self) -> &[f64] {
            self.bounds.values()
        }

        /// The values that were recorded since an earlier reading of the same series.
        pub(crate) fn since(&self, earlier: &Self) -> Self {
            let mut before = earlier.cells.iter().peekable();
            let cells = self.cells.iter().filter_map(|(code, count)| {
                while before.next_if(|(other, _)| other < code).is_some() {}
                let same = before.next_if(|(other, _)| other == code);
                let base = same.map_or(0, |(_, count)| *count);
                let increase = count.saturating_sub(base);
                (increase > 0).then_some((*code, increase))
            });
            let mut cells: Vec<_> = cells.collect();
            cells.shrink_to_fit();
            self.with(cells, self.sum - earlier.sum)
        }
    }
}

/// What a push needs.
#[cfg(feature = "otlp")]
mod of_pushes {
    use super::{Counted, HistogramValues};
    use crate::metrics::exponential::{FINE_BUCKETS, FIRST_INDEX};

    /// The counts of neighbouring buckets of an exponential histogram at scale 5.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub(crate) struct IndexedBuckets {
        /// OpenTelemetry's index of the first bucket.
        pub(crate) offset: i32,
        pub(crate) counts: Vec<u64>,
    }

    /// The values in the buckets of OpenTelemetry's exponential histogram at scale 5.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub(crate) struct ExponentialBuckets {
        pub(crate) zero: u64,
        pub(crate) positive: IndexedBuckets,
        /// By their magnitudes.
        pub(crate) negative: IndexedBuckets,
    }

    impl IndexedBuckets {
        fn of(counts: &[(usize, u64)]) -> Self {
            let numbers = || counts.iter().map(|(number, _)| *number);
            let (Some(first), Some(last)) = (numbers().min(), numbers().max()) else {
                return Self::default();
            };
            let mut dense = vec![0_u64; last - first + 1];
            for (number, count) in counts {
                if let Some(slot) = dense.get_mut(number - first) {
                    *slot = slot.wrapping_add(*count);
                }
            }
            let offset = i32::try_from(first).unwrap_or_default();
            Self {
                offset: FIRST_INDEX + offset,
                counts: dense,
            }
        }

        pub(crate) fn total(&self) -> u64 {
            self.counts
                .iter()
                .fold(0, |sum, count| sum.wrapping_add(*count))
        }
    }

    impl HistogramValues {
        /// The values in exponential buckets. Values above the last fine bucket are in the bucket after it.
        pub(crate) fn exponential(&self) -> ExponentialBuckets {
            let mut zero = 0_u64;
            let (mut positive, mut negative) = (Vec::with_capacity(self.cells.len()), Vec::new());
            for (code, count) in &self.cells {
                match Counted::of_code(*code) {
                    Counted::Cell(cell) => positive.push((self.bounds.fine_of(cell), *count)),
                    Counted::Large => positive.push((FINE_BUCKETS, *count)),
                    Counted::Negative { fine } => negative.push((fine, *count)),
                    Counted::Zero => zero = zero.wrapping_add(*count),
                    // Counted by magnitude as well.
                    Counted::Outside { .. } => {}
                }
            }
            ExponentialBuckets {
                zero,
                positive: IndexedBuckets::of(&positive),
                negative: IndexedBuckets::of(&negative),
            }
        }

        /// Whether any value is negative, so that the sum may decrease.
        pub(crate) fn any_negative(&self) -> bool {
            let counted = self.cells.iter().map(|(code, _)| Counted::of_code(*code));
            self.bounds.any_negative()
                || counted
                    .into_iter()
                    .any(|counted| matches!(counted, Counted::Negative { .. }))
        }
    }
}

/// What the history needs.
#[cfg(feature = "history")]
mod of_periods {
    use super::{Arc, Bounds, CellCode, Counted, HistogramValues, outside};
    use crate::metrics::exponential::middle;

    impl HistogramValues {
        /// No values of a histogram with these bounds.
        pub(crate) fn empty(bounds: &[f64]) -> Self {
            let bounds = if bounds.is_empty() {
                &[f64::INFINITY]
            } else {
                bounds
            };
            Self::new(&Arc::new(Bounds::new(bounds)), Vec::new(), 0.0)
        }

        /// The cells that are not empty, in ascending order of their codes, and their counts.
        pub(crate) fn cells(&self) -> &[(CellCode, u64)] {
            &self.cells
        }

        /// The estimated size of the cells in memory.
        pub(crate) fn bytes(&self) -> usize {
            match self.cells.capacity() {
                0 => 0,
                cells => cells * size_of::<(CellCode, u64)>() + 16,
            }
        }
    }

    /// Adds up the values of histograms.
    #[derive(Debug)]
    pub(crate) struct HistogramSum {
        /// No values, with the bounds of the result.
        empty: HistogramValues,
        /// By code.
        counts: Vec<u64>,
        sum: f64,
    }

    impl HistogramSum {
        /// A sum with the bounds of a histogram, and without values.
        pub(crate) fn with_bounds_of(values: &HistogramValues) -> Self {
            Self {
                empty: values.with(Vec::new(), 0.0),
                counts: Vec::new(),
                sum: 0.0,
            }
        }

        /// Adds values. If a histogram has other bounds, its values count in the buckets that contain the middles of their
        /// fine buckets.
        pub(crate) fn add(&mut self, values: &HistogramValues) {
            let bounds = &self.empty.bounds;
            let is_same = Arc::ptr_eq(bounds, &values.bounds) || *bounds == values.bounds;
            for (code, count) in &values.cells {
                let code = if is_same {
                    *code
                } else {
                    cell_in(bounds, values, *code)
                };
                let index = usize::from(code);
                if self.counts.len() <= index {
                    self.counts.resize(index + 1, 0);
                }
                if let Some(all) = self.counts.get_mut(index) {
                    *all = all.wrapping_add(*count);
                }
            }
            self.sum += values.sum;
        }

        /// Returns the sum.
        pub(crate) fn values(&self) -> HistogramValues {
            let counts = (0..).zip(self.counts.iter().copied());
            let mut cells: Vec<_> = counts.filter(|(_, count)| *count > 0).collect();
            cells.shrink_to_fit();
            self.empty.with(cells, self.sum)
        }
    }

    /// The cell of a histogram with these bounds that stands for a cell of a histogram with others.
    fn cell_in(bounds: &Bounds, values: &HistogramValues, code: CellCode) -> CellCode {
        match Counted::of_code(code) {
            Counted::Cell(cell) => {
                let fine = values.bounds.fine_of(cell);
                bounds.place(fine, middle(fine)).0.code()
            }
            Counted::Outside { bucket } => {
                let bound = values.bounds.values().get(bucket);
                let bound = bound.copied().unwrap_or(f64::INFINITY);
                outside(bounds.search(bound))
            }
            Counted::Zero | Counted::Large | Counted::Negative { .. } => code,
        }
    }
}

#[cfg(all(test, feature = "history"))]
mod tests {
    use super::*;
    use crate::metrics::histogram::{HistogramCell, Sharding};

    fn recorded(bounds: &[f64], values: &[f64]) -> HistogramValues {
        let bounds = Arc::new(Bounds::new(bounds));
        let cell = HistogramCell::new(&bounds, &Arc::new(Sharding::new(1)));
        for value in values {
            cell.record(*value);
        }
        cell.values()
    }

    #[test]
    fn the_increase_of_two_readings_is_what_was_recorded_between_them() {
        let first = recorded(&[1.0], &[0.5, 0.5, 3.0, -1.0]);
        let second = recorded(&[1.0], &[0.5, 0.5, 3.0, -1.0, 0.5, 7.0, 0.0, -1.0]);
        let increase = second.since(&first);
        assert_eq!((increase.count(), increase.buckets()), (4, vec![3, 1]));
        assert!((increase.sum() - 6.5).abs() < 1e-9);
        assert_eq!(second.since(&second).cells(), []);
    }

    #[test]
    fn sums_add_the_cells_of_equal_bounds() {
        let one = recorded(&[0.99, 1.0], &[0.98, 0.991, 2.0, 0.0]);
        let other = recorded(&[0.99, 1.0], &[0.995, 5.0, -2.0]);
        let mut sum = HistogramSum::with_bounds_of(&one);
        sum.add(&one);
        sum.add(&other);
        let sum = sum.values();
        assert_eq!((sum.count(), sum.buckets()), (7, vec![3, 2, 2]));
        assert_eq!(sum.distribution().count(), 7);
        assert!((sum.sum() - 7.966).abs() < 1e-9);
    }

    #[test]
    fn values_of_other_bounds_are_placed_by_their_fine_buckets() {
        let one = recorded(&[1.0, 10.0], &[0.5]);
        let other = recorded(&[2.0, 20.0], &[0.5, 1.5, 15.0, 150.0, -1.0, 1e20]);
        let mut sum = HistogramSum::with_bounds_of(&one);
        sum.add(&one);
        sum.add(&other);
        let sum = sum.values();
        assert_eq!(sum.count(), 7);
        assert_eq!(sum.distribution().count(), 7);
        assert_eq!(sum.bounds(), [1.0, 10.0]);
        assert_eq!(sum.buckets(), [2, 2, 3]);
    }
}
