use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::model::thread_number;

/// A cache line of atomics. Threads of different shards never write to one cache line.
#[derive(Debug, Default)]
#[repr(align(64))]
struct CacheLine([AtomicU64; 8]);

/// Numbers that threads add to. Each thread adds to one shard, which consists of whole cache lines.
#[derive(Debug)]
pub(super) struct Shards {
    lines: Box<[CacheLine]>,
    lines_per_shard: usize,
    /// The number of shards, which is a power of two, minus one.
    mask: usize,
}

impl Shards {
    pub(super) fn new(shards: usize, numbers: usize) -> Self {
        let shards = shards.next_power_of_two();
        let lines_per_shard = numbers.div_ceil(8).max(1);
        Self {
            lines: std::iter::repeat_with(CacheLine::default)
                .take(shards * lines_per_shard)
                .collect(),
            lines_per_shard,
            mask: shards - 1,
        }
    }

    /// One number in the calling thread's shard.
    #[inline]
    pub(super) fn local(&self, number: usize) -> Option<&AtomicU64> {
        self.at(thread_number() & self.mask, number)
    }

    #[inline]
    fn at(&self, shard: usize, number: usize) -> Option<&AtomicU64> {
        let line = self.lines.get(shard * self.lines_per_shard + number / 8)?;
        line.0.get(number % 8)
    }

    /// One number in each shard.
    pub(super) fn values(&self, number: usize) -> impl Iterator<Item = u64> {
        (0..=self.mask).filter_map(move |shard| Some(self.at(shard, number)?.load(Relaxed)))
    }

    pub(super) fn sum(&self, number: usize) -> u64 {
        self.values(number).fold(0, u64::wrapping_add)
    }
}

/// The value of a counter: a whole number that only grows.
#[derive(Debug)]
pub(super) struct CounterCell(Shards);

impl CounterCell {
    pub(super) fn new(shards: usize) -> Self {
        Self(Shards::new(shards, 1))
    }

    #[inline]
    pub(super) fn add(&self, n: u64) {
        if let Some(cell) = self.0.local(0) {
            cell.fetch_add(n, Relaxed);
        }
    }

    pub(super) fn total(&self) -> u64 {
        self.0.sum(0)
    }
}

/// The value of an up-down counter. Increments and decrements are summed separately, so that their total changes with
/// each use.
#[derive(Debug)]
pub(super) struct UpDownCell(Shards);

impl UpDownCell {
    pub(super) fn new(shards: usize) -> Self {
        Self(Shards::new(shards, 2))
    }

    #[inline]
    pub(super) fn add(&self, n: i64) {
        if let Some(cell) = self.0.local(usize::from(n < 0)) {
            cell.fetch_add(n.unsigned_abs(), Relaxed);
        }
    }

    pub(super) fn value(&self) -> i64 {
        self.0.sum(0).wrapping_sub(self.0.sum(1)).cast_signed()
    }

    /// A number that changes with each use.
    pub(super) fn activity(&self) -> u64 {
        self.0.sum(0).wrapping_add(self.0.sum(1))
    }
}

/// The value of a gauge, which is set or changed by a delta.
#[derive(Debug, Default)]
pub(super) struct GaugeCell {
    bits: AtomicU64,
    sets: AtomicU64,
    adds: AtomicU64,
}

impl GaugeCell {
    #[inline]
    pub(super) fn set(&self, value: f64) {
        self.bits.store(value.to_bits(), Relaxed);
        // Setting the same value again is a use as well, so the value alone cannot show activity.
        self.sets.fetch_add(1, Relaxed);
    }

    #[inline]
    pub(super) fn add(&self, delta: f64) {
        add_f64(&self.bits, delta);
        self.adds.fetch_add(1, Relaxed);
    }

    pub(super) fn value(&self) -> f64 {
        f64::from_bits(self.bits.load(Relaxed))
    }

    /// A number that changes with each use.
    pub(super) fn activity(&self) -> u64 {
        let sets = self.sets.load(Relaxed);
        sets.wrapping_add(self.adds.load(Relaxed))
    }

    /// Whether the value results from calls of `add` and is not 0. Such a value is kept: the owner will undo it with a
    /// negative delta, which must find it.
    pub(super) fn is_level(&self) -> bool {
        self.adds.load(Relaxed) > 0 && self.value() != 0.0
    }
}

/// Adds to a floating-point number that is stored as its bits. Returns whether it collided with another thread.
#[inline]
pub(super) fn add_f64(bits: &AtomicU64, delta: f64) -> bool {
    let mut current = bits.load(Relaxed);
    let mut collided = false;
    loop {
        let new = (f64::from_bits(current) + delta).to_bits();
        match bits.compare_exchange_weak(current, new, Relaxed, Relaxed) {
            Ok(_) => return collided,
            Err(other) => current = other,
        }
        collided = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_of_many_threads_are_exact() {
        let counter = CounterCell::new(4);
        let level = UpDownCell::new(4);
        let gauge = GaugeCell::default();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        counter.add(3);
                        level.add(-2);
                        level.add(1);
                        gauge.add(0.5);
                    }
                });
            }
        });
        assert_eq!(counter.total(), 240_000);
        assert_eq!((level.value(), level.activity()), (-80_000, 240_000));
        assert!((gauge.value() - 40_000.0).abs() < f64::EPSILON);
        level.add(i64::MIN);
        level.add(i64::MAX);
        assert_eq!(level.value(), -80_001);
    }

    #[test]
    fn a_shard_is_whole_cache_lines() {
        let shards = Shards::new(3, 9);
        assert_eq!((shards.lines.len(), shards.mask), (8, 3));
        assert_eq!(size_of::<CacheLine>(), 64);
    }
}
