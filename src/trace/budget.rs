//! A budget per second that its sources share fairly.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::clock::Nanos;
use crate::context::{NO_REQUEST, RouteId};

/// The dimensions of the usage table: each source has one column in each row. Of a million pairs of sources, about one
/// shares its columns in both rows.
const ROWS: usize = 2;
const COLUMNS: usize = 1024;
/// The number of leading bytes of a name that distinguish sources.
const MAX_NAME: usize = 64;
/// The units of the amount and of the time of a usage, as powers of two of nanoseconds.
const AMOUNT_BITS: u32 = 3;
const TIME_BITS: u32 = 20;

/// A budget per second, as a token bucket. A single source gets a burst and then the rate.
///
/// The number of tokens that a source must leave in the bucket grows with its recent usage: about a quarter of that
/// usage, plus an eighth of the recent usage of its whole class (requests, or work outside of requests). So a source
/// with too much demand keeps the bucket at that level, and a source without recent usage still finds tokens. Tokens
/// that no other source takes are available to all. To make this possible, the bucket holds three eighths more than the
/// burst, which no single source gets.
///
/// Usage is stored in a table of fixed size and decays over time. So nothing is allocated for a source, and the number
/// of sources is not bounded.
#[derive(Debug)]
pub(crate) struct Budget {
    per_second: u64,
    /// The maximum that a single source may take at once, in nanoseconds of refill time.
    burst: u64,
    /// The time at which the bucket was, or will be, full (generic cell rate algorithm).
    full_at: AtomicU64,
    /// The half-life of usage: two to this power, in units of time.
    half_life: u32,
    sources: [Box<[SourceUsage]>; ROWS],
    classes: [SourceUsage; 2],
}

/// A source of demand on a budget.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BudgetSource {
    in_request: bool,
    hash: u64,
}

/// The recent usage, in nanoseconds of refill time, and its time, packed into one number.
#[derive(Debug, Default)]
struct SourceUsage(AtomicU64);

impl BudgetSource {
    /// Returns the source for the requests of a route.
    #[inline]
    pub(crate) fn of_route(route: RouteId) -> Self {
        Self {
            in_request: route != NO_REQUEST,
            hash: mixed(route.0.into()),
        }
    }

    /// Returns the source for work outside of requests. It is identified by the name of the topmost span up to the
    /// first digit, because names may contain a number.
    pub(crate) fn of_root(name: &str) -> Self {
        let bytes = name.bytes().take(MAX_NAME);
        let text = bytes.take_while(|byte| !byte.is_ascii_digit());
        let hash = text.fold(0, |hash, byte| mixed(hash ^ u64::from(byte)));
        Self {
            in_request: false,
            hash: mixed(hash | 1 << 63),
        }
    }

    /// Returns a part of this source that has its own share.
    #[inline]
    pub(crate) fn part(self, number: u8) -> Self {
        Self {
            hash: mixed(self.hash ^ u64::from(number)),
            ..self
        }
    }
}

/// Mixes a number over all bits; the upper bits are mixed best.
#[inline]
fn mixed(number: u64) -> u64 {
    let number = (number ^ number >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    number ^ number >> 29
}

impl Budget {
    /// Creates a budget. `burst` is the maximum that a single source may take at once.
    pub(crate) fn new(per_second: u64, burst: u64) -> Self {
        let full = (u128::from(burst) * 1_000_000_000 / u128::from(per_second.max(1))) as u64;
        let units = (full >> TIME_BITS).max(1);
        let row = || (0..COLUMNS).map(|_| SourceUsage::default()).collect();
        Self {
            per_second,
            burst: full,
            full_at: AtomicU64::new(0),
            half_life: units.ilog2(),
            sources: [row(), row()],
            classes: Default::default(),
        }
    }

    /// Takes tokens for a source. Returns `false`, and takes none, if they are not available to it.
    pub(crate) fn take(&self, source: BudgetSource, tokens: u64, now: Nanos) -> bool {
        if self.per_second == 0 {
            return false;
        }
        let cost = (u128::from(tokens) * 1_000_000_000 / u128::from(self.per_second)) as u64;
        // It would never fit, however long the source waits.
        if cost > self.burst {
            return false;
        }
        // The burst, plus what a single source must leave in the bucket after it has taken the burst.
        let capacity = self.burst + self.burst / 8 * 3 + 2 * cost;
        let until = now.saturating_add(capacity);
        // The bucket is empty for everyone. Under overload most calls end here, before the usage is computed.
        if self.full_at.load(Relaxed).saturating_add(cost) > until {
            return false;
        }
        let leave = self.leave(source, cost, now);
        // The tokens are taken in one step, so that concurrent calls never exceed the rate. The usage is only updated
        // afterwards and without such care: a lost addition makes a share slightly unfair, and never the total wrong.
        let taken = self.full_at.fetch_update(Relaxed, Relaxed, |at| {
            let at = at.max(now).saturating_add(cost);
            (at.saturating_add(leave) <= until).then_some(at)
        });
        if taken.is_err() {
            return false;
        }
        for usage in self.of_source(source).into_iter().flatten() {
            usage.add(cost, now, self.half_life);
        }
        self.of_class(source).add(cost, now, self.half_life);
        true
    }

    /// Returns the amount that a source must leave in the bucket for others.
    fn leave(&self, source: BudgetSource, cost: u64, now: Nanos) -> u64 {
        // Another source may share a column and add to its usage. It rarely shares both, so the minimum is closest.
        let places = self.of_source(source).into_iter().flatten();
        let lately = places.map(|usage| usage.read(now, self.half_life)).min();
        let lately = lately.unwrap_or_default();
        // The slope is steeper up to one token: a source that took one token leaves one for a source that took none.
        let own = 2 * lately.min(cost) + lately.saturating_sub(cost) / 4;
        let class = self.of_class(source).read(now, self.half_life) / 8;
        own + class
    }

    fn of_source(&self, source: BudgetSource) -> [Option<&SourceUsage>; ROWS] {
        let [one, other] = &self.sources;
        let hash = source.hash;
        let at = |hash: u64| (hash >> 40) as usize % COLUMNS;
        [one.get(at(hash)), other.get(at(mixed(hash)))]
    }

    fn of_class(&self, source: BudgetSource) -> &SourceUsage {
        let [outside, requests] = &self.classes;
        if source.in_request { requests } else { outside }
    }
}

impl SourceUsage {
    /// Returns the decayed usage, in nanoseconds.
    fn read(&self, now: Nanos, half_life: u32) -> u64 {
        Self::faded(self.0.load(Relaxed), now, half_life) << AMOUNT_BITS
    }

    /// Adds to the usage. If two threads add at the same time, one addition may be lost.
    fn add(&self, cost: u64, now: Nanos, half_life: u32) {
        let amount = Self::faded(self.0.load(Relaxed), now, half_life);
        let amount = (amount + (cost >> AMOUNT_BITS)).min(u32::MAX.into());
        let time = now >> TIME_BITS & u64::from(u32::MAX);
        self.0.store(time << 32 | amount, Relaxed);
    }

    fn faded(packed: u64, now: Nanos, half_life: u32) -> u64 {
        let (time, amount) = ((packed >> 32) as u32, packed & u64::from(u32::MAX));
        let passed = ((now >> TIME_BITS) as u32).wrapping_sub(time);
        // If the clock went backwards, no time has passed.
        let passed = if passed > u32::MAX / 2 { 0 } else { passed };
        let halves = passed >> half_life;
        if halves >= 32 {
            return 0;
        }
        let amount = amount >> halves;
        let rest = u64::from(passed & ((1 << half_life) - 1));
        amount - ((amount * rest) >> half_life) / 2
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn route(n: u32) -> BudgetSource {
        BudgetSource::of_route(RouteId(n + 10))
    }

    /// The sources, each with its requests per second.
    type Load = Vec<(BudgetSource, u64)>;

    /// Runs a load for eleven seconds. Returns what each source got per second, on average over the last ten seconds.
    fn run(budget: &Budget, load: &Load, tokens: u64) -> Vec<f64> {
        let mut got: HashMap<usize, u64> = HashMap::new();
        let mut asks: Vec<(u64, usize)> = Vec::new();
        for (n, (_, rate)) in load.iter().enumerate() {
            // Shifts the sources against each other, so that they do not ask at the same times.
            let shift = (n as u64 * 7_919_333) % (SECOND / rate);
            asks.extend((0..11 * rate).map(|k| (SECOND + k * SECOND / rate + shift, n)));
        }
        asks.sort_unstable();
        for (at, n) in asks {
            let taken = budget.take(load[n].0, tokens, at);
            if taken && (2 * SECOND..12 * SECOND).contains(&at) {
                *got.entry(n).or_default() += 1;
            }
        }
        let of = |n: usize| got.get(&n).copied().unwrap_or_default() as f64 / 10.0;
        (0..load.len()).map(of).collect()
    }

    #[test]
    fn one_source_alone_gets_the_burst_and_then_the_rate() {
        for per_second in (1..=40).chain([100, 1000, 1_000_000]) {
            let budget = Budget::new(per_second, per_second);
            let at_once = (0..2 * per_second).filter(|_| budget.take(route(0), 1, SECOND));
            let at_once = at_once.count() as u64;
            // Amounts are rounded.
            assert!(
                at_once.abs_diff(per_second) <= per_second / 1000,
                "{at_once} of {per_second}"
            );
        }
        for per_second in [1, 3, 10, 100] {
            let budget = Budget::new(per_second, per_second);
            let got = run(&budget, &vec![(route(0), 5000)], 1);
            assert!(
                (got[0] - per_second as f64).abs() <= 0.3,
                "{got:?} of {per_second}"
            );
        }
        assert!(!Budget::new(0, 0).take(route(0), 1, 5));
    }

    #[test]
    fn a_route_that_is_rarely_asked_gets_its_traces_beside_any_other() {
        let hot = |n: u32| (route(n), 10_000 / u64::from(n + 1));
        let many = |count: u32, rate| (0..count).map(|n| (route(100 + n), rate)).collect::<Load>();
        let jobs = |count: u32| {
            let names = (0..count).map(|n| format!("job {}", char::from_u32(0x4e00 + n).unwrap()));
            names
                .map(|name| (BudgetSource::of_root(&name), 200))
                .collect::<Load>()
        };
        let numbered = (0..100).map(|n| (BudgetSource::of_root(&format!("item {n}")), 100));
        for (name, others) in [
            ("one hot route", vec![hot(0)]),
            ("three hot routes", vec![hot(0), hot(1), hot(2)]),
            ("thirty warm routes", many(30, 200)),
            (
                "a batch job",
                vec![(BudgetSource::of_root("INSERT orders"), 10_000)],
            ),
            ("a numbered batch job", numbered.collect()),
            ("jobs of many names", jobs(50)),
            (
                "unmatched paths",
                vec![(BudgetSource::of_route(RouteId(0)), 20_000)],
            ),
            (
                "everything",
                [vec![hot(0), hot(1)], many(20, 200), jobs(20)].concat(),
            ),
        ] {
            for rare in [route(5000), BudgetSource::of_root("nightly report")] {
                for per_second in [8, 100] {
                    let budget = Budget::new(per_second, per_second);
                    let mut load = others.clone();
                    load.push((rare, 1));
                    let got = run(&budget, &load, 1);
                    let all: f64 = got.iter().sum();
                    // If there are more sources than tokens per second, shares are smaller than one.
                    if per_second == 100 || load.len() <= 8 {
                        assert!(*got.last().unwrap() >= 0.9, "{name}: {per_second}: {got:?}");
                    }
                    let all_of = per_second as f64;
                    assert!(
                        (all_of * 0.95..all_of * 1.02).contains(&all),
                        "{name}: {all}"
                    );
                }
            }
        }
    }

    #[test]
    fn sources_that_ask_for_more_than_there_is_get_equal_shares() {
        let budget = Budget::new(100, 100);
        let load = vec![
            (route(1), 10_000),
            (route(2), 1000),
            (route(3), 100),
            (route(4), 5),
        ];
        let got = run(&budget, &load, 1);
        assert!(got[3] >= 4.9, "{got:?}");
        for share in &got[..3] {
            assert!((25.0..40.0).contains(share), "{got:?}");
        }
    }

    #[test]
    fn bytes_are_shared_as_well() {
        let budget = Budget::new(1 << 20, 8 << 20);
        let load = vec![
            (route(1), 10_000),
            (BudgetSource::of_root("batch"), 1000),
            (route(2), 2),
        ];
        let got = run(&budget, &load, 4096);
        assert!(got[2] >= 1.9, "{got:?}");
        assert!(got.iter().sum::<f64>() < 800.0, "{got:?}");
    }

    #[test]
    fn a_clock_may_jump() {
        let budget = Budget::new(10, 10);
        assert!(budget.take(route(1), 1, 0));
        assert!(budget.take(route(1), 1, 1000 * SECOND));
        // A clock does not go back this far; the budget must not panic if it does.
        budget.take(route(1), 1, 0);
        assert!(budget.take(route(1), 1, 1001 * SECOND));
        budget.take(route(1), 1, u64::MAX);
    }
}
