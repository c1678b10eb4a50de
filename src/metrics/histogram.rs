use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use super::bounds::{Bounds, Cell};
use super::cell::add_f64;
use super::exemplar::{Exemplar, ExemplarSlot};
use super::exponential::{ZERO_THRESHOLD, fine_bucket};
use super::fine_counts::FineCounts;
use super::histogram_values::{self, HistogramValues, LARGE, ZERO};
use crate::clock::Nanos;
use crate::model::{TraceId, thread_number};

/// How often additions to a sum must collide before a series gets a shard for each thread. A few collisions are
/// cheaper than the memory of the shards.
const COLLISIONS: usize = 64;
/// The maximum number of histogram series of one registry that are sharded.
const MAX_SHARDED: usize = 1_024;

/// The number of shards that a histogram series may have, and the number of series that have them.
#[derive(Debug)]
pub(super) struct Sharding {
    /// A power of two.
    shards: usize,
    sharded: AtomicUsize,
}

/// The values of one histogram series: a count for each cell and the sum.
///
/// Each value is counted once, in a cell whose limits are the bounds of the histogram and those of the fine buckets. The
/// exposed buckets and the distribution for quantiles are both sums of cells.
#[derive(Debug)]
pub(super) struct HistogramCell {
    bounds: Arc<Bounds>,
    first: HistogramShard,
    /// The shards of the other threads, once threads have collided in the first.
    others: OnceLock<Box<[HistogramShard]>>,
    collisions: AtomicUsize,
    sharding: Arc<Sharding>,
    /// Values without a fine bucket: zero, negative, tiny and very large ones.
    outside: OnceLock<Box<Outside>>,
    /// Created with the first value that has a trace.
    exemplars: OnceLock<Box<[ExemplarSlot]>>,
    /// Whether a negative value was recorded.
    any_negative: AtomicBool,
}

/// The part of the counts that some threads add to.
#[derive(Debug, Default)]
#[repr(align(64))]
struct HistogramShard {
    sum: AtomicU64,
    fine: FineCounts,
    /// The counts above each bound that divides a fine bucket.
    above: OnceLock<Box<[AtomicU64]>>,
}

/// The counts of values without a fine bucket. They are rare, and counted twice: by bucket, and by magnitude.
#[derive(Debug)]
struct Outside {
    buckets: Box<[AtomicU64]>,
    zero: AtomicU64,
    large: AtomicU64,
    negative: FineCounts,
}

impl Sharding {
    pub(super) fn new(shards: usize) -> Self {
        Self {
            shards: shards.next_power_of_two(),
            sharded: AtomicUsize::new(0),
        }
    }

    /// Reserves the shards of one series; returns whether the limit allows it.
    fn reserve(&self) -> bool {
        let count = &self.sharded;
        count
            .fetch_update(Relaxed, Relaxed, |n| (n < MAX_SHARDED).then_some(n + 1))
            .is_ok()
    }
}

impl Drop for HistogramCell {
    fn drop(&mut self) {
        if self.others.get().is_some() {
            self.sharding.sharded.fetch_sub(1, Relaxed);
        }
    }
}

fn counts(count: usize) -> Box<[AtomicU64]> {
    std::iter::repeat_with(AtomicU64::default)
        .take(count)
        .collect()
}

impl HistogramCell {
    pub(super) fn new(bounds: &Arc<Bounds>, sharding: &Arc<Sharding>) -> Self {
        Self {
            bounds: Arc::clone(bounds),
            first: HistogramShard::default(),
            others: OnceLock::new(),
            collisions: AtomicUsize::new(0),
            sharding: Arc::clone(sharding),
            outside: OnceLock::new(),
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
        if times == 0 {
            return None;
        }
        let Some(fine) = fine_bucket(value) else {
            return self.record_outside(value, times);
        };
        let (cell, bucket) = self.bounds.place(fine, value);
        // Count and sum are two additions. A scrape between them is off by this value, and the next one is right.
        let shard = self.shard();
        match cell {
            Cell::Fine(fine) => shard.fine.add(fine, times),
            Cell::Above(bound) => shard.add_above(bound, times, &self.bounds),
        }
        if add_f64(&shard.sum, value * times as f64) {
            self.collided();
        }
        Some(bucket)
    }

    /// The calling thread's shard.
    #[inline]
    fn shard(&self) -> &HistogramShard {
        match self.others.get() {
            None => &self.first,
            Some(others) => {
                // The number of shards is a power of two; the first is not among the others.
                let number = thread_number() & others.len();
                others.get(number).unwrap_or(&self.first)
            }
        }
    }

    /// Counts a collision of two threads. After some, each thread gets its own shard.
    #[cold]
    fn collided(&self) {
        if self.collisions.fetch_add(1, Relaxed) != COLLISIONS {
            return;
        }
        let others = self.sharding.shards.saturating_sub(1);
        if others > 0 && self.sharding.reserve() {
            let all = std::iter::repeat_with(HistogramShard::default).take(others);
            self.others.get_or_init(|| all.collect());
        }
    }

    /// Records a value without a fine bucket.
    #[cold]
    #[expect(
        clippy::cast_precision_loss,
        reason = "a sum is a floating-point number"
    )]
    fn record_outside(&self, value: f64, times: u64) -> Option<usize> {
        if !value.is_finite() {
            return None;
        }
        if value < 0.0 {
            self.any_negative.store(true, Relaxed);
        }
        let outside = self.outside.get_or_init(|| {
            Box::new(Outside {
                buckets: counts(self.bounds.buckets()),
                zero: AtomicU64::new(0),
                large: AtomicU64::new(0),
                negative: FineCounts::default(),
            })
        });
        let bucket = self.bounds.search(value);
        outside.buckets.get(bucket)?.fetch_add(times, Relaxed);
        if value.abs() <= ZERO_THRESHOLD {
            outside.zero.fetch_add(times, Relaxed);
        } else if value > 0.0 {
            outside.large.fetch_add(times, Relaxed);
        } else {
            outside.negative.record(-value, times);
        }
        add_f64(&self.first.sum, value * times as f64);
        Some(bucket)
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

    pub(super) fn bounds(&self) -> &Arc<Bounds> {
        &self.bounds
    }

    fn shards(&self) -> impl Iterator<Item = &HistogramShard> {
        let others = self.others.get().into_iter().flatten();
        std::iter::once(&self.first).chain(others)
    }

    /// The number of recorded values.
    pub(super) fn count(&self) -> u64 {
        let shards = self.shards().map(HistogramShard::count);
        let outside = self.outside.get().into_iter();
        let outside = outside.flat_map(|outside| &outside.buckets);
        let outside = outside.map(|count| count.load(Relaxed));
        shards.chain(outside).fold(0, u64::wrapping_add)
    }

    pub(super) fn sum(&self) -> f64 {
        let sums = self.shards().map(|shard| shard.sum.load(Relaxed));
        // The fold starts at +0, since the empty sum of floats is -0.
        sums.fold(0.0, |sum, bits| sum + f64::from_bits(bits))
    }

    /// Reads all cells, each once.
    pub(super) fn values(&self) -> HistogramValues {
        let mut cells = Vec::new();
        for shard in self.shards() {
            let fine = shard.fine.counts();
            cells.extend(fine.map(|(fine, count)| (Cell::Fine(fine).code(), count)));
            let above = shard.above.get().into_iter().flatten().enumerate();
            let above =
                above.map(|(bound, count)| (Cell::Above(bound).code(), count.load(Relaxed)));
            cells.extend(above);
        }
        if let Some(Outside {
            buckets,
            zero,
            large,
            negative,
        }) = self.outside.get().map(|outside| &**outside)
        {
            let buckets = buckets.iter().map(|count| count.load(Relaxed)).enumerate();
            cells.extend(buckets.map(|(bucket, count)| (histogram_values::outside(bucket), count)));
            cells.push((ZERO, zero.load(Relaxed)));
            cells.push((LARGE, large.load(Relaxed)));
            let negative = negative.counts();
            cells.extend(negative.map(|(fine, count)| (histogram_values::negative(fine), count)));
        }
        HistogramValues::new(&self.bounds, cells, self.sum())
    }

    /// The exemplars of all buckets.
    #[cfg(any(feature = "history", feature = "otlp"))]
    pub(super) fn exemplars(&self) -> Vec<Exemplar> {
        let slots = self.exemplars.get().into_iter().flatten();
        slots.filter_map(ExemplarSlot::load).collect()
    }

    pub(super) fn exemplar(&self, bucket: usize) -> Option<Exemplar> {
        self.exemplars.get()?.get(bucket)?.load()
    }
}

impl HistogramShard {
    /// Adds to the count of the values above a bound that divides a fine bucket.
    #[inline(never)]
    fn add_above(&self, bound: usize, times: u64, bounds: &Bounds) {
        let above = self.above.get_or_init(|| counts(bounds.values().len()));
        if let Some(count) = above.get(bound) {
            count.fetch_add(times, Relaxed);
        }
    }

    fn count(&self) -> u64 {
        let above = self.above.get().into_iter().flatten();
        let above = above.map(|count| count.load(Relaxed));
        above.fold(self.fine.total(), u64::wrapping_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell_of(bounds: &[f64], shards: usize) -> HistogramCell {
        let bounds = Arc::new(Bounds::new(bounds));
        HistogramCell::new(&bounds, &Arc::new(Sharding::new(shards)))
    }

    #[test]
    fn a_value_falls_into_the_bucket_whose_bound_it_does_not_exceed() {
        let cell = cell_of(&[0.0, 1.0, 10.0], 2);
        for value in [-1.0, 0.0, 1.0, 1.5, 10.0, 11.0, f64::NAN, f64::INFINITY] {
            cell.record(value);
        }
        cell.record_many(2.0, 3);
        assert_eq!(cell.record_many(2.0, 0), None);
        let values = cell.values();
        assert_eq!((values.buckets(), cell.count()), (vec![2, 1, 5, 1], 9));
        assert!((cell.sum() - 28.5).abs() < 1e-9);
    }

    #[cfg(feature = "history")]
    #[test]
    fn both_forms_are_sums_of_the_same_cells() {
        let bounds = [-2.0, 0.0, 1e-9, 0.99, 0.995, 1.0, 2.5, 1e20];
        let cell = cell_of(&bounds, 1);
        let values: Vec<f64> = (0..3000)
            .map(|n| 0.9 + f64::from(n) / 1000.0)
            .chain([-3.0, -2.0, -1e300, 0.0, 1e-10, 1e-9, 2e-9, 1e13, 1e20, 1e21])
            .collect();
        for value in &values {
            let bucket = bounds.iter().take_while(|bound| *bound < value).count();
            assert_eq!(cell.record(*value), Some(bucket), "{value:e}");
        }
        let read = cell.values();
        let mut expected = vec![0; bounds.len() + 1];
        for value in &values {
            expected[bounds.iter().take_while(|bound| *bound < value).count()] += 1;
        }
        assert_eq!(read.buckets(), expected);
        let fine = read.distribution();
        assert_eq!(fine.count(), values.len() as u64);
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        for percent in [20_u32, 50, 70, 90] {
            let rank = f64::from(percent) / 100.0;
            let exact = sorted[sorted.len() * percent as usize / 100 - 1];
            let read = fine.quantile(rank).unwrap();
            assert!((read / exact - 1.0).abs() < 0.011, "{read} for {exact}");
        }
    }

    #[test]
    fn threads_that_collide_get_their_own_shards_and_lose_no_value() {
        let cell = cell_of(&[1.0], 4);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for n in 0..50_000 {
                        cell.record(f64::from(n % 100) / 10.0);
                    }
                });
            }
        });
        // Whether threads collide depends on the machine.
        for _ in 0..=COLLISIONS {
            cell.collided();
        }
        assert_eq!(cell.others.get().unwrap().len(), 3);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for n in 0..10_000 {
                        cell.record(f64::from(n % 100) / 10.0);
                    }
                });
            }
        });
        let in_buckets: u64 = cell.values().buckets().iter().sum();
        assert_eq!((cell.count(), in_buckets), (280_000, 280_000));
        assert!((cell.sum() - 280_000.0 * 4.95).abs() < 1e-3);
        let sharding = Arc::clone(&cell.sharding);
        assert_eq!(sharding.sharded.load(Relaxed), 1);
        drop(cell);
        assert_eq!(sharding.sharded.load(Relaxed), 0);
    }

    #[test]
    fn a_bucket_keeps_one_exemplar_a_second() {
        let cell = cell_of(&[1.0], 1);
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
