use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::model::thread_number;

/// A cache line of atomics: two threads that count do not write to one line.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Line([AtomicU64; 8]);

/// Numbers that threads add to, a shard for each few threads; a shard is whole cache lines.
#[derive(Debug)]
pub(super) struct Shards {
    lines: Box<[Line]>,
    lines_of_a_shard: usize,
    /// The number of shards less one; a power of two less one.
    mask: usize,
}

impl Shards {
    pub(super) fn new(shards: usize, numbers: usize) -> Self {
        let shards = shards.next_power_of_two();
        let lines_of_a_shard = numbers.div_ceil(8).max(1);
        Self {
            lines: std::iter::repeat_with(Line::default)
                .take(shards * lines_of_a_shard)
                .collect(),
            lines_of_a_shard,
            mask: shards - 1,
        }
    }

    /// The calling thread's cell of one number.
    #[inline]
    pub(super) fn own(&self, number: usize) -> Option<&AtomicU64> {
        self.at(thread_number() & self.mask, number)
    }

    /// The calling thread's cells of two numbers.
    #[inline]
    pub(super) fn own_two(&self, one: usize, two: usize) -> Option<(&AtomicU64, &AtomicU64)> {
        let shard = thread_number() & self.mask;
        Some((self.at(shard, one)?, self.at(shard, two)?))
    }

    #[inline]
    fn at(&self, shard: usize, number: usize) -> Option<&AtomicU64> {
        let line = self.lines.get(shard * self.lines_of_a_shard + number / 8)?;
        line.0.get(number % 8)
    }

    /// One number of every shard.
    pub(super) fn all(&self, number: usize) -> impl Iterator<Item = u64> {
        (0..=self.mask).filter_map(move |shard| Some(self.at(shard, number)?.load(Relaxed)))
    }

    pub(super) fn sum(&self, number: usize) -> u64 {
        self.all(number).fold(0, u64::wrapping_add)
    }
}

/// A counter: whole numbers that only grow.
#[derive(Debug)]
pub(super) struct CounterCell(Shards);

impl CounterCell {
    pub(super) fn new(shards: usize) -> Self {
        Self(Shards::new(shards, 1))
    }

    #[inline]
    pub(super) fn add(&self, n: u64) {
        if let Some(cell) = self.0.own(0) {
            cell.fetch_add(n, Relaxed);
        }
    }

    pub(super) fn total(&self) -> u64 {
        self.0.sum(0)
    }
}

/// A counter that goes both ways. What went up and what went down are kept apart, so that their sum
/// tells whether anything happened.
#[derive(Debug)]
pub(super) struct UpDownCell(Shards);

impl UpDownCell {
    pub(super) fn new(shards: usize) -> Self {
        Self(Shards::new(shards, 2))
    }

    #[inline]
    pub(super) fn add(&self, n: i64) {
        if let Some(cell) = self.0.own(usize::from(n < 0)) {
            cell.fetch_add(n.unsigned_abs(), Relaxed);
        }
    }

    pub(super) fn value(&self) -> i64 {
        self.0.sum(0).wrapping_sub(self.0.sum(1)).cast_signed()
    }

    pub(super) fn activity(&self) -> u64 {
        self.0.sum(0).wrapping_add(self.0.sum(1))
    }
}

/// A value that is set, or moved.
#[derive(Debug, Default)]
pub(super) struct GaugeCell {
    bits: AtomicU64,
    touches: AtomicU64,
    moves: AtomicU64,
}

impl GaugeCell {
    #[inline]
    pub(super) fn set(&self, value: f64) {
        self.bits.store(value.to_bits(), Relaxed);
        self.touches.fetch_add(1, Relaxed);
    }

    #[inline]
    pub(super) fn add(&self, delta: f64) {
        add_f64(&self.bits, delta);
        self.moves.fetch_add(1, Relaxed);
    }

    pub(super) fn value(&self) -> f64 {
        f64::from_bits(self.bits.load(Relaxed))
    }

    pub(super) fn activity(&self) -> u64 {
        let touches = self.touches.load(Relaxed);
        touches.wrapping_add(self.moves.load(Relaxed))
    }

    /// Whether the value is the sum of moves that are not yet undone: such a value must not be lost.
    pub(super) fn is_level(&self) -> bool {
        self.moves.load(Relaxed) > 0 && self.value() != 0.0
    }
}

#[inline]
pub(super) fn add_f64(bits: &AtomicU64, delta: f64) {
    let mut seen = bits.load(Relaxed);
    loop {
        let new = (f64::from_bits(seen) + delta).to_bits();
        match bits.compare_exchange_weak(seen, new, Relaxed, Relaxed) {
            Ok(_) => return,
            Err(other) => seen = other,
        }
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
        assert_eq!(size_of::<Line>(), 64);
    }
}
