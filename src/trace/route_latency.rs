//! The limit for slow requests of a route: longer than 99 of 100 of its recent requests.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use rustc_hash::FxHashMap;

use crate::clock::Nanos;
use crate::context::RouteId;
use crate::model::lock;

/// The number of buckets: four for each power of two, from about 1 microsecond to 2 minutes. A limit is at most 19 %
/// too high.
const BUCKETS: usize = 4 * 27;
const FIRST_POWER: u32 = 10;
/// The number of requests of a route before its limit applies.
const ENOUGH: u64 = 500;

/// The histogram of one route's durations, and the route's limit.
#[derive(Debug)]
pub(crate) struct RouteLatency {
    counts: [AtomicU32; BUCKETS],
    limit: AtomicU64,
}

impl RouteLatency {
    fn new() -> Self {
        Self {
            counts: [const { AtomicU32::new(0) }; BUCKETS],
            limit: AtomicU64::new(Nanos::MAX),
        }
    }

    /// Counts a duration. Returns whether it is over the limit.
    #[inline]
    pub(crate) fn record_and_check(&self, duration: Nanos) -> bool {
        if let Some(count) = self.counts.get(bucket(duration)) {
            count.fetch_add(1, Relaxed);
        }
        duration > self.limit.load(Relaxed)
    }

    /// Computes a new limit from the counts, and then halves the counts.
    fn renew(&self) {
        let counts = self
            .counts
            .each_ref()
            .map(|count| u64::from(count.load(Relaxed)));
        let total: u64 = counts.iter().sum();
        if total < ENOUGH {
            return;
        }
        let mut above = 0;
        let over = counts.iter().rposition(|count| {
            above += count;
            above * 100 > total
        });
        self.limit
            .store(over.map_or(Nanos::MAX, upper_bound), Relaxed);
        for count in &self.counts {
            count.store(count.load(Relaxed) / 2, Relaxed);
        }
    }
}

/// Returns the bucket of a duration.
#[inline]
fn bucket(duration: Nanos) -> usize {
    let power = duration.max(1).ilog2();
    if power < FIRST_POWER {
        return 0;
    }
    // The two bits below the highest bit.
    let quarter = (duration >> (power - 2) & 3) as usize;
    ((power - FIRST_POWER) as usize * 4 + quarter).min(BUCKETS - 1)
}

/// Returns the smallest duration above a bucket.
fn upper_bound(bucket: usize) -> Nanos {
    let power = FIRST_POWER + bucket as u32 / 4;
    if bucket == BUCKETS - 1 {
        return Nanos::MAX;
    }
    (1 << power) + (bucket as u64 % 4 + 1) * (1 << (power - 2))
}

/// The latencies of one monitor's routes. The number of routes is bounded.
#[derive(Debug, Default)]
pub(crate) struct RouteLatencies(Mutex<FxHashMap<RouteId, Arc<RouteLatency>>>);

impl RouteLatencies {
    pub(crate) fn of(&self, route: RouteId) -> Arc<RouteLatency> {
        let mut all = lock(&self.0);
        let times = all
            .entry(route)
            .or_insert_with(|| Arc::new(RouteLatency::new()));
        Arc::clone(times)
    }

    pub(crate) fn renew(&self) {
        let all: Vec<_> = {
            let all = lock(&self.0);
            all.values().cloned().collect()
        };
        for times in all {
            times.renew();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_what_is_below_its_bound() {
        for duration in
            (0..40_u32).flat_map(|power| [1_u64 << power, (1 << power) + (1 << power) / 3])
        {
            let at = bucket(duration);
            assert!(duration < upper_bound(at), "{duration} in {at}");
            if at > 0 && at < BUCKETS - 1 {
                assert!(duration >= upper_bound(at - 1), "{duration} in {at}");
            }
        }
    }

    #[test]
    fn one_of_a_hundred_is_slow_once_enough_were_seen() {
        let times = RouteLatency::new();
        let ms = 1_000_000;
        for n in 0..1000 {
            assert!(!times.record_and_check(if n % 200 == 0 { 80 * ms } else { 5 * ms }));
        }
        times.renew();
        assert!(!times.record_and_check(5 * ms) && times.record_and_check(8 * ms));
        let few = RouteLatency::new();
        few.record_and_check(1);
        few.renew();
        assert!(!few.record_and_check(Nanos::MAX - 1));
    }
}
