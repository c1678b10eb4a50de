use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::distribution::Distribution;
use super::exponential::{FINE_BUCKETS, fine_bucket};

/// The fine buckets of a group: two octaves.
const GROUP: usize = 64;
const GROUPS: usize = FINE_BUCKETS / GROUP;

/// A count for each fine bucket. The counts of two octaves are allocated with the first value that falls into them, and
/// take 512 bytes.
#[derive(Debug, Default)]
pub(crate) struct FineCounts {
    groups: [OnceLock<Box<[AtomicU64; GROUP]>>; GROUPS],
}

impl FineCounts {
    /// Counts a value. A value above the last bucket is counted in the last one, any other without a bucket in the
    /// first.
    #[inline]
    pub(crate) fn record(&self, value: f64, times: u64) {
        let outside = || if value > 1.0 { FINE_BUCKETS - 1 } else { 0 };
        self.add(fine_bucket(value).unwrap_or_else(outside), times);
    }

    /// Adds to the count of one bucket.
    #[inline]
    pub(super) fn add(&self, bucket: usize, times: u64) {
        let Some(group) = self.groups.get(bucket / GROUP) else {
            return;
        };
        let counts = match group.get() {
            Some(counts) => counts,
            None => allocate(group),
        };
        if let Some(count) = counts.get(bucket % GROUP) {
            count.fetch_add(times, Relaxed);
        }
    }

    /// Moves all counts of another one into this one.
    pub(crate) fn absorb(&self, other: &Self) {
        for (group, from) in self.groups.iter().zip(&other.groups) {
            let Some(from) = from.get() else { continue };
            // A swap, so that a value that is recorded at this moment is moved now or stays for the next time, and is
            // never counted twice.
            for (count, from) in allocate(group).iter().zip(from.iter()) {
                count.fetch_add(from.swap(0, Relaxed), Relaxed);
            }
        }
    }

    /// The buckets that are not empty, in ascending order, and their counts.
    pub(super) fn counts(&self) -> impl Iterator<Item = (usize, u64)> {
        let groups = (0..).step_by(GROUP).zip(&self.groups);
        let groups = groups.filter_map(|(first, group)| Some((first, group.get()?)));
        let counts = groups.flat_map(|(first, group)| {
            let counts = group.iter().map(|count| count.load(Relaxed));
            (first..).zip(counts)
        });
        counts.filter(|(_, count)| *count > 0)
    }

    /// The number of recorded values.
    pub(crate) fn total(&self) -> u64 {
        let mut total = 0_u64;
        // Plain loops: the table of statements adds up a thousand of these to find those that can be replaced.
        for group in self.groups.iter().filter_map(OnceLock::get) {
            for count in group.iter() {
                total = total.wrapping_add(count.load(Relaxed));
            }
        }
        total
    }

    /// The current counts.
    pub(crate) fn distribution(&self) -> Distribution {
        Distribution::of_fine(self.counts())
    }
}

#[cold]
fn allocate(group: &OnceLock<Box<[AtomicU64; GROUP]>>) -> &[AtomicU64; GROUP] {
    group.get_or_init(|| Box::new(std::array::from_fn(|_| AtomicU64::new(0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_off_by_no_more_than_half_a_bucket() {
        let all = FineCounts::default();
        assert_eq!(all.distribution().quantile(0.5), None);
        for n in 1..=10_000 {
            all.record(f64::from(n) / 1000.0, 1);
        }
        let read = all.distribution();
        for (rank, exact) in [
            (0.0, 0.001),
            (0.5, 5.0),
            (0.95, 9.5),
            (0.99, 9.9),
            (1.0, 10.0),
        ] {
            let read = read.quantile(rank).unwrap();
            assert!((read / exact - 1.0).abs() < 0.011, "{read} for {exact}");
        }
    }

    #[test]
    fn counts_move_from_one_to_another() {
        let (one, other) = (FineCounts::default(), FineCounts::default());
        for value in [1e-9, 0.5, 0.5, 1e15] {
            other.record(value, 1);
        }
        one.record(0.5, 1);
        one.absorb(&other);
        assert_eq!((one.total(), other.total()), (5, 0));
        let counts: Vec<_> = one.counts().map(|(_, count)| count).collect();
        assert_eq!(counts, [1, 3, 1]);
    }
}
