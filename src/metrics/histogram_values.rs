use std::sync::Arc;

use super::bounds::{Bounds, Cell};
use super::exponential::FINE_BUCKETS;

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

/// What the history needs.
#[cfg(feature = "history")]
mod of_periods {
    #[cfg(test)]
    use super::{Arc, Bounds};
    use super::{CellCode, Counted, HistogramValues};
    use crate::metrics::distribution::{BucketCode, Distribution, positive};
    use crate::metrics::exponential::FINE_BUCKETS;

    impl HistogramValues {
        /// No values of a histogram with these bounds.
        #[cfg(test)]
        pub(crate) fn empty(bounds: &[f64]) -> Self {
            let bounds = if bounds.is_empty() {
                &[f64::INFINITY]
            } else {
                bounds
            };
            Self::new(&Arc::new(Bounds::new(bounds)), Vec::new(), 0.0)
        }

        /// The same histogram with other values.
        pub(crate) fn with(&self, cells: Vec<(CellCode, u64)>, sum: f64) -> Self {
            Self::new(&self.bounds, cells, sum)
        }

        /// The cells that are not empty, in ascending order of their codes, and their counts.
        pub(crate) fn cells(&self) -> &[(CellCode, u64)] {
            &self.cells
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
            let cells = self.cells.iter().map(|(code, count)| {
                while before.next_if(|(other, _)| other < code).is_some() {}
                let same = before.next_if(|(other, _)| other == code);
                let base = same.map_or(0, |(_, count)| *count);
                (*code, count.saturating_sub(base))
            });
            Self::new(&self.bounds, cells.collect(), self.sum - earlier.sum)
        }

        /// Adds the values of another histogram with the same bounds. Where the bounds differ, a value counts in the
        /// bucket that contains the middle of its fine bucket.
        pub(crate) fn merge(&mut self, other: &Self) {
            let mut cells = std::mem::take(&mut self.cells);
            if self.bounds == other.bounds {
                cells.extend_from_slice(&other.cells);
            } else {
                let moved = other.cells.iter();
                cells.extend(
                    moved.map(|(code, count)| (self.bounds_of_other(other, *code), *count)),
                );
            }
            *self = Self::new(&self.bounds, cells, self.sum + other.sum);
        }

        /// The cell here that stands for a cell of a histogram with other bounds.
        fn bounds_of_other(&self, other: &Self, code: CellCode) -> CellCode {
            match Counted::of_code(code) {
                Counted::Cell(cell) => {
                    let fine = other.bounds.fine_of(cell);
                    let middle = crate::metrics::exponential::middle(fine);
                    self.bounds.place(fine, middle).0.code()
                }
                Counted::Outside { bucket } => {
                    let bound = other.bounds.values().get(bucket);
                    let bound = bound.copied().unwrap_or(f64::INFINITY);
                    super::outside(self.bounds.search(bound))
                }
                Counted::Zero | Counted::Large | Counted::Negative { .. } => code,
            }
        }

        /// The values in fine buckets.
        pub(crate) fn distribution(&self) -> Distribution {
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
            Distribution::of(
                cells
                    .filter_map(|(code, count)| Some((bucket(*code)?, *count)))
                    .collect(),
            )
        }
    }
}
