//! The server's rate limits for errors.

use std::sync::Mutex;
use std::time::Duration;

use http::HeaderMap;

use crate::clock::{Clock, Nanos, nanos};
use crate::model::lock;

/// The longest limit that is obeyed.
const MAX_LIMIT: Duration = Duration::from_secs(86_400);

/// The current limit. The later one of two limits applies. Times are those of a monotonic clock.
#[derive(Debug)]
pub(super) struct RateLimits {
    clock: Clock,
    until: Mutex<Nanos>,
}

impl RateLimits {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            until: Mutex::new(0),
        }
    }

    /// Reads the limits in the headers of a response.
    pub(super) fn update(&self, headers: &HeaderMap) {
        let limits = headers
            .get_all("x-sentry-rate-limits")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(limit_for_errors);
        if let Some(longest) = limits.max() {
            self.extend(longest);
        }
    }

    /// Sets a limit of `wait` from now, unless a longer one holds.
    pub(super) fn extend(&self, wait: Duration) {
        let until = self.clock.now().saturating_add(nanos(wait.min(MAX_LIMIT)));
        let mut current = lock(&self.until);
        *current = until.max(*current);
    }

    /// The time during which nothing must be sent.
    pub(super) fn remaining(&self) -> Option<Duration> {
        let until = *lock(&self.until);
        let remaining = until.checked_sub(self.clock.now())?;
        (remaining > 0).then(|| Duration::from_nanos(remaining))
    }
}

/// The time of one limit, `seconds:categories:..`, if it applies to errors. A limit without categories applies to all.
fn limit_for_errors(limit: &str) -> Option<Duration> {
    let mut parts = limit.trim().split(':');
    let seconds: f64 = parts.next()?.trim().parse().ok()?;
    let categories = parts.next()?.trim();
    let applies = categories.is_empty() || categories.split(';').any(|it| it.trim() == "error");
    (applies && seconds.is_finite() && seconds >= 0.0)
        .then(|| Duration::try_from_secs_f64(seconds).unwrap_or(MAX_LIMIT))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn limits_for_errors_are_obeyed_and_the_longer_wins() {
        for (text, seconds) in [
            ("60:error:key", Some(60)),
            ("60::organization", Some(60)),
            (
                "60:transaction;error:key, 2700:error:organization",
                Some(2700),
            ),
            ("86400:transaction;span:organization", None),
            ("60:default;security:key:quota", None),
            ("soon:error:key", None),
            ("-5:error:key", None),
            ("60", None),
            ("", None),
            ("1e300:error:key", Some(86_400)),
        ] {
            let clock = Clock::driven(Duration::ZERO);
            let limits = RateLimits::new(clock.clone());
            let mut headers = HeaderMap::new();
            headers.insert("x-sentry-rate-limits", HeaderValue::from_static(text));
            limits.update(&headers);
            let remaining = limits.remaining().map(|wait| wait.as_secs());
            assert_eq!(remaining, seconds, "{text}");
            limits.extend(Duration::from_secs(1));
            let longer = seconds.unwrap_or(0).max(1);
            assert_eq!(limits.remaining(), Some(Duration::from_secs(longer)));
            clock.advance(Duration::from_secs(longer));
            assert_eq!(limits.remaining(), None);
        }
    }
}
