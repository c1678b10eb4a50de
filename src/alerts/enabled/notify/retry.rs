//! The waits between attempts to deliver a notification.

/// The longest wait that a receiver can ask for, in milliseconds: an hour.
pub(super) const MAX_WAIT: u64 = 3_600_000;
/// The first wait, in milliseconds. It doubles with each further failure.
const FIRST: u64 = 1000;
/// The longest wait of our own: five minutes.
const LAST: u64 = 300_000;

/// The wait in milliseconds after this many failures in a row: 1 s, 2 s, 4 s, up to five minutes, each longer or shorter by up
/// to a half, so that not all processes return to a receiver at the same time.
pub(super) fn back_off(failures: u32, random: u64) -> u64 {
    let middle = FIRST
        .saturating_mul(1 << failures.saturating_sub(1).min(20))
        .min(LAST);
    // From a half to one and a half of it.
    (middle / 2 + random % (middle + 1)).min(LAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_five_minutes_and_vary_by_a_half() {
        for (failures, middle) in [(0, 1000), (1, 1000), (2, 2000), (5, 16_000), (9, 256_000)] {
            assert_eq!(back_off(failures, 0), middle / 2);
            assert_eq!(back_off(failures, middle), (middle * 3 / 2).min(LAST));
        }
        for failures in [10, 100, u32::MAX] {
            assert_eq!(back_off(failures, 0), LAST / 2);
            assert!(back_off(failures, u64::MAX - 1) <= LAST);
        }
    }
}
