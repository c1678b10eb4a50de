//! Limits how often a wrong token may be tried.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Mutex;
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::clock::{Clock, Nanos, nanos};
use crate::model::lock;

/// The time in which attempts are counted. It begins with the first one.
const WINDOW: Duration = Duration::from_secs(60);
/// The wrong tokens that one address may send in that time.
const MAX_PER_ADDRESS: u32 = 10;
/// The wrong tokens that all addresses but loopback may send in that time.
const MAX_TOTAL: u32 = 100;

/// The latest attempts to open the dashboard with a token.
#[derive(Debug)]
pub(super) struct LoginAttempts {
    clock: Clock,
    counts: Mutex<AttemptCounts>,
}

#[derive(Debug, Default)]
struct AttemptCounts {
    /// Never more than [`MAX_TOTAL`] and one for loopback, since each entry counts in the total too.
    by_address: FxHashMap<IpAddr, AttemptWindow>,
    total: AttemptWindow,
}

#[derive(Debug, Clone, Copy, Default)]
struct AttemptWindow {
    begin: Nanos,
    count: u32,
}

impl AttemptWindow {
    /// Counts an attempt, or returns the time until the next one is allowed.
    fn count(&mut self, max: u32, now: Nanos) -> Result<(), Nanos> {
        self.forget_if_old(now);
        if self.count == 0 {
            self.begin = now;
        }
        if self.count >= max {
            return Err(nanos(WINDOW).saturating_sub(now.saturating_sub(self.begin)));
        }
        self.count += 1;
        Ok(())
    }

    fn forget_if_old(&mut self, now: Nanos) {
        if now.saturating_sub(self.begin) >= nanos(WINDOW) {
            self.count = 0;
        }
    }
}

impl LoginAttempts {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            counts: Mutex::default(),
        }
    }

    /// Counts an attempt, before the token is compared, so that simultaneous ones cannot exceed the limit.
    ///
    /// # Errors
    ///
    /// Returns the time until the next attempt is allowed.
    pub(super) fn begin(&self, address: Option<IpAddr>) -> Result<(), Duration> {
        let now = self.clock.now();
        let address = key(address);
        let mut counts = lock(&self.counts);
        let AttemptCounts { by_address, total } = &mut *counts;
        by_address.retain(|_, window| {
            window.forget_if_old(now);
            window.count > 0
        });
        let mut window = by_address.get(&address).copied().unwrap_or_default();
        window
            .count(MAX_PER_ADDRESS, now)
            .map_err(Duration::from_nanos)?;
        // One address must not use up the attempts of all, and others must not keep the operator of this machine out.
        if !address.is_loopback() {
            total.count(MAX_TOTAL, now).map_err(Duration::from_nanos)?;
        }
        by_address.insert(address, window);
        Ok(())
    }

    /// The token was right: this attempt does not count.
    pub(super) fn succeed(&self, address: Option<IpAddr>) {
        let address = key(address);
        let mut counts = lock(&self.counts);
        if let Some(window) = counts.by_address.get_mut(&address) {
            window.count = window.count.saturating_sub(1);
        }
        if !address.is_loopback() {
            counts.total.count = counts.total.count.saturating_sub(1);
        }
    }
}

/// What counts as one address: of IPv6, a network of 64 bits, because a client may use any address in it.
pub(super) fn key(address: Option<IpAddr>) -> IpAddr {
    match address.map(|address| address.to_canonical()) {
        Some(IpAddr::V6(address)) if !address.is_loopback() => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64))
        }
        Some(address) => address,
        None => Ipv6Addr::UNSPECIFIED.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Option<IpAddr> {
        text.parse().ok()
    }

    #[test]
    fn ten_attempts_a_minute_from_one_address() {
        let clock = Clock::driven(Duration::from_secs(1000));
        let attempts = LoginAttempts::new(clock.clone());
        for _ in 0..10 {
            assert_eq!(attempts.begin(address("192.0.2.1")), Ok(()));
        }
        for _ in 0..1000 {
            assert!(attempts.begin(address("192.0.2.1")).is_err());
        }
        clock.advance(Duration::from_secs(20));
        let wait = attempts.begin(address("192.0.2.1"));
        assert_eq!(wait, Err(Duration::from_secs(40)));
        assert_eq!(attempts.begin(address("192.0.2.2")), Ok(()));
        clock.advance(Duration::from_secs(40));
        assert_eq!(attempts.begin(address("192.0.2.1")), Ok(()));
        // Addresses of one IPv6 network are one address.
        for n in 0..10 {
            let one = address(&format!("2001:db8::{n}:1"));
            assert_eq!(attempts.begin(one), Ok(()));
        }
        assert!(attempts.begin(address("2001:db8::77")).is_err());
        assert_eq!(attempts.begin(address("2001:db8:0:1::1")), Ok(()));
    }

    #[test]
    fn a_right_token_does_not_count() {
        let attempts = LoginAttempts::new(Clock::driven(Duration::ZERO));
        for _ in 0..1000 {
            assert_eq!(attempts.begin(address("192.0.2.1")), Ok(()));
            attempts.succeed(address("192.0.2.1"));
        }
    }

    #[test]
    fn a_hundred_attempts_a_minute_in_all_and_never_for_this_machine() {
        let attempts = LoginAttempts::new(Clock::driven(Duration::ZERO));
        for n in 0..100 {
            let one = address(&format!("192.0.2.{n}"));
            assert_eq!(attempts.begin(one), Ok(()));
        }
        for n in 0..10_000_u32 {
            let one = Some(IpAddr::V4(n.into()));
            assert!(attempts.begin(one).is_err());
        }
        assert_eq!(attempts.begin(address("127.0.0.1")), Ok(()));
        assert_eq!(attempts.begin(address("::ffff:127.0.0.1")), Ok(()));
        assert!(attempts.counts.lock().unwrap().by_address.len() <= 101);
    }
}
