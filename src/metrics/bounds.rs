use super::exponential::{FINE_BUCKETS, fine_bucket};
use super::number::push_f64;
use crate::semconv::DURATION_BOUNDS;

/// The maximum number of bounds of one histogram.
pub(super) const MAX_BOUNDS: usize = 128;

/// The entry of [`Bounds::buckets`] for a fine bucket that contains a bound.
const DIVIDED: u8 = u8::MAX;
/// The entry of [`Bounds::divided`] for a bound that divides no fine bucket.
const NONE: u16 = u16::MAX;

/// The upper bounds of a histogram's buckets, in ascending order, and their exposed texts.
#[derive(Debug)]
pub(super) struct Bounds {
    values: Box<[f64]>,
    /// For each fine bucket, the bucket that contains all its values, or [`DIVIDED`].
    buckets: Box<[u8; FINE_BUCKETS]>,
    /// For each bound, the fine bucket that it divides. A bound that is the upper bound of a fine bucket divides none.
    divided: Box<[u16]>,
    /// The `le` label of each bucket, including the last (`+Inf`): in the text format, and in `OpenMetrics`, which
    /// writes whole numbers with `.0`.
    pub(super) plain: Box<[Box<str>]>,
    pub(super) canonical: Box<[Box<str>]>,
}

/// The cell of a value. The cells of a histogram are its fine buckets, except that a fine bucket that contains bounds has
/// one more cell for each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cell {
    /// The whole fine bucket, or its part up to the lowest bound in it.
    Fine(usize),
    /// The part of a fine bucket above the bound with this index, up to the next bound.
    Above(usize),
}

/// The code of the cell above the first bound.
const FIRST_ABOVE: u16 = FINE_BUCKETS as u16;

impl Cell {
    /// The cell as a number, for storage.
    #[expect(clippy::cast_possible_truncation, reason = "there are 2176 cells")]
    pub(super) fn code(self) -> u16 {
        match self {
            Self::Fine(fine) => fine as u16,
            Self::Above(bound) => FIRST_ABOVE + bound as u16,
        }
    }

    pub(super) fn of_code(code: u16) -> Self {
        match code.checked_sub(FIRST_ABOVE) {
            None => Self::Fine(usize::from(code)),
            Some(bound) => Self::Above(usize::from(bound)),
        }
    }
}

impl Bounds {
    /// Sorts and deduplicates the finite bounds and keeps at most 128.
    ///
    /// Without any, the bounds that the conventions give to durations are used. `+Inf` is the bound of each histogram's
    /// last bucket; as the only bound, it makes that the only bucket.
    pub(super) fn new(bounds: &[f64]) -> Self {
        let finite = bounds.iter().copied().filter(|bound| bound.is_finite());
        // Adding zero turns `-0.0` into `0.0`.
        let mut values: Vec<f64> = finite.map(|bound| bound + 0.0).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        values.truncate(MAX_BOUNDS);
        if values.is_empty() && !bounds.contains(&f64::INFINITY) {
            values = DURATION_BOUNDS.to_vec();
        }
        let plain: Box<[Box<str>]> = values
            .iter()
            .chain(&[f64::INFINITY])
            .map(|bound| {
                let mut text = String::new();
                push_f64(&mut text, *bound);
                text.into()
            })
            .collect();
        let canonical = plain.iter().map(|text| with_point(text)).collect();
        let divided: Box<[u16]> = values.iter().map(|bound| divided_by(*bound)).collect();
        Self {
            buckets: buckets(&values, &divided),
            divided,
            values: values.into(),
            plain,
            canonical,
        }
    }

    /// The cell and the bucket of a value in a fine bucket.
    #[inline]
    pub(super) fn place(&self, fine: usize, value: f64) -> (Cell, usize) {
        match self.buckets.get(fine) {
            Some(&bucket) if bucket != DIVIDED => (Cell::Fine(fine), usize::from(bucket)),
            _ => self.place_in_divided(fine, value),
        }
    }

    /// The cell and the bucket of a value in a fine bucket that contains a bound.
    #[inline(never)]
    fn place_in_divided(&self, fine: usize, value: f64) -> (Cell, usize) {
        let bucket = self.search(value);
        let cell = match bucket.checked_sub(1) {
            Some(below) if self.divides(below, fine) => Cell::Above(below),
            _ => Cell::Fine(fine),
        };
        (cell, bucket)
    }

    fn divides(&self, bound: usize, fine: usize) -> bool {
        let divided = self.divided.get(bound);
        divided.is_some_and(|divided| usize::from(*divided) == fine)
    }

    /// The bucket of any value: the first whose bound is not less than it.
    pub(super) fn search(&self, value: f64) -> usize {
        self.values.partition_point(|bound| *bound < value)
    }

    /// The bucket of a cell's values.
    pub(super) fn bucket_of(&self, cell: Cell) -> usize {
        match cell {
            Cell::Above(bound) => bound + 1,
            Cell::Fine(fine) => match self.buckets.get(fine) {
                Some(&bucket) if bucket != DIVIDED => usize::from(bucket),
                // The part up to the lowest bound in the fine bucket.
                _ => (0..self.divided.len())
                    .find(|bound| self.divides(*bound, fine))
                    .unwrap_or_default(),
            },
        }
    }

    /// The number of buckets, including the last one, which has no finite bound.
    pub(super) fn buckets(&self) -> usize {
        self.values.len() + 1
    }

    /// The finite bounds, in ascending order.
    pub(super) fn values(&self) -> &[f64] {
        &self.values
    }

    pub(super) fn any_negative(&self) -> bool {
        self.values.first().is_some_and(|lowest| *lowest < 0.0)
    }
}

#[cfg(any(
    feature = "history",
    feature = "native-histograms",
    feature = "otlp",
    test
))]
impl Bounds {
    /// The fine bucket of a cell.
    pub(super) fn fine_of(&self, cell: Cell) -> usize {
        match cell {
            Cell::Fine(fine) => fine,
            Cell::Above(bound) => self.divided.get(bound).copied().map_or(0, usize::from),
        }
    }
}

/// The fine bucket that a bound divides into values up to it and values above it.
fn divided_by(bound: f64) -> u16 {
    match fine_bucket(bound) {
        Some(fine) if fine_bucket(bound.next_up()) == Some(fine) => fine as u16,
        _ => NONE,
    }
}

fn buckets(values: &[f64], divided: &[u16]) -> Box<[u8; FINE_BUCKETS]> {
    let mut buckets = Box::new([0; FINE_BUCKETS]);
    // The bounds up to the first fine bucket have no fine bucket, and neither have those above the last.
    let mut below = values.partition_point(|bound| *bound < 1.0 && fine_bucket(*bound).is_none());
    for (fine, bucket) in buckets.iter_mut().enumerate() {
        *bucket = below as u8;
        while values.get(below).and_then(|bound| fine_bucket(*bound)) == Some(fine) {
            if divided.get(below).copied().map(usize::from) == Some(fine) {
                *bucket = DIVIDED;
            }
            below += 1;
        }
    }
    buckets
}

impl PartialEq for Bounds {
    fn eq(&self, other: &Self) -> bool {
        self.values == other.values
    }
}

fn with_point(text: &str) -> Box<str> {
    if text.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
        format!("{text}.0").into()
    } else {
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semconv::{HTTP_DURATION_BOUNDS, SIZE_BOUNDS};

    #[test]
    fn bounds_are_sorted_and_deduplicated() {
        let bounds = Bounds::new(&[10.0, 1.0, 1.0, f64::NAN, f64::INFINITY, -0.0]);
        assert_eq!(&*bounds.plain, ["0", "1", "10", "+Inf"].map(Box::from));
        assert_eq!(
            &*bounds.canonical,
            ["0.0", "1.0", "10.0", "+Inf"].map(Box::from)
        );
        assert_eq!(Bounds::new(&[]).buckets(), 15);
        assert_eq!(Bounds::new(&[f64::NAN]).buckets(), 15);
        assert_eq!(Bounds::new(&[f64::INFINITY]).buckets(), 1);
        let many: Vec<f64> = (0..200).map(f64::from).collect();
        assert_eq!(Bounds::new(&many).buckets(), 129);
    }

    #[test]
    fn the_bucket_of_a_fine_bucket_is_what_a_search_finds() {
        let many: Vec<f64> = (1..=128).map(|n| 1.0 + f64::from(n) / 1000.0).collect();
        let sets: [&[f64]; 9] = [
            &DURATION_BOUNDS,
            &HTTP_DURATION_BOUNDS,
            &[f64::INFINITY],
            &SIZE_BOUNDS,
            &[-5.0, -1.0, 0.0, 1e-12, 1e-3, 1.0, 1e20, 1e300],
            &[1.0, 1.1, 1.2, 1.3, 1.9, 2.0, 2.1],
            &[0.0],
            // Several bounds in one fine bucket, and one of them is its upper bound.
            &[0.99, 0.995, 1.0],
            &many,
        ];
        for bounds in sets.map(Bounds::new) {
            let around = bounds
                .values
                .iter()
                .flat_map(|b| [b.next_down(), *b, b.next_up()]);
            let powers = (-1074..1024).map(|e| 2_f64.powi(e));
            let steps = (0..10_000).map(|n| 0.9 * 1.0001_f64.powi(n));
            for value in around.chain(powers).chain(steps) {
                let Some(fine) = fine_bucket(value) else {
                    continue;
                };
                let (cell, bucket) = bounds.place(fine, value);
                let what = format!("{value:e} in {:?}", bounds.plain);
                assert_eq!(bucket, bounds.search(value), "{what}");
                assert_eq!(bounds.bucket_of(cell), bucket, "{what}");
                assert_eq!(bounds.fine_of(cell), fine, "{what}");
            }
        }
    }
}
