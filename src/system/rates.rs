//! Rates between two readings of the CPU time.

use std::time::Duration;

use super::proc_text::HostCpuTicks;
use crate::clock::{Nanos, seconds};

/// The minimum time between two readings whose difference is a rate. The system counts CPU time in ticks of 10 ms.
const MIN_INTERVAL: Nanos = 100_000_000;

/// The CPU times at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct CpuTimes {
    /// A reading of the monotonic clock, so that a step of the wall clock changes no rate.
    pub(super) at: Nanos,
    /// The CPU time of the process in seconds.
    pub(super) process: Option<f64>,
    pub(super) host: Option<HostCpuTicks>,
}

/// What was used between two readings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct CpuRates {
    /// The time of the second reading.
    pub(super) at: Nanos,
    pub(super) interval: Duration,
    /// The share of the CPUs that are available to the process.
    pub(super) process: Option<f64>,
    /// The share of the machine's CPUs.
    pub(super) host: Option<f64>,
}

/// The rates between two readings; `None` if the second is less than 100 ms after the first. `available` is the number
/// of CPUs that the process can use.
pub(super) fn between(
    before: &CpuTimes,
    now: &CpuTimes,
    available: Option<f64>,
) -> Option<CpuRates> {
    let interval = now.at.checked_sub(before.at)?;
    (interval >= MIN_INTERVAL).then(|| CpuRates {
        at: now.at,
        interval: Duration::from_nanos(interval),
        process: process(before, now, seconds(interval), available),
        host: host(before.host, now.host),
    })
}

fn process(before: &CpuTimes, now: &CpuTimes, elapsed: f64, available: Option<f64>) -> Option<f64> {
    let used = now.process? - before.process?;
    let share = used / (elapsed * available?);
    // A time that went back, as that of a process restored elsewhere, is no rate.
    (share.is_finite() && share >= 0.0).then_some(share)
}

#[expect(clippy::cast_precision_loss, reason = "differences are small")]
fn host(before: Option<HostCpuTicks>, now: Option<HostCpuTicks>) -> Option<f64> {
    let (before, now) = (before?, now?);
    let busy = now.busy.checked_sub(before.busy)? as f64;
    // The part of it that waits for a disk may decrease.
    let idle = now.idle.saturating_sub(before.idle) as f64;
    (busy + idle > 0.0).then(|| busy / (busy + idle))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(at_ms: u64, process: f64, busy: u64, idle: u64) -> CpuTimes {
        CpuTimes {
            at: at_ms * 1_000_000,
            process: Some(process),
            host: Some(HostCpuTicks { busy, idle }),
        }
    }

    #[test]
    fn the_share_is_of_the_available_cpus_and_of_the_elapsed_time() {
        let (before, now) = (times(1000, 3.0, 100, 900), times(11_000, 8.0, 400, 1600));
        let rates = between(&before, &now, Some(2.0)).unwrap();
        assert_eq!(rates.interval, Duration::from_secs(10));
        assert_eq!(rates.process, Some(0.25));
        assert_eq!(rates.host, Some(0.3));
        let rates = between(&before, &now, Some(0.5)).unwrap();
        assert_eq!(rates.process, Some(1.0));
    }

    #[test]
    fn what_cannot_be_compared_has_no_rate() {
        let before = times(1000, 3.0, 100, 900);
        assert_eq!(between(&before, &times(1099, 4.0, 101, 901), None), None);
        assert_eq!(between(&before, &times(999, 4.0, 101, 901), None), None);
        let unknown = between(&before, &times(2000, 4.0, 200, 900), None).unwrap();
        assert_eq!((unknown.process, unknown.host), (None, Some(1.0)));
        // Both went back, or stood still.
        let back = between(&before, &times(2000, 2.0, 90, 900), Some(1.0)).unwrap();
        assert_eq!((back.process, back.host), (None, None));
        let still = between(&before, &times(2000, 3.0, 100, 900), Some(1.0)).unwrap();
        assert_eq!((still.process, still.host), (Some(0.0), None));
        let zero = between(&before, &times(2000, 4.0, 100, 890), Some(0.0)).unwrap();
        assert_eq!((zero.process, zero.host), (None, None));
        let mut no_process = times(2000, 4.0, 110, 990);
        no_process.process = None;
        let partly = between(&before, &no_process, Some(1.0)).unwrap();
        assert_eq!((partly.process, partly.host), (None, Some(0.1)));
    }
}
