use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// The bound of the first wait. It doubles with each further failure.
const FIRST: Duration = Duration::from_secs(1);
/// The largest bound of a wait.
const LAST: Duration = Duration::from_secs(60);
/// The shortest wait.
const LEAST: Duration = Duration::from_millis(100);

/// The wait after this many failures in a row: a random part of the bound (full jitter), so that many processes that
/// lost the same receiver do not all return to it at the same time.
pub(crate) fn back_off(failures: u32) -> Duration {
    let random = RandomState::new().hash_one(failures);
    within(bound(failures), random)
}

fn bound(failures: u32) -> Duration {
    FIRST
        .saturating_mul(1 << failures.saturating_sub(1).min(8))
        .min(LAST)
}

fn within(bound: Duration, random: u64) -> Duration {
    let share = (random >> 32) as f64 / f64::from(u32::MAX);
    bound.mul_f64(share).max(LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_doubles_up_to_a_minute() {
        let bounds = [0, 1, 2, 3, 6, 7, 8, u32::MAX].map(|n| bound(n).as_secs());
        assert_eq!(bounds, [1, 1, 2, 4, 32, 60, 60, 60]);
    }

    #[test]
    fn waits_are_spread_over_all_of_the_bound() {
        assert_eq!(within(LAST, u64::MAX), LAST);
        assert_eq!(within(LAST, 0), LEAST);
        let waits: Vec<_> = (0..1000).map(|_| back_off(7)).collect();
        assert!(waits.iter().any(|wait| *wait < LAST / 4));
        assert!(waits.iter().any(|wait| *wait > LAST * 3 / 4));
        assert!(waits.iter().all(|wait| (LEAST..=LAST).contains(wait)));
    }
}
