use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use super::cell::{Shards, add_f64};
use super::exemplar::{Exemplar, ExemplarSlot};
use super::number::push_f64;
use crate::clock::Nanos;
use crate::model::TraceId;
use crate::semconv::DURATION_BOUNDS;

/// The maximum number of bounds of one histogram.
const MAX_BOUNDS: usize = 128;

/// The upper bounds of a histogram's buckets, in ascending order, and their exposed texts.
#[derive(Debug)]
pub(super) struct Bounds {
    values: Box<[f64]>,
    /// For each binary exponent from [`FIRST_EXPONENT`] on, the first bucket that a value with this exponent may fall
    /// into. A search then compares the bounds of one power of two only.
    starts: Box<[u8; EXPONENTS]>,
    /// The `le` label of each bucket, including the last (`+Inf`): in the text format, and in `OpenMetrics`, which
    /// writes whole numbers with `.0`.
    pub(super) plain: Box<[Box<str>]>,
    pub(super) canonical: Box<[Box<str>]>,
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
        let values: Box<[f64]> = values.into();
        Self {
            starts: Box::new(starts(&values)),
            values,
            plain,
            canonical,
        }
    }

    /// The bucket of a value: the first whose bound is not less than it.
    #[inline]
    fn bucket(&self, value: f64) -> usize {
        let mut bucket = usize::from(self.starts.get(exponent(value)).copied().unwrap_or(0));
        // The exponent leads close to the bucket. The bounds of one octave are few, so the rest is a short walk.
        while self.values.get(bucket).is_some_and(|bound| *bound < value) {
            bucket += 1;
        }
        bucket
    }

    /// The number of buckets, including the last one, which has no finite bound.
    pub(super) fn buckets(&self) -> usize {
        self.values.len() + 1
    }

    fn any_negative(&self) -> bool {
        self.values.first().is_some_and(|lowest| *lowest < 0.0)
    }
}

/// The biased exponent of the first entry of [`Bounds::starts`]: 2^-32, about 0.2 ns.
const FIRST_EXPONENT: u64 = 1023 - 32;
/// The lowest number with that exponent.
const LOWEST: f64 = f64::from_bits(FIRST_EXPONENT << 52);
/// The number of exponents that are distinguished, up to 2^63.
const EXPONENTS: usize = 96;

/// The index into [`Bounds::starts`] of a value: 0 for values that are tiny, zero or negative, the last for large ones.
#[inline]
fn exponent(value: f64) -> usize {
    if value < LOWEST {
        return 0;
    }
    let exponent = (value.to_bits() >> 52) - FIRST_EXPONENT;
    (exponent as usize).min(EXPONENTS - 1)
}

fn starts(bounds: &[f64]) -> [u8; EXPONENTS] {
    let mut starts = [0; EXPONENTS];
    for (exponent, start) in (FIRST_EXPONENT..).zip(starts.iter_mut()).skip(1) {
        let lowest = f64::from_bits(exponent << 52);
        *start = bounds.partition_point(|bound| *bound < lowest) as u8;
    }
    starts
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

/// The values of one histogram series: a count for each bucket and the sum, in shards.
#[derive(Debug)]
pub(super) struct HistogramCell {
    bounds: Arc<Bounds>,
    /// A shard holds the counts of the buckets, then the bits of the sum.
    shards: Shards,
    /// Created with the first value that has a trace.
    exemplars: OnceLock<Box<[ExemplarSlot]>>,
    /// Whether a negative value was recorded.
    any_negative: AtomicBool,
}

impl HistogramCell {
    pub(super) fn new(shards: usize, bounds: &Arc<Bounds>) -> Self {
        Self {
            bounds: Arc::clone(bounds),
            shards: Shards::new(shards, bounds.buckets() + 1),
            exemplars: OnceLock::new(),
            any_negative: AtomicBool::new(false),
        }
    }

    /// Records a value and returns its bucket. A value that is not finite is ignored, since it would make the sum
    /// permanently useless.
    #[inline]
    pub(super) fn record(&self, value: f64) -> Option<usize> {
        self.record_many(value, 1)
    }

    /// Records a value `times` times and returns its bucket.
    #[inline]
    #[expect(
        clippy::cast_precision_loss,
        reason = "a sum is a floating-point number"
    )]
    pub(super) fn record_many(&self, value: f64, times: u64) -> Option<usize> {
        if !value.is_finite() || times == 0 {
            return None;
        }
        let bucket = if value < LOWEST {
            self.bucket_of_small(value)
        } else {
            self.bounds.bucket(value)
        };
        // Count and sum are two additions. A scrape between them is off by this value, and the next one is right.
        let (count, sum) = self.shards.local_pair(bucket, self.bounds.buckets())?;
        count.fetch_add(times, Relaxed);
        add_f64(sum, value * times as f64);
        Some(bucket)
    }

    /// The bucket of a value that is tiny, zero or negative. Notes that a negative value was recorded.
    #[cold]
    fn bucket_of_small(&self, value: f64) -> usize {
        if value < 0.0 {
            self.any_negative.store(true, Relaxed);
        }
        self.bounds.bucket(value)
    }

    /// Whether the sum never decreases: there is no negative bound, and no negative value was recorded.
    pub(super) fn is_sum_monotonic(&self) -> bool {
        !self.bounds.any_negative() && !self.any_negative.load(Relaxed)
    }

    /// Stores a value and its trace as its bucket's exemplar, at most once a second.
    #[inline]
    pub(super) fn record_exemplar(
        &self,
        bucket: usize,
        value: f64,
        trace: TraceId,
        at: Nanos,
        wall: impl FnOnce() -> u64,
    ) {
        let slots = match self.exemplars.get() {
            Some(slots) => slots,
            None => self.exemplar_slots(),
        };
        if let Some(slot) = slots.get(bucket)
            && slot.is_due(at)
        {
            slot.store(value, trace, at, wall());
        }
    }

    /// Whether a bucket accepts an exemplar now.
    #[inline]
    pub(super) fn accepts_exemplar(&self, bucket: usize, at: Nanos) -> bool {
        let slots = self.exemplars.get().and_then(|slots| slots.get(bucket));
        slots.is_none_or(|slot| slot.is_due(at))
    }

    #[cold]
    fn exemplar_slots(&self) -> &[ExemplarSlot] {
        self.exemplars.get_or_init(|| {
            std::iter::repeat_with(ExemplarSlot::default)
                .take(self.bounds.buckets())
                .collect()
        })
    }

    pub(super) fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// The count of one bucket, not cumulated.
    pub(super) fn bucket_count(&self, bucket: usize) -> u64 {
        self.shards.sum(bucket)
    }

    /// The number of recorded values.
    pub(super) fn count(&self) -> u64 {
        (0..self.bounds.buckets())
            .map(|bucket| self.bucket_count(bucket))
            .fold(0, u64::wrapping_add)
    }

    pub(super) fn sum(&self) -> f64 {
        // The fold starts at +0, since the empty sum of floats is -0.
        let sums = self.shards.values(self.bounds.buckets());
        sums.fold(0.0, |sum, bits| sum + f64::from_bits(bits))
    }

    pub(super) fn exemplar(&self, bucket: usize) -> Option<Exemplar> {
        self.exemplars.get()?.get(bucket)?.load()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_falls_into_the_bucket_whose_bound_it_does_not_exceed() {
        let bounds = Arc::new(Bounds::new(&[
            10.0,
            1.0,
            1.0,
            f64::NAN,
            f64::INFINITY,
            -0.0,
        ]));
        assert_eq!(&*bounds.plain, ["0", "1", "10", "+Inf"].map(Box::from));
        assert_eq!(
            &*bounds.canonical,
            ["0.0", "1.0", "10.0", "+Inf"].map(Box::from)
        );
        let cell = HistogramCell::new(2, &bounds);
        for value in [-1.0, 0.0, 1.0, 1.5, 10.0, 11.0, f64::NAN, f64::INFINITY] {
            cell.record(value);
        }
        cell.record_many(2.0, 3);
        let counts: Vec<u64> = (0..4).map(|bucket| cell.bucket_count(bucket)).collect();
        assert_eq!((counts, cell.count()), (vec![2, 1, 5, 1], 9));
        assert!((cell.sum() - 28.5).abs() < 1e-9);
        assert_eq!(Bounds::new(&[]).buckets(), 15);
        assert_eq!(Bounds::new(&[f64::NAN]).buckets(), 15);
        assert_eq!(Bounds::new(&[f64::INFINITY]).buckets(), 1);
    }

    #[test]
    fn the_search_by_exponent_finds_what_a_full_search_finds() {
        let sets: [&[f64]; 7] = [
            &DURATION_BOUNDS,
            &crate::semconv::HTTP_DURATION_BOUNDS,
            &[f64::INFINITY],
            &crate::semconv::SIZE_BOUNDS,
            &[-5.0, -1.0, 0.0, 1e-12, 1e-3, 1.0, 1e20, 1e300],
            &[1.0, 1.1, 1.2, 1.3, 1.9, 2.0, 2.1],
            &[0.0],
        ];
        for bounds in sets.map(Bounds::new) {
            let around = bounds
                .values
                .iter()
                .flat_map(|b| [b.next_down(), *b, b.next_up()]);
            let powers = (-1074..1024).flat_map(|e| [2_f64.powi(e), -2_f64.powi(e)]);
            let ends = [0.0, -0.0, f64::MIN, f64::MAX, f64::MIN_POSITIVE];
            for value in around.chain(powers).chain(ends) {
                let full = bounds.values.partition_point(|bound| *bound < value);
                assert_eq!(
                    bounds.bucket(value),
                    full,
                    "{value:e} in {:?}",
                    bounds.plain
                );
            }
        }
    }

    #[test]
    fn a_bucket_keeps_one_exemplar_a_second() {
        let cell = HistogramCell::new(1, &Arc::new(Bounds::new(&[1.0])));
        let second = 1_000_000_000;
        assert_eq!(cell.exemplar(0), None);
        assert!(cell.accepts_exemplar(0, 0));
        for at in [0, second - 1, second] {
            let trace = TraceId::from_u128(u128::from(at) + 1);
            cell.record_exemplar(0, 0.5, trace, at, || at);
        }
        let kept = cell.exemplar(0).unwrap();
        assert_eq!(
            (kept.trace.to_u128(), kept.wall),
            (u128::from(second) + 1, second)
        );
        assert!(!cell.accepts_exemplar(0, second + 1));
        assert!(cell.accepts_exemplar(1, second + 1));
        assert_eq!(cell.exemplar(1), None);
    }
}
